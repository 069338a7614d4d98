//! The tables as a database is to make them. The files in `docs/schema`, which `make install` puts where kamdbctl looks for them, are made of
//! this, so that there is one list of columns: [`COLUMNS`].
//!
//! Each statement can be executed again: it changes nothing that is there. A row of the table `version` stays as it is, so that the module
//! notices tables of another version.

use super::SqlDialect;
use super::columns::{COLUMNS, ColumnKind, NODES, TABLE};

/// The version of both tables, as the table `version` names it.
pub const VERSION: u32 = 1;

/// The columns of the table of nodes; the first is the key.
pub const NODE_COLUMNS: [(&str, SchemaType); 6] = [
    ("id", SchemaType::Number),
    ("epoch", SchemaType::Number),
    ("hash_key", SchemaType::Text(32)),
    ("shards", SchemaType::Number),
    ("seen", SchemaType::Number),
    ("stopped", SchemaType::Number),
];

/// The longest text that is a VARCHAR; a longer one is a TEXT.
const MOST_OF_VARCHAR: usize = 255;

/// What a column holds.
#[derive(Clone, Copy, Debug)]
pub enum SchemaType {
    /// A number of 64 bits.
    Number,
    /// A text of at most so many bytes.
    Text(usize),
}

/// The statements that make both tables, and the table `version` where there is none.
#[must_use]
pub fn create(dialect: SqlDialect) -> Vec<String> {
    let mut statements = vec![version_table(dialect).to_owned()];
    for (name, columns) in tables() {
        statements.push(table(dialect, name, &columns));
        let (head, tail) = match dialect {
            SqlDialect::Sqlite => ("INSERT OR IGNORE", ""),
            SqlDialect::Postgres => ("INSERT", " ON CONFLICT DO NOTHING"),
            SqlDialect::Mysql => ("INSERT IGNORE", ""),
        };
        let values = format!("VALUES ('{name}', {VERSION})");
        statements.push(format!("{head} INTO version (table_name, table_version) {values}{tail}"));
    }
    statements
}

#[cfg(test)]
/// The first line of a file of db_text, for each table by its name. Every column is a text, because db_text has no number of 64 bits; and it
/// reads an empty text as NULL.
#[must_use]
pub fn text_files() -> Vec<(&'static str, String)> {
    let line = |columns: Vec<(&str, SchemaType)>| {
        let columns: Vec<String> = columns
            .iter()
            .enumerate()
            .map(|(place, (name, _))| format!("{name}({})", if place == 0 { "string" } else { "string,null" }))
            .collect();
        columns.join(" ")
    };
    tables().map(|(name, columns)| (name, line(columns))).into()
}

fn tables() -> [(&'static str, Vec<(&'static str, SchemaType)>); 2] {
    let column = |column: &super::columns::RowColumn| match column.kind {
        ColumnKind::Number { .. } => (column.name, SchemaType::Number),
        ColumnKind::Text { most, .. } => (column.name, SchemaType::Text(most)),
    };
    [(TABLE, COLUMNS.iter().map(column).collect()), (NODES, NODE_COLUMNS.to_vec())]
}

fn table(dialect: SqlDialect, name: &str, columns: &[(&str, SchemaType)]) -> String {
    let lines: Vec<String> =
        columns.iter().enumerate().map(|(place, (name, kind))| column(dialect, name, *kind, place == 0)).collect();
    let end = match dialect {
        SqlDialect::Sqlite => "",
        // A row that changes often finds room for its next version in its own page.
        SqlDialect::Postgres => " WITH (fillfactor = 80)",
        SqlDialect::Mysql => " ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
    };
    format!("CREATE TABLE IF NOT EXISTS {name} (\n{}\n){end}", lines.join(",\n"))
}

fn column(dialect: SqlDialect, name: &str, kind: SchemaType, is_key: bool) -> String {
    let (sql_type, default) = match kind {
        // SQLite keeps rows in the order of such a key, without an index beside them.
        SchemaType::Number if is_key && dialect == SqlDialect::Sqlite => ("INTEGER".to_owned(), ""),
        SchemaType::Number => ("BIGINT".to_owned(), "DEFAULT 0 "),
        SchemaType::Text(most) if most <= MOST_OF_VARCHAR => (format!("VARCHAR({most})"), "DEFAULT '' "),
        // Not every MySQL has a default for such a column.
        SchemaType::Text(_) if dialect == SqlDialect::Mysql => ("TEXT".to_owned(), ""),
        SchemaType::Text(_) => ("TEXT".to_owned(), "DEFAULT '' "),
    };
    if is_key {
        format!("    {name} {sql_type} PRIMARY KEY NOT NULL")
    } else {
        format!("    {name} {sql_type} {default}NOT NULL")
    }
}

/// As `kamdbctl create` makes it.
fn version_table(dialect: SqlDialect) -> &'static str {
    match dialect {
        SqlDialect::Sqlite => {
            "CREATE TABLE IF NOT EXISTS version (
    id INTEGER PRIMARY KEY NOT NULL,
    table_name VARCHAR(32) NOT NULL,
    table_version INTEGER DEFAULT 0 NOT NULL,
    CONSTRAINT version_table_name_idx UNIQUE (table_name)
)"
        }
        SqlDialect::Postgres => {
            "CREATE TABLE IF NOT EXISTS version (
    id SERIAL PRIMARY KEY NOT NULL,
    table_name VARCHAR(32) NOT NULL,
    table_version INTEGER DEFAULT 0 NOT NULL,
    CONSTRAINT version_table_name_idx UNIQUE (table_name)
)"
        }
        SqlDialect::Mysql => {
            "CREATE TABLE IF NOT EXISTS version (
    id INT(10) UNSIGNED AUTO_INCREMENT PRIMARY KEY NOT NULL,
    table_name VARCHAR(32) NOT NULL,
    table_version INT UNSIGNED DEFAULT 0 NOT NULL,
    CONSTRAINT table_name_idx UNIQUE (table_name)
)"
        }
    }
}
