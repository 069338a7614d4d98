//! The records alone.

use crate::memory::SLOTS_ADDED as CHUNK;
use crate::registry::handle::COUNT_MASK;
use crate::registry::records::Records;
use crate::testing::Accounted;

#[test]
fn slots_rest_in_turn() {
    let mut records = Records::new_in(usize::MAX, Accounted::new());
    records.try_reserve().unwrap();
    let count = u32::try_from(CHUNK).unwrap();
    let mut last = Vec::new();
    for round in 0..3 {
        let taken: Vec<_> = (0..count).map(|n| records.insert(n).unwrap()).collect();
        assert!(taken.iter().zip(round * count + 1..).all(|((_, generation), counted)| *generation == counted));
        assert!(records.insert(0).is_err());
        // Freed backwards, they are taken backwards next.
        let order: Vec<_> = taken.iter().map(|(slot, _)| *slot).collect();
        if round > 0 {
            assert_eq!(order, last);
        }
        last = order.into_iter().rev().collect();
        for slot in &last {
            assert!(records.remove(*slot).is_some());
            assert!(records.remove(*slot).is_none());
        }
    }
    assert_eq!(records.len(), CHUNK);
    assert_eq!(records.live(), 0);
}

#[test]
fn it_grows_by_chunks_up_to_the_most() {
    let mut records = Records::new_in(2 * CHUNK + 5, Accounted::new());
    for n in 0..2 * CHUNK {
        assert!(!records.is_full());
        records.try_reserve().unwrap();
        records.insert(n).unwrap();
    }
    assert!(records.is_full());
    records.try_reserve().unwrap();
    assert!(records.insert(0).is_err());
    records.remove(3).unwrap();
    assert!(!records.is_full());
    let counted = u32::try_from(2 * CHUNK).unwrap() + 1;
    assert_eq!(records.insert(7).unwrap(), (3, counted));
    assert_eq!(records.get(3), Some((counted, &7)));
    assert!(records.get(u32::MAX).is_none());
}

#[test]
fn what_belongs_together_is_a_ring() {
    let mut records = Records::new_in(usize::MAX, Accounted::new());
    records.try_reserve().unwrap();
    for n in 0..3 {
        records.insert(n).unwrap();
        assert_eq!(records.next(n), Some(n), "alone");
    }
    assert_eq!((records.set_next(0, 2), records.set_next(2, 0)), (Some(0), Some(2)));
    assert_eq!([0, 1, 2].map(|n| records.next(n)), [Some(2), Some(1), Some(0)]);
    // A free slot is in no circle, and leaves its own behind.
    assert_eq!((records.set_next(0, 0), records.set_next(2, 2)), (Some(2), Some(0)));
    records.remove(2).unwrap();
    assert_eq!((records.next(2), records.set_next(2, 0)), (None, None));
    assert_eq!(records.next(3), None, "free from the beginning");
    assert_eq!((records.next(u32::MAX), records.set_next(u32::MAX, 0)), (None, None));
    let rest: Vec<_> = (3..CHUNK as u32).map(|n| records.insert(n).unwrap().0).collect();
    assert_eq!((rest[0], records.insert(2).unwrap().0), (3, 2));
    assert_eq!(records.next(2), Some(2), "alone again");
}

/// A million is what is promised at least; it is 4,000,000.
#[test]
fn what_operators_see_of_a_generation_comes_again_after_four_million_others() {
    let mut records = Records::new_in(usize::MAX, Accounted::new());
    records.try_reserve().unwrap();
    let mut seen = vec![0_u32; COUNT_MASK as usize + 1];
    // Some stay for good: made one after the other, and now and then.
    let mut staying = Vec::new();
    // Far enough for all low bits to have had a turn, and for the whole number to come round.
    records.count_from(u32::MAX - COUNT_MASK);
    for n in 1..=5_000_000 {
        let (slot, generation) = records.insert(()).unwrap();
        assert_ne!(generation & COUNT_MASK, 0);
        let before = std::mem::replace(&mut seen[(generation & COUNT_MASK) as usize], n);
        assert!(before == 0 || n - before > 4_000_000, "{generation} came again after {}", n - before);
        if n < 20 || n % 500_000 == 0 && n < 4_000_000 {
            staying.push((slot, generation));
        } else {
            records.remove(slot).unwrap();
        }
        if n % 100_000 == 0 {
            assert!(staying.iter().all(|(slot, generation)| records.get(*slot) == Some((*generation, &()))));
        }
    }
    let low_bits: std::collections::HashSet<_> =
        staying.iter().map(|(_, generation)| generation & COUNT_MASK).collect();
    assert_eq!(low_bits.len(), 26);
    // The values of the remaining subscriptions belong to no other.
    assert!(low_bits.iter().all(|bits| seen[*bits as usize] < 4_000_000));
}

#[test]
fn a_long_run_of_values_that_stay_is_passed_over() {
    let mut records = Records::new_in(usize::MAX, Accounted::new());
    let mut all = std::collections::HashSet::new();
    for turn in 0..3 {
        // Each turn begins in the middle of the present ones.
        records.count_from((turn << 22) + 50 * turn);
        for _ in 0..2000 {
            records.try_reserve().unwrap();
            assert!(all.insert(records.insert(()).unwrap().1 & COUNT_MASK));
        }
    }
}
