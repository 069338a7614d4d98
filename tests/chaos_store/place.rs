//! The databases, and what happens to them.

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::disk::Disk;
use super::proxy::Proxy;
use super::support::config::Builder;
use super::support::postgres::Postgres;

/// A kind of database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Database {
    Sqlite,
    Postgres,
}

impl Database {
    /// All of them.
    pub const ALL: [Database; 2] = [Database::Sqlite, Database::Postgres];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Database::Sqlite => "SQLite",
            Database::Postgres => "PostgreSQL",
        }
    }

    /// The folder of its schema.
    fn schema(self) -> &'static str {
        match self {
            Database::Sqlite => "db_sqlite",
            Database::Postgres => "postgres",
        }
    }

    /// Its module of Kamailio.
    pub fn module(self) -> &'static str {
        match self {
            Database::Sqlite => "db_sqlite",
            Database::Postgres => "db_postgres",
        }
    }
}

/// A database with the module's tables.
pub struct Place {
    database: Database,
    server: Server,
    proxy: Option<Proxy>,
    disk: Option<Disk>,
}

enum Server {
    /// The folder, and the program that holds the lock of the whole database.
    Sqlite(TempDir, Option<Child>),
    Postgres(Postgres),
}

impl Place {
    /// A new one, on a disk of its own if it shall be full some time.
    pub fn new(database: Database, disk: Option<Disk>) -> Place {
        let enter = disk.as_ref().map(Disk::enter).unwrap_or_default();
        let server = match database {
            Database::Sqlite => Server::Sqlite(TempDir::with_prefix("database-").expect("a folder"), None),
            Database::Postgres => Server::Postgres(match &disk {
                Some(disk) => Postgres::start_on(disk.path(), enter),
                None => Postgres::start(),
            }),
        };
        Place { database, server, proxy: None, disk }
    }

    /// With a proxy between it and the server.
    pub fn behind_proxy(mut self) -> Place {
        if let Server::Postgres(postgres) = &self.server {
            self.proxy = Some(Proxy::before(postgres.addr()));
        }
        self
    }

    /// The name of the database.
    pub fn name(&self) -> &'static str {
        self.database.name()
    }

    /// Its URL, for Kamailio.
    pub fn url(&self) -> String {
        let proxy = self.proxy.as_ref().map(Proxy::addr);
        match &self.server {
            Server::Sqlite(..) => format!("sqlite:///{}", self.file().display()),
            Server::Postgres(postgres) => format!("postgres://b2b@{}/postgres", proxy.unwrap_or(postgres.addr())),
        }
    }

    /// A server that stores its subscriptions here, if `db_mode` says so.
    pub fn configure(&self, server: Builder, db_mode: u8) -> Builder {
        if db_mode == 0 {
            return server;
        }
        let module = self.database.module();
        // Its complaints about a database that is away.
        let server = server.module(module).allow_log(&format!(": {module} ")).allow_log("db_do_");
        server.b2b_param("db_url", self.url()).b2b_param("db_mode", i64::from(db_mode))
    }

    /// The file of SQLite.
    fn file(&self) -> PathBuf {
        let own = match &self.server {
            Server::Sqlite(dir, _) => dir.path(),
            Server::Postgres(_) => Path::new(""),
        };
        self.disk.as_ref().map_or(own, Disk::path).join("db")
    }

    /// A program that sees the files.
    fn program(&self, name: &str) -> Command {
        let enter = self.enter();
        let mut words = enter.iter().map(String::as_str).chain([name]);
        let mut command = Command::new(words.next().expect("a word"));
        command.args(words);
        command
    }

    /// The words that start Kamailio where it sees the files.
    pub fn enter(&self) -> Vec<String> {
        match &self.server {
            Server::Sqlite(..) => self.disk.as_ref().map(Disk::enter).unwrap_or_default(),
            Server::Postgres(_) => Vec::new(),
        }
    }

    /// Its proxy.
    pub fn proxy(&self) -> &Proxy {
        self.proxy.as_ref().expect("it is behind a proxy")
    }

    /// It stops in the middle of what it does. SQLite has no server that could: somebody else takes its lock for good.
    pub fn stop(&mut self) {
        let (mut sqlite, file) = (self.program("sqlite3"), self.file());
        match &mut self.server {
            Server::Postgres(postgres) => postgres.abort(),
            Server::Sqlite(_, locked) => {
                let sqlite = sqlite.args(["-bail", "-cmd", ".timeout 20000"]).arg(file);
                let mut sqlite =
                    sqlite.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("sqlite3 can be executed");
                let pipe = sqlite.stdin.as_mut().expect("a pipe");
                pipe.write_all(b"BEGIN EXCLUSIVE;\nSELECT 'locked';\n").expect("sqlite3 reads");
                let mut said = [0; 6];
                sqlite.stdout.as_mut().expect("a pipe").read_exact(&mut said).expect("it gets the lock");
                *locked = Some(sqlite);
            }
        }
    }

    /// It is back.
    pub fn start(&mut self) {
        match &mut self.server {
            Server::Postgres(postgres) => postgres.ensure_started(),
            Server::Sqlite(_, locked) => {
                if let Some(mut sqlite) = locked.take() {
                    drop(sqlite.stdin.take());
                    let _ = sqlite.wait();
                }
            }
        }
    }

    /// It does nothing until [`Place::resume`], and keeps its connections.
    pub fn hang(&self) {
        self.signal(libc::SIGSTOP);
    }

    /// It goes on.
    pub fn resume(&self) {
        self.signal(libc::SIGCONT);
    }

    fn signal(&self, number: i32) {
        if let Server::Postgres(postgres) = &self.server {
            for pid in postgres.processes() {
                // SAFETY: a plain system call; the process is one of the database's.
                unsafe { libc::kill(pid as i32, number) };
            }
        }
    }

    /// Its disk is full.
    pub fn fill(&self) {
        self.disk.as_ref().expect("a disk of its own").fill();
    }

    /// Its disk has room again.
    pub fn free(&mut self) {
        self.disk.as_ref().expect("a disk of its own").free();
        self.start();
    }

    /// Makes the module's tables, from the files that it brings.
    pub fn make_tables(&self) {
        let file = format!("docs/schema/{}/presence_b2b-create.sql", self.database.schema());
        let sql = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).expect("a schema");
        self.run(&sql).expect("the tables");
    }

    /// Runs SQL, as the server would: through the proxy, and not for longer than 5 seconds.
    pub fn run(&self, sql: &str) -> Result<(), String> {
        let mut client = self.program("timeout");
        client.args(["-s", "KILL", "5"]);
        match &self.server {
            Server::Sqlite(..) => client.args(["sqlite3", "-bail"]).arg(self.file()),
            Server::Postgres(postgres) => {
                let addr = self.proxy.as_ref().map_or(postgres.addr(), Proxy::addr);
                client.args([
                    "psql",
                    "-q",
                    "-v",
                    "ON_ERROR_STOP=1",
                    "-U",
                    "b2b",
                    "-h",
                    &addr.ip().to_string(),
                    "postgres",
                ])
            }
        };
        client.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut client = client.spawn().expect("the client can be executed");
        // It may end before it has read all.
        let _ = client.stdin.take().expect("a pipe").write_all(sql.as_bytes());
        let output = client.wait_with_output().expect("the client ends");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.success() { Ok(()) } else { Err(format!("{}: {said}", output.status)) }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // What is stopped could not end.
        self.resume();
        if let Server::Sqlite(_, Some(locked)) = &mut self.server {
            let _ = (locked.kill(), locked.wait());
        }
    }
}
