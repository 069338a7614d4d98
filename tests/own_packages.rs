//! Event packages that the operator has registered.

use serde_json::{Value, json};

use crate::c_api;
use crate::support::b2b::farewell;
use crate::support::config::Builder;
use crate::support::kamailio::Server;
use crate::support::notifier::{Notifier, Notify};
use crate::support::pidf::pidf;
use crate::support::shm::leaves_nothing;
use crate::support::wait::{SOON, eventually};

const FEATURE: &str = "application/x-as-feature-event+xml";
const PIDF: &str = "application/pidf+xml";

/// Subscribes for the script too, and logs what it gets: type and body in hexadecimal digits.
const ROUTES: &str = r#"event_route[qsa:notify] {
    xlog("L_NOTICE", "BODY|$qsa(package)|$qsa(status)|$qsa(content_type)|$(qsa(body){s.encode.hexa})|\n");
}
route[OWN_PACKAGE] {
    b2b_subscribe("sip:x@127.0.0.1:9", "sip:y@127.0.0.1", "x.template;id=a", "", "expires=60");
}"#;

fn server() -> Server {
    builder().start()
}

fn builder() -> Builder {
    Server::b2b()
        .b2b_param("min_resubscribe_time", 0)
        .b2b_param("package", format!("as-feature-event: accept={FEATURE}; forking=first"))
        .b2b_param("package", format!("x.template: accept=text/plain, {PIDF}; forking=all"))
        .b2b_param("package_policy", "as-feature-event: default_expiration=1234; 404=never")
        .b2b_param("additional_presence_headers", "X-Who: me\r\n")
        .route(ROUTES)
}

