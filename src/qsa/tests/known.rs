//! Messages whose notifier knows the subscriber's value: the subscription is not looked at unless it must be.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};

use parking_lot::Mutex;

use super::support::{Plain, ask, hub, new, notifier, push_known, queue, say};
use crate::qsa::queue::{QueueCounters, QueueOutcome};
use crate::qsa::{CachedSubscriberData, LastQueued, Notifier, QsaError, QueueId, Refused};
use crate::qsa::{SubscriptionId, Wake};

const DEFAULT: crate::qsa::DomainId = Plain::DEFAULT_DOMAIN;

/// A value that no subscription has: it does not come from the hub.
const COPY: usize = 99;

/// Queues a message in whose notifier's hands the subscriber's value is [`COPY`].
fn tell(hub: &Plain, queue: QueueId, id: SubscriptionId) -> QueueOutcome {
    push_known(hub, queue, &mut LastQueued::default(), id, COPY, (b"b", 1, false))
}

/// As [`tell`], the last message of its subscription.
fn tell_last(hub: &Plain, queue: QueueId, id: SubscriptionId) -> QueueOutcome {
    push_known(hub, queue, &mut LastQueued::default(), id, COPY, (b"b", 1, true))
}

/// All that can be taken: whose it is, and with which value.
fn taken(hub: &Plain, queue: QueueId) -> Vec<(SubscriptionId, usize)> {
    let one = || hub.pop(queue).map(|delivered| (delivered.message.subscription(), delivered.subscriber_data));
    std::iter::from_fn(one).collect()
}

fn three(hub: &Plain, queue: QueueId) -> [SubscriptionId; 3] {
    [b"a", b"b", b"c"].map(|record| ask(hub, &new(record, queue)).unwrap())
}

#[test]
fn six_bytes_have_room_for_what_a_process_has() {
    assert_eq!(size_of::<CachedSubscriberData>(), 6);
    let most = (1 << 48) - 2;
    for value in [0, 1, 0xffff, 0x1_0000, 0x1234_5678_9abc, 0x7fff_ffff_ffff, most] {
        assert_eq!(CachedSubscriberData::of(value).get(), Some(value));
    }
    for value in [most + 1, most + 2, usize::MAX] {
        assert_eq!(CachedSubscriberData::of(value), CachedSubscriberData::NOTHING);
    }
    assert_eq!(CachedSubscriberData::NOTHING.get(), None);
}

#[test]
fn what_is_known_is_not_asked_of_the_hub() {
    let hub = hub();
    let q = queue(&hub, 10);
    let [a, b, _] = three(&hub, q);
    tell(&hub, q, a);
    say(&hub, b, b"of a notifier that knows nothing");
    push_known(&hub, q, &mut LastQueued::default(), a, usize::MAX, (b"of one that cannot keep it", 1, false));
    assert_eq!(taken(&hub, q), [(a, COPY), (b, 7), (a, 7)]);
}

#[test]
fn what_waits_when_a_subscription_ends_is_looked_at() {
    let hub = hub();
    let q = queue(&hub, 10);
    let [a, b, c] = three(&hub, q);
    for id in [a, b, a, c] {
        tell(&hub, q, id);
    }
    hub.unsubscribe(b).unwrap();
    tell(&hub, q, c);
    assert_eq!(taken(&hub, q), [(a, 7), (a, 7), (c, 7), (c, COPY)]);
    let expected = QueueCounters { received: 5, delivered: 4, dropped: 1, ..QueueCounters::default() };
    assert_eq!(hub.queue_counters(q), Some(expected));
}

#[test]
fn an_end_in_another_queue_is_none_of_its_business() {
    let hub = hub();
    let (q, other) = (queue(&hub, 10), queue(&hub, 10));
    let [a, ..] = three(&hub, q);
    let elsewhere = ask(&hub, &new(b"d", other)).unwrap();
    tell(&hub, q, a);
    hub.set_subscriber_data(elsewhere, 8).unwrap();
    hub.unsubscribe(elsewhere).unwrap();
    assert_eq!(taken(&hub, q), [(a, COPY)]);
}

