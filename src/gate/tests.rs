//! The gate, with a clock of its own.

mod breakers;
mod holds;
mod rates;
mod room;
mod threads;

use std::vec::Vec;

use super::breaker::BreakerState;
use super::*;
use crate::testing::Accounted;

/// Gates of tests have locks between threads.
pub(super) type Door = Gate<Accounted, parking_lot::RawMutex>;

pub(super) const NOW: Millis = Millis(1_000_000);

pub(super) const HERE: &[u8] = b"udp:192.0.2.1:5060";

/// Nothing is limited.
pub(super) const OPEN: GateLimits = GateLimits {
    destination_rate: 0,
    total_rate: 0,
    breaker_failures: 0,
    breaker_time: Duration::from_secs(30),
    breaker_most: Duration::from_secs(100),
    probe_wait: Duration::from_secs(60),
    hold_most: Duration::from_secs(100),
};

pub(super) fn gate(limits: GateLimits) -> Door {
    Gate::try_new_in(limits, 42.into(), Accounted::new()).unwrap()
}

pub(super) fn at(millis: u64) -> Millis {
    Millis(NOW.0 + millis)
}

pub(super) fn ask(gate: &Door, who: u64, now: Millis) -> Admission {
    gate.admit(&AdmissionRequest { address: HERE, who, reserved: false, random: 0 }, now)
}

/// Lets a request through; its destination.
pub(super) fn go(gate: &Door, who: u64, now: Millis) -> Destination {
    match ask(gate, who, now) {
        Admission::Go(Some(destination)) => destination,
        other => panic!("{other:?}"),
    }
}

/// Until when a request is held, and by what.
pub(super) fn held(gate: &Door, who: u64, now: Millis) -> (Millis, HeldBy) {
    match ask(gate, who, now) {
        Admission::Held { until, by } => (until, by),
        other => panic!("{other:?}"),
    }
}

pub(super) fn all(gate: &Door, now: Millis) -> Vec<DestinationSnapshot> {
    let mut all = Vec::new();
    gate.page(0, usize::MAX, now, |one| all.push(one));
    let open = all.iter().filter(|one| one.state != BreakerState::Closed).count();
    assert_eq!(gate.open_breakers() as usize, open);
    all
}
