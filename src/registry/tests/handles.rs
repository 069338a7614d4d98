//! Handles, their numbers, and what stale ones find.

use proptest::prelude::*;

use super::{Handle, insert, step, table};
use crate::registry::handle::MOST_SLOTS;
use crate::registry::{CreateError, Limits};
use crate::subscription::Input;

proptest! {
    #[test]
    fn numbers_lead_back(index in 0..MOST_SLOTS, generation in (1..=u32::MAX).prop_filter("counted past", |count| count << 10 != 0)) {
        let handle = Handle::new(index, generation);
        prop_assert_ne!(handle.to_u64(), 0);
        prop_assert_eq!(Handle::from_u64(handle.to_u64()), Some(handle));
        prop_assert!(handle.id() > 0 && handle.id() <= i32::MAX as u32);
        prop_assert_eq!(Handle::place_of_id(handle.id()), Some(index % 512));
        prop_assert_ne!(Handle::new(index, generation ^ 1).id(), handle.id());
    }
}

#[test]
fn numbers_never_made_are_refused() {
    for number in [0, 7, u64::from(MOST_SLOTS) | 1 << 32, u64::from(u32::MAX) | 1 << 32] {
        assert_eq!(Handle::from_u64(number), None, "{number}");
    }
    for id in [0, 1, 511, 1 << 31 | 1 << 9, 1 << 31] {
        assert_eq!(Handle::place_of_id(id), None, "{id}");
    }
}

#[test]
fn a_stale_handle_finds_nothing() {
    let (table, alloc) = table(4, 0);
    let handle = insert(&table, &alloc, "sip:a@example.com", true).handle();
    assert_eq!(table.by_id(handle.id()), Some(handle));
    let last = step(&table, handle, Input::Unsubscribe).unwrap().unwrap();
    assert!(last.output.forget);
    assert_eq!(last.handle, handle);

    assert!(step(&table, handle, Input::Refresh).unwrap().is_none());
    assert!(table.view(handle, |_, _| ()).is_none());
    assert_eq!(table.by_id(handle.id()), None);
    assert!(table.view(Handle::from_u64(u64::from(MOST_SLOTS - 1) | 1 << 32).unwrap(), |_, _| ()).is_none());
}

#[test]
fn the_next_occupant_of_a_slot_has_another_handle_and_another_id() {
    let (table, alloc) = table(1, 0);
    let mut seen = std::collections::HashSet::new();
    for _ in 0..32 * 511 {
        let handle = insert(&table, &alloc, "sip:a@example.com", true).handle();
        assert!(seen.insert(handle.id()));
        step(&table, handle, Input::Unsubscribe).unwrap().unwrap();
        assert_eq!(table.by_id(handle.id()), None);
    }
}

#[test]
fn each_id_leads_to_its_own_subscription() {
    for shards in [1, 64, 256] {
        let (table, alloc) = table(shards, 0);
        let name = |n: u32| format!("sip:{n}@example.com");
        let handles: Vec<_> = (0..1500).map(|n| insert(&table, &alloc, &name(n), true).handle()).collect();
        for handle in &handles {
            assert_eq!(table.by_id(handle.id()), Some(*handle), "{shards} shards");
        }
    }
}

#[test]
fn limits_out_of_range_are_refused() {
    let make = |shards, max_subscriptions| {
        super::Table::try_new_in(Limits { shards, max_subscriptions }, 1.into(), crate::testing::Accounted::new()).err()
    };
    for shards in [0, 3, 512] {
        assert_eq!(make(shards, 0), Some(CreateError::Shards { shards }));
    }
    assert_eq!(make(1, MOST_SLOTS + 1), Some(CreateError::Limit { limit: MOST_SLOTS + 1 }));
    assert_eq!(make(256, MOST_SLOTS), None);
}
