//! Which worker is woken, and for what.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::registry::WorkerBoard;
use crate::time::Millis;

const NOW: Millis = Millis(1_000_000);

fn in_ms(ms: u64) -> Millis {
    NOW.after(Duration::from_millis(ms))
}

fn sleeps(board: &WorkerBoard, worker: usize, next: Option<Millis>) -> u64 {
    board.sleeps(worker, NOW, || next).as_millis().try_into().unwrap()
}

#[test]
fn one_that_is_awake_needs_no_bell() {
    let board = WorkerBoard::new(2);
    board.looks(0, NOW);
    assert_eq!(sleeps(&board, 1, None), 1000);
    assert_eq!(board.nearer(NOW, in_ms(9)), None);
    assert_eq!(board.nearer(NOW, in_ms(10)), Some(1), "the other one is blocked");
    assert_eq!(board.nearer(NOW, in_ms(10)), None, "it is being woken");
    assert_eq!(board.help(NOW), None, "nobody is left");
}

#[test]
fn one_of_those_that_sleep_is_woken() {
    let board = WorkerBoard::new(3);
    for worker in 0..3 {
        let _ = sleeps(&board, worker, None);
    }
    assert_eq!(board.nearer(in_ms(1000), NOW), None, "they wake up by then");
    assert_eq!(board.nearer(in_ms(999), NOW), Some(0));
    assert_eq!(board.nearer(NOW, NOW), None);
    assert_eq!(board.help(NOW), Some(1));
    assert_eq!(board.help(NOW), Some(2));
    assert_eq!(board.help(NOW), None);
}

#[test]
fn one_is_up_for_a_deadline() {
    let board = WorkerBoard::new(2);
    board.looks(0, NOW);
    board.looks(1, NOW);
    let due = Some(in_ms(300));
    assert_eq!(sleeps(&board, 1, due), 1000, "the other one sees to it");
    assert_eq!(sleeps(&board, 0, due), 300);
    assert_eq!(board.nearer(in_ms(300), NOW), None);
    assert_eq!(board.nearer(in_ms(299), NOW), Some(0));

    // Blocked, so that it does not see to it after all.
    let later = in_ms(100);
    let limit = board.sleeps(1, later, || due);
    assert_eq!(limit, Duration::from_millis(200));
}

#[test]
fn what_comes_meanwhile_keeps_from_sleeping() {
    let board = WorkerBoard::new(1);
    board.looks(0, NOW);
    let due = Cell::new(None);
    let looked = |now| {
        let before = due.get();
        due.set(Some(now));
        before
    };
    assert_eq!(board.sleeps(0, NOW, || looked(NOW)), Duration::ZERO);
}

#[test]
fn workers_beyond_the_most_are_unknown_and_harmless() {
    let board = WorkerBoard::new(1000);
    board.looks(999, NOW);
    assert_eq!(sleeps(&board, 999, None), 1000);
    assert!(
        (0..WorkerBoard::MOST_WORKERS).all(|worker| board.help(NOW).is_none() || worker < WorkerBoard::MOST_WORKERS)
    );
}

/// Either the worker sees the deadline before it sleeps, or it is woken.
#[test]
fn no_deadline_is_slept_over() {
    const NEVER: u64 = u64::MAX;
    let board = WorkerBoard::new(1);
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
                if board.nearer(NOW, NOW).is_some() {
                    bell.send(()).unwrap();
                }
            }
        });
        let next = || Some(due.load(Ordering::SeqCst)).filter(|at| *at != NEVER).map(Millis);
        let mut seen = 0;
        while seen < rounds {
            board.looks(0, NOW);
            if next().is_some() {
                due.store(NEVER, Ordering::SeqCst);
                seen += 1;
                continue;
            }
            if !board.sleeps(0, NOW, next).is_zero() {
                // It is woken, as no other worker will come.
                heard.recv_timeout(Duration::from_secs(20)).expect("a bell");
            }
        }
    });
}
