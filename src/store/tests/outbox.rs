//! The decisions of the process that writes.

use std::time::Duration;

use super::*;

const START: Millis = Millis(1_000_000);
const LATE: Duration = Duration::from_secs(60);

fn outbox() -> Outbox {
    let mut outbox = Outbox::new(RUN, LATE);
    // What earlier runs have left of tombstones goes first.
    let purge = outbox.batch(10, START).unwrap();
    assert_eq!((purge.len(), purge.purge), (0, Some(Written::new(RUN, 0))));
    outbox.done(purge, true, START);
    outbox
}

fn id(index: u32, generation: u32) -> u64 {
    u64::from(generation) << 32 | u64::from(index)
}

/// An outbox in which these indexes have rows of generation 1.
fn with_rows(indexes: std::ops::Range<u32>) -> Outbox {
    let mut outbox = outbox();
    for index in indexes {
        outbox.note(index, RowChange::Whole, Some(1), START);
    }
    if let Some(batch) = outbox.batch(1000, START) {
        outbox.done(batch, true, START);
    }
    outbox
}

/// Writes all that waits to a database that refuses these ids; the rows that were written, in order.
fn drain(outbox: &mut Outbox, most: usize, refused: &[u64], now: Millis) -> Vec<u64> {
    let mut written = Vec::new();
    while let Some(batch) = outbox.batch(most, now) {
        let all = batch.whole.iter().chain(&batch.numbers);
        if all.clone().any(|id| refused.contains(id)) {
            outbox.failed(batch, WriteFailure::Refused, now);
        } else {
            written.extend(all.copied());
            outbox.done(batch, true, now);
        }
    }
    written
}

#[test]
fn changes_collapse_and_whole_rows_go_first() {
    let mut outbox = with_rows(0..2);
    for _ in 0..5 {
        outbox.note(0, RowChange::Numbers, Some(1), START);
        outbox.note(1, RowChange::Numbers, Some(1), START);
        outbox.note(7, RowChange::Numbers, Some(3), START);
    }
    outbox.note(1, RowChange::Whole, Some(1), START);
    assert_eq!(outbox.waiting(), 3);
    let batch = outbox.batch(10, START).unwrap();
    // One without a row is written whole.
    assert_eq!((batch.whole.clone(), batch.numbers.clone()), (vec![id(7, 3), id(1, 1)], vec![id(0, 1)]));
    assert_eq!(outbox.done(batch, true, START), [id(7, 3), id(1, 1)]);
    assert_eq!((outbox.waiting(), outbox.batch(10, START)), (0, None));
}

#[test]
fn a_batch_has_so_many_rows() {
    let mut outbox = with_rows(0..0);
    (0..25).for_each(|index| outbox.note(index, RowChange::Whole, Some(1), START));
    let mut sizes = Vec::new();
    let mut numbers = Vec::new();
    while let Some(batch) = outbox.batch(10, START) {
        sizes.push(batch.len());
        numbers.push(batch.written);
        outbox.done(batch, true, START);
    }
    assert_eq!(sizes, [10, 10, 5]);
    assert!(numbers.is_sorted_by(|one, next| one < next));
}

#[test]
fn a_row_goes_with_its_subscription() {
    let mut outbox = with_rows(0..3);
    outbox.note(0, RowChange::Whole, None, START);
    // The place has another subscription already.
    outbox.note(1, RowChange::Whole, Some(2), START);
    // This one never had a row.
    outbox.note(9, RowChange::Whole, Some(1), START);
    outbox.note(9, RowChange::Whole, None, START);
    let batch = outbox.batch(10, START).unwrap();
    assert_eq!((batch.whole.clone(), batch.delete.clone()), (vec![id(1, 2)], vec![id(0, 1), id(1, 1)]));
    assert!(batch.tombstone.is_empty());
    outbox.done(batch, true, START);
    assert_eq!(outbox.waiting(), 0);
}

