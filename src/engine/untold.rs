//! NOTIFYs that are not delivered: counted for each subscription and for all, and the first of each kind is logged.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::Engine;
use crate::host::log;
use crate::qsa::{Loss, SubscriptionId};
use crate::registry::Handle;
use crate::subscription::{Input, Output, Untold};

/// How many there were of all subscriptions, by [reason](Untold::ALL).
#[derive(Default)]
pub(super) struct UntoldCounters([AtomicU64; Untold::ALL.len()]);

impl Engine {
    /// How many NOTIFYs were not told for this reason.
    #[must_use]
    pub fn untold(&self, why: Untold) -> u64 {
        self.untold.0.get(why as usize).map_or(0, |count| count.load(Ordering::Relaxed))
    }

    /// Counts for all what a step has counted for its subscription, and logs the first.
    pub(super) fn note_untold(&self, handle: Handle, output: &Output) {
        let Some((why, is_first)) = output.untold else { return };
        if let Some(count) = self.untold.0.get(why as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        if !is_first {
            return;
        }
        let record = self.registry.view(handle, |subscription, _| subscription.record().escape_ascii().to_string());
        let of = format!("{} (subscription {})", record.unwrap_or_default(), handle.id());
        let more = "further ones are only counted (presence_b2b.show)";
        match why {
            Untold::Refused => log::warn(&format!("a NOTIFY of {of} was refused, or its body was; {more}")),
            Untold::Stale => {
                log::warn(&format!(
                    "a NOTIFY of {of} was refused, because its CSeq is not higher than the last one; {more}"
                ));
            }
            Untold::Repeated => log::info(&format!("a NOTIFY of {of} came again and was not delivered twice; {more}")),
            Untold::Merged => log::warn(&format!(
                "a message of {of} was not delivered, because the queue is full and a newer one replaced it; {more}: see \
                 modparam queue_limit and queue_bytes"
            )),
            Untold::Dropped => log::warn(&format!(
                "a message of {of} was not delivered, because the queue is full or gone; {more}: see modparam queue_limit \
                 and queue_bytes"
            )),
        }
    }

    /// Counts one that was not handed in.
    pub(super) fn count_untold(&self, handle: Handle, why: Untold) {
        self.count(handle, Input::Untold(why));
    }

    /// The same of one that was refused, from the notifier with this tag, and for want of memory only `put_off`. If that is another
    /// notifier than the dialog's, it is no word about the dialog.
    pub(super) fn count_refused(&self, handle: Handle, remote_tag: &[u8], put_off: Option<Duration>) {
        let is_other = self.registry.view(handle, |of, _| of.has_other_notifier_than(remote_tag));
        let input = match (is_other, put_off) {
            (Some(true), _) => Input::NotForked,
            (_, Some(pause)) => Input::PutOff(pause),
            (_, None) => Input::Untold(Untold::Refused),
        };
        self.count(handle, input);
    }

    fn count(&self, handle: Handle, input: Input<'_>) {
        let nothing = |_, _: &Output, _: &mut super::Owner| {};
        if let Ok(Some(stepped)) = self.registry.step(handle, input, &self.env(Self::now()), nothing) {
            Self::trace(&stepped);
            self.note_untold(stepped.handle, &stepped.output);
            // One that is refused may bring the refresh forward.
            self.settle(stepped.wake, None);
        }
    }

    /// The dialog of an internal subscription: that of this fork.
    pub(super) fn dialog_of(&self, subscription: SubscriptionId, fork: u8) -> Option<Handle> {
        let value = self.hub.notifiers_value(subscription, |notifier| self.is_user_agent(notifier));
        let root = value.and_then(Handle::from_u64)?;
        let is_it = |handle: &Handle| self.registry.view(*handle, |of, _| of.fork()) == Some(fork);
        match fork {
            0 => Some(root),
            _ => self.registry.forks_of(root).into_iter().find(is_it),
        }
    }

    /// A message of a subscription has been lost: it is counted for the dialog that it came from. A dialog that has gone
    /// has no counter of its own.
    fn count_loss(&self, subscription: SubscriptionId, fork: u8, loss: Loss) {
        if let Some(handle) = self.dialog_of(subscription, fork) {
            let why = match loss {
                Loss::Merged => Untold::Merged,
                Loss::Dropped => Untold::Dropped,
            };
            self.count_untold(handle, why);
        }
    }
}

/// The hub's report of a lost message.
pub(super) fn on_loss(subscription: SubscriptionId, fork: u8, loss: Loss) {
    if let Some(engine) = super::engine() {
        engine.count_loss(subscription, fork, loss);
    }
}
