//! Random operations against a plain model.

use std::collections::HashMap;

use proptest::prelude::*;

use super::life::{Told, arm, arrived, cancel, dialog, notify_from, subject};
use super::{ENV, Handle, Table, due, recount, step, table};
use crate::registry::{InsertError, Inserted};
use crate::subscription::Input;
use crate::testing::Accounted;
use crate::time::Millis;

#[derive(Clone, Debug)]
enum Operation {
    Insert { record: u8, named: bool },
    Arm { which: usize, after: u64 },
    Cancel { which: usize },
    Dialog { which: usize, call_id: u8 },
    Notify { call_id: u8, tag: u8, from: u8 },
    Due { after: u64 },
    Forget { which: usize },
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        4 => (0u8..20, any::<bool>()).prop_map(|(record, named)| Operation::Insert { record, named }),
        2 => (any::<usize>(), 0u64..100).prop_map(|(which, after)| Operation::Arm { which, after }),
        1 => any::<usize>().prop_map(|which| Operation::Cancel { which }),
        3 => (any::<usize>(), 0u8..20).prop_map(|(which, call_id)| Operation::Dialog { which, call_id }),
        4 => (0u8..20, 0u8..4, 0u8..4).prop_map(|(call_id, tag, from)| Operation::Notify { call_id, tag, from }),
        2 => (0u64..100).prop_map(|after| Operation::Due { after }),
        2 => any::<usize>().prop_map(|which| Operation::Forget { which }),
    ]
}

#[derive(Clone, Debug, Default)]
struct Known {
    record: u8,
    named: bool,
    deadline: Option<u64>,
    dialog: Option<(String, String)>,
    /// The notifier whose NOTIFY came first; 0 for none.
    from: u8,
    /// The number of the fork, and its subscription: `None` if that has gone.
    fork: Option<(u8, Handle)>,
}

struct Model {
    table: Table,
    alloc: Accounted,
    known: HashMap<Handle, Known>,
    gone: Vec<Handle>,
    limit: usize,
    now: u64,
}

impl Model {
    fn pick(&self, which: usize) -> Option<Handle> {
        let mut handles: Vec<_> = self.known.keys().copied().collect();
        handles.sort();
        handles.get(which.checked_rem(handles.len())?).copied()
    }

    /// One that is no fork.
    fn pick_root(&self, which: usize) -> Option<Handle> {
        self.pick(which).filter(|handle| self.known[handle].fork.is_none())
    }

    fn forks(&self, root: Handle) -> Vec<Handle> {
        let is_fork = |known: &Known| known.fork.is_some_and(|(_, of)| of == root);
        self.known.iter().filter(|(_, known)| is_fork(known)).map(|(handle, _)| *handle).collect()
    }

    fn notify(&mut self, ids: (String, String), from: u8) {
        let tag = if from == 0 { String::new() } else { from.to_string() };
        let notify = notify_from(tag.as_bytes(), 3);
        let stepped = self.table.step_notify(
            arrived(ids.0.as_bytes(), ids.1.as_bytes(), notify),
            |notify| notify,
            &ENV,
            |_, output, _| output.news.map(|news| news.fork),
        );
        let here = |known: &Known| known.dialog.as_ref() == Some(&ids);
        let find = |suits: &dyn Fn(&Known) -> bool| {
            self.known
                .iter()
                .find(|(_, known)| here(known) && suits(known))
                .map(|(handle, known)| (*handle, known.fork))
        };
        let own = find(&|known| known.from == from);
        let root = find(&|known| known.fork.is_none());
        let Some((handle, fork)) = own.or(root) else { return assert!(stepped.unwrap().is_none()) };
        let known = self.known[&handle].clone();
        if from == 0 || known.from == from || known.from == 0 {
            let stepped = stepped.unwrap().unwrap();
            assert_eq!((stepped.handle, stepped.delivered), (handle, Some(fork.map_or(0, |(number, _)| number))));
            self.known.get_mut(&handle).unwrap().from = from.max(known.from);
            return;
        }
        if self.known.len() == self.limit {
            assert_eq!(stepped.err(), Some(InsertError::Full { limit: 30 }));
            return;
        }
        let taken: Vec<u8> = self.forks(handle).iter().filter_map(|fork| Some(self.known[fork].fork?.0)).collect();
        let number = (1..).find(|number| !taken.contains(number)).unwrap();
        let stepped = stepped.unwrap().unwrap();
        assert_eq!((stepped.output.answer.is_some(), stepped.delivered), (true, Some(number)));
        let fork = Known {
            record: known.record,
            dialog: known.dialog,
            from,
            fork: Some((number, handle)),
            ..Known::default()
        };
        assert!(self.known.insert(stepped.handle, fork).is_none());
    }

