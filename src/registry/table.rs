//! The data behind a shard's lock: the records and their three indexes, always in step with each other.

use allocator_api2::alloc::Allocator;

use super::flows::{Flows, Link};
use super::handle::Handle;
use super::history::Histories;
use super::index::Index;
use super::layout::Layout;
use super::life::Life;
use super::marks::{StoreMark, StoreMarks, least_mark};
use super::prints::{IndexedIn, RecordPrint};
use super::records::Records;
use super::tally::KeptTally;
use crate::memory::OutOfMemory;
use crate::subscription::{Env, Fingerprint, Flow, Input, Output, Reply, Subject};
use crate::time::{Deadlines, Due, Millis};

/// A subscription and what belongs to it.
pub(super) struct Record<S, O> {
    pub(super) life: S,
    pub(super) owner: O,
    pub(super) indexed: IndexedIn,
    pub(super) print: RecordPrint,
    /// Its place in the list of its connection.
    pub(super) flow: Option<Link>,
}

impl<S, O> Record<S, O> {
    /// In no index yet.
    pub(super) fn new(life: S, owner: O, named: bool) -> Self {
        let (indexed, print) = (IndexedIn::names_only(named), RecordPrint::default());
        Self { life, owner, indexed, print, flow: None }
    }
}

/// The dialog that a NOTIFY claims to be of.
#[derive(Clone, Copy)]
pub(super) struct Sought<'a> {
    pub(super) call_id: &'a [u8],
    pub(super) local_tag: &'a [u8],
    pub(super) remote_tag: &'a [u8],
}

/// The place of a record in the index of dialogs, for dialogs whose Call-ID does not lead to their slot: forks, and those
/// of other origin.
#[derive(Clone, Copy, PartialEq, Eq)]
struct DialogPlace {
    hash: u32,
    /// The Call-ID does not lead to this shard.
    foreign: bool,
}

pub(super) struct ShardTable<S, O, A: Allocator + Clone> {
    layout: Layout,
    shard: usize,
    pub(super) records: Records<Record<S, O>, A>,
    names: Index<A>,
    dialogs: Index<A>,
    flows: Flows<A>,
    deadlines: Deadlines<A>,
    /// What the database is to be told.
    pub(super) marks: StoreMarks<A>,
    pub(super) histories: Histories<A>,
    foreign: u32,
    pub(super) tally: KeptTally,
    /// Something has changed that [`RegistryShard::publish`](super::shard::RegistryShard::publish) shows.
    changed: bool,
}

impl<S, O, A: Allocator + Clone> ShardTable<S, O, A> {
    pub(super) fn new_in(layout: Layout, shard: usize, alloc: A) -> Self {
        Self {
            layout,
            shard,
            records: Records::new_in(layout.most_slots(), alloc.clone()),
            names: Index::new_in(alloc.clone()),
            dialogs: Index::new_in(alloc.clone()),
            flows: Flows::new_in(alloc.clone()),
            deadlines: Deadlines::new_in(alloc.clone()),
            marks: StoreMarks::new_in(alloc.clone()),
            histories: Histories::new_in(alloc),
            foreign: 0,
            tally: KeptTally::NONE,
            changed: false,
        }
    }

    /// Nothing is due before; `None` without deadlines.
    pub(super) fn earliest(&self) -> Option<Millis> {
        self.deadlines.earliest()
    }

    /// How many records there are.
    pub(super) fn live(&self) -> u32 {
        self.records.live()
    }

    /// How many of them have a dialog whose Call-ID does not lead to this shard.
    pub(super) fn foreign(&self) -> u32 {
        self.foreign
    }

    /// Whether one depends on a connection.
    pub(super) fn has_flows(&self) -> bool {
        !self.flows.is_empty()
    }

    /// One that depends on this connection.
    pub(super) fn find_flow(&self, flow: Flow) -> Option<u32> {
        self.flows.find(flow)
    }

