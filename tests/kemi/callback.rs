//! The callback in every language: what it raises harms no other message.

use super::languages::{KEMI, Language};
use crate::support::kamailio::Server;
use crate::support::notifier::{Notifier, Notify};
use crate::support::pidf::pidf;
use crate::support::shm::leaves_nothing;
use crate::support::wait::{SOON, eventually};

/// The notifier sends five messages, and each is delivered.
fn deliver(server: &Server, notifier: &Notifier) {
    let (record, mark) = (notifier.uri("alice"), server.log().mark());
    let id = server.subscribe(&record, &server.uri("watcher"));
    let mut dialog = notifier.accept(&notifier.expect_subscribe(SOON), 600);
    for number in 1..=5 {
        let note = format!("n{number}");
        assert_eq!(dialog.notify(Notify::active(600).pidf(&pidf(&record, "open", Some(&note)))).status(), 200);
        eventually(SOON, "it is delivered", || (server.trace()["queued"] == 0).then_some(()));
    }
    let last = "|note=text n5|";
    eventually(SOON, last, || server.log().text_since(mark).contains(last).then_some(()));
    let trace = server.trace();
    assert!(trace["received"] == trace["delivered"] && trace["dropped"] == 0, "{trace}");
    server.end(id, &mut dialog);
}

/// What the log has since then: the numbers of the messages that were shown, and of the exceptions.
fn sequence(log: &str) -> String {
    let mut all = String::new();
    for line in log.lines() {
        if let Some((_, note)) = line.split_once("|note=text ") {
            all += &note[..2];
        } else if line.contains("ERROR: app_") && !line.contains("error executing: on_qsa") {
            all += "!";
        }
    }
    all
}

/// Where the exception was raised: function or file of the script, in the lines of the engine.
fn names_the_place(language: Language, log: &str) -> bool {
    let place = match language {
        Language::JavaScript => "at on_qsa (",
        Language::Lua => "kamailio.lua:",
        _ => "in on_qsa",
    };
    log.contains(place)
}

#[test]
fn an_exception_in_the_callback_harms_no_other_message() {
    for language in KEMI {
        let notifier = Notifier::udp();
        let server = language.server(2, 4).allow_log("boom").allow_log("error executing: on_qsa");
        let server = server.allow_log("apy_exec: on_qsa").allow_log("has not read $qsa").start();
        leaves_nothing(&server, || deliver(&server, &notifier));
        let log = server.log().text();
        let own = "the function on_qsa of modparam event_callback has not read $qsa(...) of a message";
        server.stop();
        // Message 2 is raised at before it is read, and message 4 behind that.
        assert!(sequence(&log).starts_with("n1!n3n4!n5"), "{language:?}: {log}");
        for boom in ["boom before", "boom after"] {
            assert!(log.contains(boom), "{language:?}: {log}");
        }
        assert!(names_the_place(language, &log), "{language:?}: {log}");
        // The module's own line, once: of the message whose callback has read nothing.
        assert_eq!(log.matches(own).count(), 1, "{language:?}");
    }
}