/// What its notifier queues until it has been told of the end is in doubt as well.
#[test]
fn the_doubt_begins_when_the_notifiers_have_been_told() {
    static HUB: OnceLock<Plain> = OnceLock::new();
    static QUEUE: Mutex<Option<QueueId>> = Mutex::new(None);
    let hub = HUB.get_or_init(hub);
    let q = queue(hub, 10);
    *QUEUE.lock() = Some(q);
    let it = Notifier {
        subscribe: |_, _, _, _| Ok(1),
        unsubscribe: |_, id, _| {
            tell(HUB.get().unwrap(), QUEUE.lock().unwrap(), id);
        },
        user: 0,
    };
    hub.register_notifier(DEFAULT, b"test", it).unwrap();
    let id = ask(hub, &new(b"a", q)).unwrap();
    hub.unsubscribe(id).unwrap();
    assert_eq!(taken(hub, q), []);
    assert_eq!(hub.counters(), QueueCounters { received: 1, dropped: 1, ..QueueCounters::default() });
}

/// Such a notifier is told of the end only when its answer is there.
#[test]
fn a_notifier_that_is_just_taking_it_up_is_never_believed_again() {
    static HUB: OnceLock<Plain> = OnceLock::new();
    static TOLD: AtomicU64 = AtomicU64::new(0);
    let hub = HUB.get_or_init(hub);
    let q = queue(hub, 10);
    let it = Notifier {
        subscribe: |_, _, id, wanted| {
            let hub = HUB.get().unwrap();
            if wanted.record == b"ends at once" {
                hub.unsubscribe(id).unwrap();
                tell(hub, wanted.queue, id);
                assert_eq!(taken(hub, wanted.queue), []);
                tell(hub, wanted.queue, id);
            }
            Ok(3)
        },
        unsubscribe: |_, _, value| {
            TOLD.fetch_add(value, SeqCst);
        },
        user: 0,
    };
    hub.register_notifier(DEFAULT, b"test", it).unwrap();
    let stays = ask(hub, &new(b"a", q)).unwrap();
    tell(hub, q, stays);
    assert_eq!(taken(hub, q), [(stays, COPY)]);
    ask(hub, &new(b"ends at once", q)).unwrap();
    assert_eq!(TOLD.load(SeqCst), 3);
    tell(hub, q, stays);
    assert_eq!(taken(hub, q), [(stays, 7)]);
    assert_eq!(hub.counters(), QueueCounters { received: 4, delivered: 2, dropped: 2, ..QueueCounters::default() });
}

/// It is not told the end.
#[test]
fn a_notifier_that_is_not_registered_any_more_is_not_believed() {
    let hub = hub();
    let q = queue(&hub, 10);
    let it = Notifier { subscribe: |_, _, _, _| Ok(1), unsubscribe: |_, _, _| {}, user: 0 };
    let notifier = hub.register_notifier(DEFAULT, b"test", it).unwrap();
    let [ends, stays] = [b"a", b"b"].map(|record| ask(&hub, &new(record, q)).unwrap());
    hub.unregister_notifier(notifier).unwrap();
    tell(&hub, q, stays);
    assert_eq!(taken(&hub, q), [(stays, COPY)]);
    hub.unsubscribe(ends).unwrap();
    tell(&hub, q, ends);
    tell(&hub, q, stays);
    assert_eq!(taken(&hub, q), [(stays, 7)]);
}

#[test]
fn an_end_after_the_offer_is_no_lasting_doubt() {
    let hub = hub();
    let q = queue(&hub, 10);
    let (takes, _) = notifier();
    let (refuses, seen) = notifier();
    seen.refuse.store(true, SeqCst);
    hub.register_notifier(DEFAULT, b"test", takes).unwrap();
    hub.register_notifier(DEFAULT, b"test", refuses).unwrap();
    let [a, b, _] = three(&hub, q);
    hub.unsubscribe(b).unwrap();
    tell(&hub, q, a);
    assert_eq!(taken(&hub, q), [(a, COPY)]);
}

