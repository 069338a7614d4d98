//! Histories: rings of events, and what a lack of memory does to them.

use std::collections::{BTreeMap, VecDeque};

use parking_lot::RawMutex;

use super::{ENV, Handle, step, table};
use crate::memory::SLOTS_ADDED;
use crate::registry::history::Histories;
use crate::registry::{Limits, Registry};
use crate::subscription::{Happened, HistoryEvent, Input, Options, Output, Packages, Subject, Subscription};
use crate::testing::Accounted;

/// An event that is like no other.
fn event(number: u32) -> HistoryEvent {
    HistoryEvent::from_words([number, (Happened::NotifyActive as u32) << 8, number])
}

/// A generator of numbers that look random (SplitMix64).
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed ^ (mixed >> 27)
}

#[test]
fn rings_keep_the_newest_events_and_count_all() {
    for most in [1, 2, 3, 8, 64] {
        let mut rings = Histories::new_in(Accounted::new());
        rings.keep(most);
        let mut model: BTreeMap<u32, (u32, VecDeque<HistoryEvent>)> = BTreeMap::new();
        let (mut random, slots) = (u64::from(most), 3 * SLOTS_ADDED as u64);
        for number in 0..20_000 {
            let slot = (next(&mut random) % slots) as u32;
            if next(&mut random).is_multiple_of(50) {
                rings.begin(slot);
                model.insert(slot, (0, VecDeque::new()));
                continue;
            }
            rings.push(slot, event(number));
            if let Some((total, newest)) = model.get_mut(&slot) {
                *total += 1;
                newest.push_back(event(number));
                if newest.len() > most as usize {
                    newest.pop_front();
                }
            }
        }
        assert!(model.len() > 100);
        for (slot, (total, newest)) in model {
            let history = rings.read(slot).unwrap();
            assert_eq!((history.total, VecDeque::from(history.events)), (total, newest), "slot {slot} of {most}");
        }
    }
}

#[test]
fn what_is_only_said_again_is_no_other_event() {
    let mut rings = Histories::new_in(Accounted::new());
    rings.keep(4);
    rings.begin(0);
    let at = |time, what, seconds| HistoryEvent::from_words([time, (what as u32) << 8, seconds]);
    for (time, what, seconds) in [
        (1, Happened::SubscribeNew, 3600),
        (2, Happened::SubscribeNew, 3600),
        (3, Happened::Held, 1),
        (4, Happened::Held, 1),
        (5, Happened::Held, 2),
        (6, Happened::NotifyActive, 0),
        (7, Happened::NotifyActive, 0),
    ] {
        rings.push(0, at(time, what, seconds));
    }
    let history = rings.read(0).unwrap();
    let times: Vec<_> = history.events.iter().map(|event| event.at().0).collect();
    assert_eq!((history.total, times), (5, vec![3, 5, 6, 7]));
}

#[test]
fn four_thousand_million_events_are_no_end() {
    for most in [1, 3, 8] {
        let mut rings = Histories::new_in(Accounted::new());
        rings.keep(most);
        rings.begin(5);
        rings.count_from(5, u32::MAX - 10);
        for number in 0..30 {
            rings.push(5, event(number));
        }
        let history = rings.read(5).unwrap();
        let newest: Vec<_> = (30 - most..30).map(event).collect();
        assert_eq!(history.events, newest, "of {most}");
        assert!(history.total >= most);
    }
}

type Lives = Registry<Subscription<Accounted>, u64, Accounted, RawMutex>;

fn lives(history: u32) -> (Lives, Accounted) {
    let alloc = Accounted::new();
    let lives = Lives::try_new_in(Limits { shards: 1, max_subscriptions: 0 }, 42.into(), alloc.clone()).unwrap();
    (lives.with_history(history), alloc)
}

fn insert(lives: &Lives, alloc: &Accounted, record: &str) -> Option<Handle> {
    let package = Packages::KNOWN.find(b"presence").unwrap().number;
    let subject = Subject { record: record.as_bytes(), subscriber: b"sip:w@example.com", package, event_id: b"" };
    let made = Subscription::try_new(subject, alloc.clone()).ok()?.try_with(&Options::default()).ok()?;
    Some(lives.insert(made, 0, true, &ENV).ok()?.handle())
}

fn whats(lives: &Lives, handle: Handle) -> Option<Vec<Happened>> {
    Some(lives.history(handle)?.events.iter().map(|event| event.what()).collect())
}

#[test]
fn a_history_is_that_of_its_subscription_alone() {
    let (lives, alloc) = lives(8);
    let first = insert(&lives, &alloc, "sip:a@example.com").unwrap();
    lives.step(first, Input::Refresh, &ENV, |_, _: &Output, _| ()).unwrap().unwrap();
    lives.note(first, Happened::Restored, ENV.now);
    assert_eq!(whats(&lives, first), Some(vec![Happened::New, Happened::RefreshAsked, Happened::Restored]));
    let history = lives.history(first).unwrap();
    assert!(history.total == 3 && history.events.iter().all(|event| event.at() == ENV.now));

    // It has gone, and another one has its slot.
    assert!(lives.step(first, Input::Unsubscribe, &ENV, |_, _: &Output, _| ()).unwrap().unwrap().output.forget);
    assert_eq!(whats(&lives, first), None);
    lives.note(first, Happened::Restored, ENV.now);
    for number in 0..SLOTS_ADDED {
        let handle = insert(&lives, &alloc, &format!("sip:{number}@example.com")).unwrap();
        assert_eq!(whats(&lives, handle), Some(vec![Happened::New]));
    }
}

#[test]
fn without_any_there_are_none_and_no_memory() {
    let (with, alloc_with) = lives(8);
    let (without, alloc) = lives(0);
    for number in 0..100 {
        let record = format!("sip:{number}@example.com");
        let handle = insert(&without, &alloc, &record).unwrap();
        assert_eq!(whats(&without, handle), Some(vec![]));
        insert(&with, &alloc_with, &record).unwrap();
    }
    let more = alloc_with.out() - alloc.out();
    // The rings of two times 64 slots, and where they are.
    assert!((2 * 64 * 100..2 * 64 * 100 + 100).contains(&more), "{more} bytes");
}

/// Every allocation fails once in turn: what was refused for want of memory was not refused for its history.
#[test]
fn lack_of_memory_costs_only_the_history() {
    let mut without = 0;
    for allowed in 0..40 {
        let (lives, alloc) = lives(8);
        alloc.allow(allowed);
        let made = insert(&lives, &alloc, "sip:a@example.com");
        alloc.allow_all();
        let Some(handle) = made else { continue };
        let Some(seen) = whats(&lives, handle) else { panic!("it is there") };
        if seen.is_empty() {
            without += 1;
            lives.step(handle, Input::Refresh, &ENV, |_, _: &Output, _| ()).unwrap().unwrap();
            assert_eq!(whats(&lives, handle), Some(vec![]));
            // The next one has memory again.
            let next = insert(&lives, &alloc, "sip:b@example.com").unwrap();
            assert_eq!(whats(&lives, next), Some(vec![Happened::New]));
        }
    }
    assert!(without >= 2, "the table and the block were refused in turn");
}

#[test]
fn lives_without_events_have_empty_histories() {
    let (table, alloc) = table(1, 0);
    let table = table.with_history(8);
    let handle = super::insert(&table, &alloc, "sip:a@example.com", true).handle();
    step(&table, handle, Input::Refresh).unwrap().unwrap();
    assert_eq!(table.history(handle).unwrap().total, 0);
}
