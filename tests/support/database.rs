//! Databases for the tables of the module.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// A database of SQLite, made by this SQL, in a folder of its own.
pub fn sqlite(sql: &str) -> TempDir {
    let dir = TempDir::with_prefix("database-").expect("a folder");
    change(dir.path(), sql);
    dir
}

/// Runs SQL in the database of a folder.
pub fn change(dir: &Path, sql: &str) {
    let mut sqlite = Command::new("sqlite3")
        .args(["-bail", "-cmd", ".timeout 5000"])
        .arg(dir.join("db"))
        .stdin(Stdio::piped())
        .spawn()
        .expect("sqlite3 can be executed");
    sqlite.stdin.take().expect("a pipe").write_all(sql.as_bytes()).expect("sqlite3 reads");
    assert!(sqlite.wait().expect("sqlite3 ends").success(), "{sql:.1000}");
}

/// The URL of the database in a folder.
pub fn url(dir: &Path) -> String {
    format!("sqlite:///{}", dir.join("db").display())
}

/// The statements of the first block of SQL of a page, which has this table.
pub fn schema(page: &str, table: &str) -> String {
    let (_, rest) = page.split_once("```sql\n").expect("a schema");
    let (schema, _) = rest.split_once("```").expect("its end");
    assert!(schema.contains(table), "{schema}");
    schema.to_owned()
}

/// The first line of a file of db_text, as a page shows it.
pub fn text_header(page: &str) -> String {
    let line = page.lines().find(|line| line.starts_with("record(string)"));
    line.expect("the columns of a file of db_text").to_owned()
}

/// The rows of a query in the database of a folder, their values separated by `|`.
pub fn rows(dir: &Path, sql: &str) -> Vec<String> {
    let output = Command::new("sqlite3")
        .args(["-cmd", ".timeout 5000"])
        .arg(dir.join("db"))
        .arg(sql)
        .output()
        .expect("sqlite3 can be executed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}
