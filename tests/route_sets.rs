//! The route set of a dialog, and the SUBSCRIBEs that go by it.

use crate::refresh::server;
use crate::support::endpoint::{Endpoint, Received};
use crate::support::kamailio::Server;
use crate::support::news::TELL;
use crate::support::notifier::{Dialog, Notifier, Notify};
use crate::support::shm::leaves_nothing;
use crate::support::wait::SOON;
use crate::support::watch::{Watch, told};

/// A dialog whose first NOTIFY came with this Record-Route, and its refresh, which comes to `proxy`.
fn routed<'s>(
    server: &'s Server,
    notifier: &Notifier,
    proxy: &Endpoint,
    routes: &[&str],
) -> (Watch<'s>, Dialog, Received) {
    let watch = Watch::begin(server, &notifier.uri("alice"));
    let first = notifier.expect_subscribe(SOON);
    let mut dialog = notifier.dialog(&first);
    // What the 2xx says of the route is forgotten when the NOTIFY says something else.
    dialog.answer(&first, 200, &[("Expires", "600"), ("Record-Route", "<sip:127.0.0.9;lr>")]);
    watch.await_state("confirmed");
    let notify = routes.iter().fold(told(600, "first"), |notify, route| notify.with("Record-Route", route));
    assert_eq!(dialog.notify(notify).status(), 200);
    // The route set is made once: what a later NOTIFY says changes nothing.
    let later = told(600, "second").with("Record-Route", "<sip:127.0.0.8;lr>");
    assert_eq!(dialog.notify(later).status(), 200);
    watch.await_note("second");
    watch.refresh();
    let refresh = proxy.expect_request("SUBSCRIBE", SOON);
    (watch, dialog, refresh)
}

/// Answers through the proxy and ends the subscription through it.
fn end_through(proxy: &Endpoint, watch: Watch<'_>, dialog: &mut Dialog, refresh: &Received) {
    proxy.answer(refresh, &dialog.response(refresh, 200).with("Expires", 600));
    watch.await_state("confirmed");
    watch.unsubscribe();
    let farewell = proxy.expect_request("SUBSCRIBE", SOON);
    assert_eq!(farewell.list("Route"), refresh.list("Route"));
    assert_eq!((farewell.uri(), farewell.need("Expires")), (refresh.uri(), "0"));
    proxy.answer(&farewell, &dialog.response(&farewell, 200).with("Expires", 0));
    assert_eq!(dialog.notify(Notify::terminated("timeout", 0)).status(), 200);
    watch.await_gone(SOON);
}

#[test]
fn goes_by_the_route_set_of_the_notify() {
    let server = server();
    let (notifier, proxy) = (Notifier::udp(), Endpoint::udp());
    let nearest = format!("<sip:{};lr;x=1>", proxy.addr());
    leaves_nothing(&server, || {
        // In the order of the NOTIFY (RFC 3261 §12.1.1), over several lines and in one.
        let lines = [&format!("{nearest}, <sip:second@127.0.0.7;lr>"), "\"Third, of three\" <sip:127.0.0.6;lr>;p=v"];
        let (watch, mut dialog, refresh) = routed(&server, &notifier, &proxy, &lines);
        assert_eq!(refresh.uri(), dialog.contact);
        let wanted = [&nearest, "<sip:second@127.0.0.7;lr>", "\"Third, of three\" <sip:127.0.0.6;lr>;p=v"];
        assert_eq!(refresh.list("Route"), wanted);
        end_through(&proxy, watch, &mut dialog, &refresh);
    });
    server.stop();
}

#[test]
fn goes_through_a_strict_router() {
    let server = server();
    let (notifier, proxy) = (Notifier::udp(), Endpoint::udp());
    let strict = format!("sip:{}", proxy.addr());
    leaves_nothing(&server, || {
        let lines = [&*format!("<{strict}>"), "<sip:second@127.0.0.7;lr>"];
        let (watch, mut dialog, refresh) = routed(&server, &notifier, &proxy, &lines);
        // RFC 3261 §12.2.1.1: its URI is the Request-URI, and the target is the last route.
        assert_eq!(refresh.uri(), strict);
        assert_eq!(refresh.list("Route"), ["<sip:second@127.0.0.7;lr>", &*format!("<{}>", dialog.contact)]);
        end_through(&proxy, watch, &mut dialog, &refresh);
    });
    server.stop();
}

/// The proxy record-routes the SUBSCRIBE and not the NOTIFY, or the other way round. The NOTIFY decides (RFC 6665 §4.4.1), unless
/// the operator knows better.
#[test]
fn the_route_set_of_the_2xx_is_kept_where_the_operator_says_so() {
    let server = Server::b2b().b2b_param("min_resubscribe_time", 0).route(TELL);
    let server = server.b2b_param("package_policy", "dialog: keep_route_set=1").start();
    let (notifier, proxy) = (Notifier::udp(), Endpoint::udp());
    let route = format!("<sip:{};lr>", proxy.addr());
    leaves_nothing(&server, || {
        for (package, in_2xx, in_notify, is_routed) in [
            ("presence", true, false, false),
            ("presence", false, true, true),
            ("dialog", true, false, true),
            ("dialog", false, true, true),
            ("dialog", false, false, false),
        ] {
            for notify_first in [false, true] {
                let watch = Watch::to(&server, &notifier.uri("alice"), package);
                let first = notifier.expect_subscribe(SOON);
                let mut dialog = notifier.dialog(&first);
                let notify = |dialog: &mut Dialog| {
                    let notify = Notify::active(600);
                    let notify = if in_notify { notify.with("Record-Route", &route) } else { notify };
                    assert_eq!(dialog.notify(notify).status(), 200);
                    watch.await_news("the state", |news| news.status == "active");
                };
                let accept = |dialog: &Dialog| {
                    let headers = [("Expires", "600"), ("Record-Route", &*route)];
                    dialog.answer(&first, 200, if in_2xx { &headers } else { &headers[..1] });
                    watch.await_state("confirmed");
                };
                if notify_first {
                    notify(&mut dialog);
                    accept(&dialog);
                } else {
                    accept(&dialog);
                    notify(&mut dialog);
                }
                watch.refresh();
                let what = (package, in_2xx, in_notify, notify_first);
                if is_routed {
                    let refresh = proxy.expect_request("SUBSCRIBE", SOON);
                    assert_eq!((refresh.uri(), refresh.list("Route")), (&*dialog.contact, vec![&*route]), "{what:?}");
                    end_through(&proxy, watch, &mut dialog, &refresh);
                } else {
                    let refresh = dialog.expect_subscribe(SOON);
                    assert_eq!((refresh.uri(), refresh.header("Route")), (&*dialog.contact, None), "{what:?}");
                    dialog.accept(&refresh, 600);
                    watch.await_state("confirmed");
                    watch.end(&mut dialog);
                }
            }
        }
    });
    server.stop();
}
