//! How many destinations there is room for.

use super::*;

fn address(number: usize) -> Vec<u8> {
    format!("udp:host{number}.example.com:5060").into_bytes()
}

fn let_through(gate: &Door, number: usize, now: Millis) -> Option<Destination> {
    match gate.admit(&AdmissionRequest { address: &address(number), who: 1, reserved: false, random: 0 }, now) {
        Admission::Go(destination) => destination,
        Admission::Held { .. } => panic!("nothing is limited"),
    }
}

#[test]
fn the_number_is_bounded_and_idle_ones_make_room() {
    let account = Accounted::new();
    let gate = Door::try_new_in(GateLimits { breaker_failures: 1, ..OPEN }, 42.into(), account.clone()).unwrap();
    let first = let_through(&gate, 0, NOW).unwrap();
    for number in 1..3 * MOST_DESTINATIONS {
        assert!(let_through(&gate, number, NOW).is_some());
    }
    assert_eq!(all(&gate, NOW).len(), MOST_DESTINATIONS);
    assert!(account.out() < 4_000_000, "{} bytes", account.out());
    // Its entry is another's by now.
    gate.report(first, 1, SendOutcome::Silent, NOW);
    assert!(all(&gate, NOW).iter().all(|one| one.failures == 0));
}

/// More that fail than there is room for: the one asked for longest ago makes room, and that is said.
#[test]
fn one_that_fails_makes_room_where_none_is_idle() {
    let gate = gate(GateLimits { breaker_failures: 1, ..OPEN });
    for number in 0..2 * MOST_DESTINATIONS {
        let one = let_through(&gate, number, at(number as u64)).expect("an entry of its own");
        gate.report(one, 1, SendOutcome::Silent, at(number as u64));
    }
    let count = all(&gate, NOW).len();
    assert_eq!(count, MOST_DESTINATIONS);
    let now = at(2 * MOST_DESTINATIONS as u64);
    assert!(gate.pressure(now).is_some_and(|pressed| pressed > 1000));
    let_through(&gate, 9_999_998, now).expect("an entry");
    assert_eq!(gate.pressure(now), None, "said a moment ago");
    // A destination that comes then has a breaker.
    let new = let_through(&gate, 9_999_999, now).unwrap();
    gate.report(new, 1, SendOutcome::Silent, now);
    let ask = AdmissionRequest { address: &address(9_999_999), who: 1, reserved: false, random: 0 };
    assert!(matches!(gate.admit(&ask, now), Admission::Held { by: HeldBy::Breaker, .. }));
    assert!(gate.pressure(now.after(Duration::from_secs(60))).is_some());
    assert_eq!(gate.pressure(now.after(Duration::from_secs(120))), None, "nothing new");
}

/// A destination held by a Retry-After is not forgotten; those that find no room share one bucket.
#[test]
fn held_ones_keep_their_room_and_the_others_share_a_rate() {
    let gate = gate(GateLimits { destination_rate: 100, ..OPEN });
    for number in 0..3 * MOST_DESTINATIONS {
        let ask = AdmissionRequest { address: &address(number), who: 1, reserved: true, random: 0 };
        if let Admission::Go(Some(one)) = gate.admit(&ask, NOW) {
            gate.report(one, 1, SendOutcome::Unavailable { retry_after: Some(3600) }, NOW);
        }
    }
    assert!(gate.pressure(NOW).is_some());
    let later = at(1000);
    assert_eq!(all(&gate, later).len(), MOST_DESTINATIONS);
    let ask = |number, reserved| {
        gate.admit(&AdmissionRequest { address: &address(number), who: 1, reserved, random: 0 }, later)
    };
    let beyond = 1_000_000..1_010_000;
    let mut slots: Vec<Millis> = beyond
        .filter_map(|number| match ask(number, false) {
            Admission::Held { until, by: HeldBy::Rate } => Some(until),
            Admission::Held { .. } | Admission::Go(_) => None,
        })
        .collect();
    slots.sort_unstable();
    assert!(slots.len() > 9000, "{}", slots.len());
    assert!(slots.last().is_some_and(|last| last.since(later) > Duration::from_secs(90)), "one bucket for all");
    assert_eq!(ask(1_000_001, true), Admission::Go(None), "its turn was reserved");
}

#[test]
fn without_memory_requests_pass() {
    let account = Accounted::new();
    account.allow(0);
    assert!(Door::try_new_in(OPEN, 42.into(), account.clone()).is_err());
    account.allow_all();
    let gate = Door::try_new_in(GateLimits { total_rate: 1, ..OPEN }, 42.into(), account.clone()).unwrap();
    let out = account.out();
    account.allow(0);
    let passed = (0..10_000).filter(|number| let_through(&gate, *number, at(*number as u64 * 1000)).is_some()).count();
    assert!(passed >= 16 && passed == all(&gate, NOW).len(), "{passed}");
    assert_eq!(account.out(), out);
    drop(gate);
    assert_eq!(account.out(), 0);
}

/// Without an entry there is still the rate of all.
#[test]
fn without_memory_the_total_holds() {
    let account = Accounted::new();
    let gate = Door::try_new_in(GateLimits { total_rate: 100, ..OPEN }, 42.into(), account.clone()).unwrap();
    account.allow(0);
    let ask =
        |number| gate.admit(&AdmissionRequest { address: &address(number), who: 1, reserved: false, random: 0 }, NOW);
    let passed = (0..10_000).filter(|number| matches!(ask(*number), Admission::Go(_))).count();
    assert_eq!(passed, 10);
}

#[test]
fn long_names_are_told_apart() {
    let gate = gate(GateLimits { breaker_failures: 1, ..OPEN });
    let long = |last: u8| [&b"udp:"[..], &[b'a'; 300], &[last]].concat();
    let ask = |address: &[u8]| gate.admit(&AdmissionRequest { address, who: 1, reserved: false, random: 0 }, NOW);
    let Admission::Go(Some(one)) = ask(&long(b'1')) else { panic!() };
    gate.report(one, 1, SendOutcome::Silent, NOW);
    assert!(matches!(ask(&long(b'1')), Admission::Held { .. }));
    assert!(matches!(ask(&long(b'2')), Admission::Go(Some(_))));
}

#[test]
fn pages_show_each_once() {
    let gate = gate(OPEN);
    for number in 0..500 {
        let_through(&gate, number, NOW);
    }
    let mut seen = Vec::new();
    for offset in (0..600).step_by(7) {
        gate.page(offset, 7, NOW, |one| seen.push(one.address));
    }
    let count = seen.len();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!((count, seen.len()), (500, 500));
}

/// Shard, slot and generation share 32 bits.
#[test]
fn a_number_holds_the_largest_of_its_parts() {
    assert_eq!((Destination::LAST_GENERATION, MOST_DESTINATIONS), (131_071, 16_384));
    let last = (MOST_DESTINATIONS / 1024 - 1, 1023, Destination::LAST_GENERATION);
    assert_eq!(Destination::new(last.0, last.1, last.2).map(Destination::parts), Some(last));
    assert_eq!(Destination::new(0, 0, 1).map(Destination::parts), Some((0, 0, 1)));
}
