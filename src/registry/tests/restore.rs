//! Subscriptions of an earlier run.

use super::life::{Told, arm, arrived, dialog, notify_from, subject};
use super::marks::{stored, taken};
use super::{ENV, Handle, Table, due, insert, insert_due, is_new, recount, step};
use crate::memory::{HashKey, OutOfMemory};
use crate::registry::forks::MOST_FORKS;
use crate::registry::{InsertError, Life, Limits, Restored, StoreMark};
use crate::subscription::Input;
use crate::testing::Accounted;
use crate::time::Millis;

/// What a database has of a subscription.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub(super) handle: Handle,
    pub(super) record: String,
    pub(super) named: bool,
    pub(super) root: Option<Handle>,
    pub(super) number: u8,
    pub(super) ids: [Vec<u8>; 3],
    pub(super) deadline: Option<Millis>,
    pub(super) owner: u64,
}

impl Kept {
    fn life(&self, alloc: &Accounted) -> Result<Told, OutOfMemory> {
        let mut told = Told::try_new(&self.record, alloc)?;
        told.become_fork(self.number);
        told.set_dialog(&self.ids[0], &self.ids[1])?;
        told.set_remote_tag(&self.ids[2])?;
        told.deadline = self.deadline;
        Ok(told)
    }

    pub(super) fn restore(&self, table: &Table, alloc: &Accounted) -> Result<Restored, InsertError> {
        table.restore(self.handle, self.life(alloc)?, self.owner, self.named, self.root)
    }
}

/// An empty registry with this number of shards and this key.
fn next_run(shards: usize, key: HashKey) -> (Table, Accounted) {
    let alloc = Accounted::new();
    let limits = Limits { shards, max_subscriptions: 0 };
    (Table::try_new_in(limits, key, alloc.clone()).unwrap().with_store(), alloc)
}

/// Everything there is.
pub(super) fn kept(table: &Table) -> Vec<Kept> {
    let mut handles = Vec::new();
    table.page(0, usize::MAX, |handle, _, _| handles.push(handle));
    assert_eq!(table.tally(), recount(table));
    handles.iter().for_each(|handle| table.mark(handle.index(), StoreMark::Whole));
    let mut all = Vec::new();
    table.take_marks(&mut 0, usize::MAX, StoreMark::Counted, |_, _, marked| {
        all.extend(marked.map(|marked| Kept {
            handle: marked.handle,
            record: String::from_utf8(marked.life.record().to_vec()).unwrap(),
            named: marked.named,
            root: marked.root,
            number: marked.life.fork(),
            ids: marked.life.dialog_ids().map(<[u8]>::to_vec),
            deadline: marked.life.deadline,
            owner: *marked.owner,
        }));
    });
    all.sort_by_key(|kept| kept.handle.to_u64());
    all
}

/// `count` subscriptions, a third of them with two forks, some without a name, and gaps in between.
fn filled(shards: usize, count: usize) -> (Table, Accounted) {
    let (table, alloc) = stored(shards, 0);
    for n in 0..count {
        let gone = insert(&table, &alloc, &format!("sip:gone{n}@example.com"), true).handle();
        let mut told = Told::new(&format!("sip:{n}@example.com"), &alloc);
        told.deadline = Some(Millis(n as u64));
        let handle = table.insert(told, n as u64, n % 5 > 0, &ENV).unwrap().handle();
        if n % 2 == 0 {
            step(&table, gone, Input::Unsubscribe).unwrap().unwrap();
        }
        let random = std::array::from_fn(|at| (n >> (at % 4 * 5)) as u8);
        let ids = table.fresh_ids(handle.index() as usize % shards, random);
        if n % 3 == 0 {
            let id = format!("foreign{n}");
            step(&table, handle, dialog(id.as_bytes(), b"t")).unwrap().unwrap();
            for tag in [&b"a"[..], b"b", b"c"] {
                let arrived = arrived(id.as_bytes(), b"t", notify_from(tag, 1));
                table.step_notify(arrived, |notify| notify, &ENV, |_, _, _| ()).unwrap().unwrap();
            }
        } else if n % 3 == 1 {
            step(&table, handle, dialog(&ids.call_id, &ids.local_tag)).unwrap().unwrap();
        }
        step(&table, handle, arm(Millis(n as u64))).unwrap().unwrap();
    }
    (table, alloc)
}

