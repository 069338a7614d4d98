//! Pages show every subscription once.

use std::collections::HashSet;
use std::ops::ControlFlow;

use super::{Table, insert, step, table};
use crate::subscription::Input;

fn page(table: &Table, offset: usize, limit: usize) -> Vec<u32> {
    let mut ids = Vec::new();
    assert_eq!(table.page(offset, limit, |handle, _, _| ids.push(handle.id())), ids.len());
    ids
}

#[test]
fn pages_together_are_the_whole() {
    let (table, alloc) = table(8, 0);
    let mut expected = HashSet::new();
    for n in 0..3000 {
        let handle = insert(&table, &alloc, &format!("sip:{n}@example.com"), false).handle();
        if n % 3 == 0 {
            step(&table, handle, Input::Unsubscribe).unwrap().unwrap();
        } else {
            expected.insert(handle.id());
        }
    }
    let whole = page(&table, 0, usize::MAX);
    assert_eq!(whole.len(), 2000);
    assert_eq!(whole.iter().copied().collect::<HashSet<_>>(), expected);
    for size in [1, 7, 300, 1999, 2000, 2001] {
        for offset in (0..2100).step_by(97) {
            let expected: Vec<_> = whole.iter().copied().skip(offset).take(size).collect();
            assert_eq!(page(&table, offset, size), expected, "{offset} {size}");
        }
    }
    assert!(page(&table, 0, 0).is_empty());
    assert!(page(&table, usize::MAX, 10).is_empty());
}

/// A visitor that has seen enough is shown no more.
#[test]
fn a_visit_ends_when_it_has_seen_enough() {
    let (table, alloc) = table(8, 0);
    for n in 0..100 {
        insert(&table, &alloc, &format!("sip:{n}@example.com"), false);
    }
    for most in [1, 60, 100, 101] {
        let mut seen = Vec::new();
        table.visit(|handle, _, _| {
            seen.push(handle.id());
            if seen.len() < most { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        assert_eq!(seen, page(&table, 0, most));
    }
}
