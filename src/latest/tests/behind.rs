//! States that there was no memory for, and entries that go in the meantime.

use std::cell::Cell;

use super::{SUBJECT, append, body, document, push, settle, table};
use crate::latest::LatestUsage;
use crate::memory::OutOfMemory;
use crate::testing::Accounted;

/// A process without memory spoils nothing that another one has settled.
#[test]
fn a_faster_process_with_memory_counts() {
    let account = Accounted::new();
    let table = table(&account);
    push(&table, &account, 5, "a", false);
    let failed = table.settle(5, |_| {
        settle(&table, &account, 5);
        Err::<_, OutOfMemory>(OutOfMemory)
    });
    assert!(failed.is_err());
    assert!(table.read(5).unwrap().is_known(), "nothing waits that would make it known");
    assert_eq!(body(&table, 5), "a");
}

/// The request for the whole state is not lost with the state that found no memory.
#[test]
fn the_whole_state_is_asked_for_later() {
    let account = Accounted::new();
    let table = table(&account);
    push(&table, &account, 5, "b", true);
    let round = Cell::new(0);
    let settled = table.settle(5, |unsettled| {
        round.set(round.get() + 1);
        if round.get() > 1 {
            return Err(OutOfMemory);
        }
        push(&table, &account, 5, "c", true);
        append(&account, unsettled)
    });
    assert!(settled.is_err() && round.get() == 2);
    assert!(!table.read(5).unwrap().is_known());
    assert!(settle(&table, &account, 5), "the whole state is asked for");
    assert_eq!(body(&table, 5), "bc");
    push(&table, &account, 5, "d", true);
    assert!(!settle(&table, &account, 5), "once");
}

/// What a newer document replaces keeps no memory while there is none.
#[test]
fn what_waits_for_memory_is_no_more_than_what_counts() {
    let account = Accounted::new();
    let table = table(&account);
    let long = "x".repeat(100_000);
    push(&table, &account, 5, &long, false);
    settle(&table, &account, 5);
    let fails = || assert!(table.settle(5, |_| Err::<_, OutOfMemory>(OutOfMemory)).is_err());
    for (is_partial, most) in [(false, 150_000), (false, 150_000), (true, 250_000), (true, 350_000), (false, 150_000)] {
        push(&table, &account, 5, &long, is_partial);
        fails();
        assert!(account.out() < most, "{}", account.out());
        assert!(!table.read(5).unwrap().is_known());
    }
    push(&table, &account, 5, "y", true);
    fails();
    assert!(!settle(&table, &account, 5));
    assert_eq!(body(&table, 5), long + "y");
    table.remove(5);
    assert_eq!(table.usage(), LatestUsage::default());
}

/// Another process takes a later state while what waits is thinned out.
#[test]
fn a_slower_process_settles_what_it_has_seen() {
    let account = Accounted::new();
    let table = table(&account);
    for body in ["a", "b"] {
        push(&table, &account, 5, body, false);
    }
    let mut interrupts = true;
    table
        .settle(5, |unsettled| {
            if std::mem::take(&mut interrupts) {
                push(&table, &account, 5, "c", true);
                assert!(table.settle(5, |_| Err::<_, OutOfMemory>(OutOfMemory)).is_err());
            }
            append(&account, unsettled)
        })
        .unwrap();
    assert_eq!(body(&table, 5), "bc");
    assert!(table.read(5).unwrap().is_known());
}

/// An entry that goes before it has its name is no want of memory.
#[test]
fn what_has_gone_needs_no_name() {
    let account = Accounted::new();
    let table = table(&account);
    let before = account.out();
    table.name(5, SUBJECT).unwrap();
    push(&table, &account, 5, "a", false);
    drop(document(&account, "b", false));
    table.remove(5);
    table.name(5, SUBJECT).unwrap();
    assert!(table.find(SUBJECT[0], None, SUBJECT[2], Some).is_none());
    assert_eq!((table.usage(), account.out()), (LatestUsage::default(), before));
}
