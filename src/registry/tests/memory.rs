//! Memory: all of it given back, and running out of it harms nothing.

use super::life::{Told, arm, arrived, dialog, notify, subject};
use super::{ENV, NOW, Table, due, insert, insert_due, is_new, step, table};
use crate::memory::OutOfMemory;
use crate::registry::{CreateError, InsertError, Limits};
use crate::subscription::Input;
use crate::testing::Accounted;
use crate::time::Millis;

#[test]
fn all_memory_comes_back() {
    let (table, alloc) = table(8, 0);
    for n in 0..1000 {
        insert_due(&table, &alloc, &format!("sip:{n}@example.com"), NOW);
    }
    while due(&table, NOW).is_some() {}
    let mut handles = Vec::new();
    table.page(0, usize::MAX, |handle, _, _| handles.push(handle));
    for handle in handles {
        step(&table, handle, Input::Unsubscribe).unwrap().unwrap();
    }
    assert!(table.is_empty());
    drop(table);
    assert_eq!(alloc.out(), 0);
}

#[test]
fn churn_does_not_grow() {
    let (table, alloc) = table(4, 0);
    let mut handles = std::collections::VecDeque::new();
    let mut churn = |rounds: u64| {
        for n in 0..rounds {
            handles.push_back(insert_due(&table, &alloc, &format!("sip:{:06}@example.com", n % 500_000), NOW).handle());
            while due(&table, NOW).is_some() {}
            if handles.len() > 300 {
                step(&table, handles.pop_front().unwrap(), Input::Unsubscribe).unwrap().unwrap();
            }
        }
        alloc.out()
    };
    let steady = churn(20_000);
    assert!(churn(60_000) <= steady + steady / 20);
}

#[test]
fn creation_fails_cleanly() {
    let alloc = Accounted::new();
    alloc.allow(0);
    let made = Table::try_new_in(Limits { shards: 4, max_subscriptions: 0 }, 1.into(), alloc.clone());
    assert_eq!(made.err(), Some(CreateError::OutOfMemory(OutOfMemory)));
    assert_eq!(alloc.out(), 0);
}

/// Every allocation fails once in turn, at every size of the table on the way.
#[test]
fn an_insertion_without_memory_changes_nothing() {
    let (table, alloc) = table(2, 0);
    let mut failures = 0;
    for n in 0..400 {
        let record = format!("sip:{n}@example.com");
        for allowed in 0.. {
            let mut told = Told::new(&record, &alloc);
            told.set_dialog(record.as_bytes(), b"t").unwrap();
            told.deadline = Some(Millis(n));
            alloc.allow(allowed);
            let inserted = table.insert(told, n, true, &ENV);
            alloc.allow_all();
            match inserted {
                Ok(inserted) => {
                    assert!(is_new(inserted));
                    break;
                }
                Err(error) => {
                    assert_eq!(error, InsertError::OutOfMemory(OutOfMemory));
                    failures += 1;
                    assert_eq!((table.len() as u64, table.created()), (n, n));
                    assert_eq!(table.find(&subject(&record)), None);
                }
            }
        }
    }
    assert!(failures > 20, "{failures}");
    for n in 0..400 {
        let record = format!("sip:{n}@example.com");
        let handle = table.find(&subject(&record)).unwrap();
        let notified = table
            .step_notify(arrived(record.as_bytes(), b"t", notify(1)), |notify| notify, &ENV, |_, _, _| ())
            .unwrap()
            .unwrap();
        assert_eq!((notified.handle, notified.owner), (handle, n));
    }
    assert_eq!(std::iter::from_fn(|| due(&table, NOW)).count(), 400);
    drop(table);
    assert_eq!(alloc.out(), 0);
}

#[test]
fn a_step_without_memory_changes_nothing() {
    let (table, alloc) = table(1, 0);
    let mut failures = 0;
    for n in 0..300 {
        let handle = insert(&table, &alloc, &format!("sip:{n}@example.com"), true).handle();
        let call_id = format!("call-{n}");
        for allowed in 0.. {
            alloc.allow(allowed);
            let stepped = step(&table, handle, dialog(call_id.as_bytes(), b"t"));
            alloc.allow_all();
            let found = table.find_dialog(call_id.as_bytes(), b"t", b"");
            found.map(|handle| step(&table, handle, arm(NOW)).unwrap());
            match stepped {
                Ok(stepped) => {
                    assert!(stepped.is_some() && found.is_some());
                    break;
                }
                Err(OutOfMemory) => {
                    failures += 1;
                    assert!(found.is_none());
                    assert_eq!(table.view(handle, |life, _| life.deadline), Some(None));
                }
            }
        }
    }
    assert!(failures >= 300, "{failures}");
    assert_eq!(table.len(), 300);
}
