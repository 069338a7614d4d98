//! The server of the machine, its notifier, and the ledger of what must hold.

use std::time::Duration;

use super::database::{LATE, ModelDatabase, ModelRow, Statement};
use super::{Dice, Omitted};
use crate::store::outbox::RowBatch;
use crate::store::{ClockMap, Outbox, Restart, RowChange, Run, WriteFailure, Written, cseq};
use crate::time::Millis;

/// Places for subscriptions; new ones go into the first few, so that places are used again.
const SLOTS: usize = 8;
const NEW_SLOTS: u64 = 3;

/// Steps of a schedule.
const STEPS: u64 = 40;

#[derive(Clone, Copy, Debug)]
struct Sub {
    serial: u64,
    generation: u32,
    call_id: u64,
    cseq: u32,
    /// Its SUBSCRIBE leaves when it is saved.
    is_held: bool,
    /// The database refuses its row.
    is_poison: bool,
}

/// What the judge knows of a subscription.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    serial: u64,
    /// It was saved, and since then no SUBSCRIBE has left without.
    is_saved: bool,
    /// It has ended.
    has_ended: bool,
    /// Its end is in the database.
    is_gone: bool,
    /// Call-ID of the newest SUBSCRIBE that left; 0 if none has.
    left: u64,
}

pub(super) struct World {
    dice: Dice,
    omitted: Omitted,
    database: ModelDatabase,
    run: Run,
    outbox: Outbox,
    slots: [Option<Sub>; SLOTS],
    marks: [Option<RowChange>; SLOTS],
    /// Ids of subscriptions that have ended, for the acknowledgement.
    ended: Vec<(u64, u64)>,
    known: Vec<Known>,
    /// By Call-ID: the largest CSeq that the notifier has seen.
    notifier: Vec<u32>,
    generation: u32,
    now: u64,
    clock_back: u64,
    /// The latest moment that a run has begun at, as it says itself.
    seen: u64,
}

type Verdict = Result<(), String>;

impl World {
    pub(super) fn new(dice: Dice, omitted: Omitted) -> Self {
        let run = Run { node: 1, epoch: 1 };
        let mut database = ModelDatabase::new(omitted);
        database.begin(run);
        Self {
            dice,
            omitted,
            database,
            run,
            outbox: Self::outbox(run, omitted),
            slots: [None; SLOTS],
            marks: [None; SLOTS],
            ended: Vec::new(),
            known: Vec::new(),
            notifier: vec![0],
            generation: 0,
            now: 1_000_000,
            clock_back: 0,
            seen: 0,
        }
    }

    fn outbox(run: Run, omitted: Omitted) -> Outbox {
        let late = if omitted.tombstones { 0 } else { LATE + 1 };
        Outbox::new(run, Duration::from_millis(late))
    }

    pub(super) fn run(mut self) -> Verdict {
        for _ in 0..STEPS {
            self.step()?;
        }
        self.crash();
        self.restore()
    }

    fn step(&mut self) -> Verdict {
        let slot = self.dice.below(NEW_SLOTS) as usize;
        match self.dice.below(16) {
            0 | 1 => self.subscribe(slot),
            2 => self.end(slot),
            3..=5 => self.refresh(slot),
            6 => self.open_again(slot),
            7 => self.lose_patience(slot),
            8..=11 => self.flush()?,
            12 | 13 => {
                let number = self.dice.next();
                self.database.carry_out_late(number);
            }
            14 => {
                let span = [1, 200, 6_000, LATE][self.dice.below(4) as usize];
                self.now += span;
                self.database.forget_late(self.now);
            }
            _ => {
                if self.dice.one_in(2) {
                    self.crash();
                    self.restore()?;
                }
            }
        }
        Ok(())
    }

    fn mark(&mut self, slot: usize, change: RowChange) {
        self.marks[slot] = self.marks[slot].max(Some(change));
    }

    fn subscribe(&mut self, slot: usize) {
        if self.slots[slot].is_some() {
            return;
        }
        self.generation += 1;
        let serial = self.known.len() as u64;
        self.known.push(Known { serial, ..Known::default() });
        let (generation, call_id, is_poison) = (self.generation, self.new_call_id(), self.dice.one_in(16));
        let sub = Sub { serial, generation, call_id, cseq: 0, is_held: true, is_poison };
        self.slots[slot] = Some(sub);
        self.mark(slot, RowChange::Whole);
    }

    fn end(&mut self, slot: usize) {
        if let Some(sub) = self.slots[slot].take() {
            self.known[sub.serial as usize].has_ended = true;
            self.ended.push((id(slot, sub.generation), sub.serial));
            self.mark(slot, RowChange::Whole);
        }
    }

    fn refresh(&mut self, slot: usize) {
        let Some(sub) = self.slots[slot].filter(|sub| !sub.is_held) else { return };
        self.slots[slot] = Some(self.sent(sub));
        self.mark(slot, RowChange::Numbers);
    }

