//! The slab alone.

use crate::registry::slots::{CHUNK, Slots};
use crate::testing::Accounted;

#[test]
fn slots_rest_in_turn() {
    let mut slots = Slots::new_in(usize::MAX, Accounted::new());
    slots.try_reserve().unwrap();
    let count = u32::try_from(CHUNK).unwrap();
    let mut last = Vec::new();
    for round in 1..=3 {
        let taken: Vec<_> = (0..count).map(|n| slots.insert(n).unwrap()).collect();
        assert!(taken.iter().all(|(_, generation)| *generation == round));
        assert!(slots.insert(0).is_err());
        // Freed backwards, they are taken backwards next.
        let order: Vec<_> = taken.iter().map(|(slot, _)| *slot).collect();
        if round > 1 {
            assert_eq!(order, last);
        }
        last = order.into_iter().rev().collect();
        for slot in &last {
            assert!(slots.remove(*slot).is_some());
            assert!(slots.remove(*slot).is_none());
        }
    }
    assert_eq!(slots.len(), CHUNK);
    assert_eq!(slots.live(), 0);
}

#[test]
fn it_grows_by_chunks_up_to_the_most() {
    let mut slots = Slots::new_in(2 * CHUNK + 5, Accounted::new());
    for n in 0..2 * CHUNK {
        assert!(!slots.is_full());
        slots.try_reserve().unwrap();
        slots.insert(n).unwrap();
    }
    assert!(slots.is_full());
    slots.try_reserve().unwrap();
    assert!(slots.insert(0).is_err());
    slots.remove(3).unwrap();
    assert!(!slots.is_full());
    assert_eq!(slots.insert(7).unwrap(), (3, 2));
    assert_eq!(slots.get(3), Some((2, &7)));
    assert!(slots.get(u32::MAX).is_none());
}

#[test]
fn what_belongs_together_is_a_ring() {
    let mut slots = Slots::new_in(usize::MAX, Accounted::new());
    slots.try_reserve().unwrap();
    for n in 0..3 {
        slots.insert(n).unwrap();
        assert_eq!(slots.next(n), Some(n), "alone");
    }
    assert_eq!((slots.set_next(0, 2), slots.set_next(2, 0)), (Some(0), Some(2)));
    assert_eq!([0, 1, 2].map(|n| slots.next(n)), [Some(2), Some(1), Some(0)]);
    // A free slot is in no ring, and leaves its own behind.
    assert_eq!((slots.set_next(0, 0), slots.set_next(2, 2)), (Some(2), Some(0)));
    slots.remove(2).unwrap();
    assert_eq!((slots.next(2), slots.set_next(2, 0)), (None, None));
    assert_eq!(slots.next(3), None, "free from the beginning");
    assert_eq!((slots.next(u32::MAX), slots.set_next(u32::MAX, 0)), (None, None));
    let rest: Vec<_> = (3..CHUNK as u32).map(|n| slots.insert(n).unwrap().0).collect();
    assert_eq!((rest[0], slots.insert(2).unwrap().0), (3, 2));
    assert_eq!(slots.next(2), Some(2), "alone again");
}