#[test]
fn what_nobody_has_acknowledged_is_written_again_whole() {
    let mut outbox = with_rows(0..1);
    outbox.note(0, RowChange::Numbers, Some(1), START);
    outbox.note(5, RowChange::Whole, Some(1), START);
    let batch = outbox.batch(10, START).unwrap();
    outbox.failed(batch.clone(), WriteFailure::Ambiguous, START);
    assert_eq!((outbox.waiting(), outbox.batch(10, START)), (2, None));
    let later = outbox.retry_at().unwrap();
    assert_eq!(later, START.after(Duration::from_millis(100)));
    // It has changed again, and may have no row.
    outbox.note(5, RowChange::Numbers, Some(1), later);
    assert_eq!(outbox.lag(later), Some(Duration::from_millis(100)));
    let again = outbox.batch(10, later).unwrap();
    assert_eq!((&again.whole, &again.numbers), (&batch.whole, &batch.numbers));
    assert!(again.written > batch.written);
    assert_eq!(outbox.done(again, true, later), [id(5, 1)]);
    assert_eq!((outbox.lag(later), outbox.retry_at()), (None, None));
}

#[test]
fn after_a_doubt_rows_become_tombstones_until_nothing_is_late() {
    let mut outbox = with_rows(0..4);
    outbox.note(5, RowChange::Whole, Some(1), START);
    let batch = outbox.batch(10, START).unwrap();
    outbox.failed(batch, WriteFailure::Ambiguous, START);
    // It ends before it is written again: its row may come yet.
    outbox.note(5, RowChange::Whole, None, START);
    let now = outbox.retry_at().unwrap();
    let batch = outbox.batch(10, now).unwrap();
    assert_eq!((batch.len(), batch.tombstone.clone()), (1, vec![id(5, 1)]));
    let tombstone = batch.written;
    outbox.done(batch, true, now);
    // Another one, later.
    let later = now.after(Duration::from_secs(30));
    outbox.note(0, RowChange::Whole, None, later);
    let batch = outbox.batch(10, later).unwrap();
    assert_eq!(batch.tombstone, [id(0, 1)]);
    let second = batch.written;
    outbox.done(batch, true, later);
    assert_eq!(outbox.batch(10, later), None);
    // Both go when nothing can be late any more, one after the other.
    let over = now.after(LATE);
    let purge = outbox.batch(10, over).unwrap();
    assert_eq!((purge.len(), purge.purge), (0, Some(tombstone)));
    outbox.done(purge, true, over);
    outbox.note(1, RowChange::Whole, None, over);
    let batch = outbox.batch(10, over).unwrap();
    assert_eq!((batch.delete.clone(), batch.purge), (vec![id(1, 1)], None));
    outbox.done(batch, true, over);
    let purge = outbox.batch(10, over.after(LATE)).unwrap();
    assert_eq!(purge.purge, Some(second));
    outbox.done(purge, true, over.after(LATE));
    assert_eq!(outbox.batch(10, over.after(LATE).after(LATE)), None);
}

#[test]
fn pauses_grow_to_five_seconds() {
    let mut outbox = with_rows(0..1);
    outbox.note(0, RowChange::Numbers, Some(1), START);
    let mut now = START;
    let mut pauses = Vec::new();
    for _ in 0..9 {
        let batch = outbox.batch(10, now).unwrap();
        outbox.failed(batch, WriteFailure::Ambiguous, now);
        let next = outbox.retry_at().unwrap();
        pauses.push(next.since(now).as_millis());
        now = next;
    }
    assert_eq!(pauses, [100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000]);
    assert_eq!((outbox.waiting(), outbox.counters().ambiguous), (1, 9));
    assert_eq!(outbox.lag(now), Some(now.since(START)));
}

#[test]
fn the_row_that_is_refused_is_found_and_left_out_until_it_changes() {
    let mut outbox = with_rows(0..0);
    (0..200).for_each(|index| outbox.note(index, RowChange::Whole, Some(1), START));
    let refused = [id(17, 1), id(18, 1), id(150, 1)];
    let mut written = drain(&mut outbox, 100, &refused, START);
    written.sort_unstable();
    let right: Vec<u64> = (0..200).map(|index| id(index, 1)).filter(|id| !refused.contains(id)).collect();
    assert_eq!(written, right);
    assert_eq!((outbox.left_out(), outbox.waiting(), outbox.counters().left_out), (3, 0, 3));
    assert!(outbox.counters().refused < 50, "{:?}", outbox.counters());
    // One changes and is good now; another one ends.
    outbox.note(17, RowChange::Numbers, Some(1), START);
    outbox.note(18, RowChange::Whole, None, START);
    assert_eq!(drain(&mut outbox, 100, &[], START), [id(17, 1)]);
    assert_eq!(outbox.left_out(), 1);
}

