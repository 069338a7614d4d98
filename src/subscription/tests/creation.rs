//! From the start to the first NOTIFY.

use super::*;
use crate::grammar::RouteSet;
use crate::testing::offered;
use crate::testing::tag;
use crate::testing::uri;
use crate::testing::uris;

#[test]
fn starts_at_once_or_spread_over_the_delay() {
    let mut life = Life::unstarted(policy());
    assert!(life.deadline().send.is_none(), "not before the start");
    life.give(Input::Start);
    assert_eq!((life.state(), life.due_in()), ("waiting", 0.0));

    let ten = Policy { max_subscribe_delay: secs(10), ..policy() };
    let mut delays: Vec<u64> = (0..1000u64)
        .map(|step| {
            let mut life = Life::unstarted(ten.clone());
            life.random = step * 10_001 / 1000;
            life.give(Input::Start);
            (life.due_in() * 1000.0).round() as u64
        })
        .collect();
    delays.sort_unstable();
    assert!(delays.windows(2).all(|pair| pair[1] - pair[0] <= 11), "evenly");
    assert!(delays[0] == 0 && delays[999] >= 9_980 && delays[999] <= 10_000);
}

#[test]
fn a_second_start_changes_nothing() {
    let mut life = Life::active(3600);
    let before = life.snapshot();
    life.give(Input::Start);
    assert_eq!(life.snapshot(), before);
}

#[test]
fn the_first_request_opens_a_dialog() {
    let life = Life::asking();
    let request = life.request();
    assert!(request.is_initial());
    assert_eq!((request.target.as_slice(), request.cseq, request.expires), (RECORD, 1, 3600));
    assert_eq!((request.call_id.as_slice(), request.local_tag.as_slice()), (&b"call1"[..], &b"tag1"[..]));
    assert_eq!((request.route_set.len(), request.package, request.socket), (0, "presence", None));
    assert_eq!((life.state(), life.due_in()), ("unconfirmed", 60.0));
}

#[test]
fn an_early_deadline_is_ignored() {
    let mut life = Life::active(3600);
    let before = life.snapshot();
    assert!(life.deadline().send.is_none());
    assert_eq!(life.snapshot(), before);
}

#[test]
fn every_2xx_confirms() {
    for code in [200, 202, 204, 299] {
        let mut life = Life::asking();
        assert!(life.reply(code).news.is_none());
        assert_eq!(life.state(), "confirmed", "{code}");
    }
}

#[test]
fn replies_to_other_requests_are_ignored() {
    let mut life = Life::asking();
    for cseq in [0, 2, 7] {
        life.reply_with(200, |reply| reply.cseq = cseq);
        assert_eq!(life.state(), "unconfirmed");
    }
    life.reply(180);
    assert_eq!(life.state(), "unconfirmed");
    life.give(Input::Dropped { cseq: 9 });
    life.give(Input::SendFailed { cseq: 0 });
    assert_eq!(life.state(), "unconfirmed");
}

#[test]
fn a_late_reply_of_an_old_dialog_is_not_taken_for_one_of_the_new() {
    let mut life = Life::asking();
    life.due();
    life.due();
    assert_eq!((life.state(), life.sent.len()), ("unconfirmed", 2));
    let first = life.sent[0].1.cseq;
    life.reply_with(200, |reply| reply.cseq = first);
    assert_eq!(life.state(), "unconfirmed");
}

#[test]
fn the_first_notify_is_awaited_until_timer_n_from_the_send() {
    let mut life = Life::asking();
    life.pass(secs(2));
    life.reply(200);
    assert_eq!(life.due_in(), 30.0);
    let output = life.due();
    assert_eq!(told(&output), (Status::Terminated, 0, "no NOTIFY".to_owned(), Some(120)));
    assert_eq!((life.state(), life.due_in()), ("waiting", 120.0));
    assert_eq!(life.snapshot().call_id, "");
    assert!(life.notify("active").answer.is_none(), "too late: 481");
    life.due();
    assert!(life.request().is_initial());
    assert_eq!(life.request().call_id, b"call3");
}

#[test]
fn timer_n_goes_on_through_a_refresh_of_a_short_grant() {
    let mut life = Life::asking();
    life.reply_with(200, |reply| reply.expires = Some(20));
    assert_eq!(life.due_in(), 10.0);
    life.due();
    assert_eq!(life.state(), "resubscription");
    life.reply_with(200, |reply| reply.expires = Some(3600));
    assert_eq!(life.due_in(), 22.0);
    assert_eq!(told(&life.due()).2, "no NOTIFY");
}

#[test]
fn the_first_notify_ends_the_wait_and_the_refresh_stays() {
    let mut life = Life::asking();
    life.reply(200);
    life.pass(secs(5));
    life.notify("active");
    assert_eq!(life.due_in(), 3565.0);
}