    /// The dialog is lost: another one is opened.
    fn open_again(&mut self, slot: usize) {
        let Some(sub) = self.slots[slot].filter(|sub| !sub.is_held) else { return };
        let (call_id, is_poison) = (self.new_call_id(), self.dice.one_in(16));
        self.slots[slot] = Some(Sub { call_id, cseq: 0, is_held: true, is_poison, ..sub });
        self.mark(slot, RowChange::Whole);
    }

    fn lose_patience(&mut self, slot: usize) {
        if let Some(sub) = self.slots[slot].filter(|sub| sub.is_held) {
            self.slots[slot] = Some(Sub { is_held: false, ..self.sent(sub) });
            self.known[sub.serial as usize].is_saved = false;
            self.mark(slot, RowChange::Numbers);
        }
    }

    /// A SUBSCRIBE leaves.
    fn sent(&mut self, sub: Sub) -> Sub {
        let cseq = sub.cseq + 1;
        self.known[sub.serial as usize].left = sub.call_id;
        self.notifier[sub.call_id as usize] = cseq;
        Sub { cseq, ..sub }
    }

    fn new_call_id(&mut self) -> u64 {
        self.notifier.push(0);
        self.notifier.len() as u64 - 1
    }

    fn flush(&mut self) -> Verdict {
        // Numbers are often left for later.
        let least = if self.dice.one_in(2) { RowChange::Numbers } else { RowChange::Whole };
        for slot in 0..SLOTS {
            if let Some(change) = self.marks[slot].take_if(|mark| *mark >= least) {
                let current = self.slots[slot].map(|sub| sub.generation);
                self.outbox.note(slot as u32, change, current, Millis(self.now));
            }
        }
        for _ in 0..1 + self.dice.below(3) {
            let most = 1 + self.dice.below(4) as usize;
            let Some(batch) = self.outbox.batch(most, Millis(self.now)) else { break };
            self.write(batch)?;
        }
        Ok(())
    }

    fn write(&mut self, batch: RowBatch) -> Verdict {
        let statements = self.statements(&batch);
        let is_refused = |id: &u64| self.sub(*id).is_some_and(|(_, sub)| sub.is_poison);
        if batch.whole.iter().any(is_refused) {
            // Sometimes it looks as if the database refused everything.
            let failure = if self.now.is_multiple_of(3) { WriteFailure::Denied } else { WriteFailure::Refused };
            self.outbox.failed(batch, failure, Millis(self.now));
            return Ok(());
        }
        if !self.dice.one_in(3) {
            statements.iter().for_each(|statement| self.database.carry_out(self.run, statement));
            return self.acknowledged(batch);
        }
        for statement in statements {
            self.lose(statement);
        }
        if self.omitted.acknowledgement {
            return self.acknowledged(batch);
        }
        self.outbox.failed(batch, WriteFailure::Ambiguous, Millis(self.now));
        Ok(())
    }

    /// Whatever happens to a statement that nobody acknowledges.
    fn lose(&mut self, statement: Statement) {
        match self.dice.below(4) {
            0 => self.database.carry_out(self.run, &statement),
            1 => {}
            2 => {
                self.database.carry_out(self.run, &statement);
                self.database.delay(self.run, statement, self.now);
            }
            _ => self.database.delay(self.run, statement, self.now),
        }
    }

    fn statements(&self, batch: &RowBatch) -> Vec<Statement> {
        let rows = |ids: &[u64]| ids.iter().filter_map(|id| self.row(*id, batch.written)).collect::<Vec<_>>();
        let mut statements = vec![Statement::Whole(rows(&batch.whole)), Statement::Numbers(rows(&batch.numbers))];
        statements.push(Statement::Delete(batch.delete.clone(), batch.written));
        statements.push(Statement::Tombstones(batch.tombstone.clone(), batch.written));
        statements.extend(batch.purge.map(Statement::Purge));
        statements
    }

    fn row(&self, id: u64, written: Written) -> Option<ModelRow> {
        let (_, sub) = self.sub(id)?;
        let local_cseq = if self.omitted.headroom { sub.cseq } else { cseq::stored(sub.cseq) };
        let (serial, call_id, updated) = (sub.serial, sub.call_id, self.clock().unix_ms);
        Some(ModelRow { id, run: self.run, written, has_ended: false, serial, call_id, local_cseq, updated })
    }

    fn sub(&self, id: u64) -> Option<(usize, Sub)> {
        let slot = (id & 0xffff_ffff) as usize;
        self.slots[slot].filter(|sub| u64::from(sub.generation) == id >> 32).map(|sub| (slot, sub))
    }

