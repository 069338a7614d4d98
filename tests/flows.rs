//! A lost connection: the subscriptions over it are refreshed at once, over a new one.

use std::time::Duration;

use crate::c_api::build;
use crate::support::config::Builder;
use crate::support::kamailio::Server;
use crate::support::leaks::leaves_nothing_anywhere;
use crate::support::notifier::{Dialog, Notifier, Notify};
use crate::support::shm::leaves_nothing;
use crate::support::wait::{SOON, eventually};
use crate::support::watch::{Watch, told};

/// A server that may send the next SUBSCRIBE at once, and that gives up soon.
fn builder() -> Builder {
    Server::eager(1).gives_up_after(2000).bad_connections()
}

/// How tcpops has the script tell of closed connections.
const TELL_LOSS: &str = r#"event_route[tcp:closed] {
    if (b2b_flow_lost()) xlog("L_NOTICE", "TOLD $conid\n");
}
event_route[tcp:timeout] {
    if (b2b_flow_lost()) xlog("L_NOTICE", "TOLD TIMEOUT $conid\n");
}"#;

/// The server asks a quiet peer every second whether it is there, and gives up after two questions.
fn alert(builder: Builder) -> Builder {
    let builder = builder.global("tcp_keepalive=yes").global("tcp_keepidle=1");
    builder.global("tcp_keepintvl=1").global("tcp_keepcnt=2")
}

fn accept(dialog: &mut Dialog, within: Duration) {
    let refresh = dialog.expect_subscribe(within);
    assert_ne!(refresh.header("Expires"), Some("0"));
    dialog.accept(&refresh, 600);
    assert_eq!(dialog.notify(Notify::active(600)).status(), 200);
}

/// The dialog stays active after the notifier has closed its connections.
fn goes_on(server: &Server) {
    let notifier = Notifier::tcp();
    leaves_nothing(server, || {
        let (watch, mut dialog, _) = Watch::standing(server, &notifier, 600);
        let before = watch.show()["call_id"].clone();
        for _ in 0..2 {
            notifier.endpoint.hang_up();
            accept(&mut dialog, SOON);
        }
        assert_eq!(watch.show()["call_id"], before, "the same dialog");
        watch.end(&mut dialog);
    });
}

#[test]
fn a_lost_connection_is_made_again_by_a_refresh() {
    let server = builder().start();
    goes_on(&server);
    server.stop();
}

#[test]
fn all_subscriptions_over_it_are_refreshed_and_no_other() {
    let server = builder().start();
    let [lost, kept] = [Notifier::tcp(), Notifier::tcp()];
    leaves_nothing(&server, || {
        let mut over = Vec::new();
        for n in 0..20 {
            let watch = Watch::of(&server, &lost.uri("alice"), &format!("watcher{n}"));
            let mut dialog = lost.accept(&lost.expect_subscribe(SOON), 600);
            assert_eq!(dialog.notify(told(600, "first")).status(), 200);
            watch.await_note("first");
            over.push((watch, dialog));
        }
        let (other, mut others, _) = Watch::standing(&server, &kept, 600);
        let before = other.number("local_cseq");
        lost.endpoint.hang_up();
        for (_, dialog) in &mut over {
            accept(dialog, SOON);
        }
        assert_eq!(other.number("local_cseq"), before);
        for (watch, mut dialog) in over {
            watch.end(&mut dialog);
        }
        other.end(&mut others);
    });
    server.stop();
}

#[test]
fn a_notifier_that_has_forgotten_is_subscribed_to_anew_at_once() {
    let server = builder().start();
    let notifier = Notifier::tcp();
    leaves_nothing(&server, || {
        let (watch, dialog, first) = Watch::standing(&server, &notifier, 600);
        notifier.endpoint.hang_up();
        let refresh = dialog.expect_subscribe(SOON);
        dialog.answer(&refresh, 481, &[]);
        let again = notifier.expect_subscribe(SOON);
        assert_ne!(again.header("Call-ID"), first.header("Call-ID"));
        let mut dialog = notifier.accept(&again, 600);
        assert_eq!(dialog.notify(told(600, "again")).status(), 200);
        watch.await_note("again");
        watch.end(&mut dialog);
    });
    server.stop();
}