#[test]
fn nothing_of_a_subscription_that_is_taken_back_is_delivered() {
    static HUB: OnceLock<Plain> = OnceLock::new();
    static REFUSE: AtomicBool = AtomicBool::new(true);
    let hub = HUB.get_or_init(hub);
    let q = queue(hub, 10);
    let it = Notifier {
        subscribe: |_, _, id, wanted| {
            tell(HUB.get().unwrap(), wanted.queue, id);
            if REFUSE.load(SeqCst) { Err(Refused::new("not today")) } else { Ok(1) }
        },
        unsubscribe: |_, _, _| (),
        user: 0,
    };
    hub.register_notifier(DEFAULT, b"test", it).unwrap();
    assert_eq!(ask(hub, &new(b"a", q)), Err(QsaError::Refused(Refused::new("not today"))));
    REFUSE.store(false, SeqCst);
    let id = ask(hub, &new(b"a", q)).unwrap();
    assert_eq!(taken(hub, q), [(id, COPY)]);
    assert_eq!(hub.counters(), QueueCounters { received: 2, delivered: 1, dropped: 1, ..QueueCounters::default() });
}

#[test]
fn a_new_value_is_that_of_all_messages_from_then_on() {
    let hub = hub();
    let q = queue(&hub, 10);
    let [a, b, _] = three(&hub, q);
    tell(&hub, q, a);
    tell(&hub, q, b);
    hub.set_subscriber_data(a, 8).unwrap();
    tell(&hub, q, a);
    assert_eq!(taken(&hub, q), [(a, 8), (b, 7), (a, 8)]);
    // However long ago: the notifier's copy is what it was.
    tell(&hub, q, a);
    assert_eq!(taken(&hub, q), [(a, 8)]);
    assert_eq!(hub.set_subscriber_data(SubscriptionId::from_u64(0), 1), Err(QsaError::UnknownSubscription));
}

#[test]
fn a_full_queue_takes_doubt_along() {
    let hub = hub();
    let q = queue(&hub, 3);
    let [a, b, c] = three(&hub, q);
    tell_last(&hub, q, a);
    tell(&hub, q, b);
    tell(&hub, q, b);
    hub.unsubscribe(a).unwrap();
    // The last message of `a` is spared and goes behind those of `b`, of which one has to go.
    assert_eq!(tell(&hub, q, c), QueueOutcome::Displaced);
    assert_eq!(taken(&hub, q), [(b, 7), (c, COPY)]);
    let expected = QueueCounters { received: 4, delivered: 2, dropped: 2, ..QueueCounters::default() };
    assert_eq!(hub.queue_counters(q), Some(expected));
}

#[test]
fn a_full_queue_makes_no_doubt() {
    let hub = hub();
    let q = queue(&hub, 3);
    let [a, b, c] = three(&hub, q);
    for id in [a, b] {
        tell(&hub, q, id);
    }
    let mut last = LastQueued::default();
    push_known(&hub, q, &mut last, c, COPY, (b"1", 1, false));
    hub.unsubscribe(b).unwrap();
    // A message in doubt is gone, or still in its place.
    assert_eq!(tell(&hub, q, a), QueueOutcome::Displaced);
    assert_eq!(push_known(&hub, q, &mut last, c, COPY, (b"2", 1, false)), QueueOutcome::Merged);
    assert_eq!(taken(&hub, q), [(c, 7), (a, COPY)]);
    // One that is spared but not in doubt makes none either.
    tell_last(&hub, q, a);
    tell(&hub, q, c);
    tell(&hub, q, c);
    assert_eq!(tell(&hub, q, c), QueueOutcome::Displaced);
    assert_eq!(taken(&hub, q), [(a, COPY), (c, COPY), (c, COPY)]);
}

