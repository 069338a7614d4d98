//! Many threads at once: each deadline runs once, each NOTIFY arrives, in order.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::life::{arm, arrived, notify};
use super::{ENV, insert, step, table};
use crate::registry::{Life, RANDOM_LEN};
use crate::subscription::{Fingerprint, Input};
use crate::time::Millis;

/// Each deadline armed is the number of its arming; it must come up once, by whichever worker.
#[test]
fn every_deadline_runs_once() {
    const ROUNDS: u64 = 300;
    let (table, alloc) = table(4, 0);
    let handles: Vec<_> =
        (0..64).map(|n| insert(&table, &alloc, &format!("sip:{n}@example.com"), true).handle()).collect();
    let (ran, done) = (AtomicU64::new(0), AtomicBool::new(false));
    let worker = |number: usize| {
        loop {
            let last_look = done.load(Ordering::SeqCst);
            let random: [u8; RANDOM_LEN] = std::array::from_fn(|n| u8::try_from(n + number).unwrap());
            // The owner's data counts the armings that have run.
            match table.step_due(&ENV, &mut { number }, random, |_, _, owner| *owner += 1).unwrap() {
                Some(_) => _ = ran.fetch_add(1, Ordering::SeqCst),
                None if last_look => break,
                None => std::thread::yield_now(),
            }
        }
    };
    std::thread::scope(|scope| {
        for number in 0..3 {
            scope.spawn(move || worker(number));
        }
        let arming: Vec<_> = handles
            .chunks(16)
            .map(|handles| {
                let table = &table;
                scope.spawn(move || {
                    for round in 1..=ROUNDS {
                        for handle in handles {
                            step(table, *handle, arm(Millis(round))).unwrap().unwrap();
                        }
                        for handle in handles {
                            while table.view(*handle, |_, owner| *owner) != Some(round) {
                                std::thread::yield_now();
                            }
                        }
                    }
                })
            })
            .collect();
        for thread in arming {
            thread.join().unwrap();
        }
        done.store(true, Ordering::SeqCst);
    });
    assert_eq!(ran.load(Ordering::SeqCst), 64 * ROUNDS);
    for handle in handles {
        assert_eq!(table.view(handle, |life, owner| (u64::from(life.deadlines), *owner)), Some((ROUNDS, ROUNDS)));
    }
}

/// Subscriptions come and go on many threads while NOTIFYs and deadlines are under way.
#[test]
fn coming_and_going_leaves_nothing() {
    let (table, alloc) = table(8, 100);
    std::thread::scope(|scope| {
        for thread in 0..6 {
            let (table, alloc) = (&table, &alloc);
            scope.spawn(move || {
                for round in 0..2000u32 {
                    let record = format!("sip:{}@example.com", round % 40);
                    let handle = insert(table, alloc, &record, thread % 2 == 0).handle();
                    let random = std::array::from_fn(|n| (round >> (n % 3)) as u8 ^ thread ^ n as u8);
                    let _ = step(table, handle, arm(Millis(1))).unwrap();
                    table.step_due(&ENV, &mut usize::from(thread), random, |_, _, _| ()).unwrap();
                    let ids = table.view(handle, |life, _| (life.call_id().to_vec(), life.local_tag().to_vec()));
                    if let Some((call_id, tag)) = ids {
                        table
                            .step_notify(arrived(&call_id, &tag, notify(1)), |notify| notify, &ENV, |_, _, _| ())
                            .unwrap();
                    }
                    let _ = step(table, handle, Input::Unsubscribe).unwrap();
                }
            });
        }
    });
    assert_eq!(table.len(), 0);
    assert_eq!(table.created(), table.destroyed());
    assert_eq!(table.next_due(), None);
    assert!(table.shards.iter().all(|shard| shard.lock().indexed() == (0, 0) && !shard.has_foreign()));
    drop(table);
    assert_eq!(alloc.out(), 0);
}

/// Deliveries under the lock are in the order of the steps.
#[test]
fn news_keep_their_order() {
    let (table, alloc) = table(1, 0);
    let handle = insert(&table, &alloc, "sip:a@example.com", true).handle();
    let queue = parking_lot::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..500 {
                    let push = |_, _: &_, owner: &mut u64| {
                        *owner += 1;
                        queue.lock().push(*owner);
                    };
                    table.step(handle, Input::Notify(notify(1), Fingerprint::NONE), &ENV, push).unwrap().unwrap();
                }
            });
        }
    });
    assert_eq!(queue.into_inner(), (1..=2000).collect::<Vec<_>>());
    assert_eq!(table.view(handle, |life, _| life.notifies), Some(2000));
}
