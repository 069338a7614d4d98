//! Walks meet every subscription once, whatever comes and goes, and find those that nothing would bring on.

use std::collections::HashSet;
use std::ops::ControlFlow;

use super::life::{NEEDS_NOTHING, cancel, dialog};
use super::{NOW, Table, insert, insert_due, step, table};
use crate::registry::walk::Unattended;
use crate::registry::{Handle, WalkPlace};
use crate::subscription::Input;

/// Walks in calls of `most` from a place on; gives whom it has met and how often it was called.
fn whole(table: &Table, from: WalkPlace, most: usize, record: Option<&[u8]>) -> (Vec<Handle>, usize) {
    let (mut met, mut place, mut calls, mut looked_at) = (Vec::new(), from, 0, 0);
    loop {
        let walked = table.walk(place, most, record, |one| {
            met.push(one.handle);
            ControlFlow::Continue(())
        });
        (calls, looked_at) = (calls + 1, looked_at + walked.looked_at);
        assert!(walked.looked_at <= most);
        match walked.next {
            Some(next) => {
                assert!(next > place, "it goes on");
                place = next;
            }
            None => break,
        }
    }
    assert!(met.len() == looked_at || record.is_some());
    (met, calls)
}

#[test]
fn each_is_met_once_in_bounded_calls() {
    for shards in [1, 8] {
        let (table, alloc) = table(shards, 0);
        let all: Vec<Handle> =
            (0..1000).map(|n| insert(&table, &alloc, &format!("sip:{n}@example.com"), true).handle()).collect();
        let expected: HashSet<Handle> = all.iter().copied().collect();
        for most in [1, 7, 255, 256, 257, 5000] {
            let (met, calls) = whole(&table, WalkPlace::default(), most, None);
            assert_eq!((met.len(), met.into_iter().collect::<HashSet<_>>()), (1000, expected.clone()));
            assert!(calls >= 1000 / most && calls <= 2 + 2000 / most, "{shards} shards, {most}: {calls} calls");
        }
    }
}

/// Half of them go on the way, and others come into their slots.
#[test]
fn who_stays_is_met_once_whatever_comes_and_goes() {
    let (table, alloc) = table(4, 0);
    let all: Vec<Handle> =
        (0..800).map(|n| insert(&table, &alloc, &format!("sip:{n}@example.com"), true).handle()).collect();
    let stays: HashSet<Handle> = all.iter().copied().step_by(2).collect();
    let mut goes = all.iter().copied().skip(1).step_by(2);
    let (mut met, mut place, mut more) = (Vec::new(), WalkPlace::default(), 0);
    loop {
        let walked = table.walk(place, 50, None, |one| {
            met.push(one.handle);
            ControlFlow::Continue(())
        });
        for handle in goes.by_ref().take(40) {
            step(&table, handle, Input::Unsubscribe).unwrap();
            insert(&table, &alloc, &format!("sip:new{more}@example.com"), true);
            more += 1;
        }
        let Some(next) = walked.next else { break };
        place = next;
    }
    let stayed: Vec<Handle> = met.into_iter().filter(|handle| stays.contains(handle)).collect();
    assert_eq!((stayed.len(), stayed.into_iter().collect::<HashSet<_>>()), (stays.len(), stays));
}

#[test]
fn a_walk_goes_on_behind_the_last_one_shown() {
    let (table, alloc) = table(8, 0);
    for n in 0..100 {
        insert(&table, &alloc, &format!("sip:{n}@example.com"), false);
    }
    let (expected, _) = whole(&table, WalkPlace::default(), 1000, None);
    let (mut met, mut place) = (Vec::new(), Some(WalkPlace::default()));
    while let Some(from) = place {
        place = table
            .walk(from, 1000, None, |one| {
                met.push(one.handle);
                ControlFlow::Break(())
            })
            .next;
    }
    assert_eq!(met, expected);
}

/// Places that were never told, or are of a table that was larger, are places.
#[test]
fn any_number_is_a_place() {
    let (table, alloc) = table(8, 0);
    insert(&table, &alloc, "sip:alice@example.com", true);
    for number in [0, 1, 77, 1 << 19, WalkPlace::END / 2, WalkPlace::END - 1] {
        let place = WalkPlace::from_number(number).unwrap();
        assert_eq!(place.number(), number);
        assert!(whole(&table, place, 3, None).0.len() <= 1);
    }
    assert_eq!([WalkPlace::END, u32::MAX].map(WalkPlace::from_number), [None; 2]);
}

/// The work of a call is mostly in what may be the record.
#[test]
fn one_record_is_found_in_few_calls() {
    let (table, alloc) = table(4, 0);
    let all: Vec<Handle> =
        (0..5000).map(|n| insert(&table, &alloc, &format!("sip:{n}@example.com"), false).handle()).collect();
    let twin = insert(&table, &alloc, "sip:77@example.com", false).handle();
    let (mut met, calls) = whole(&table, WalkPlace::default(), 200, Some(b"sip:77@example.com"));
    met.sort_unstable();
    let mut wanted = vec![all[77], twin];
    wanted.sort_unstable();
    assert_eq!((met, calls), (wanted, 1));
    assert_eq!(whole(&table, WalkPlace::default(), 200, Some(b"sip:nobody@example.com")), (Vec::new(), 1));
    // A slot that is used again is known by its newest record.
    step(&table, twin, Input::Unsubscribe).unwrap();
    assert_eq!(whole(&table, WalkPlace::default(), 200, Some(b"sip:77@example.com")).0, [all[77]]);
}

#[test]
fn an_audit_finds_what_nothing_would_bring_on() {
    let (table, alloc) = table(4, 0);
    for n in 0..300 {
        insert_due(&table, &alloc, &format!("sip:{n}@example.com"), NOW);
    }
    let audit = || {
        let mut found = Vec::new();
        let walked = table.audit(WalkPlace::default(), 1000, |met, why| {
            found.push((met.handle, why));
            ControlFlow::Continue(())
        });
        assert_eq!(walked.next, None);
        found
    };
    assert_eq!(audit(), []);
    let planted = insert_due(&table, &alloc, "sip:planted@example.com", NOW).handle();
    step(&table, planted, cancel()).unwrap();
    assert_eq!(audit(), [(planted, Unattended::NoDeadline)]);
    step(&table, planted, dialog(NEEDS_NOTHING, b"t")).unwrap();
    assert_eq!(audit(), [], "one that waits for nothing");

    let forgotten = insert_due(&table, &alloc, "sip:forgotten@example.com", NOW).handle();
    let mut found = table.at(forgotten).unwrap();
    let slot = found.slot;
    found.table.disarm(slot);
    drop(found);
    assert_eq!(audit(), [(forgotten, Unattended::NotIndexed)]);
}