    /// How many slots there are, live and free.
    pub(super) fn slots(&self) -> usize {
        self.records.len()
    }

    /// Whether there is something to publish, which the caller does now.
    pub(super) fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// The record in a slot, with its handle.
    pub(super) fn get(&self, slot: u32) -> Option<(Handle, &Record<S, O>)> {
        let (generation, record) = self.records.get(slot)?;
        Some((self.layout.handle(self.shard, slot, generation), record))
    }

    /// The record in a slot, with its handle.
    pub(super) fn get_mut(&mut self, slot: u32) -> Option<(Handle, &mut Record<S, O>)> {
        let (generation, record) = self.records.get_mut(slot)?;
        Some((self.layout.handle(self.shard, slot, generation), record))
    }

    /// The slot of a handle of this shard, unless it is stale.
    pub(super) fn slot_of(&self, handle: Handle) -> Option<u32> {
        let (_, slot) = self.layout.locate(handle.index());
        self.records.is(slot, handle.generation()).then_some(slot)
    }

    /// The deadline that the index has for a slot.
    pub(super) fn indexed_deadline(&self, slot: u32) -> Option<Millis> {
        self.deadlines.of(slot)
    }

    /// A slot with a due deadline.
    pub(super) fn due(&mut self, now: Millis) -> Due {
        self.deadlines.due(now)
    }
}

/// Puts a deadline off, unless its step has come to an end.
struct PutOff<'t, S, O, A: Allocator + Clone> {
    table: &'t mut ShardTable<S, O, A>,
    /// The slot, and until when.
    due: Option<(u32, Millis)>,
}

impl<S, O, A: Allocator + Clone> Drop for PutOff<'_, S, O, A> {
    fn drop(&mut self) {
        if let Some((slot, retry)) = self.due {
            self.table.changed = true;
            self.table.deadlines.set(slot, Some(retry));
        }
    }
}

impl<S: Life, O, A: Allocator + Clone> ShardTable<S, O, A> {
    /// The named record with this subject.
    pub(super) fn find_name(&self, hash: u32, subject: &Subject<'_>) -> Option<u32> {
        self.names.find(hash, |slot| self.get(slot).is_some_and(|(_, record)| record.life.subject() == *subject))
    }

    /// Whether the newest NOTIFY of the record in a slot had this fingerprint: no text is looked at.
    pub(super) fn recalls(&self, slot: u32, fingerprint: Fingerprint) -> bool {
        self.get(slot).is_some_and(|(_, record)| record.life.fingerprint().is_of_the_same(fingerprint))
    }

    /// The record with this dialog, or else the subscription whose dialog it may be a fork of. The Call-ID leads to this shard
    /// and slot, if to any.
    pub(super) fn find_dialog(&self, sought: &Sought<'_>, leads_to: Option<(usize, u32)>) -> Option<u32> {
        let Sought { call_id, local_tag, remote_tag } = *sought;
        let own = leads_to.filter(|(shard, _)| *shard == self.shard).map(|(_, slot)| slot);
        let is_of =
            |slot: u32, suits: &dyn Fn(&S) -> bool| self.get(slot).is_some_and(|(_, record)| suits(&record.life));
        let find = |suits: &dyn Fn(&S) -> bool| {
            own.filter(|slot| is_of(*slot, suits)).or_else(|| {
                let hash = self.layout.of_call_id(call_id).hash;
                self.dialogs.find(hash, |slot| is_of(slot, suits))
            })
        };
        find(&|life| life.dialog_ids() == [call_id, local_tag, remote_tag])
            .or_else(|| find(&|life| life.fork() == 0 && life.dialog_ids().starts_with(&[call_id, local_tag])))
    }

    /// Whether the shard has no slot left that could be used.
    pub(super) fn is_full(&self) -> bool {
        self.records.is_full()
    }