#[test]
fn nothing_is_sent_when_the_parameter_says_so_or_the_server_itself_closes_an_idle_connection() {
    let idle = builder().global("tcp_connection_lifetime=1").start();
    let off = builder().b2b_param("refresh_on_flow_loss", 0).start();
    let notifiers = [Notifier::tcp(), Notifier::tcp()];
    let [(one, mut first, _), (two, mut second, _)] =
        [Watch::standing(&idle, &notifiers[0], 600), Watch::standing(&off, &notifiers[1], 600)];
    notifiers[1].endpoint.hang_up();
    for server in [&idle, &off] {
        // A process that reads holds it for some seconds beyond its lifetime.
        eventually(4 * SOON, "the connection is closed", || (server.connections() == 0).then_some(()));
    }
    // A refresh would come within two seconds.
    notifiers[0].endpoint.expect_none("SUBSCRIBE", Duration::from_secs(3));
    notifiers[1].endpoint.expect_none("SUBSCRIBE", Duration::ZERO);
    one.end(&mut first);
    two.end(&mut second);
    idle.stop();
    off.stop();
}

/// The server's newest versions report a connection that they close as idle as a timeout. Here every version reports it so.
#[test]
fn a_timeout_that_is_idleness_is_no_loss() {
    let load = format!("loadmodule \"{}\"", build("tcp_test", &["tcp_test.c"]).display());
    let server = builder().route(&load).start();
    let notifier = Notifier::tcp();
    let (watch, mut dialog, _) = Watch::standing(&server, &notifier, 600);
    let closed = |how: &str| server.rpc("tcp_test.closed", serde_json::json!([how])).expect("it is told");
    closed("idle");
    // A refresh would come within two seconds.
    notifier.endpoint.expect_none("SUBSCRIBE", Duration::from_secs(3));
    for how in ["eof", "error", "send", "forced"] {
        watch.await_state("confirmed");
        closed(how);
        accept(&mut dialog, SOON);
        // The connection works, so that the next loss is not consecutive.
        watch.await_state("confirmed");
        server.refresh(watch.id);
        accept(&mut dialog, SOON);
    }
    watch.end(&mut dialog);
    server.stop();
}

#[test]
fn the_script_tells_where_another_module_listens() {
    let server =
        builder().module("tcpops").route(TELL_LOSS).allow_log("another module listens to closed connections").start();
    goes_on(&server);
    assert!(server.log().text().contains("TOLD "));
    server.stop();
}

/// Nobody closes the connection of a peer that is unplugged: it times out. That is a loss, not idleness.
#[test]
fn a_connection_that_times_out_is_lost() {
    let servers = [
        alert(builder()).start(),
        alert(builder())
            .module("tcpops")
            .route(TELL_LOSS)
            .allow_log("another module listens to closed connections")
            .start(),
    ];
    for server in &servers {
        let notifier = Notifier::tcp();
        let (watch, mut dialog, _) = Watch::standing(server, &notifier, 600);
        notifier.endpoint.unplug();
        accept(&mut dialog, 3 * SOON);
        watch.end(&mut dialog);
    }
    assert!(servers[1].log().text().contains("TOLD TIMEOUT "));
    for server in servers {
        server.stop();
    }
}

/// If a peer closes the connection of a SUBSCRIBE, the subscription does not wait for tm's timeout.
#[test]
fn a_subscribe_whose_connection_is_lost_has_failed() {
    let builder = || Server::eager(1).gives_up_after(30_000);
    // If a sender waits for its connection, another process reports it.
    for server in [builder().start(), builder().global("tcp_async=no").start()] {
        has_failed(&server);
        server.stop();
    }
}

