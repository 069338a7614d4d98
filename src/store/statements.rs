//! The text of the statements.
//!
//! Each has two guards. It changes no row that a later statement has written, and it changes nothing once table `presence_b2b_nodes` says that
//! another run of the server has begun. Each can be carried out twice.

mod json;
mod literal;

use super::columns::{COLUMN_COUNT, COLUMNS, NODES, RowColumn, SqlValue, TABLE};
use super::row::{NO_STATUS, RowOrigin, Run, StoredRow, TOMBSTONE, Written};

/// The language of a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SqlDialect {
    /// SQLite, from 3.33 on.
    Sqlite,
    /// PostgreSQL, from 9.5 on.
    Postgres,
    /// MySQL and MariaDB.
    Mysql,
}

/// Bytes after which a statement has no further row: SQLite reads one of 1,000,000 bytes at most.
const MOST_BYTES: usize = 500_000;

/// The id of a row that is no subscription's.
const NOBODY: u64 = 0;

/// Writes whole rows: new ones, and over those that are there. No two may have the same id.
#[must_use]
pub fn write_whole(dialect: SqlDialect, run: Run, rows: &[StoredRow]) -> Vec<String> {
    upsert(dialect, run, rows.iter().map(|row| tuple(dialect, row.values().into_iter())))
}

/// Writes what may change in rows that are there without a text that changes: numbers, and words. No two may have the same id.
///
/// A row with another Call-ID is left as it is. The subscription has begun another dialog since the change that is to be written: its numbers are
/// of that dialog, and the whole row follows. A value that all rows have is said once: those of a batch of refreshes have most of them in common,
/// and reading a statement is much of what it costs. SQLite that `reads_json` gets the rows as JSON.
#[must_use]
pub fn write_numbers(dialect: SqlDialect, run: Run, rows: &[StoredRow], reads_json: bool) -> Vec<String> {
    let Some(first) = rows.first().map(StoredRow::values) else { return Vec::new() };
    let mut differs = [false; COLUMN_COUNT];
    for row in rows {
        let values = row.values();
        differs.iter_mut().zip(first.iter().zip(&values)).for_each(|(differs, (one, other))| *differs |= one != other);
    }
    let is_key = |column: &RowColumn| matches!(column.name, "id" | "call_id");
    let is_in = |(column, differs): (&RowColumn, &bool)| column.changes && *differs || is_key(column);
    let columns = || COLUMNS.iter().zip(&differs).filter(|column| is_in(*column)).map(|(column, _)| column);
    let values = |row| {
        let values = COLUMNS.iter().zip(&differs).zip(StoredRow::values(row));
        values.filter(|(column, _)| is_in(*column)).map(|(_, value)| value)
    };
    let mut sets = Vec::new();
    let mut newer = String::new();
    for ((column, value), differs) in COLUMNS.iter().zip(first).zip(differs).filter(|((column, _), _)| column.changes) {
        let mut new = format!("v.{}", column.name);
        if !differs {
            new.clear();
            literal::push(&mut new, value, dialect);
        }
        if column.name == "written" {
            newer.clone_from(&new);
        }
        sets.push((column.name, new));
    }
    let set = |of: &str| listed(sets.iter().map(|(name, new)| format!("{of}{name}={new}")));
    let fence = fence(dialect, run);
    let (head, tail) = match dialect {
        SqlDialect::Sqlite | SqlDialect::Postgres => {
            let same = format!("{TABLE}.id=v.id AND {TABLE}.call_id=v.call_id");
            let where_ = format!("{same} AND {TABLE}.written<{newer} AND {fence}");
            (derived(dialect, columns()), format!(") UPDATE {TABLE} SET {} FROM v WHERE {where_}", set("")))
        }
        SqlDialect::Mysql => {
            let head = format!("UPDATE {TABLE} t JOIN {}", derived(dialect, columns()));
            // Whatever collations the server has for columns and for literals.
            let same = "CAST(t.call_id AS BINARY)=CAST(v.call_id AS BINARY)";
            (head, format!(") v ON t.id=v.id SET {} WHERE {same} AND t.written<{newer} AND {fence}", set("t.")))
        }
    };
    let arrays = || rows.iter().map(|row| json::row(values(row))).collect::<Option<Vec<_>>>();
    match (reads_json && dialect == SqlDialect::Sqlite).then(arrays).flatten() {
        Some(arrays) => {
            let names: Vec<_> = columns().map(|column| column.name).collect();
            chunks(&json::head(&names), ",", &[json::END, &tail].concat(), arrays.into_iter())
        }
        None => pieces(&head, &tail, dialect, rows.iter().map(|row| tuple(dialect, values(row)))),
    }
}

/// Removes rows.
#[must_use]
pub fn delete(dialect: SqlDialect, run: Run, written: Written, ids: &[u64]) -> Vec<String> {
    let head = format!("DELETE FROM {TABLE} WHERE id IN (");
    let tail = format!(") AND written<{} AND {}", written.number(), fence(dialect, run));
    chunks(&head, ",", &tail, ids.iter().map(|id| id.cast_signed().to_string()))
}

/// Writes that subscriptions have ended, whether they have rows or not: no earlier statement can bring them back.
#[must_use]
pub fn write_tombstones(dialect: SqlDialect, run: Run, written: Written, ids: &[u64], unix_ms: u64) -> Vec<String> {
    let value = |column: &RowColumn, id: u64| match column.name {
        "id" => SqlValue::Number(id.cast_signed()),
        "node" => SqlValue::Number(run.node.into()),
        "epoch" => SqlValue::Number(run.epoch.into()),
        "written" => SqlValue::Number(written.number()),
        "updated" => SqlValue::Number(i64::try_from(unix_ms).unwrap_or(i64::MAX)),
        "origin" => SqlValue::Text(RowOrigin::Ending.word()),
        "state" => SqlValue::Text(TOMBSTONE),
        "status" => SqlValue::Text(NO_STATUS),
        _ => column.nothing(),
    };
    upsert(dialect, run, ids.iter().map(|id| tuple(dialect, COLUMNS.iter().map(|column| value(column, *id)))))
}