/// What is found by name, dialog, number and circle is what was kept; `moved` gives the present handle.
fn assert_all(table: &Table, all: &[Kept], moved: &dyn Fn(Handle) -> Handle) {
    assert_eq!((table.len(), table.created()), (all.len(), all.len() as u64));
    let mut ids = std::collections::HashSet::new();
    for kept in all {
        let handle = moved(kept.handle);
        assert_eq!(table.by_id(handle.id()), Some(handle));
        assert!(ids.insert(handle.id()));
        assert_eq!(table.view(handle, |life, owner| (life.deadline, *owner)), Some((kept.deadline, kept.owner)));
        assert_eq!(table.root_of(handle), kept.root.map(moved));
        let [call_id, local_tag, remote_tag] = &kept.ids;
        if !call_id.is_empty() {
            assert_eq!(table.find_dialog(call_id, local_tag, remote_tag), Some(handle));
        }
        if kept.named {
            assert_eq!(table.find(&subject(&kept.record)), Some(handle));
        }
    }
    assert_eq!(all.iter().filter(|kept| kept.named).count(), {
        let names: usize = table.shards.iter().map(|shard| shard.lock().indexed().0).sum();
        names
    });
}

/// Ends all, and all memory comes back.
fn end(table: Table, alloc: &Accounted) {
    let mut handles = Vec::new();
    table.page(0, usize::MAX, |handle, _, _| handles.push(handle));
    for handle in handles {
        let _ = step(&table, handle, Input::Unsubscribe).unwrap();
    }
    assert!(table.is_empty() && table.shards.iter().all(|shard| shard.lock().indexed() == (0, 0)));
    drop(table);
    assert_eq!(alloc.out(), 0);
}

/// Orders in which rows may come.
fn orders(all: &[Kept]) -> Vec<Vec<Kept>> {
    let backwards: Vec<_> = all.iter().rev().cloned().collect();
    let mut mixed = all.to_vec();
    mixed.sort_by_key(|kept| kept.handle.index().wrapping_mul(2_654_435_761));
    vec![all.to_vec(), backwards, mixed]
}

/// Restores all; forks whose subscription comes later join it then. Gives where each one is.
fn restore_all(table: &Table, alloc: &Accounted, all: &[Kept]) -> Vec<(Handle, Restored)> {
    let mut moved = std::collections::HashMap::new();
    let mut restored = Vec::new();
    for kept in all {
        let kept = Kept { root: kept.root.map(|root| *moved.get(&root).unwrap_or(&root)), ..kept.clone() };
        let now = kept.restore(table, alloc).unwrap();
        moved.insert(kept.handle, now.handle());
        restored.push((kept.handle, now));
    }
    for kept in all {
        if let Some(root) = kept.root.filter(|_| table.root_of(moved[&kept.handle]).is_none()) {
            assert!(table.join(moved[&kept.handle], moved[&root]));
        }
    }
    assert_eq!(table.tally(), recount(table));
    restored
}

#[test]
fn all_have_their_handles_again() {
    for shards in [1, 4, 64] {
        let (before, _alloc) = filled(shards, 300);
        let all = kept(&before);
        for order in orders(&all) {
            let (table, alloc) = next_run(before.shards(), before.key());
            let restored = restore_all(&table, &alloc, &order);
            assert!(restored.iter().all(|(before, now)| *now == Restored::Same(*before)));
            assert_all(&table, &all, &|handle| handle);
            let due: Vec<_> = std::iter::from_fn(|| due(&table, Millis(1000))).collect();
            assert_eq!(due.len(), all.iter().filter(|kept| kept.deadline.is_some()).count());
            end(table, &alloc);
        }
    }
}

/// Only forks that had to wait for their subscription are marked: nothing else has changed.
#[test]
fn what_is_as_it_was_is_not_marked() {
    let (before, _alloc) = filled(4, 60);
    let all = kept(&before);
    let (table, alloc) = stored(4, 0);
    restore_all(&table, &alloc, &all);
    assert_eq!(taken(&table, StoreMark::Counted), []);
    let first = all[0].handle;
    step(&table, first, arm(Millis(7))).unwrap().unwrap();
    assert_eq!(taken(&table, StoreMark::Counted), [(first.index(), StoreMark::Numbers, Some(first))]);
}