    /// Makes room for one more record: unless it is full, [`ShardTable::insert`] succeeds.
    pub(super) fn try_reserve(&mut self) -> Result<(), OutOfMemory> {
        self.records.try_reserve()?;
        self.deadlines.try_reserve(self.records.len())?;
        self.marks.try_reserve(self.records.len())?;
        self.names.try_reserve()?;
        self.dialogs.try_reserve()
    }

    /// Makes room for one more connection.
    pub(super) fn try_reserve_flow(&mut self) -> Result<(), OutOfMemory> {
        self.flows.try_reserve()
    }

    /// Adds a record; only after [`ShardTable::try_reserve`]. When `named`, it is to be found by name.
    pub(super) fn insert(&mut self, life: S, owner: O, named: bool) -> Result<Handle, OutOfMemory> {
        let name = named.then(|| self.hash_of_name(&life));
        let (slot, generation) = self.records.insert(Record::new(life, owner, named))?;
        self.enter(slot, name);
        self.marks.set(slot, StoreMark::Whole);
        Ok(self.layout.handle(self.shard, slot, generation))
    }

    /// Enters a record that is in its slot into the indexes: by its name, if this is the hash of one.
    pub(super) fn enter(&mut self, slot: u32, name: Option<u32>) {
        self.histories.begin(slot);
        if let Some(name) = name {
            self.names.insert(name, slot);
        }
        if let Some((_, record)) = self.records.get_mut(slot) {
            self.tally.enter(record.life.standing(), record.life.subject().package);
            record.print = self.layout.print(record.life.subject().record);
        }
        self.index(slot, None);
    }

    pub(super) fn hash_of_name(&self, life: &S) -> u32 {
        self.layout.of_name(&life.subject()).hash
    }

    /// As [`ShardTable::step`], for a deadline that is due. It is put off until `retry` if the step fails or never returns, so that
    /// it is not the next to be taken again.
    pub(super) fn step_due(
        &mut self,
        slot: u32,
        input: Input<'_>,
        retry: Millis,
        env: &Env<'_>,
    ) -> Result<Option<Output>, OutOfMemory> {
        let mut put_off = PutOff { table: self, due: Some((slot, retry)) };
        let output = put_off.table.step(slot, input, env)?;
        put_off.due = put_off.due.filter(|_| output.is_none());
        Ok(output)
    }

    /// Hands a record an input and brings the indexes into step with what came of it.
    pub(super) fn step(&mut self, slot: u32, input: Input<'_>, env: &Env<'_>) -> Result<Option<Output>, OutOfMemory> {
        // Without a store, the marks take one comparison here.
        if self.marks.are_kept() {
            self.advance::<true>(slot, input, env)
        } else {
            self.advance::<false>(slot, input, env)
        }
    }

    /// A step, `MARKED` or not.
    fn advance<const MARKED: bool>(
        &mut self,
        slot: u32,
        input: Input<'_>,
        env: &Env<'_>,
    ) -> Result<Option<Output>, OutOfMemory> {
        let ends = matches!(input, Input::Unsubscribe);
        // The end opens no dialog: it is never kept off by want of memory.
        if !ends {
            self.dialogs.try_reserve()?;
        }
        if matches!(&input, Input::Reply(Reply { flow: Some(_), .. }) | Input::Over { .. }) {
            self.flows.try_reserve()?;
        }
        let leaves_dialog = matches!(input, Input::Notify(..) | Input::Sent { .. });
        let least = if MARKED { least_mark(&input) } else { None };
        let Some((_, record)) = self.records.get_mut(slot) else { return Ok(None) };
        // Few have one, and the dialogs of the others are not looked at.
        let dialog =
            if record.indexed.has_dialog() { dialog_of(self.layout, self.shard, slot, &record.life) } else { None };
        let deadline = record.life.deadline();
        let row = if MARKED { record.life.row_mark() } else { 0 };
        let before = record.life.standing();
        let event = if self.histories.are_kept() { record.life.event_of(&input) } else { None };
        let output = record.life.handle(input, env)?;
        let standing = record.life.standing();
        if standing != before {
            self.tally.change(before, standing, record.life.subject().package);
            self.changed = true;
        }
        if let Some(event) = event.and_then(|event| record.life.event(event, &output, env.now)) {
            self.histories.push(slot, event);
        }
        if MARKED {
            let mark = match least {
                _ if ends || record.life.row_mark() != row => Some(StoreMark::Whole),
                Some(_) if record.life.deadline() != deadline => Some(StoreMark::Numbers),
                least => least,
            };
            if let Some(mark) = mark {
                self.changed |= mark > StoreMark::Counted;
                self.marks.set(slot, mark);
            }
        }
        // A NOTIFY leaves its dialog's Call-ID and connection as they are or ends the dialog, and most move no deadline; what
        // is said of a request that leaves moves nothing. Then the indexes, which are far from each other in memory, are
        // not touched.
        if leaves_dialog && record.life.deadline() == deadline && record.life.has_dialog() {
            return Ok(Some(output));
        }
        // A subscription that is ending does not keep its name from a new one.
        if ends && record.indexed.take_name() {
            self.names.remove(self.layout.of_name(&record.life.subject()).hash, slot);
        }
        self.index(slot, dialog);
        self.flows.tidy();
        Ok(Some(output))
    }

