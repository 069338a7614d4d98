//! Documents with versions: watcherinfo (RFC 3858 §4.2), reginfo (RFC 3680 §5.2) and dialog-info (RFC 4235 §4.3). Each tells
//! the whole state or what has changed since the one before.

use std::time::Duration;

use crate::support::endpoint::Received;
use crate::support::kamailio::Server;
use crate::support::log::Mark;
use crate::support::notifier::{Dialog, Notifier, Notify};
use crate::support::presence_server::PresenceServer;
use crate::support::shm::leaves_nothing;
use crate::support::wait::{SOON, eventually};
use crate::support::watch::Watch;

/// Package, type of its documents and their root.
const PACKAGES: [(&str, &str, &str); 3] = [
    ("presence.winfo", "application/watcherinfo+xml", "watcherinfo"),
    ("reg", "application/reginfo+xml", "reginfo"),
    ("dialog", "application/dialog-info+xml", "dialog-info"),
];

/// Status and body of each message.
const BODIES: &str = r#"event_route[qsa:notify] {
    xlog("L_NOTICE", "BODY|$qsa(id)|$qsa(status)|$qsa(body)|\n");
}"#;

/// A subscription to one of the packages, and what its subscriber has been told.
struct Versions<'s> {
    watch: Watch<'s>,
    server: &'s Server,
    mark: Mark,
    dialog: Dialog,
    media_type: &'static str,
    root: &'static str,
    told: Vec<(String, String)>,
}

impl<'s> Versions<'s> {
    fn begin(
        server: &'s Server,
        notifier: &Notifier,
        (package, media_type, root): (&str, &'static str, &'static str),
    ) -> Versions<'s> {
        let mark = server.log().mark();
        let watch = Watch::to(server, &notifier.uri("alice"), package);
        let subscribe = notifier.expect_subscribe(SOON);
        assert_eq!(subscribe.need("Accept"), media_type);
        let dialog = notifier.accept(&subscribe, 600);
        watch.await_state("confirmed");
        Versions { watch, server, mark, dialog, media_type, root, told: Vec::new() }
    }

    fn document(&self, version: &str, state: &str) -> String {
        let root = self.root;
        format!(
            "<?xml version='1.0'?><{root} xmlns='urn:ietf:params:xml:ns:{root}' version='{version}' state='{state}'/>"
        )
    }

    /// A NOTIFY that is answered 200.
    fn notify(&mut self, notify: Notify, body: &str) {
        let answer = self.dialog.notify(notify.body(self.media_type, body));
        assert_eq!(answer.status(), 200, "{body}");
    }

    fn heard(&self) -> Vec<(String, String)> {
        let parts = |line: String| -> Option<(String, String)> {
            let mut parts = line.split_once(&format!("BODY|{}|", self.watch.id))?.1.splitn(2, '|');
            let (status, body) = (parts.next()?, parts.next()?);
            Some((status.to_owned(), body.strip_suffix('|')?.to_owned()))
        };
        self.server.log().since(self.mark, "BODY|").into_iter().filter_map(parts).collect()
    }

    /// A document that is handed on as it is, after all those before and nothing else.
    fn tells(&mut self, version: &str, state: &str) {
        let body = self.document(version, state);
        self.notify(Notify::active(600), &body);
        self.told.push(("active".to_owned(), body));
        let heard = eventually(SOON, "a message", || {
            let heard = self.heard();
            (heard.len() >= self.told.len()).then_some(heard)
        });
        assert_eq!(heard, self.told);
    }

    fn refresh(&self) -> Received {
        let refresh = self.dialog.expect_subscribe(SOON);
        assert_eq!(refresh.need("Expires"), "3600", "{}", refresh.message);
        refresh
    }

    /// There are no further messages, and the next refresh is far away.
    fn end(mut self) {
        let left = self.watch.number("next_action_in");
        assert!(left > 60, "{left}");
        assert_eq!(self.heard(), self.told);
        self.watch.end(&mut self.dialog);
    }
}

fn server() -> Server {
    Server::b2b().b2b_param("min_resubscribe_time", 0).route(BODIES).start()
}

#[test]
fn what_has_a_higher_cseq_is_handed_on() {
    let server = server();
    let notifier = Notifier::udp();
    leaves_nothing(&server, || {
        for package in PACKAGES {
            let mut versions = Versions::begin(&server, &notifier, package);
            versions.tells("0", "full");
            versions.tells("1", "partial");
            versions.tells("2", "partial");
            // It has started again, in the same dialog.
            versions.tells("0", "full");
            versions.tells("1", "partial");
            versions.tells("10", "full");
            versions.tells("11", "partial");
            // Some do not count, and send the whole state each time.
            versions.tells("11", "full");
            notifier.endpoint.expect_none("SUBSCRIBE", Duration::from_millis(200));
            versions.end();
        }
    });
    server.stop();
}

