//! Pages show every subscription once.

use super::{Table, insert, step, table};
use crate::subscription::Input;
use std::collections::HashSet;

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
