//! A database that is told what has changed knows it all at the end, whatever happens in between.

use std::collections::HashMap;

use proptest::prelude::*;

use super::life::{Told, arm, arrived, cancel, dialog, notify_from};
use super::marks::stored;
use super::{ENV, Handle, Table, due, recount, step};
use crate::registry::{Life, StoreMark};
use crate::subscription::Input;
use crate::testing::Accounted;
use crate::time::Millis;

#[derive(Clone, Debug)]
enum Action {
    Insert { record: u8 },
    Arm { which: usize, at: Option<u64> },
    Dialog { which: usize, call_id: u8 },
    Notify { call_id: u8, from: u8 },
    Due { after: u64 },
    Forget { which: usize },
    Take { most: usize, least: StoreMark, fails: bool },
}

fn mark() -> impl Strategy<Value = StoreMark> {
    prop_oneof![Just(StoreMark::Counted), Just(StoreMark::Numbers), Just(StoreMark::Whole)]
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        4 => any::<u8>().prop_map(|record| Action::Insert { record }),
        2 => (any::<usize>(), prop::option::of(0u64..100)).prop_map(|(which, at)| Action::Arm { which, at }),
        2 => (any::<usize>(), 0u8..9).prop_map(|(which, call_id)| Action::Dialog { which, call_id }),
        4 => (1u8..9, 0u8..3).prop_map(|(call_id, from)| Action::Notify { call_id, from }),
        1 => (0u64..50).prop_map(|after| Action::Due { after }),
        2 => any::<usize>().prop_map(|which| Action::Forget { which }),
        3 => (0usize..6, mark(), prop::bool::weighted(0.3)).prop_map(|(most, least, fails)| Action::Take { most, least, fails }),
    ]
}

/// A row: its texts, its numbers, and what NOTIFYs count.
#[derive(Clone, Debug, PartialEq, Eq)]
struct StoredRow {
    texts: (Vec<u8>, [Vec<u8>; 3], bool, Option<Handle>),
    deadline: Option<Millis>,
    notifies: u32,
}

struct MarkedTable {
    table: Table,
    alloc: Accounted,
    /// By slot: the handle, and what was written under it.
    rows: HashMap<u32, (Handle, StoredRow)>,
    turn: usize,
    now: u64,
}

impl MarkedTable {
    fn pick(&self, which: usize) -> Option<Handle> {
        let mut handles = Vec::new();
        self.table.page(0, usize::MAX, |handle, _, _| handles.push(handle));
        handles.get(which.checked_rem(handles.len())?).copied()
    }

    /// Takes marks and writes what they ask for, no more; or fails and marks again.
    fn take(&mut self, most: usize, least: StoreMark, fails: bool) -> usize {
        let mut again = Vec::new();
        let rows = &mut self.rows;
        let taken = self.table.take_marks(&mut self.turn, most, least, |index, mark, marked| {
            assert!(mark >= least);
            if fails {
                again.push((index, mark));
                return;
            }
            let Some(marked) = marked else {
                assert_eq!(mark, StoreMark::Whole);
                rows.remove(&index);
                return;
            };
            let now = StoredRow {
                texts: (
                    marked.life.record().to_vec(),
                    marked.life.dialog_ids().map(<[u8]>::to_vec),
                    marked.named,
                    marked.root,
                ),
                deadline: marked.life.deadline,
                notifies: marked.life.notifies,
            };
            if mark == StoreMark::Whole {
                rows.insert(index, (marked.handle, now));
                return;
            }
            let (handle, row) = rows.get_mut(&index).expect("numbers of a row that is there");
            assert_eq!(*handle, marked.handle);
            *row = StoredRow { texts: row.texts.clone(), ..now };
        });
        assert!(taken <= most);
        again.into_iter().for_each(|(index, mark)| self.table.mark(index, mark));
        taken
    }

    fn run(&mut self, action: Action) -> Option<()> {
        match action {
            Action::Insert { record } => {
                let told = Told::new(&format!("sip:{}@example.com", record % 40), &self.alloc);
                let _ = self.table.insert(told, 0, record % 4 > 0, &ENV);
            }
            Action::Arm { which, at } => {
                let handle = self.pick(which)?;
                let input = at.map_or_else(cancel, |at| arm(Millis(self.now + at)));
                step(&self.table, handle, input).unwrap().unwrap();
            }
            Action::Dialog { which, call_id } => {
                let handle = self.pick(which).filter(|handle| self.table.root_of(*handle).is_none())?;
                let id = if call_id == 0 { String::new() } else { format!("id-{call_id}") };
                step(&self.table, handle, dialog(id.as_bytes(), b"t")).unwrap().unwrap();
            }
            Action::Notify { call_id, from } => {
                let tag = if from == 0 { String::new() } else { from.to_string() };
                let id = format!("id-{call_id}");
                let arrived = arrived(id.as_bytes(), b"t", notify_from(tag.as_bytes(), 3));
                let _ = self.table.step_notify(arrived, |notify| notify, &ENV, |_, _, _| ());
            }
            Action::Due { after } => {
                self.now += after;
                while due(&self.table, Millis(self.now)).is_some() {}
            }
            Action::Forget { which } => {
                let handle = self.pick(which)?;
                step(&self.table, handle, Input::Unsubscribe).unwrap().unwrap();
            }
            Action::Take { most, least, fails } => {
                self.take(most, least, fails);
            }
        }
        Some(())
    }

    /// What is there now, by slot, without what only counts.
    fn truth(&self) -> HashMap<u32, (Handle, Vec<u8>, Option<Millis>, u32)> {
        let mut all = HashMap::new();
        self.table.page(0, usize::MAX, |handle, life, _| {
            all.insert(handle.index(), (handle, life.record().to_vec(), life.deadline, life.notifies));
        });
        all
    }

    /// All marks are taken: every row is as its subscription is.
    fn check(&mut self) {
        while self.take(7, StoreMark::Numbers, false) > 0 {}
        assert!(!self.table.has_marks() && self.table.marked() == 0);
        let mut truth = self.truth();
        assert_eq!(self.rows.len(), truth.len());
        for (index, (handle, row)) in &self.rows {
            let (now, record, deadline, _) = &truth[index];
            assert_eq!((handle, &row.texts.0, row.deadline), (now, record, *deadline));
            let ids = self.table.view(*handle, |life, _| life.dialog_ids().map(<[u8]>::to_vec));
            assert_eq!((ids.as_ref(), self.table.root_of(*handle)), (Some(&row.texts.1), row.texts.3));
        }
        while self.take(7, StoreMark::Counted, false) > 0 {}
        for (index, (_, row)) in &self.rows {
            assert_eq!(truth.remove(index).map(|(_, _, _, notifies)| notifies), Some(row.notifies));
        }
        // Nothing is left: the same once more shows nothing.
        assert_eq!(self.take(usize::MAX, StoreMark::Counted, false), 0);
    }
}

proptest! {
    #[test]
    fn no_change_is_lost(actions in prop::collection::vec(action(), 1..150), bits in 0u32..4) {
        let (table, alloc) = stored(1 << bits, 90);
        let mut model = MarkedTable { table, alloc: alloc.clone(), rows: HashMap::new(), turn: 0, now: 0 };
        for action in actions {
            model.run(action);
            assert_eq!(model.table.tally(), recount(&model.table));
        }
        model.check();
        drop(model);
        prop_assert_eq!(alloc.out(), 0);
    }
}
