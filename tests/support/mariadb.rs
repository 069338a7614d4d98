//! A MariaDB server in a folder of its own.

use std::fs;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::address::own_ip;
use super::server_user::{ids_of, is_root, words_of};

/// Root is not let in by the server unless told so: then it is this user's, whom Debian's package makes.
const USER: &str = "mysql";

/// The longest a server may take until it answers.
const START: Duration = Duration::from_secs(60);

/// Small files: a log has 96 MB otherwise.
const LOG_SIZE: &str = "--innodb-log-file-size=4M";

/// A database server with one database and one user; it ends with the test.
pub struct Mariadb {
    dir: TempDir,
    /// Where its data are, if not in `dir`.
    disk: Option<PathBuf>,
    /// The words in front of each command.
    enter: Vec<String>,
    ip: Ipv4Addr,
    server: Option<Child>,
}

impl Mariadb {
    /// Makes the files of a server, and starts it.
    pub fn start() -> Mariadb {
        Mariadb::make(None, Vec::new())
    }

    /// With its data in a folder that only the programs see that these words start.
    pub fn start_on(folder: &Path, enter: Vec<String>) -> Mariadb {
        Mariadb::make(Some(folder.to_owned()), enter)
    }

    fn make(disk: Option<PathBuf>, enter: Vec<String>) -> Mariadb {
        let dir = TempDir::with_prefix("mariadb-").expect("a folder");
        if is_root() {
            let (user, group) = ids_of(USER);
            chown(dir.path(), Some(user), Some(group)).expect("root can do so");
        }
        let mariadb = Mariadb { dir, disk, enter, ip: own_ip(), server: None };
        let data = format!("--datadir={}", mariadb.data().display());
        // Two servers with one folder for temporary tables remove each other's.
        let temporary = format!("--tmpdir={}", mariadb.dir.path().display());
        let log = fs::File::create(mariadb.path("install")).expect("a file");
        let made = mariadb
            .program("mariadb-install-db")
            .args([
                "--no-defaults",
                &data,
                &temporary,
                LOG_SIZE,
                "--auth-root-authentication-method=normal",
                "--skip-test-db",
            ])
            .stdout(log.try_clone().expect("a file"))
            .stderr(log)
            .current_dir("/")
            .status()
            .expect("MariaDB is installed: run 'make setup'");
        assert!(made.success(), "{}", fs::read_to_string(mariadb.path("install")).unwrap_or_default());
        let mariadb = mariadb.started();
        let sql = "CREATE DATABASE b2b; CREATE USER b2b@'%' IDENTIFIED BY 'secret'; GRANT ALL ON b2b.* TO b2b@'%';";
        assert!(mariadb.client(sql, false), "{sql}");
        mariadb
    }

    /// Starts it again.
    pub fn started(mut self) -> Mariadb {
        self.ensure_started();
        self
    }

    /// Starts it, unless it runs: it may have ended by itself.
    pub fn ensure_started(&mut self) {
        if self.server.as_mut().is_some_and(|server| matches!(server.try_wait(), Ok(None))) {
            return;
        }
        let log = fs::File::create(self.path("log")).expect("a file");
        let option = |name: &str, file: &str| format!("--{name}={}", self.path(file).display());
        let mut server = self.program("mariadbd");
        server.args(["--no-defaults", "--skip-name-resolve", "--port=3306"]);
        server.args(["--innodb-buffer-pool-size=16M", "--innodb-flush-log-at-trx-commit=2", LOG_SIZE]);
        server.arg(format!("--datadir={}", self.data().display()));
        server.arg(format!("--tmpdir={}", self.dir.path().display()));
        server.args([option("socket", "socket"), option("pid-file", "pid")]);
        server.arg(format!("--bind-address={}", self.ip)).current_dir("/").stdin(Stdio::null());
        server.stdout(log.try_clone().expect("a file")).stderr(log);
        self.server = Some(server.spawn().expect("mariadbd can be executed"));
        let began = Instant::now();
        while !self.client("SELECT 1", true) {
            assert!(began.elapsed() < START, "{}", fs::read_to_string(self.path("log")).unwrap_or_default());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Stops it in the middle of what it does: when it starts again it has to recover.
    pub fn abort(&mut self) {
        if let Some(mut server) = self.server.take() {
            let _ = (server.kill(), server.wait());
        }
    }

    /// Stops it.
    pub fn stopped(mut self) -> Mariadb {
        self.stop();
        self
    }

    fn stop(&mut self) {
        if let Some(mut server) = self.server.take() {
            self.client("SHUTDOWN", false);
            server.wait().expect("it ends");
        }
    }

    /// The process of the server, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.server.as_ref().map(Child::id)
    }

    /// Where it is, for Kamailio.
    pub fn url(&self) -> String {
        format!("mysql://b2b:secret@{}/b2b", self.ip)
    }

    /// The address that it listens at.
    pub fn ip(&self) -> Ipv4Addr {
        self.ip
    }

    /// Runs SQL in the database `b2b`, as root.
    pub fn run(&self, sql: &str) {
        assert!(self.client(&format!("USE b2b;\n{sql}"), false), "{sql:.1000}");
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        (self.ip, 3306).into()
    }

    /// The rows of a query, their values separated by tabs.
    pub fn rows(&self, sql: &str) -> Vec<String> {
        let output =
            self.command().args(["-D", "b2b", "-N", "-B", "-e", sql]).output().expect("mariadb can be executed");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
    }

    fn client(&self, sql: &str, is_quiet: bool) -> bool {
        let mut client = self.command();
        if is_quiet {
            client.stderr(Stdio::null()).stdout(Stdio::null());
        }
        let mut client = client.stdin(Stdio::piped()).spawn().expect("mariadb can be executed");
        // One that finds no server does not read.
        let _ = client.stdin.take().expect("a pipe").write_all(sql.as_bytes());
        client.wait().expect("mariadb ends").success()
    }

    fn command(&self) -> Command {
        let mut command = Command::new("mariadb");
        command.args(["--no-defaults", "-u", "root", "-S"]).arg(self.path("socket"));
        command
    }

    fn data(&self) -> PathBuf {
        self.disk.as_ref().map_or_else(|| self.path("data"), |disk| disk.join("data"))
    }

    /// A program that sees the data, as the user of the server.
    fn program(&self, name: &str) -> Command {
        let enter = self.enter.iter().map(String::as_str);
        let mut words = enter.chain(words_of(USER)).chain([name]);
        let mut command = Command::new(words.next().expect("a program"));
        command.args(words);
        command
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}

impl Drop for Mariadb {
    fn drop(&mut self) {
        if let Some(mut server) = self.server.take() {
            // Its files go with it.
            let _ = server.kill();
            let _ = server.wait();
        }
    }
}