#[test]
fn notify_before_the_2xx_makes_the_dialog() {
    let mut life = Life::asking();
    let output = life.notify_with("active;expires=600", |notify| {
        notify.route_set = RouteSet::of(b"<sip:edge;lr>");
        notify.contact = Some(offered(b"sip:fork1@192.0.2.9"));
    });
    assert_eq!(output.answer, Some(Answer::Ok));
    assert_eq!(output.news.unwrap().status, Status::Active);
    assert_eq!((life.state(), life.due_in()), ("unconfirmed", 60.0));

    let other = life.notify_with("active", |notify| notify.remote_tag = tag(b"other"));
    assert!(other.answer.is_none() && other.news.is_none(), "another fork");

    life.reply_with(200, |reply| {
        reply.remote_tag = tag(b"other");
        reply.contact = Some(uri(b"sip:fork2@192.0.2.8"));
        reply.route_set = RouteSet::of(b"<sip:elsewhere;lr>");
        reply.expires = Some(3600);
    });
    let snapshot = life.snapshot();
    assert_eq!((snapshot.remote_tag.as_str(), snapshot.remote_target.as_str()), ("notifier", "sip:fork1@192.0.2.9"));
    assert_eq!((snapshot.expires_in, snapshot.next_action_in), (Some(600), Some(570)));
    life.due();
    assert_eq!(life.request().route_set, b"<sip:edge;lr>");
}

#[test]
fn the_2xx_of_the_same_fork_refreshes_the_target() {
    let mut life = Life::asking();
    life.notify_with("active", |notify| notify.contact = None);
    assert_eq!(life.snapshot().remote_target.as_bytes(), RECORD);
    life.reply_with(200, |reply| reply.contact = Some(uri(b"sip:new@192.0.2.5")));
    assert_eq!(life.snapshot().remote_target, "sip:new@192.0.2.5");
}

#[test]
fn the_first_notify_wins_over_an_earlier_2xx() {
    let mut life = Life::asking();
    life.reply_with(200, |reply| reply.route_set = RouteSet::of(b"<sip:a;lr>"));
    assert_eq!(life.snapshot().remote_tag, "notifier");
    life.notify_with("active", |notify| {
        notify.remote_tag = tag(b"other");
        notify.route_set = RouteSet::of(b"<sip:b;lr>");
    });
    life.due();
    assert_eq!(
        (life.request().remote_tag.as_slice(), life.request().route_set.as_slice()),
        (&b"other"[..], &b"<sip:b;lr>"[..])
    );
    assert!(life.notify("active").answer.is_none(), "the 2xx's fork came second");
}

#[test]
fn without_a_final_reply_the_notify_confirms() {
    for how in ["watchdog", "408", "504", "send failed"] {
        let mut life = Life::asking();
        life.notify("active;expires=900");
        let output = match how {
            "watchdog" => life.due(),
            "408" => life.reply(408),
            "504" => life.reply(504),
            _ => life.give(Input::SendFailed { cseq: 1 }),
        };
        assert!(output.news.is_none());
        assert_eq!(life.state(), "confirmed", "{how}");
        assert!(life.due_in() > 800.0 && life.due_in() <= 870.0);
    }
    let mut life = Life::asking();
    life.notify("active");
    life.pass(secs(32));
    life.reply(408);
    assert_eq!(life.snapshot().expires_in, Some(3600 - 32), "what was asked, from the send");
}

#[test]
fn a_refusal_after_a_notify_is_meant() {
    let mut life = Life::asking();
    life.notify("active");
    assert_eq!(told(&life.reply(503)), (Status::Terminated, 503, "phrase".to_owned(), Some(120)));
    assert!(life.notify("active").answer.is_none());
}

#[test]
fn grants_are_clamped_to_what_was_asked_and_default_to_it() {
    for (granted, expires_in) in [(None, 3600), (Some(60), 60), (Some(7200), 3600), (Some(u32::MAX), 3600)] {
        let mut life = Life::asking();
        life.reply_with(200, |reply| reply.expires = granted);
        assert_eq!(life.snapshot().expires_in, Some(expires_in));
    }
}

