//! Marks and readings.

use parking_lot::RawMutex;

use super::{Count, Provisioned, ReadingState, Round, TableReading};
use crate::memory::{HashKey, OutOfMemory};
use crate::qsa::SubscriptionId;
use crate::testing::Accounted;

fn id(number: u64) -> SubscriptionId {
    SubscriptionId::from_u64(number)
}

fn world() -> (Accounted, Provisioned<Accounted, RawMutex>) {
    let account = Accounted::new();
    (account.clone(), Provisioned::new(HashKey::from(1), account))
}

#[test]
fn what_a_reading_has_not_found_is_what_has_gone() {
    let (account, provisioned) = world();
    let [first, second] = [1, 2].map(Round);
    assert_eq!((provisioned.round_of(id(1)), provisioned.len()), (None, 0));
    (1..=100).for_each(|number| provisioned.mark(id(number), first).unwrap());
    assert!(provisioned.not_in(first).is_empty());
    (1..=97).for_each(|number| provisioned.mark(id(number), second).unwrap());
    provisioned.mark(id(101), second).unwrap();
    let mut gone = provisioned.not_in(second);
    gone.sort_unstable();
    assert_eq!((gone.as_slice(), provisioned.len()), (&[98, 99, 100].map(id)[..], 101));
    assert_eq!((provisioned.round_of(id(98)), provisioned.round_of(id(1))), (Some(first), Some(second)));
    gone.into_iter().for_each(|gone| provisioned.remove(gone));
    provisioned.remove(id(98));
    assert_eq!((provisioned.not_in(second).len(), provisioned.len()), (0, 98));
    (1..=101).for_each(|number| provisioned.remove(id(number)));
    assert_eq!((provisioned.len(), provisioned.bytes(), account.out()), (0, 0, 0), "all memory is given back");
}

#[test]
fn a_hundred_thousand_marks_take_twenty_bytes_each() {
    let (account, provisioned) = world();
    (1..=100_000).for_each(|number| provisioned.mark(id(number), Round(1)).unwrap());
    assert_eq!(provisioned.bytes(), account.out() as u64);
    assert!(account.out() / 100_000 <= 20, "{} bytes", account.out());
}

#[test]
fn without_memory_nothing_changes() {
    let (account, provisioned) = world();
    account.allow(0);
    assert_eq!((provisioned.mark(id(1), Round(1)), provisioned.len()), (Err(OutOfMemory), 0));
    account.allow_all();
    assert_eq!((provisioned.mark(id(1), Round(1)), provisioned.len()), (Ok(()), 1));
    account.allow(0);
    assert_eq!((provisioned.mark(id(1), Round(2)), provisioned.round_of(id(1))), (Ok(()), Some(Round(2))));
}

#[test]
fn one_reading_at_a_time() {
    let reading = TableReading::<RawMutex>::default();
    assert_eq!((reading.state(), reading.begin()), (ReadingState::Never, None));
    assert!(reading.ask(1000) && !reading.ask(1001));
    assert_eq!((reading.state(), reading.took(1010)), (ReadingState::Reading, 10));
    assert_eq!((reading.begin(), reading.begin()), (Some(Round(1)), None));
    assert!(!reading.ask(1002));
    reading.count(Count::Added, 3);
    reading.end(Some("the database is away"), 1020);
    assert_eq!((reading.state(), reading.took(5000)), (ReadingState::Failed, 20));
    assert_eq!((reading.reason().as_str(), reading.counted(Count::Added)), ("the database is away", 3));
    assert!(reading.ask(2000));
    assert_eq!((reading.counted(Count::Added), reading.begin()), (0, Some(Round(2))));
    reading.end(None, 2001);
    assert_eq!((reading.state(), reading.reason().as_str()), (ReadingState::Done, ""));
}

/// Many ask at once: one of them is to be told that it has asked first.
#[test]
fn of_many_that_ask_one_is_first() {
    let reading = TableReading::<RawMutex>::default();
    let first: usize = std::thread::scope(|scope| {
        let all: Vec<_> = (0..8).map(|_| scope.spawn(|| usize::from(reading.ask(1)))).collect();
        all.into_iter().map(|one| one.join().unwrap()).sum()
    });
    assert_eq!(first, 1);
}