#[test]
fn changes_behind_a_gap_are_followed_by_a_refresh() {
    let server = server();
    let notifier = Notifier::udp();
    leaves_nothing(&server, || {
        for package in PACKAGES {
            let mut versions = Versions::begin(&server, &notifier, package);
            versions.tells("7", "full");
            versions.tells("9", "partial");
            let refresh = versions.refresh();
            // Documents that come before it is answered cause no further refresh.
            versions.tells("11", "partial");
            versions.dialog.accept(&refresh, 600);
            versions.watch.await_state("confirmed");
            versions.tells("12", "full");
            versions.tells("13", "partial");
            notifier.endpoint.expect_none("SUBSCRIBE", Duration::from_millis(1500));
            versions.end();
        }
    });
    server.stop();
}

#[test]
fn changes_to_nothing_are_followed_by_a_refresh() {
    let server = server();
    let notifier = Notifier::udp();
    leaves_nothing(&server, || {
        let mut versions = Versions::begin(&server, &notifier, PACKAGES[1]);
        versions.tells("3", "partial");
        let refresh = versions.refresh();
        versions.dialog.accept(&refresh, 600);
        versions.tells("4", "full");
        versions.watch.await_state("confirmed");
        versions.end();
    });
    server.stop();
}

#[test]
fn the_largest_versions() {
    let server = server();
    let notifier = Notifier::udp();
    leaves_nothing(&server, || {
        for package in PACKAGES {
            let mut versions = Versions::begin(&server, &notifier, package);
            versions.tells("4294967294", "full");
            versions.tells("4294967295", "partial");
            // A version beyond 32 bits, or one that is not a number, is ignored.
            for none in ["4294967296", "99999999999999999999", "-1", ""] {
                versions.tells(none, "partial");
            }
            versions.tells("0", "partial");
            versions.tells("1", "partial");
            notifier.endpoint.expect_none("SUBSCRIBE", Duration::from_millis(200));
            versions.end();
        }
    });
    server.stop();
}

#[test]
fn what_is_no_such_document_is_refused() {
    let server = Server::b2b().b2b_param("min_resubscribe_time", 3600).route(BODIES).start();
    let notifier = Notifier::udp();
    leaves_nothing(&server, || {
        for package @ (_, media_type, root) in PACKAGES {
            let mut versions = Versions::begin(&server, &notifier, package);
            versions.tells("0", "full");
            for body in [
                format!("<{root} version='1' state='partial'>"),
                format!("<{root} xmlns='urn:ietf:params:xml:ns:pidf' version='1'/>"),
                "<presence xmlns='urn:ietf:params:xml:ns:pidf' version='1' state='partial'/>".to_owned(),
                format!("<!DOCTYPE x><{root} version='1'/>"),
            ] {
                let answer = versions.dialog.notify(Notify::active(600).body(media_type, body.as_str()));
                assert_eq!(answer.status(), 400, "{body}");
            }
            versions.tells("1", "partial");
            versions.end();
        }
    });
    server.stop();
}

/// Watcherinfo from a presence server that counts its documents: changes, and the whole state after each refresh.
#[test]
fn a_real_presence_server_tells_who_watches() {
    // Without a database, presence 5.6.3 crashes at a SUBSCRIBE for this package: see real_packages.rs.
    let presence = PresenceServer::builder().sqlite().start();
    let server = server();
    leaves_nothing(&server, || {
        let mark = server.log().mark();
        let record = presence.uri("alice");
        let winfo = Watch::to(&server, &record, "presence.winfo");
        // The root of each document is on a line of its own.
        let documents = |state: &str| {
            let is_wanted = |line: &String| line.contains(&format!("state=\"{state}\""));
            server.log().since(mark, "<watcherinfo ").into_iter().filter(is_wanted).count()
        };
        eventually(SOON, "the whole state", || (documents("full") == 1).then_some(()));
        let mut watches = Vec::new();
        for number in 1..=3 {
            watches.push(Watch::of(&server, &record, &format!("watcher{number}")));
            eventually(SOON, "a watcher", || (documents("partial") == number).then_some(()));
            winfo.refresh();
            eventually(SOON, "the whole state", || (documents("full") == 1 + number).then_some(()));
        }
        let told = server.log().since(mark, "<watcherinfo ");
        for (number, document) in (1..).zip(&told) {
            assert!(document.contains(&format!(" version=\"{number}\" ")), "{told:#?}");
        }
        // The first, and those that were asked for.
        assert_eq!(winfo.number("local_cseq"), 4, "no refresh but those");
        for watch in watches {
            watch.unsubscribe();
            watch.await_gone(SOON);
        }
        winfo.unsubscribe();
        server.await_no_subscription();
    });
    server.stop();
    presence.stop();
}
