//! NOTIFYs that are not delivered: counted for each subscription and for all, and the first of each kind is logged.

use std::time::Duration;

use super::Engine;
use crate::host::log;
use crate::host::shm::Shm;
use crate::qsa::{Loss, Message, SubscriptionId};
use crate::registry::Handle;
use crate::subscription::{Answer, Input, Output, Untold};

impl Engine {
    /// The last message of a subscription fell out of a full queue. If the module itself is the subscriber, nothing
    /// else would end the internal subscription.
    pub(super) fn end_untold(&self, gone: &Message<Shm>) {
        let subscription = gone.subscription();
        match self.hub.with_subscription(subscription, |view| view.queue) {
            Some(queue) if self.is_event_queue(queue) => {
                let _ = self.hub.unsubscribe(subscription);
            }
            Some(queue) if self.is_shared(queue) => self.hand_on_lost(gone),
            Some(_) | None => {}
        }
    }

    /// Counts for all what a NOTIFY's step has counted for its subscription, and logs the first that is not told. `sent` is Content-Type and body of the NOTIFY.
    pub(super) fn note_untold(&self, handle: Handle, output: &Output, sent: (Option<&[u8]>, &[u8])) {
        match output.untold {
            None if output.answer == Some(Answer::Ok) => self.counters.count_accepted(),
            None => {}
            Some(untold) => self.note(handle, untold, output.answer.map(Answer::code_and_phrase), sent),
        }
    }

    /// The same, with the answer that the NOTIFY gets, if the module answers it.
    fn note(
        &self,
        handle: Handle,
        (why, is_first): (Untold, bool),
        answer: Option<(u16, &str)>,
        (content_type, body): (Option<&[u8]>, &[u8]),
    ) {
        self.counters.count_untold(why, answer.map(|(code, _)| code));
        if !is_first {
            return;
        }
        let record = self.registry.view(handle, |subscription, _| subscription.record().escape_ascii().to_string());
        let of = format!("{} (subscription {})", record.unwrap_or_default(), handle.id());
        let more = "further ones are only counted (presence_b2b.show)";
        match why {
            Untold::Refused => {
                let fault = if matches!(answer, Some((400, _))) { self.fault_of(content_type, body) } else { None };
                log::warn(&format!("{}; {more}", refusal(&of, answer, content_type, fault)));
            }
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
        self.count(handle, Input::Untold(why), None);
    }

    /// The same of one that is refused with `answer`, from the notifier with this tag, and for want of memory only `put_off`. If
    /// that is another notifier than the dialog's, it is no word about the dialog.
    pub(super) fn count_refused(
        &self,
        handle: Handle,
        remote_tag: &[u8],
        put_off: Option<Duration>,
        answer: (u16, &str),
    ) {
        let is_other = self.registry.view(handle, |of, _| of.has_other_notifier_than(remote_tag));
        let input = match (is_other, put_off) {
            (Some(true), _) => Input::NotForked,
            (_, Some(pause)) => Input::PutOff(pause),
            (_, None) => Input::Untold(Untold::Refused),
        };
        self.count(handle, input, Some(answer));
    }

    fn count(&self, handle: Handle, input: Input<'_>, answer: Option<(u16, &str)>) {
        let nothing = |_, _: &Output, _: &mut super::Owner| {};
        if let Ok(Some(stepped)) = self.registry.step(handle, input, &self.at(Self::now()).env(), nothing) {
            Self::trace(&stepped);
            if let Some(untold) = stepped.output.untold {
                self.note(stepped.handle, untold, answer, (None, &[]));
            }
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

/// What the log says of a refused NOTIFY: the answer, and what an operator can do.
fn refusal(of: &str, answer: Option<(u16, &str)>, content_type: Option<&[u8]>, fault: Option<String>) -> String {
    let (code, phrase) = answer.unwrap_or_default();
    let hint = match answer {
        None => {
            return format!(
                "a NOTIFY of {of} was refused: handle_notify() is false, see modparam forking and fork_bytes"
            );
        }
        Some((200, _)) => {
            return format!("the last NOTIFY of {of} was accepted without its body, which cannot be used");
        }
        Some((400, _)) => "the notifier breaks a rule of SIP or of the format; the option lenient accepts some faults",
        Some((413, _)) => "raise modparam max_body",
        Some((415, _)) => {
            let sent = log::beginning(content_type.unwrap_or_default());
            return format!(
                "a NOTIFY of {of} was refused with {code} {phrase}: its body is \"{sent}\", which the package does not \
                 accept, or has an encoding; modparam additional_presence_headers adds types, the option list accepts \
                 resource lists, and the option lenient accepts every type"
            );
        }
        Some((420, _)) => {
            "it requires an extension: for resource lists give the option list, for others a Supported line in modparam \
             additional_presence_headers"
        }
        Some((489, _)) => "its Event header is not that of the subscription; the option lenient accepts some faults",
        Some((503, _)) => "shared memory is used up, or max_subscriptions is reached",
        Some(_) => "the notifier breaks a rule of SIP",
    };
    let fault = fault.map_or_else(String::new, |fault| format!(", because of its body ({fault})"));
    format!("a NOTIFY of {of} was refused with {code} {phrase}{fault}: {hint}")
}
