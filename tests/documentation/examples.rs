//! The examples of the pages run: configurations, scripts in every language, the C module.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;
use tempfile::TempDir;

use super::{SUBSCRIBER, between, blocks, blocks_in, pages, root, section, text_of};
use crate::support::config::{module_under_test, modules_dir};
use crate::support::endpoint::Endpoint;
use crate::support::kamailio::Server;
use crate::support::notifier::{Notifier, Notify};
use crate::support::pidf::pidf;
use crate::support::presence_server::PresenceServer;
use crate::support::wait::{SOON, eventually};

/// Around examples that are a part of a configuration.
const FRAME: &[&str] = &[
    "tm",
    "sl",
    "rr",
    "pv",
    "textops",
    "siputils",
    "xlog",
    "htable",
    "dialog",
    "usrloc",
    "registrar",
    "ctl",
    "jsonrpcs",
    "presence_b2b",
];

/// A part of a configuration, made whole.
fn framed(example: &str) -> String {
    const TOP: &[&str] = &["loadmodule", "modparam", "use_dns", "request_route", "event_route", "route"];
    let loads = FRAME.iter().map(|name| format!("loadmodule \"{name}.so\"\n"));
    let modules: String = loads.filter(|load| !example.contains(load)).collect();
    let table = "modparam(\"htable\", \"htable\", \"state=>size=8;\")\n";
    let is_top = TOP.iter().any(|word| example.trim_start().starts_with(word));
    let body = match (is_top, example.contains("request_route")) {
        (true, true) => example.to_owned(),
        (true, false) => format!("{example}\nrequest_route {{ exit; }}\n"),
        (false, _) => format!("request_route {{\n{example}\n}}\n"),
    };
    format!("#!KAMAILIO\n{modules}{table}{body}")
}

/// Why the server would not take this configuration.
fn refusal(configuration: &str) -> Option<String> {
    let dir = TempDir::with_prefix("kamailio-").expect("a folder");
    let file = dir.path().join("kamailio.cfg");
    let module = module_under_test().display().to_string();
    // The database of the README's configuration is in a folder that the page makes.
    let text = configuration.replace("presence_b2b.so", &module);
    let text = text.replace("/var/lib/kamailio/presence_b2b/", &format!("{}/", dir.path().display()));
    fs::write(&file, text).expect("the configuration can be written");
    let binary = std::env::var_os("KAMAILIO_BIN").unwrap_or_else(|| "/usr/sbin/kamailio".into());
    let mut command = Command::new(binary);
    command
        .arg("-c")
        .arg("-f")
        .arg(&file)
        .arg("-L")
        .arg(modules_dir())
        .arg("-Y")
        .arg(dir.path())
        .args(["-m", "16", "-E"]);
    let output = command.output().expect("kamailio can be executed");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (!output.status.success() || said.contains("ERROR")).then_some(said)
}

#[test]
fn configurations_are_taken_by_the_server() {
    let mut count = 0;
    for (name, page) in pages() {
        for block in blocks(&page).into_iter().filter(|block| block.language == "kamailio") {
            count += 1;
            let whole = block.text.starts_with("#!KAMAILIO");
            let text = if whole { block.text.clone() } else { framed(&block.text) };
            if let Some(said) = refusal(&text) {
                panic!("{name}: the server does not take\n{}\n{said}", block.text);
            }
        }
    }
    assert!(count > 20, "{count}");
    for wrong in ["b2b_subscribe(\"$ru\");", "modparam(\"presence_b2b\", \"no_such\", 1)", "$var(a) = $qsa(no_such);"] {
        assert!(refusal(&framed(wrong)).is_some(), "taken: {wrong}");
    }
}

#[test]
fn kemi_examples_run() {
    let script: String =
        ["docs/functions.md", "docs/event-routes.md"].map(|file| blocks_in(file, "javascript").concat()).concat();
    let callback = between(&text_of("docs/event-routes.md"), "\"event_callback\", \"", "\"")[0].to_owned();
    let presence = PresenceServer::start();
    presence.publish("alice", &pidf(&presence.uri("alice"), "open", None));
    let server = Server::b2b().b2b_param("event_callback", callback).kemi(&script).start();
    let alice = presence.uri("alice");
    let peer = Endpoint::udp();
    let options = peer.fresh_request("OPTIONS", &alice, &server.uri("watcher"), &alice);
    assert_eq!(peer.exchange(&options, server.addr(), SOON).status(), 200);
    let told = format!("{alice} is active/open");
    eventually(SOON, &told, || server.log().text().contains(&told).then_some(()));
    server.stop();
    presence.stop();
}