/// Removes what [`write_tombstones`] has written up to this statement, in this run or an earlier one.
#[must_use]
pub fn purge(dialect: SqlDialect, run: Run, up_to: Written) -> String {
    let (node, written, fence) = (run.node, up_to.number(), fence(dialect, run));
    format!("DELETE FROM {TABLE} WHERE state='{TOMBSTONE}' AND node={node} AND written<={written} AND {fence}")
}

/// Writes a row that nobody needs, writes it again as the next statement, and removes it: a database that takes it takes rows. It is a tombstone
/// without a subscription.
#[must_use]
pub fn probe(dialect: SqlDialect, run: Run, written: Written, unix_ms: u64) -> [Vec<String>; 3] {
    let [first, second] = [written, written.next()].map(|at| write_tombstones(dialect, run, at, &[NOBODY], unix_ms));
    [first, second, delete(dialect, run, written.next().next(), &[NOBODY])]
}

/// Whole rows, new or not.
fn upsert(dialect: SqlDialect, run: Run, rows: impl Iterator<Item = String>) -> Vec<String> {
    let names = listed(COLUMNS.iter().map(|column| column.name.to_owned()));
    let others = COLUMNS.iter().map(|column| column.name).filter(|name| !matches!(*name, "id" | "written"));
    let fence = fence(dialect, run);
    let (head, tail) = match dialect {
        SqlDialect::Sqlite | SqlDialect::Postgres => {
            let sets = listed(others.chain(["written"]).map(|name| format!("{name}=excluded.{name}")));
            let insert = format!("INSERT INTO {TABLE} ({names}) SELECT {names} FROM v WHERE {fence}");
            let conflict = format!("ON CONFLICT (id) DO UPDATE SET {sets} WHERE {TABLE}.written<excluded.written");
            (derived(dialect, COLUMNS.iter()), format!(") {insert} {conflict}"))
        }
        SqlDialect::Mysql => {
            // Set from the left to the right: the guard comes last.
            let sets = listed(
                others
                    .chain(["written"])
                    .map(|name| format!("{name}=IF({TABLE}.written<VALUES(written),VALUES({name}),{TABLE}.{name})")),
            );
            let head = format!("INSERT INTO {TABLE} ({names}) SELECT * FROM {}", derived(dialect, COLUMNS.iter()));
            (head, format!(") v WHERE {fence} ON DUPLICATE KEY UPDATE {sets}"))
        }
    };
    pieces(&head, &tail, dialect, rows)
}

/// The condition that this run of the server is the newest. PostgreSQL is told to keep it so until the statement is through; MySQL does so
/// anyway, and SQLite has one writer at a time.
fn fence(dialect: SqlDialect, Run { node, epoch }: Run) -> String {
    let locks = if dialect == SqlDialect::Postgres { " FOR SHARE" } else { "" };
    format!("EXISTS (SELECT 1 FROM {NODES} WHERE id={node} AND epoch={epoch}{locks})")
}

/// The beginning of a table `v` with these columns; its rows follow.
fn derived<'a>(dialect: SqlDialect, columns: impl Iterator<Item = &'a RowColumn>) -> String {
    match dialect {
        SqlDialect::Sqlite | SqlDialect::Postgres => {
            format!("WITH v({}) AS (VALUES ", listed(columns.map(|column| column.name.to_owned())))
        }
        // No row, but the names of the columns.
        SqlDialect::Mysql => {
            let named = columns.map(|column| {
                let mut named = String::new();
                literal::push(&mut named, column.nothing(), dialect);
                format!("{named} AS {}", column.name)
            });
            format!("(SELECT {} FROM DUAL WHERE FALSE UNION ALL ", listed(named))
        }
    }
}

fn tuple<'a>(dialect: SqlDialect, values: impl Iterator<Item = SqlValue<'a>>) -> String {
    let (open, close) = match dialect {
        SqlDialect::Sqlite | SqlDialect::Postgres => ("(", ")"),
        SqlDialect::Mysql => ("SELECT ", ""),
    };
    let mut text = open.to_owned();
    for (place, value) in values.enumerate() {
        if place > 0 {
            text.push(',');
        }
        literal::push(&mut text, value, dialect);
    }
    text.push_str(close);
    text
}

fn pieces(head: &str, tail: &str, dialect: SqlDialect, rows: impl Iterator<Item = String>) -> Vec<String> {
    let between = match dialect {
        SqlDialect::Sqlite | SqlDialect::Postgres => ",",
        SqlDialect::Mysql => " UNION ALL ",
    };
    chunks(head, between, tail, rows)
}

/// As many statements as the rows need; none without rows.
fn chunks(head: &str, between: &str, tail: &str, rows: impl Iterator<Item = String>) -> Vec<String> {
    let mut statements: Vec<String> = Vec::new();
    for row in rows {
        match statements.last_mut() {
            Some(last) if last.len().saturating_add(row.len()) < MOST_BYTES => {
                last.push_str(between);
                last.push_str(&row);
            }
            _ => statements.push([head, &row].concat()),
        }
    }
    statements.iter_mut().for_each(|statement| statement.push_str(tail));
    statements
}

fn listed(names: impl Iterator<Item = String>) -> String {
    names.collect::<Vec<_>>().join(",")
}
