//! The deadline index against a sorted map.

use crate::registry::deadlines::Deadlines;
use crate::subscription::Instant;
use crate::testing::Accounted;
use proptest::prelude::*;
use std::collections::BTreeSet;

proptest! {
    #[test]
    fn it_orders_as_a_sorted_map_does(orders in prop::collection::vec((0u32..300, prop::option::of(0u64..1000)), 1..800)) {
        let mut deadlines = Deadlines::new_in(Accounted::new());
        deadlines.try_reserve(300).unwrap();
        let mut armed = vec![None; 300];
        let mut sorted = BTreeSet::new();
        for (slot, at) in orders {
            deadlines.set(slot, at.map(Instant));
            if let Some(before) = std::mem::replace(&mut armed[slot as usize], at) {
                sorted.remove(&(before, slot));
            }
            sorted.extend(at.map(|at| (at, slot)));
            let earliest = deadlines.earliest();
            prop_assert_eq!(earliest.map(|(at, _)| at.0), sorted.first().map(|(at, _)| *at));
            if let Some((at, slot)) = earliest {
                prop_assert!(sorted.contains(&(at.0, slot)));
            }
        }
        // What is left comes out in order.
        while let Some((at, slot)) = deadlines.earliest() {
            prop_assert_eq!(sorted.first().map(|(at, _)| *at), Some(at.0));
            prop_assert!(sorted.remove(&(at.0, slot)));
            deadlines.set(slot, None);
        }
        prop_assert!(sorted.is_empty());
    }
}

#[test]
fn what_has_no_room_is_left_alone() {
    let mut deadlines = Deadlines::new_in(Accounted::new());
    deadlines.set(0, Some(Instant(1)));
    deadlines.set(0, None);
    assert_eq!(deadlines.earliest(), None);
    deadlines.try_reserve(1).unwrap();
    deadlines.set(u32::MAX, Some(Instant(1)));
    assert_eq!(deadlines.earliest(), None);
}
