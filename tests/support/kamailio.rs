//! A running Kamailio.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::address::SIP_PORT;
use super::config::{Builder, binary};
use super::exception::{Exception, WITH_MODULE, WITHOUT_MODULE};
use super::hang::Left;
use super::log::{Expected, Log, Mark};
use super::process::{Group, Unended, members};
use super::rpc::{Rpc, RpcError};
use super::wait::until;
use super::whole_lines;

/// How long a server may take until it answers, and until it is gone.
const START: Duration = Duration::from_secs(20);
const START_UNDER: Duration = Duration::from_secs(600);
const STOP: Duration = Duration::from_secs(20);
/// How long an answer to an RPC may take.
const ANSWER: Duration = Duration::from_secs(10);

/// A Kamailio with a configuration, an address and a runtime directory of its own.
///
/// Stopping it, by [`Server::stop`] or by dropping it, fails the test when the server did not end well or logged
/// something that must never happen. When the test has failed already, dropping prints the end of the log instead.
pub struct Server {
    ip: Ipv4Addr,
    expected: Expected,
    rpc: Rpc,
    log: Log,
    group: Group,
    dir: TempDir,
    /// Whether it has the module under test.
    with_module: bool,
    allocator: &'static str,
    stopped: bool,
}

/// A server that did not start.
pub struct Refusal {
    /// What happened, in one line.
    pub what: String,
    /// All that it logged.
    pub log: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<&str> = self.log.lines().collect();
        let tail = &lines[lines.len().saturating_sub(25)..];
        write!(f, "the server {}; it said last:\n{}", self.what, tail.join("\n"))
    }
}

impl Server {
    /// A server to describe.
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// A server to describe that has the module under test, and its example routing unless the test brings another.
    pub fn b2b() -> Builder {
        Builder::new().b2b()
    }

    pub(super) fn start(builder: Builder) -> Result<Server, Refusal> {
        let dir = TempDir::with_prefix("kamailio-").expect("a runtime directory");
        let cfg = dir.path().join("kamailio.cfg");
        let text = builder.text(dir.path());
        let with_module = text.contains("presence_b2b") || builder.example.is_some();
        fs::write(&cfg, text).expect("the configuration can be written");
        for (name, content) in &builder.files {
            fs::write(dir.path().join(name), builder.fill_in(content, dir.path())).expect("a file can be written");
        }
        let log = Log::new(dir.path().join("kamailio.log"));
        let group = Group::spawn(command(&builder, &cfg, dir.path(), &log)).expect("kamailio can be executed");
        let rpc = Rpc::new(dir.path());
        let mut server = Server {
            ip: builder.ip,
            expected: builder.expected,
            rpc,
            log,
            group,
            dir,
            with_module,
            allocator: builder.allocator,
            stopped: false,
        };
        let within = if builder.under.is_empty() { START } else { START_UNDER };
        match server.wait_until_ready(within) {
            Ok(()) => Ok(server),
            Err(what) => {
                server.stopped = true;
                Err(Refusal { what, log: server.log.text() })
            }
        }
    }

