//! The servers that are measured: one Kamailio with several ways of answering, each on a port with a worker of its own.

use std::net::SocketAddrV4;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::support::config::{Builder, Listen};
use crate::support::kamailio::Server;

/// How long tm keeps a finished transaction, in milliseconds: by default 5 seconds, in which the load of a saturated
/// worker would fill gigabytes. All that is compared has the same.
pub const WT_TIMER: u32 = 200;

/// The port where the dialogs' own messages arrive.
pub const MAIN: u16 = 5060;

/// One way to treat a message: what the script does with all that arrives at a port.
#[derive(Clone, Copy)]
pub struct Way {
    /// What it is called.
    pub name: &'static str,
    /// Its port.
    pub port: u16,
    /// Its script.
    pub script: &'static str,
}

impl Way {
    /// Where it is on a server.
    pub fn addr(&self, server: &Server) -> SocketAddrV4 {
        SocketAddrV4::new(server.ip(), self.port)
    }
}

/// With a transaction and delivery: what the module is for.
pub const STATEFUL: Way = Way {
    name: "t_newtran + handle_notify",
    port: MAIN,
    script: "if (!t_newtran()) { exit; } if (!handle_notify()) { t_reply(\"481\", \"Gone\"); } exit;",
};
/// The same without a transaction of the script's.
pub const STATELESS: Way = Way {
    name: "handle_notify",
    port: 5061,
    script: "if (!handle_notify()) { sl_send_reply(\"481\", \"Gone\"); } exit;",
};
/// The least that a stateful answer costs.
pub const FLOOR: Way =
    Way { name: "t_newtran + t_reply", port: 5062, script: "t_newtran(); t_reply(\"200\", \"OK\"); exit;" };
/// The least that any answer costs.
pub const BARE_SL: Way = Way { name: "sl_send_reply", port: 5063, script: "sl_send_reply(\"200\", \"OK\"); exit;" };

/// A server with these ways, without the module.
pub fn plain(ways: &[Way]) -> Builder {
    let mut builder = Server::builder()
        .tlsf()
        .children(1)
        .debug(0)
        .global("disable_tcp=yes")
        .global("maxbuffer=4194304")
        .global("dns=no")
        .global("rev_dns=no")
        .modparam("tm", "wt_timer", i64::from(WT_TIMER));
    let mut route = String::from("request_route {\n");
    for way in ways {
        let addr = SocketAddrV4::new(builder.ip(), way.port);
        builder = builder.listen(Listen::on("udp", addr.into()));
        route += &format!("    if ($Rp == {}) {{ {} }}\n", way.port, way.script);
    }
    builder.route(&(route + "}"))
}

/// A server with these ways and the module.
pub fn b2b(ways: &[Way]) -> Builder {
    plain(ways).b2b()
}

/// Where the C module takes its messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consumer {
    /// In the wake callback, in the SIP worker.
    Callback,
    /// In a process of its own.
    Process,
}

/// With the C module of the benchmark.
pub fn with_consumer(builder: Builder, consumer: Consumer) -> Builder {
    let own_process = i32::from(consumer == Consumer::Process);
    let load = format!("loadmodule \"{}\"\nmodparam(\"bench\", \"consumer\", {own_process})\n", c_module().display());
    builder.route(&load)
}

/// Builds the C module, once.
fn c_module() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench");
        std::fs::create_dir_all(&folder).expect("a folder for what is built");
        let module = folder.join("bench.so");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bench/module/build.sh");
        let cflags = Path::new(env!("OUT_DIR")).join("cflags");
        let built = Command::new(script).arg(cflags).arg(&module).status().expect("the build script can be run");
        assert!(built.success(), "the C module does not build");
        module
    })
}
