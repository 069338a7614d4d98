//! A database keeps a subscription, and another run of the server goes on with it.

mod lives;
mod opening;

use super::*;
use crate::testing::{NO_CREDENTIALS, offered};

/// How far a row's CSeq is ahead.
const HEADROOM: u32 = 64;

/// With a database.
fn stores() -> Policy {
    Policy { stores: true, ..policy() }
}

impl Life {
    /// The server stops, and another run begins after this time. Whoever made it has given it its credentials again.
    fn restarted(&self, pause: Duration, fetch: bool) -> Self {
        self.restarted_with(pause, fetch, |_| {})
    }

    fn restarted_with(&self, pause: Duration, fetch: bool, change: impl FnOnce(&mut StoredLife<'_>)) -> Self {
        let before = &self.subscription;
        let mut stored = before.stored();
        stored.local_cseq += HEADROOM;
        change(&mut stored);
        let now = self.now.after(pause);
        let env = Env {
            now,
            policy: &self.policy,
            packages: Packages::KNOWN,
            random: self.random,
            credentials: &NO_CREDENTIALS,
        };
        let (record, subscriber) = (before.record(), before.subscriber());
        let subject = Subject { record, subscriber, package: before.package(), event_id: before.event_id() };
        let account = Accounted::new();
        let subscription = Subscription::try_new(subject, account.clone())
            .and_then(|made| made.try_with(&before.options()))
            .and_then(|made| made.try_restored(&stored, fetch, &env))
            .unwrap();
        let last = self.sent.last().map(|(_, request)| request.clone()).unwrap_or_default();
        // No nonce is known any more.
        let last = Request { cseq: subscription.local_cseq, authorizations: Vec::new(), ..last };
        let sent = vec![(self.now, last)];
        let policy = self.policy.clone();
        Self { account, policy, now, sent, subscription, in_hand: false, credentials: Vec::new(), ..*self }
    }
}

fn ids(life: &Life) -> [Vec<u8>; 3] {
    life.subscription.dialog_ids().map(<[u8]>::to_vec)
}

/// Ids of the request sent last.
fn sent_ids(life: &Life) -> [Vec<u8>; 3] {
    let request = life.request();
    [request.call_id.clone(), request.local_tag.clone(), request.remote_tag.clone()]
}

#[test]
fn an_active_one_goes_on_in_its_dialog_and_keeps_its_moment() {
    let life = Life::active(3600);
    let due = life.subscription.deadline();
    let mut again = life.restarted(secs(60), false);
    assert_eq!((again.subscription.deadline(), again.state()), (due, "confirmed"));
    assert_eq!(again.subscription.status(), Some(Status::Active));
    assert_eq!(again.notify("active;expires=3500").news.expect("news").status, Status::Active);
    again.due();
    assert_eq!((sent_ids(&again), again.request().cseq), (ids(&life), 1 + HEADROOM + 1));
    again.reply(200);
    assert!(again.due_in() > 3000.0);
    assert_eq!(again.notify("active").answer, Some(Answer::Ok));
}

#[test]
fn what_a_row_says_comes_back() {
    let mut life = Life::active(3600);
    life.notify_with("active", |notify| {
        notify.content = Content::Versioned { version: 4, is_full: true };
        notify.entity_tag = crate::grammar::EntityTag::judge(b"t1");
    });
    life.give(Input::Sent { cseq: 1, socket: Socket(9) });
    let again = life.restarted_with(secs(1), false, |stored| stored.local_cseq -= HEADROOM);
    let (before, mut after) = (life.subscription.picture(Millis(0)), again.subscription.picture(Millis(0)));
    let outcome = before.dialog.as_ref().map(|dialog| dialog.outcome);
    let (Some(dialog), Some(outcome)) = (&mut after.dialog, outcome) else { panic!("a dialog") };
    dialog.outcome = outcome;
    assert_eq!(after, before);
    assert_eq!(again.subscription.stored(), life.subscription.stored());
}

#[test]
fn the_newest_cseq_is_known_and_an_older_one_is_no_news() {
    let life = Life::active(3600);
    let newest = life.remote_cseq;
    let mut again = life.restarted(secs(1), false);
    let output = again.notify_with("active", |notify| notify.cseq = newest - 1);
    assert_eq!((output.answer, output.news), (Some(Answer::StaleCseq), None));
    // Whether it is the same once more is not known: it is told, once.
    let mut again = life.restarted(secs(1), false);
    assert!(again.notify_with("active", |notify| notify.cseq = newest).news.is_some());
    let output = again.notify_with("active", |notify| notify.cseq = newest);
    assert_eq!((output.answer, output.news), (Some(Answer::Ok), None));
    let output = again.notify_with("pending", |notify| notify.cseq = newest);
    assert_eq!((output.answer, output.news), (Some(Answer::StaleCseq), None));
}

#[test]
fn a_document_is_missing_only_behind_a_gap() {
    let version =
        |version| move |notify: &mut Notify<'_>| notify.content = Content::Versioned { version, is_full: false };
    let mut life = Life::active(3600);
    life.notify_with("active", |notify| notify.content = Content::Versioned { version: 4, is_full: true });
    let mut again = life.restarted(secs(1), false);
    again.notify_with("active", version(5));
    assert!(!again.subscription.misses_document());
    let mut again = life.restarted(secs(1), false);
    again.notify_with("active", version(6));
    assert!(again.subscription.misses_document());
    // Asked for by the caller.
    let again = life.restarted(secs(1), true);
    assert!(again.subscription.misses_document() && again.due_in() <= 30.0);
}

#[test]
fn what_is_overdue_is_spread_and_comes_before_the_end() {
    for (granted, pause, latest) in [(3600, 3571, 10.0), (60, 40, 10.0), (3600, 3598, 1.0)] {
        let mut life = Life::active(granted);
        for random in [0, 5_000, u64::MAX / 3] {
            life.random = random;
            let mut again = life.restarted(secs(pause), false);
            assert!(again.due_in() <= latest, "{}", again.due_in());
            assert_eq!(again.due().news, None);
            assert_eq!(sent_ids(&again), ids(&life));
        }
    }
}

#[test]
fn the_whole_state_or_a_new_connection_makes_it_early() {
    let mut life = Life::asking();
    life.reply_with(200, |reply| (reply.expires, reply.flow) = (Some(3600), Some(flow(7))));
    life.notify_with("active", |notify| notify.entity_tag = crate::grammar::EntityTag::judge(b"t1"));
    for (mut again, tag) in [(life.restarted(secs(40), false), &b"t1"[..]), (life.restarted(secs(40), true), b"")] {
        assert!(again.due_in() <= 10.0);
        again.due();
        assert_eq!((sent_ids(&again), &again.request().known_state[..]), (ids(&life), tag));
    }
}

#[test]
fn one_that_has_expired_says_so_once_and_begins_again() {
    let mut life = Life::active(60);
    life.random = 4_000;
    let mut again = life.restarted(secs(100), false);
    assert_eq!(again.due_in(), 0.0);
    assert_eq!(told(&again.due()), (Status::Terminated, 0, "expired".to_owned(), Some(4)));
    assert_eq!(again.due_in(), 4.0);
    again.due();
    assert_ne!(sent_ids(&again)[0], ids(&life)[0]);
    assert!(again.request().is_initial());
    // Nobody has been told of it: its end is no news.
    let mut life = Life::asking();
    life.reply_with(200, |reply| reply.expires = Some(60));
    let mut again = life.restarted(secs(100), false);
    assert!(again.due().news.is_none() && again.request().is_initial());
}

#[test]
fn the_notifier_may_have_forgotten_it() {
    let mut again = Life::active(3600).restarted(secs(3590), false);
    again.due();
    let (status, code, ..) = told(&again.reply(481));
    assert_eq!((status, code, again.state()), (Status::Terminated, 481, "waiting"));
    again.due();
    assert!(again.request().is_initial());
}

#[test]
fn a_refresh_in_flight_is_made_again() {
    let mut life = Life::active(3600);
    life.due();
    assert_eq!(life.state(), "resubscription");
    let mut again = life.restarted(secs(2), false);
    assert!(again.due_in() <= 15.0);
    again.due();
    assert_eq!((sent_ids(&again), again.request().cseq), (ids(&life), 2 + HEADROOM + 1));
}

#[test]
fn failures_are_counted_on() {
    let mut life = Life::active(3600);
    life.pass(secs(100));
    life.give(Input::Refresh);
    life.due();
    life.reply_with(503, |reply| reply.retry_after = Some(15));
    let mut again = life.restarted(secs(5), true);
    assert_eq!((again.subscription.retries, again.due_in()), (1, 25.0), "the notifier has said so");
    again.due();
    assert_eq!(again.reply(200).turn, Some(Turn::Recovered));
    let mut life = Life::asking();
    life.reply(500);
    let mut again = life.restarted(secs(5), false);
    assert_eq!((again.subscription.deadline(), again.state()), (life.subscription.deadline(), "waiting"));
    again.due();
    again.reply(500);
    assert_eq!(again.subscription.retries, 2);
}

#[test]
fn a_restored_one_can_be_ended() {
    let life = Life::active(3600);
    let mut again = life.restarted(secs(1), false);
    again.give(Input::Unsubscribe);
    again.due();
    assert_eq!((sent_ids(&again), again.request().expires), (ids(&life), 0));
    // The same where the server has stopped in between, before and after the answer.
    let mut once_more = again.restarted(secs(1), false);
    once_more.due();
    assert_eq!((sent_ids(&once_more), once_more.request().expires), (ids(&life), 0));
    assert_eq!(once_more.reply(200).news, None);
    let mut at_last = once_more.restarted(secs(1), false);
    assert_eq!(at_last.state(), "waiting_for_termination");
    assert!(at_last.notify("terminated").forget);
    assert!(once_more.restarted(secs(100), false).due().forget);
    // What was granted is over.
    assert!(again.restarted(secs(4000), false).due().forget);
}

#[test]
fn no_request_fits_behind_the_last_cseq() {
    let life = Life::active(3600);
    let mut again = life.restarted_with(secs(1), false, |stored| stored.local_cseq = (1 << 31) - 100);
    assert_eq!((again.subscription.local_cseq, again.subscription.status()), (0, Some(Status::Active)));
    again.due();
    assert!(again.request().is_initial() && sent_ids(&again)[0] != ids(&life)[0]);
}

#[test]
fn a_fork_is_a_fork_again() {
    let mut life = Life::asking();
    life.policy.forking = Forking::All;
    life.reply_with(200, |reply| reply.expires = Some(600));
    life.notify("active;expires=600");
    let env =
        Env { now: life.now, policy: &life.policy, packages: Packages::KNOWN, random: 0, credentials: &NO_CREDENTIALS };
    let mut fork = life.beside(life.subscription.try_fork(3, &env).unwrap().expect("a fork"));
    let change = |notify: &mut Notify<'_>| {
        (notify.remote_tag, notify.contact) = (tag(b"other"), Some(offered(b"sip:other@192.0.2.2")));
    };
    fork.notify_with("active;expires=600", change);
    let mut again = fork.restarted(secs(1), false);
    assert_eq!((again.subscription.fork(), ids(&again)), (3, ids(&fork)));
    again.due();
    assert_eq!(sent_ids(&again), ids(&fork));
    // No other attempt follows.
    let mut over = fork.restarted(secs(1000), false);
    let news = over.due().news.expect("news");
    assert_eq!((news.fork, news.status, news.next_attempt), (3, Status::Terminated, None));
    assert!(!over.subscription.is_stored());
    let mut lost = fork.restarted_with(secs(1), false, |stored| stored.dialog = None);
    assert!(lost.due().forget);
}

#[test]
fn a_fetch_is_not_kept() {
    let fetch = Life::under(Terms { fetch: Some(10), ..Terms::default() }, stores());
    assert!(!fetch.subscription.is_stored());
    assert!(Life::active(60).subscription.is_stored());
}

/// Refreshes change numbers only, but the CSeq is written in time all the same.
#[test]
fn after_so_many_requests_the_whole_row_is_due() {
    let mut life = Life::active(600);
    let mut whole = Vec::new();
    for _ in 0..200 {
        let before = life.subscription.row_mark();
        life.due();
        let sent = life.subscription.row_mark();
        life.reply_with(200, |reply| reply.expires = Some(600));
        life.notify("active");
        assert_eq!(life.subscription.row_mark(), sent, "no text has changed");
        if sent != before {
            whole.push(life.request().cseq);
        }
    }
    assert_eq!(whole.len(), 6, "{whole:?}");
    assert!(whole.iter().all(|cseq| cseq % CSEQS_UNWRITTEN == 0), "{whole:?}");
}
