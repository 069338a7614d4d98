//! Restored subscriptions that wait.

use allocator_api2::alloc::Global;
use parking_lot::RawMutex;

use super::*;

type TestOrphans = Orphans<Global, RawMutex>;

#[test]
fn the_one_that_is_sought_is_taken_once() {
    let orphans = TestOrphans::new_in(1 << 20, Global);
    [(7, 1), (7, 2), (8, 3)].into_iter().for_each(|(hash, handle)| orphans.add(hash, handle).unwrap());
    assert_eq!(orphans.take(7, |handle| handle == 3), None);
    assert_eq!(orphans.take(7, |handle| handle == 2), Some(2));
    assert_eq!(orphans.take(7, |handle| handle == 2), None);
    assert_eq!((orphans.len(), orphans.take(9, |_| true)), (2, None));
    // Another process has taken it while this one looked.
    assert_eq!(orphans.take(8, |handle| orphans.remove(8, handle)), None);
    assert_eq!(orphans.take(7, |_| true), Some(1));
    assert!(orphans.is_empty() && orphans.bytes() == 0);
}

#[test]
fn all_are_drained_some_at_a_time() {
    let orphans = TestOrphans::new_in(1 << 20, Global);
    (0..100).for_each(|handle| orphans.add(handle % 3, handle).unwrap());
    let mut all: Vec<u64> =
        std::iter::from_fn(|| Some(orphans.drain(30)).filter(|some| !some.is_empty())).flatten().collect();
    all.sort_unstable();
    assert_eq!(all, (0..100).collect::<Vec<u64>>());
    assert_eq!(orphans.bytes(), 0);
}

#[test]
fn their_bytes_are_bounded() {
    let orphans = TestOrphans::new_in(10_000, Global);
    let fit = (0..10_000).take_while(|handle| orphans.add(*handle, *handle).is_ok()).count();
    assert!(fit == 125 && orphans.bytes() <= 10_000, "{fit} in {} bytes", orphans.bytes());
    assert_eq!(orphans.take(5, |_| true), Some(5));
    orphans.add(5, 5).unwrap();
}
