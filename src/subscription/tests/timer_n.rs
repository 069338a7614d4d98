//! Timer N of a refresh, if the operator requires its NOTIFY.

use super::*;

/// A refresh is in flight whose NOTIFY is required.
fn insisting() -> Life {
    let mut life = Life::active(600);
    life.policy.timer_n_on_refresh = true;
    life.due();
    life.pass(secs(2));
    life
}

#[test]
fn timer_n_runs_from_the_refresh_where_it_is_insisted_on() {
    let mut life = insisting();
    life.reply(200);
    assert_eq!((life.state(), life.due_in()), ("confirmed", 30.0));
    assert_eq!(life.snapshot().expires_in, Some(3600));
    assert_eq!(told(&life.due()), (Status::Terminated, 0, "no NOTIFY".into(), Some(120)));
    life.due();
    assert!(life.request().is_initial());
}

#[test]
fn a_notify_after_the_refresh_stops_timer_n() {
    for first in [true, false] {
        let mut life = insisting();
        if first {
            life.notify("active");
        }
        life.reply(200);
        if !first {
            life.notify("active");
        }
        assert_eq!((life.state(), life.due_in()), ("confirmed", 3570.0));
    }
}

#[test]
fn no_notification_stops_timer_n() {
    let mut life = insisting();
    let output = life.reply_with(204, |reply| reply.expires = Some(900));
    assert!(output.news.is_none());
    assert_eq!((life.state(), life.due_in(), life.snapshot().expires_in), ("confirmed", 870.0, Some(900)));
    // But not that of a dialog that no NOTIFY has made.
    let mut life = Life::asking();
    life.reply(200);
    life.give(Input::Refresh);
    life.due();
    life.reply(204);
    assert_eq!(life.due_in(), 2.0);
    assert_eq!(told(&life.due()).2, "no NOTIFY");
}

#[test]
fn a_refresh_that_fails_has_no_timer_n() {
    let mut life = insisting();
    life.reply(500);
    assert_eq!((life.state(), life.due_in()), ("confirmed", 28.0));
    assert_eq!(life.snapshot().expires_in, Some(28), "it stands until it expires");
}

/// Refreshes closer together than Timer N do not postpone it.
#[test]
fn refreshes_do_not_put_timer_n_off() {
    let mut life = insisting();
    (life.policy.min_resubscribe_time, life.policy.resubscribe_delta) = (secs(1), secs(10));
    for _ in 0..3 {
        life.reply_with(200, |reply| reply.expires = Some(20));
        assert_eq!((life.state(), life.due_in()), ("confirmed", 10.0));
        if life.sent.len() < 4 {
            life.due();
            assert_eq!(life.state(), "resubscription");
        }
    }
    assert_eq!(told(&life.due()).2, "no NOTIFY");
}
