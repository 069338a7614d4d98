//! 503 with Retry-After speaks for the whole destination.

use super::*;

fn unavailable(seconds: u32) -> SendOutcome {
    SendOutcome::Unavailable { retry_after: Some(seconds) }
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
fn the_longest_hold_counts_and_is_capped() {
    let gate = gate(OPEN);
    let here = go(&gate, 1, NOW);
    gate.report(here, 1, unavailable(50), NOW);
    gate.report(here, 1, unavailable(5), NOW);
    gate.report(here, 1, SendOutcome::Answered, NOW);
    assert_eq!(held(&gate, 1, NOW).0, at(50_000), "who was under way before says nothing new");
    gate.report(here, 1, unavailable(1_000_000_000), NOW);
    gate.report(here, 1, unavailable(u32::MAX), NOW);
    assert_eq!(held(&gate, 1, NOW).0, at(100_000));
    assert_eq!(all(&gate, NOW)[0].held_for, 100);
}

/// A pause beyond the cap lasts only as long as each probe hears it again.
#[test]
fn beyond_the_cap_one_at_a_time_finds_out() {
    let gate = gate(OPEN);
    let here = go(&gate, 1, NOW);
    gate.report(here, 1, unavailable(86_400), NOW);
    held(&gate, 1, at(99_999));
    go(&gate, 7, at(100_000));
    // The result of a request that was under way before does not end the wait for it.
    gate.report(here, 2, unavailable(5), at(100_000));
    // A quarter of the cap later they ask again.
    assert_eq!(held(&gate, 8, at(100_001)), (at(125_001), HeldBy::RetryAfter));
    gate.report(here, 7, unavailable(86_400), at(101_000));
    assert_eq!(held(&gate, 8, at(101_000)), (at(201_000), HeldBy::RetryAfter));
    go(&gate, 8, at(201_000));
    // Without a word it is as before; one that has not left is followed by another.
    gate.report(here, 8, SendOutcome::Silent, at(201_000));
    held(&gate, 9, at(300_999));
    go(&gate, 9, at(301_000));
    gate.report(here, 9, SendOutcome::Unsent, at(301_000));
    go(&gate, 10, at(301_000));
    gate.report(here, 10, SendOutcome::Unavailable { retry_after: None }, at(301_000));
    held(&gate, 13, at(400_999));
    go(&gate, 13, at(401_000));
    gate.report(here, 13, unavailable(0), at(401_000));
    held(&gate, 11, at(500_999));
    go(&gate, 11, at(501_000));
    // Another's answer is not the probe's.
    gate.report(here, 1, SendOutcome::Answered, at(501_000));
    held(&gate, 12, at(501_000));
    gate.report(here, 11, SendOutcome::Answered, at(501_000));
    go(&gate, 12, at(501_000));
    assert_eq!(all(&gate, at(501_000))[0].held_for, 0);
}

/// A probe whose outcome is never told is followed by another, and none outlasts what was asked for.
#[test]
fn a_probe_of_a_hold_may_be_lost() {
    let gate = gate(OPEN);
    let here = go(&gate, 1, NOW);
    gate.report(here, 1, unavailable(170), NOW);
    go(&gate, 7, at(100_000));
    held(&gate, 8, at(159_999));
    go(&gate, 8, at(160_000));
    assert_eq!(held(&gate, 9, at(160_000)).0, at(170_000), "no longer than asked for");
    go(&gate, 9, at(170_000));

    // Once it is told, the next one comes when the cap says, however long the probe might have taken.
    let gate = super::gate(GateLimits { hold_most: Duration::from_secs(2), ..OPEN });
    let here = go(&gate, 1, NOW);
    gate.report(here, 1, unavailable(86_400), NOW);
    go(&gate, 7, at(2_000));
    gate.report(here, 7, unavailable(86_400), at(2_000));
    go(&gate, 8, at(4_000));
}

/// A probe that has brought nothing is over: the others wait for the next one, and a late answer to it lifts nothing.
#[test]
fn a_probe_that_has_failed_is_none_any_more() {
    for outcome in [SendOutcome::Silent, SendOutcome::Unavailable { retry_after: None }] {
        let gate = gate(OPEN);
        let here = go(&gate, 1, NOW);
        gate.report(here, 1, unavailable(86_400), NOW);
        go(&gate, 7, at(100_000));
        gate.report(here, 7, outcome, at(110_000));
        assert_eq!(held(&gate, 8, at(110_000)).0, at(210_000));
        gate.report(here, 7, SendOutcome::Answered, at(120_000));
        held(&gate, 8, at(209_999));
        go(&gate, 8, at(210_000));
    }
}

#[test]
fn those_that_wait_for_a_probe_are_spread_within_what_was_asked_for() {
    let gate = gate(OPEN);
    let here = go(&gate, 1, NOW);
    gate.report(here, 1, unavailable(120), NOW);
    let until = |random| match gate.admit(&AdmissionRequest { address: HERE, who: 1, reserved: false, random }, NOW) {
        Admission::Held { until, .. } => until,
        Admission::Go(_) => panic!("held"),
    };
    assert_eq!([until(0), until(19_999), until(20_001)], [at(100_000), at(119_999), at(120_000)]);
}

/// An open breaker counts for the probe of a hold as well.
#[test]
fn a_hold_s_probe_waits_for_the_breaker() {
    let gate = gate(GateLimits { breaker_failures: 2, breaker_time: Duration::from_secs(300), ..OPEN });
    let here = go(&gate, 1, NOW);
    gate.report(here, 1, unavailable(86_400), NOW);
    gate.report(here, 1, SendOutcome::Silent, NOW);
    assert_eq!(held(&gate, 7, at(100_000)), (at(100_000).max(held(&gate, 7, at(100_000)).0), HeldBy::Breaker));
    go(&gate, 7, at(300_000));
    gate.report(here, 7, SendOutcome::Answered, at(300_000));
    go(&gate, 8, at(300_000));
}

/// An operator knows better.
#[test]
fn a_release_lifts_hold_and_breaker() {
    let gate = gate(GateLimits { breaker_failures: 1, ..OPEN });
    let here = go(&gate, 1, NOW);
    gate.report(here, 1, unavailable(86_400), NOW);
    assert!(!gate.release(b"udp:192.0.2.2:5060"));
    assert!(gate.release(HERE));
    let [seen] = &all(&gate, NOW)[..] else { panic!() };
    assert_eq!((seen.state.name(), seen.failures, seen.held_for), ("closed", 0, 0));
    go(&gate, 2, NOW);
}

#[test]
fn retry_after_of_nothing_holds_nothing() {
    let gate = gate(OPEN);
    let here = go(&gate, 1, NOW);
    for retry_after in [None, Some(0)] {
        gate.report(here, 1, SendOutcome::Unavailable { retry_after }, NOW);
        go(&gate, 1, NOW);
    }
}

#[test]
fn other_destinations_are_not_held() {
    let gate = gate(OPEN);
    let here = go(&gate, 1, NOW);
    gate.report(here, 1, unavailable(20), NOW);
    for address in [&b"tcp:192.0.2.1:5060"[..], b"udp:192.0.2.1:5061", b"udp:192.0.2.11:5060"] {
        let ask = AdmissionRequest { address, who: 1, reserved: false, random: 0 };
        assert!(matches!(gate.admit(&ask, NOW), Admission::Go(Some(other)) if other != here));
    }
}

/// A reserved moment counts for nothing if the destination is held.
#[test]
fn a_hold_is_for_those_with_a_turn_too() {
    let gate = gate(OPEN);
    let here = go(&gate, 1, NOW);
    gate.report(here, 1, unavailable(20), NOW);
    let ask = AdmissionRequest { address: HERE, who: 2, reserved: true, random: 0 };
    assert!(matches!(gate.admit(&ask, NOW), Admission::Held { by: HeldBy::RetryAfter, .. }));
}