/// All that is spared in one go goes, one after the other, and the doubt with it.
#[test]
fn a_queue_of_last_messages_stays_in_doubt() {
    let hub = hub();
    let q = queue(&hub, 40);
    let ids: Vec<_> = (0..40).map(|_| ask(&hub, &new(b"r", q)).unwrap()).collect();
    for id in &ids {
        tell_last(&hub, q, *id);
    }
    hub.unsubscribe(ids[0]).unwrap();
    hub.unsubscribe(ids[39]).unwrap();
    let one_more = ask(&hub, &new(b"r", q)).unwrap();
    assert_eq!(tell(&hub, q, one_more), QueueOutcome::Displaced);
    let mut expected: Vec<_> = (1..16).chain(17..39).map(|n| (ids[n], 7)).collect();
    expected.push((one_more, COPY));
    assert_eq!(taken(&hub, q), expected);
}

#[test]
fn a_queue_that_is_gone_leaves_no_doubt_behind() {
    let hub = hub();
    let q = queue(&hub, 3);
    let [a, b, c] = three(&hub, q);
    tell(&hub, q, a);
    tell(&hub, q, b);
    hub.unsubscribe(a).unwrap();
    hub.set_subscriber_data(b, 8).unwrap();
    hub.queue_destroy(q).unwrap();
    let next = queue(&hub, 3);
    assert_eq!((next.index(), next == q), (q.index(), false));
    let d = ask(&hub, &new(b"d", next)).unwrap();
    tell(&hub, next, d);
    // Of subscriptions whose queue has gone.
    hub.unsubscribe(b).unwrap();
    hub.set_subscriber_data(c, 8).unwrap();
    assert_eq!(tell(&hub, q, c), QueueOutcome::Lost);
    assert_eq!(taken(&hub, next), [(d, COPY)]);
    assert_eq!(hub.counters(), QueueCounters { received: 4, delivered: 1, dropped: 3, ..QueueCounters::default() });
}

/// One process subscribes, ends it and takes messages; others queue them, as long as their notifier may.
#[test]
fn nothing_comes_after_the_end_while_others_queue() {
    static TAKEN_UP: Mutex<Vec<(SubscriptionId, LastQueued)>> = Mutex::new(Vec::new());
    let hub = hub();
    let q = hub.queue_create(20, Wake::nobody()).unwrap();
    let it = Notifier {
        subscribe: |_, _, id, _| {
            TAKEN_UP.lock().push((id, LastQueued::default()));
            Ok(1)
        },
        unsubscribe: |_, id, _| TAKEN_UP.lock().retain(|(taken, _)| *taken != id),
        user: 0,
    };
    hub.register_notifier(DEFAULT, b"test", it).unwrap();
    let done = AtomicBool::new(false);
    let mut wrong = Vec::new();
    std::thread::scope(|scope| {
        for number in 0..2u8 {
            let (hub, done) = (&hub, &done);
            scope.spawn(move || {
                while !done.load(SeqCst) {
                    // As a shard's lock does in the registry.
                    for (id, last) in TAKEN_UP.lock().iter_mut().filter(|(id, _)| id.to_u64() % 2 == u64::from(number))
                    {
                        push_known(hub, q, last, *id, 7, (b"b", 0, id.to_u64() % 3 == 0));
                    }
                    std::thread::yield_now();
                }
            });
        }
        // The others may wait for long: the rounds go on until they have come between.
        let is_met = || matches!(hub.counters(), QueueCounters { delivered: 1.., dropped: 1.., .. });
        for round in 0..1_000_000 {
            if round >= 2000 && is_met() {
                break;
            }
            let ids: Vec<_> = (0..4).map(|_| ask(&hub, &new(b"r", q)).unwrap()).collect();
            let mut ended = Vec::new();
            for id in ids {
                std::thread::yield_now();
                hub.unsubscribe(id).unwrap();
                ended.push(id);
                wrong.extend(taken(&hub, q).into_iter().filter(|(told, value)| ended.contains(told) || *value != 7));
            }
        }
        done.store(true, SeqCst);
    });
    assert_eq!(wrong, []);
    let c = hub.counters();
    assert_eq!(c.received, c.delivered + c.merged + c.dropped + c.queued);
    assert!(c.delivered > 0 && c.dropped > 0, "{c:?}");
}
