//! Tests of the subscription's life, with a driver that checks after every input what must hold at any time.

mod challenges;
mod conditional;
mod connections;
mod creation;
mod digests;
mod domains;
mod early;
mod ending;
mod failures;
mod fetches;
mod fingerprints;
mod forks;
mod histories;
mod holds;
mod jitter;
mod left;
mod local;
mod memory;
mod model;
mod notifies;
mod options;
mod overrides;
mod own_bodies;
mod own_ways;
mod packages;
mod proxies;
mod random;
mod reasons;
mod redirects;
mod reference;
mod refreshes;
mod restored;
mod substates;
mod table;
mod timer_n;
mod versions;

use std::hash::BuildHasher;
use std::time::Duration;

use foldhash::quality::FixedState;

use super::digest::Authorization;
use super::options::Terms;
use super::output::Undo;
use super::rates::{Rate, Rates};
use super::state::{Attempt, Awaits, Farewell};
use super::*;
use crate::grammar::RouteSet;
use crate::memory::OutOfMemory;
use crate::testing::Accounted;
use crate::testing::offered;
use crate::testing::{tag, uri};
use crate::time::Millis;

pub(super) const RECORD: &[u8] = b"sip:alice@example.com";
pub(super) const SUBSCRIBER: &[u8] = b"sip:watcher@example.com";
pub(super) const NOTIFIER: &[u8] = b"sip:pa@192.0.2.1;transport=tcp";

/// Memory that a subscription without dialog has: record, subscriber and two more texts behind their lengths.
pub(super) const SUBJECT: usize = 4 + RECORD.len() + SUBSCRIBER.len();

pub(super) fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(super) fn policy() -> Policy {
    Policy::FOR_TESTS
}

/// A NOTIFY of the notifier, with a document and without Subscription-State.
pub(super) fn usual_notify() -> Notify<'static> {
    Notify {
        cseq: 0,
        remote_tag: tag(b"notifier"),
        contact: Some(offered(NOTIFIER)),
        has_bad_contact: false,
        route_set: RouteSet::NONE,
        event: b"presence",
        event_id: None,
        state: None,
        entity_tag: None,
        content: Content::Acceptable,
        echo: Echo::default(),
    }
}

/// An override for the codes from `first` to `last`.
pub(super) fn after_codes(first: u16, last: u16, action: Action) -> Override {
    Override { after: After::Codes(first, last), action }
}

/// An override for this reason.
pub(super) fn after_reason(reason: &str, action: Action) -> Override {
    Override { after: After::Reason(Some(reason.to_owned())), action }
}

/// A policy of an operator in which everything differs.
pub(super) fn contrary() -> Vec<Override> {
    let mut all = vec![
        after_codes(300, 699, Action::AtOnce),
        after_codes(400, 404, Action::Never),
        after_codes(423, 423, Action::BackOff),
        after_codes(503, 503, Action::Never),
        after_codes(489, 489, Action::BackOff),
        after_codes(481, 481, Action::BackOff),
        after_reason("Rejected", Action::AtOnce),
        after_reason("noresource", Action::BackOff),
        after_reason("deactivated", Action::Never),
        after_reason("probation", Action::AtOnce),
    ];
    all.push(Override { after: After::Reason(None), action: Action::AtOnce });
    all
}

pub(super) const CNONCE: [u8; digest::CNONCE_LEN] = *b"0a4f113b0a4f113b";

pub(super) fn credential(text: &str) -> Credential {
    Credential::parse(text.as_bytes()).unwrap()
}

/// One subscription, its clock and its parameters.
pub(super) struct Life {
    pub(super) subscription: Subscription<Accounted>,
    pub(super) account: Accounted,
    pub(super) policy: Policy,
    pub(super) now: Millis,
    pub(super) random: u64,
    pub(super) credentials: Vec<Credential>,
    pub(super) sent: Vec<(Millis, Request)>,
    /// The last request has been made, and its outcome is not known.
    pub(super) in_hand: bool,
    pub(super) remote_cseq: u32,
    dialogs: u32,
    pub(super) unsubscribed: bool,
    pub(super) forgotten: bool,
}

impl Life {
    /// Not started.
    pub(super) fn unstarted(policy: Policy) -> Self {
        Self::under(Terms::default(), policy)
    }

    /// Not started, under terms of its own.
    pub(super) fn under(terms: Terms, policy: Policy) -> Self {
        Self::with(&Options { terms, ..Options::default() }, policy)
    }

