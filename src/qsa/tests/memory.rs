//! Running out of memory harms nothing, and all of it comes back.

use std::sync::atomic::Ordering;

use parking_lot::RawMutex;

use super::support::{Seen, ask, new, notifier, queue, say};
use crate::memory::OutOfMemory;
use crate::qsa::waiting::CHUNK;
use crate::qsa::{Hub, QsaError};
use crate::subscription::Status;
use crate::testing::Accounted;

type Counted = Hub<Accounted, RawMutex>;

#[test]
fn all_memory_comes_back() {
    let memory = Accounted::new();
    let hub = Counted::try_new(memory.clone()).unwrap();
    let base = memory.out();
    let q = queue(&hub, 1000);
    let domain = hub.domain(b"").unwrap();
    hub.register_notifier(domain, b"test", notifier().0).unwrap();
    let with_queue = memory.out();
    let ids: Vec<_> = (0..1000).map(|n| ask(&hub, &new(format!("r{n}").as_bytes(), q)).unwrap()).collect();
    for id in &ids {
        say(&hub, *id, b"a body of some length that is not kept in place");
    }
    while hub.pop(q).is_some() {}
    for id in ids {
        hub.unsubscribe(id).unwrap();
    }
    assert_eq!(memory.out(), with_queue);
    hub.queue_destroy(q).unwrap();
    drop(hub);
    assert_eq!(memory.out(), 0);
    assert!(base > 0);
}

#[test]
fn every_failure_to_allocate_is_an_error_and_nothing_else() {
    let memory = Accounted::new();
    let out = QsaError::OutOfMemory(OutOfMemory);
    for allowed in 0.. {
        memory.allow(allowed);
        let hub = Counted::try_new(memory.clone());
        memory.allow_all();
        match hub {
            Ok(_) => break,
            Err(error) => assert_eq!((error, memory.out()), (out, 0)),
        }
    }
    let hub = Counted::try_new(memory.clone()).unwrap();
    let q = queue(&hub, 1000);
    let domain = hub.domain(b"").unwrap();
    let before = memory.out();
    for allowed in 0.. {
        memory.allow(allowed);
        let made = ask(&hub, &new(b"a", q));
        memory.allow_all();
        match made {
            Ok(id) => {
                hub.unsubscribe(id).unwrap();
                break;
            }
            Err(error) => assert_eq!((error, hub.subscriptions()), (out, 0)),
        }
    }
    memory.allow(0);
    assert_eq!(hub.register_notifier(domain, b"test", notifier().0).unwrap_err(), out);
    assert_eq!(hub.domain(b"another").unwrap_err(), out);
    assert_eq!(hub.queue_create(1, crate::qsa::Wake::nobody()).unwrap_err(), out);
    assert_eq!(hub.content_type(domain, b"t", None).unwrap_err(), out);
    assert_eq!(hub.keep_foreign([1, 2, 3]).unwrap_err(), out);
    memory.allow_all();
    assert!(!hub.has_notifier(domain, b"test"));
    // Retained capacity of the lists of names only.
    assert!(memory.out() - before < 4096);

    // A queue that cannot grow merges instead.
    let id = ask(&hub, &new(b"a", q)).unwrap();
    let other = ask(&hub, &new(b"b", q)).unwrap();
    say(&hub, other, b"other");
    for _ in 1..CHUNK {
        say(&hub, id, b"x");
    }
    memory.allow(0);
    assert_eq!(hub.notify(id, Status::Active, b"", b"t", b"y"), Err(out));
    memory.allow(1);
    say(&hub, other, b"z");
    memory.allow_all();
    let counters = hub.queue_counters(q).unwrap();
    assert_eq!((counters.queued, counters.merged), (CHUNK as u64, 1));
    assert_eq!(hub.pop(q).unwrap().message.body(), b"z");
}

/// The second notifier's offer needs memory of its own.
#[test]
fn an_offer_without_memory_leaves_nothing() {
    let memory = Accounted::new();
    let hub = Counted::try_new(memory.clone()).unwrap();
    let q = queue(&hub, 10);
    let domain = hub.domain(b"").unwrap();
    let ((first, of_first), (second, of_second)) = (notifier(), notifier());
    hub.register_notifier(domain, b"test", first).unwrap();
    let late = ask(&hub, &new(b"late", q)).unwrap();
    memory.allow(0);
    hub.register_notifier(domain, b"test", second).unwrap();
    memory.allow_all();
    let count = |seen: &Seen| (seen.taken.load(Ordering::SeqCst), seen.left.load(Ordering::SeqCst));
    assert_eq!((count(of_first), count(of_second)), ((1, 0), (0, 0)));
    let mut refused = 0;
    for allowed in 0.. {
        memory.allow(allowed);
        let made = ask(&hub, &new(b"a", q));
        memory.allow_all();
        let Err(error) = made else { break };
        refused += 1;
        assert_eq!((error, hub.subscriptions()), (QsaError::OutOfMemory(OutOfMemory), 1));
        let (taken, left) = count(of_first);
        assert_eq!((taken - 1, of_second.taken.load(Ordering::SeqCst)), (left, 0));
    }
    assert!(refused >= 2, "{refused}");
    assert_eq!(count(of_second), (1, 0));
    hub.unsubscribe(late).unwrap();
    assert_eq!(count(of_second), (1, 0));
}

#[test]
fn foreign_callbacks_are_kept_and_forgotten() {
    let memory = Accounted::new();
    let hub = Counted::try_new(memory.clone()).unwrap();
    let before = memory.out();
    let (one, two) = (hub.keep_foreign([1, 1, 1]).unwrap(), hub.keep_foreign([2, 2, 2]).unwrap());
    assert_eq!((hub.foreign(one), hub.foreign(two)), (Some([1, 1, 1]), Some([2, 2, 2])));
    hub.forget_foreign(one);
    let three = hub.keep_foreign([3, 3, 3]).unwrap();
    assert_eq!((hub.foreign(one), hub.foreign(three)), (None, Some([3, 3, 3])));
    hub.forget_foreign(one);
    hub.forget_foreign(two);
    hub.forget_foreign(three);
    assert_eq!((hub.foreign(three), memory.out()), (None, before));
}