#[test]
fn a_grant_of_nothing_is_followed_by_a_notify_like_any_other() {
    let granted_nothing = || {
        let mut life = Life::asking();
        let output = life.reply_with(200, |reply| reply.expires = Some(0));
        assert!(output.news.is_none() && !output.forget);
        assert_eq!((life.state(), life.due_in()), ("confirmed", 32.0));
        life
    };
    let mut life = granted_nothing();
    let output = life.notify("terminated;reason=noresource");
    assert_eq!(output.answer, Some(Answer::Ok));
    assert_eq!(
        output.news.map(|news| (news.status, news.with_body, news.last)),
        Some((Status::Terminated, true, true))
    );

    let mut life = granted_nothing();
    life.pass(secs(10));
    assert_eq!(life.notify("active;expires=600").news.map(|news| news.with_body), Some(true), "told, but no more");
    life.give(Input::Refresh);
    assert_eq!(life.due_in(), 22.0);
    assert_eq!(told(&life.due()), (Status::Terminated, 200, "no time granted".to_owned(), Some(120)));

    let mut life = granted_nothing();
    assert_eq!(told(&life.due()), (Status::Terminated, 200, "no time granted".to_owned(), Some(120)));
    let mut life = granted_nothing();
    life.notify_with("active", |notify| notify.content = Content::Malformed);
    assert_eq!(told(&life.due()), (Status::Terminated, 200, "NOTIFY refused".to_owned(), Some(120)));

    let mut life = granted_nothing();
    life.give(Input::Unsubscribe);
    let output = life.notify("terminated;reason=timeout");
    assert_eq!((output.answer, output.forget), (Some(Answer::Ok), true), "nothing to be ended, but to be answered");
}

#[test]
fn a_notify_that_was_refused_did_come() {
    for by_core in [true, false] {
        let mut life = Life::asking();
        // No refresh is sent before Timer N.
        life.policy.min_resubscribe_time = secs(60);
        life.reply(200);
        let output = match by_core {
            true => life.notify_with("active", |notify| notify.content = Content::Unsupported),
            false => life.give(Input::Untold(Untold::Refused)),
        };
        assert_eq!(output.untold, Some((Untold::Refused, true)));
        assert_eq!(told(&life.due()), (Status::Terminated, 0, "NOTIFY refused".to_owned(), Some(120)));
        assert_eq!(life.snapshot().untold, [1, 0, 0, 0, 0]);
    }
}

#[test]
fn a_2xx_without_a_tag_waits_for_the_notify() {
    let mut life = Life::asking();
    life.reply_with(200, |reply| reply.remote_tag = tag(b""));
    life.notify("active");
    life.due();
    assert_eq!(life.request().remote_tag, b"notifier");
}

#[test]
fn a_2xx_that_comes_after_a_notify_does_not_move_the_target_back() {
    for (named, target) in [(Some(&b"sip:moved@192.0.2.9"[..]), &b"sip:moved@192.0.2.9"[..]), (None, NOTIFIER)] {
        let mut life = Life::asking();
        life.notify_with("active", |notify| notify.contact = named.map(offered));
        life.reply(200);
        life.due();
        assert_eq!(life.request().target, target);
    }
}

#[test]
fn the_socket_of_the_newest_request_is_kept_for_the_dialog() {
    let mut life = Life::asking();
    life.give(Input::Sent { cseq: 7, socket: Socket(1) });
    life.give(Input::Sent { cseq: 1, socket: Socket(2) });
    life.reply(200);
    assert_eq!(life.notify("active").socket, Some(Socket(2)), "for the answer's Contact");
    life.due();
    assert_eq!(life.request().socket, Some(Socket(2)));
    life.reply(200);
    life.give(Input::Sent { cseq: 2, socket: Socket(3) });
    life.due();
    assert_eq!(life.request().socket, Some(Socket(3)), "the reply was faster");
    assert_eq!(life.notify("terminated").socket, Some(Socket(3)), "the dialog has ended by now");
}

/// One fork answers 2xx and gets a refresh. Then another fork sends the first NOTIFY and makes the dialog: the outcome
/// of that refresh does not concern this dialog.
#[test]
fn a_refresh_to_another_fork_says_nothing_about_the_dialog() {
    let refreshing = || {
        let mut life = Life::asking();
        life.policy.min_resubscribe_time = secs(1);
        life.reply_with(200, |reply| reply.expires = Some(600));
        life.pass(secs(10));
        life.give(Input::Refresh);
        life.due();
        assert_eq!((life.state(), life.request().remote_tag.as_slice()), ("resubscription", &b"notifier"[..]));
        life
    };
    let other = |life: &mut Life| {
        let output = life.notify_with("active", |notify| {
            notify.remote_tag = tag(b"other");
            notify.contact = Some(offered(b"sip:other@x"));
        });
        assert_eq!(output.answer, Some(Answer::Ok));
    };
    for code in [200, 302, 408, 423, 481, 489] {
        let mut life = refreshing();
        other(&mut life);
        let before = life.snapshot();
        assert_eq!((before.state, before.next_action_in), ("confirmed", Some(560)), "as the 2xx had granted");
        let output = life.reply_with(code, |reply| reply.redirect = uris(&[b"sip:x@y"]));
        assert!(output.news.is_none() && life.snapshot() == before, "{code}");
        life.due();
        assert_eq!(life.request().target, b"sip:other@x");
        assert_eq!(life.request().remote_tag, b"other");
    }
    let mut life = refreshing();
    life.give(Input::Unsubscribe);
    other(&mut life);
    life.reply(200);
    life.due();
    assert_eq!((life.request().expires, life.request().target.as_slice()), (0, &b"sip:other@x"[..]));
}