    fn acknowledged(&mut self, batch: RowBatch) -> Verdict {
        let gone: Vec<u64> = batch.delete.iter().chain(&batch.tombstone).copied().collect();
        let has_contents = batch.whole.iter().chain(&batch.numbers).any(|id| self.sub(*id).is_some());
        for id in self.outbox.done(batch, has_contents, Millis(self.now)) {
            let Some((slot, sub)) = self.sub(id) else { continue };
            let is_in = self.database.row(id).is_some_and(|row| row.call_id == sub.call_id);
            self.known[sub.serial as usize].is_saved = true;
            if sub.is_held {
                if !is_in {
                    return Err(format!("the SUBSCRIBE of {sub:?} left before its row was there"));
                }
                self.slots[slot] = Some(Sub { is_held: false, ..self.sent(sub) });
                self.mark(slot, RowChange::Numbers);
            }
        }
        for (_, serial) in self.ended.iter().filter(|(id, _)| gone.contains(id)) {
            self.known[*serial as usize].is_gone = true;
        }
        Ok(())
    }

    fn restart(&self) -> Restart {
        Restart { run: self.run, clock: self.clock(), seen: self.seen }
    }

    fn clock(&self) -> ClockMap {
        ClockMap { unix_ms: 1_000_000_000 + self.now - self.clock_back, mono: Millis(self.now) }
    }

    /// The server is killed, perhaps while it waits for the database.
    fn crash(&mut self) {
        if self.dice.one_in(2) {
            for (slot, mark) in std::mem::take(&mut self.marks).into_iter().enumerate() {
                let current = self.slots[slot].map(|sub| sub.generation);
                mark.into_iter().for_each(|change| self.outbox.note(slot as u32, change, current, Millis(self.now)));
            }
            if let Some(batch) = self.outbox.batch(4, Millis(self.now)) {
                self.statements(&batch).into_iter().for_each(|statement| self.lose(statement));
            }
        }
        if self.dice.one_in(8) {
            self.clock_back += 500_000;
        }
        self.now += self.dice.below(2) * 100;
        self.run.epoch += 1;
    }

    fn restore(&mut self) -> Verdict {
        self.database.begin(self.run);
        self.seen = self.restart().latest();
        self.outbox = Self::outbox(self.run, self.omitted);
        (self.slots, self.marks) = ([None; SLOTS], [None; SLOTS]);
        self.ended.clear();
        let mut rows: Vec<ModelRow> = self.database.rows.iter().filter(|row| !row.has_ended).copied().collect();
        rows.sort_by_key(|row| std::cmp::Reverse(row.written));
        self.generation = rows.iter().map(|row| (row.id >> 32) as u32).max().unwrap_or(0);
        for row in rows {
            self.restore_one(row)?;
        }
        self.judge()
    }

    fn restore_one(&mut self, row: ModelRow) -> Verdict {
        let slot = (row.id & 0xffff_ffff) as usize;
        if self.slots.iter().flatten().any(|sub| sub.serial == row.serial) {
            // It has moved, and its old row is still there.
            self.outbox.discard(row.id, Millis(self.now));
            return Ok(());
        }
        let cseq = cseq::resumed(row.local_cseq, row.run, row.updated, &self.restart()).ok_or("no CSeq is left")?;
        let known = &mut self.known[row.serial as usize];
        if known.is_gone {
            return Err(format!("{row:?} has come back"));
        }
        let (serial, call_id) = (row.serial, row.call_id);
        if known.is_saved && call_id < known.left {
            return Err(format!("{known:?} has come back with an older Call-ID: {row:?}"));
        }
        let newest = self.notifier[call_id as usize];
        if newest > cseq {
            return Err(format!("CSeq {newest} of {row:?} goes back to {cseq}"));
        }
        (known.has_ended, known.is_saved, known.left) = (false, true, call_id);
        let mut sub =
            Sub { serial, generation: (row.id >> 32) as u32, call_id, cseq, is_held: false, is_poison: false };
        if self.slots[slot].is_none() {
            self.outbox.inherit(row.id);
            self.slots[slot] = Some(sub);
            return Ok(());
        }
        let free = self.slots.iter().rposition(Option::is_none).ok_or("no place is free")?;
        self.generation += 1;
        sub.generation = self.generation;
        self.slots[free] = Some(sub);
        self.outbox.moved(row.id, id(free, sub.generation), Millis(self.now));
        Ok(())
    }

    fn judge(&mut self) -> Verdict {
        for known in &self.known {
            let is_there = self.slots.iter().flatten().any(|sub| sub.serial == known.serial);
            if known.is_saved && !known.has_ended && !is_there {
                return Err(format!("{known:?} is lost"));
            }
        }
        // What was never saved is forgotten for good, with its end.
        for known in &mut self.known {
            known.has_ended |= !self.slots.iter().flatten().any(|sub| sub.serial == known.serial);
        }
        Ok(())
    }
}

fn id(slot: usize, generation: u32) -> u64 {
    u64::from(generation) << 32 | slot as u64
}
