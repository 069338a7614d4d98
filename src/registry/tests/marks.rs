//! What is marked for the database, and what is taken of it.

use super::life::{Told, arm, arrived, dialog, notify_from};
use super::{ENV, Handle, NOW, Table, due, insert, insert_due, step, table};
use crate::registry::StoreMark;
use crate::subscription::{Input, Untold};
use crate::testing::Accounted;

/// A registry that marks.
pub(super) fn stored(shards: usize, max_subscriptions: u32) -> (Table, Accounted) {
    let (table, alloc) = table(shards, max_subscriptions);
    (table.with_store(), alloc)
}

/// All marks: index, mark, and the handle of what is there.
pub(super) fn taken(table: &Table, least: StoreMark) -> Vec<(u32, StoreMark, Option<Handle>)> {
    let (mut all, mut turn) = (Vec::new(), 0);
    let count = table.take_marks(&mut turn, usize::MAX, least, |index, mark, marked| {
        all.push((index, mark, marked.map(|marked| marked.handle)));
    });
    assert_eq!(count, all.len());
    assert!(least == StoreMark::Whole || !table.has_marks() && table.marked() == 0);
    all
}

fn notified(table: &Table, from: &[u8]) {
    let stepped =
        table.step_notify(arrived(b"id", b"t", notify_from(from, 1)), |notify| notify, &ENV, |_, _, _| ()).unwrap();
    assert!(stepped.is_some());
}

#[test]
fn without_a_store_nothing_is_marked() {
    let (table, alloc) = table(4, 0);
    let handle = insert(&table, &alloc, "sip:a@example.com", true).handle();
    table.mark(handle.index(), StoreMark::Whole);
    assert!(!table.has_marks());
    assert_eq!(taken(&table, StoreMark::Counted), []);
    assert!(table.shards.iter().all(|shard| shard.lock().marks.len() == 0), "no memory");
}

#[test]
fn each_kind_of_step_has_its_mark() {
    let (table, alloc) = stored(4, 0);
    let handle = insert(&table, &alloc, "sip:a@example.com", true).handle();
    let one = |mark| vec![(handle.index(), mark, Some(handle))];
    assert!(table.has_marks() && table.marked() == 1);
    assert_eq!(taken(&table, StoreMark::Numbers), one(StoreMark::Whole), "it is new");
    assert_eq!(taken(&table, StoreMark::Counted), []);
    step(&table, handle, arm(NOW)).unwrap().unwrap();
    assert_eq!(taken(&table, StoreMark::Numbers), one(StoreMark::Numbers), "its deadline has moved");
    step(&table, handle, Input::Refresh).unwrap().unwrap();
    assert_eq!(taken(&table, StoreMark::Numbers), one(StoreMark::Numbers), "an input that may change anything");
    step(&table, handle, dialog(b"id", b"t")).unwrap().unwrap();
    assert_eq!(taken(&table, StoreMark::Numbers), one(StoreMark::Whole), "another dialog");
    notified(&table, b"");
    assert!(!table.has_marks(), "what a NOTIFY counts is not shown");
    assert_eq!(taken(&table, StoreMark::Numbers), []);
    assert_eq!(taken(&table, StoreMark::Counted), one(StoreMark::Counted));
    step(&table, handle, Input::Untold(Untold::Refused)).unwrap().unwrap();
    assert_eq!(taken(&table, StoreMark::Counted), one(StoreMark::Counted));
    notified(&table, b"a");
    assert!(table.has_marks(), "the notifier has given the dialog its tag");
    assert_eq!(taken(&table, StoreMark::Numbers), one(StoreMark::Whole));
    step(&table, handle, Input::Unsubscribe).unwrap().unwrap();
    assert_eq!(taken(&table, StoreMark::Numbers), [(handle.index(), StoreMark::Whole, None)], "it has gone");
}

