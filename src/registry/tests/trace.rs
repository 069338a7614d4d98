//! A step in words, to search for faults.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use super::life::{arrived, dialog, notify_from};
use super::{ENV, Handle, insert, step, table};
use crate::registry::Trace;
use crate::subscription::{Input, Output};

const ID: &[u8] = b"0001-call";

#[test]
fn a_step_is_put_into_words_only_while_somebody_reads_them() {
    static ON: AtomicBool = AtomicBool::new(false);
    let (table, alloc) = table(1, 0);
    let table = table.with_trace(|| ON.load(SeqCst));
    let root = insert(&table, &alloc, "sip:a@example.com", true).handle();
    assert_eq!(step(&table, root, Input::Refresh).unwrap().unwrap().trace, None);

    ON.store(true, SeqCst);
    let trace = |input: &str, before, after| {
        let record = b"sip:a@example.com".to_vec();
        Some(Box::new(Trace { record, input: input.to_owned(), before, after }))
    };
    let opened = step(&table, root, dialog(ID, b"t")).unwrap().unwrap();
    assert_eq!(opened.trace, trace(&dialog(ID, b"t").to_string(), "without a dialog", "with a dialog"));
    let notified = |tag: &[u8]| {
        let nothing = |_: Handle, _: &Output, _: &mut u64| ();
        table.step_notify(arrived(ID, b"t", notify_from(tag, 1)), |notify| notify, &ENV, nothing).unwrap().unwrap()
    };
    assert_eq!(notified(b"a").trace, trace("NOTIFY 1 with no state", "with a dialog", "with a dialog"));
    let fork = notified(b"b");
    assert_ne!(fork.handle, root);
    assert_eq!(fork.trace, trace("NOTIFY 1 with no state", Trace::NEW, "with a dialog"));

    let ended = step(&table, root, Input::Unsubscribe).unwrap().unwrap();
    assert_eq!(ended.trace, trace("unsubscribe", "with a dialog", "with a dialog"));
}