/// The callback in the other languages, with the routing that its page has or that the test adds.
#[test]
fn kemi_examples_in_other_languages_run() {
    const LUA_ROUTE: &str = "function ksr_request_route()\n    if KSR.presence_b2b.handle_notify() < 0 then\n        \
                             KSR.sl.sl_send_reply(481, \"None\")\n    end\nend\n";
    let presence = PresenceServer::start();
    presence.publish("alice", &pidf(&presence.uri("alice"), "open", None));
    let alice = presence.uri("alice");
    for (language, module, file, more) in
        [("lua", "app_lua", "kamailio.lua", LUA_ROUTE), ("python", "app_python3", "kamailio.py", "")]
    {
        let script = blocks_in("docs/event-routes.md", language).concat() + more;
        // Otherwise app_python3 5.6 gives the next NOTIFY an exception.
        assert_eq!(script.contains("def ksr_reply_route("), language == "python");
        let server = Server::b2b().b2b_param("event_callback", "ksr_qsa_event");
        let server = server.kemi_in(language, module, file, &script).start();
        server.subscribe(&alice, &server.uri("watcher"));
        let told = format!("{alice} is active/open");
        eventually(SOON, &told, || server.log().text().contains(&told).then_some(()));
        server.stop();
    }
    presence.stop();
}

/// The lamps of the pages are read from dialog-info documents.
#[test]
fn the_lamp_examples_read_their_documents() {
    let example = |page| blocks_in(page, "kamailio").into_iter().find(|block| block.contains("$qsa(dialog_state)"));
    let [readme, route] = ["README.md", "docs/event-routes.md"].map(|page| example(page).expect("the example"));
    let ringing = "<dialog id='d1' direction='recipient'><state>early</state><remote><identity display='Bob'>\
                   sip:bob@example.org</identity></remote></dialog>";
    let talking = ringing.replace("early", "confirmed");
    let said = ["rings: Bob", "is busy with sip:bob@example.org", "is free"];
    for (example, said) in [
        (readme, said.map(|said| format!("{{record}} {said}"))),
        (route, ["early", "confirmed", "terminated"].map(|state| format!("lamp of {{record}}: {state}"))),
    ] {
        let notifier = Notifier::udp();
        let server = Server::b2b().module("htable");
        let server = server.modparam("htable", "htable", "state=>size=8;").route(&example).start();
        let record = notifier.uri("alice");
        server.rpc("presence_b2b.subscribe", json!([record, server.uri("watcher"), "dialog"])).expect("an id");
        let mut dialog = notifier.accept(&notifier.expect_subscribe(SOON), 600);
        for (version, (dialogs, said)) in [ringing, &talking, ""].into_iter().zip(said).enumerate() {
            let body = format!(
                "<dialog-info xmlns='urn:ietf:params:xml:ns:dialog-info' version='{version}' state='full' \
                 entity='sip:alice@example.com'>{dialogs}</dialog-info>"
            );
            let notify = Notify::active(600).event("dialog").body("application/dialog-info+xml", body);
            assert_eq!(dialog.notify(notify).status(), 200);
            let told = said.replace("{record}", &record);
            eventually(SOON, &told, || server.log().text().contains(&told).then_some(()));
        }
        server.stop();
    }
}

/// The drop-in replaces the command of Debian's unit and adds nothing but the allocator.
#[test]
fn the_drop_in_is_the_units_command_with_the_allocator() {
    let page = blocks_in("docs/operations.md", "ini").concat();
    let command = page.lines().filter_map(|line| line.strip_prefix("ExecStart=")).find(|line| !line.is_empty());
    let unit = fs::read_to_string("/lib/systemd/system/kamailio.service").expect("the unit of the package");
    let of_unit = unit.lines().find_map(|line| line.strip_prefix("ExecStart=")).expect("a command");
    assert_eq!(command, Some(format!("{} -x tlsf -X tlsf", of_unit.replace(" --atexit=no", "")).as_str()));
}

// -------------------------------------------------------------------------------------------------------------------- C

