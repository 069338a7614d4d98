//! 503 with Retry-After speaks for the whole destination.

use super::*;

fn unavailable(seconds: u32) -> Outcome {
    Outcome::Unavailable { retry_after: Some(seconds) }
}

#[test]
fn a_hold_is_for_everybody_until_it_is_over() {
    let gate = gate(OPEN);
    let here = go(&gate, 1, NOW);
    gate.report(here, 1, unavailable(20), NOW);
    for who in 1..5 {
        assert_eq!(held(&gate, who, at(19_999)), (at(20_000), HeldBy::RetryAfter));
    }
    assert_eq!(all(&gate, at(5_500))[0].held_for, 15);
    go(&gate, 1, at(20_000));
}

#[test]
fn the_longest_hold_counts_and_is_a_day() {
    let gate = gate(OPEN);
    let here = go(&gate, 1, NOW);
    gate.report(here, 1, unavailable(100), NOW);
    gate.report(here, 1, unavailable(5), NOW);
    gate.report(here, 1, Outcome::Answered, NOW);
    assert_eq!(held(&gate, 1, NOW).0, at(100_000));
    gate.report(here, 1, unavailable(1_000_000_000), NOW);
    gate.report(here, 1, unavailable(u32::MAX), NOW);
    assert_eq!(held(&gate, 1, NOW).0, at(86_400_000));
}

#[test]
fn retry_after_of_nothing_holds_nothing() {
    let gate = gate(OPEN);
    let here = go(&gate, 1, NOW);
    for retry_after in [None, Some(0)] {
        gate.report(here, 1, Outcome::Unavailable { retry_after }, NOW);
        go(&gate, 1, NOW);
    }
}

#[test]
fn other_destinations_are_not_held() {
    let gate = gate(OPEN);
    let here = go(&gate, 1, NOW);
    gate.report(here, 1, unavailable(20), NOW);
    for address in [&b"tcp:192.0.2.1:5060"[..], b"udp:192.0.2.1:5061", b"udp:192.0.2.11:5060"] {
        let ask = Ask { address, who: 1, reserved: false, random: 0 };
        assert!(matches!(gate.admit(&ask, NOW), Admission::Go(Some(other)) if other != here));
    }
}

/// Who has reserved a moment has reserved nothing when the destination is held.
#[test]
fn a_hold_is_for_those_with_a_turn_too() {
    let gate = gate(OPEN);
    let here = go(&gate, 1, NOW);
    gate.report(here, 1, unavailable(20), NOW);
    let ask = Ask { address: HERE, who: 2, reserved: true, random: 0 };
    assert!(matches!(gate.admit(&ask, NOW), Admission::Held { by: HeldBy::RetryAfter, .. }));
}
