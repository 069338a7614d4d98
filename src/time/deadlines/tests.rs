//! The deadline index against a sorted set.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::{Deadlines, Due, MOST_MOVES};
use crate::testing::Accounted;
use crate::time::Millis;

const SLOTS: u32 = 300;

const SECOND: u64 = 1000;
const HOUR: u64 = 3600 * SECOND;
const DAY: u64 = 24 * HOUR;

/// Spans of time as they are met, and some that are not.
fn span() -> impl Strategy<Value = u64> {
    prop_oneof![
        1 => Just(0),
        4 => 0u64..100,
        4 => 0u64..20 * SECOND,
        4 => 0u64..2 * HOUR,
        2 => 0u64..100 * DAY,
        1 => 0u64..400 * DAY,
        // The ends of the buckets of each level.
        3 => (0u32..34, 0u64..3).prop_map(|(bit, more)| ((1 << bit) + more).saturating_sub(1)),
    ]
}

#[derive(Clone, Debug)]
enum Order {
    /// A deadline so long from now.
    Arm {
        slot: u32,
        span: u64,
    },
    /// One that is over.
    ArmBefore {
        slot: u32,
        span: u64,
    },
    Cancel {
        slot: u32,
    },
    /// Time passes, and so many looks are taken at what is due.
    Pass {
        span: u64,
        looks: usize,
    },
}

fn order() -> impl Strategy<Value = Order> {
    let slot = || 0..SLOTS;
    prop_oneof![
        12 => (slot(), span()).prop_map(|(slot, span)| Order::Arm { slot, span }),
        1 => (slot(), span()).prop_map(|(slot, span)| Order::ArmBefore { slot, span }),
        3 => slot().prop_map(|slot| Order::Cancel { slot }),
        4 => (span(), 0usize..60).prop_map(|(span, looks)| Order::Pass { span, looks }),
    ]
}

struct Model {
    deadlines: Deadlines<Accounted>,
    armed: Vec<Option<u64>>,
    sorted: BTreeSet<(u64, u32)>,
    now: u64,
    /// No deadline was over when it was armed: then they come in order.
    in_order: bool,
}

impl Model {
    fn new(now: u64) -> Self {
        let mut deadlines = Deadlines::new_in(Accounted::new());
        deadlines.try_reserve(SLOTS as usize).unwrap();
        Self { deadlines, armed: vec![None; SLOTS as usize], sorted: BTreeSet::new(), now, in_order: true }
    }

    fn set(&mut self, slot: u32, at: Option<u64>) {
        self.deadlines.set(slot, at.map(Millis));
        if let Some(before) = std::mem::replace(&mut self.armed[slot as usize], at) {
            self.sorted.remove(&(before, slot));
        }
        self.sorted.extend(at.map(|at| (at, slot)));
    }

    fn first(&self) -> Option<u64> {
        self.sorted.first().map(|(at, _)| *at)
    }

    /// One look, as a worker takes it; false when nothing is due.
    fn look(&mut self) -> bool {
        match self.deadlines.due(Millis(self.now)) {
            Due::Slot(slot) => {
                let at = self.armed[slot as usize].expect("only armed slots are due");
                assert!(at <= self.now, "early");
                assert!(!self.in_order || Some(at) == self.first());
                self.set(slot, None);
                true
            }
            Due::Unsorted => true,
            Due::Nothing => {
                assert!(self.first().is_none_or(|at| at > self.now), "late");
                assert!(self.deadlines.earliest().is_none_or(|at| at.0 > self.now), "woken for nothing");
                false
            }
        }
    }

    fn run(&mut self, order: &Order) {
        match *order {
            Order::Arm { slot, span } => self.set(slot, Some(self.now + span)),
            Order::ArmBefore { slot, span } => {
                self.in_order = false;
                self.set(slot, Some(self.now.saturating_sub(span)));
            }
            Order::Cancel { slot } => self.set(slot, None),
            Order::Pass { span, looks } => {
                self.now += span;
                let _ = (0..looks).all(|_| self.look());
            }
        }
        // A worker that sleeps until then misses nothing.
        let earliest = self.deadlines.earliest().map(|at| at.0);
        assert_eq!(earliest.is_none(), self.sorted.is_empty());
        assert!(earliest <= self.first().map(|at| at.max(self.now)));
    }

    /// All that is left, one after the other, each when it is due.
    fn drain(&mut self) {
        while let Some(at) = self.deadlines.earliest() {
            self.now = self.now.max(at.0);
            while self.look() {}
        }
        assert!(self.sorted.is_empty());
    }
}

