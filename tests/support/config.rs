//! The configuration of a server under test, written line by line.

use std::env;
use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::address::own_ip;
use super::kamailio::Server;
use super::log::Expected;
use super::rpc;
use super::setting::param;

pub use super::place::{module_under_test, modules_dir};
pub use super::setting::{Listen, Value};

/// The modules every server under test has.
const MODULES: &[&str] =
    &["jsonrpcs", "kex", "corex", "tm", "sl", "rr", "pv", "textops", "siputils", "tmx", "xlog", "ipops"];

/// The routing of a server with the module when the test brings none: as in the module's own example.
const B2B_ROUTE: &str = r#"
request_route {
    if (is_method("NOTIFY")) {
        if (!t_newtran()) {
            sl_reply_error();
            exit;
        }
        if (!handle_notify()) {
            t_reply("481", "Subscription does not exist");
        }
        exit;
    }
    sl_send_reply("405", "Method Not Allowed");
}
"#;

/// The routing of a server without the module when the test brings none.
const PLAIN_ROUTE: &str = "request_route {\n    sl_send_reply(\"405\", \"Method Not Allowed\");\n}\n";

/// Collects what a server shall be like; [`Builder::start`] starts it.
#[derive(Clone)]
pub struct Builder {
    pub(super) ip: Ipv4Addr,
    pub(super) shm_megabytes: u32,
    pub(super) allocator: &'static str,
    pub(super) expected: Expected,
    pub(super) files: Vec<(String, String)>,
    pub(super) under: Vec<String>,
    children: u32,
    debug: i32,
    listens: Vec<Listen>,
    globals: Vec<String>,
    modules: Vec<String>,
    params: Vec<(String, String, Value)>,
    blocks: Vec<String>,
    b2b: Option<PathBuf>,
    pub(super) example: Option<PathBuf>,
    kemi: Option<&'static str>,
    whole: Option<String>,
}

impl Builder {
    pub(super) fn new() -> Builder {
        let builder = Builder {
            ip: own_ip(),
            shm_megabytes: 32,
            allocator: "qm",
            expected: Expected::default(),
            files: Vec::new(),
            under: Vec::new(),
            children: 2,
            debug: 2,
            listens: Vec::new(),
            globals: Vec::new(),
            modules: MODULES.iter().map(|name| name.to_string()).collect(),
            params: Vec::new(),
            blocks: Vec::new(),
            b2b: None,
            example: None,
            kemi: None,
            whole: None,
        };
        // A finished transaction normally holds shared memory for 5 s; tests would wait for that again and again.
        builder.modparam("tm", "wt_timer", 200)
    }

    /// The address the server will have, unless the test gives it listens of its own.
    pub fn ip(&self) -> Ipv4Addr {
        self.ip
    }

    /// On this address, whose server has been stopped, in place of one of its own.
    pub fn at(mut self, ip: Ipv4Addr) -> Builder {
        self.ip = ip;
        self
    }

    /// SIP workers per UDP socket, and for TCP altogether. 2 unless told.
    pub fn children(mut self, count: u32) -> Builder {
        self.children = count;
        self
    }

    /// The log level; 2 (INFO) unless told, 3 for everything.
    pub fn debug(mut self, level: i32) -> Builder {
        self.debug = level;
        self
    }

    /// Shared memory; 32 MB unless told.
    pub fn shm_megabytes(mut self, size: u32) -> Builder {
        self.shm_megabytes = size;
        self
    }

    /// The `tlsf` allocator: much faster than the default `qm`, which finds overruns and double frees.
    pub fn tlsf(mut self) -> Builder {
        self.allocator = "tlsf";
        self
    }

    /// The `qm` allocator again, after [`Builder::tlsf`].
    pub fn qm(mut self) -> Builder {
        self.allocator = "qm";
        self
    }

    /// Run by another program, such as `valgrind` with its options: it may take its time to get ready.
    pub fn under(mut self, program: &[&str]) -> Builder {
        self.under = program.iter().map(|word| word.to_string()).collect();
        self
    }

    /// One more thing to listen on; without any it is UDP and TCP on [`Builder::ip`].
    pub fn listen(mut self, listen: Listen) -> Builder {
        self.listens.push(listen);
        self
    }

