//! What a database keeps of a dialog.

use allocator_api2::alloc::Allocator;

use super::super::stored::StoredDialog;
use super::Dialog;

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
