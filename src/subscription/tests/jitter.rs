//! Refreshes that are due at the same time are spread.

use proptest::prelude::*;

use super::*;

proptest! {
    /// The refresh is never later than without the jitter, never sooner than it allows, and never before what holds it back.
    #[test]
    fn the_jitter_keeps_its_bounds(
        granted in 1u64..100_000,
        delta in 0u64..5000,
        min in 0u64..5000,
        jitter in 0u8..=50,
        random in any::<u64>(),
    ) {
        let policy = Policy { resubscribe_delta: secs(delta), min_resubscribe_time: secs(min), ..policy() };
        let plan = schedule::refresh_delay(secs(granted), &policy, random);
        let jittered = Policy { refresh_jitter: jitter, ..policy.clone() };
        let delay = schedule::refresh_delay(secs(granted), &jittered, random);
        prop_assert!(delay <= plan && delay >= plan * (100 - u32::from(jitter)) / 100);
        prop_assert!(delay >= secs(1));
        prop_assert!(delay >= policy.min_resubscribe_time || delay == plan);
    }
}

#[test]
fn the_jitter_reaches_both_ends() {
    let policy = Policy { refresh_jitter: 10, ..policy() };
    let delay = |random| schedule::refresh_delay(secs(3600), &policy, random);
    assert_eq!((delay(0), delay(357_000)), (secs(3570), secs(3213)));
    assert_eq!(delay(357_001), secs(3570), "and begins anew");
}

#[test]
fn subscriptions_granted_together_are_refreshed_apart() {
    let due = (0..100u64).map(|number| {
        let mut life = Life::asking();
        life.policy.refresh_jitter = 10;
        life.random = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        life.notify("active");
        life.reply(200);
        life.subscription.deadline().unwrap().0 / 1000
    });
    let seconds: std::collections::BTreeSet<_> = due.collect();
    assert!(seconds.len() > 50, "a hundred in {} seconds", seconds.len());
}