#[test]
fn a_database_that_refuses_everything_is_to_blame_itself() {
    let mut outbox = with_rows(0..0);
    (0..100).for_each(|index| outbox.note(index, RowChange::Whole, Some(1), START));
    let all: Vec<u64> = (0..100).map(|index| id(index, 1)).collect();
    let mut now = START;
    for _ in 0..20 {
        assert_eq!(drain(&mut outbox, 100, &all, now), [0u64; 0]);
        now = outbox.retry_at().unwrap();
    }
    assert_eq!((outbox.left_out(), outbox.waiting()), (0, 100));
    let refused = outbox.counters().refused;
    assert!(refused < 300, "{refused} attempts in {:?}", now.since(START));
    // It works again.
    let mut written = drain(&mut outbox, 100, &[], now);
    written.sort_unstable();
    assert_eq!((written, outbox.left_out()), (all, 0));
}

#[test]
fn one_row_alone_is_left_out_after_a_second_attempt() {
    let mut outbox = with_rows(0..0);
    outbox.note(3, RowChange::Whole, Some(1), START);
    let first = outbox.batch(100, START).unwrap();
    assert_eq!(outbox.failed(first, WriteFailure::Refused, START), None);
    assert_eq!((outbox.left_out(), outbox.waiting(), outbox.is_denied()), (0, 1, false));
    let second = outbox.batch(100, START).unwrap();
    assert_eq!(outbox.failed(second, WriteFailure::Refused, START), Some(id(3, 1)));
    assert_eq!((outbox.left_out(), outbox.waiting(), outbox.is_denied()), (1, 0, false));
}

#[test]
fn no_row_is_left_out_while_the_database_takes_none() {
    let mut outbox = with_rows(0..4);
    (0..40).for_each(|index| outbox.note(index, RowChange::Whole, Some(1), START));
    outbox.note(50, RowChange::Whole, Some(1), START);
    let (mut now, mut sizes) = (START, Vec::new());
    for _ in 0..9 {
        let batch = outbox.batch(100, now).unwrap();
        sizes.push(batch.len());
        assert_eq!(outbox.failed(batch, WriteFailure::Denied, now), None);
        assert_eq!((outbox.batch(100, now), outbox.is_denied()), (None, true));
        now = outbox.retry_at().unwrap();
    }
    // One row is enough to see that.
    assert_eq!(sizes, [41, 1, 1, 1, 1, 1, 1, 1, 1]);
    assert_eq!((outbox.left_out(), outbox.waiting(), now.since(START).as_millis()), (0, 41, 21_300));
    let mut written = drain(&mut outbox, 100, &[id(7, 1)], now);
    written.sort_unstable();
    written.dedup();
    assert_eq!((written.len(), outbox.left_out(), outbox.waiting(), outbox.is_denied()), (40, 1, 0, false));
}

/// Whoever may write and not remove: the rows are written, and the fault stays until something is removed.
#[test]
fn rows_are_written_while_none_can_be_removed() {
    let mut outbox = with_rows(0..2);
    outbox.note(0, RowChange::Whole, None, START);
    let mut now = START;
    for round in 0..3 {
        outbox.note(1, RowChange::Whole, Some(1), now);
        let mut written = 0;
        while let Some(batch) = outbox.batch(100, now) {
            match batch.delete.is_empty() {
                true => written += outbox.done(batch, true, now).len(),
                false => assert_eq!(outbox.failed(batch, WriteFailure::Refused, now), None),
            }
        }
        assert_eq!((written, outbox.waiting(), outbox.is_denied()), (1, 1, true), "{round}");
        now = outbox.retry_at().unwrap();
    }
    let batch = outbox.batch(100, now).unwrap();
    assert_eq!(batch.delete, [id(0, 1)]);
    outbox.done(batch, false, now);
    assert_eq!((outbox.waiting(), outbox.is_denied(), outbox.retry_at()), (0, false, None));
}