/// Fewer shards or more, or another key: whatever has another handle has all else.
#[test]
fn with_other_shards_all_are_found() {
    let (before, _alloc) = filled(16, 300);
    let all = kept(&before);
    for shards in [1, 4, 16, 64] {
        for key in [42, 43] {
            for order in orders(&all) {
                let (table, alloc) = next_run(shards, key.into());
                let restored: std::collections::HashMap<_, _> =
                    restore_all(&table, &alloc, &order).into_iter().collect();
                assert_all(&table, &all, &|handle| restored[&handle].handle());
                let moved = restored.values().filter(|now| matches!(now, Restored::Moved(_))).count();
                if key == 42 && shards == 16 {
                    assert_eq!(moved, 0);
                }
                assert!(moved > 100 || key == 42 && shards <= 16 || shards == 1, "{moved}");
                let marked: std::collections::HashSet<_> =
                    taken(&table, StoreMark::Numbers).iter().map(|(index, ..)| *index).collect();
                let is_moved = |now: &&Restored| matches!(now, Restored::Moved(_));
                assert!(restored.values().filter(is_moved).all(|now| marked.contains(&now.handle().index())));
                end(table, &alloc);
            }
        }
    }
}

/// New ones come into free slots, with numbers that none has, and behind those of the earlier run.
#[test]
fn new_ones_have_new_numbers() {
    let (before, _alloc) = filled(4, 300);
    let all = kept(&before);
    for order in orders(&all) {
        let (table, alloc) = stored(4, 0);
        restore_all(&table, &alloc, &order);
        let largest = |shard| {
            let here = all.iter().filter(|kept| kept.handle.index() % 4 == shard);
            here.map(|kept| kept.handle.generation()).max().unwrap()
        };
        let mut ids: std::collections::HashSet<_> = all.iter().map(|kept| kept.handle.id()).collect();
        let mut indexes: std::collections::HashSet<_> = all.iter().map(|kept| kept.handle.index()).collect();
        for n in 0..1000 {
            let inserted = insert(&table, &alloc, &format!("sip:new{n}@example.com"), true);
            assert!(is_new(inserted));
            let handle = inserted.handle();
            assert!(ids.insert(handle.id()) && indexes.insert(handle.index()));
            assert!(handle.generation() > largest(handle.index() % 4));
        }
        // The free slots are used before more are made.
        let slots: usize = table.shards.iter().map(|shard| shard.lock().slots()).sum();
        assert!(slots < table.len() + 4 * 64, "{slots} for {}", table.len());
        end(table, &alloc);
    }
}

#[test]
fn what_comes_later_keeps_its_slot_if_others_are_free() {
    let (before, _alloc) = filled(1, 30);
    let all = kept(&before);
    let (table, alloc) = stored(1, 0);
    all.iter().for_each(|kept| table.pass_over(kept.handle));
    for n in 0..20 {
        let new = insert(&table, &alloc, &format!("sip:new{n}@example.com"), true).handle();
        assert!(new.generation() > all.last().unwrap().handle.generation());
    }
    let restored = restore_all(&table, &alloc, &all);
    assert!(restored.iter().all(|(before, now)| *now == Restored::Same(*before)));
}

#[test]
fn a_slot_that_is_taken_moves_the_subscription() {
    let (before, _alloc) = filled(1, 30);
    let all = kept(&before);
    let (table, alloc) = stored(1, 0);
    let new: Vec<_> =
        (0..40).map(|n| insert(&table, &alloc, &format!("sip:new{n}@example.com"), true).handle()).collect();
    let restored = restore_all(&table, &alloc, &all);
    let moved = restored.iter().filter(|(_, now)| matches!(now, Restored::Moved(_))).count();
    assert!(moved >= 10, "{moved}");
    let ids: std::collections::HashSet<_> =
        restored.iter().map(|(_, now)| now.handle()).chain(new).map(Handle::id).collect();
    assert_eq!(ids.len(), all.len() + 40);
    // The same row once more, without a name.
    let twin = Kept { named: false, root: None, number: 0, ids: Default::default(), ..all[3].clone() };
    let Restored::Moved(moved) = twin.restore(&table, &alloc).unwrap() else { panic!("the slot is taken") };
    assert!(moved != twin.handle && table.by_id(moved.id()) == Some(moved));
}

