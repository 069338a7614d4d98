//! Many at a time.

use std::sync::atomic::AtomicUsize;

use super::*;

#[test]
fn the_rate_holds_for_all_together() {
    let gate = gate(GateLimits { destination_rate: 500, total_rate: 800, ..OPEN });
    let passed = AtomicUsize::new(0);
    let last = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for who in 0..4 {
            let (gate, passed, last) = (&gate, &passed, &last);
            scope.spawn(move || {
                for _ in 0..2500 {
                    match ask(gate, who, NOW) {
                        Admission::Go(_) => drop(passed.fetch_add(1, Ordering::Relaxed)),
                        Admission::Held { until, .. } => drop(last.fetch_max(until.0, Ordering::Relaxed)),
                    }
                }
            });
        }
    });
    assert_eq!(passed.into_inner(), 50);
    assert_eq!(Millis(last.into_inner()), at(19_900), "10,000 at 500 a second");
}

#[test]
fn there_is_one_probe() {
    let gate = gate(GateLimits { breaker_failures: 1, ..OPEN });
    let here = go(&gate, 1, NOW);
    gate.report(here, 1, SendOutcome::Silent, NOW);
    let probes = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for who in 0..4 {
            let (gate, probes) = (&gate, &probes);
            scope.spawn(move || {
                for _ in 0..1000 {
                    if matches!(ask(gate, who, at(30_000)), Admission::Go(_)) {
                        probes.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    assert_eq!(probes.into_inner(), 1);
}
