//! States that would come back to where they are from.

use std::time::Duration;

use super::{DIALOGS, bridging, count, dialogs, subscribe};
use crate::support::endpoint::Endpoint;
use crate::support::kamailio::Server;
use crate::support::log::Mark;
use crate::support::phone::Phone;
use crate::support::wait::{SOON, eventually};

#[test]
fn a_circle_inside_a_server_is_refused() {
    let server = bridging().b2b_param("max_subscribe_delay", 3600).start();
    let uri = |user: &str| server.uri(user);
    let publish = |record: &str, target: &str| {
        subscribe(&server, &uri(record), "dialog", &format!("id={target};publish_as=\"{}\"", uri(target)))
            .map_err(|error| error.message)
    };
    publish("a", "b").expect("a as b");
    publish("b", "c").expect("b as c");
    for record in ["b", "c"] {
        let refusal = publish(record, "a").expect_err("a circle");
        assert!(refusal.contains("its state would go round in a circle: set another publish_as"), "{refusal}");
    }
    // Its own state is no circle, as it changes nothing.
    publish("a", "a").expect("a as a");
    subscribe(&server, &uri("c"), "presence", &format!("publish_as=\"{}\"", uri("a"))).expect("another package");
    server.stop();
}

/// Publishes the state of a dialog at a server, as a phone does.
fn call(phone: &Endpoint, server: &Server, etag: Option<&str>, state: &str) -> String {
    let user = server.uri("desk");
    let publish = phone.fresh_request("PUBLISH", &user, &user, &user).with("Event", "dialog").with("Expires", 600);
    let publish = etag.into_iter().fold(publish, |publish, etag| publish.with("SIP-If-Match", etag));
    let answer = phone.exchange(&publish.with_body(DIALOGS, dialogs(101, Some(state))), server.addr(), SOON);
    assert_eq!(answer.status(), 200, "{}", answer.message);
    answer.need("SIP-ETag").to_owned()
}

#[test]
fn a_circle_through_another_server_dies_down() {
    let broken = "is published any more, and watchers see it as unknown: the dialog d1 is in it twice";
    let servers = [(); 2].map(|()| bridging().allow_log(broken).start());
    let [one, other] = &servers;
    let desk = |server: &Server| server.uri("desk");
    for (server, far) in [(one, other), (other, one)] {
        subscribe(server, &desk(far), "dialog", &format!("publish_as=\"{}\"", desk(server))).expect("an id");
    }
    for server in &servers {
        eventually(SOON, "both are subscribed", || (count(server, "delivered") > 0).then_some(()));
    }
    let mut lamp = Phone::watch(one.addr(), &desk(one), "dialog");
    let phone = Endpoint::udp();
    let etag = call(&phone, one, None, "early");
    lamp.await_lamp("early");
    let stopped = || servers.iter().any(|server| !server.log().since(Mark::default(), broken).is_empty());
    eventually(SOON, "the circle is seen", || stopped().then_some(()));
    // It goes on for a while, and not for ever.
    let all = || servers.each_ref().map(|server| (count(server, "published"), count(server, "received")));
    eventually(SOON, "it is quiet", || {
        let before = all();
        std::thread::sleep(Duration::from_millis(300));
        (all() == before).then_some(())
    });
    assert_eq!(lamp.lamp(), "early");
    call(&phone, one, Some(&etag), "confirmed");
    lamp.await_lamp("confirmed");
    let told = all().map(|(published, _)| published).iter().sum::<u64>();
    assert!(told < 40, "{told} updates");
    servers.into_iter().for_each(Server::stop);
}