fn has_failed(server: &Server) {
    let notifier = Notifier::tcp();
    let watch = Watch::begin(server, &notifier.uri("alice"));
    notifier.expect_subscribe(SOON);
    notifier.endpoint.hang_up();
    watch.await_news("the failure", |news| (news.code, news.reason.as_str()) == (0, "connection lost"));
    // It is counted once it is reported.
    eventually(SOON, "one failure of the destination", || {
        let rows = server.rpc("presence_b2b.destinations", serde_json::json!([])).expect("destinations");
        (rows[0]["failures"] == 1).then_some(())
    });
    // The same for a refresh, which stays in its dialog.
    let mut dialog = notifier.accept(&notifier.expect_subscribe(SOON), 600);
    assert_eq!(dialog.notify(told(600, "first")).status(), 200);
    watch.await_note("first");
    watch.await_state("confirmed");
    server.refresh(watch.id);
    dialog.expect_subscribe(SOON);
    notifier.endpoint.hang_up();
    watch.await_news("the failure of the refresh", |news| {
        (news.status.as_str(), news.reason.as_str()) == ("active", "connection lost")
    });
    accept(&mut dialog, SOON);
    watch.end(&mut dialog);
}

/// A server whose processes pause after each send, before they know which connection it used.
fn sleepy(builder: Builder) -> Server {
    let rest = r#"event_route[siptrace:msg] {
    usleep("300000");
    drop();
}"#;
    let builder = builder.module("cfgutils").module("siptrace").modparam("siptrace", "trace_on", 1);
    builder.modparam("siptrace", "trace_to_database", 0).modparam("siptrace", "trace_mode", 1).route(rest).start()
}

/// The same when the connection is lost before the process that has sent over it knows which one it was.
#[test]
fn a_connection_that_is_lost_before_the_send_returns_is_a_failure_too() {
    let builder = || Server::eager(1).gives_up_after(30_000);
    for server in [sleepy(builder()), sleepy(builder().global("tcp_async=no"))] {
        let notifier = Notifier::tcp();
        let watch = Watch::begin(&server, &notifier.uri("alice"));
        notifier.expect_subscribe(SOON);
        notifier.endpoint.hang_up();
        watch.await_news("the failure", |news| (news.code, news.reason.as_str()) == (0, "connection lost"));
        let mut dialog = notifier.accept(&notifier.expect_subscribe(SOON), 600);
        assert_eq!(dialog.notify(told(600, "first")).status(), 200);
        watch.await_note("first");
        watch.end(&mut dialog);
        server.stop();
    }
}

/// A notifier that closes each connection after its answer gets requests at growing intervals.
#[test]
fn losses_in_a_row_back_off() {
    let server = builder().b2b_param("on_error_retry_time", 100).start();
    let notifier = Notifier::tcp();
    let (watch, mut dialog, _) = Watch::standing(&server, &notifier, 600);
    watch.await_state("confirmed");
    notifier.endpoint.hang_up();
    accept(&mut dialog, SOON);
    watch.await_state("confirmed");
    notifier.endpoint.hang_up();
    let shown = server
        .show_when(watch.id, "it waits", |shown| shown["next_action_in"].as_u64().is_some_and(|next| next <= 100));
    assert!(shown["next_action_in"].as_u64().is_some_and(|next| next >= 90), "{shown}");
    watch.end(&mut dialog);
    server.stop();
}

#[test]
fn lost_connections_leave_nothing_anywhere() {
    let server = Server::eager(100).children(1).b2b_param("workers", 1).b2b_param("breaker_failures", 0);
    let server = server.gives_up_after(1000).start();
    let notifier = Notifier::tcp();
    leaves_nothing_anywhere(&server, || {
        let watch = Watch::begin(&server, &notifier.uri("alice"));
        notifier.expect_subscribe(SOON);
        notifier.endpoint.hang_up();
        watch.await_news("the failure", |news| news.status == "terminated");
        watch.unsubscribe();
        watch.await_gone(SOON);
    });
    server.stop();
}

/// The refresh over a new connection, and its NOTIFY.
#[test]
fn refreshes_over_a_new_connection_leave_nothing_anywhere() {
    let server = builder().children(1).b2b_param("workers", 1).start();
    let notifier = Notifier::tcp();
    leaves_nothing_anywhere(&server, || {
        let (watch, mut dialog, _) = Watch::standing(&server, &notifier, 600);
        notifier.endpoint.hang_up();
        accept(&mut dialog, SOON);
        watch.await_state("confirmed");
        watch.end(&mut dialog);
    });
    server.stop();
}
