//! The database of the machine: rows, guards, and statements that are carried out late.

use super::Omitted;
use crate::store::{Run, Written};

/// How long a statement can be carried out after it was sent, in milliseconds.
pub(super) const LATE: u64 = 10_000;

/// What a row says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ModelRow {
    pub(super) id: u64,
    pub(super) run: Run,
    pub(super) written: Written,
    pub(super) has_ended: bool,
    /// Names the subscription in all runs.
    pub(super) serial: u64,
    pub(super) call_id: u64,
    pub(super) local_cseq: u32,
    pub(super) updated: u64,
}

#[derive(Clone, Debug)]
pub(super) enum Statement {
    Whole(Vec<ModelRow>),
    Numbers(Vec<ModelRow>),
    Delete(Vec<u64>, Written),
    Tombstones(Vec<u64>, Written),
    Purge(Written),
}

/// A statement that is on its way.
struct Late {
    run: Run,
    statement: Statement,
    until: u64,
}

pub(super) struct ModelDatabase {
    omitted: Omitted,
    epoch: u32,
    pub(super) rows: Vec<ModelRow>,
    late: Vec<Late>,
}

impl ModelDatabase {
    pub(super) fn new(omitted: Omitted) -> Self {
        Self { omitted, epoch: 0, rows: Vec::new(), late: Vec::new() }
    }

    /// Another run of the server begins.
    pub(super) fn begin(&mut self, run: Run) {
        self.epoch = run.epoch;
    }

    pub(super) fn row(&self, id: u64) -> Option<&ModelRow> {
        self.rows.iter().find(|row| row.id == id && !row.has_ended)
    }

    /// The statement may be carried out until then.
    pub(super) fn delay(&mut self, run: Run, statement: Statement, now: u64) {
        self.late.push(Late { run, statement, until: now + LATE });
    }

    /// Carries out one of the late ones, whichever this number says.
    pub(super) fn carry_out_late(&mut self, number: u64) {
        if !self.late.is_empty() {
            let Late { run, statement, .. } = self.late.swap_remove(number as usize % self.late.len());
            self.carry_out(run, &statement);
        }
    }

    /// What has not been carried out by now never will.
    pub(super) fn forget_late(&mut self, now: u64) {
        self.late.retain(|late| late.until >= now);
    }

    pub(super) fn carry_out(&mut self, run: Run, statement: &Statement) {
        if run.epoch != self.epoch && !self.omitted.fence {
            return;
        }
        let unguarded = self.omitted.written_guard;
        let any_dialog = self.omitted.dialog_guard;
        let may = |old: Written, new: Written| unguarded || old < new;
        match statement {
            Statement::Whole(new) => new.iter().for_each(|new| self.upsert(*new)),
            Statement::Numbers(new) => {
                for new in new {
                    let is_it = |row: &&mut ModelRow| row.id == new.id && may(row.written, new.written);
                    let row = self.rows.iter_mut().find(is_it);
                    if let Some(row) = row.filter(|row| any_dialog || row.call_id == new.call_id) {
                        let ModelRow { run, written, local_cseq, updated, .. } = *new;
                        *row = ModelRow { run, written, local_cseq, updated, has_ended: false, ..*row };
                    }
                }
            }
            Statement::Delete(ids, written) => {
                self.rows.retain(|row| !(ids.contains(&row.id) && may(row.written, *written)));
            }
            Statement::Tombstones(ids, written) => {
                for id in ids {
                    let (id, written, has_ended) = (*id, *written, true);
                    let nothing =
                        ModelRow { id, run, written, has_ended, serial: 0, call_id: 0, local_cseq: 0, updated: 0 };
                    self.upsert(nothing);
                }
            }
            Statement::Purge(up_to) => self.rows.retain(|row| !(row.has_ended && row.written <= *up_to)),
        }
    }

    fn upsert(&mut self, new: ModelRow) {
        match self.rows.iter_mut().find(|row| row.id == new.id) {
            Some(row) if self.omitted.written_guard || row.written < new.written => *row = new,
            Some(_) => {}
            None => self.rows.push(new),
        }
    }
}
