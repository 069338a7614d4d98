//! Subscriptions that share one.

use std::sync::atomic::Ordering::SeqCst;

use allocator_api2::alloc::Global;
use parking_lot::RawMutex;

use super::support::{Plain, ask, hub, new, notifier, queue, say};
use crate::memory::OutOfMemory;
use crate::memory::SharedAlloc;
use crate::qsa::share::HandedOn;
use crate::qsa::waiting::Waiting;
use crate::qsa::{DomainId, Hub, NotShared, QsaError, QueueId, Refused, ShareHash, Shares, SubscriptionId};
use crate::subscription::{Brief, News, Status};
use crate::testing::Accounted;

const KEY: [&[u8]; 4] = [b"sip:a@x", b"sip:w@x", b"presence", b""];

/// A hub whose shares have roots in a queue of their own.
struct Stage<A: SharedAlloc> {
    hub: Hub<A, RawMutex>,
    shares: Shares<A, RawMutex>,
    domain: DomainId,
    roots: QueueId,
    members: QueueId,
}

/// Roots have a domain of their own, as notifiers of members would be asked for them otherwise.
fn on_stage<A: SharedAlloc>(
    hub: Hub<A, RawMutex>,
    shares: Shares<A, RawMutex>,
    roots: QueueId,
    members: QueueId,
) -> Stage<A> {
    let domain = hub.private_domain(b"roots").unwrap();
    Stage { hub, shares, domain, roots, members }
}

fn stage() -> Stage<Global> {
    let hub: Plain = hub();
    let (roots, members) = (queue(&hub, 100), queue(&hub, 100));
    on_stage(hub, Shares::try_new(7.into(), Global).unwrap(), roots, members)
}

impl<A: SharedAlloc> Stage<A> {
    fn member(&self) -> SubscriptionId {
        ask(&self.hub, &new(b"m", self.members)).unwrap()
    }

    /// Joins, and gives the root if this made it.
    fn join(&self, key: [&[u8]; 4], member: SubscriptionId) -> Result<(ShareHash, Option<SubscriptionId>), NotShared> {
        let before = self.hub.subscriptions();
        let root = |_| new(b"root", self.roots);
        let hash = self.shares.join(&self.hub, (self.domain, key), member, root)?;
        Ok((hash, (self.hub.subscriptions() > before).then(|| self.shares.root_of(hash, member).unwrap())))
    }

    /// Hands on what waits for the roots.
    fn hand_on(&self, hash: ShareHash) -> HandedOn {
        let mut done = HandedOn::default();
        while let Some(delivered) = self.hub.pop(self.roots) {
            done = self.shares.hand_on(&self.hub, hash, &delivered.message);
        }
        done
    }

    /// The messages to the members: member, status, body, whether it is the last.
    fn told(&self) -> Vec<(SubscriptionId, Status, String, bool)> {
        std::iter::from_fn(|| self.hub.pop(self.members))
            .map(|delivered| {
                let message = delivered.message;
                let body = String::from_utf8(message.body().to_vec()).unwrap();
                (message.subscription(), message.status(), body, message.is_last())
            })
            .collect()
    }
}

#[test]
fn all_members_are_told_and_the_late_one_the_newest_state_at_once() {
    let stage = stage();
    let [first, second, late] = [(); 3].map(|()| stage.member());
    let (hash, root) = stage.join(KEY, first).unwrap();
    let root = root.unwrap();
    assert_eq!(stage.join(KEY, second), Ok((hash, None)));
    assert_eq!(stage.told(), [], "nothing is known yet");
    assert_eq!(stage.shares.members(hash, root), 2);

    say(&stage.hub, root, b"open");
    say(&stage.hub, root, b"closed");
    assert_eq!(stage.hand_on(hash), HandedOn::default());
    let told = |who, body: &str| (who, Status::Active, body.to_owned(), false);
    assert_eq!(
        stage.told(),
        [told(first, "open"), told(second, "open"), told(first, "closed"), told(second, "closed")]
    );

    // News without a body leave the state there was.
    stage.hub.notify(root, Status::Pending, b"", b"", b"").unwrap();
    stage.hand_on(hash);
    stage.told();
    stage.join(KEY, late).unwrap();
    assert_eq!(stage.told(), [(late, Status::Pending, "closed".to_owned(), false)]);

    assert_eq!(stage.shares.leave(hash, second), None);
    assert_eq!(stage.shares.leave(hash, second), None);
    say(&stage.hub, root, b"again");
    stage.hand_on(hash);
    assert_eq!(stage.told(), [told(first, "again"), told(late, "again")]);
    assert_eq!(stage.shares.leave(hash, first), None);
    assert_eq!(stage.shares.leave(hash, late), Some(root), "the last one");
    assert_eq!(stage.shares.members(hash, root), 0);
}