#[test]
fn a_name_is_there_once() {
    let (before, _alloc) = filled(4, 30);
    let all = kept(&before);
    let (table, alloc) = stored(4, 0);
    let named = all.iter().find(|kept| kept.named).unwrap();
    let other = insert_due(&table, &alloc, &named.record, Millis(1)).handle();
    assert_eq!(named.restore(&table, &alloc), Ok(Restored::Existing(other)));
    assert_eq!(table.len(), 1);
    end(table, &alloc);
}

/// Whatever the handle says, as a row may have been edited.
#[test]
fn impossible_handles_move() {
    let (table, alloc) = stored(4, 0);
    let kept = kept(&{
        let (table, alloc) = stored(4, 0);
        insert(&table, &alloc, "sip:a@example.com", true);
        table
    });
    let of = |index: u32, generation: u32| Handle::from_u64(u64::from(generation) << 32 | u64::from(index));
    let index = kept[0].handle.index();
    let far = (1 << 22) - 1 - 4 + index % 4;
    for handle in [of(index, 1 << 22), of(far, 1), of(index ^ 1, 1)] {
        let row = Kept { handle: handle.unwrap(), ..kept[0].clone() };
        alloc.allow(200);
        let restored = row.restore(&table, &alloc).unwrap();
        alloc.allow_all();
        assert!(matches!(restored, Restored::Moved(_)), "{handle:?}");
        assert_eq!(table.find(&subject(&row.record)), Some(restored.handle()));
        step(&table, restored.handle(), Input::Unsubscribe).unwrap().unwrap();
    }
}

#[test]
fn circles_are_no_larger_than_they_may_be() {
    let (table, alloc) = stored(1, 0);
    let root = insert(&table, &alloc, "sip:a@example.com", true).handle();
    let fork = |number: u8, at: u32| Kept {
        handle: Handle::from_u64(u64::from(1000 + at) << 32 | u64::from(at)).unwrap(),
        record: "sip:a@example.com".into(),
        named: false,
        root: Some(root),
        number,
        ids: Default::default(),
        deadline: None,
        owner: 0,
    };
    let restored = |number, at| fork(number, at).restore(&table, &alloc).unwrap().handle();
    for number in 1..=MOST_FORKS {
        assert_eq!(table.root_of(restored(number, 100 + u32::from(number))), Some(root));
    }
    assert_eq!(table.forks_of(root).len(), usize::from(MOST_FORKS));
    // One too many, one with a number that is taken, and one that is no fork.
    for (number, at) in [(MOST_FORKS + 1, 200), (1, 201), (0, 202)] {
        let alone = restored(number, at);
        assert_eq!((table.root_of(alone), table.join(alone, root), table.join(alone, alone)), (None, false, false));
    }
    assert_eq!(table.forks_of(root).len(), usize::from(MOST_FORKS));
    end(table, &alloc);
}

#[test]
fn no_more_than_the_limit_are_restored() {
    let (before, _alloc) = filled(1, 30);
    let all = kept(&before);
    let (table, alloc) = stored(1, 10);
    let restored = all.iter().filter(|kept| kept.restore(&table, &alloc).is_ok()).count();
    assert_eq!((restored, table.len()), (10, 10));
    assert_eq!(all[11].restore(&table, &alloc), Err(InsertError::Full { limit: 10 }));
    end(table, &alloc);
}

/// Each allocation fails once in turn: nothing is there by halves, and at the end all are.
#[test]
fn without_memory_nothing_is_restored() {
    let (before, _alloc) = filled(2, 150);
    let all = kept(&before);
    let (table, alloc) = stored(2, 0);
    let (mut failures, mut moved) = (0, std::collections::HashMap::new());
    for (n, kept) in all.iter().enumerate() {
        let kept = Kept { root: kept.root.map(|root| moved[&root]), ..kept.clone() };
        for allowed in 0.. {
            alloc.allow(allowed);
            let restored = kept.restore(&table, &alloc);
            alloc.allow_all();
            match restored {
                Ok(restored) => {
                    moved.insert(kept.handle, restored.handle());
                    break;
                }
                Err(error) => {
                    assert_eq!(error, InsertError::OutOfMemory(OutOfMemory));
                    assert_eq!((table.len(), table.created()), (n, n as u64));
                    failures += 1;
                }
            }
        }
    }
    assert!(failures > 500, "{failures}");
    assert_all(&table, &all, &|handle| moved[&handle]);
    end(table, &alloc);
}
