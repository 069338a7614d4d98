//! Subscriptions of an earlier run of the server: read from the database at the start, and put back.
//!
//! This happens in `mod_init`: no C module has subscribed yet, and no message has come. What needs the location service waits until that
//! is there.

mod error;
mod opening;
mod room;
mod twin;

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

use super::subscriptions::{self, SubscriptionError, provisioned};
use crate::engine::{CALL_TIE, Engine, Ownerless, StoreCount, StoreWriter, settle_row};
use crate::host::database::{Database, DatabaseError};
use crate::host::socket::ListenSocket;
use crate::host::{log, uri};
use crate::memory::OutOfMemory;
use crate::qsa::StoredPart;
use crate::registry::{Handle, InsertError};
use crate::store::{BadRow, COLUMNS, Restart, RowOrigin, RowState, StoredRow, TABLE};
use crate::subscription::{OptionError, Options, Socket, StoredAwaits, StoredLife, StoredPhase};

pub use error::StoredError;
pub use opening::OpenedStore;

/// How many rows are held in memory at a time.
const PAGE: u32 = 1000;

/// How many rows that cannot be used are named, each in a line of the log; the others are only counted.
const MOST_NAMED: u64 = 10;

/// A NOTIFY that nobody answers is sent again for so long (RFC 3261 §17.1.2.2, Timer F), in milliseconds. A server that was away
/// for longer has missed some.
const NOTIFY_LIVES: u64 = 32_000;

/// Rows that wait for the location service.
#[derive(Default)]
struct WaitingRows {
    /// When they were read.
    restart: Option<Restart>,
    /// Subscriptions to local users.
    local: Vec<StoredRow>,
    /// Subscriptions that end with the registration of an address of record.
    tied: Vec<(Handle, String)>,
}