#[test]
fn a_deadline_marks() {
    let (table, alloc) = stored(2, 0);
    let handle = insert_due(&table, &alloc, "sip:a@example.com", NOW).handle();
    taken(&table, StoreMark::Counted);
    assert_eq!(due(&table, NOW), Some(handle));
    assert_eq!(
        taken(&table, StoreMark::Numbers),
        [(handle.index(), StoreMark::Whole, Some(handle))],
        "its dialog is new"
    );
}

/// However many steps there are, each slot is taken once, with the greatest mark.
#[test]
fn marks_collapse() {
    let (table, alloc) = stored(2, 0);
    let handle = insert(&table, &alloc, "sip:a@example.com", true).handle();
    taken(&table, StoreMark::Counted);
    for (marks, greatest) in [
        (&[StoreMark::Counted, StoreMark::Numbers, StoreMark::Counted][..], StoreMark::Numbers),
        (&[StoreMark::Numbers, StoreMark::Whole, StoreMark::Whole, StoreMark::Counted], StoreMark::Whole),
        (&[StoreMark::Counted, StoreMark::Counted], StoreMark::Counted),
    ] {
        marks.iter().for_each(|mark| table.mark(handle.index(), *mark));
        assert_eq!(taken(&table, StoreMark::Counted), [(handle.index(), greatest, Some(handle))]);
        assert_eq!(taken(&table, StoreMark::Counted), []);
    }
    table.mark(handle.index(), StoreMark::Numbers);
    assert_eq!(taken(&table, StoreMark::Whole), []);
    assert!(table.has_marks() && table.marked() == 1, "it is shown until it is taken");
    table.mark(handle.index(), StoreMark::Whole);
    assert_eq!(
        (taken(&table, StoreMark::Whole), table.marked()),
        (vec![(handle.index(), StoreMark::Whole, Some(handle))], 0)
    );
    table.mark(handle.index(), StoreMark::Counted);
    table.mark(handle.index(), StoreMark::Numbers);
    assert_eq!(taken(&table, StoreMark::Numbers), [(handle.index(), StoreMark::Numbers, Some(handle))]);
    assert_eq!(taken(&table, StoreMark::Counted), [], "nothing is left of the smaller one");
}

/// One that comes into the slot of one that has gone is told from it.
#[test]
fn a_slot_that_is_used_again_shows_its_new_subscription() {
    let (table, alloc) = stored(1, 0);
    let first = insert(&table, &alloc, "sip:0@example.com", true).handle();
    taken(&table, StoreMark::Counted);
    step(&table, first, Input::Unsubscribe).unwrap().unwrap();
    let others: Vec<_> =
        (1..=64).map(|n| insert(&table, &alloc, &format!("sip:{n}@example.com"), true).handle()).collect();
    let last = *others.last().unwrap();
    assert_eq!(last.index(), first.index());
    let marks = taken(&table, StoreMark::Numbers);
    assert_eq!(marks.len(), 64);
    assert!(marks.contains(&(first.index(), StoreMark::Whole, Some(last))));
}

#[test]
fn forks_are_shown_with_their_subscription() {
    let (table, alloc) = stored(4, 0);
    let root = insert(&table, &alloc, "sip:a@example.com", true).handle();
    step(&table, root, dialog(b"id", b"t")).unwrap().unwrap();
    notified(&table, b"a");
    taken(&table, StoreMark::Counted);
    notified(&table, b"b");
    let mut shown = Vec::new();
    table.take_marks(&mut 3, 10, StoreMark::Numbers, |_, mark, marked| {
        let marked = marked.unwrap();
        shown.push((mark, marked.handle, marked.root, marked.named, marked.life.deadline, *marked.owner));
    });
    assert_eq!(shown, [(StoreMark::Whole, table.forks_of(root)[0], Some(root), false, None, 0)]);
    step(&table, root, Input::Unsubscribe).unwrap().unwrap();
    let mut gone = taken(&table, StoreMark::Numbers);
    gone.sort_by_key(|(_, _, handle)| *handle);
    assert_eq!(gone.iter().filter(|(_, mark, handle)| *mark == StoreMark::Whole && handle.is_none()).count(), 2);
}