    /// Takes a record out of everything.
    pub(super) fn remove(&mut self, slot: u32) -> Option<Record<S, O>> {
        self.part(slot);
        self.changed = true;
        let record = self.records.remove(slot)?;
        self.tally.leave(record.life.standing(), record.life.subject().package);
        let dialog =
            if record.indexed.has_dialog() { dialog_of(self.layout, self.shard, slot, &record.life) } else { None };
        self.marks.set(slot, StoreMark::Whole);
        if record.indexed.has_name() {
            self.names.remove(self.layout.of_name(&record.life.subject()).hash, slot);
        }
        if let Some(dialog) = dialog {
            self.dialogs.remove(dialog.hash, slot);
            self.foreign = self.foreign.saturating_sub(dialog.foreign.into());
        }
        if let Some(link) = record.flow {
            self.flows.unlink(&mut self.records, slot, link);
            self.flows.tidy();
        }
        self.deadlines.set(slot, None);
        Some(record)
    }

    /// Indexes the deadline, the connection and the dialog a record has now; its dialog was in the index `before`. The
    /// memory is reserved.
    fn index(&mut self, slot: u32, before: Option<DialogPlace>) {
        let Some((_, record)) = self.records.get_mut(slot) else { return };
        let now = dialog_of(self.layout, self.shard, slot, &record.life);
        self.changed = true;
        record.indexed.set_dialog(now.is_some());
        self.deadlines.set(slot, record.life.deadline());
        let flow = record.life.flow();
        self.flows.set(&mut self.records, slot, flow);
        if before == now {
            return;
        }
        if let Some(dialog) = before {
            self.dialogs.remove(dialog.hash, slot);
            self.foreign = self.foreign.saturating_sub(dialog.foreign.into());
        }
        if let Some(dialog) = now {
            self.dialogs.insert(dialog.hash, slot);
            self.foreign += u32::from(dialog.foreign);
        }
    }

    /// Has the index forget a deadline, as no step does.
    #[cfg(test)]
    pub(super) fn disarm(&mut self, slot: u32) {
        self.deadlines.set(slot, None);
    }

    #[cfg(test)]
    pub(super) fn indexed(&self) -> (usize, usize) {
        (self.names.len(), self.dialogs.len())
    }
}

/// The place in the index of dialogs that the dialog of a record has; `None` where it needs none.
fn dialog_of<S: Life>(layout: Layout, shard: usize, slot: u32, life: &S) -> Option<DialogPlace> {
    let call_id = life.call_id();
    if call_id.is_empty() || layout.slot_of_call_id(call_id) == Some((shard, slot)) {
        return None;
    }
    let place = layout.of_call_id(call_id);
    Some(DialogPlace { hash: place.hash, foreign: place.shard != shard })
}