/// Why one row is left out.
#[derive(Debug, thiserror::Error)]
enum Skip {
    #[error(transparent)]
    Row(#[from] BadRow),
    #[error("column {0} is no SIP URI")]
    Uri(&'static str),
    #[error(transparent)]
    Subscription(#[from] SubscriptionError),
    #[error("unknown event package \"{0}\": declare it with modparam package")]
    Package(String),
    #[error(transparent)]
    Options(#[from] OptionError),
    #[error(transparent)]
    Room(#[from] InsertError),
    #[error(transparent)]
    OutOfMemory(#[from] OutOfMemory),
    #[error("so is the row of the subscription that it is a fork of")]
    NoRoot,
    #[error(
        "its dialog, columns call_id, local_tag and remote_tag, is that of the row with id {0}; correct it, or delete the row"
    )]
    Twin(i64),
}

impl Skip {
    /// Whether there is no shared memory.
    fn is_memory(&self) -> bool {
        match self {
            Self::OutOfMemory(_) | Self::Room(InsertError::OutOfMemory(_)) => true,
            Self::Subscription(error) => error.is_memory(),
            _ => false,
        }
    }
}

/// The reading of the rows.
struct Restoration<'e> {
    engine: &'e Engine,
    writer: StoreWriter,
    restart: Restart,
    /// NOTIFYs may have been missed.
    was_away: bool,
    local: Vec<StoredRow>,
    /// Dialogs beside those of their subscriptions, which may be in a later row.
    forks: Vec<StoredRow>,
    /// The subscriptions that have other handles now, for their forks.
    moved: HashMap<u64, Handle>,
    /// The ids of the rows that are left as they are.
    left_out: HashSet<u64>,
    skipped: u64,
    /// A subscription had no room: further ones are not tried.
    is_full: bool,
    clock_went_back: bool,
}

/// Reads all rows and goes on with their subscriptions.
///
/// # Errors
/// The table cannot be read to its end: the server is not to start.
pub fn restore(engine: &Engine, opened: OpenedStore) -> Result<(), StoredError> {
    let begun = Engine::now();
    let OpenedStore { database, node, restart, .. } = opened;
    let mut restoration = Restoration {
        engine,
        writer: StoreWriter::new(node),
        restart,
        was_away: restart.clock.unix_ms.saturating_sub(restart.seen) > NOTIFY_LIVES,
        local: Vec::new(),
        forks: Vec::new(),
        moved: HashMap::new(),
        left_out: HashSet::new(),
        skipped: 0,
        is_full: false,
        clock_went_back: restart.seen > restart.clock.unix_ms,
    };
    let kept = room::KeptRoom::take();
    read(&database, |values| restoration.take(values))?;
    drop(database);
    restoration.restore_forks();
    drop(kept);
    restoration.conclude(begun);
    let Restoration { writer, local, .. } = restoration;
    writer.hand_over();
    WAITING.with_borrow_mut(|waiting| (waiting.restart, waiting.local) = (Some(restart), local));
    Ok(())
}

thread_local! {
    /// Of the process that has read the rows, and of those that it forks.
    static WAITING: RefCell<WaitingRows> = RefCell::new(WaitingRows::default());
}

/// Goes on with the subscriptions to local users; call when the location service can be asked.
pub fn restore_local(engine: &Engine) {
    let rows = WAITING.with_borrow_mut(|waiting| std::mem::take(&mut waiting.local));
    let mut skipped = 0;
    for row in rows {
        if let Err(why) = restore_local_one(engine, &row) {
            skipped += 1;
            if skipped > MOST_NAMED {
                continue;
            }
            log::warn(&format!(
                "{TABLE}: the subscription to the local user {} does not go on: {why}",
                log::peer(row.record.as_bytes())
            ));
        }
    }
    if let Some(store) = engine.store() {
        store.status.count(StoreCount::Skipped, skipped);
    }
}

fn restore_local_one(engine: &Engine, row: &StoredRow) -> Result<(), Skip> {
    if !matches!(row.origin, RowOrigin::Script | RowOrigin::Table) {
        // Its module subscribes again, and gets the state at once.
        settle_row(row.id, None);
        return Ok(());
    }
    let Some(restart) = WAITING.with_borrow(|waiting| waiting.restart) else { return Ok(()) };
    // The domains may be others than in the run before.
    let is_local = engine.is_local_user(row.record.as_bytes(), row.package.as_bytes());
    let phase = if is_local { StoredPhase::Local } else { StoredPhase::Waiting };
    let handle = restore_owned(engine, row, &StoredLife { phase, dialog: None, ..row.life(None, &restart) })?;
    engine.count_restored();
    settle_row(row.id, Some(handle));
    Ok(())
}

/// Goes on with a subscription of script, RPC or a table.
fn restore_owned(engine: &Engine, row: &StoredRow, life: &StoredLife<'_>) -> Result<Handle, Skip> {
    let texts = [&row.record, &row.subscriber, &row.package, &row.options].map(String::as_bytes);
    let options = engine.options(row.options.as_bytes())?;
    // Nobody has its state, and somebody wants to have it at hand.
    let fetch =
        engine.config.policy.keep_state || options.terms.keep || options.terms.merged || options.publish.is_some();
    let stored = StoredPart { handle: row.id, life, fetch };
    let (subscription, handle) = subscriptions::restore(engine, texts, stored)?;
    if row.origin == RowOrigin::Table {
        if engine.config.provision_table.is_empty() {
            // No reading will say that its row has gone.
            let _ = engine.hub.unsubscribe(subscription);
            return Ok(handle);
        }
        provisioned::mark_restored(engine, subscription)?;
    }
    match row.tie.as_bytes() {
        b"" => {}
        // A call does not outlive the server, or nobody knows it any more.
        CALL_TIE => {
            let _ = engine.hub.unsubscribe(subscription);
        }
        _ => WAITING.with_borrow_mut(|waiting| waiting.tied.push((handle, row.tie.clone()))),
    }
    Ok(handle)
}

/// Binds the subscriptions that end with a registration; call when the registrations have been read.
pub fn restore_ties(engine: &Engine) {
    let tied = WAITING.with_borrow_mut(|waiting| std::mem::take(&mut waiting.tied));
    for (handle, aor) in tied {
        // Nobody is registered there any more, or nobody knows.
        if engine.bind_to_registration(handle, aor.as_bytes()).is_err()
            || engine.store_tie(handle, aor.as_bytes()).is_err()
        {
            let _ = subscriptions::unsubscribe(engine, handle);
        }
    }
}

/// Hands the rows to `take`, in the order of their ids.
fn read(database: &Database, mut take: impl FnMut(&[Option<Vec<u8>>])) -> Result<(), DatabaseError> {
    let columns = COLUMNS.map(|column| column.name);
    let (mut after, mut most) = (None, PAGE);
    loop {
        let rows = match database.read_page(TABLE, &columns, after, most) {
            // The rows are too long for private memory, which holds as many as are asked for, if fewer can be read.
            Err(_) if most > 1 && database.answers() && database.read_page(TABLE, &columns, after, 0).is_ok() => {
                most = (most / 4).max(1);
                continue;
            }
            rows => rows?,
        };
        rows.iter().for_each(|row| take(row));
        let last = rows.last().and_then(|row| number(row.first()?.as_deref()?));
        match last.filter(|id| after.is_none_or(|before| *id > before)) {
            Some(last) if rows.len() == most as usize => after = Some(last),
            Some(_) | None => return Ok(()),
        }
    }
}

/// Whether the next SUBSCRIBE would bring what was missed: it is no retry, whose moment the notifier may have named.
fn is_refresh(life: &StoredLife<'_>) -> bool {
    use StoredAwaits::{FirstNotify, Nothing};
    life.next.is_some() && matches!(life.phase, StoredPhase::Confirmed(Nothing | FirstNotify))
}

fn number(text: &[u8]) -> Option<i64> {
    str::from_utf8(text).ok()?.trim().parse().ok()
}

impl Restoration<'_> {
    fn take(&mut self, values: &[Option<Vec<u8>>]) {
        let Ok(values) = values.try_into() else { return };
        let result = match StoredRow::read(values) {
            Ok(Some(row)) => self.restore(row),
            // It has ended, and the row only says so.
            Ok(None) => Ok(()),
            Err(fault) => Err(fault.into()),
        };
        if let Err(skip) = result {
            self.skip(values.first().and_then(Option::as_deref).unwrap_or_default(), &skip);
        }
    }

    /// Goes on with the dialogs that are beside those of their subscriptions, which are there by now.
    fn restore_forks(&mut self) {
        for row in std::mem::take(&mut self.forks) {
            if let Err(skip) = self.restore_one(&row) {
                self.skip(row.id.cast_signed().to_string().as_bytes(), &skip);
            }
        }
    }

    /// A row is left as it is. No other subscription gets its id.
    fn skip(&mut self, id: &[u8], why: &Skip) {
        if let Some(handle) = number(id).and_then(|id| Handle::from_u64(id.cast_unsigned())) {
            self.left_out.insert(handle.to_u64());
            self.engine.registry.skip(handle);
        }
        self.skipped += 1;
        self.is_full |= why.is_memory();
        match why {
            _ if self.skipped > MOST_NAMED => {}
            Skip::Row(bad) => log::warn(&bad.to_string()),
            _ => log::warn(&format!("table {TABLE}: the row with id {} is skipped: {why}", log::peer(id))),
        }
    }

    fn restore(&mut self, row: StoredRow) -> Result<(), Skip> {
        self.clock_went_back |= self.restart.clock.went_back(row.updated) > 0;
        match row.state {
            _ if row.state == RowState::Local || self.is_local_now(&row) => {
                if let Some(handle) = Handle::from_u64(row.id) {
                    self.engine.registry.pass_over(handle);
                }
                self.local.push(row);
                Ok(())
            }
            _ if row.origin == RowOrigin::Fork => {
                if let Some(handle) = Handle::from_u64(row.id) {
                    self.engine.registry.pass_over(handle);
                }
                self.forks.push(row);
                Ok(())
            }
            _ => self.restore_one(&row),
        }
    }

    /// The user has become a local one. The notifier learns from the answer to its next NOTIFY that nobody wants it any more.
    fn is_local_now(&self, row: &StoredRow) -> bool {
        let is_wanted = matches!(row.origin, RowOrigin::Script | RowOrigin::Table) && row.state != RowState::Ending;
        is_wanted && self.engine.is_local_user(row.record.as_bytes(), row.package.as_bytes())
    }

    fn restore_one(&mut self, row: &StoredRow) -> Result<(), Skip> {
        if self.is_full {
            return Err(OutOfMemory.into());
        }
        match twin::twin_of(self.engine, row) {
            // The run before was about to move the row, and has not come to removing the old one.
            Some((_, true)) => {
                self.writer.gone(row.id);
                return Ok(());
            }
            Some((twin, false)) => return Err(Skip::Twin(twin.to_u64().cast_signed())),
            None => {}
        }
        let socket = ListenSocket::named(row.socket.as_bytes()).map(|socket| Socket(socket.token()));
        let mut life = row.life(socket, &self.restart);
        if self.was_away && is_refresh(&life) {
            life.next = Some(self.restart.clock.mono);
        }
        if row.origin == RowOrigin::Ending {
            // It may have been written before the end had begun.
            life.phase = StoredPhase::Ending;
        }
        let handle = match row.origin {
            RowOrigin::Script | RowOrigin::Table if row.state != RowState::Ending => {
                restore_owned(self.engine, row, &life)?
            }
            RowOrigin::Script | RowOrigin::Table | RowOrigin::Ending => self.restore_ownerless(row, &life, None)?,
            RowOrigin::Module | RowOrigin::Shared => self.restore_ownerless(row, &life, None)?,
            RowOrigin::Fork if self.left_out.contains(&row.root) => return Err(Skip::NoRoot),
            RowOrigin::Fork => {
                let root = self.moved.get(&row.root).copied().or_else(|| Handle::from_u64(row.root));
                let root = root.filter(|root| self.engine.registry.view(*root, |_, _| ()).is_some());
                if root.is_none() {
                    // Its subscription has been ended, and so is it.
                    life.phase = StoredPhase::Ending;
                }
                self.restore_ownerless(row, &life, root)?
            }
        };
        self.engine.count_restored();
        self.writer.goes_on(row.id, handle);
        if handle.to_u64() != row.id {
            self.moved.insert(row.id, handle);
        }
        Ok(())
    }

    /// One that has no subscriber in this run yet, or none any more.
    fn restore_ownerless(&self, row: &StoredRow, life: &StoredLife<'_>, root: Option<Handle>) -> Result<Handle, Skip> {
        let package = self.engine.config.packages.find(row.package.as_bytes());
        let package = package.ok_or_else(|| Skip::Package(row.package.clone()))?.number;
        let options: Options = self.engine.options(row.options.as_bytes())?;
        let uris = [row.record.as_bytes(), row.subscriber.as_bytes()];
        for (uri, column) in uris.into_iter().zip(["record", "subscriber"]) {
            if !uri::is_sip_uri(uri) {
                return Err(Skip::Uri(column));
            }
        }
        let stored = Ownerless { handle: row.id, uris, package, options: &options, life, root };
        Ok(self.engine.restore_ownerless(&stored, row.origin)?)
    }

    /// Says what came of it.
    fn conclude(&mut self, begun: crate::time::Millis) {
        let Some(store) = self.engine.store() else { return };
        let took = u64::try_from(Engine::now().since(begun).as_millis()).unwrap_or(u64::MAX);
        store.status.set(StoreCount::Skipped, self.skipped);
        store.status.set(StoreCount::RestoreTook, took);
        let restored = store.status.counted(StoreCount::Restored);
        if self.skipped > MOST_NAMED {
            log::warn(&format!("{TABLE}: {} rows are left as they are", self.skipped));
        }
        if self.clock_went_back {
            log::warn(
                "the clock of the day is behind the newest row of the table: the times of the rows count from now on; check the clock",
            );
        }
        log::info(&format!("{TABLE}: {restored} subscriptions go on, {} rows are left out; {took} ms", self.skipped));
    }
}