/// Builds the page's module of this source.
fn watch_log(source: &str) -> (TempDir, PathBuf) {
    let dir = TempDir::with_prefix("watch_log-").expect("a folder");
    let [file, module] = ["watch_log.c", "watch_log.so"].map(|name| dir.path().join(name));
    fs::write(&file, source).expect("the source can be written");
    let cflags = format!("@{}", Path::new(env!("OUT_DIR")).join("cflags").display());
    let mut compiler = Command::new("cc");
    compiler.arg(cflags).args([
        "-DMOD_NAME=\"watch_log\"",
        "-Wall",
        "-Wextra",
        "-Wno-unused-parameter",
        "-Werror",
        "-shared",
    ]);
    compiler.arg("-I").arg(root().join("cshim")).arg("-o").arg(&module).arg(&file);
    let output = compiler.output().expect("cc can be executed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    (dir, module)
}

/// The module and the function of the page.
fn c_examples() -> (String, String) {
    let all = blocks_in("docs/c-api.md", "c");
    let [module, function] = <[String; 2]>::try_from(all).expect("two examples");
    assert!(module.contains("MODULE_VERSION") && function.starts_with("static void log_document("));
    (module, function)
}

/// Loads the module.
fn load(module: &Path, record: &str) -> String {
    let param = |name: &str, value: &str| format!("modparam(\"watch_log\", \"{name}\", \"{value}\")\n");
    format!("loadmodule \"{}\"\n{}{}", module.display(), param("record", record), param("subscriber", SUBSCRIBER))
}

/// The example module is built as the page has it, and does what the page says.
#[test]
fn the_c_example_runs() {
    let (_dir, module) = watch_log(&c_examples().0);
    let presence = PresenceServer::start();
    presence.publish("alice", &pidf(&presence.uri("alice"), "closed", None));
    let server = Server::b2b().route(&load(&module, &presence.uri("alice"))).start();
    eventually(SOON, "the state is logged", || server.log().text().contains("tuple 't1' is closed").then_some(()));
    // What the page says that its reader sees.
    let page = text_of("docs/c-api.md");
    let line = between(&page, "The log has `sip:alice@example.com", "`")[0];
    assert!(server.log().text().contains(&format!("{}{line}", presence.uri("alice"))), "{line}");
    server.stop();
    presence.stop();
}

/// Every error that the header names has a row: what it means, and what to do.
#[test]
fn errors_of_the_c_api_are_described() {
    let header = text_of("cshim/presence_b2b_api.h");
    let errors = section(&text_of("docs/c-api.md"), "Errors").to_owned();
    let list = between(&header, "enum qsa_error\n{", "};")[0];
    let names: Vec<&str> =
        list.lines().filter_map(|line| line.trim().split_once(" = -").map(|(name, _)| name)).collect();
    assert!(names.len() > 10, "{names:?}");
    for name in &names {
        assert!(errors.contains(&format!("\n| `{name}` | ")), "{name}");
    }
    assert_eq!(errors.matches("\n| `QSA_E_").count(), names.len());
}

/// The function for other kinds of documents, called by the module where it logs a message.
#[test]
fn the_c_example_reads_other_documents() {
    let (module, function) = c_examples();
    let place = "static void log_message(";
    let call = "\tif(qsa.message_presentity(message, &presentity) < 0)";
    assert!(module.contains(place) && module.contains(call));
    let with_function = module.replace(place, &format!("{function}\n{place}"));
    let with_function = with_function.replace(call, &format!("\tlog_document(message);\n{call}"));
    let dialogs = "<dialog-info xmlns=\"urn:ietf:params:xml:ns:dialog-info\" version=\"0\" state=\"full\" entity=\"sip:a@h\">\
                   <dialog id=\"1\"><state>early</state><remote><identity>sip:bob@h</identity></remote></dialog></dialog-info>";
    for (package, media_type, body, told) in [
        ("dialog", "application/dialog-info+xml", dialogs, "lamp: early with sip:bob@h"),
        ("message-summary", "application/simple-message-summary", "Voice-Message: 2/8\r\n", "voice-message: 2 new"),
    ] {
        let (_dir, module) =
            watch_log(&with_function.replace("str_init(\"presence\")", &format!("str_init(\"{package}\")")));
        let notifier = Notifier::udp();
        let server = Server::b2b().route(&load(&module, &notifier.uri("alice"))).start();
        let mut dialog = notifier.accept(&notifier.expect_subscribe(SOON), 600);
        let notify = Notify::active(600).event(package).body(media_type, body.to_owned());
        assert_eq!(dialog.notify(notify).status(), 200);
        eventually(SOON, told, || server.log().text().contains(told).then_some(()));
        server.stop();
    }
}
