//! Against Kamailio's own notifiers of dialogs, registrations, waiting messages and watchers: fields say what was published.

use crate::captured::route;
use crate::support::kamailio::Server;
use crate::support::log::Mark;
use crate::support::presence_server::{PresenceBuilder, PresenceServer};
use crate::support::shm::leaves_nothing;
use crate::support::wait::{SOON, eventually};
use crate::support::watch::Watch;

/// The modules of its other packages; `presence.winfo` is of `presence_xml`.
const MODULES: [&str; 3] = ["presence_dialoginfo", "presence_mwi", "presence_reginfo"];

const DIALOGS: (&str, &str) = ("dialog", "application/dialog-info+xml");
const MESSAGES: (&str, &str) = ("message-summary", "application/simple-message-summary");
const REGISTRATIONS: (&str, &str) = ("reg", "application/reginfo+xml");

fn presence() -> PresenceBuilder {
    PresenceServer::builder().packages(&MODULES)
}

fn server() -> Server {
    let server = Server::b2b().modparam("xlog", "buf_size", 16_384).b2b_param("min_resubscribe_time", 0);
    server.b2b_param("resubscribe_delta", 1).route(&route()).start()
}

/// Waits until the last that the event route was told of a subscription has all these fields.
fn await_fields(server: &Server, watch: &Watch<'_>, fields: &[(&str, &str)]) {
    let begin = format!("TOLD {} ", watch.id);
    eventually(SOON, &format!("{fields:?}"), || {
        let lines = server.log().since(Mark::default(), &begin);
        let last = lines.last()?.replace(".END", "|");
        let has = |(name, value): &(&str, &str)| last.contains(&format!("|{name}={value}|"));
        fields.iter().all(has).then_some(())
    });
}

/// Subscribes to a package of alice, publishes these documents one after the other, and awaits the fields of each.
fn says_what_is_published((package, content_type): (&str, &str), states: &[(String, &[(&str, &str)])]) {
    let presence = presence().start();
    let server = server();
    leaves_nothing(&server, || {
        let watch = Watch::to(&server, &presence.uri("alice"), package);
        watch.await_state("confirmed");
        for (document, fields) in states {
            presence.publish_as(package, content_type, "alice", document);
            await_fields(&server, &watch, fields);
        }
        watch.unsubscribe();
        watch.await_gone(SOON * 2);
        // Who comes later is told the same.
        let late = Watch::to(&server, &presence.uri("alice"), package);
        await_fields(&server, &late, states.last().expect("a state").1);
        late.unsubscribe();
        late.await_gone(SOON * 2);
        // presence accepts no documents of a dialog after its end.
        presence.unpublish_as(package, "alice");
    });
    server.stop();
    presence.stop();
}

#[test]
fn a_lamp_shows_what_presence_dialoginfo_notifies() {
    let dialog = |state: &str| {
        format!(
            "<?xml version=\"1.0\"?>\n<dialog-info xmlns=\"urn:ietf:params:xml:ns:dialog-info\" version=\"0\" state=\"full\" \
             entity=\"sip:alice@example.com\">\n<dialog id=\"d1\" call-id=\"c1\" local-tag=\"l\" remote-tag=\"r\" \
             direction=\"recipient\"><state>{state}</state><remote><identity display=\"Bob &amp; Co\">sip:bob@example.com\
             </identity></remote></dialog>\n</dialog-info>\n"
        )
    };
    let common =
        [("direction", "recipient"), ("call_id", "c1"), ("remote_uri", "sip:bob@example.com"), ("dialogs", "1")];
    let with =
        |state: &'static str| [common.as_slice(), &[("dialog_state", state), ("remote_name", "Bob & Co")]].concat();
    let [early, confirmed, ended] = ["early", "confirmed", "terminated"].map(with);
    says_what_is_published(
        DIALOGS,
        &[(dialog("early"), &early), (dialog("confirmed"), &confirmed), (dialog("terminated"), &ended)],
    );
}

#[test]
fn counts_are_those_that_presence_mwi_notifies() {
    let some = "Messages-Waiting: yes\r\nMessage-Account: sip:alice@example.com\r\nVoice-Message: 4/8 (1/2)\r\n";
    let none = "Messages-Waiting: no\r\nVoice-Message: 0/8\r\n";
    let account = ("account", "sip:alice@example.com");
    says_what_is_published(
        MESSAGES,
        &[
            (some.to_owned(), &[("waiting", "yes"), account, ("voice_new", "4"), ("voice_urgent_old", "2")]),
            (none.to_owned(), &[("waiting", "no"), ("account", "<null>"), ("voice_new", "0"), ("voice_old", "8")]),
        ],
    );
}

#[test]
fn contacts_are_those_that_presence_reginfo_notifies() {
    let registration = |contacts: &str, state: &str| {
        format!(
            "<?xml version=\"1.0\"?>\n<reginfo xmlns=\"urn:ietf:params:xml:ns:reginfo\" version=\"0\" state=\"full\">\n\
             <registration aor=\"sip:alice@example.com\" id=\"a7\" state=\"{state}\">{contacts}</registration>\n</reginfo>\n"
        )
    };
    let contact = |number: usize, state: &str, event: &str| {
        format!(
            "<contact id=\"{number}\" state=\"{state}\" event=\"{event}\" expires=\"90\"><uri>sip:alice@192.0.2.{number}</uri></contact>"
        )
    };
    let both = contact(1, "active", "registered") + &contact(2, "active", "registered");
    let one = contact(1, "terminated", "expired") + &contact(2, "active", "refreshed");
    let aor = ("aor", "sip:alice@example.com");
    says_what_is_published(
        REGISTRATIONS,
        &[
            (
                registration(&both, "active"),
                &[
                    aor,
                    ("contacts", "2"),
                    ("contact", "sip:alice@192.0.2.1"),
                    ("expires", "90"),
                    ("reg_state", "active"),
                ],
            ),
            (
                registration(&one, "active"),
                &[aor, ("contacts", "1"), ("contact", "sip:alice@192.0.2.2"), ("contact_event", "refreshed")],
            ),
        ],
    );
}

/// `presence` tells of the watchers of alice itself, which are subscriptions of the module too.
#[test]
fn watchers_are_those_that_presence_knows() {
    // For this package presence 5.6.3 always reads its table of waiting watchers, also if it keeps all in memory. Without a database
    // it then calls a null function (`add_waiting_watchers` in notify.c; 6.0.1 has the same code) and ends by a signal.
    let presence = presence().sqlite().start();
    let server = server();
    leaves_nothing(&server, || {
        let watch = Watch::to(&server, &presence.uri("alice"), "presence.winfo");
        watch.await_state("confirmed");
        await_fields(&server, &watch, &[("watchers", "0"), ("watcher", "<null>")]);
        let other = Watch::of(&server, &presence.uri("alice"), "other");
        let uri = server.uri("other");
        other.await_state("confirmed");
        await_fields(&server, &watch, &[("watchers", "1"), ("watcher", &uri), ("watcher_status", "active")]);
        other.unsubscribe();
        other.await_gone(SOON * 2);
        await_fields(&server, &watch, &[("watchers", "0")]);
        watch.unsubscribe();
        watch.await_gone(SOON * 2);
    });
    server.stop();
    presence.stop();
}
