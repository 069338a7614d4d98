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

/// As a list that is kept aside.
#[test]
fn any_free_slot_can_be_taken() {
    let (mut slots, mut free) = (filled(0, &Accounted::new()), std::collections::VecDeque::new());
    let mut random = 1_u32;
    for _ in 0..100_000 {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let (index, action) = ((random >> 8) % 300, random >> 29);
        match action {
            0 => {
                let before = slots.len() as u32;
                if index % 64 == 0 {
                    slots.try_reserve_at(index).unwrap()
                } else {
                    slots.try_reserve().unwrap()
                }
                // The newest ones come first.
                let chunks = (before..slots.len() as u32).step_by(SLOTS_ADDED);
                chunks
                    .for_each(|first| (first..first + SLOTS_ADDED as u32).rev().for_each(|slot| free.push_front(slot)));
            }
            1 | 2 => assert_eq!(slots.insert(|index| index), free.pop_front()),
            3 | 4 => {
                let found = free.iter().position(|at| *at == index);
                assert_eq!(slots.is_free(index), found.is_some());
                assert_eq!(slots.insert_at(index, index), found.map(|_| ()).ok_or(index));
                found.map(|at| free.remove(at));
            }
            5 => {
                slots.rest(index);
                if let Some(at) = free.iter().position(|at| *at == index) {
                    free.remove(at);
                    free.push_back(index);
                }
            }
            _ => free.extend(slots.remove(index)),
        }
        assert_eq!((slots.has_free(), slots.len() - slots.live() as usize), (!free.is_empty(), free.len()));
    }
    let taken: Vec<_> = std::iter::from_fn(|| slots.insert(|index| index)).collect();
    assert!(taken.iter().eq(free.iter()));
}

#[test]
fn there_are_no_more_than_the_most() {
    let mut slots = Slots::<u32, _>::new_in(2 * SLOTS_ADDED + 1, Accounted::new());
    assert!(slots.try_reserve_at(2 * SLOTS_ADDED as u32).is_err());
    assert_eq!(slots.len(), 2 * SLOTS_ADDED);
    assert!(!slots.is_full() && slots.try_reserve_at(5).is_ok());
    assert!(slots.try_reserve_at(u32::MAX).is_err());
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
