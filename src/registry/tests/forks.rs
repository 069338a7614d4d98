//! Forks: found by the notifier's tag, made with the NOTIFY, ended with their subscription.

use super::life::{arrived, dialog, notify, notify_from};
use super::{ENV, Handle, POLICY, Table, insert, step, table};
use crate::memory::OutOfMemory;
use crate::registry::InsertError;
use crate::registry::forks::MOST_FORKS;
use crate::subscription::{Env, Input, Policy};
use crate::testing::Accounted;

const ID: &[u8] = b"0001-call";

/// A NOTIFY from a notifier; returns the subscription that took it.
fn notified(table: &Table, tag: &str) -> Result<Option<(Handle, u8)>, InsertError> {
    let deliver = |_: Handle, output: &crate::subscription::Output, owner: &mut u64| {
        *owner += 1;
        output.news.map(|news| news.fork)
    };
    let stepped =
        table.step_notify(arrived(ID, b"t", notify_from(tag.as_bytes(), 1)), |notify| notify, &ENV, deliver)?;
    Ok(stepped.and_then(|stepped| Some((stepped.handle, stepped.delivered?))))
}

fn root(table: &Table, alloc: &Accounted) -> Handle {
    let handle = insert(table, alloc, "sip:a@example.com", true).handle();
    step(table, handle, dialog(ID, b"t")).unwrap().unwrap();
    assert_eq!(notified(table, "a"), Ok(Some((handle, 0))));
    handle
}

fn assert_empty(table: &Table) {
    assert!(table.is_empty());
    assert_eq!(table.created(), table.destroyed());
    assert!(table.shards.iter().all(|shard| shard.lock().indexed() == (0, 0)));
}

#[test]
fn each_notifier_has_its_own() {
    let (table, alloc) = table(4, 0);
    let root = root(&table, &alloc);
    let forks = ["b", "c", "d"].map(|tag| notified(&table, tag).unwrap().unwrap());
    assert_eq!(forks.map(|(_, number)| number), [1, 2, 3]);
    for (tag, fork) in ["b", "c", "d"].into_iter().zip(forks) {
        assert_eq!(notified(&table, tag), Ok(Some(fork)));
        assert_eq!(table.find_dialog(ID, b"t", tag.as_bytes()), Some(fork.0));
        assert_eq!(table.root_of(fork.0), Some(root));
        assert_eq!(table.view(fork.0, |life, owner| (life.notifies, *owner)), Some((2, 3)), "the owner is a copy");
        assert_eq!(table.by_id(fork.0.id()), Some(fork.0));
    }
    assert_eq!((table.root_of(root), table.forks_of(root).len(), table.len()), (None, 3, 4));
    assert_eq!(notified(&table, "a"), Ok(Some((root, 0))));
    assert_eq!(table.find_dialog(ID, b"t", b"unheard-of"), Some(root));

    // One ends: its number is free again.
    assert!(step(&table, forks[1].0, Input::Unsubscribe).unwrap().unwrap().output.forget);
    assert_eq!((table.len(), table.forks_of(root).len()), (3, 2));
    let (another, number) = notified(&table, "e").unwrap().unwrap();
    assert_eq!((number, table.root_of(another)), (2, Some(root)));
    assert!(step(&table, root, Input::Unsubscribe).unwrap().unwrap().output.forget);
    assert_empty(&table);
}

/// In whatever order they end, the others stay together.
#[test]
fn they_end_in_any_order() {
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let (table, alloc) = table(1, 0);
        let root = root(&table, &alloc);
        let forks = ["b", "c", "d"].map(|tag| notified(&table, tag).unwrap().unwrap().0);
        for (ended, which) in order.into_iter().enumerate() {
            step(&table, forks[which], Input::Unsubscribe).unwrap().unwrap();
            let mut left = table.forks_of(root);
            left.sort();
            let mut expected: Vec<_> = order[ended + 1..].iter().map(|which| forks[*which]).collect();
            expected.sort();
            assert_eq!(left, expected);
        }
        step(&table, root, Input::Unsubscribe).unwrap().unwrap();
        assert_empty(&table);
    }
}

/// When the subscription opens another dialog, its forks keep theirs; more are not made of the old one.
#[test]
fn they_stay_when_the_subscription_moves_on() {
    let (table, alloc) = table(1, 0);
    let root = root(&table, &alloc);
    let (fork, _) = notified(&table, "b").unwrap().unwrap();
    step(&table, root, dialog(b"0001-next", b"t")).unwrap().unwrap();
    assert_eq!(notified(&table, "b"), Ok(Some((fork, 1))));
    assert_eq!((notified(&table, "a"), notified(&table, "c")), (Ok(None), Ok(None)));
    step(&table, root, Input::Unsubscribe).unwrap().unwrap();
    assert_empty(&table);
}

