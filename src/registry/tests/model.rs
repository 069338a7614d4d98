//! Random operations against a plain model.

use super::life::{Told, arm, cancel, dialog, notify, subject};
use super::{ENV, Handle, NOW, Table, due, step, table};
use crate::registry::Inserted;
use crate::subscription::{Input, Instant};
use crate::testing::Accounted;
use proptest::prelude::*;
use std::collections::HashMap;

#[derive(Clone, Debug)]
enum Operation {
    Insert { record: u8, named: bool },
    Arm { which: usize, at: u64 },
    Cancel { which: usize },
    Dialog { which: usize, call_id: u8 },
    Notify { call_id: u8, tag: u8 },
    Due { now: u64 },
    Forget { which: usize },
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        4 => (0u8..20, any::<bool>()).prop_map(|(record, named)| Operation::Insert { record, named }),
        2 => (any::<usize>(), 0u64..100).prop_map(|(which, at)| Operation::Arm { which, at }),
        1 => any::<usize>().prop_map(|which| Operation::Cancel { which }),
        3 => (any::<usize>(), 0u8..20).prop_map(|(which, call_id)| Operation::Dialog { which, call_id }),
        3 => (0u8..20, 0u8..4).prop_map(|(call_id, tag)| Operation::Notify { call_id, tag }),
        2 => (0u64..100).prop_map(|now| Operation::Due { now }),
        2 => any::<usize>().prop_map(|which| Operation::Forget { which }),
    ]
}

#[derive(Clone, Debug, Default)]
struct Known {
    record: u8,
    named: bool,
    deadline: Option<u64>,
    dialog: Option<(String, String)>,
}

struct Model {
    table: Table,
    alloc: Accounted,
    known: HashMap<Handle, Known>,
    gone: Vec<Handle>,
    limit: usize,
}

impl Model {
    fn pick(&self, which: usize) -> Option<Handle> {
        let mut handles: Vec<_> = self.known.keys().copied().collect();
        handles.sort();
        handles.get(which.checked_rem(handles.len())?).copied()
    }

    fn insert(&mut self, record: u8, named: bool) {
        let same = |known: &Known| named && known.named && known.record == record;
        let existing = self.known.iter().find(|(_, known)| same(known)).map(|(handle, _)| *handle);
        let told = Told::new(&format!("sip:{record}@example.com"), &self.alloc);
        match (self.table.insert(told, 0, named, NOW, &ENV), existing) {
            (Ok(Inserted::Existing(handle)), Some(expected)) => assert_eq!(handle, expected),
            (Ok(Inserted::New { handle, .. }), None) => {
                let before = self.known.insert(handle, Known { record, named, ..Known::default() });
                assert!(before.is_none() && self.known.len() <= self.limit);
            }
            (Err(_), None) => assert_eq!(self.known.len(), self.limit),
            (got, expected) => panic!("{got:?}, expected {expected:?}"),
        }
    }

    fn run(&mut self, operation: Operation) -> Option<()> {
        match operation {
            Operation::Insert { record, named } => self.insert(record, named),
            Operation::Arm { which, at } => {
                let handle = self.pick(which)?;
                step(&self.table, handle, arm(Instant(at))).unwrap().unwrap();
                self.known.get_mut(&handle)?.deadline = Some(at);
            }
            Operation::Cancel { which } => {
                let handle = self.pick(which)?;
                step(&self.table, handle, cancel()).unwrap().unwrap();
                self.known.get_mut(&handle)?.deadline = None;
            }
            Operation::Dialog { which, call_id } => {
                let handle = self.pick(which)?;
                // 0 ends the dialog; tags keep equal Call-IDs apart as far as the model needs it.
                let ids = (call_id > 0).then(|| (format!("id-{call_id}"), format!("tag-{}", which % 4)));
                let taken =
                    self.known.iter().any(|(other, known)| *other != handle && ids.is_some() && known.dialog == ids);
                if !taken {
                    let (call_id, tag) = ids.clone().unwrap_or_default();
                    step(&self.table, handle, dialog(call_id.as_bytes(), tag.as_bytes())).unwrap().unwrap();
                    self.known.get_mut(&handle)?.dialog = ids;
                }
            }
            Operation::Notify { call_id, tag } => {
                let (call_id, tag) = (format!("id-{call_id}"), format!("tag-{tag}"));
                let stepped = self
                    .table
                    .step_dialog(call_id.as_bytes(), tag.as_bytes(), notify(3), NOW, &ENV, |handle, _, _| handle)
                    .unwrap();
                let ids = Some((call_id, tag));
                let expected = self.known.iter().find(|(_, known)| known.dialog == ids).map(|(handle, _)| *handle);
                assert_eq!(stepped.map(|stepped| stepped.delivered), expected);
            }
            Operation::Due { now } => {
                let is_due = |known: &Known| known.deadline.is_some_and(|at| at <= now);
                let mut expected = self.known.values().filter(|known| is_due(known)).count();
                while let Some(handle) = due(&self.table, Instant(now)) {
                    let known = self.known.get_mut(&handle).unwrap();
                    assert!(is_due(known));
                    (known.deadline, known.dialog) = (None, Some((String::new(), handle.id().to_string())));
                    expected -= 1;
                }
                assert_eq!(expected, 0);
            }
            Operation::Forget { which } => {
                let handle = self.pick(which)?;
                assert!(step(&self.table, handle, Input::Unsubscribe).unwrap().unwrap().output.forget);
                self.known.remove(&handle);
                self.gone.push(handle);
            }
        }
        Some(())
    }

    fn check(&self) {
        assert_eq!(self.table.len(), self.known.len());
        assert_eq!(self.table.destroyed(), self.gone.len() as u64);
        assert_eq!(self.table.created(), (self.gone.len() + self.known.len()) as u64);
        let earliest = self.known.values().filter_map(|known| known.deadline).min();
        assert_eq!(self.table.next_due(), earliest.map(Instant));
        for record in 0..20 {
            let named = self.known.iter().find(|(_, known)| known.named && known.record == record);
            let found = self.table.find(&subject(&format!("sip:{record}@example.com")));
            assert_eq!(found, named.map(|(handle, _)| *handle));
        }
        for handle in self.known.keys() {
            assert_eq!(self.table.by_id(handle.id()), Some(*handle));
        }
        for handle in &self.gone {
            assert!(self.table.view(*handle, |_, _| ()).is_none());
        }
    }
}

proptest! {
    #[test]
    fn it_does_what_the_model_does(operations in prop::collection::vec(operation(), 1..200), bits in 0u32..4) {
        let limit = 30;
        let (table, alloc) = table(1 << bits, 30);
        let mut model = Model { table, alloc: alloc.clone(), known: HashMap::new(), gone: Vec::new(), limit };
        for operation in operations {
            model.run(operation);
            model.check();
        }
        drop(model);
        prop_assert_eq!(alloc.out(), 0);
    }
}
