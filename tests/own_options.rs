//! Options of one subscription that change its requests, their way, and what it takes of a NOTIFY.

use crate::options::{builder, call, subscribe};
use crate::support::b2b::farewell;
use crate::support::notifier::{Notifier, Notify};
use crate::support::shm::leaves_nothing;
use crate::support::sip::Message;
use crate::support::wait::SOON;

/// Its own header lines are in each SUBSCRIBE of the subscription and in no other one's, and operators see them.
#[test]
fn own_header_lines_in_every_subscribe() {
    let notifier = Notifier::udp();
    let record = notifier.uri("alice");
    let server = builder().b2b_param("additional_presence_headers", "X-All: 1\r\n").start();
    let own = |message: &Message| {
        [message.header("X-All"), message.header("X-Tenant"), message.header("Subject")]
            .map(|one| one.map(str::to_owned))
    };
    let wanted = ["1", "42", "a;b \"c\""].map(|value| Some(value.to_owned()));
    leaves_nothing(&server, || {
        let options = "header=\"X-Tenant: 42\"; header=\"Subject: a;b \\\"c\\\"\"";
        let id = subscribe(&server, &record, "presence", options).expect("an id");
        let first = notifier.expect_subscribe(SOON);
        assert_eq!(own(&first.message), wanted, "{}", first.message);
        let mut dialog = notifier.activate(&first, 600);
        let shown = server.await_shown(id, "state", "confirmed");
        assert_eq!(shown["options"], "header=\"X-Tenant: 42\";header=\"Subject: a;b \\\"c\\\"\"");
        assert!(call(&server, "subscribe_with", &record, "presence", options), "the same again");
        assert!(subscribe(&server, &record, "presence", "header=\"X-Tenant: 43\"").is_err(), "another one");
        subscribe(&server, &record, "presence", "id=plain").expect("an id");
        let other = notifier.expect_subscribe(SOON);
        assert_eq!(own(&other.message)[1..], [None, None]);
        let mut other = notifier.activate(&other, 600);
        server.refresh(id);
        let refresh = dialog.expect_subscribe(SOON);
        assert_eq!(own(&refresh.message), wanted, "{}", refresh.message);
        dialog.accept(&refresh, 600);
        server.await_shown(id, "state", "confirmed");
        server.unsubscribe(id);
        let last = dialog.expect_subscribe(SOON);
        assert_eq!((last.header("Expires"), own(&last.message)), (Some("0"), wanted.clone()));
        dialog.accept(&last, 0);
        assert_eq!(dialog.notify(Notify::terminated("timeout", 0)).status(), 200);
        assert!(call(&server, "unsubscribe", &record, "presence;id=plain", ""));
        farewell(&mut other);
        server.await_no_subscription();
    });
    server.stop();
}
