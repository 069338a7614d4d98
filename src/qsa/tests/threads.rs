//! Many at once.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;

use super::support::{Plain, ask, hub, new, notifier, queue};
use crate::subscription::Status;

#[test]
fn everybody_at_once_and_nothing_is_lost() {
    let hub = hub();
    let queues: Vec<_> = (0..3).map(|_| queue(&hub, 50)).collect();
    let (always, seen) = notifier();
    hub.register_notifier(Plain::DEFAULT_DOMAIN, b"test", always).unwrap();
    let (late, seen_late) = notifier();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let subscribers: Vec<_> = (0..4usize)
            .map(|who| {
                let (hub, queues) = (&hub, &queues);
                scope.spawn(move || {
                    for round in 0..300 {
                        let q = queues[(who + round) % 3];
                        let ids: Vec<_> = (0..8).map(|_| ask(hub, &new(b"r", q)).unwrap()).collect();
                        for id in &ids {
                            hub.notify(*id, Status::Active, b"", b"t", b"some body").unwrap();
                        }
                        for id in ids {
                            hub.unsubscribe(id).unwrap();
                        }
                    }
                })
            })
            .collect();
        for q in &queues {
            scope.spawn(|| {
                while !done.load(SeqCst) {
                    if let Some(delivered) = hub.pop(*q) {
                        assert_eq!(delivered.message.body(), b"some body");
                    }
                    let c = hub.counters();
                    assert_eq!(c.received, c.delivered + c.merged + c.dropped + c.queued);
                }
            });
        }
        scope.spawn(|| {
            while !done.load(SeqCst) {
                let id = hub.register_notifier(Plain::DEFAULT_DOMAIN, b"test", late).unwrap();
                hub.unregister_notifier(id).unwrap();
            }
        });
        for subscriber in subscribers {
            subscriber.join().unwrap();
        }
        done.store(true, SeqCst);
    });
    let total = 4 * 300 * 8;
    assert_eq!((seen.taken.load(SeqCst), seen.left.load(SeqCst)), (total, total));
    assert!(seen_late.left.load(SeqCst) <= seen_late.taken.load(SeqCst));
    assert_eq!(hub.subscriptions(), 0);
    for q in queues {
        assert!(hub.pop(q).is_none());
    }
    let c = hub.counters();
    assert_eq!((c.received, c.queued), (total as u64, 0));
}