    /// Not started, with these options but for an id.
    pub(super) fn with(options: &Options, policy: Policy) -> Self {
        let account = Accounted::new();
        let subject =
            Subject { record: RECORD, subscriber: SUBSCRIBER, package: package::PRESENCE.number, event_id: b"" };
        let now = Millis(1_000_000);
        let subscription =
            Subscription::try_new(subject, account.clone()).and_then(|made| made.try_with(options)).unwrap();
        let (sent, remote_cseq, dialogs) = (Vec::new(), 100, 0);
        Self {
            subscription,
            account,
            policy,
            now,
            random: 0,
            credentials: vec![credential("user:known:secret")],
            sent,
            in_hand: false,
            remote_cseq,
            dialogs,
            unsubscribed: false,
            forgotten: false,
        }
    }

    /// Started; the first SUBSCRIBE is due.
    pub(super) fn started() -> Self {
        let mut life = Self::unstarted(policy());
        life.give(Input::Start);
        life
    }

    /// The first SUBSCRIBE is in flight.
    pub(super) fn asking() -> Self {
        let mut life = Self::started();
        life.due();
        life
    }

    /// Accepted for this long, and active.
    pub(super) fn active(granted: u32) -> Self {
        let mut life = Self::asking();
        life.reply_with(200, |reply| reply.expires = Some(granted));
        life.notify("active");
        life
    }

    /// Another subscription in the same world. It knows of the requests that have been sent.
    pub(super) fn beside(&self, subscription: Subscription<Accounted>) -> Self {
        let known = self.sent.iter().filter(|(_, request)| request.cseq <= subscription.local_cseq);
        Self {
            account: self.account.clone(),
            policy: self.policy.clone(),
            credentials: self.credentials.clone(),
            sent: known.cloned().collect(),
            subscription,
            ..*self
        }
    }

    /// Hands an input in and checks what must hold at any time.
    pub(super) fn give(&mut self, input: Input<'_>) -> Output {
        self.try_give(input).unwrap()
    }

    pub(super) fn try_give(&mut self, mut input: Input<'_>) -> Result<Output, OutOfMemory> {
        if let Input::Notify(notify, fingerprint) = &mut input {
            *fingerprint = fingerprint_of(notify);
            notify.echo = echo_of(notify);
        }
        let is_deadline = matches!(input, Input::Deadline(_));
        let is_start = matches!(input, Input::Start);
        let is_notify = matches!(input, Input::Notify(..));
        let was_in_flight = self.subscription.state().in_flight();
        let was_started = self.subscription.state() != State::Waiting(Attempt::Unstarted);
        let is_unsubscribe = matches!(input, Input::Unsubscribe);
        let is_held = matches!(input, Input::Held { .. });
        let is_word = is_held
            || matches!(
                input,
                Input::Sent { .. }
                    | Input::SendFailed { .. }
                    | Input::Dropped { .. }
                    | Input::NoWay { .. }
                    | Input::Reply(_)
            );
        let before = self.subscription.local_cseq;
        let env = Env {
            now: self.now,
            policy: &self.policy,
            packages: Packages::KNOWN,
            random: self.random,
            credentials: &self.credentials,
        };
        let output = self.subscription.handle(input, &env)?;
        self.unsubscribed |= is_unsubscribe;
        self.in_hand &= !is_word;
        let is_taken_back = self.subscription.local_cseq < before;
        assert!(is_held || !is_taken_back, "only a hold gives a CSeq back");
        if is_taken_back {
            self.sent.pop();
        }

        let state = self.subscription.state();
        let may_idle = state == State::Destroyed || (!was_started && !is_start);
        assert_eq!(self.subscription.deadline().is_none(), may_idle, "a deadline in {state:?}");
        assert!(is_notify || output.answer.is_none(), "only NOTIFYs are answered");
        assert!(!self.unsubscribed || output.news.is_none(), "news after unsubscribe");
        assert!(!self.forgotten || (output.send.is_none() && output.news.is_none() && output.answer.is_none()));
        assert_eq!(output.forget, state == State::Destroyed && !self.forgotten, "forget exactly once, at the end");
        self.forgotten |= output.forget;
        if let Some(news) = &output.news {
            assert_eq!(self.subscription.status(), Some(news.status));
            let is_fork = self.subscription.fork() != 0;
            assert_eq!(news.fork, self.subscription.fork());
            assert_eq!(news.last, output.forget && !is_fork, "the last news comes with the end");
        }
        if let Some(request) = &output.send {
            assert!(is_deadline, "only the deadline sends");
            assert!(!was_in_flight, "one request at a time");
            assert!(state.in_flight(), "a request sent is a request in flight");
            let previous = self.sent.last().map_or(0, |(_, request)| request.cseq);
            assert_eq!(request.cseq, previous + 1, "CSeq goes up by one");
            assert_eq!(request.record, self.subscription.record(), "To stays the record");
            assert_eq!(request.subscriber, SUBSCRIBER);
            for one in &request.authorizations {
                let before = self.sent.iter().rev().flat_map(|(_, request)| &request.authorizations);
                let same = |used: &&Authorization| {
                    (used.challenger, &used.realm, &used.nonce) == (one.challenger, &one.realm, &one.nonce)
                };
                let expected = before.clone().find(same).map_or(1, |used| used.nc + 1);
                // Forgotten values are counted from scratch.
                // A request that was held back counts.
                assert!(one.nc >= expected || one.nc == 1, "a nonce's uses are counted");
            }
            self.sent.push((self.now, (**request).clone()));
            self.in_hand = true;
        }
        Ok(output)
    }

