//! The tables that the files of `docs/schema` make, with the clients of each database, and with kamdbctl as a user would call it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::support::database::{change, rows, sqlite};
use crate::support::mariadb::Mariadb;
use crate::support::postgres::Postgres;

const TABLES: [&str; 2] = ["presence_b2b_nodes", "presence_b2b_subscriptions"];

/// Where Debian has the parts of kamdbctl.
const PARTS: &str = "/usr/lib/x86_64-linux-gnu/kamailio/kamctl";

fn schema() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schema")
}

fn sql_of(folder: &str) -> String {
    fs::read_to_string(schema().join(folder).join("presence_b2b-create.sql")).expect("the file of the tables")
}

/// The columns as the files of db_text have them, `table.column`, in the order of the tables.
fn columns() -> Vec<String> {
    let of = |table: &&str| {
        let text = fs::read_to_string(schema().join("dbtext/kamailio").join(table)).expect("a file of db_text");
        let names = text.split_whitespace().map(|column| column.split('(').next().unwrap_or_default().to_owned());
        names.map(|name| format!("{table}.{name}")).collect::<Vec<_>>()
    };
    TABLES.iter().flat_map(of).collect()
}

/// A row with the defaults of a database: what was not named is 0 or an empty text, and can be written.
const ROW: &str = "INSERT INTO presence_b2b_nodes (id) VALUES (1);";

/// Tables of a later version than the module's.
const LATER: &str = "UPDATE version SET table_version = 2 WHERE table_name = 'presence_b2b_nodes';";

const VERSIONS: &str =
    "SELECT table_name, table_version FROM version WHERE table_name LIKE 'presence_b2b%' ORDER BY table_name";

/// Parts of kamdbctl that look for tables in the folder of the sources.
fn kamdbctl(folder: &Path, engine: &str) -> Command {
    for entry in fs::read_dir(PARTS).expect("the package kamailio").map(|entry| entry.expect("a file")) {
        if let Ok(text) = fs::read_to_string(entry.path()) {
            // 5.6 ends the folder with a slash.
            let own = format!("DATA_DIR=\"{}\"", schema().display());
            let text = ["/usr/share/kamailio/", "/usr/share/kamailio"]
                .iter()
                .fold(text, |text, folder| text.replace(&format!("DATA_DIR=\"{folder}\""), &own));
            fs::write(folder.join(entry.file_name()), text).expect("a copy");
        }
    }
    let mut command = Command::new("kamdbctl");
    command.env("MYLIBDIR", folder).env("DBENGINE", engine).env("EXTRA_MODULES", "presence_b2b");
    command
}

fn succeeds(command: &mut Command) {
    let output = command.output().expect("it can be executed");
    assert!(output.status.success(), "{command:?}: {output:?}");
}

#[test]
fn tables_of_sqlite() {
    let dir = sqlite(&sql_of("db_sqlite"));
    change(dir.path(), &(ROW.to_owned() + LATER + &sql_of("db_sqlite")));
    let names = TABLES.map(|table| format!("SELECT '{table}.' || name FROM pragma_table_info('{table}')"));
    assert_eq!(rows(dir.path(), &names.join(" UNION ALL ")), columns());
    assert_eq!(rows(dir.path(), VERSIONS), ["presence_b2b_nodes|2", "presence_b2b_subscriptions|1"]);
    assert_eq!(rows(dir.path(), "SELECT * FROM presence_b2b_nodes"), ["1|0||0|0|0"]);
    // As an operator makes them.
    let (made, parts) = (TempDir::new().expect("a folder"), TempDir::new().expect("a folder"));
    succeeds(kamdbctl(parts.path(), "SQLITE").env("DB_PATH", made.path().join("db")).arg("extra"));
    assert_eq!(rows(made.path(), &names.join(" UNION ALL ")), columns());
}

#[test]
fn tables_of_postgresql() {
    let server = Postgres::start();
    let parts = TempDir::new().expect("a folder");
    let mut command = kamdbctl(parts.path(), "PGSQL");
    command.env("DBHOST", server.ip().to_string()).env("DBROOTUSER", "b2b").env("DBNAME", "postgres");
    succeeds(command.env("EXTRA_TABLES", " ").arg("extra"));
    server.run(&(ROW.to_owned() + LATER + &sql_of("postgres")));
    assert_eq!(
        server.rows(
            "SELECT table_name || '.' || column_name FROM information_schema.columns
             WHERE table_name LIKE 'presence_b2b%' ORDER BY table_name, ordinal_position"
        ),
        columns()
    );
    assert_eq!(server.rows(VERSIONS), ["presence_b2b_nodes|2", "presence_b2b_subscriptions|1"]);
    assert_eq!(server.rows("SELECT * FROM presence_b2b_nodes"), ["1|0||0|0|0"]);
}

#[test]
fn tables_of_mariadb() {
    let server = Mariadb::start();
    let parts = TempDir::new().expect("a folder");
    let mut command = kamdbctl(parts.path(), "MYSQL");
    command
        .env("DBHOST", server.ip().to_string())
        .env("DBROOTUSER", "b2b")
        .env("DBROOTPW", "secret")
        .env("DBNAME", "b2b");
    succeeds(command.args(["add-tables", "presence_b2b"]));
    server.run(&(ROW.to_owned() + LATER + &sql_of("mysql")));
    assert_eq!(
        server.rows(
            "SELECT CONCAT(table_name, '.', column_name) FROM information_schema.columns
             WHERE table_name LIKE 'presence_b2b%' ORDER BY table_name, ordinal_position"
        ),
        columns()
    );
    assert_eq!(server.rows(VERSIONS), ["presence_b2b_nodes\t2", "presence_b2b_subscriptions\t1"]);
    assert_eq!(server.rows("SELECT * FROM presence_b2b_nodes"), ["1\t0\t\t0\t0\t0"]);
    // The server stops in an orderly way, and starts again with what it has.
    let server = server.stopped().started();
    assert!(server.pid().is_some() && server.rows(VERSIONS).len() == 2, "{}", server.url());
}

#[test]
fn tables_of_db_text() {
    let (made, parts) = (TempDir::new().expect("a folder"), TempDir::new().expect("a folder"));
    let mut command = kamdbctl(parts.path(), "DBTEXT");
    succeeds(command.env("DB_PATH", made.path()).env("EXTRA_TABLES", TABLES.join(" ")).arg("extra"));
    for table in TABLES {
        let source = fs::read(schema().join("dbtext/kamailio").join(table)).expect("a file of db_text");
        assert!(fs::read(made.path().join(table)).expect("its copy") == source, "{table}");
    }
}

/// The page describes each column.
#[test]
fn columns_are_described() {
    let page = fs::read_to_string(schema().join("../database.md")).expect("the page");
    for table in TABLES {
        let (_, rest) = page.split_once(&format!("## {table}\n")).expect("a section");
        let section = rest.split("\n## ").next().unwrap_or_default();
        for column in columns().iter().filter_map(|column| column.strip_prefix(&format!("{table}."))) {
            assert!(section.contains(&format!("`{column}`")), "{table}.{column} is not described");
        }
    }
}
