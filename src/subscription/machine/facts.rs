//! The facts about a subscription.

use super::super::dialog::Dialog;
use super::super::fingerprint::Fingerprint;
use super::super::input::Flow;
use super::super::output::Status;
use super::super::package::PackageNumber;
use super::super::state::State;
use super::extras::Extras;
use super::{RECORD, SUBSCRIBER, Subscription};
use crate::grammar::Aor;
use crate::memory::SharedAlloc;
use crate::time::Millis;

impl<A: SharedAlloc> Subscription<A> {
    /// When [`Input::Deadline`](crate::subscription::Input::Deadline) is due; `None` before the start and at the end.
    /// While a request is in flight it is the watchdog's.
    #[must_use]
    pub fn deadline(&self) -> Option<Millis> {
        self.deadline.get()
    }

    /// The state of the subscription.
    #[must_use]
    pub fn state(&self) -> State {
        self.state.into()
    }

    /// URI of the record.
    #[must_use]
    pub fn record(&self) -> &[u8] {
        self.names.get(RECORD)
    }

    /// The host of the record's URI.
    #[must_use]
    pub fn record_host(&self) -> Option<&[u8]> {
        Aor::host_as_written(self.record())
    }

    /// URI of the subscriber.
    #[must_use]
    pub fn subscriber(&self) -> &[u8] {
        self.names.get(SUBSCRIBER)
    }

    /// Event package.
    #[must_use]
    pub fn package(&self) -> PackageNumber {
        self.package
    }

    /// Event `id` parameter; empty when there is none.
    #[must_use]
    pub fn event_id(&self) -> &[u8] {
        self.extras.as_deref().map_or(&[], Extras::event_id)
    }

    /// Call-ID of the dialog; empty while there is none.
    #[must_use]
    pub fn call_id(&self) -> &[u8] {
        self.dialog.as_ref().map_or(&[], Dialog::call_id)
    }

    /// Whether there is a dialog, or the half of one.
    #[must_use]
    pub fn has_dialog(&self) -> bool {
        self.dialog.is_some()
    }

    /// Fingerprint of the newest NOTIFY, if its facts about the dialog still hold; otherwise that of nothing.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.dialog.as_ref().map_or(Fingerprint::NONE, Dialog::fingerprint)
    }

    /// Call-ID, local tag and remote tag of the dialog, all found in one look; empty while there is none.
    #[must_use]
    pub fn dialog_ids(&self) -> [&[u8]; 3] {
        self.dialog.as_ref().map_or([&[]; 3], Dialog::ids)
    }

    /// The connection that the dialog's SUBSCRIBEs go over, if it is known and not lost.
    #[must_use]
    pub fn flow(&self) -> Option<Flow> {
        self.dialog.as_ref().and_then(Dialog::flow)
    }

    /// Remote tag of the dialog; empty while there is none.
    #[must_use]
    pub fn remote_tag(&self) -> &[u8] {
        self.dialog.as_ref().map_or(&[], Dialog::remote_tag)
    }

    /// Whether a NOTIFY has made the dialog, and this tag is of another notifier than that one's.
    #[must_use]
    pub fn has_other_notifier_than(&self, remote_tag: &[u8]) -> bool {
        self.has_made_dialog() && !remote_tag.is_empty() && remote_tag != self.remote_tag()
    }

    /// Bytes of its memory, without its names, which it shares.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let texts = self.dialog.as_ref().map_or(0, Dialog::text_bytes);
        size_of::<Self>().saturating_add(texts).saturating_add(self.extras.as_deref().map_or(0, Extras::bytes))
    }

    /// Which fork of a subscription this is; 0 for the subscription itself.
    #[must_use]
    pub fn fork(&self) -> u8 {
        self.fork
    }

    /// The status last told to the internal subscriber; `None` before the first word.
    #[must_use]
    pub fn status(&self) -> Option<Status> {
        self.status
    }
}
