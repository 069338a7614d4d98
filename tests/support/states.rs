//! The newest states as a script sees them, and the documents of dialogs that they are made of.

use serde_json::json;

use super::endpoint::Endpoint;
use super::kamailio::Server;
use super::notifier::{Dialog, Notifier, Notify};
use super::wait::SOON;

/// What the script answers to a request with these headers: the reason phrase of its 200.
pub fn said(server: &Server, peer: &Endpoint, method: &str, headers: &[(&str, &str)]) -> String {
    let uri = server.uri("script");
    let request = peer.fresh_request(method, &uri, &uri, &uri);
    let request = headers.iter().fold(request, |request, (name, value)| request.with(name, *value));
    let answer = peer.exchange(&request, server.addr(), SOON).to_string();
    let (first, _) = answer.split_once('\n').expect("a first line");
    first.strip_prefix("SIP/2.0 200 ").unwrap_or_else(|| panic!("{answer}")).trim_end().to_owned()
}

/// A subscription of this user of the server, and its dialog: record, package and options.
pub fn subscribed(server: &Server, notifier: &Notifier, user: &str, terms: [&str; 3]) -> (u64, Dialog) {
    let [record, package, options] = terms;
    let parameters = json!([record, server.uri(user), package, options]);
    let id = server.rpc("presence_b2b.subscribe", parameters).expect("an id").as_u64().expect("a number");
    (id, notifier.accept(&notifier.expect_subscribe(SOON), 600))
}

/// One dialog of a document: its id, its state and who is at the other side.
pub fn dialog(id: &str, state: &str, remote: &str) -> String {
    format!("<dialog id=\"{id}\"><state>{state}</state><remote><identity>{remote}</identity></remote></dialog>")
}

/// A NOTIFY with a document of dialogs; `state` is `full` or `partial`.
pub fn dialogs(version: u32, state: &str, dialogs: &[String]) -> Notify {
    let dialogs = dialogs.concat();
    let body = format!(
        "<?xml version=\"1.0\"?><dialog-info xmlns=\"urn:ietf:params:xml:ns:dialog-info\" version=\"{version}\" \
         state=\"{state}\" entity=\"sip:101@example.com\">{dialogs}</dialog-info>"
    );
    Notify::active(600).body("application/dialog-info+xml", body)
}
