//! A PostgreSQL server in a folder of its own.

use std::fs;
use std::io::Write as _;
use std::net::Ipv4Addr;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::address::own_ip;

/// Debian has the programs of each version in a folder of their own.
const PROGRAMS: &str = "/usr/lib/postgresql";

/// It refuses to run as root: then it is this user's, whom Debian's package makes.
const USER: &str = "postgres";

/// A database server with one database and one user; it ends with the test.
pub struct Postgres {
    dir: TempDir,
    ip: Ipv4Addr,
    runs: bool,
}

impl Postgres {
    /// Makes the files of a server, and starts it.
    pub fn start() -> Postgres {
        let dir = TempDir::with_prefix("postgres-").expect("a folder");
        if is_root() {
            let (user, group) = owner();
            chown(dir.path(), Some(user), Some(group)).expect("root can do so");
        }
        let postgres = Postgres { dir, ip: own_ip(), runs: false };
        let data = postgres.data();
        postgres.program("initdb", &["-D", &data, "-U", "b2b", "-A", "trust", "--no-sync"]);
        postgres.started()
    }

    /// Starts it again.
    pub fn started(mut self) -> Postgres {
        let options = format!("-c listen_addresses={} -c unix_socket_directories= -c fsync=off", self.ip);
        let (data, log) = (self.data(), format!("{}/log", self.dir.path().display()));
        self.program("pg_ctl", &["-D", &data, "-w", "-t", "60", "-l", &log, "-o", &options, "start"]);
        self.runs = true;
        self
    }

    /// Stops it.
    pub fn stopped(mut self) -> Postgres {
        self.stop();
        self
    }

    fn stop(&mut self) {
        let data = self.data();
        if std::mem::replace(&mut self.runs, false) {
            self.program("pg_ctl", &["-D", &data, "-w", "-m", "fast", "stop"]);
        }
    }

    /// Where it is, for Kamailio.
    pub fn url(&self) -> String {
        format!("postgres://b2b@{}/postgres", self.ip)
    }

    /// Runs SQL.
    pub fn run(&self, sql: &str) {
        let mut psql = Command::new(programs().join("psql"))
            .args(["-q", "-1", "-v", "ON_ERROR_STOP=1", "-U", "b2b", "-h", &self.ip.to_string(), "postgres"])
            .stdin(Stdio::piped())
            .spawn()
            .expect("psql can be executed");
        psql.stdin.take().expect("a pipe").write_all(sql.as_bytes()).expect("psql reads");
        assert!(psql.wait().expect("psql ends").success(), "{sql:.1000}");
    }

    fn data(&self) -> String {
        self.dir.path().join("data").display().to_string()
    }

    fn program(&self, name: &str, arguments: &[&str]) {
        let path = programs().join(name);
        let mut command = if is_root() {
            let mut command = Command::new("setpriv");
            command.args(["--reuid", USER, "--regid", USER, "--clear-groups"]).arg(path);
            command
        } else {
            Command::new(path)
        };
        // What it starts would keep a pipe open.
        let out = fs::File::create(self.dir.path().join(format!("{name}.out"))).expect("a file");
        let status = command.args(arguments).stdin(Stdio::null()).stdout(out).current_dir("/").status();
        assert!(status.expect("it can be executed").success(), "{name} {arguments:?}");
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The programs of the newest version.
fn programs() -> PathBuf {
    let versions = fs::read_dir(PROGRAMS).expect("PostgreSQL is installed: run 'make setup'");
    let number = |path: &Path| path.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok());
    let versions = versions.map(|entry| entry.expect("a folder").path());
    versions.max_by_key(|path| number(path)).expect("a version").join("bin")
}

fn is_root() -> bool {
    fs::metadata("/proc/self").expect("this process").uid() == 0
}

/// User and group of the server's files.
fn owner() -> (u32, u32) {
    let users = fs::read_to_string("/etc/passwd").expect("the users");
    let line = users.lines().find(|line| line.starts_with(&format!("{USER}:"))).expect("the user of PostgreSQL");
    let field = |place| line.split(':').nth(place).and_then(|number: &str| number.parse().ok()).expect("a number");
    (field(2), field(3))
}
