//! So many a second, and everyone comes back once.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

fn limited(destination_rate: u32, total_rate: u32) -> Door {
    gate(GateLimits { destination_rate, total_rate, ..OPEN })
}

#[test]
fn a_tenth_of_a_second_s_worth_passes_at_once_and_the_rest_in_turn() {
    let gate = limited(100, 0);
    for who in 0..10 {
        go(&gate, who, NOW);
    }
    for turn in 1..=5 {
        assert_eq!(held(&gate, turn, NOW), (at(turn * 10), HeldBy::Rate));
    }
    let [seen] = &all(&gate, NOW)[..] else { panic!() };
    assert_eq!((seen.address.as_bytes(), seen.sent, seen.held, seen.held_for), (HERE, 10, 5, 0));
    assert_eq!(seen.state.name(), "closed");
}

#[test]
fn one_passes_at_once_however_low_the_rate() {
    let gate = limited(2, 0);
    go(&gate, 0, NOW);
    assert_eq!(held(&gate, 1, NOW), (at(500), HeldBy::Rate));
    assert_eq!(held(&gate, 2, NOW), (at(1000), HeldBy::Rate));
}

/// What waits keeps its turn. What comes later waits for as many turns as before, at the new rate; never is there a burst.
#[test]
fn a_rate_that_changes_keeps_the_turns() {
    let rates = |destination_rate| GateLimits { destination_rate, total_rate: 0, ..OPEN };
    let gate = limited(10, 0);
    go(&gate, 0, NOW);
    for turn in 1..=20 {
        assert_eq!(held(&gate, turn, NOW), (at(turn * 100), HeldBy::Rate));
    }
    // The twenty-first turn of a hundredth of a second each, but for the tenth of a second that passes at once.
    gate.set_limits(rates(100), NOW);
    assert_eq!(held(&gate, 21, NOW), (at(120), HeldBy::Rate));
    // Slower again: after what is taken.
    gate.set_limits(rates(10), NOW);
    assert_eq!(held(&gate, 22, NOW), (at(220), HeldBy::Rate));
    gate.set_limits(rates(0), NOW);
    go(&gate, 23, NOW);
    gate.set_limits(rates(2), NOW);
    go(&gate, 24, NOW);
    assert_eq!(held(&gate, 25, NOW), (at(500), HeldBy::Rate));
}

/// The same for the bucket of all destinations.
#[test]
fn the_rate_of_all_changes_as_well() {
    let gate = limited(0, 10);
    go(&gate, 0, NOW);
    for turn in 1..=20 {
        assert_eq!(held(&gate, turn, NOW), (at(turn * 100), HeldBy::Rate));
    }
    gate.set_limits(GateLimits { total_rate: 100, ..OPEN }, NOW);
    assert_eq!(held(&gate, 21, NOW), (at(120), HeldBy::Rate));
}

/// 50,000 that are due at once ask twice each at most, and none waits longer than the rate says.
#[test]
fn many_at_once_ask_at_most_twice() {
    const MANY: u64 = 50_000;
    let gate = limited(1000, 5000);
    let mut waiting: BTreeMap<Millis, u64> = BTreeMap::new();
    let mut passed = 0;
    for who in 0..MANY {
        match ask(&gate, who, NOW) {
            Admission::Go(_) => passed += 1,
            Admission::Held { until, by } => {
                assert_eq!(by, HeldBy::Rate);
                *waiting.entry(until).or_default() += 1;
            }
        }
    }
    assert_eq!(passed, 100);
    assert_eq!(waiting.last_key_value().map(|(until, _)| *until), Some(at(49_900)));
    for (until, count) in waiting {
        assert_eq!(count, 1, "at {until:?}");
        let back = AdmissionRequest { address: HERE, who: 0, reserved: true, random: 0 };
        assert!(matches!(gate.admit(&back, until), Admission::Go(Some(_))));
    }
}

#[test]
fn no_limit_is_no_limit() {
    let gate = limited(0, 0);
    for who in 0..100_000 {
        go(&gate, who, NOW);
    }
}

#[test]
fn all_destinations_share_the_total() {
    let gate = limited(1000, 100);
    for number in 0..10 {
        let address = format!("udp:192.0.2.{number}:5060");
        let ask = AdmissionRequest { address: address.as_bytes(), who: 1, reserved: false, random: 0 };
        assert!(matches!(gate.admit(&ask, NOW), Admission::Go(Some(_))));
    }
    assert_eq!(held(&gate, 1, NOW), (at(10), HeldBy::Rate));
}

/// A turn that is used has been taken when it was reserved.
#[test]
fn a_reserved_turn_takes_no_other() {
    let gate = limited(0, 10);
    go(&gate, 0, NOW);
    for _ in 0..50 {
        let back = AdmissionRequest { address: HERE, who: 0, reserved: true, random: 0 };
        assert!(matches!(gate.admit(&back, NOW), Admission::Go(Some(_))));
    }
    assert_eq!(held(&gate, 1, NOW), (at(100), HeldBy::Rate));
}

proptest! {
    /// In no second do more pass than the rate and what the bucket held, and over a long time no more than the rate.
    #[test]
    fn the_rate_is_kept(rate in 1u32..2000, pauses in proptest::collection::vec(0u64..30, 1..2000)) {
        let gate = limited(rate, 0);
        let mut now = NOW;
        let mut sent: Vec<Millis> = Vec::new();
        for pause in pauses {
            now = now.after(Duration::from_millis(pause));
            sent.push(match ask(&gate, 1, now) {
                Admission::Go(_) => now,
                Admission::Held { until, .. } => until,
            });
        }
        for (number, first) in sent.iter().enumerate() {
            let second = sent[number..].iter().take_while(|at| at.since(*first) < Duration::from_secs(1)).count();
            prop_assert!(second <= rate as usize * 11 / 10 + 2, "{second} in a second");
        }
        prop_assert!(sent.is_sorted(), "in turn");
        let span = sent[sent.len() - 1].since(NOW).as_secs_f64();
        prop_assert!(sent.len() as f64 <= f64::from(rate) * (span + 1.0) + 1.0);
    }
}
