//! Queues and messages.

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering::SeqCst};

use super::support::{ask, hub, new, queue, say};
use crate::qsa::queue::{QueueCounters, QueueOutcome};
use crate::qsa::{CachedSubscriberData, Destroy, LastQueued, Loss, Message, QsaError, QueueId, SubscriptionId, Wake};
use crate::subscription::{Brief, News, Status};

#[test]
fn messages_come_in_order_with_all_they_say() {
    let hub = hub();
    let q = queue(&hub, 1000);
    let id = ask(&hub, &new(b"r", q)).unwrap();
    let news = News {
        code: 503,
        next_attempt: Some(120),
        ..News::new(Status::Terminated, Brief::new(b"Service Unavailable"))
    };
    hub.notify_news(id, &news, b"text/plain", b"not to be seen").unwrap();
    for n in 0..500 {
        say(&hub, id, format!("{n}").as_bytes());
    }
    hub.set_subscriber_data(id, 9).unwrap();
    let first = hub.pop(q).unwrap();
    assert_eq!(first.subscriber_data, 9);
    let message = first.message;
    assert_eq!((message.subscription(), message.status(), message.code()), (id, Status::Terminated, 503));
    assert_eq!((message.reason(), message.next_attempt()), ("Service Unavailable", Some(120)));
    assert_eq!((message.content_type(), message.body(), message.is_last()), (&b""[..], &b""[..], false));
    for n in 0..500 {
        let message = hub.pop(q).unwrap().message;
        assert_eq!(message.body(), format!("{n}").as_bytes());
        assert_eq!(message.content_type(), b"text/plain");
    }
    assert!(hub.pop(q).is_none());
    assert_eq!(hub.queue_is_empty(q), Some(true));
    assert_eq!(hub.counters(), QueueCounters { received: 501, delivered: 501, ..QueueCounters::default() });
}

#[test]
fn a_merged_message_without_a_body_keeps_the_newest_state() {
    let hub = hub();
    let q = queue(&hub, 1);
    let id = ask(&hub, &new(b"r", q)).unwrap();
    say(&hub, id, b"open");
    let failed =
        News { code: 500, next_attempt: Some(9), ..News::new(Status::Active, Brief::new(b"Server Internal Error")) };
    hub.notify_news(id, &failed, b"", b"").unwrap();
    let message = hub.pop(q).unwrap().message;
    assert_eq!((message.code(), message.content_type(), message.body()), (500, &b"text/plain"[..], &b"open"[..]));
    say(&hub, id, b"open");
    hub.notify_news(id, &News { status: Status::Terminated, ..failed }, b"", b"").unwrap();
    assert_eq!(hub.pop(q).unwrap().message.body(), b"", "an ended subscription has no state");
}

#[test]
fn the_last_message_of_a_subscription_is_not_displaced() {
    let hub = hub();
    let q = queue(&hub, 3);
    let [ending, first, second, third] = [b"a", b"b", b"c", b"d"].map(|record| ask(&hub, &new(record, q)).unwrap());
    hub.notify(ending, Status::Terminated, b"noresource", b"", b"").unwrap();
    say(&hub, first, b"1");
    say(&hub, second, b"2");
    say(&hub, third, b"3");
    let told: Vec<_> = std::iter::from_fn(|| hub.pop(q)).map(|delivered| delivered.message.subscription()).collect();
    assert_eq!(told, [ending, second, third], "the oldest that is not the last of its subscription had to go");
    assert_eq!(hub.queue_counters(q).unwrap().dropped, 1);
}

#[test]
fn nothing_of_an_ended_subscription_is_delivered() {
    let hub = hub();
    let q = queue(&hub, 10);
    let (gone, stays) = (ask(&hub, &new(b"a", q)).unwrap(), ask(&hub, &new(b"b", q)).unwrap());
    say(&hub, gone, b"1");
    say(&hub, stays, b"2");
    say(&hub, gone, b"3");
    hub.unsubscribe(gone).unwrap();
    assert_eq!(hub.pop(q).unwrap().message.body(), b"2");
    assert!(hub.pop(q).is_none());
    let expected = QueueCounters { received: 3, delivered: 1, dropped: 2, ..QueueCounters::default() };
    assert_eq!(hub.queue_counters(q), Some(expected));
}

