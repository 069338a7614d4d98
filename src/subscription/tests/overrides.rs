//! An operator's policy for a package, in place of the default rules.

use super::*;
use crate::grammar::{RouteSet, Tag};
use crate::testing::uris;

/// The first SUBSCRIBE is in flight, by these overrides of the package.
fn asking(overrides: Vec<Override>) -> Life {
    let own = Policy { overrides, ..policy() };
    let mut life = Life::unstarted(Policy {
        packages: vec![(package::DIALOG.number, policy()), (package::PRESENCE.number, own)],
        ..policy()
    });
    life.give(Input::Start);
    life.due();
    life
}

fn active(overrides: Vec<Override>) -> Life {
    let mut life = asking(overrides);
    life.reply(200);
    life.notify("active");
    life.pass(secs(1000));
    life.give(Input::Refresh);
    life.due();
    life
}

#[test]
fn each_package_has_its_own_values() {
    let own = Policy { default_expiration: secs(7200), resubscribe_delta: secs(100), ..policy() };
    for (package, asks, due) in [(package::PRESENCE, 7200, 7100.0), (package::REG, 3600, 3570.0)] {
        let mut life = Life::unstarted(Policy { packages: vec![(package.number, own.clone())], ..policy() });
        life.give(Input::Start);
        life.due();
        assert_eq!(life.request().expires, asks);
        life.notify("active");
        life.reply(200);
        assert_eq!(life.due_in(), due);
    }
}

#[test]
fn a_code_is_followed_by_what_was_said() {
    for code in [300, 305, 403, 404, 406, 423, 481, 489, 503, 603, 699] {
        let said = |action| vec![after_codes(code, code, action)];
        let mut life = asking(said(Action::AtOnce));
        assert_eq!(told(&life.reply(code)), (Status::Terminated, code, "phrase".into(), Some(30)), "at once");
        let mut life = asking(said(Action::BackOff));
        assert_eq!(told(&life.reply(code)), (Status::Terminated, code, "phrase".into(), Some(120)), "backed off");
        let mut life = asking(said(Action::Never));
        let output = life.reply(code);
        assert_eq!(told(&output), (Status::Rejected, code, "phrase".into(), None), "never");
        assert!(output.forget && output.news.unwrap().last);

        let mut life = active(said(Action::Never));
        let output = life.reply(code);
        assert_eq!(told(&output), (Status::Rejected, code, "phrase".into(), None), "never, to a refresh");
        assert!(output.forget);
    }
}

/// Operators cannot change which codes end a dialog.
#[test]
fn a_dialog_stands_as_before() {
    for action in [Action::AtOnce, Action::BackOff] {
        let mut life = active(vec![after_codes(300, 699, action)]);
        let at = if action == Action::AtOnce { 30 } else { 120 };
        assert_eq!(told(&life.reply(403)), (Status::Active, 403, "phrase".into(), Some(at)));
        assert_eq!(life.state(), "confirmed");
        for code in [404, 481, 489] {
            let mut life = active(vec![after_codes(300, 699, action)]);
            assert_eq!(told(&life.reply(code)), (Status::Terminated, code, "phrase".into(), Some(at)));
            assert_eq!(life.snapshot().call_id, "");
        }
    }
}

#[test]
fn of_several_the_last_that_fits_counts() {
    let said = || {
        vec![
            after_codes(400, 499, Action::Never),
            after_codes(480, 489, Action::BackOff),
            after_codes(404, 404, Action::AtOnce),
        ]
    };
    for (code, next) in [(403, None), (404, Some(30)), (485, Some(120)), (490, None), (500, Some(120))] {
        assert_eq!(told(&asking(said()).reply(code)).3, next, "{code}");
    }
    let both = vec![after_codes(404, 404, Action::AtOnce), after_codes(404, 404, Action::Never)];
    assert_eq!(told(&asking(both).reply(404)).3, None);
}

#[test]
fn what_the_notifier_asks_for_is_heeded_all_the_same() {
    let mut life = asking(vec![after_codes(503, 503, Action::AtOnce)]);
    assert_eq!(told(&life.reply_with(503, |reply| reply.retry_after = Some(700))).3, Some(700));
    let mut life = asking(vec![after_codes(300, 699, Action::AtOnce)]);
    assert!(life.reply_with(302, |reply| reply.redirect = uris(&[b"sip:a@x"])).news.is_none(), "a target to be tried");
    life.due();
    assert_eq!(life.request().target, b"sip:a@x");
    let mut life = asking(vec![after_codes(401, 401, Action::Never)]);
    const KNOWN: Challenge<'static> =
        Challenge { challenger: Challenger::End, value: b"Digest realm=\"known\", nonce=\"n\"" };
    assert!(life.reply_with(401, |reply| reply.challenges = &[KNOWN]).news.is_none(), "a challenge to be answered");
}

