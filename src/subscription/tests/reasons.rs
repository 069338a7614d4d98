//! Reasons: their texts, their pages, and the memory they take.

use std::collections::BTreeSet;

use super::super::reason::Described;
use super::*;

/// The first column of the table under a heading of a page.
fn texts_under<'a>(page: &'a str, heading: &str) -> BTreeSet<&'a str> {
    let (_, section) = page.split_once(heading).expect(heading);
    let section = section.split("\n## ").next().unwrap_or_default();
    section.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`')).map(|(text, _)| text).collect()
}

#[test]
fn the_pages_list_all_that_the_module_says() {
    let texts = |by: Described| {
        let described = Reason::ALL.iter().filter(|reason| reason.described() == by);
        described.map(|reason| reason.text()).collect::<BTreeSet<_>>()
    };
    assert_eq!(texts_under(include_str!("../../../docs/states.md"), "\n## Reasons\n"), texts(Described::Module));
    let page = include_str!("../../../docs/authentication.md");
    assert_eq!(texts_under(page, "\n## When there is no answer\n"), texts(Described::Challenge));
}

#[test]
fn each_is_found_by_its_text_and_no_other_is() {
    for reason in Reason::ALL.iter().copied() {
        assert_eq!(Reason::find(reason.text().as_bytes()), Some(reason));
        assert_eq!(Brief::from(reason).as_str(), reason.text());
    }
    for other in ["ok", "OK ", "Gone", "Deactivated", "no notify"] {
        assert_eq!(Reason::find(other.as_bytes()), None);
    }
}

/// A dead destination holds all its subscriptions at the same time.
#[test]
fn a_hold_takes_no_memory() {
    let holds = [
        (HeldBy::Rate, "held back by rate"),
        (HeldBy::RetryAfter, "destination held"),
        (HeldBy::Breaker, "destination does not answer"),
        (HeldBy::Lookup, "waiting for name or connection"),
        (HeldBy::Unreached, "waiting for name or connection"),
    ];
    for (by, text) in holds {
        let mut life = Life::active(3600);
        life.due();
        let before = life.account.out();
        for _ in 0..2 {
            life.account.allow(0);
            life.hold(by, secs(60));
            life.account.allow_all();
            assert_eq!(life.snapshot().last_reason, text);
            assert!(life.account.out() <= before);
            life.due();
        }
    }
}

/// A failure has its reason even without memory; the words of a peer need some.
#[test]
fn only_words_of_a_peer_take_memory() {
    let failed = |fail: &dyn Fn(u32) -> Input<'static>| {
        let mut life = Life::asking();
        let cseq = life.request().cseq;
        life.account.allow(0);
        let output = life.give(fail(cseq));
        (told(&output).2, life.snapshot().last_reason)
    };
    let both = |text: &str| (text.to_owned(), text.to_owned());
    assert_eq!(failed(&|cseq| Input::SendFailed { cseq }), both("send failed"));
    assert_eq!(failed(&|cseq| Input::NoWay { cseq }), both("no way to the target"));
    assert_eq!(failed(&|cseq| Input::Dropped { cseq }), both("dropped by script"));
    let reply = |reason| move |cseq| Input::Reply(Reply { cseq, code: 503, reason, ..Reply::default() });
    assert_eq!(failed(&reply(b"Service Unavailable")), both("Service Unavailable"));
    assert_eq!(failed(&reply(b"Overloaded")), ("Overloaded".to_owned(), String::new()));
}
