//! What a database keeps of a dialog.

use allocator_api2::alloc::Allocator;

use super::super::echo::Echo;
use super::super::fingerprint::Fingerprint;
use super::super::marks::{Marks, Stage};
use super::super::stored::StoredDialog;
use super::super::version::Completeness;
use super::Dialog;
use crate::memory::{OutOfMemory, Packed, U48};
use crate::time::PackedMillis;

impl<A: Allocator> Dialog<A> {
    /// What a database keeps of it.
    pub(in super::super) fn stored(&self) -> StoredDialog<'_> {
        let [call_id, local_tag, remote_tag, target, route_set, entity_tag] = self.text.all();
        StoredDialog {
            call_id,
            local_tag,
            remote_tag,
            target,
            route_set,
            entity_tag,
            socket: self.socket(),
            has_flow: self.flow.is_some(),
            remote_cseq: self.remote_cseq(),
            version: self.version,
            known: self.marks.known() as u8,
            is_target_told: self.is_target_told(),
            requests: self.requests,
            ..StoredDialog::default()
        }
    }

    /// Another number with other texts, another socket, or with a connection in place of none.
    pub(in super::super) fn texts_mark(&self) -> usize {
        let way = self.socket.get().rotate_left(16) ^ u64::from(self.flow.is_some());
        // Only differences matter.
        self.text.address() ^ way as usize
    }
}

impl<A: Allocator + Clone> Dialog<A> {
    /// The dialog of an earlier run of the server. A connection has not outlived that, and of the newest NOTIFY there is only the CSeq: one
    /// that has the same is taken for news, as it may be. With `forgets_state` whole documents are asked for.
    pub(in super::super) fn try_restored(
        kept: &StoredDialog<'_>,
        forgets_state: bool,
        alloc: A,
    ) -> Result<Self, OutOfMemory> {
        let entity_tag = if forgets_state { &[] } else { kept.entity_tag };
        let parts = [kept.call_id, kept.local_tag, kept.remote_tag, kept.target, kept.route_set, entity_tag];
        let mut marks = Marks::default();
        marks.set_stage(match kept.remote_cseq {
            None => Stage::Begun,
            Some(_) if kept.is_target_told => Stage::Told,
            Some(_) => Stage::Made,
        });
        marks.set_known(match kept.known {
            0 => Completeness::Nothing,
            // Without versions, nothing can be missing.
            _ if forgets_state => Completeness::Missing,
            1 => Completeness::Whole,
            2 => Completeness::Missing,
            _ => Completeness::Asked,
        });
        let mut dialog = Self {
            text: Packed::try_new(parts, alloc)?,
            fingerprint: Fingerprint::NONE,
            socket: U48::default(),
            flow: None,
            expiry: PackedMillis::NONE,
            remote_cseq: kept.remote_cseq.unwrap_or(0),
            accepted: 0,
            version: kept.version,
            echo: Echo::default(),
            requests: kept.requests,
            marks,
        };
        if let Some(socket) = kept.socket {
            dialog.set_socket(socket);
        }
        Ok(dialog)
    }
}
