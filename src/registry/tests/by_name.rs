//! Named subscriptions, their uniqueness, the limit and the counts.

use std::sync::Barrier;

use super::life::{Told, arm, subject};
use super::{ENV, NOW, insert, is_new, step, table};
use crate::registry::{InsertError, Inserted};
use crate::subscription::{Input, Subject};

#[test]
fn a_name_is_taken_once() {
    let (table, alloc) = table(8, 0);
    let first = insert(&table, &alloc, "sip:a@example.com", true);
    assert!(is_new(first));
    assert_eq!(insert(&table, &alloc, "sip:a@example.com", true), Inserted::Existing(first.handle()));
    assert!(is_new(insert(&table, &alloc, "sip:b@example.com", true)));
    assert_eq!(table.find(&subject("sip:a@example.com")), Some(first.handle()));
    assert_eq!(table.find(&subject("sip:c@example.com")), None);
    let with_id = Subject { event_id: b"1", ..subject("sip:a@example.com") };
    assert_eq!(table.find(&with_id), None);
    let other_subscriber = Subject { subscriber: b"sip:x@example.com", ..subject("sip:a@example.com") };
    assert_eq!(table.find(&other_subscriber), None);

    step(&table, first.handle(), Input::Unsubscribe).unwrap().unwrap();
    assert_eq!(table.find(&subject("sip:a@example.com")), None);
    assert!(is_new(insert(&table, &alloc, "sip:a@example.com", true)));
}

#[test]
fn nameless_ones_neither_take_nor_find_names() {
    let (table, alloc) = table(8, 0);
    let nameless = insert(&table, &alloc, "sip:a@example.com", false);
    assert!(is_new(insert(&table, &alloc, "sip:a@example.com", false)));
    assert_eq!(table.find(&subject("sip:a@example.com")), None);
    let named = insert(&table, &alloc, "sip:a@example.com", true);
    assert!(is_new(named));
    step(&table, nameless.handle(), Input::Unsubscribe).unwrap().unwrap();
    assert_eq!(table.find(&subject("sip:a@example.com")), Some(named.handle()));
    assert_eq!(table.len(), 2);
}

#[test]
fn the_limit_holds_and_the_counts_are_right() {
    let (table, alloc) = table(4, 3);
    let handles: Vec<_> =
        (0..3).map(|n| insert(&table, &alloc, &format!("sip:{n}@example.com"), true).handle()).collect();
    let more = || table.insert(Told::new("sip:more@example.com", &alloc), 0, true, &ENV);
    assert_eq!(more(), Err(InsertError::Full { limit: 3 }));
    assert_eq!(insert(&table, &alloc, "sip:1@example.com", true), Inserted::Existing(handles[1]));
    assert_eq!((table.len(), table.created(), table.destroyed()), (3, 3, 0));
    step(&table, handles[0], Input::Unsubscribe).unwrap().unwrap();
    assert_eq!((table.len(), table.created(), table.destroyed()), (2, 3, 1));
    assert!(is_new(more().unwrap()));
    assert_eq!((table.len(), table.created(), table.destroyed()), (3, 4, 1));
    assert_eq!(table.limit(), 3);
}

#[test]
fn a_name_is_taken_once_among_many_threads() {
    let (table, alloc) = table(4, 0);
    let barrier = Barrier::new(8);
    let insert_all = || {
        barrier.wait();
        (0..500)
            .map(|n| insert(&table, &alloc, &format!("sip:{n}@example.com"), true))
            .filter(|inserted| is_new(*inserted))
            .count()
    };
    let new: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(insert_all)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(new, 500);
    assert_eq!((table.len(), table.created()), (500, 500));
}

#[test]
fn the_owner_is_kept_and_news_are_delivered_in_order() {
    let (table, alloc) = table(2, 0);
    let handle = table.insert(Told::new("sip:a@example.com", &alloc), 6, true, &ENV).unwrap().handle();
    assert_eq!(table.view(handle, |_, owner| *owner), Some(6));
    let stepped = table
        .step(handle, arm(NOW), &ENV, |given, _, owner| {
            assert_eq!(given, handle);
            *owner += 1;
            "delivered"
        })
        .unwrap()
        .unwrap();
    assert_eq!((stepped.delivered, stepped.owner), ("delivered", 7));
    assert_eq!(table.view(handle, |_, owner| *owner), Some(7));
    let last = table.step(handle, Input::Unsubscribe, &ENV, |_, _, owner| *owner).unwrap().unwrap();
    assert_eq!((last.delivered, last.owner), (7, 7));
}
