//! Stored subscriptions, for P10: a database for them, and servers that use it.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::compare::{Failure, rest};
use crate::options::DatabaseKind;
use crate::support::config::Builder;
use crate::support::database;
use crate::support::kamailio::Server;
use crate::support::postgres::Postgres;

/// The table of subscriptions.
const TABLE: &str = "presence_b2b_subscriptions";
/// How long the writing may take without any progress.
const PATIENCE: Duration = Duration::from_secs(30);

/// A database with the tables of the module.
pub enum Stored {
    /// A file of SQLite in a folder.
    Sqlite(TempDir),
    /// A server of PostgreSQL.
    Postgres(Postgres),
}

impl Stored {
    /// Without rows.
    pub fn new(kind: DatabaseKind) -> Result<Stored, Failure> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schema");
        match kind {
            DatabaseKind::Sqlite => {
                let text = fs::read_to_string(folder.join("db_sqlite/presence_b2b-create.sql"))?;
                Ok(Stored::Sqlite(database::sqlite(&text)))
            }
            DatabaseKind::Postgres => {
                let server = Postgres::start();
                server.run(&fs::read_to_string(folder.join("postgres/presence_b2b-create.sql"))?);
                Ok(Stored::Postgres(server))
            }
        }
    }

    /// Its name, for the table.
    pub fn name(&self) -> &'static str {
        match self {
            Stored::Sqlite(_) => "SQLite",
            Stored::Postgres(_) => "PostgreSQL",
        }
    }

    /// Its processes, if it has any.
    pub fn processes(&self) -> Vec<u32> {
        match self {
            Stored::Sqlite(_) => Vec::new(),
            Stored::Postgres(server) => server.processes(),
        }
    }

    /// A server that stores its subscriptions here. Those of C modules wait longer for their module than anything takes.
    pub fn storing(&self, builder: Builder) -> Builder {
        let builder = self.module(builder).b2b_param("db_url", self.url()).b2b_param("db_mode", 1);
        builder.b2b_param("adoption_time", 86_400)
    }

    /// A server whose C module reads all rows at the start.
    pub fn selecting(&self, builder: Builder) -> Result<Builder, Failure> {
        let parameter = |name: &str, value: &str| format!("modparam(\"bench\", \"{name}\", \"{value}\")\n");
        let text = parameter("select_url", &self.url()) + &parameter("select_columns", &self.columns()?);
        Ok(self.module(builder).route(&text))
    }

    /// Runs SQL.
    pub fn run(&self, sql: &str) {
        match self {
            Stored::Sqlite(folder) => database::change(folder.path(), sql),
            Stored::Postgres(server) => server.run(sql),
        }
    }

    /// How many rows there are.
    pub fn count(&self) -> Result<usize, Failure> {
        self.number(&format!("SELECT COUNT(*) FROM {TABLE}"))
    }

    /// The bytes of the table, its indexes included.
    pub fn bytes(&self) -> Result<usize, Failure> {
        match self {
            Stored::Sqlite(folder) => Ok(fs::metadata(folder.path().join("db"))?.len() as usize),
            Stored::Postgres(_) => self.number(&format!("SELECT pg_total_relation_size('{TABLE}')")),
        }
    }

    fn module(&self, builder: Builder) -> Builder {
        match self {
            Stored::Sqlite(_) => builder.module("db_sqlite"),
            Stored::Postgres(_) => builder.module("db_postgres"),
        }
    }

    fn url(&self) -> String {
        match self {
            Stored::Sqlite(folder) => database::url(folder.path()),
            Stored::Postgres(server) => server.url(),
        }
    }

    /// The columns as the module asks for them, in the order that they have in the table.
    fn columns(&self) -> Result<String, Failure> {
        let (names, kind) = match self {
            Stored::Sqlite(_) => (format!("SELECT name FROM pragma_table_info('{TABLE}')"), "TEXT"),
            Stored::Postgres(_) => (
                format!(
                    "SELECT column_name FROM information_schema.columns WHERE table_name = '{TABLE}' ORDER BY ordinal_position"
                ),
                "VARCHAR",
            ),
        };
        let names: Vec<String> = self.rows(&names).iter().map(|name| format!("CAST({name} AS {kind})")).collect();
        let first = names.first().ok_or("the table of subscriptions has no columns")?;
        if first.starts_with("CAST(id ") {
            Ok(names.join(", "))
        } else {
            Err(format!("its first column is {first}").into())
        }
    }

    fn number(&self, sql: &str) -> Result<usize, Failure> {
        Ok(self.rows(sql).first().ok_or("a query without an answer")?.trim().parse()?)
    }

    fn rows(&self, sql: &str) -> Vec<String> {
        match self {
            Stored::Sqlite(folder) => database::rows(folder.path(), sql),
            Stored::Postgres(server) => server.rows(sql),
        }
    }

    /// Its first so many rows, in a database of their own. Only for SQLite.
    pub fn copy(&self, rows: usize) -> Result<Stored, Failure> {
        let Stored::Sqlite(from) = self else { return Err("only files of SQLite are copied".into()) };
        let folder = TempDir::with_prefix("database-")?;
        database::change(from.path(), &format!("VACUUM INTO '{}';", folder.path().join("db").display()));
        let first = format!("SELECT id FROM {TABLE} ORDER BY id LIMIT {rows}");
        database::change(folder.path(), &format!("DELETE FROM {TABLE} WHERE id NOT IN ({first}); VACUUM;"));
        Ok(Stored::Sqlite(folder))
    }
}

/// What a server says of its store.
pub fn state(server: &Server) -> Result<Value, Failure> {
    server.rpc("presence_b2b.store", json!([])).map_err(|error| error.to_string().into())
}

/// Waits until all is written.
pub fn settle(server: &Server) -> Result<(), Failure> {
    let (mut last, mut news, mut quiet) = (Value::Null, Instant::now(), 0);
    // What NOTIFYs have counted is written within a second.
    while quiet < 12 {
        rest(Duration::from_millis(100))?;
        let now = state(server)?;
        quiet = if now["waiting"] == 0 && now["written"] == last["written"] { quiet + 1 } else { 0 };
        if now["written"] != last["written"] {
            (last, news) = (now, Instant::now());
        } else if now["waiting"] != 0 && news.elapsed() > PATIENCE {
            return Err(format!("nothing more is written: {now}").into());
        }
    }
    Ok(())
}
