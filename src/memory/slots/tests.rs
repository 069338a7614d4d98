//! Slots alone.

use super::{Occupant, SLOTS_ADDED, Slots};
use crate::testing::Accounted;

impl Occupant for u32 {
    fn generation(&self) -> u32 {
        *self
    }
}

fn filled(count: usize, account: &Accounted) -> Slots<u32, Accounted> {
    let mut slots = Slots::new_in(usize::MAX, account.clone());
    for _ in 0..count {
        slots.try_reserve().unwrap();
        slots.insert(|index| index).unwrap();
    }
    slots
}

#[test]
fn slots_rest_in_turn() {
    let mut slots = filled(SLOTS_ADDED, &Accounted::new());
    assert_eq!(slots.insert(|index| index), None, "no slot is free");
    let all: Vec<u32> = slots.iter().copied().collect();
    assert!(all.iter().copied().eq(0..SLOTS_ADDED as u32));
    // Freed backwards, they are taken backwards next.
    for slot in all.iter().rev() {
        assert_eq!((slots.remove(*slot), slots.remove(*slot)), (Some(*slot), None));
    }
    let taken: Vec<u32> = all.iter().map(|_| slots.insert(|index| index).unwrap()).collect();
    assert!(taken.iter().eq(all.iter().rev()));
    // The one that was freed first is taken first.
    assert_eq!([7, 3, 5].map(|slot| slots.remove(slot)), [Some(7), Some(3), Some(5)]);
    assert_eq!([(); 3].map(|()| slots.insert(|index| index)), [Some(7), Some(3), Some(5)]);
    assert_eq!((slots.len(), slots.live()), (SLOTS_ADDED, SLOTS_ADDED as u32));
}

#[test]
fn a_value_is_found_by_its_generation() {
    let mut slots = filled(3, &Accounted::new());
    assert_eq!((slots.find(2, 2), slots.find(2, 3), slots.find(3, 3)), (Some(&2), None, None));
    *slots.get_mut(2).unwrap() = 70;
    assert_eq!(slots.find_mut(2, 2), None);
    assert_eq!(slots.find_mut(2, 70), Some(&mut 70));
    assert_eq!(slots.get(u32::MAX), None);
    assert_eq!(slots.remove(u32::MAX), None);
}

#[test]
fn what_is_idle_is_given_back_as_a_whole() {
    let account = Accounted::new();
    let mut slots = filled(SLOTS_ADDED + 1, &account);
    for slot in 0..=SLOTS_ADDED as u32 {
        assert!(slots.take_if_idle().is_none());
        slots.remove(slot).unwrap();
    }
    let idle = slots.take_if_idle().unwrap();
    assert_eq!((slots.len(), slots.live(), idle.len()), (0, 0, 2 * SLOTS_ADDED));
    drop(idle);
    assert_eq!(account.out(), 0);
    assert!(slots.take_if_idle().is_none());
    slots.try_reserve().unwrap();
    assert_eq!(slots.insert(|index| index), Some(0));
}

#[test]
fn without_memory_nothing_changes() {
    let account = Accounted::new();
    let mut slots = filled(SLOTS_ADDED, &account);
    account.allow(0);
    assert!(slots.try_reserve().is_err());
    assert_eq!((slots.len(), slots.has_free(), slots.is_full()), (SLOTS_ADDED, false, false));
    account.allow_all();
    slots.remove(9).unwrap();
    account.allow(0);
    slots.try_reserve().unwrap();
    assert_eq!(slots.insert(|index| index), Some(9));
}

#[test]
fn a_link_takes_no_room() {
    type Pointed = Slots<(Box<u8>, u32), Accounted>;
    assert_eq!(Pointed::SLOT, size_of::<(Box<u8>, u32)>());
}
