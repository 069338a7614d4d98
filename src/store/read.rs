//! Reading a row: the gate for what a database says (law L11).

use std::slice;
use std::str;

use super::columns::{COLUMN_COUNT, COLUMNS, ColumnKind, RowColumn, STATE};
use super::fault::{BadRow, RowFault, ShownValue};
use super::row::{NO_STATUS, RowMarks, RowOrigin, RowState, Run, StoredRow, TOMBSTONE, Written};
use crate::grammar::PeerUri;
use crate::subscription::Status;

/// Takes the values of a row one after the other, in the order of the columns, and judges each.
struct RowReader<'a> {
    columns: slice::Iter<'static, RowColumn>,
    values: slice::Iter<'a, Option<Vec<u8>>>,
}

impl StoredRow {
    /// Reads the values of the columns, in the order of [`COLUMNS`], as texts: numbers are digits, with a minus before them or not. `None` for
    /// a tombstone.
    ///
    /// # Errors
    /// [`BadRow`], for the first column with a value that it cannot have, or for columns that contradict each other.
    pub fn read(values: &[Option<Vec<u8>>; COLUMN_COUNT]) -> Result<Option<Self>, BadRow> {
        if values.get(STATE).is_some_and(|state| state.as_deref() == Some(TOMBSTONE.as_bytes())) {
            return Ok(None);
        }
        let read = RowReader { columns: COLUMNS.iter(), values: values.iter() }.row();
        let judged = read.and_then(|row| match contradiction(&row) {
            Some(what) => Err(RowFault::Contradiction(what)),
            None => Ok(Some(row)),
        });
        let [id, ..] = values;
        judged.map_err(|fault| BadRow { id: ShownValue::of(id.as_deref().unwrap_or_default()), fault })
    }
}

/// How columns contradict each other; `None` if they do not.
fn contradiction(row: &StoredRow) -> Option<&'static str> {
    let has_dialog = !row.call_id.is_empty();
    let is_in_dialog = matches!(row.state, RowState::Unconfirmed | RowState::Confirmed);
    let is_less_secure = || {
        let target = PeerUri::judge(row.target.as_bytes());
        target.is_none_or(|target| !target.is_as_secure_as(row.record.as_bytes()))
    };
    if row.id >> 32 == 0 {
        Some("its id has no generation in its upper 32 bits")
    } else if row.written > Written::new(row.run, u32::MAX) {
        Some("column written is of a later run than column epoch")
    } else if is_in_dialog && !has_dialog {
        Some("its state says that it has a dialog, and column call_id is empty")
    } else if has_dialog == row.local_tag.is_empty() {
        Some("of columns call_id and local_tag one is empty and the other is not")
    } else if has_dialog && row.target.is_empty() {
        Some("it has a dialog, and column target is empty")
    } else if row.state == RowState::Local && has_dialog {
        Some("its state is local, and it has a dialog")
    } else if row.remote_cseq.is_some() && row.remote_tag.is_empty() {
        Some("a NOTIFY has made its dialog, and column remote_tag is empty")
    } else if (row.origin == RowOrigin::Fork) != (row.root != 0) || (row.root != 0) != (row.fork != 0) {
        Some("columns origin, root and fork do not agree on whether it is a fork")
    } else if has_dialog && is_less_secure() {
        Some("its record is a SIPS URI, and column target is none")
    } else {
        None
    }
}