/// The time until the next attempt was true when it was told, and that moment is not known.
#[test]
fn a_late_member_is_not_told_of_an_attempt() {
    let stage = stage();
    let [first, late] = [(); 2].map(|()| stage.member());
    let (hash, root) = stage.join(KEY, first).unwrap();
    let root = root.unwrap();
    say(&stage.hub, root, b"open");
    let held = News { next_attempt: Some(30), with_body: false, ..plain_news() };
    stage.hub.notify_news(root, &held, b"", b"").unwrap();
    stage.hand_on(hash);
    let attempts = || {
        let told = std::iter::from_fn(|| stage.hub.pop(stage.members));
        told.map(|told| (told.message.subscription(), told.message.next_attempt())).collect::<Vec<_>>()
    };
    assert_eq!(attempts(), [(first, None), (first, Some(30))]);
    stage.join(KEY, late).unwrap();
    assert_eq!(attempts(), [(late, None)]);
}

#[test]
fn the_word_of_a_fork_is_not_the_newest_state() {
    let stage = stage();
    let [first, late] = [(); 2].map(|()| stage.member());
    let (hash, root) = stage.join(KEY, first).unwrap();
    let root = root.unwrap();
    say(&stage.hub, root, b"open");
    for status in [Status::Active, Status::Terminated] {
        let news = News { status, fork: 1, ..plain_news() };
        stage.hub.notify_news(root, &news, b"text/plain", b"another").unwrap();
    }
    stage.hand_on(hash);
    assert_eq!(stage.told().len(), 3, "those who are there are told all");
    stage.join(KEY, late).unwrap();
    assert_eq!(stage.told(), [(late, Status::Active, "open".to_owned(), false)]);
}

fn plain_news() -> News {
    News { with_body: true, ..News::new(Status::Active, Brief::default()) }
}

/// A thousand members have one body, and the queue they share is charged for one.
#[test]
fn the_body_is_in_memory_once() {
    let alloc = Accounted::new();
    let hub = Hub::<_, RawMutex>::try_new(alloc.clone()).unwrap();
    let (roots, members) = (queue(&hub, 100), queue(&hub, 10_000));
    let stage = on_stage(hub, Shares::try_new(7.into(), alloc.clone()).unwrap(), roots, members);
    let all: Vec<_> = std::iter::repeat_with(|| stage.member()).take(1000).collect();
    let (hash, root) = stage.join(KEY, all[0]).unwrap();
    for member in &all[1..] {
        stage.join(KEY, *member).unwrap();
    }
    let envelope = Waiting::<Accounted>::ENVELOPE;
    let mut bytes = 0;
    for round in 0..3u8 {
        let before = alloc.out();
        let body = vec![b'a' + round; 256 * 1024];
        say(&stage.hub, root.unwrap(), &body);
        stage.hand_on(hash);
        let counters = stage.hub.queue_counters(stage.members).unwrap();
        assert_eq!((counters.queued, counters.dropped), (1000 * (u64::from(round) + 1), 0));
        let more = counters.queued_bytes as usize - std::mem::replace(&mut bytes, counters.queued_bytes as usize);
        assert!((body.len()..body.len() + 100).contains(&(more - 1000 * envelope)), "{more}");
        assert!(alloc.out() - before < 2 * body.len() + 1000 * envelope, "{}", alloc.out() - before);
    }
    for round in 0..3u8 {
        for member in &all {
            let message = stage.hub.pop(stage.members).unwrap().message;
            assert_eq!(
                (message.subscription(), message.body()[0], message.body().len()),
                (*member, b'a' + round, 256 * 1024)
            );
        }
    }
    assert_eq!(stage.hub.queue_counters(stage.members).unwrap().queued_bytes, 0);
    drop(stage);
    assert_eq!(alloc.out(), 0);
}

