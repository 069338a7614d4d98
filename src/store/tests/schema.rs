//! The files of the tables say what the module uses.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::super::schema::{create, text_files};
use super::super::statements::{delete, purge, write_numbers, write_tombstones, write_whole};
use super::*;

/// Where kamdbctl has the files of each database, below its folder and below `docs/schema`.
const FOLDERS: [(&str, SqlDialect); 3] =
    [("db_sqlite", SqlDialect::Sqlite), ("postgres", SqlDialect::Postgres), ("mysql", SqlDialect::Mysql)];

/// What each file has to say, by its path below `docs/schema`.
fn wanted() -> Vec<(String, String)> {
    let sql = FOLDERS.map(|(folder, dialect)| {
        let text: String = create(dialect).iter().map(|statement| format!("{statement};\n\n")).collect();
        (format!("{folder}/presence_b2b-create.sql"), text)
    });
    let texts = text_files().into_iter().map(|(name, line)| (format!("dbtext/kamailio/{name}"), line + "\n"));
    sql.into_iter().chain(texts).collect()
}

/// After a change of the columns, `PRESENCE_B2B_WRITE_SCHEMA=1 cargo test --lib store::tests::schema` writes the files.
#[test]
fn the_files_are_made_of_the_columns() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/schema");
    for (path, text) in wanted() {
        let path = folder.join(path);
        if std::env::var_os("PRESENCE_B2B_WRITE_SCHEMA").is_some() {
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            fs::write(&path, &text).expect("a file");
        }
        let found = fs::read_to_string(&path).unwrap_or_default();
        assert!(found == text, "{} differs: see the comment above this test", path.display());
    }
}

/// Names longer than this do not fit into the table `version`.
#[test]
fn names_of_tables_fit() {
    assert!(text_files().iter().all(|(name, _)| name.len() <= 32));
}

/// Executes statements in a new database of SQLite, and gives the rows of the last one.
fn sqlite(statements: &[String]) -> Vec<String> {
    let mut sqlite = Command::new("sqlite3").arg("-bail").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    sqlite.stdin.take().unwrap().write_all((statements.join(";\n") + ";\n").as_bytes()).unwrap();
    let output = sqlite.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// The statements of the room are for these tables: they write, they keep what a later one has written, and they do nothing for an earlier run.
#[test]
fn the_statements_are_for_these_tables() {
    let dialect = SqlDialect::Sqlite;
    let later = StoredRow { written: Written::new(RUN, 9), retries: 3, ..row() };
    let gone = Run { epoch: RUN.epoch - 1, ..RUN };
    let begun = format!("INSERT INTO {NODES_TABLE} (id, epoch) VALUES (1, {})", RUN.epoch);
    let shown = format!("SELECT id, retries, state FROM {TABLE} ORDER BY id");
    let statements = [
        create(dialect),
        vec![begun],
        write_whole(dialect, RUN, &[row(), StoredRow { id: ID + 1, ..row() }, StoredRow { id: ID + 2, ..row() }]),
        write_numbers(dialect, RUN, &[later], true),
        write_whole(dialect, RUN, &[row()]),
        delete(dialect, gone, Written::new(RUN, 99), &[ID]),
        write_tombstones(dialect, RUN, Written::new(RUN, 10), &[ID + 1, ID + 3], 5),
        delete(dialect, RUN, Written::new(RUN, 10), &[ID + 2]),
        vec![shown.clone(), purge(dialect, RUN, Written::new(RUN, 10)), shown],
    ];
    let (kept, tombstone) = (format!("{ID}|3|confirmed"), |id: u64| format!("{id}|0|ended"));
    assert_eq!(sqlite(&statements.concat()), [kept.clone(), tombstone(ID + 1), tombstone(ID + 3), kept]);
}

/// Numbers reach the rows whether their texts are plain, and travel as JSON, or not; and only those of the same dialog.
#[test]
fn numbers_are_the_same_by_either_way() {
    let dialect = SqlDialect::Sqlite;
    let begun = format!("INSERT INTO {NODES_TABLE} (id, epoch) VALUES (1, {})", RUN.epoch);
    let named = |id: u64, call_id: &str| StoredRow { id, call_id: call_id.to_owned(), ..row() };
    for ([one, other], reads_json) in
        [(["plain", "simple"], true), (["plain", "simple"], false), (["a\"b", "it's"], true), (["a\\b", "plain"], true)]
    {
        // The largest number of a column, and the smallest.
        let rows = [named(ID, one), named(1 << 63, other), named(ID + 1, one)];
        let later = |row: &StoredRow, n: u16| StoredRow { written: Written::new(RUN, 9), retries: n, ..row.clone() };
        let later = [later(&rows[0], 7), later(&rows[1], 8), StoredRow { call_id: other.into(), ..later(&rows[2], 9) }];
        let writes = write_numbers(dialect, RUN, &later, reads_json);
        assert_eq!(writes.concat().contains("json_each"), reads_json && one == "plain");
        let shown = vec![format!("SELECT id, retries, expires_at FROM {TABLE} ORDER BY retries")];
        let statements = [create(dialect), vec![begun.clone()], write_whole(dialect, RUN, &rows), writes, shown];
        let shown = |id: i64, retries: u16| format!("{id}|{retries}|{}", row().expires_at);
        let expected = [shown(ID as i64 + 1, row().retries), shown(ID as i64, 7), shown(i64::MIN, 8)];
        assert_eq!(sqlite(&statements.concat()), expected);
    }
}