fn subscribe(server: &Server, notifier: &Notifier, package: &str) -> u64 {
    let params = json!([notifier.uri("alice"), server.uri("watcher"), package]);
    server.rpc("presence_b2b.subscribe", params).expect("an id").as_u64().expect("a number")
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

/// Its SUBSCRIBE asks for its bodies, by its policy; they are handed on as they are, and nothing else is taken.
#[test]
fn its_bodies_are_handed_on_whole() {
    let (server, notifier) = (server(), Notifier::udp());
    leaves_nothing(&server, || {
        let id = subscribe(&server, &notifier, "as-feature-event");
        let first = notifier.expect_subscribe(SOON);
        assert_eq!((first.need("Event"), first.headers("Accept")), ("as-feature-event", vec![FEATURE]));
        assert_eq!((first.need("Expires"), first.need("X-Who")), ("1234", "me"));
        assert_eq!(first.header("Supported"), None);
        let mut dialog = notifier.accept(&first, 600);
        for body in ["<DoNotDisturbEvent><device/>", "not XML at all: <\u{1}&\r\n\r\n"] {
            let mark = server.log().mark();
            let kind = "Application/X-AS-feature-event+xml;charset=utf-8";
            assert_eq!(dialog.notify(Notify::active(600).body(kind, body)).status(), 200, "{body:?}");
            let told = eventually(SOON, "the body", || server.log().since(mark, "BODY|").pop());
            assert!(told.ends_with(&format!("BODY|as-feature-event|active|{kind}|{}|", hex(body))), "{told}");
        }
        let document = pidf(&notifier.uri("alice"), "open", None);
        let foreign = dialog.notify(Notify::active(600).pidf(&document));
        assert_eq!((foreign.status(), foreign.need("Accept")), (415, FEATURE));
        let wrong = dialog.notify(Notify::active(600).event("presence"));
        let known = "presence, presence.winfo, dialog, reg, message-summary, as-feature-event, x.template";
        assert_eq!((wrong.status(), wrong.need("Allow-Events")), (489, known));

        let shown = server.show(id);
        assert_eq!((&shown["package"], &shown["state"]), (&json!("as-feature-event"), &json!("confirmed")));
        let only = |package: &str| server.rpc("presence_b2b.list", json!([0, 10, format!("package={package}")]));
        assert_eq!(only("as-feature-event").expect("a list")[0]["id"], id);
        assert_eq!(only("x.template").expect("a list"), json!([]));
        let unknown = only("as-feature").expect_err("no such package").message;
        assert!(
            unknown.contains("unknown event package \"as-feature\"") && unknown.contains("as-feature-event"),
            "{unknown}"
        );
        server.unsubscribe(id);
        farewell(&mut dialog);
        server.await_no_subscription();

        // Its policy says what a 404 is.
        let mark = server.log().mark();
        subscribe(&server, &notifier, "as-feature-event");
        notifier.reject(&notifier.expect_subscribe(SOON), 404, &[]);
        let told = eventually(SOON, "the end", || server.log().since(mark, "BODY|").pop());
        assert!(told.contains("BODY|as-feature-event|rejected|"), "{told}");
        server.await_no_subscription();
    });
    server.stop();
}

/// A body type that the module reads is read, in any package; the others are not.
#[test]
fn known_body_types_are_checked() {
    let (server, notifier) = (server(), Notifier::udp());
    leaves_nothing(&server, || {
        let id = subscribe(&server, &notifier, "x.template;id=a");
        let first = notifier.expect_subscribe(SOON);
        let accept = format!("text/plain, {PIDF}");
        assert_eq!((first.need("Event"), first.need("Accept")), ("x.template;id=a", &*accept));
        let mut dialog = notifier.accept(&first, 600);
        for (kind, body, status) in [
            (PIDF, "<presence/>", 200),
            (PIDF, "<presence>", 400),
            ("text/plain", "<presence>", 200),
            (FEATURE, "<presence/>", 415),
        ] {
            let notify = Notify::active(600).event("x.template;id=a").body(kind, body);
            assert_eq!(dialog.notify(notify).status(), status, "{kind} {body}");
        }
        server.end(id, &mut dialog);
    });
    server.stop();
}

/// As the operator says of the package: one dialog, or one with each notifier.
#[test]
fn forks_are_as_the_operator_says() {
    let [one, other] = [(); 2].map(|()| Notifier::udp());
    let server = server();
    leaves_nothing(&server, || {
        for (package, status) in [("as-feature-event", 481), ("x.template", 200)] {
            let id = subscribe(&server, &one, package);
            let first = one.expect_subscribe(SOON);
            let (mut dialog, mut forked) = (one.activate(&first, 600), other.dialog(&first));
            assert_eq!(forked.notify(Notify::active(600)).status(), status, "{package}");
            server.unsubscribe(id);
            farewell(&mut dialog);
            if status == 200 {
                farewell(&mut forked);
            }
            server.await_no_subscription();
        }
    });
    server.stop();
}

/// The module answers for it like for its own, to a C module too.
#[test]
fn a_c_module_subscribes_to_it() {
    let notifier = Notifier::udp();
    let server = c_api::builder(1000).b2b_param("package", format!("as-feature-event: accept={FEATURE}")).start();
    let record = notifier.uri("alice");
    let id = c_api::call(&server, "subscribe", json!(["as-feature-event", record, "sip:watcher@example.org"]));
    let mut dialog = notifier.accept(&notifier.expect_subscribe(SOON), 600);
    assert_eq!(dialog.notify(Notify::active(600).body(FEATURE, "<x/>")).status(), 200);
    let news = eventually(SOON, "the body", || server.rpc("qsa_test.pop", json!([])).ok().filter(has_body));
    assert_eq!((&news["id"], &news["content_type"], &news["body"]), (&id, &json!(FEATURE), &json!("<x/>")), "{news}");
    c_api::call(&server, "unsubscribe", json!([id]));
    farewell(&mut dialog);
    server.await_no_subscription();
    server.stop();
}

fn has_body(news: &Value) -> bool {
    news["body"] == "<x/>"
}

/// A constant of the script is judged by the packages that there are.
#[test]
fn the_script_knows_it() {
    server().stop();
    let said = Server::b2b().route(ROUTES).start_refused();
    let wanted = "b2b_subscribe, parameter 3: unknown event package \"x.template\"";
    assert!(said.contains(wanted), "{said}");
}

#[test]
fn what_cannot_be_a_package_refuses_the_start() {
    let cases: [(&[&str], &str); 7] = [
        (&["presence: accept=a/b"], "\"presence\" is wrong: there is a package of this name already"),
        (&["x: accept=a/b", "x: accept=c/d"], "\"x\" is wrong: there is a package of this name already"),
        (&["x y: accept=a/b"], "\"x y\" is wrong: an event type must be a token"),
        (&["x: accept=a"], "\"a\" is wrong: a body type must be type/subtype"),
        (&["x: forking=all"], "accept is missing"),
        (&["x: accept=a/b; forking=some"], "\"forking=some\" is wrong: forking must be first or all"),
        (&["x: accept=a/b; reader=none"], "\"reader=none\" is wrong: it must be \"name: accept="),
    ];
    for (packages, wanted) in cases {
        let builder = packages.iter().fold(Server::b2b(), |builder, package| builder.b2b_param("package", *package));
        let said = builder.start_refused();
        assert!(said.contains("ERROR: presence_b2b") && said.contains("modparam package is"), "{said}");
        assert!(said.contains(wanted), "{said} lacks {wanted}");
    }
    let many = (0..33).fold(Server::b2b(), |builder, one| builder.b2b_param("package", format!("x{one}: accept=a/b")));
    let said = many.start_refused();
    assert!(said.contains("\"x32\" is wrong: there may be 32 packages beside those of the module"), "{said}");
}
