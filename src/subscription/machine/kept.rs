//! What a database keeps of a subscription.

use super::super::dialog::Dialog;
use super::super::output::Status;
use super::super::state::{Attempt, Awaits, Farewell, State};
use super::super::stored::{CSEQS_UNWRITTEN, StoredAwaits, StoredDialog, StoredLife, StoredPhase};
use super::{Promise, Subscription};
use crate::memory::{Packed, SharedAlloc};
use crate::time::Millis;

impl<A: SharedAlloc> Subscription<A> {
    /// Whether a database keeps it: not a fetch, which asks once, nor one that has ended.
    #[must_use]
    pub fn is_stored(&self) -> bool {
        self.terms().fetch.is_none() && self.state() != State::Destroyed && !self.has_ended()
    }

    #[cfg(test)]
    /// Whether its next SUBSCRIBE waits for [`Input::Saved`](crate::subscription::Input::Saved), or for
    /// [`Policy::save_patience`](crate::subscription::Policy::save_patience) to be over.
    #[must_use]
    pub fn is_unsaved(&self) -> bool {
        self.turn == Promise::Unsaved
    }

    /// A number that is another one whenever the row has to be written whole and soon: a text of [`stored`](Self::stored) has become another
    /// one in one step, or the socket, or whether there is a connection, or [so many](CSEQS_UNWRITTEN) requests have been sent.
    #[must_use]
    pub fn row_mark(&self) -> usize {
        let source = self.extras.as_deref().and_then(|extras| extras.source.as_ref()).map_or(0, Packed::address);
        // Addresses do not use the highest bits.
        let requests = ((self.local_cseq / CSEQS_UNWRITTEN) as usize).rotate_right(16);
        self.dialog.as_ref().map_or(0, Dialog::texts_mark) ^ source.rotate_left(1) ^ requests
    }

    /// What a database keeps of it.
    #[must_use]
    pub fn stored(&self) -> StoredLife<'_> {
        let (phase, next, notify_by) = self.stored_phase();
        let believed = || matches!(self.status, Some(Status::Active | Status::Pending));
        StoredLife {
            dialog: self.dialog.as_ref().map(|dialog| StoredDialog {
                source: self.source().unwrap_or_default(),
                led_to: self.led_to().unwrap_or_default(),
                ..dialog.stored()
            }),
            phase,
            status: self.status,
            local_cseq: self.local_cseq,
            requested_expires: self.requested_expires,
            min_expires: self.min_expires(),
            retries: self.retries,
            proxy: self.proxies.current(),
            next,
            last_sent: self.last_sent.get(),
            opened: (self.opened > 0).then(|| self.opening()),
            expiry: self.left_until().filter(|_| believed()).or(self.dialog.as_ref().and_then(Dialog::expiry)),
            notify_by,
            fork: self.fork,
        }
    }

    /// How far it is, when the next SUBSCRIBE is due, and until when a NOTIFY is awaited.
    fn stored_phase(&self) -> (StoredPhase, Option<Millis>, Option<Millis>) {
        match self.state() {
            // The SUBSCRIBE of the last two may leave before another row is written.
            State::Waiting(Attempt::Continued) if self.turn != Promise::Reserved && self.turn != Promise::None => {
                (StoredPhase::Waiting, None, None)
            }
            State::Waiting(Attempt::Unstarted | Attempt::Fresh | Attempt::Continued) => {
                (StoredPhase::Waiting, self.planned(), None)
            }
            State::Unconfirmed => (StoredPhase::Unconfirmed, None, None),
            State::Confirmed { next, awaits } => {
                let (kind, by) = match awaits {
                    Awaits::Nothing => (StoredAwaits::Nothing, None),
                    Awaits::FirstNotify { by } => (StoredAwaits::FirstNotify, Some(by)),
                    Awaits::LastNotify { by } => (StoredAwaits::LastNotify, Some(by)),
                    Awaits::Retry => (StoredAwaits::Retry, None),
                    Awaits::Expiry => (StoredAwaits::Expiry, None),
                };
                (StoredPhase::Confirmed(kind), Some(next), by)
            }
            State::Resubscription { notify_by: Some(by) } => {
                (StoredPhase::Confirmed(StoredAwaits::FirstNotify), None, Some(by))
            }
            State::Resubscription { notify_by: None } => (StoredPhase::Confirmed(StoredAwaits::Nothing), None, None),
            State::WaitingForTermination => (StoredPhase::Ending, None, self.deadline()),
            State::UnconfirmedDestroy
            | State::ResubscriptionDestroy
            | State::Predestroyed(Farewell::Due | Farewell::Sent)
            | State::Destroyed => (StoredPhase::Ending, None, None),
            State::Local => (StoredPhase::Local, None, None),
        }
    }
}
