//! Finding the subscriptions that depend on a connection.

use std::collections::BTreeSet;
use std::num::NonZero;

use super::life::CANCEL;
use super::{ENV, insert, step, table};
use crate::subscription::{Flow, Input, Reply};

fn flow(number: u32) -> Flow {
    Flow(NonZero::new(number).unwrap())
}

fn over(number: Option<u32>) -> Input<'static> {
    Input::Reply(Reply { code: CANCEL, flow: number.map(flow), ..Reply::default() })
}

#[test]
fn each_hears_once_that_its_connection_is_lost() {
    let (table, alloc) = table(4, 0);
    let uses = |numbers: [u32; 4]| numbers.map(|number| table.uses_flow(flow(number)));
    assert_eq!(uses([1, 2, 3, 9]), [false; 4]);
    let handles: Vec<_> =
        (0..60).map(|n| insert(&table, &alloc, &format!("sip:{n}@example.com"), false).handle()).collect();
    for (n, handle) in handles.iter().enumerate() {
        step(&table, *handle, over(Some(u32::try_from(n % 3 + 1).unwrap()))).unwrap();
    }
    // One goes over to another connection, one to none, one ends.
    step(&table, handles[0], over(Some(2))).unwrap();
    step(&table, handles[3], over(None)).unwrap();
    step(&table, handles[6], Input::Unsubscribe).unwrap();
    let lost = |number| {
        let mut told = BTreeSet::new();
        while let Some(stepped) = table.step_flow(flow(number), &ENV, |_, _, _| ()).unwrap() {
            assert!(told.insert(handles.iter().position(|handle| *handle == stepped.handle).unwrap()));
        }
        told
    };
    let of = |rest: usize| (0..60).filter(move |n| n % 3 == rest);
    assert_eq!(lost(9), BTreeSet::new());
    assert_eq!(lost(1), of(0).filter(|n| ![0, 3, 6].contains(n)).collect());
    assert_eq!(lost(2), of(1).chain([0]).collect());
    assert_eq!(uses([1, 2, 3, 9]), [false, false, true, false], "nobody else's counts");
    assert_eq!(lost(3), of(2).collect());
    assert_eq!(lost(3), BTreeSet::new());
    assert_eq!(uses([1, 2, 3, 9]), [false; 4]);
}

#[test]
fn nothing_is_left_of_a_connection_that_is_gone() {
    let (table, alloc) = table(1, 0);
    let handle = insert(&table, &alloc, "sip:a@example.com", false).handle();
    let before = alloc.out();
    step(&table, handle, over(Some(1))).unwrap();
    assert!(alloc.out() > before);
    step(&table, handle, Input::FlowLost(flow(1))).unwrap();
    assert_eq!(alloc.out(), before);
}
