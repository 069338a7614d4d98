//! Every script function in every language: the same calls have the same results and the same lines of the log.

use std::collections::BTreeSet;

use super::languages::{Given, KEMI, Language, call, errors_since, text};
use crate::documentation::{functions::FUNCTIONS, named, section, text_of};
use crate::event_route::said;
use crate::support::b2b::farewell;
use crate::support::config::{Builder, version};
use crate::support::endpoint::{
    Endpoint,
    Transport::{self, Tcp, Udp},
};
use crate::support::kamailio::Server;
use crate::support::log::Mark;
use crate::support::notifier::{Dialog, Notifier, Notify};
use crate::support::pidf::pidf;
use crate::support::shm::leaves_nothing;
use crate::support::wait::SOON;

/// Where in the life of one subscription a call is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    Before,
    Pending,
    Active,
    After,
}

use When::{Active, After, Before, Pending};

/// Function, values, what it returns, and a part of the error, if there is one: `R` is the record, `S` the subscriber.
type Case = (When, Transport, &'static str, &'static [&'static str], &'static str, &'static str);

const CASES: &[Case] = &[
    (Before, Udp, "handle_notify", &[], "-1", ""),
    (Before, Udp, "b2b_flow_lost", &[], "-1", ""),
    (Before, Tcp, "b2b_flow_lost", &[], "1", ""),
    (Before, Udp, "b2b_state", &["R", "", ""], "-2", ""),
    (Before, Udp, "b2b_state", &["", "", ""], "-2", ""),
    (Before, Udp, "b2b_state", &["R", "S", "presense"], "-2", "unknown event package \"presense\""),
    (Before, Udp, "b2b_unsubscribe", &["R", "S", "presence"], "-1", "no such subscription"),
    (Before, Udp, "b2b_unsubscribe", &["", "", ""], "-1", "no such subscription"),
    (Before, Udp, "b2b_credentials", &["R", "S", "", "user", "secret"], "-1", "no such subscription"),
    (Before, Udp, "b2b_subscribe", &["", "S", "presence", ""], "-1", "the record is empty"),
    (Before, Udp, "b2b_subscribe", &["R", "", "presence", ""], "-1", "the subscriber is not a SIP URI"),
    (Before, Udp, "b2b_subscribe", &["R", "watcher", "presence", ""], "-1", "the subscriber is not a SIP URI"),
    (Before, Udp, "b2b_subscribe", &["R", "S", "presense", ""], "-1", "unknown event package \"presense\""),
    (Before, Udp, "b2b_subscribe", &["R", "S", "presence", "x"], "-1", "unknown flag in \"x\""),
    (Before, Udp, "b2b_subscribe", &["R", "S", "presence", "d"], "-1", "the flag d needs the module dialog"),
    (Before, Udp, "b2b_subscribe", &["sip:nobody@registered.example", "S", "", "r"], "-2", ""),
    (Before, Udp, "b2b_subscribe_with", &["R", "S", "", "", "expires=0"], "-1", "option expires is \"0\""),
    (Before, Udp, "b2b_subscribe_with", &["", "", "", "", ""], "-1", "the record is empty"),
    (Before, Udp, "b2b_subscribe_with", &["R", "S", "presence", "", "keep"], "1", ""),
    (Pending, Udp, "b2b_state", &["R", "S", "presence"], "-1", ""),
    (Pending, Udp, "b2b_credentials", &["R", "S", "presence", "us:er", "secret"], "-1", "user name"),
    (Pending, Udp, "b2b_credentials", &["R", "S", "presence", "user", "HA1:x"], "-1", "HA1"),
    (Pending, Udp, "b2b_credentials", &["R", "S", "", "user", "secret"], "1", ""),
    (Active, Udp, "b2b_state", &["R", "", ""], "1", ""),
    (Active, Udp, "b2b_state", &["R", "S", "presence"], "1", ""),
    (Active, Udp, "b2b_state", &["R", "sip:other@example.org", ""], "-2", ""),
    (Active, Udp, "b2b_subscribe_with", &["R", "S", "presence", "", "keep"], "1", ""),
    (Active, Udp, "b2b_subscribe", &["R", "S", "presence", ""], "-1", "options"),
    (Active, Udp, "b2b_unsubscribe", &["R", "S", "presense"], "-1", "unknown event package \"presense\""),
    (Active, Udp, "b2b_unsubscribe", &["R", "S", ""], "1", ""),
    (After, Udp, "b2b_unsubscribe", &["R", "S", ""], "-1", "no such subscription"),
    (After, Udp, "b2b_state", &["R", "S", "presence"], "-2", ""),
    (After, Udp, "b2b_subscribe", &["R", "S", "", ""], "1", ""),
];

/// A server that logs each of these errors.
fn builder(language: Language) -> Builder {
    let server = language.server(0, 0).registrar().b2b_param("local_domains", "registered.example");
    let errors = CASES.iter().map(|case| case.5).filter(|part| !part.is_empty());
    errors.fold(server, Builder::allow_log).allow_log("handle_notify: the script has answered this request already")
}

/// Makes the calls of one part of the life; what they returned and logged, one line for each.
fn calls(server: &Server, record: &str, part: When) -> Vec<String> {
    let subscriber = server.uri("watcher");
    let mut lines = Vec::new();
    for (when, transport, function, values, result, error) in CASES {
        if *when != part {
            continue;
        }
        let of = |value: &&'static str| match *value {
            "R" => record.to_owned(),
            "S" => subscriber.clone(),
            value => value.to_owned(),
        };
        let given: Vec<String> = values.iter().map(of).collect();
        let given: Vec<Given<'_>> = given.iter().map(|value| text(value)).collect();
        let (returned, errors) = call(server, *transport, function, &given);
        assert_eq!(&returned, result, "{function} {values:?}: {errors:?}");
        match &errors[..] {
            [] => assert!(error.is_empty(), "{function} {values:?}: nothing is logged"),
            [line] => assert!(!error.is_empty() && line.contains(error), "{function} {values:?}: {line}"),
            lines => panic!("{function} {values:?}: {lines:?}"),
        }
        let logged = errors.concat().replace(record, "R").replace(&subscriber, "S");
        // The subscription's own id differs.
        let logged = logged.split(' ').filter(|word| word.parse::<u64>().is_err()).collect::<Vec<_>>().join(" ");
        lines.push(format!("{function}({values:?}) is {returned}: {logged}"));
    }
    lines
}

/// A life in this language, with all calls.
fn life(language: Language) -> Vec<String> {
    let notifier = Notifier::udp();
    let record = notifier.uri("alice");
    let server = builder(language).start();
    let mut lines = Vec::new();
    leaves_nothing(&server, || {
        lines.clear();
        lines.extend(calls(&server, &record, Before));
        let first = notifier.expect_subscribe(SOON);
        lines.push(format!("local request: {:?}", first.header("X-Local")));
        let mut dialog = notifier.accept(&first, 600);
        handled(&server, &mut dialog, Notify::pending(600), "1");
        lines.extend(calls(&server, &record, Pending));
        handled(&server, &mut dialog, Notify::active(600).pidf(&pidf(&record, "open", None)), "1");
        let mut stranger = dialog.clone();
        stranger.remote = "<sip:watcher@192.0.2.1>;tag=nobody".into();
        handled(&server, &mut stranger, Notify::active(600), "-1");
        lines.push(answered(&server));
        lines.extend(calls(&server, &record, Active));
        farewell(&mut dialog);
        server.await_no_subscription();
        lines.extend(calls(&server, &record, After));
        let mut dialog = notifier.activate(&notifier.expect_subscribe(SOON), 600);
        let (returned, _) =
            call(&server, Udp, "b2b_unsubscribe", &[text(&record), text(&server.uri("watcher")), text("presence")]);
        assert_eq!(returned, "1");
        farewell(&mut dialog);
        server.await_no_subscription();
    });
    server.stop();
    lines
}

/// A NOTIFY, and what `handle_notify()` returns.
fn handled(server: &Server, dialog: &mut Dialog, notify: Notify, returned: &str) {
    let mark = server.log().mark();
    assert_eq!(dialog.notify(notify).status(), if returned == "1" { 200 } else { 481 });
    assert_eq!(said(server, mark, "HANDLED "), returned);
}

/// `handle_notify()` after the script has answered.
fn answered(server: &Server) -> String {
    let mark = server.log().mark();
    let peer = Endpoint::udp();
    let uri = server.uri("script");
    let request = peer.fresh_request("OPTIONS", &uri, &uri, &uri).with("X-Call", "answered");
    assert_eq!(peer.exchange(&request, server.addr(), SOON).status(), 200);
    assert_eq!(said(server, mark, "RETURNED "), "-1");
    let errors = errors_since(server, mark);
    assert!(errors.len() == 1 && errors[0].contains("answered this request already"), "{errors:?}");
    errors.concat()
}

/// All calls do the same in all languages.
#[test]
fn each_function_does_the_same_in_each_language() {
    for function in FUNCTIONS.map(|function| named(function.name)) {
        let results = CASES.iter().filter(|case| case.2 == function).map(|case| case.4.starts_with('-'));
        let told: BTreeSet<bool> = results.collect();
        let is_handled = function == "handle_notify";
        assert!(told.contains(&true) && (is_handled || told.contains(&false)), "{function}: add its calls to CASES");
    }
    let native = life(Language::Native);
    for language in KEMI {
        let told = life(language);
        assert_eq!(told.len(), native.len());
        for (of_language, of_native) in told.iter().zip(&native) {
            assert_eq!(of_language, of_native, "{language:?}");
        }
    }
}

/// A function that is declared is there for the script.
#[test]
fn each_function_is_there_in_each_language() {
    for language in KEMI {
        let server = language.server(0, 0).start();
        for function in FUNCTIONS {
            let name = named(function.name);
            let (found, errors) = call(&server, Udp, "exists", &[text(name)]);
            assert_eq!((found.as_str(), errors.len()), ("function", 0), "{language:?} has no {name}");
        }
        assert_ne!(call(&server, Udp, "exists", &[text("b2b_nothing")]).0, "function");
        server.stop();
    }
}

/// What the page says of values that are no text: the row, and what is given.
const ODD: [(&str, &str, &str); 4] = [
    ("a number", "number", "17"),
    ("null, nil, None", "nothing", ""),
    ("undefined", "undefined", ""),
    ("a boolean", "boolean", ""),
];

/// The cells of the page's table: one for each language.
fn page_says(row: &str) -> Vec<String> {
    let page = text_of("docs/functions.md");
    let line = section(&page, "KEMI").lines().find_map(|line| line.strip_prefix(&format!("| {row} | ")));
    let line = line.unwrap_or_else(|| panic!("the page has no row {row}"));
    line.trim_end_matches(" |").split(" | ").map(|cell| cell.replace('`', "")).collect()
}

/// What became of a value that is no text, as the page says it.
fn became(returned: &str, errors: &[String], given: &str) -> String {
    let unknown = |text: &str| errors.iter().any(|line| line.contains(&format!("unknown event package \"{text}\"")));
    let texts = [given, "null", "undefined", "true"];
    match texts.into_iter().find(|text| !text.is_empty() && unknown(text)) {
        Some(found) if found == given => "its digits".to_owned(),
        Some(found) => format!("the text {found}"),
        None if returned.starts_with("raised ") => "exception".to_owned(),
        None if returned.eq_ignore_ascii_case("false") => "false".to_owned(),
        None if returned == "-2" && errors.is_empty() => "empty text".to_owned(),
        None => format!("{returned} {errors:?}"),
    }
}

/// Wrong types, and too few or too many values: nothing crashes, and all is as the page says.
#[test]
fn odd_values_are_taken_as_the_page_says() {
    for (at, language) in KEMI.into_iter().enumerate() {
        // The last column is Python's since 6.0.
        let at = at + usize::from(at + 1 == KEMI.len() && version() >= (6, 0));
        let server = language.server(0, 0).allow_log("unknown event package").allow_log("parameters for: ");
        let server =
            server.allow_log("b2b_").allow_log("non-string parameter").allow_log("invalid number of parameters");
        let server = server.allow_log("unable to retrieve s").start();
        leaves_nothing(&server, || {
            for (row, kind, given) in ODD {
                // The package: what it is, is in the error.
                let values = [text("sip:alice@192.0.2.1"), text(""), (given, kind)];
                let (returned, errors) = call(&server, Udp, "b2b_state", &values);
                assert_eq!(became(&returned, &errors, given), page_says(row)[at], "{language:?} {row}");
                odd_everywhere(&server, (given, kind));
            }
            let all = [text("sip:alice@192.0.2.1"); 7];
            for (row, count) in [("none", 0), ("too few", 2), ("more, at most six", 6), ("more than six", 7)] {
                let (returned, errors) = call(&server, Udp, "b2b_unsubscribe", &all[..count]);
                let told = match &returned[..] {
                    "-1" => "ignored".to_owned(),
                    _ => became(&returned, &errors, ""),
                };
                assert_eq!(told, page_says(row)[at], "{language:?} {row}: {errors:?}");
            }
        });
        server.stop();
    }
}

/// A value that is no text at each place of each function: the function is never true, and an error says why.
fn odd_everywhere(server: &Server, odd: Given<'_>) {
    for function in FUNCTIONS.into_iter().filter(|function| function.kemi > 0) {
        let name = named(function.name);
        for place in 0..function.kemi {
            let mut values = vec![text("x"); function.kemi];
            values[place] = odd;
            let (returned, errors) = call(server, Udp, name, &values);
            let is_false = returned.starts_with('-') || returned.starts_with("raised ") || returned == "False";
            assert!(is_false, "{name} {values:?}: {returned}");
            let is_told = !errors.is_empty() || returned.starts_with("raised ");
            assert!(is_told || name == "b2b_state", "{name} {values:?}: nothing says why");
        }
    }
}

/// The server goes on after an exception in `ksr_request_route`; the log says what it was.
#[test]
fn an_exception_in_the_route_harms_no_other_request() {
    for language in KEMI {
        let server = language.server(0, 0).allow_log("boom");
        let server = server.allow_log("error executing: ksr_request_route").allow_log("apy_exec: ksr_request_route");
        let server = server.start();
        let mark: Mark = server.log().mark();
        let peer = Endpoint::udp();
        let uri = server.uri("script");
        peer.send(&peer.fresh_request("OPTIONS", &uri, &uri, &uri).with("X-Call", "raise"), server.addr());
        crate::support::wait::eventually(SOON, "the log says so", || {
            server.log().text_since(mark).contains("boom in the route").then_some(())
        });
        assert_eq!(call(&server, Udp, "b2b_flow_lost", &[]).0, "-1", "{language:?}");
        server.stop();
    }
}
