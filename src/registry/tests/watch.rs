//! Who is woken for what.

use crate::registry::Watch;
use crate::time::Millis;
use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const NOW: Millis = Millis(1_000_000);

fn in_ms(ms: u64) -> Millis {
    NOW.after(Duration::from_millis(ms))
}

fn sleeps(watch: &Watch, worker: usize, next: Option<Millis>) -> u64 {
    watch.sleeps(worker, NOW, || next).as_millis().try_into().unwrap()
}

#[test]
fn one_that_is_awake_needs_no_bell() {
    let watch = Watch::new(2);
    watch.looks(0, NOW);
    assert_eq!(sleeps(&watch, 1, None), 1000);
    assert_eq!(watch.nearer(NOW, in_ms(9)), None);
    assert_eq!(watch.nearer(NOW, in_ms(10)), Some(1), "the other one is blocked");
    assert_eq!(watch.nearer(NOW, in_ms(10)), None, "it is being woken");
    assert_eq!(watch.help(NOW), None, "nobody is left");
}

#[test]
fn one_of_those_that_sleep_is_woken() {
    let watch = Watch::new(3);
    for worker in 0..3 {
        let _ = sleeps(&watch, worker, None);
    }
    assert_eq!(watch.nearer(in_ms(1000), NOW), None, "they wake up by then");
    assert_eq!(watch.nearer(in_ms(999), NOW), Some(0));
    assert_eq!(watch.nearer(NOW, NOW), None);
    assert_eq!(watch.help(NOW), Some(1));
    assert_eq!(watch.help(NOW), Some(2));
    assert_eq!(watch.help(NOW), None);
}

#[test]
fn one_is_up_for_a_deadline() {
    let watch = Watch::new(2);
    watch.looks(0, NOW);
    watch.looks(1, NOW);
    let due = Some(in_ms(300));
    assert_eq!(sleeps(&watch, 1, due), 1000, "the other one sees to it");
    assert_eq!(sleeps(&watch, 0, due), 300);
    assert_eq!(watch.nearer(in_ms(300), NOW), None);
    assert_eq!(watch.nearer(in_ms(299), NOW), Some(0));

    // Blocked, so that it does not see to it after all.
    let later = in_ms(100);
    let limit = watch.sleeps(1, later, || due);
    assert_eq!(limit, Duration::from_millis(200));
}

#[test]
fn what_comes_meanwhile_keeps_from_sleeping() {
    let watch = Watch::new(1);
    watch.looks(0, NOW);
    let due = Cell::new(None);
    let looked = |now| {
        let before = due.get();
        due.set(Some(now));
        before
    };
    assert_eq!(watch.sleeps(0, NOW, || looked(NOW)), Duration::ZERO);
}

#[test]
fn workers_beyond_the_most_are_unknown_and_harmless() {
    let watch = Watch::new(1000);
    watch.looks(999, NOW);
    assert_eq!(sleeps(&watch, 999, None), 1000);
    assert!((0..Watch::MOST_WORKERS).all(|worker| watch.help(NOW).is_none() || worker < Watch::MOST_WORKERS));
}

/// Either the worker sees the deadline before it sleeps, or it is woken.
#[test]
fn no_deadline_is_slept_over() {
    const NEVER: u64 = u64::MAX;
    let watch = Watch::new(1);
    let due = AtomicU64::new(NEVER);
    let (bell, heard) = std::sync::mpsc::channel();
    let rounds = 20_000;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let bell = bell;
            for _ in 0..rounds {
                while due.load(Ordering::SeqCst) != NEVER {
                    std::thread::yield_now();
                }
                due.store(NOW.0, Ordering::SeqCst);
                if watch.nearer(NOW, NOW).is_some() {
                    bell.send(()).unwrap();
                }
            }
        });
        let next = || Some(due.load(Ordering::SeqCst)).filter(|at| *at != NEVER).map(Millis);
        let mut seen = 0;
        while seen < rounds {
            watch.looks(0, NOW);
            if next().is_some() {
                due.store(NEVER, Ordering::SeqCst);
                seen += 1;
                continue;
            }
            if !watch.sleeps(0, NOW, next).is_zero() {
                // Woken, or nobody will ever come.
                heard.recv_timeout(Duration::from_secs(20)).expect("a bell");
            }
        }
    });
}
