//! A PostgreSQL server in a folder of its own.

use std::fs;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::address::own_ip;
use super::process::children;
use super::server_user::{ids_of, is_root, words_of};

/// Debian has the programs of each version in a folder of their own.
const PROGRAMS: &str = "/usr/lib/postgresql";

/// It refuses to run as root: then it is this user's, whom Debian's package makes.
const USER: &str = "postgres";

/// A database server with one database and one user; it ends with the test.
pub struct Postgres {
    dir: TempDir,
    /// Where its files are, if not in `dir`.
    disk: Option<PathBuf>,
    /// The words in front of each command.
    enter: Vec<String>,
    ip: Ipv4Addr,
    runs: bool,
}

impl Postgres {
    /// Makes the files of a server, and starts it.
    pub fn start() -> Postgres {
        Postgres::make(None, Vec::new())
    }

    /// With its files in a folder that only the programs see that these words start. It needs little space.
    pub fn start_on(folder: &Path, enter: Vec<String>) -> Postgres {
        Postgres::make(Some(folder.to_owned()), enter)
    }

    fn make(disk: Option<PathBuf>, enter: Vec<String>) -> Postgres {
        let dir = TempDir::with_prefix("postgres-").expect("a folder");
        if is_root() {
            let (user, group) = ids_of(USER);
            chown(dir.path(), Some(user), Some(group)).expect("root can do so");
        }
        let postgres = Postgres { dir, disk, enter, ip: own_ip(), runs: false };
        let data = postgres.data();
        let small = postgres.disk.as_ref().map(|_| "--wal-segsize=1");
        let options = ["-D", &data, "-U", "b2b", "-A", "trust", "--no-sync"];
        postgres.program("initdb", &options.into_iter().chain(small).collect::<Vec<_>>());
        postgres.started()
    }

    /// Starts it again.
    pub fn started(mut self) -> Postgres {
        self.ensure_started();
        self
    }

    /// Stops it.
    pub fn stopped(mut self) -> Postgres {
        self.stop("fast");
        self
    }

    /// Starts it, unless it runs: it may have ended by itself.
    pub fn ensure_started(&mut self) {
        let (data, log) = (self.data(), format!("{}/log", self.dir.path().display()));
        if self.command("pg_ctl", &["-D", &data, "status"]).is_ok() {
            return;
        }
        let small = if self.disk.is_some() { " -c min_wal_size=2MB -c max_wal_size=4MB" } else { "" };
        let options = format!("-c listen_addresses={} -c unix_socket_directories= -c fsync=off{small}", self.ip);
        self.program("pg_ctl", &["-D", &data, "-w", "-t", "60", "-l", &log, "-o", &options, "start"]);
        self.runs = true;
    }

    /// Stops it in the middle of what it does: when it starts again it has to recover.
    pub fn abort(&mut self) {
        self.stop("immediate");
    }

    fn stop(&mut self, mode: &str) {
        let data = self.data();
        if std::mem::replace(&mut self.runs, false) {
            // It may have ended by itself.
            let _ = self.command("pg_ctl", &["-D", &data, "-w", "-m", mode, "stop"]);
        }
    }

    /// Its processes, the first one first; none if it does not run.
    pub fn processes(&self) -> Vec<u32> {
        let file = self.seen(&self.data()).join("postmaster.pid");
        let text = fs::read_to_string(file).unwrap_or_default();
        let first: Option<u32> = text.lines().next().and_then(|line| line.parse().ok());
        first.into_iter().flat_map(|first| [vec![first], children(first)].concat()).collect()
    }

    /// A path of its own, for this process.
    fn seen(&self, path: &str) -> PathBuf {
        match self.enter.iter().skip_while(|word| *word != "-t").nth(1) {
            Some(holder) => Path::new("/proc").join(holder).join("root").join(path.trim_start_matches('/')),
            None => path.into(),
        }
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        (self.ip, 5432).into()
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

    /// The rows of a query, their values separated by `|`.
    pub fn rows(&self, sql: &str) -> Vec<String> {
        let mut psql = Command::new(programs().join("psql"));
        psql.args(["-q", "-t", "-A", "-U", "b2b", "-h", &self.ip.to_string(), "-c", sql, "postgres"]);
        let output = psql.output().expect("psql can be executed");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
    }

    /// The address that it listens at.
    pub fn ip(&self) -> Ipv4Addr {
        self.ip
    }

    fn data(&self) -> String {
        self.disk.as_deref().unwrap_or(self.dir.path()).join("data").display().to_string()
    }

    fn program(&self, name: &str, arguments: &[&str]) {
        self.command(name, arguments).unwrap_or_else(|error| panic!("{error}"));
    }

    fn command(&self, name: &str, arguments: &[&str]) -> Result<(), String> {
        let path = programs().join(name).display().to_string();
        let user = words_of(USER);
        let enter = self.enter.iter().map(String::as_str);
        let words: Vec<&str> = enter.chain(user.iter().copied()).chain([path.as_str()]).collect();
        let (first, rest) = words.split_first().expect("a program");
        // What it starts would keep a pipe open.
        let out = fs::File::create(self.dir.path().join(format!("{name}.out"))).expect("a file");
        let error = out.try_clone().expect("a second handle");
        let mut command = Command::new(first);
        command.args(rest).args(arguments).stdin(Stdio::null()).stdout(out).stderr(error).current_dir("/");
        let status = command.status().expect("it can be executed");
        let said = || fs::read_to_string(self.dir.path().join(format!("{name}.out"))).unwrap_or_default();
        if status.success() { Ok(()) } else { Err(format!("{name} {arguments:?}: {}", said())) }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.stop("fast");
    }
}

/// The programs of the newest version.
fn programs() -> PathBuf {
    let versions = fs::read_dir(PROGRAMS).expect("PostgreSQL is installed: run 'make setup'");
    let number = |path: &Path| path.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok());
    let versions = versions.map(|entry| entry.expect("a folder").path());
    versions.max_by_key(|path| number(path)).expect("a version").join("bin")
}