proptest! {
    #[test]
    fn it_does_what_a_sorted_set_does(
        start in prop_oneof![Just(0), 0..DAY, 0..400 * DAY],
        orders in prop::collection::vec(order(), 1..400),
    ) {
        let mut model = Model::new(start);
        for order in &orders {
            model.run(order);
        }
        model.drain();
    }

    /// A deadline in the next hour wakes no worker before it is due.
    #[test]
    fn a_worker_is_woken_for_deadlines_only(
        start in 0..400 * DAY,
        spans in prop::collection::vec(0..HOUR, 1..50),
    ) {
        let mut model = Model::new(start);
        while model.look() {}
        for (slot, span) in (0..).zip(spans) {
            model.set(slot, Some(start + span));
        }
        while let Some(at) = model.deadlines.earliest() {
            prop_assert_eq!(model.first(), Some(at.0));
            model.now = at.0;
            while model.look() {}
        }
    }
}

/// However many are due at once, no look takes long, and none is moved again and again.
#[test]
fn a_burst_is_seen_to_bit_by_bit() {
    const BURST: u32 = 50_000;
    for spread in [1, 50, 4 * SECOND] {
        let mut deadlines = Deadlines::new_in(Accounted::new());
        deadlines.try_reserve(BURST as usize).unwrap();
        for slot in 0..BURST {
            deadlines.set(slot, Some(Millis(HOUR + u64::from(slot) * 7919 % spread)));
        }
        let (mut slots, mut unsorted, mut before_first) = (0, 0, 0);
        loop {
            match deadlines.due(Millis(HOUR + spread)) {
                Due::Slot(slot) => {
                    deadlines.set(slot, None);
                    slots += 1;
                }
                Due::Unsorted => unsorted += 1,
                Due::Nothing => break,
            }
            if slots == 0 {
                before_first = unsorted;
            }
        }
        assert_eq!(slots, BURST);
        assert!(unsorted <= 3 * BURST as usize / MOST_MOVES, "{unsorted}");
        // All of them were in one bucket.
        assert!(before_first + 1 >= BURST as usize / MOST_MOVES, "{before_first}");
    }
}

/// As a subscription at rest: refreshed each hour, its watchdog armed for a moment.
#[test]
fn a_refresh_wakes_once() {
    let mut model = Model::new(123_456_789);
    while model.look() {}
    model.set(0, Some(model.now + HOUR));
    for refresh in 1..100 {
        let at = model.deadlines.earliest().unwrap();
        assert_eq!(at.0, 123_456_789 + refresh * HOUR);
        model.now = at.0;
        assert_eq!(model.deadlines.due(at), Due::Slot(0));
        model.set(0, Some(model.now + 60 * SECOND));
        model.set(0, Some(model.now + HOUR));
        assert!(!model.look());
    }
}

/// Nothing is looked through for the time that has passed.
#[test]
fn a_long_sleep_is_no_work() {
    let mut model = Model::new(0);
    for slot in 0..SLOTS {
        model.set(slot, Some(u64::from(slot) * 1_000_000_007 % DAY));
    }
    model.now = 1 << 60;
    let looks = (0..).take_while(|_| model.look()).count();
    assert!(looks <= 3 * SLOTS as usize, "{looks}");
    assert_eq!(model.deadlines.earliest(), None);
    model.set(0, Some(model.now + 5));
    assert_eq!(model.deadlines.earliest(), Some(Millis(model.now + 5)));
}

/// A bucket that is being taken apart loses and gains slots at the same time.
#[test]
fn a_bucket_changes_while_it_is_sorted() {
    let mut model = Model::new(0);
    let at = |slot: u32| 17 * SECOND + u64::from(slot) * 5;
    for slot in 0..SLOTS {
        model.set(slot, Some(at(slot)));
    }
    model.now = at(0);
    assert_eq!(model.deadlines.due(Millis(model.now)), Due::Unsorted);
    for slot in (0..SLOTS).step_by(3) {
        model.set(slot, None);
    }
    for slot in (0..SLOTS).step_by(6) {
        model.set(slot, Some(at(slot) + 1));
    }
    model.drain();
    assert_eq!(model.now, at(299));
}

#[test]
fn what_has_no_room_is_left_alone() {
    let mut deadlines = Deadlines::new_in(Accounted::new());
    deadlines.set(0, Some(Millis(1)));
    deadlines.set(0, None);
    assert_eq!(deadlines.earliest(), None);
    deadlines.try_reserve(1).unwrap();
    deadlines.set(u32::MAX, Some(Millis(1)));
    assert_eq!(deadlines.earliest(), None);
    assert_eq!(deadlines.due(Millis(u64::MAX)), Due::Nothing);
}