#[test]
fn what_differs_is_not_shared() {
    let stage = stage();
    let (_, root) = stage.join(KEY, stage.member()).unwrap();
    assert!(root.is_some());
    for part in 0..KEY.len() {
        let mut key = KEY;
        key[part] = b"other";
        assert!(stage.join(key, stage.member()).unwrap().1.is_some(), "{part}");
    }
}

#[test]
fn the_end_of_the_root_is_told_to_all_and_the_next_one_begins_anew() {
    let stage = stage();
    let [first, second, next] = [(); 3].map(|()| stage.member());
    let (hash, root) = stage.join(KEY, first).unwrap();
    stage.join(KEY, second).unwrap();
    stage.hub.notify(root.unwrap(), Status::Rejected, b"", b"", b"").unwrap();
    assert!(stage.hand_on(hash).ended);
    let told = |who| (who, Status::Rejected, String::new(), true);
    assert_eq!(stage.told(), [told(first), told(second)]);
    assert!(stage.join(KEY, next).unwrap().1.is_some_and(|new| Some(new) != root));
    assert_eq!(stage.told(), [], "what has ended is no state");
    assert_eq!(stage.shares.leave(hash, first), None, "not a member of the new one");
}

#[test]
fn a_member_that_has_ended_harms_nobody() {
    let stage = stage();
    let [first, second] = [(); 2].map(|()| stage.member());
    let (hash, root) = stage.join(KEY, first).unwrap();
    stage.join(KEY, second).unwrap();
    stage.hub.unsubscribe(first).unwrap();
    say(&stage.hub, root.unwrap(), b"open");
    assert_eq!(stage.hand_on(hash).untold, 0);
    assert_eq!(stage.told().len(), 1);
}

#[test]
fn a_root_that_is_refused_leaves_nothing() {
    let stage = stage();
    let (it, seen) = notifier();
    let registered = stage.hub.register_notifier(stage.domain, b"test", it).unwrap();
    seen.refuse.store(true, SeqCst);
    let member = stage.member();
    let refused = NotShared { error: Refused::new("not today").into(), untold: 0 };
    assert_eq!(stage.join(KEY, member), Err(refused));
    assert_eq!(stage.hub.subscriptions(), 1, "the member");
    stage.hub.unregister_notifier(registered).unwrap();
    assert!(stage.join(KEY, member).unwrap().1.is_some());
}

#[test]
fn each_lack_of_memory_leaves_all_as_it_was() {
    let alloc = Accounted::new();
    let hub = Hub::<_, RawMutex>::try_new(alloc.clone()).unwrap();
    let (roots, members) = (queue(&hub, 100), queue(&hub, 100));
    let stage = on_stage(hub, Shares::try_new(7.into(), alloc.clone()).unwrap(), roots, members);
    let [first, second] = [(); 2].map(|()| stage.member());
    let mut failures = 0;
    for allowed in 0.. {
        alloc.allow(allowed);
        let joined = stage.join(KEY, first);
        alloc.allow_all();
        match joined {
            Err(NotShared { error: QsaError::OutOfMemory(OutOfMemory), untold: 0 }) => {
                failures += 1;
                assert_eq!(stage.hub.subscriptions(), 2, "after {allowed}: no root");
            }
            joined => {
                let (hash, root) = joined.unwrap();
                stage.join(KEY, second).unwrap();
                say(&stage.hub, root.unwrap(), b"open");
                let delivered = stage.hub.pop(stage.roots).unwrap();
                alloc.allow(0);
                let told = stage.shares.hand_on(&stage.hub, hash, &delivered.message);
                alloc.allow_all();
                assert_eq!(told, HandedOn::default(), "the members have the message's own texts");
                assert_eq!(stage.told().len(), 2);
                break;
            }
        }
    }
    assert!(failures > 3, "{failures}");
    drop(stage);
    assert_eq!(alloc.out(), 0);
}