/// Of thousands no more are taken than are wanted, and each has its turn, although the first ones are marked again and again.
#[test]
fn each_has_its_turn() {
    let (table, alloc) = stored(4, 0);
    let all: Vec<_> =
        (0..3000).map(|n| insert(&table, &alloc, &format!("sip:{n}@example.com"), true).handle()).collect();
    let (mut turn, mut seen, mut rounds) = (0, std::collections::HashSet::new(), 0);
    assert_eq!(table.marked(), 3000);
    while seen.len() < all.len() {
        let before = table.marked();
        let count = table.take_marks(&mut turn, 100, StoreMark::Numbers, |index, _, marked| {
            assert_eq!(marked.unwrap().handle.index(), index);
            seen.insert(index);
        });
        assert_eq!((count, table.marked()), (100.min(before), before - count));
        all.iter().take(50).for_each(|handle| table.mark(handle.index(), StoreMark::Whole));
        rounds += 1;
        assert!(rounds < 80, "{} of 3000", seen.len());
    }
}

/// Between two pieces others have the lock.
#[test]
fn a_lock_is_held_for_few() {
    let (table, alloc) = stored(1, 0);
    for n in 0..200 {
        insert(&table, &alloc, &format!("sip:{n}@example.com"), true);
    }
    // The number is published when a lock is given back.
    let mut waiting = vec![200];
    table.take_marks(&mut 0, usize::MAX, StoreMark::Counted, |_, _, _| waiting.push(table.marked()));
    assert!(waiting.iter().zip(&waiting[1..]).all(|(before, after)| before - after <= 32), "{waiting:?}");
    assert_eq!(table.marked(), 0);
}

/// A failed step changes nothing and marks nothing.
#[test]
fn a_failed_step_marks_nothing() {
    let (table, alloc) = stored(1, 0);
    let handle = insert(&table, &alloc, "sip:a@example.com", true).handle();
    taken(&table, StoreMark::Counted);
    alloc.allow(0);
    assert!(step(&table, handle, dialog(b"id", b"t")).is_err());
    alloc.allow_all();
    assert_eq!(taken(&table, StoreMark::Counted), []);
}

/// Each allocation of an insertion fails once in turn: what is in the table can be marked, and its removal as well.
#[test]
fn without_memory_no_mark_is_lost() {
    let (table, alloc) = stored(2, 0);
    for n in 0..200_u64 {
        let record = format!("sip:{n}@example.com");
        let handle = (0..)
            .find_map(|allowed| {
                let told = Told::new(&record, &alloc);
                alloc.allow(allowed);
                let inserted = table.insert(told, n, true, &ENV);
                alloc.allow_all();
                inserted.ok()
            })
            .unwrap()
            .handle();
        assert_eq!(taken(&table, StoreMark::Counted), [(handle.index(), StoreMark::Whole, Some(handle))]);
        alloc.allow(0);
        table.mark(handle.index(), StoreMark::Numbers);
        assert_eq!(taken(&table, StoreMark::Counted), [(handle.index(), StoreMark::Numbers, Some(handle))]);
        if n % 3 == 0 {
            step(&table, handle, Input::Unsubscribe).unwrap().unwrap();
            assert_eq!(taken(&table, StoreMark::Counted), [(handle.index(), StoreMark::Whole, None)]);
        }
        alloc.allow_all();
    }
    drop(table);
    assert_eq!(alloc.out(), 0);
}

#[test]
fn indexes_that_are_none_are_harmless() {
    let (table, alloc) = stored(4, 0);
    let handle = insert(&table, &alloc, "sip:a@example.com", true).handle();
    taken(&table, StoreMark::Counted);
    for index in [handle.index() + 4 * 64, u32::MAX, 1 << 22] {
        table.mark(index, StoreMark::Whole);
    }
    assert_eq!(taken(&table, StoreMark::Counted), []);
    // A free slot may be marked.
    let free = handle.index() + 4;
    table.mark(free, StoreMark::Whole);
    assert_eq!(taken(&table, StoreMark::Counted), [(free, StoreMark::Whole, None)]);
}