#[test]
fn there_are_not_too_many() {
    let (table, alloc) = table(1, 0);
    let root = root(&table, &alloc);
    for number in 1..=MOST_FORKS {
        assert_eq!(notified(&table, &format!("fork-{number}")).unwrap().unwrap().1, number);
    }
    let stepped = table
        .step_notify(arrived(ID, b"t", notify_from(b"more", 1)), |notify| notify, &ENV, |_, _, _| ())
        .unwrap()
        .unwrap();
    assert!(stepped.output.answer.is_none() && stepped.output.news.is_none() && !stepped.output.fork);
    assert_eq!(table.forks_of(root).len(), usize::from(MOST_FORKS));
    step(&table, root, Input::Unsubscribe).unwrap().unwrap();
    assert_empty(&table);
}

/// Their bytes count together; one that is too much is counted as refused by the subscription, and changes nothing else.
#[test]
fn they_take_no_more_bytes_than_they_may() {
    let (table, alloc) = table(1, 0);
    let root = root(&table, &alloc);
    for tag in ["b", "c", "d"] {
        assert!(notified(&table, tag).unwrap().is_some());
    }
    let [one, three] = [1001, 3 * 1001];
    assert_eq!(table.bytes_of(root), 1001 + three);
    assert_eq!(table.bytes_of(table.forks_of(root)[0]), one, "of a fork its own alone");
    let (before, untold) = (alloc.out(), || table.view(root, |life, _| life.untold).unwrap());
    for (most, fits) in [(4 * 1001 - 1, false), (4 * 1001, true), (4 * 1001, false)] {
        let policy = Policy { fork_bytes: most, ..POLICY };
        let env = Env { policy: &policy, ..ENV };
        let tag = if fits { "e" } else { "f" };
        let stepped = table
            .step_notify(arrived(ID, b"t", notify_from(tag.as_bytes(), 1)), |notify| notify, &env, |_, _, _| ())
            .unwrap();
        let is_answered = stepped.is_some_and(|stepped| stepped.output.answer.is_some());
        assert_eq!(is_answered, fits, "{most}");
        assert!(fits || table.len() != 4 || alloc.out() == before, "nothing is left");
    }
    assert_eq!((table.forks_of(root).len(), untold()), (4, 2));
    step(&table, root, Input::Unsubscribe).unwrap().unwrap();
    assert_empty(&table);
}

#[test]
fn they_count_as_subscriptions() {
    let (table, alloc) = table(1, 2);
    let root = root(&table, &alloc);
    let (fork, _) = notified(&table, "b").unwrap().unwrap();
    assert_eq!(notified(&table, "c"), Err(InsertError::Full { limit: 2 }));
    assert_eq!((table.len(), table.created(), table.forks_of(root)), (2, 2, vec![fork]));
    step(&table, fork, Input::Unsubscribe).unwrap().unwrap();
    assert!(notified(&table, "c").unwrap().is_some());
    step(&table, root, Input::Unsubscribe).unwrap().unwrap();
    assert_empty(&table);
}

/// Each allocation of a fork fails once in turn: nothing changes, and the NOTIFY can come again.
#[test]
fn without_memory_there_is_none() {
    let (table, alloc) = table(1, 0);
    let mut failures = 0;
    let roots: Vec<Handle> = (0..40)
        .map(|n| {
            let handle = insert(&table, &alloc, &format!("sip:{n}@example.com"), true).handle();
            let id = format!("call-{n}");
            step(&table, handle, dialog(id.as_bytes(), b"t")).unwrap().unwrap();
            for tag in [&b"a"[..], b"b"] {
                for allowed in 0.. {
                    let before = (table.len(), table.created(), table.forks_of(handle));
                    alloc.allow(allowed);
                    let notified = table.step_notify(
                        arrived(id.as_bytes(), b"t", notify_from(tag, 1)),
                        |notify| notify,
                        &ENV,
                        |_, _, _| (),
                    );
                    alloc.allow_all();
                    match notified {
                        Ok(stepped) => {
                            assert!(stepped.unwrap().output.answer.is_some());
                            break;
                        }
                        Err(error) => {
                            failures += 1;
                            assert_eq!(error, InsertError::OutOfMemory(OutOfMemory));
                            assert_eq!((table.len(), table.created(), table.forks_of(handle)), before);
                        }
                    }
                }
            }
            // Ending needs none.
            alloc.allow(0);
            if n % 2 == 0 {
                assert!(step(&table, handle, Input::Unsubscribe).unwrap().unwrap().output.forget);
            }
            alloc.allow_all();
            handle
        })
        .collect();
    assert!(failures > 100, "{failures}");
    assert_eq!(table.len(), 40);
    for handle in roots {
        let _ = step(&table, handle, Input::Unsubscribe).unwrap();
    }
    assert_empty(&table);
    drop(table);
    assert_eq!(alloc.out(), 0);
}

#[test]
fn a_notify_without_a_tag_is_the_subscriptions() {
    let (table, alloc) = table(1, 0);
    let root = root(&table, &alloc);
    let stepped =
        table.step_notify(arrived(ID, b"t", notify(1)), |notify| notify, &ENV, |_, _, _| ()).unwrap().unwrap();
    assert_eq!(stepped.handle, root);
}
