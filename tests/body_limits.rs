//! The largest body of a NOTIFY (`max_body`), and the largest message of the server.

use crate::support::config::largest_message;
use crate::support::kamailio::Server;
use crate::support::news::TELL;
use crate::support::notifier::{Notifier, Notify};
use crate::support::pidf::pidf;
use crate::support::shm::leaves_nothing;
use crate::support::watch::Watch;

/// Up to the operator's bound. It also applies to bodies of other types.
#[test]
fn the_operator_sets_the_limit_of_a_body() {
    let told = |server: &Server| {
        server.log().text().lines().find(|line| line.contains("modparam max_body is")).map(str::to_owned)
    };
    let cases =
        [(2000, 16_384, false), (60_000, 65_535, false), (1_000_000, 2_097_152, false), (1_000_000, 16_384, true)];
    for (limit, buffer, is_said) in cases.into_iter().filter(|(_, buffer, _)| *buffer <= largest_message()) {
        let buffer = format!("tcp_rd_buf_size={buffer}");
        let queue = ("subscription_queue_bytes", 4_194_304);
        let server = Server::b2b()
            .b2b_param("max_body", limit as i64)
            .b2b_param(queue.0, queue.1)
            .global(&buffer)
            .route(TELL)
            .start();
        assert_eq!(told(&server).is_some_and(|line| line.contains("WARNING")), is_said, "{limit}");
        if is_said {
            server.stop();
            continue;
        }
        let notifier = Notifier::tcp();
        leaves_nothing(&server, || {
            let (watch, mut dialog, _) = Watch::standing(&server, &notifier, 600);
            let document = pidf("sip:alice@example.com", "closed", Some("at the limit"));
            let filled = |length: usize| format!("{document}{}", " ".repeat(length - document.len()));
            assert_eq!(dialog.notify(Notify::active(600).pidf(&filled(limit + 1))).status(), 413, "{limit}");
            assert_eq!(dialog.notify(Notify::active(600).pidf(&filled(limit))).status(), 200, "{limit}");
            assert_eq!(watch.await_note("at the limit").basic, "closed");
            watch.end(&mut dialog);
        });
        server.stop();
    }
    let server = Server::b2b().start();
    assert!(told(&server).is_some_and(|line| line.contains("INFO") && line.contains("tcp_rd_buf_size")));
    server.stop();
}
