//! The one process that writes subscriptions.

use std::cell::RefCell;
use std::time::Duration;

use super::super::Engine;
use super::blame::who_is_to_blame;
use super::by_row::row_by_row;
use super::takes::MarkTaker;
use super::{Store, StoreCount};
use crate::host::database::{Database, DatabaseError, Dialect};
use crate::host::process::{self, LastWords, ProcessError};
use crate::host::{clock, log};
use crate::registry::Handle;
use crate::store::{
    ClockMap, NODES_TABLE, NodeRow, Outbox, RowBatch, RowChange, Run, SqlDialect, StoredRow, WriteFailure, Written,
    statements,
};
use crate::time::Millis;

/// How often the run says that it is there.
const SEEN: Duration = Duration::from_secs(5);

/// How many servers are looked through for the row of this one.
const MOST_NODES: u32 = 1000;

/// How many subscriptions that are not kept are named in the log.
const MOST_NAMED: u64 = 10;

/// How long an orderly stop may be spent on writing.
const LAST_WRITES: Duration = Duration::from_secs(6);

/// How long after the last change it is believed that no other comes.
const QUIET: Duration = Duration::from_millis(300);

/// What the writer knows: memory of its own process.
pub struct StoreWriter {
    /// The row of this run.
    node: NodeRow,
    run: Run,
    outbox: Outbox,
    database: Option<Database>,
    takes: MarkTaker,
    seen_at: Millis,
    /// The log says that the database does not take what is written.
    has_said: bool,
    /// How many subscriptions were left out.
    left_out: u64,
}

thread_local! {
    /// Made when the subscriptions are restored; from the fork on that of the process that writes.
    static WRITER: RefCell<Option<StoreWriter>> = const { RefCell::new(None) };
}

/// What the process does before it ends.
const FAREWELL: LastWords = LastWords { is_wanted, say, seconds: 8 };

/// Runs in a signal handler.
fn is_wanted() -> bool {
    super::super::engine().is_some_and(|engine| engine.store.is_some())
}

fn say() {
    let Some(engine) = super::super::engine() else { return };
    WRITER.with_borrow_mut(|writer| {
        if let Some(writer) = writer {
            writer.finish(engine);
        }
    });
}

impl Engine {
    /// Forks the process that writes subscriptions, if they are stored; call in `child_init(PROC_MAIN)`.
    ///
    /// # Errors
    /// When it cannot be forked.
    pub fn fork_store(&'static self) -> Result<(), ProcessError> {
        let Some(store) = &self.store else { return Ok(()) };
        process::fork("presence_b2b store", Some(FAREWELL), || {
            let pause = WRITER.with_borrow_mut(|writer| writer.as_mut().map(|writer| writer.round(self, store)));
            store.wait(pause.unwrap_or(SEEN));
        })
    }
}

/// What has become of a row that was read at the start: its subscription goes on, or there is none any more.
pub fn settle_row(id: u64, handle: Option<Handle>) {
    WRITER.with_borrow_mut(|writer| match (writer, handle) {
        (Some(writer), Some(handle)) => writer.goes_on(id, handle),
        (Some(writer), None) => writer.gone(id),
        (None, _) => {}
    });
}

impl StoreWriter {
    /// For this run of the server.
    #[must_use]
    pub fn new(node: NodeRow) -> Self {
        let run = node.run();
        Self {
            node,
            run,
            outbox: Outbox::new(run, Outbox::LATE),
            database: None,
            takes: MarkTaker::new(Engine::now()),
            seen_at: Millis(0),
            has_said: false,
            left_out: 0,
        }
    }

    /// The subscription of the row `id` goes on as `handle`.
    pub fn goes_on(&mut self, id: u64, handle: Handle) {
        match handle.to_u64() {
            same if same == id => self.outbox.inherit(id),
            other => self.outbox.moved(id, other, Engine::now()),
        }
    }