#[test]
fn a_full_queue_keeps_the_newest_of_each() {
    let hub = hub();
    let q = queue(&hub, 2);
    let (a, b) = (ask(&hub, &new(b"a", q)).unwrap(), ask(&hub, &new(b"b", q)).unwrap());
    say(&hub, a, b"a1");
    say(&hub, b, b"b1");
    say(&hub, a, b"a2");
    say(&hub, a, b"a3");
    let c = ask(&hub, &new(b"c", q)).unwrap();
    say(&hub, b, b"b2");
    assert_eq!(hub.queue_counters(q).unwrap().merged, 3);
    say(&hub, c, b"c1");
    let bodies: Vec<_> = std::iter::from_fn(|| hub.pop(q)).map(|d| d.message.body().to_vec()).collect();
    assert_eq!(bodies, [b"b2", b"c1"]);
    let expected = QueueCounters { received: 6, delivered: 2, merged: 3, dropped: 1, ..QueueCounters::default() };
    assert_eq!(hub.queue_counters(q), Some(expected));
}

#[test]
fn the_consumer_is_woken_once_for_each_time_the_queue_was_empty() {
    static WOKEN: AtomicUsize = AtomicUsize::new(0);
    let hub = hub();
    let wake = Wake {
        f: |by| {
            WOKEN.fetch_add(by, SeqCst);
        },
        user: 5,
    };
    let q = hub.queue_create(1, wake).unwrap();
    let id = ask(&hub, &new(b"a", q)).unwrap();
    say(&hub, id, b"1");
    say(&hub, id, b"2");
    assert_eq!(WOKEN.load(SeqCst), 5);
    hub.pop(q).unwrap();
    say(&hub, id, b"3");
    assert_eq!(WOKEN.load(SeqCst), 10);
    // Code that pushes under a lock wakes later.
    hub.pop(q).unwrap();
    let news = News { with_body: true, ..News::new(Status::Active, Brief::default()) };
    let prepared = Message::prepare(b"t", b"b", hub.allocator()).unwrap();
    let pushed = hub.push(q, &mut LastQueued::default(), prepared.complete(id, CachedSubscriberData::NOTHING, &news));
    assert_eq!((WOKEN.load(SeqCst), pushed.outcome), (10, QueueOutcome::Queued));
    pushed.finish();
    assert_eq!(WOKEN.load(SeqCst), 15);
}

/// A message that takes the place of an older one has waited since that came.
#[test]
fn it_is_known_how_long_the_oldest_message_waits() {
    static NOW: AtomicU32 = AtomicU32::new(u32::MAX - 5);
    let hub = hub().with_clock(|| NOW.load(SeqCst));
    let q = queue(&hub, 2);
    let id = ask(&hub, &new(b"a", q)).unwrap();
    let oldest = || {
        let [queue] = hub.queue_snapshots().try_into().unwrap();
        assert_eq!((queue.id, queue.limit, queue.counters), (q, 2, hub.queue_counters(q).unwrap()));
        queue.oldest
    };
    assert_eq!(oldest(), None);
    say(&hub, id, b"1");
    // The clock has turned over in the meantime.
    NOW.store(10, SeqCst);
    assert_eq!(oldest(), Some(16));
    say(&hub, id, b"2");
    NOW.store(30, SeqCst);
    say(&hub, id, b"3");
    assert_eq!((oldest(), hub.queue_counters(q).unwrap().merged), (Some(36), 1));
    hub.pop(q).unwrap();
    assert_eq!(oldest(), Some(20));
    hub.pop(q).unwrap();
    assert_eq!(oldest(), None);
}

#[test]
fn queues_are_made_and_ended() {
    let hub = hub();
    assert_eq!(hub.queue_create(0, Wake::nobody()), Err(QsaError::NoLimit));
    let all: Vec<_> = (0..QueueId::MAX).map(|_| queue(&hub, 3)).collect();
    assert_eq!(hub.queue_create(3, Wake::nobody()), Err(QsaError::TooManyQueues));
    let old = all[3];
    let id = ask(&hub, &new(b"a", old)).unwrap();
    say(&hub, id, b"1");
    hub.queue_destroy(old).unwrap();
    assert_eq!(hub.queue_destroy(old).unwrap_err(), QsaError::UnknownQueue);
    assert_eq!(hub.notify(id, Status::Active, b"", b"", b""), Err(QsaError::UnknownQueue));
    let new_one = queue(&hub, 3);
    assert_ne!(new_one, old);
    assert_eq!((hub.queue_is_empty(old), hub.queue_counters(old)), (None, None));
    assert!(hub.pop(old).is_none());
    assert_eq!(hub.notify(id, Status::Active, b"", b"", b""), Err(QsaError::UnknownQueue));
    assert_eq!(hub.queue_counters(new_one), Some(QueueCounters::default()));
    assert_eq!(hub.counters(), QueueCounters { received: 3, dropped: 3, ..QueueCounters::default() });
}