#[test]
fn a_reason_is_followed_by_what_was_said() {
    let reasons = ["deactivated", "timeout", "giveup", "probation", "rejected", "noresource", "invariant", "x-lunch"];
    for reason in reasons {
        let ended = format!("terminated;reason={}", reason.to_ascii_uppercase());
        for (action, next) in [(Action::AtOnce, Some(30)), (Action::BackOff, Some(120)), (Action::Never, None)] {
            let mut life = asking(vec![after_reason(reason, action)]);
            life.reply(200);
            let output = life.notify(&ended);
            let status = if next.is_none() && reason == "rejected" { Status::Rejected } else { Status::Terminated };
            let news = output.news.unwrap();
            assert_eq!(
                (news.status, news.next_attempt, news.last),
                (status, next, next.is_none()),
                "{reason} {action:?}"
            );
        }
    }
    let none = |action| vec![Override { after: After::Reason(None), action }];
    let accepted = || {
        let mut life = asking(none(Action::Never));
        life.reply(200);
        life
    };
    assert_eq!(told(&accepted().notify("terminated")).3, None);
    assert_eq!(told(&accepted().notify("terminated;reason=x-lunch")).3, Some(120), "a reason after all");
}

/// Whatever the policy, a notifier that keeps failing gets requests at growing intervals.
#[test]
fn at_once_is_no_storm() {
    let said = || vec![after_codes(300, 699, Action::AtOnce), after_reason("rejected", Action::AtOnce)];
    let refuse = |life: &mut Life| drop(life.reply(403));
    let terminate = |life: &mut Life| {
        life.reply(200);
        drop(life.notify("terminated;reason=rejected"));
    };
    for fail in [refuse, terminate] {
        let mut life = asking(said());
        let mut waits = Vec::new();
        for _ in 0..7 {
            fail(&mut life);
            waits.push(life.due_in());
            life.due();
        }
        assert_eq!(waits, [30.0, 120.0, 240.0, 480.0, 960.0, 1800.0, 1800.0]);
    }
}

#[test]
fn a_notifier_that_is_silent_until_something_changes_is_waited_for_where_the_operator_says_so() {
    let mut life = Life::unstarted(Policy { timer_n_on_first: false, timer_n_on_refresh: true, ..policy() });
    life.give(Input::Start);
    life.due();
    life.reply(200);
    assert_eq!((life.state(), life.due_in()), ("confirmed", 3570.0));
    life.due();
    assert_eq!(life.state(), "resubscription", "it is refreshed all the same");
    life.reply(200);
    assert_eq!((life.state(), life.due_in()), ("confirmed", 3570.0));
    assert_eq!(told(&life.notify("active")).0, Status::Active);
}

/// Whether the refresh uses the route set of the 2xx, with the 2xx first or the NOTIFY first.
fn route_of_refresh(keep_route_set: bool, notify_first: bool, of_notify: &'static [u8], tag: &'static [u8]) -> Vec<u8> {
    let mut life = Life::unstarted(Policy { keep_route_set, ..policy() });
    life.give(Input::Start);
    life.due();
    let reply = |life: &mut Life| life.reply_with(200, |reply| reply.route_set = RouteSet::of(b"<sip:of-2xx;lr>"));
    if !notify_first {
        reply(&mut life);
    }
    life.notify_with("active", |notify| {
        (notify.route_set, notify.remote_tag) = (RouteSet::of(of_notify), Tag::judge(tag).unwrap())
    });
    if notify_first {
        reply(&mut life);
    }
    life.due();
    life.request().route_set.clone()
}

#[test]
fn the_route_set_of_the_2xx_stays_where_the_operator_says_so_and_the_notify_brings_none() {
    for notify_first in [false, true] {
        assert_eq!(route_of_refresh(true, notify_first, b"", b"notifier"), b"<sip:of-2xx;lr>");
        assert_eq!(route_of_refresh(false, notify_first, b"", b"notifier"), b"", "by the letter of RFC 6665");
        assert_eq!(route_of_refresh(true, notify_first, b"<sip:p;lr>", b"notifier"), b"<sip:p;lr>");
        assert_eq!(route_of_refresh(true, notify_first, b"", b"another-fork"), b"");
    }
}