    fn insert(&mut self, record: u8, named: bool) {
        let same = |known: &Known| named && known.named && known.record == record;
        let existing = self.known.iter().find(|(_, known)| same(known)).map(|(handle, _)| *handle);
        let told = Told::new(&format!("sip:{record}@example.com"), &self.alloc);
        match (self.table.insert(told, 0, named, &ENV), existing) {
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
            Operation::Arm { which, after } => {
                let handle = self.pick_root(which)?;
                let at = self.now + after;
                step(&self.table, handle, arm(Millis(at))).unwrap().unwrap();
                self.known.get_mut(&handle)?.deadline = Some(at);
            }
            Operation::Cancel { which } => {
                let handle = self.pick_root(which)?;
                step(&self.table, handle, cancel()).unwrap().unwrap();
                self.known.get_mut(&handle)?.deadline = None;
            }
            Operation::Dialog { which, call_id } => {
                let handle = self.pick_root(which)?;
                // 0 ends the dialog; tags keep equal Call-IDs apart as far as the model needs it.
                let ids = (call_id > 0).then(|| (format!("id-{call_id}"), format!("tag-{}", which % 4)));
                let taken =
                    self.known.iter().any(|(other, known)| *other != handle && ids.is_some() && known.dialog == ids);
                if !taken {
                    let (call_id, tag) = ids.clone().unwrap_or_default();
                    step(&self.table, handle, dialog(call_id.as_bytes(), tag.as_bytes())).unwrap().unwrap();
                    let known = self.known.get_mut(&handle)?;
                    (known.dialog, known.from) = (ids, 0);
                }
            }
            Operation::Notify { call_id, tag, from } => {
                self.notify((format!("id-{call_id}"), format!("tag-{tag}")), from);
            }
            Operation::Due { after } => {
                self.now += after;
                let now = self.now;
                let is_due = |known: &Known| known.deadline.is_some_and(|at| at <= now);
                let mut expected = self.known.values().filter(|known| is_due(known)).count();
                while let Some(handle) = due(&self.table, Millis(now)) {
                    let known = self.known.get_mut(&handle).unwrap();
                    assert!(is_due(known));
                    (known.deadline, known.dialog) = (None, Some((String::new(), handle.id().to_string())));
                    known.from = 0;
                    expected -= 1;
                }
                assert_eq!(expected, 0);
                assert!(self.table.next_due().is_none_or(|at| at.0 > now));
            }
            Operation::Forget { which } => {
                let handle = self.pick(which)?;
                assert!(step(&self.table, handle, Input::Unsubscribe).unwrap().unwrap().output.forget);
                for handle in self.forks(handle).into_iter().chain([handle]) {
                    self.known.remove(&handle);
                    self.gone.push(handle);
                }
            }
        }
        Some(())
    }

    fn check(&self) {
        assert_eq!(self.table.len(), self.known.len());
        assert_eq!(self.table.destroyed(), self.gone.len() as u64);
        assert_eq!(self.table.created(), (self.gone.len() + self.known.len()) as u64);
        assert_eq!(self.table.tally(), recount(&self.table));
        let earliest = self.known.values().filter_map(|known| known.deadline).min().map(Millis);
        assert_eq!(self.table.next_due().is_none(), earliest.is_none());
        assert!(self.table.next_due() <= earliest);
        for record in 0..20 {
            let named = self.known.iter().find(|(_, known)| known.named && known.record == record);
            let found = self.table.find(&subject(&format!("sip:{record}@example.com")));
            assert_eq!(found, named.map(|(handle, _)| *handle));
        }
        for (handle, known) in &self.known {
            assert_eq!(self.table.by_id(handle.id()), Some(*handle));
            assert_eq!(self.table.root_of(*handle), known.fork.map(|(_, root)| root));
            let (mut forks, mut expected) = (self.table.forks_of(*handle), self.forks(*handle));
            forks.sort();
            expected.sort();
            if known.fork.is_none() {
                assert_eq!(forks, expected);
            }
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
        let mut model = Model { table, alloc: alloc.clone(), known: HashMap::new(), gone: Vec::new(), limit, now: 0 };
        for operation in operations {
            model.run(operation);
            model.check();
        }
        drop(model);
        prop_assert_eq!(alloc.out(), 0);
    }
}
