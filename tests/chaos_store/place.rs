//! The databases, and what happens to them.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::disk::{Disk, limit, unkilled};
use super::proxy::Proxy;
use super::support::config::Builder;
use super::support::mariadb::Mariadb;
use super::support::postgres::Postgres;

/// A kind of database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Database {
    Sqlite,
    Postgres,
    Mariadb,
}

impl Database {
    /// All of them.
    pub const ALL: [Database; 3] = [Database::Sqlite, Database::Postgres, Database::Mariadb];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Database::Sqlite => "SQLite",
            Database::Postgres => "PostgreSQL",
            Database::Mariadb => "MariaDB",
        }
    }

    /// How many megabytes a disk has that is enough for the database and its logs, and soon filled.
    pub fn small_disk(self) -> u32 {
        match self {
            Database::Sqlite => 48,
            Database::Postgres => 64,
            Database::Mariadb => 96,
        }
    }

    /// The folder of its schema.
    fn schema(self) -> &'static str {
        match self {
            Database::Sqlite => "db_sqlite",
            Database::Postgres => "postgres",
            Database::Mariadb => "mysql",
        }
    }

    /// Its module of Kamailio.
    pub fn module(self) -> &'static str {
        match self {
            Database::Sqlite => "db_sqlite",
            Database::Postgres => "db_postgres",
            Database::Mariadb => "db_mysql",
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
    Mariadb(Mariadb),
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
            Database::Mariadb => Server::Mariadb(match &disk {
                Some(disk) => Mariadb::start_on(disk.path(), enter),
                None => Mariadb::start(),
            }),
        };
        Place { database, server, proxy: None, disk }
    }

    /// With a proxy between it and the server.
    pub fn behind_proxy(mut self) -> Place {
        self.proxy = self.database_addr().map(Proxy::before);
        self
    }

    /// The name of the database.
    pub fn name(&self) -> &'static str {
        self.database.name()
    }

    fn database_addr(&self) -> Option<SocketAddr> {
        match &self.server {
            Server::Sqlite(..) => None,
            Server::Postgres(postgres) => Some(postgres.addr()),
            Server::Mariadb(mariadb) => Some(mariadb.addr()),
        }
    }

    /// Where the server finds it.
    fn addr(&self) -> SocketAddr {
        self.proxy.as_ref().map(Proxy::addr).or(self.database_addr()).expect("a database with an address")
    }

    /// Its URL, for Kamailio.
    pub fn url(&self) -> String {
        match &self.server {
            Server::Sqlite(..) => format!("sqlite:///{}", self.file().display()),
            Server::Postgres(_) => format!("postgres://b2b@{}/postgres", self.addr()),
            Server::Mariadb(_) => format!("mysql://b2b:secret@{}/b2b", self.addr()),
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
        // Said once, of a database that is away.
        let server = server.allow_log("Subscriptions go on; what changes waits in memory");
        server.b2b_param("db_url", self.url()).b2b_param("db_mode", i64::from(db_mode))
    }

    /// The file of SQLite.
    fn file(&self) -> PathBuf {
        let own = match &self.server {
            Server::Sqlite(dir, _) => dir.path(),
            Server::Postgres(_) | Server::Mariadb(_) => Path::new(""),
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
            Server::Sqlite(..) => self.disk.as_ref().map_or_else(unkilled, Disk::enter),
            Server::Postgres(_) | Server::Mariadb(_) => Vec::new(),
        }
    }

    /// Its proxy.
    pub fn proxy(&self) -> &Proxy {
        self.proxy.as_ref().expect("it is behind a proxy")
    }

    /// How many answers have been cut off.
    pub fn cuts(&self) -> u32 {
        self.proxy.as_ref().map_or(0, Proxy::cuts)
    }

    /// It stops in the middle of what it does. SQLite has no server that could: somebody else takes its lock for good.
    pub fn stop(&mut self) {
        let (mut sqlite, file) = (self.program("sqlite3"), self.file());
        match &mut self.server {
            Server::Postgres(postgres) => postgres.abort(),
            Server::Mariadb(mariadb) => mariadb.abort(),
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
            Server::Mariadb(mariadb) => mariadb.ensure_started(),
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
        let processes = match &self.server {
            Server::Sqlite(..) => Vec::new(),
            Server::Postgres(postgres) => postgres.processes(),
            Server::Mariadb(mariadb) => mariadb.pid().into_iter().collect(),
        };
        for pid in processes {
            // SAFETY: a plain system call; the process is one of the database's.
            unsafe { libc::kill(pid as i32, number) };
        }
    }

    /// Whether it is on a disk of its own.
    pub fn has_own_disk(&self) -> bool {
        self.disk.is_some()
    }

    /// Its disk is full. Where SQLite has no disk of its own, the process that writes there cannot.
    pub fn fill(&self, store: &[u32]) {
        match &self.disk {
            Some(disk) => disk.fill(),
            None => limit(store, true),
        }
    }

    /// Its disk has room again.
    pub fn free(&mut self, store: &[u32]) {
        match &self.disk {
            Some(disk) => disk.free(),
            None => limit(store, false),
        }
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
        self.rows(sql).map(drop)
    }

    /// The same; what a query found.
    pub fn rows(&self, sql: &str) -> Result<String, String> {
        let mut client = self.program("timeout");
        client.args(["-s", "KILL", "5"]);
        match &self.server {
            Server::Sqlite(..) => client.args(["sqlite3", "-bail"]).arg(self.file()),
            Server::Postgres(_) => {
                let ip = self.addr().ip().to_string();
                client.args(["psql", "-q", "-t", "-A", "-v", "ON_ERROR_STOP=1", "-U", "b2b", "-h", &ip, "postgres"])
            }
            Server::Mariadb(_) => {
                let ip = self.addr().ip().to_string();
                // The proxy reads along.
                client.args(["mariadb", "--no-defaults", "--skip-ssl", "-u", "b2b", "-psecret", "-N", "-h", &ip, "b2b"])
            }
        };
        client.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut client = client.spawn().expect("the client can be executed");
        // It may end before it has read all.
        let _ = client.stdin.take().expect("a pipe").write_all(sql.as_bytes());
        let output = client.wait_with_output().expect("the client ends");
        let [said, found] = [&output.stderr, &output.stdout].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        if output.status.success() { Ok(found) } else { Err(format!("{}: {said}", output.status)) }
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