#[test]
fn carried_values_are_destroyed_exactly_once() {
    static DESTROYED: parking_lot::Mutex<Vec<usize>> = parking_lot::Mutex::new(Vec::new());
    let destroy = Destroy { f: |user, value| DESTROYED.lock().push(user + value), user: 1000 };
    let hub = hub();
    let q = queue(&hub, 1);
    let domain = super::support::Plain::DEFAULT_DOMAIN;
    let plain = hub.content_type(domain, b"test/value", Some(destroy)).unwrap();
    assert_eq!(hub.content_type(domain, b"test/value", None).unwrap(), plain);
    let id = ask(&hub, &new(b"a", q)).unwrap();
    let send = |value| hub.notify_data(id, Status::Active, b"", plain, value);
    send(1).unwrap();
    send(2).unwrap();
    assert_eq!(*DESTROYED.lock(), [1001], "merged");
    let mut delivered = hub.pop(q).unwrap();
    assert_eq!((delivered.message.data(), delivered.message.content_type()), (Some(2), &b"test/value"[..]));
    assert_eq!(delivered.subscriber_data, 7);
    assert_eq!(delivered.message.take_data(), Some(2));
    drop(delivered);
    send(3).unwrap();
    drop(hub.pop(q));
    send(4).unwrap();
    hub.unsubscribe(id).unwrap();
    assert!(hub.pop(q).is_none());
    assert_eq!(send(5), Err(QsaError::UnknownSubscription));
    assert_eq!(*DESTROYED.lock(), [1001, 1003, 1004, 1005]);
    let unknown = crate::qsa::ContentTypeId::from_u64(99);
    assert_eq!(hub.notify_data(id, Status::Active, b"", unknown, 6), Err(QsaError::UnknownContentType));
    assert_eq!(DESTROYED.lock().len(), 4);
}

/// Each fork has a state of its own: a full queue does not put one in the place of another.
#[test]
fn messages_of_different_forks_are_not_merged() {
    let hub = hub();
    let q = queue(&hub, 2);
    let id = ask(&hub, &new(b"r", q)).unwrap();
    let push = |fork: u8, body: &[u8], last: &mut LastQueued| {
        let news = News { with_body: true, fork, ..News::new(Status::Active, Brief::default()) };
        let prepared = Message::prepare(b"t", body, hub.allocator()).unwrap();
        let pushed = hub.push(q, last, prepared.complete(id, CachedSubscriberData::NOTHING, &news));
        let outcome = pushed.outcome;
        pushed.finish();
        outcome
    };
    let mut first = LastQueued::default();
    assert_eq!(push(0, b"first", &mut first), QueueOutcome::Queued);
    // A fork begins with a copy of what its subscription has.
    let mut second = first;
    assert_eq!(push(1, b"second", &mut second), QueueOutcome::Queued);
    assert_eq!(push(1, b"second, newer", &mut second), QueueOutcome::Merged);
    let mut third = first;
    assert_eq!(push(2, b"third", &mut third), QueueOutcome::Displaced);
    let left: Vec<_> =
        std::iter::from_fn(|| hub.pop(q)).map(|one| (one.message.fork(), one.message.body().to_vec())).collect();
    assert_eq!(left, [(1, b"second, newer".to_vec()), (2, b"third".to_vec())]);
    assert_eq!(
        hub.counters(),
        QueueCounters { received: 4, delivered: 2, merged: 1, dropped: 1, ..QueueCounters::default() }
    );
}

/// The subscription that loses a message is told of, whichever needed the room.
#[test]
fn each_loss_is_told_of_whose_it_is() {
    static LOST: parking_lot::Mutex<Vec<(SubscriptionId, u8, Loss)>> = parking_lot::Mutex::new(Vec::new());
    let lost = || std::mem::take(&mut *LOST.lock());
    let hub = hub().with_on_loss(|subscription, fork, loss| LOST.lock().push((subscription, fork, loss)));
    let q = queue(&hub, 2);
    let [one, other, third] = [b"1", b"2", b"3"].map(|record| ask(&hub, &new(record, q)).unwrap());
    say(&hub, one, b"a");
    say(&hub, other, b"b");
    assert_eq!(lost(), []);
    say(&hub, one, b"c");
    assert_eq!(lost(), [(one, 0, Loss::Merged)]);
    say(&hub, third, b"d");
    let [(loser, 0, Loss::Dropped)] = lost()[..] else { panic!("one makes room") };
    assert!(loser == one || loser == other);
    let QueueCounters { received, merged, dropped, queued, .. } = hub.counters();
    assert_eq!((received, merged, dropped, queued), (4, 1, 1, 2));
    hub.queue_destroy(q).unwrap();
    assert!(hub.notify(one, Status::Active, b"", b"", b"").is_err());
    assert_eq!(lost(), [(one, 0, Loss::Dropped)]);
}