impl RowReader<'_> {
    /// All columns: fields are read in the order in which they are named here.
    fn row(&mut self) -> Result<StoredRow, RowFault> {
        let mut read = StoredRow {
            id: self.number::<i64>()?.cast_unsigned(),
            run: Run { node: self.number()?, epoch: self.number()? },
            written: Written::of(self.number()?),
            origin: self.word("script, table, module, shared, fork or ending", RowOrigin::of)?,
            record: self.text()?,
            subscriber: self.text()?,
            package: self.text()?,
            options: self.text()?,
            tie: self.text()?,
            state: self.word("waiting, unconfirmed, confirmed, ending, local or ended", RowState::of)?,
            status: self.word("none, active, pending, terminated or rejected", status_of)?,
            call_id: self.text()?,
            local_tag: self.text()?,
            remote_tag: self.text()?,
            target: self.text()?,
            route_set: self.text()?,
            entity_tag: self.text()?,
            source: self.text()?,
            led_to: self.text()?,
            socket: self.text()?,
            has_flow: self.number::<i64>()? != 0,
            local_cseq: self.number()?,
            remote_cseq: Some(self.number()?),
            version: self.number()?,
            expires_at: self.number()?,
            next_at: self.number()?,
            sent_at: self.number()?,
            opened_at: self.number()?,
            notify_by: self.number()?,
            requested: self.number()?,
            min_expires: self.number()?,
            retries: self.number()?,
            proxy: self.number()?,
            marks: RowMarks::NONE,
            root: 0,
            fork: 0,
            updated: 0,
        };
        let marks = self.number::<u16>()?;
        let Some((marks, has_remote_cseq)) = RowMarks::of(marks) else {
            return Err(RowFault::Contradiction("column marks has a number that is never written"));
        };
        read.marks = marks;
        read.remote_cseq = read.remote_cseq.filter(|_| has_remote_cseq);
        (read.root, read.fork) = (self.number::<i64>()?.cast_unsigned(), self.number()?);
        read.updated = self.number()?;
        Ok(read)
    }

    fn next(&mut self) -> Result<(RowColumn, &[u8]), RowFault> {
        let none = RowFault::Contradiction("it has fewer columns than the table");
        let (Some(column), Some(value)) = (self.columns.next(), self.values.next()) else { return Err(none) };
        let value = value.as_deref().ok_or(RowFault::Null { column: column.name })?;
        Ok((*column, value))
    }

    fn number<N: TryFrom<i64>>(&mut self) -> Result<N, RowFault> {
        let (RowColumn { name, kind, .. }, value) = self.next()?;
        let (least, most) = match kind {
            ColumnKind::Number { least, most } => (least, most),
            ColumnKind::Text { .. } => (0, 0),
        };
        let number = str::from_utf8(value).ok().and_then(|digits| digits.parse::<i64>().ok());
        let number =
            number.filter(|number| (least..=most).contains(number)).and_then(|number| N::try_from(number).ok());
        number.ok_or(RowFault::Number { column: name, value: ShownValue::of(value), least, most })
    }

    fn text(&mut self) -> Result<String, RowFault> {
        self.str().map(str::to_owned)
    }

    /// A text as its column must have it. The grammars have no NUL.
    fn str(&mut self) -> Result<&str, RowFault> {
        let (RowColumn { name, kind, .. }, value) = self.next()?;
        let (most, is_good, wanted) = match kind {
            ColumnKind::Text { most, is_good, wanted } => (most, is_good, wanted),
            ColumnKind::Number { .. } => (0, (|_| false) as fn(&[u8]) -> bool, "a number"),
        };
        if value.len() > most {
            return Err(RowFault::TooLong { column: name, most });
        }
        let text = str::from_utf8(value).ok().filter(|text| is_good(text.as_bytes()));
        text.ok_or_else(|| RowFault::Text { column: name, value: ShownValue::of(value), wanted })
    }

    fn word<T>(&mut self, wanted: &'static str, of: impl Fn(&str) -> Option<T>) -> Result<T, RowFault> {
        let column = self.columns.as_slice().first().map_or("", |column| column.name);
        let word = self.str()?;
        of(word).ok_or_else(|| RowFault::Text { column, value: ShownValue::of(word.as_bytes()), wanted })
    }
}

/// The status of this word; `None` if there is no such status.
fn status_of(word: &str) -> Option<Option<Status>> {
    let all = [Status::Active, Status::Pending, Status::Terminated, Status::Rejected];
    match all.into_iter().find(|status| status.name() == word) {
        Some(status) => Some(Some(status)),
        None => (word == NO_STATUS).then_some(None),
    }
}
