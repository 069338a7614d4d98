//! What the row of a subscription says of it now.

use super::super::{Engine, Owner};
use super::restore::orphan_of;
use crate::host::shm::Shm;
use crate::host::socket::ListenSocket;
use crate::registry::Handle;
use crate::store::{ClockMap, RowChange, RowOrigin, RowTexts, Run, StoredRow, Unstorable, Written};
use crate::subscription::{Options, StoredDialog, Subscription};

/// What is copied out under the lock of the registry's shard.
struct Looked {
    row: Result<StoredRow, Unstorable>,
    options: Options,
    owner: Owner,
    socket: Option<u64>,
    record: Vec<u8>,
}

impl Engine {
    /// The row of a subscription as it is now; `None` if there is none, or none that is stored. For a change of numbers it has no texts but
    /// the Call-ID: nobody writes the others.
    ///
    /// # Errors
    /// A text of it cannot be kept.
    pub(super) fn row_of(
        &self,
        handle: Handle,
        change: RowChange,
        written: (Run, Written),
        now: ClockMap,
    ) -> Option<Result<StoredRow, Unstorable>> {
        if change == RowChange::Numbers {
            return self.registry.view(handle, |life, _| numbers(handle, life, written, now))?;
        }
        let looked = self.registry.view(handle, |life, owner| self.look(handle, life, owner, written, now))??;
        Some(
            looked
                .row
                .map(|row| self.completed(handle, row, looked.options, &looked.owner, looked.socket, &looked.record)),
        )
    }

    fn look(
        &self,
        handle: Handle,
        life: &Subscription<Shm>,
        owner: &Owner,
        written: (Run, Written),
        now: ClockMap,
    ) -> Option<Looked> {
        if !life.is_stored() {
            return None;
        }
        let stored = life.stored();
        let texts = RowTexts {
            record: life.record(),
            subscriber: life.subscriber(),
            package: self.config.packages.get(life.package()).name.as_bytes(),
            ..no_texts(handle, life)
        };
        Some(Looked {
            row: StoredRow::of(&texts, &stored, written, now),
            options: life.options(),
            owner: *owner,
            socket: stored.dialog.and_then(|dialog| dialog.socket).map(|socket| socket.0),
            record: life.record().to_vec(),
        })
    }

    /// Adds what others know of the subscription.
    fn completed(
        &self,
        handle: Handle,
        mut row: StoredRow,
        options: Options,
        owner: &Owner,
        socket: Option<u64>,
        record: &[u8],
    ) -> StoredRow {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap_or_default();
        row.socket = text(socket.and_then(ListenSocket::from_token).map(ListenSocket::name).unwrap_or_default());
        row.tie = text(self.store.as_ref().map(|store| store.tie_of(handle)).unwrap_or_default());
        let publish = self.publishes(owner.subscription, record);
        row.options = self.options_text(Options { publish, ..options });
        if row.origin != RowOrigin::Fork {
            row.origin = self.origin_of(owner);
        } else if let Some(root) = self.registry.root_of(handle) {
            row.root = root.to_u64();
        } else {
            // Its subscription has gone, and it only ends.
            (row.origin, row.fork) = (RowOrigin::Ending, 0);
        }
        row
    }

    fn origin_of(&self, owner: &Owner) -> RowOrigin {
        let is_of_table = || self.provisioned.round_of(owner.subscription).is_some();
        match orphan_of(owner.queue) {
            Some(origin) => origin,
            None if !self.hub.is_subscribed(owner.subscription) => RowOrigin::Ending,
            None if self.is_shared(owner.queue) => RowOrigin::Shared,
            None if !self.is_event_queue(owner.queue) => RowOrigin::Module,
            None if is_of_table() => RowOrigin::Table,
            None => RowOrigin::Script,
        }
    }
}

/// The numbers of a row, and the Call-ID.
fn numbers(
    handle: Handle,
    life: &Subscription<Shm>,
    written: (Run, Written),
    now: ClockMap,
) -> Option<Result<StoredRow, Unstorable>> {
    if !life.is_stored() {
        return None;
    }
    let mut stored = life.stored();
    stored.dialog = stored.dialog.map(|dialog| StoredDialog {
        local_tag: b"",
        remote_tag: b"",
        target: b"",
        route_set: b"",
        entity_tag: b"",
        source: b"",
        led_to: b"",
        ..dialog
    });
    Some(StoredRow::of(&no_texts(handle, life), &stored, written, now))
}

/// What a row has beside its subscription's life is added without the lock.
fn no_texts(handle: Handle, life: &Subscription<Shm>) -> RowTexts<'static> {
    RowTexts {
        id: handle.to_u64(),
        origin: if life.fork() != 0 { RowOrigin::Fork } else { RowOrigin::Ending },
        record: b"",
        subscriber: b"",
        package: b"",
        options: b"",
        tie: b"",
        socket: b"",
        root: 0,
    }
}
