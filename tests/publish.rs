//! The options `publish` and `publish_as`: remote states become those of users of Kamailio's own presence server.

mod database;
mod ends;
mod local_calls;
mod loops;
mod many;
mod provisioned;
mod refusals;
mod states;
mod unsolicited;

use serde_json::{Value, json};

use crate::support::config::Builder;
use crate::support::kamailio::Server;
use crate::support::notifier::{Dialog, Notifier, Notify};
use crate::support::route::after_notifies;
use crate::support::rpc::RpcError;
use crate::support::wait::SOON;

const DIALOGS: &str = "application/dialog-info+xml";
const MESSAGES: &str = "application/simple-message-summary";

/// The module's routing and the presence server's.
const ROUTE: &str = r#"    if (!t_newtran()) {
        sl_reply_error();
        exit;
    }
    if (is_method("PUBLISH")) {
        handle_publish();
    } else if (is_method("SUBSCRIBE")) {
        handle_subscribe();
    }
    t_release();
}
"#;

/// A server with the module and a presence server with its packages, not told where its states are; with these modules before it.
fn on(modules: &[&str]) -> Builder {
    with_presence(Server::eager(1).tlsf().route(&after_notifies(ROUTE)), modules)
}

fn with_presence(server: Builder, modules: &[&str]) -> Builder {
    let server = server.modparam("presence", "subs_remove_match", 1);
    let presence = ["presence", "presence_xml", "presence_dialoginfo", "presence_mwi"];
    modules
        .iter()
        .chain(&presence)
        .fold(server, |server, module| server.module(module))
        .modparam("presence_xml", "force_active", 1)
        .modparam("presence_xml", "integrated_xcap_server", 1)
}

/// The same with all states in memory.
pub fn bridging() -> Builder {
    in_memory(on(&[]))
}

fn in_memory(server: Builder) -> Builder {
    server.modparam("presence", "subs_db_mode", 0).modparam("presence", "publ_cache", 2)
}

/// Subscribes to a package of a record, with these options.
fn subscribe(server: &Server, record: &str, package: &str, options: &str) -> Result<u64, RpcError> {
    let params = json!([record, server.uri("b2b"), package, options]);
    let id = server.rpc("presence_b2b.subscribe", params)?;
    Ok(id.as_u64().unwrap_or_else(|| panic!("not a plain integer: {id}")))
}

/// A subscription to a record of the notifier that is published as `desk` of the server, accepted.
fn published(server: &Server, notifier: &Notifier, package: &str) -> (u64, Dialog) {
    let options = format!("publish_as=\"{}\"", server.uri("desk"));
    let id = subscribe(server, &notifier.uri("alice"), package, &options).expect("an id");
    let subscribe = notifier.expect_subscribe(SOON);
    (id, notifier.accept(&subscribe, 3600))
}

/// A dialog-info document of one dialog, or of none.
fn dialogs(version: u32, state: Option<&str>) -> String {
    let dialog = |state| format!("<dialog id=\"d{}\"><state>{state}</state></dialog>", version / 100);
    format!(
        "<?xml version=\"1.0\"?>\n<dialog-info xmlns=\"urn:ietf:params:xml:ns:dialog-info\" version=\"{version}\" state=\"full\" \
         entity=\"sip:alice@pbx.example.com\">{}</dialog-info>\n",
        state.map(dialog).unwrap_or_default()
    )
}

/// Says that a dialog is in that state, and that the NOTIFY was taken.
fn tell(dialog: &mut Dialog, version: u32, state: Option<&str>) {
    let notify = Notify::active(3600).body(DIALOGS, dialogs(version, state));
    assert_eq!(dialog.notify(notify).status(), 200);
}

/// A number of `presence_b2b.trace`.
fn count(server: &Server, name: &str) -> u64 {
    let trace: Value = server.trace();
    trace[name].as_u64().unwrap_or_else(|| panic!("no {name} in {trace}"))
}
