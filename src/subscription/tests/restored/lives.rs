//! Random lives in which the server stops.

use proptest::prelude::*;

use super::super::random::{Step, step, with_input};
use super::*;

fn take(life: &mut Life, steps: &[(Step, u64)]) {
    for (step, random) in steps {
        life.random = *random;
        with_input(life, step, |life, input| drop(life.give(input)));
    }
}

/// A dialog that a notifier knows of and that has not ended.
fn is_valid(life: &Life, at: Millis) -> bool {
    let stored = life.subscription.stored();
    let has_tag = stored.dialog.is_some_and(|dialog| !dialog.remote_tag.is_empty());
    has_tag && stored.expiry.is_none_or(|expiry| expiry > at) && life.subscription.state().has_dialog()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.max(1000), ..ProptestConfig::default() })]

    #[test]
    fn a_life_goes_on_by_the_same_rules(
        lives in proptest::collection::vec(proptest::collection::vec((step(), any::<u64>()), 0..30), 2..4),
        pauses in proptest::collection::vec(0u64..200_000, 4),
        fetch in any::<bool>(),
        stores in any::<bool>(),
        min in 0u64..60,
        is_contrary in any::<bool>(),
        proxies in 0u8..4,
    ) {
        let mut life = Life::unstarted(Policy {
            stores,
            overrides: if is_contrary { contrary() } else { Vec::new() },
            timer_n_on_refresh: is_contrary,
            min_resubscribe_time: secs(min),
            refresh_jitter: 50,
            proxies,
            ..policy()
        });
        life.give(Input::Start);
        for (steps, pause) in lives.iter().zip(&pauses) {
            take(&mut life, steps);
            if life.forgotten {
                return Ok(());
            }
            let pause = Duration::from_millis(*pause);
            let was_valid = is_valid(&life, life.now.after(pause));
            let was_wanted = life.subscription.state().is_wanted();
            let mut again = life.restarted(pause, fetch);
            let state = again.subscription.state();
            prop_assert!(again.subscription.deadline().is_some(), "{state:?}");
            prop_assert_eq!(state.is_wanted(), was_wanted);
            prop_assert_eq!(again.subscription.status(), life.subscription.status());
            prop_assert_eq!(again.subscription.retries, life.subscription.retries);
            prop_assert!(again.subscription.local_cseq > life.subscription.local_cseq);
            if was_valid {
                prop_assert_eq!(ids(&again), ids(&life));
                prop_assert!(state.has_dialog());
                let expiry = life.subscription.stored().expiry;
                let planned = matches!(state, State::Confirmed { awaits: Awaits::Nothing, .. });
                prop_assert!(!planned || expiry.is_none_or(|end| again.subscription.deadline() <= Some(end)));
            }
            again.unsubscribed = life.unsubscribed;
            life = again;
        }
        let account = life.account.clone();
        if !life.forgotten {
            life.give(Input::Unsubscribe);
        }
        for _ in 0..5 + 2 * proxies {
            if !life.forgotten {
                life.due();
            }
        }
        prop_assert!(life.forgotten, "{:?} after unsubscribing", life.subscription.state());
        prop_assert_eq!(account.out(), SUBJECT);
    }

    /// Whatever somebody has written into a row, it is a subscription that lives by the rules.
    #[test]
    fn any_row_becomes_a_life(
        steps in proptest::collection::vec((step(), any::<u64>()), 0..30),
        texts in proptest::array::uniform6(prop_oneof![Just(&b""[..]), Just(&b"text"[..])]),
        (has_dialog, numbers, phase, awaits) in (any::<bool>(), any::<[u32; 5]>(), 0u8..5, 0u8..5),
        instants in proptest::array::uniform5(proptest::option::of(0u64..2_000_000)),
        (status, fork, proxy, retries) in (0usize..5, 0u8..2, any::<u8>(), any::<u16>()),
        (remote_cseq, known, has_flow, fetch) in (proptest::option::of(0u32..200), any::<u8>(), any::<bool>(), any::<bool>()),
    ) {
        let life = Life::unstarted(stores());
        let [call_id, local_tag, remote_tag, target, route_set, entity_tag] = texts;
        let dialog = StoredDialog {
            call_id, local_tag, remote_tag, target, route_set, entity_tag, has_flow, remote_cseq, known,
            source: remote_tag, led_to: entity_tag, version: numbers[0], ..StoredDialog::default()
        };
        let [next, last_sent, opened, expiry, notify_by] = instants.map(|at| at.map(Millis));
        let statuses = [None, Some(Status::Active), Some(Status::Pending), Some(Status::Terminated), Some(Status::Rejected)];
        let stored = StoredLife {
            dialog: has_dialog.then_some(dialog),
            phase: match phase {
                0 => StoredPhase::Waiting,
                1 => StoredPhase::Unconfirmed,
                2 => StoredPhase::Ending,
                _ => StoredPhase::Confirmed(StoredAwaits::of(awaits).unwrap()),
            },
            status: statuses[status],
            local_cseq: numbers[1] >> (numbers[2] % 32),
            requested_expires: numbers[3] >> (numbers[2] % 31),
            min_expires: numbers[4] % 100,
            retries, proxy, next, last_sent, opened, expiry, notify_by, fork,
        };
        let mut again = life.restarted_with(secs(0), fetch, |kept| *kept = StoredLife { ..stored });
        prop_assert!(again.subscription.deadline().is_some());
        again.unsubscribed = !again.subscription.state().is_wanted();
        take(&mut again, &steps);
    }
}
