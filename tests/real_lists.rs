//! Kamailio's own server of resource lists (`rls`) as the notifier.

use std::time::Duration;

use serde_json::json;

use crate::support::kamailio::Server;
use crate::support::pidf::pidf;
use crate::support::presence_server::PresenceServer;
use crate::support::wait::{SOON, eventually};

const TELL: &str = r#"event_route[qsa:notify] {
    xlog("L_NOTICE", "LIST|$qsa(list)|$qsa(record)|$qsa(status)|$qsa(reason)|$qsa(basic)|$qsa(note)|\n");
}"#;

#[test]
fn a_real_list_server_tells_each_of_three() {
    let presence = PresenceServer::builder().list(&["ann", "bob", "cleo"]).start();
    let server = Server::b2b().b2b_param("min_resubscribe_time", 0).route(TELL).start();
    let user = |name: &str| presence.uri(name);
    presence.publish("ann", &pidf(&user("ann"), "open", Some("at the desk")));
    let params = json!([presence.uri("friends"), "sip:watcher@example.org", "presence", "list"]);
    let id = server.rpc("presence_b2b.subscribe", params).expect("an id").as_u64().expect("a plain integer");
    let newest = |name: &str| {
        let lines = server.log().text();
        let of = format!("|{}|", user(name));
        lines.lines().rfind(|line| line.contains("LIST|") && line.contains(&of)).map(str::to_owned)
    };
    let shows = |name: &str, wanted: &str| {
        eventually(SOON, &format!("{name}: {wanted}"), || newest(name).filter(|line| line.contains(wanted)));
    };
    shows("ann", "|active||open|at the desk|");
    presence.publish("bob", &pidf(&user("bob"), "open", Some("at lunch")));
    shows("bob", "|active||open|at lunch|");
    presence.publish("ann", &pidf(&user("ann"), "closed", Some("gone")));
    shows("ann", "|active||closed|gone|");
    server.unsubscribe(id);
    // It sends no last NOTIFY: the module waits for Timer N.
    let is_over = || (server.trace()["subscriptions"] == 0).then_some(());
    eventually(Duration::from_secs(45), "no subscription is left", is_over);
    server.stop();
    presence.stop();
}
