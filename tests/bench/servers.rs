//! The servers that are measured: one Kamailio with several ways of answering, each on a port with a worker of its own.

use std::env;
use std::net::SocketAddrV4;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use crate::report;
use crate::support::config::{Builder, Listen};
use crate::support::kamailio::Server;

/// How long tm keeps a finished transaction, in milliseconds: by default 5 seconds, in which the load of a saturated
/// worker would fill gigabytes. All that is compared has the same.
pub const WT_TIMER: u32 = 100;
/// How long until all transactions of a round are gone.
pub const SETTLED: Duration = Duration::from_millis(WT_TIMER as u64 + 200);

/// The port where the dialogs' own messages arrive.
pub const MAIN: u16 = 5060;

/// One way to treat a message: what the script does with all that arrives at a port.
#[derive(Clone, Copy)]
pub struct Way {
    /// Its name.
    pub name: &'static str,
    /// Its port.
    pub port: u16,
    /// Its script.
    pub script: &'static str,
}

impl Way {
    /// Whether an answer leaves a transaction behind, which tm holds for a while.
    pub fn leaves_transactions(&self) -> bool {
        self.script.contains("t_newtran")
    }

    /// Where it is on a server.
    pub fn addr(&self, server: &Server) -> SocketAddrV4 {
        SocketAddrV4::new(server.ip(), self.port)
    }
}

/// With a transaction and delivery: what the module is for.
pub const STATEFUL: Way =
    Way { name: "t_newtran + handle_notify", port: MAIN, script: "t_newtran(); handle_notify(); exit;" };
/// The same where nothing else arrives.
pub const STATEFUL_ALONE: Way = Way { port: 5065, ..STATEFUL };
/// The same without a transaction of the script's.
pub const STATELESS: Way = Way { name: "handle_notify", port: 5061, script: "handle_notify(); exit;" };
/// The least that a stateful answer costs.
pub const FLOOR: Way =
    Way { name: "t_newtran + t_reply", port: 5062, script: "t_newtran(); t_reply(\"200\", \"OK\"); exit;" };
/// The least that any answer costs.
pub const BARE_SL: Way = Way { name: "sl_send_reply", port: 5063, script: "sl_send_reply(\"200\", \"OK\"); exit;" };
/// Reads a message and does nothing with it; a few are answered, so that the load knows how far the server is.
pub const DRIVER: Way = Way {
    name: "read only",
    port: MAIN,
    script: "if (is_method(\"INFO\")) { sl_send_reply(\"200\", \"OK\"); exit; } exit;",
};
/// Has the C module subscribe to what the Request-URI names, and takes the NOTIFYs.
pub const SUBSCRIBE: Way = Way {
    name: "subscribe",
    port: MAIN,
    script: r#"if (is_method("NOTIFY")) { if (!t_newtran()) { exit; } if (!handle_notify()) { t_reply("481", "Gone"); } exit; }
        bench_subscribe("$ru", "$fu"); exit;"#,
};
/// The same, with NOTIFYs answered without a transaction.
pub const SUBSCRIBE_STATELESS: Way = Way {
    name: "subscribe, stateless",
    port: MAIN,
    script: r#"if (is_method("NOTIFY")) { if (!handle_notify()) { sl_send_reply("481", "Gone"); } exit; }
        bench_subscribe("$ru", "$fu"); exit;"#,
};
/// Has the script send a SUBSCRIBE with a callback, which is the least that one costs, and takes NOTIFYs as [`FLOOR`].
pub const SEND: Way = Way {
    name: "uac_req_send with callback",
    port: MAIN,
    script: r#"if (is_method("NOTIFY")) { t_newtran(); t_reply("200", "OK"); exit; }
        $uac_req(method) = "SUBSCRIBE"; $uac_req(ruri) = $ru; $uac_req(furi) = $fu; $uac_req(turi) = $ru;
        $uac_req(hdrs) = "Event: presence\r\nContact: <sip:{ip}>\r\nExpires: 3600\r\nAccept: application/pidf+xml\r\n";
        $uac_req(evroute) = 1; uac_req_send(); exit;"#,
};
/// The callback of [`SEND`].
pub const UAC_REPLY: &str = "event_route[uac:reply] {\n    $var(code) = $uac_req(evcode);\n}";
/// Has the script subscribe for its own event route.
pub const WATCH: Way = Way { name: "b2b_subscribe", port: 5065, script: "b2b_subscribe(\"$ru\", \"$fu\"); exit;" };