    /// One more global line, such as `tcp_connection_lifetime=5`.
    pub fn global(mut self, line: &str) -> Builder {
        self.globals.push(line.to_owned());
        self
    }

    /// One more module of Kamailio's own.
    pub fn module(mut self, name: &str) -> Builder {
        self.modules.push(name.to_owned());
        self
    }

    /// Without one of the modules that every server under test has.
    pub fn without_module(mut self, name: &str) -> Builder {
        self.modules.retain(|have| have != name);
        self.params.retain(|(module, ..)| module != name);
        self
    }

    /// A module parameter; a later one of the same name wins.
    pub fn modparam(mut self, module: &str, name: &str, value: impl Into<Value>) -> Builder {
        self.params.push((module.to_owned(), name.to_owned(), value.into()));
        self
    }

    /// One more block of script: a route, an event route, the `request_route`.
    pub fn route(mut self, block: &str) -> Builder {
        self.blocks.push(block.to_owned());
        self
    }

    /// One more file in the runtime directory. `{dir}` in any script or parameter is that directory, `{ip}` the address.
    pub fn file(mut self, name: &str, content: &str) -> Builder {
        self.files.push((name.to_owned(), content.to_owned()));
        self
    }

    /// Routing in JavaScript (`ksr_request_route()` and so on) in place of native script.
    pub fn kemi(self, script: &str) -> Builder {
        self.kemi_in("jsdt", "app_jsdt", "kamailio.js", script)
    }

    /// With the script of another KEMI engine, loaded by that module from a file of this name.
    pub fn kemi_in(mut self, engine: &'static str, module: &str, file: &str, script: &str) -> Builder {
        self.kemi = Some(engine);
        self.file(file, script).module(module).modparam(module, "load", format!("{{dir}}/{file}"))
    }

    /// Log lines with `part` do not fail the test when the server stops.
    pub fn allow_log(mut self, part: &str) -> Builder {
        self.expected.text(part);
        self
    }

    /// It is sent what Kamailio's parsers cannot read: their errors do not fail the test. Those of the module do.
    pub fn hostile(mut self) -> Builder {
        self.expected.unreadable();
        self
    }

    /// Its TCP connections are refused, not made in time or lost: Kamailio's errors for that do not fail the test.
    pub fn bad_connections(mut self) -> Builder {
        self.expected.bad_connections();
        self
    }

    /// With the module under test.
    pub fn b2b(mut self) -> Builder {
        self.b2b = Some(module_under_test());
        self
    }

    /// With the module as it is at `path`.
    pub fn b2b_at(mut self, path: PathBuf) -> Builder {
        self.b2b = Some(path);
        self
    }