    /// Lets time pass.
    pub(super) fn pass(&mut self, time: Duration) {
        self.now = self.now.after(time);
    }

    /// Seconds until the deadline.
    pub(super) fn due_in(&self) -> f64 {
        self.subscription.deadline().unwrap().since(self.now).as_secs_f64()
    }

    /// Hands in the deadline now, due or not.
    pub(super) fn deadline(&mut self) -> Output {
        self.dialogs += 1;
        let (call_id, local_tag) = (format!("call{}", self.dialogs), format!("tag{}", self.dialogs));
        self.give(Input::Deadline(Fresh {
            call_id: call_id.as_bytes(),
            local_tag: local_tag.as_bytes(),
            cnonce: CNONCE,
        }))
    }

    /// Waits for the deadline and hands it in.
    pub(super) fn due(&mut self) -> Output {
        self.now = self.now.max(self.subscription.deadline().unwrap());
        self.deadline()
    }

    /// The last request is held back for so long.
    pub(super) fn hold(&mut self, by: HeldBy, time: Duration) -> Output {
        let (cseq, undo) = self.sent.last().map_or_else(Default::default, |(_, sent)| (sent.cseq, sent.undo));
        self.give(Input::Held { cseq, until: self.now.after(time), by, undo })
    }

    /// The request sent last.
    pub(super) fn request(&self) -> &Request {
        &self.sent.last().unwrap().1
    }

    /// A final reply to the last request; a 2xx from `notifier` at [`NOTIFIER`].
    pub(super) fn reply(&mut self, code: u16) -> Output {
        self.reply_with(code, |_| {})
    }

    pub(super) fn reply_with(&mut self, code: u16, change: impl FnOnce(&mut Reply<'_>)) -> Output {
        let mut reply =
            Reply { cseq: self.sent.last().map_or(0, |(_, request)| request.cseq), code, ..Reply::default() };
        reply.reason = b"phrase";
        if (200..300).contains(&code) {
            reply.remote_tag = tag(b"notifier");
            reply.contact = Some(uri(NOTIFIER));
        }
        change(&mut reply);
        self.give(Input::Reply(reply))
    }

    /// The next NOTIFY of `notifier` with this Subscription-State.
    pub(super) fn notify(&mut self, state: &str) -> Output {
        self.notify_with(state, |_| {})
    }

    pub(super) fn notify_with(&mut self, state: &str, change: impl FnOnce(&mut Notify<'_>)) -> Output {
        self.remote_cseq += 1;
        let state = SubscriptionState::parse(state.as_bytes());
        let mut notify = Notify { cseq: self.remote_cseq, state, ..usual_notify() };
        change(&mut notify);
        self.give(Input::Notify(notify, Fingerprint::NONE))
    }

    pub(super) fn state(&self) -> &'static str {
        self.subscription.state().name()
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        self.subscription.snapshot(self.now)
    }
}

/// Made as in the registry, but without Call-ID and local tag: a subscription only gets NOTIFYs that match these.
pub(super) fn fingerprint_of(notify: &Notify<'_>) -> Fingerprint {
    let said = (notify.remote_tag, notify.contact, notify.entity_tag);
    Fingerprint::of_hash(FixedState::default().hash_one(said))
}

/// As the engine takes it, with no branch.
pub(super) fn echo_of(notify: &Notify<'_>) -> Echo {
    Echo::of_hashes(FixedState::default().hash_one(format!("{:?} {:?}", notify.state, notify.content)), None)
}

/// The connection with this number, which is not 0.
pub(super) fn flow(number: u32) -> Flow {
    Flow(std::num::NonZero::new(number).unwrap())
}

/// News of a failure or an end: status, code, reason, next attempt.
pub(super) fn told(output: &Output) -> (Status, u16, String, Option<u32>) {
    let news = output.news.expect("news");
    (news.status, news.code, news.reason.as_str().to_owned(), news.next_attempt)
}

#[test]
fn subscriptions_are_small() {
    let size = std::mem::size_of::<Subscription<allocator_api2::alloc::Global>>();
    assert!(size <= 128, "{size} bytes");
}