/// The other way round, what ends is removed meanwhile.
#[test]
fn rows_are_removed_while_none_can_be_written() {
    let mut outbox = with_rows(0..2);
    outbox.note(0, RowChange::Whole, None, START);
    outbox.note(1, RowChange::Whole, Some(1), START);
    let batch = outbox.batch(100, START).unwrap();
    outbox.failed(batch, WriteFailure::Denied, START);
    let now = outbox.retry_at().unwrap();
    let batch = outbox.batch(100, now).unwrap();
    assert_eq!((batch.len(), batch.delete.clone()), (1, vec![id(0, 1)]));
    outbox.done(batch, false, now);
    assert_eq!((outbox.waiting(), outbox.is_denied()), (1, true));
    assert_eq!(outbox.batch(100, now).unwrap().whole, [id(1, 1)]);
}

#[test]
fn what_was_refused_and_has_ended_is_not_counted_any_more() {
    for failure in [WriteFailure::Refused, WriteFailure::Denied] {
        let mut outbox = with_rows(0..0);
        (0..10).for_each(|index| outbox.note(index, RowChange::Whole, Some(1), START));
        for _ in 0..12 {
            if let Some(batch) = outbox.batch(100, START) {
                outbox.failed(batch, failure, START);
            }
        }
        (0..10).for_each(|index| outbox.note(index, RowChange::Whole, None, START));
        // Another subscription has one of the places.
        outbox.note(4, RowChange::Whole, Some(2), START);
        assert_eq!(outbox.rows(), 0);
        let now = START.after(Duration::from_secs(10));
        assert_eq!(drain(&mut outbox, 100, &[], now), [id(4, 2)]);
        assert_eq!((outbox.rows(), outbox.left_out(), outbox.waiting(), outbox.is_denied()), (1, 0, 0, false));
        outbox.note(4, RowChange::Whole, None, now);
        assert_eq!(outbox.batch(100, now).unwrap().delete, [id(4, 2)]);
    }
}

/// Nothing was written, so nothing is known.
#[test]
fn a_batch_without_rows_proves_nothing() {
    let mut outbox = with_rows(0..0);
    (0..2).for_each(|index| outbox.note(index, RowChange::Whole, Some(1), START));
    let batch = outbox.batch(100, START).unwrap();
    outbox.failed(batch, WriteFailure::Denied, START);
    let now = outbox.retry_at().unwrap();
    let batch = outbox.batch(100, now).unwrap();
    outbox.done(batch, false, now);
    assert_eq!((outbox.is_denied(), outbox.waiting()), (true, 1));
}

#[test]
fn a_row_that_moves_is_deleted_when_the_other_is_there() {
    let mut outbox = outbox();
    outbox.inherit(id(1, 4));
    outbox.moved(id(1, 3), id(6, 9), START);
    let batch = outbox.batch(10, START).unwrap();
    assert_eq!((batch.whole.clone(), batch.delete.clone()), (vec![id(6, 9)], vec![]));
    outbox.failed(batch, WriteFailure::Ambiguous, START);
    let now = outbox.retry_at().unwrap();
    let batch = outbox.batch(10, now).unwrap();
    outbox.done(batch, true, now);
    let batch = outbox.batch(10, now).unwrap();
    assert_eq!(batch.tombstone, [id(1, 3)]);
    outbox.done(batch, true, now);
    // What was inherited has its row.
    outbox.note(1, RowChange::Numbers, Some(4), now);
    assert_eq!(outbox.batch(10, now).unwrap().numbers, [id(1, 4)]);
}

#[test]
fn a_row_that_moves_goes_if_its_subscription_does() {
    let mut outbox = outbox();
    outbox.moved(id(1, 3), id(6, 9), START);
    outbox.note(6, RowChange::Whole, None, START);
    let batch = outbox.batch(10, START).unwrap();
    assert_eq!((batch.whole.len(), batch.delete.clone()), (0, vec![id(1, 3)]));
}

#[test]
fn what_cannot_be_kept_has_no_row() {
    let mut outbox = with_rows(0..1);
    outbox.note(0, RowChange::Whole, Some(1), START);
    outbox.leave_out(id(0, 1), START);
    let batch = outbox.batch(10, START).unwrap();
    assert_eq!((batch.whole.len(), batch.delete.clone(), outbox.left_out()), (0, vec![id(0, 1)], 1));
}