    /// With this file of `tests/cfg` as it is: it loads tm and the module under test and has the routing.
    pub fn example(mut self, name: &str) -> Builder {
        // A module can be loaded once only, and tmx only after tm.
        self.modules.retain(|have| !matches!(have.as_str(), "tm" | "tmx"));
        self.example = Some(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cfg").join(name));
        self
    }

    /// A parameter of the module under test.
    pub fn b2b_param(self, name: &str, value: impl Into<Value>) -> Builder {
        self.modparam("presence_b2b", name, value)
    }

    /// A whole configuration as it was written for others, in place of all that is described otherwise. Only the
    /// loopback address, the module under test and the place of the RPC FIFO become this server's.
    pub fn whole(mut self, text: &str) -> Builder {
        self.whole = Some(text.to_owned());
        self
    }

    /// Starts the server and returns when it answers RPC; panics with its last words when it does not.
    pub fn start(self) -> Server {
        Server::start(self).unwrap_or_else(|refusal| panic!("{refusal}"))
    }

    /// Starts a server that must refuse to start, and returns what it said.
    pub fn start_refused(self) -> String {
        match Server::start(self) {
            Ok(_) => panic!("the server started, although it should have refused"),
            Err(refusal) => refusal.log,
        }
    }

    /// The configuration file's text for a server whose runtime directory is `dir`.
    pub(super) fn text(&self, dir: &Path) -> String {
        if let Some(whole) = &self.whole {
            let module = module_under_test().display().to_string();
            let text = whole.replace("127.0.0.1", "{ip}").replace("presence_b2b.so", &module);
            return self.fill_in(&(text + &self.fifo()), dir);
        }
        let mut text = String::from("#!KAMAILIO\n");
        let mut line = |line: String| text.push_str(&(line + "\n"));
        line(format!("debug={}", self.debug));
        line("log_stderror=yes".into());
        line("auto_aliases=no".into());
        line("disable_core_dump=yes".into());
        line(format!("children={}", self.children));
        line(format!("tcp_children={}", self.children));
        for listen in &self.listens {
            line(listen.lines());
        }
        if self.listens.is_empty() {
            line(Listen::udp(self.ip).lines());
            line(Listen::tcp(self.ip).lines());
        }
        if version() >= (6, 0) {
            // That server drops messages of more than about 32 kB unless told.
            line(format!("msg_recv_max_size={}", largest_message()));
        }
        self.globals.iter().cloned().for_each(&mut line);
        for module in &self.modules {
            line(format!("loadmodule \"{module}\""));
        }
        if let Some(path) = &self.b2b {
            line(format!("loadmodule \"{}\"", path.display()));
        }
        if let Some(path) = &self.example {
            line(format!("include_file \"{}\"", path.display()));
        }
        line(self.fifo());
        for (module, name, value) in &self.params {
            line(param(module, name, value));
        }
        self.write_routes(&mut text);
        self.fill_in(&text, dir)
    }

    /// Where the server looks for modules.
    pub(super) fn module_folders(&self) -> String {
        let installed = modules_dir().display().to_string();
        match self.example.as_ref().and_then(|_| Some(module_under_test().parent()?.display().to_string())) {
            Some(own) => format!("{own}:{installed}"),
            None => installed,
        }
    }

    /// Whether the test has brought its own `request_route`.
    pub(super) fn has_request_route(&self) -> bool {
        self.kemi.is_some() || self.example.is_some() || self.blocks.iter().any(|block| block.contains("request_route"))
    }

    /// Where the RPC FIFO is.
    fn fifo(&self) -> String {
        let fifo: [(&str, Value); 4] = [
            ("transport", 2.into()),
            ("pretty_format", 0.into()),
            ("fifo_name", format!("{{dir}}/{}", rpc::FIFO).into()),
            ("fifo_reply_dir", "{dir}/".into()),
        ];
        fifo.map(|(name, value)| param("jsonrpcs", name, &value)).join("\n")
    }

    fn write_routes(&self, text: &mut String) {
        if let Some(engine) = self.kemi {
            let _ = writeln!(text, "cfgengine \"{engine}\"");
        } else if !self.has_request_route() {
            text.push_str(if self.b2b.is_some() { B2B_ROUTE } else { PLAIN_ROUTE });
        }
        for block in &self.blocks {
            let _ = writeln!(text, "{block}");
        }
    }

    /// Puts the runtime directory and the address where the test could not yet know them.
    pub(super) fn fill_in(&self, text: &str, dir: &Path) -> String {
        text.replace("{dir}", &dir.display().to_string()).replace("{ip}", &self.ip.to_string())
    }
}

/// Major and minor version of the server under test.
pub fn version() -> (u32, u32) {
    static VERSION: OnceLock<(u32, u32)> = OnceLock::new();
    *VERSION.get_or_init(|| {
        let told = Command::new(binary()).arg("-v").output().expect("kamailio can be executed").stdout;
        let told = String::from_utf8_lossy(&told);
        let number = told.split_whitespace().skip_while(|word| *word != "kamailio").nth(1).unwrap_or_default();
        let mut parts = number.split('.').map_while(|part| part.parse().ok());
        parts.next().zip(parts.next()).unwrap_or_else(|| panic!("no version in {told}"))
    })
}

/// Whether the server under test can be told to take messages of more than 64 kB: 6.1.5 refuses to.
pub fn takes_long_messages() -> bool {
    version() < (6, 1)
}

/// The largest message that a server under test can be told to take, in bytes.
pub fn largest_message() -> usize {
    if takes_long_messages() { 4_194_304 } else { 65_535 }
}

/// The server under test.
pub fn binary() -> PathBuf {
    env::var_os("KAMAILIO_BIN").map_or_else(|| PathBuf::from("/usr/sbin/kamailio"), PathBuf::from)
}
