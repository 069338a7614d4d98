//! Due deadlines, and when workers are to be woken.

use super::life::{Told, arm, cancel, fail};
use super::{ENV, NOW, due, env_at, insert_due, step, table};
use crate::memory::OutOfMemory;
use crate::registry::{Inserted, RANDOM_LEN};
use crate::time::Millis;

fn wakes(inserted: Inserted) -> Option<Millis> {
    match inserted {
        Inserted::New { wake, .. } => wake,
        Inserted::Existing(_) => None,
    }
}

#[test]
fn what_is_due_is_run_once_and_nothing_else() {
    let (table, alloc) = table(4, 0);
    assert_eq!(table.next_due(), None);
    for n in 0..50u64 {
        insert_due(&table, &alloc, &format!("sip:{n}@example.com"), Millis(n));
    }
    assert_eq!(table.next_due(), Some(Millis(0)));
    let ran = std::iter::from_fn(|| due(&table, Millis(19))).count();
    assert_eq!(ran, 20);
    assert_eq!(table.next_due(), Some(Millis(20)));
    assert_eq!(std::iter::from_fn(|| due(&table, Millis(u64::MAX))).count(), 30);
    assert_eq!(table.next_due(), None);
    assert_eq!(table.len(), 50);
}

/// More than are sorted under one lock.
#[test]
fn all_of_a_burst_is_run() {
    let (table, alloc) = table(2, 0);
    for n in 0..500u64 {
        insert_due(&table, &alloc, &format!("sip:{n}@example.com"), Millis(20_000 + n % 7));
    }
    assert_eq!(due(&table, Millis(19_999)), None);
    assert_eq!(table.next_due(), Some(Millis(20_000)));
    assert_eq!(std::iter::from_fn(|| due(&table, Millis(20_006))).count(), 500);
    assert_eq!(table.next_due(), None);
}

#[test]
fn within_a_shard_the_earliest_comes_first() {
    let (table, alloc) = table(1, 0);
    let later = insert_due(&table, &alloc, "sip:b@example.com", Millis(9)).handle();
    let sooner = insert_due(&table, &alloc, "sip:a@example.com", Millis(8)).handle();
    assert_eq!(due(&table, NOW), Some(sooner));
    assert_eq!(due(&table, NOW), Some(later));
    assert_eq!(due(&table, NOW), None);
}

#[test]
fn a_worker_is_woken_when_something_is_due_earlier() {
    let (table, alloc) = table(1, 0);
    let first = insert_due(&table, &alloc, "sip:a@example.com", Millis(50));
    assert_eq!(wakes(first), Some(Millis(50)));
    assert_eq!(wakes(insert_due(&table, &alloc, "sip:b@example.com", Millis(60))), None);
    assert_eq!(wakes(insert_due(&table, &alloc, "sip:c@example.com", Millis(40))), Some(Millis(40)));
    let wake = |input| step(&table, first.handle(), input).unwrap().unwrap().wake;
    assert_eq!(wake(arm(Millis(45))), None);
    assert_eq!(wake(arm(Millis(30))), Some(Millis(30)));
    assert_eq!(wake(arm(Millis(30))), None);
    assert_eq!(wake(cancel()), None);
    assert_eq!(table.next_due(), Some(Millis(40)));
}

#[test]
fn a_failed_deadline_is_tried_again_after_a_second() {
    let (table, alloc) = table(2, 0);
    let handle = insert_due(&table, &alloc, "sip:a@example.com", Millis(10)).handle();
    alloc.allow(0);
    let step_due = |now| table.step_due(&env_at(now), &mut 1, [1; RANDOM_LEN], |_, _, _| panic!("nothing to deliver"));
    assert_eq!(step_due(Millis(10)).unwrap_err(), OutOfMemory);
    assert_eq!(table.next_due(), Some(Millis(1010)));
    assert!(step_due(Millis(1009)).unwrap().is_none());
    alloc.allow_all();
    assert_eq!(due(&table, Millis(1010)), Some(handle));
    assert_eq!(table.next_due(), None);

    // A failed step that is no deadline leaves the deadline where it is.
    step(&table, handle, arm(Millis(2000))).unwrap().unwrap();
    assert_eq!(step(&table, handle, fail()).unwrap_err(), OutOfMemory);
    assert_eq!(table.next_due(), Some(Millis(2000)));
}

#[test]
fn the_fresh_dialog_is_of_the_shard() {
    let (table, alloc) = table(8, 0);
    for n in 0..40 {
        let mut told = Told::new(&format!("sip:{n}@example.com"), &alloc);
        told.deadline = Some(NOW);
        table.insert(told, 0, true, &ENV).unwrap();
    }
    assert_eq!((0..).take_while(|_| due(&table, NOW).is_some()).count(), 40);
    assert!(table.shards.iter().all(|shard| !shard.has_foreign()));
}

#[test]
fn a_panic_in_a_deadline_puts_it_off() {
    let (table, alloc) = table(1, 0);
    let mut told = Told::new("sip:a@example.com", &alloc);
    (told.deadline, told.breaks) = (Some(Millis(10)), true);
    table.insert(told, 0, true, &ENV).unwrap();
    let other = insert_due(&table, &alloc, "sip:b@example.com", Millis(20)).handle();
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| due(&table, Millis(10))));
    assert!(caught.is_err());
    assert_eq!(due(&table, Millis(20)), Some(other));
    assert_eq!(due(&table, Millis(20)), None);
    assert_eq!(table.next_due(), Some(Millis(1010)));
}

#[test]
fn a_panic_in_a_step_costs_that_step_only() {
    let (table, alloc) = table(1, 0);
    let handle = insert_due(&table, &alloc, "sip:a@example.com", Millis(10)).handle();
    insert_due(&table, &alloc, "sip:b@example.com", Millis(20));
    let step_due = |now| table.step_due(&env_at(now), &mut 0, [1; RANDOM_LEN], |_, _, _| panic!("on purpose"));
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| step_due(Millis(10))));
    assert!(caught.is_err());
    assert!(table.view(handle, |life, _| life.deadlines).is_some_and(|ran| ran == 1));
    assert_eq!(table.next_due(), Some(Millis(20)));
}