/// As [`FLOOR`], for all but one record: the least of a route that decides by something.
pub const COMPARED: Way = Way {
    name: "condition with $ru, t_newtran + t_reply",
    port: 5068,
    script: r#"if ($ru == "sip:nobody@nowhere.invalid") { sl_send_reply("480", "Closed"); exit; } t_newtran(); t_reply("200", "OK"); exit;"#,
};
/// As [`BARE_SL`] in the same way.
pub const COMPARED_SL: Way = Way {
    name: "condition with $ru, sl_send_reply",
    port: 5069,
    script: r#"if ($ru == "sip:nobody@nowhere.invalid") { sl_send_reply("480", "Closed"); exit; } sl_send_reply("200", "OK"); exit;"#,
};
/// Whether a state is known, which [`ASKED`] does not tell.
pub const KNOWN: Way = Way {
    name: "known state",
    port: 5070,
    script: r#"if ($b2b($ru=>basic) == "open") { sl_send_reply("200", "OK"); exit; } sl_send_reply("480", "Not known"); exit;"#,
};
/// As [`COMPARED`], for what is not known to be closed.
pub const ASKED: Way = Way {
    name: "condition with $b2b($ru=>basic), t_newtran + t_reply",
    port: 5066,
    script: r#"if ($b2b($ru=>basic) == "closed") { sl_send_reply("480", "Closed"); exit; } t_newtran(); t_reply("200", "OK"); exit;"#,
};
/// As [`COMPARED_SL`] in the same way.
pub const ASKED_SL: Way = Way {
    name: "condition with $b2b($ru=>basic), sl_send_reply",
    port: 5067,
    script: r#"if ($b2b($ru=>basic) == "closed") { sl_send_reply("480", "Closed"); exit; } sl_send_reply("200", "OK"); exit;"#,
};

/// A server with these ways, without the module.
pub fn plain(ways: &[Way]) -> Builder {
    base(ways, 1).route(&route(ways))
}

/// A server with these ways and `children` workers for each, the module, and the C module of the benchmark.
pub fn b2b(ways: &[Way], children: u32, consumer: Consumer) -> Builder {
    with_module(base(ways, children), ways, consumer)
}

/// A server whose `writers` workers take NOTIFYs at [`MAIN`], and each of these ways has one worker. All newest states are at hand.
pub fn kept(ways: &[Way], writers: u32) -> Builder {
    let mut builder = base(&[STATEFUL], writers);
    for way in ways {
        let addr = SocketAddrV4::new(builder.ip(), way.port);
        builder = builder.listen(Listen::on("udp", addr.into()).workers(1));
    }
    with_module(builder, &[&[STATEFUL], ways].concat(), Consumer::Callback).b2b_param("keep_state", 1)
}

fn with_module(builder: Builder, ways: &[Way], consumer: Consumer) -> Builder {
    let own_process = i32::from(consumer == Consumer::Process);
    let load = format!("loadmodule \"{}\"\nmodparam(\"bench\", \"consumer\", {own_process})\n", c_module().display());
    // All subscriptions of the benchmark go to one notifier.
    let unlimited = |builder: Builder| builder.b2b_param("destination_rate", 0).b2b_param("total_rate", 0);
    // Nor is a queue, which is read after all has been queued.
    let unlimited = |builder: Builder| unlimited(builder).b2b_param("queue_bytes", 1 << 30);
    unlimited(builder.b2b()).b2b_param("check_bodies", 0).route(&load).route(&route(ways))
}

/// The same with its subscriptions stored in SQLite.
pub fn storing(ways: &[Way], children: u32, consumer: Consumer) -> Builder {
    let builder = b2b(ways, children, consumer).module("db_sqlite");
    builder.b2b_param("db_url", "sqlite:///{dir}/db").b2b_param("db_mode", 1)
}

/// The same with bodies looked into before they are answered, which is the default.
pub fn b2b_with_checks(ways: &[Way], children: u32, consumer: Consumer) -> Builder {
    // The later value counts.
    b2b(ways, children, consumer).b2b_param("check_bodies", 1)
}

/// The same with locks that measure themselves; `None` if the module was not built with them.
pub fn metered(ways: &[Way], children: u32, consumer: Consumer) -> Option<Builder> {
    let module = PathBuf::from(env::var_os("PRESENCE_B2B_METERED_SO")?);
    Some(b2b(ways, children, consumer).b2b_at(module))
}

/// The script of these ways. A switch takes as long for each of them; a chain of conditions would not.
fn route(ways: &[Way]) -> String {
    let branch = |way: &Way| format!("    case {}:\n        {}\n        break;\n", way.port, way.script);
    format!("request_route {{\n    switch ($Rp) {{\n{}    }}\n}}", ways.iter().map(branch).collect::<String>())
}

/// A server that listens for these ways.
fn base(ways: &[Way], children: u32) -> Builder {
    let mut builder = Server::builder()
        .tlsf()
        .children(children)
        .debug(0)
        .global("disable_tcp=yes")
        .global("maxbuffer=4194304")
        .global("dns=no")
        .global("rev_dns=no")
        // A page that is touched for the first time costs as much as a NOTIFY.
        .global("shm_force_alloc=yes")
        .modparam("tm", "wt_timer", i64::from(WT_TIMER));
    for way in ways {
        let addr = SocketAddrV4::new(builder.ip(), way.port);
        builder = builder.listen(Listen::on("udp", addr.into()));
    }
    builder
}

/// Where the C module takes its messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consumer {
    /// In the wake callback, in the SIP worker.
    Callback,
    /// In a process of its own.
    Process,
}

/// Builds the C module, once.
fn c_module() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let module = report::folder().expect("a folder for what is built").join("bench.so");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bench/module/build.sh");
        let cflags = Path::new(env!("OUT_DIR")).join("cflags");
        // In a group of its own: Ctrl-C ends the benchmark, not the compiler in the middle of a file.
        let built = Command::new(script)
            .arg(cflags)
            .arg(&module)
            .process_group(0)
            .status()
            .expect("the build script can be run");
        assert!(built.success(), "the C module does not build");
        module
    })
}
