//! The breaker opens after failures in a row, and one request finds out when it may close.

use proptest::prelude::*;

use super::*;

const LIMITS: GateLimits = GateLimits { breaker_failures: 3, ..OPEN };

/// Open since `NOW`.
fn opened() -> (Door, Destination) {
    let gate = gate(LIMITS);
    let here = go(&gate, 1, NOW);
    for _ in 0..3 {
        gate.report(here, 1, SendOutcome::Silent, NOW);
    }
    (gate, here)
}

fn state(gate: &Door) -> &'static str {
    all(gate, NOW)[0].state.name()
}

#[test]
fn it_opens_after_failures_in_a_row() {
    let gate = gate(LIMITS);
    let here = go(&gate, 1, NOW);
    for outcome in [
        SendOutcome::Silent,
        SendOutcome::Unavailable { retry_after: None },
        SendOutcome::Answered,
        SendOutcome::Silent,
        SendOutcome::Unsent,
        SendOutcome::Silent,
    ] {
        gate.report(here, 1, outcome, NOW);
        go(&gate, 1, NOW);
    }
    assert_eq!((state(&gate), all(&gate, NOW)[0].failures), ("closed", 2));
    gate.report(here, 1, SendOutcome::Silent, NOW);
    assert_eq!(held(&gate, 1, NOW), (at(30_000), HeldBy::Breaker));
    assert_eq!((state(&gate), all(&gate, NOW)[0].held_for), ("open", 30));
}

#[test]
fn without_a_limit_it_never_opens() {
    let gate = gate(OPEN);
    let here = go(&gate, 1, NOW);
    for _ in 0..1000 {
        gate.report(here, 1, SendOutcome::Silent, NOW);
        go(&gate, 1, NOW);
    }
}

#[test]
fn one_probe_finds_out() {
    let (gate, here) = opened();
    go(&gate, 7, at(30_000));
    assert_eq!(state(&gate), "probing");
    for who in [1, 2, 7] {
        assert_eq!(held(&gate, who, at(30_001)), (at(37_501), HeldBy::Breaker));
    }
    gate.report(here, 7, SendOutcome::Answered, at(31_000));
    assert_eq!((state(&gate), all(&gate, NOW)[0].failures), ("closed", 0));
    go(&gate, 1, at(31_000));
}

#[test]
fn each_failed_probe_doubles_the_time_up_to_the_cap() {
    let (gate, here) = opened();
    let mut now = at(30_000);
    for seconds in [60, 100, 100] {
        go(&gate, 7, now);
        gate.report(here, 7, SendOutcome::Silent, now);
        let until = now.after(Duration::from_secs(seconds));
        assert_eq!(held(&gate, 1, now), (until, HeldBy::Breaker));
        now = until;
    }
    go(&gate, 7, now);
    gate.report(here, 7, SendOutcome::Answered, now);
    for _ in 0..3 {
        gate.report(here, 1, SendOutcome::Silent, now);
    }
    assert_eq!(held(&gate, 1, now).0, now.after(Duration::from_secs(30)), "begins anew");
}

/// What left before it opened fails later, and says nothing new.
#[test]
fn stragglers_neither_prolong_nor_end_a_probe() {
    let (gate, here) = opened();
    gate.report(here, 2, SendOutcome::Silent, at(29_000));
    assert_eq!(held(&gate, 1, at(29_000)).0, at(30_000));
    go(&gate, 7, at(30_000));
    gate.report(here, 2, SendOutcome::Silent, at(30_500));
    assert_eq!(state(&gate), "probing");
}

#[test]
fn a_lost_probe_is_followed_by_another() {
    let (gate, here) = opened();
    go(&gate, 7, at(30_000));
    held(&gate, 8, at(89_999));
    go(&gate, 8, at(90_000));
    gate.report(here, 7, SendOutcome::Silent, at(90_001));
    assert_eq!(state(&gate), "probing", "the first one does not count any more");
    gate.report(here, 8, SendOutcome::Unsent, at(90_001));
    go(&gate, 9, at(90_001));
}

/// No probe waits for its turn: there is no other request.
#[test]
fn a_probe_needs_no_turn() {
    let gate = gate(GateLimits { destination_rate: 1, breaker_failures: 1, ..OPEN });
    let here = go(&gate, 1, NOW);
    for _ in 0..100 {
        held(&gate, 1, NOW);
    }
    gate.report(here, 1, SendOutcome::Silent, NOW);
    go(&gate, 2, at(30_000));
}

#[test]
fn those_that_wait_are_spread() {
    let (gate, _) = opened();
    let spread = |random| match gate.admit(&AdmissionRequest { address: HERE, who: 1, reserved: false, random }, NOW) {
        Admission::Held { until, .. } => until.since(at(30_000)),
        Admission::Go(_) => panic!("open"),
    };
    assert_eq!((spread(0), spread(7_500)), (Duration::ZERO, Duration::from_millis(7_500)));
    assert_eq!(spread(7_501), Duration::ZERO);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    /// A dead destination gets what was under way when it opened, and one probe for each time it is open.
    #[test]
    fn a_dead_destination_is_left_alone(randoms in proptest::collection::vec(any::<u64>(), 50)) {
        let gate = gate(GateLimits { breaker_failures: 10, ..LIMITS });
        let mut due: Vec<(Millis, usize)> = (0..50).map(|who| (NOW, who)).collect();
        let mut lost: Vec<(Millis, usize, Destination)> = Vec::new();
        let mut sent = 0;
        let end = at(3_600_000);
        loop {
            due.sort_unstable();
            lost.sort_unstable_by_key(|(at, who, _)| (*at, *who));
            let (at, who) = due.first().copied().unwrap_or((end, 0));
            if let Some((until, who, here)) = lost.first().copied().filter(|(until, ..)| *until <= at) {
                lost.remove(0);
                gate.report(here, who as u64, SendOutcome::Silent, until);
                due.push((until.after(Duration::from_secs(1)), who));
                continue;
            }
            if at >= end {
                break;
            }
            due.remove(0);
            let ask = AdmissionRequest { address: HERE, who: who as u64, reserved: false, random: randoms[who] };
            match gate.admit(&ask, at) {
                Admission::Go(here) => {
                    sent += 1;
                    lost.push((at.after(Duration::from_secs(30)), who, here.unwrap()));
                }
                Admission::Held { until, .. } => {
                    prop_assert!(until > at);
                    due.push((until, who));
                }
            }
        }
        // 30 s, 60 s, then 100 s and the 30 s that each probe takes: not more than 30 in an hour.
        prop_assert!((60..=80).contains(&sent), "{sent} sent");
    }
}

/// Outcomes that are an answer, a failure, or say nothing about the destination.
#[test]
fn outcomes_of_codes() {
    for code in 200..700 {
        let answered =
            if code == 503 { SendOutcome::Unavailable { retry_after: Some(7) } } else { SendOutcome::Answered };
        assert_eq!(SendOutcome::of_answer(code, Some(7)), answered, "{code}");
        let local = match code {
            408 => SendOutcome::Silent,
            503 => SendOutcome::Unavailable { retry_after: None },
            _ => SendOutcome::Unsent,
        };
        assert_eq!(SendOutcome::of_local(code), local, "{code}");
    }
}