    /// Ready is when every process has been forked and initialised, not when the first one answers: a child that gets
    /// SIGTERM before it knows that it is a child ignores it, and then the server takes a minute to end.
    fn wait_until_ready(&mut self, within: Duration) -> Result<(), String> {
        let deadline = Instant::now() + within;
        loop {
            if let Some(status) = self.group.ended() {
                return Err(format!("ended while starting ({status})"));
            }
            // The FIFO is there before its process is: an earlier call is answered once the process runs.
            let group = &mut self.group;
            let last = match self.rpc.try_call("core.psa", &Value::Null, within, || group.ended().is_none()) {
                Ok(Ok(processes)) if all_started(&processes) => return Ok(()),
                Ok(Ok(processes)) => processes.to_string(),
                Ok(Err(fault)) => fault.to_string(),
                Err(silence) => silence,
            };
            if Instant::now() > deadline {
                return Err(format!("did not get ready within {within:?} ({last})"));
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// The server's address.
    pub fn ip(&self) -> Ipv4Addr {
        self.ip
    }

    /// The server's SIP socket, UDP and TCP alike.
    pub fn addr(&self) -> SocketAddr {
        (self.ip, SIP_PORT).into()
    }

    /// `sip:user@` the server's address.
    pub fn uri(&self, user: &str) -> String {
        format!("sip:{user}@{}", self.ip)
    }

    /// The runtime directory, with the configuration and the log.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The process id of the main process, which is the id of its process group.
    pub fn pid(&self) -> u32 {
        self.group.id()
    }

    /// Sends a signal to all its processes.
    pub fn signal_all(&self, number: i32) {
        self.group.signal(number);
    }

    /// The log of the server.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Calls an RPC method. `params` is an array, or null for none. Panics when no answer comes.
    pub fn rpc(&self, method: &str, params: Value) -> Result<Value, RpcError> {
        match self.rpc.try_call(method, &params, ANSWER, || true) {
            Ok(answer) => answer,
            Err(silence) => panic!("no answer to RPC {method} {params}: {silence}"),
        }
    }

    /// The same; none when no answer has come while `waits` says so, about every tenth of a second.
    pub fn rpc_while(&self, method: &str, params: Value, waits: impl FnMut() -> bool) -> Option<Value> {
        let answer = self.rpc.try_call(method, &params, ANSWER, waits).ok()?;
        Some(answer.unwrap_or_else(|error| panic!("{method}: {error}")))
    }

    /// All rows of a command that answers with pages.
    pub fn rows(&self, method: &str) -> Vec<Value> {
        let mut rows: Vec<Value> = Vec::new();
        loop {
            let page = self.rpc(method, json!([rows.len(), 1000])).unwrap_or_else(|error| panic!("{method}: {error}"));
            match page.as_array() {
                Some(page) if !page.is_empty() => rows.extend(page.iter().cloned()),
                _ => return rows,
            }
        }
    }

    /// How many processes with a name that contains `part` the server has.
    pub fn processes(&self, part: &str) -> usize {
        let list = self.rpc("core.psx", json!([])).expect("core.psx");
        let named = |process: &Value| process["DSC"].as_str().is_some_and(|name| name.contains(part));
        list.as_array().map_or(0, |list| list.iter().filter(|process| named(process)).count())
    }

    /// The bytes of private memory in use by the processes with a name that contains `part`, by process id. Not with the
    /// `tlsf` allocator, which tells `pkg.stats` nothing: its numbers would never change.
    pub fn private_memory(&self, part: &str) -> Vec<(u64, u64)> {
        assert_ne!(self.allocator, "tlsf", "its private memory is not counted");
        let list = self.rpc("core.psx", json!([])).expect("core.psx");
        let processes = list.as_array().map(Vec::as_slice).unwrap_or_default();
        let named = processes.iter().filter(|process| process["DSC"].as_str().is_some_and(|name| name.contains(part)));
        let pids = named.map(|process| process["PID"].as_u64().unwrap_or_else(|| panic!("no PID in {process}")));
        pids.map(|pid| (pid, self.private_memory_of(pid))).collect()
    }

    fn private_memory_of(&self, pid: u64) -> u64 {
        let stats = self.rpc("pkg.stats", json!(["pid", pid])).expect("pkg.stats");
        let used = stats[0]["used"].as_u64();
        used.unwrap_or_else(|| panic!("no number in {stats}"))
    }

    /// How many TCP and TLS connections the server has.
    pub fn connections(&self) -> u64 {
        let info = self.rpc("core.tcp_info", json!([])).expect("core.tcp_info");
        info["opened_connections"].as_u64().unwrap_or_else(|| panic!("no count in {info}"))
    }

    /// Stops the server; fails when it did not end well or logged something that must never happen.
    pub fn stop(mut self) {
        if let Err(reason) = self.shut_down() {
            panic!("{reason}");
        }
    }

    /// The same; its whole log.
    pub fn stop_and_read(mut self) -> String {
        if let Err(reason) = self.shut_down() {
            panic!("{reason}");
        }
        self.log.text()
    }

    /// Waits until the server, one of whose processes has been killed, has ended with all the others; what is left of it after
    /// `within` is told, and killed. Fails when it ended by a signal or logged something that must never happen.
    pub fn ends(mut self, within: Duration, name: impl Fn(u32) -> String) -> Result<(), Vec<Left>> {
        self.stopped = true;
        let group = self.pid();
        // The leader's end is taken, or it would stay in the group.
        let ended = until(within, || self.group.ended().filter(|_| members(group).is_empty()));
        let Some(status) = ended else {
            return Err(Left::of(group, name));
        };
        let complaints = self.log.complaints(&self.expected, Mark::default());
        // A process that was killed logs nothing.
        let is_bad = status.signal().is_some_and(|signal| signal != libc::SIGKILL);
        assert!(!is_bad && complaints.is_empty(), "{status}: {complaints:#?}\n{}", self.log.tail(40));
        Ok(())
    }

    /// What excuses that it ended badly, if anything does.
    fn exception(&self, unended: &Unended) -> Option<&'static Exception> {
        let is_main = |left: &Left| left.pid() == self.pid() && !left.is_ours();
        let list = match (self.with_module, unended.left.as_slice()) {
            (false, _) => WITHOUT_MODULE,
            (true, [left]) if is_main(left) => WITH_MODULE,
            (true, _) => &[],
        };
        Exception::of(list, &unended.what)
    }

    fn shut_down(&mut self) -> Result<(), String> {
        self.stopped = true;
        let alive = self.group.ended().is_none();
        let stop = self.log.mark();
        let ended = self.group.terminate(STOP);
        let mut reasons = self.log.complaints(&self.expected, stop);
        match ended {
            Err(unended) => match self.exception(&unended) {
                // Said past the capture of the test runner, to be seen.
                Some(Exception { name, found, .. }) => {
                    let _ = writeln!(io::stderr(), "NOT COUNTED ({name}, {found}): a server {unended}");
                }
                None => reasons.insert(0, format!("the server {unended}")),
            },
            Ok(status) if !alive => reasons.insert(0, format!("the server had ended by itself ({status})")),
            Ok(status) if !status.success() => reasons.insert(0, format!("the server ended with {status}")),
            Ok(_) => {}
        }
        match reasons.is_empty() {
            true => Ok(()),
            false => Err(format!("{}\n--- end of its log:\n{}", reasons.join("\n"), self.log.tail(40))),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.stopped {
            return;
        }
        let outcome = self.shut_down();
        if thread::panicking() {
            eprintln!("--- log of the server at {} (end):\n{}\n---", self.ip, self.log.tail(80));
        } else if let Err(reason) = outcome {
            panic!("{reason}");
        }
    }
}

/// Kamailio names its first process when all others are there; each sets its status when it is initialised.
fn all_started(processes: &Value) -> bool {
    let list = processes.as_array().map(Vec::as_slice).unwrap_or_default();
    list.first().is_some_and(|main| main["description"].as_str().is_some_and(|name| name.contains("attendant")))
        && list.iter().all(|process| process["status"] == 1)
}

fn command(builder: &Builder, cfg: &Path, dir: &Path, log: &Log) -> Command {
    let binary = binary();
    let file = File::create(log.path()).expect("the log file can be made");
    let mut command = match builder.under.split_first() {
        None => Command::new(binary),
        Some((program, options)) => {
            let mut command = Command::new(program);
            command.args(options).arg(binary);
            command
        }
    };
    if let Some(library) = whole_lines::library() {
        command.env("LD_PRELOAD", library);
    }
    command.arg("-DD").arg("-E").arg("-f").arg(cfg).arg("-Y").arg(dir).arg("-w").arg(dir);
    command.arg("-L").arg(builder.module_folders());
    command.arg("-m").arg(builder.shm_megabytes.to_string()).args(["-x", builder.allocator, "-X", builder.allocator]);
    command.stdin(Stdio::null()).stdout(file.try_clone().expect("a second handle")).stderr(file);
    command
}