    /// A row has no subscription any more.
    pub fn gone(&mut self, id: u64) {
        self.outbox.discard(id, Engine::now());
    }

    /// Leaves it to the process that is forked later.
    pub fn hand_over(self) {
        WRITER.with_borrow_mut(|writer| *writer = Some(self));
    }

    /// Writes a batch of what is to be written; how long the process may sleep. Between two batches, whole rows that are new overtake numbers.
    fn round(&mut self, engine: &Engine, store: &Store) -> Duration {
        engine.end_orphans();
        let has_more = self.take_marks(engine, store, Engine::now());
        let has_written = self.write(engine, store);
        self.say_that_it_is_there(engine, store, false);
        let is_left = has_written && (has_more || self.outbox.waiting() > 0);
        if is_left && self.outbox.retry_at().is_none() { Duration::ZERO } else { engine.live.db_flush_interval() }
    }

    /// The server stops: the rest is written.
    fn finish(&mut self, engine: &Engine) {
        let Some(store) = &engine.store else { return };
        let end = Engine::now().after(LAST_WRITES);
        let mut changed_at = Engine::now();
        loop {
            let now = Engine::now();
            self.take_marks(engine, store, Millis(u64::MAX));
            if self.outbox.waiting() > 0 {
                changed_at = now;
            }
            let has_written = self.write(engine, store);
            let is_quiet = engine.keeps_at_stop() || now.since(changed_at) > QUIET;
            let is_away = self.database.is_none() && self.outbox.waiting() > 0;
            if now > end || is_away || is_quiet && self.outbox.waiting() == 0 && !engine.registry.has_marks() {
                break;
            }
            if !has_written {
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        self.say_that_it_is_there(engine, store, true);
    }

    /// Takes marks; whether there may be more.
    fn take_marks(&mut self, engine: &Engine, store: &Store, now: Millis) -> bool {
        // Before, too: what is taken has no mark any more, and must not be missing until it is counted here.
        self.show(engine, store);
        let has_more = self.takes.take(engine, &mut self.outbox, now);
        self.show(engine, store);
        has_more
    }

    /// Shows how much waits.
    fn show(&mut self, engine: &Engine, store: &Store) {
        let (now, marked) = (Engine::now(), engine.registry.marked());
        store.status.set(StoreCount::Waiting, (self.outbox.waiting() + marked) as u64);
        store.status.set(StoreCount::Rows, self.outbox.rows() as u64);
        store.status.set(StoreCount::Refused, self.outbox.left_out() as u64);
        let taken = self.outbox.lag(now).map(|lag| Millis(now.0.saturating_sub(lag.as_millis() as u64)));
        // A mark has no time: it is younger than the moment when there was none.
        let since_marked = (marked > 0).then(|| self.takes.caught_up_at());
        store.status.set_behind(taken.into_iter().chain(since_marked).min());
    }

    /// Writes a batch, if there is one.
    fn write(&mut self, engine: &Engine, store: &Store) -> bool {
        let Some(batch) = self.outbox.batch(engine.live.db_batch(), Engine::now()) else { return false };
        store.status.set_busy(Some(Engine::now()));
        let result = self.write_batch(engine, store, &batch);
        store.status.set_busy(None);
        match result {
            Ok(carried_out) => self.written(engine, store, batch, &carried_out),
            Err(error) => self.failed(store, batch, &error),
        }
        self.show(engine, store);
        true
    }

    fn written(&mut self, engine: &Engine, store: &Store, batch: RowBatch, carried_out: &CarriedOut) {
        store.status.count(StoreCount::Written, carried_out.rows as u64);
        for id in self.outbox.done(batch, carried_out.has_contents, Engine::now()) {
            if let Some(handle) = Handle::from_u64(id) {
                engine.saved(handle);
            }
        }
        if !self.outbox.is_denied() {
            self.say_that_it_writes(store);
        }
    }

    fn say_that_it_writes(&mut self, store: &Store) {
        store.status.set_failure(None);
        if std::mem::take(&mut self.has_said) {
            log::notice("the database takes the subscriptions again");
        }
    }

    fn failed(&mut self, store: &Store, batch: RowBatch, error: &WriteError) {
        store.status.count(StoreCount::Failures, 1);
        let failure = match error {
            WriteError::Database(DatabaseError::Refused(_)) => {
                let (failure, left) = who_is_to_blame(self.database.as_ref(), self.run, batch.written);
                left.into_iter().for_each(|tombstone| self.outbox.purge_later(tombstone, Engine::now()));
                failure
            }
            WriteError::Database(_) | WriteError::Gone | WriteError::Superseded => WriteFailure::Ambiguous,
        };
        if let Some(handle) = self.outbox.failed(batch, failure, Engine::now()).and_then(Handle::from_u64) {
            self.say_left_out(handle, &error.to_string());
        }
        match failure {
            WriteFailure::Ambiguous if matches!(error, WriteError::Gone) => return log::warn(&error.to_string()),
            WriteFailure::Refused if !self.outbox.is_denied() => return self.say_that_it_writes(store),
            // What is opened again may be writable again.
            WriteFailure::Ambiguous | WriteFailure::Refused | WriteFailure::Denied => self.database = None,
        }
        store.status.set_failure(Some(&error.to_string()));
        if !std::mem::replace(&mut self.has_said, true) {
            log::error(&format!(
                "{error}. Subscriptions go on; what changes waits in memory and is written when the database is back \
                 (presence_b2b.store shows how much)"
            ));
        }
    }

    /// Says in the log that a subscription is not kept, a few times at most.
    fn say_left_out(&mut self, handle: Handle, why: &str) {
        self.left_out += 1;
        if self.left_out <= MOST_NAMED {
            log::warn(&format!("subscription {} does not outlive the server as it is now: {why}", handle.id()));
        }
    }

    fn connect(&mut self, engine: &Engine) -> Result<(), DatabaseError> {
        if self.database.is_none() {
            self.database = Some(Database::open_to_write(&engine.config.db_url.0)?);
        }
        Ok(())
    }

    /// Writes the rows of a batch as they are now.
    fn write_batch(&mut self, engine: &Engine, store: &Store, batch: &RowBatch) -> Result<CarriedOut, WriteError> {
        self.connect(engine)?;
        let (run, written) = (self.run, batch.written);
        let now = ClockMap { unix_ms: clock::unix_millis(), mono: Engine::now() };
        let dialect = self.database.as_ref().map_or(Dialect::Other, Database::dialect);
        let whole = self.rows(engine, (&batch.whole, RowChange::Whole), written, now);
        // Without SQL, each row is written as a whole.
        let change = if sql(dialect).is_some() { RowChange::Numbers } else { RowChange::Whole };
        let numbers = self.rows(engine, (&batch.numbers, change), written, now);
        let contents = whole.len().saturating_add(numbers.len());
        let removed = batch.delete.len().saturating_add(batch.tombstone.len());
        let carried_out = CarriedOut { rows: contents.saturating_add(removed), has_contents: contents > 0 };
        let Some(database) = &self.database else { return Ok(carried_out) };
        let Some(dialect) = sql(dialect) else {
            row_by_row(database, whole.into_iter().chain(numbers), batch)?;
            return Ok(carried_out);
        };
        let texts = [
            statements::write_whole(dialect, run, &whole),
            statements::write_numbers(dialect, run, &numbers, database.reads_json()),
            statements::delete(dialect, run, written, &batch.delete),
            statements::write_tombstones(dialect, run, written, &batch.tombstone, now.unix_ms),
        ];
        let purge = batch.purge.map(|up_to| statements::purge(dialect, run, up_to));
        for text in texts.iter().flatten().chain(&purge) {
            database.execute(text)?;
            store.status.count(StoreCount::Writes, 1);
        }
        self.check_run(database, dialect)?;
        for id in batch.delete.iter().chain(&batch.tombstone) {
            if let Some(handle) = Handle::from_u64(*id) {
                store.forget(handle);
            }
        }
        Ok(carried_out)
    }

    fn rows(&mut self, engine: &Engine, of: (&[u64], RowChange), written: Written, now: ClockMap) -> Vec<StoredRow> {
        let (ids, change) = of;
        let mut rows = Vec::with_capacity(ids.len());
        for handle in ids.iter().filter_map(|id| Handle::from_u64(*id)) {
            match engine.row_of(handle, change, (self.run, written), now) {
                Some(Ok(row)) => rows.push(row),
                Some(Err(unstorable)) => {
                    self.outbox.leave_out(handle.to_u64(), now.mono);
                    self.say_left_out(handle, &unstorable.to_string());
                }
                None => {}
            }
        }
        rows
    }

    /// Whether the statements before were carried out: they do nothing once another run has begun, or if the row of this one is gone.
    fn check_run(&self, database: &Database, dialect: SqlDialect) -> Result<(), WriteError> {
        let rows = database.read_page(NODES_TABLE, &NodeRow::COLUMNS, None, MOST_NODES)?;
        let is_damaged = rows.iter().any(|row| NodeRow::read(row).is_err());
        is_damaged.then(|| database.execute(&NodeRow::remove())).transpose()?;
        match rows.iter().find_map(|row| NodeRow::read(row).ok().flatten()) {
            Some(row) if row.epoch == self.run.epoch => Ok(()),
            Some(row) if row.epoch > self.run.epoch => Err(WriteError::Superseded),
            Some(_) | None => {
                database.execute(&self.node.enter(dialect))?;
                Err(WriteError::Gone)
            }
        }
    }

    /// The next run wants to know for how long nobody was there.
    fn say_that_it_is_there(&mut self, engine: &Engine, store: &Store, stops: bool) {
        let now = Engine::now();
        if !stops && (now < self.seen_at.after(SEEN) || self.outbox.retry_at().is_some()) {
            return;
        }
        self.seen_at = now;
        if self.connect(engine).is_err() || self.touch(stops).is_err() {
            self.database = None;
            store.status.count(StoreCount::Failures, 1);
        }
    }

    /// Writes into the row of the run that it is there, or stops.
    fn touch(&mut self, stops: bool) -> Result<(), DatabaseError> {
        self.node.seen = self.node.seen.max(clock::unix_millis());
        match &self.database {
            Some(database) if sql(database.dialect()).is_some() => {
                database.execute(&NodeRow::seen(self.run, self.node.seen, stops))
            }
            Some(_) | None => Ok(()),
        }
    }
}

/// What has become of a batch: those whose subscriptions have ended in the meantime have no rows to be written.
struct CarriedOut {
    rows: usize,
    /// A row with contents was among them.
    has_contents: bool,
}

/// Why a batch was not written.
#[derive(Debug, thiserror::Error)]
enum WriteError {
    /// The database.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// Somebody has removed the row of the run.
    #[error("the row of this server in table {NODES_TABLE} was removed or changed: it is written again")]
    Gone,
    /// Another server has begun with the same rows.
    #[error(
        "another server has begun to use the subscriptions of this database: stop one of the two, and give each a database of its own"
    )]
    Superseded,
}

/// The generation of a handle.
pub(super) fn generation(handle: Handle) -> u32 {
    // Cut on purpose: the upper half of the number.
    (handle.to_u64() >> 32) as u32
}

/// Which SQL is written for a database.
pub(super) fn sql(dialect: Dialect) -> Option<SqlDialect> {
    match dialect {
        Dialect::Sqlite => Some(SqlDialect::Sqlite),
        Dialect::Postgres => Some(SqlDialect::Postgres),
        Dialect::Mysql => Some(SqlDialect::Mysql),
        Dialect::Other => None,
    }
}
