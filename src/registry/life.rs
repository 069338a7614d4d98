//! The interface of a subscription that the registry needs.

use crate::memory::{OutOfMemory, SharedAlloc};
use crate::subscription::{
    Env, Fingerprint, Flow, HistoryEvent, Input, Output, Standing, State, Subject, Subscription,
};
use crate::time::Millis;

/// The life of a subscription as the registry sees it. [`Subscription`] is the one; tests have a simpler one.
pub trait Life {
    /// Takes one input and says what is to be done.
    ///
    /// # Errors
    /// [`OutOfMemory`]: nothing has changed.
    fn handle(&mut self, input: Input<'_>, env: &Env<'_>) -> Result<Output, OutOfMemory>;

    /// The name of its state, for people.
    fn state(&self) -> &'static str;

    /// What it is counted as; only [`Life::handle`] changes it.
    fn standing(&self) -> Standing;

    /// The event that an input is going to be, before it is taken; `None` if it is none.
    fn event_of(&self, _input: &Input<'_>) -> Option<HistoryEvent> {
        None
    }

    /// The same with all that the input, which gave this output, has come to; `None` if nothing has happened.
    fn event(&self, _event: HistoryEvent, _output: &Output, _now: Millis) -> Option<HistoryEvent> {
        None
    }

    /// When [`Input::Deadline`] is due.
    fn deadline(&self) -> Option<Millis>;

    /// Whether it has a deadline at any time between two steps.
    fn needs_deadline(&self) -> bool;

    /// Record, subscriber and package; they never change.
    fn subject(&self) -> Subject<'_>;

    /// The connection it depends on, if any.
    fn flow(&self) -> Option<Flow>;

    /// Whether there is a dialog.
    fn has_dialog(&self) -> bool;

    /// Fingerprint of the dialog's newest NOTIFY; that of nothing if the next one has to be compared text by text.
    fn fingerprint(&self) -> Fingerprint;

    /// Call-ID of the dialog; empty while there is none.
    fn call_id(&self) -> &[u8];

    /// Call-ID, local tag and remote tag of the dialog; empty while there is none.
    fn dialog_ids(&self) -> [&[u8]; 3];

    /// A number that is another one whenever its row has to be written whole: see [`Subscription::row_mark`].
    fn row_mark(&self) -> usize;

    /// Which fork of a subscription it is; 0 for the subscription itself. Never changes.
    fn fork(&self) -> u8;

    /// Bytes of its memory, without its names, which it shares.
    fn bytes(&self) -> usize;

    /// The fork with this number: see [`Subscription::try_fork`].
    ///
    /// # Errors
    /// [`OutOfMemory`].
    fn try_fork(&self, number: u8, env: &Env<'_>) -> Result<Option<Self>, OutOfMemory>
    where
        Self: Sized;
}

impl<A: SharedAlloc> Life for Subscription<A> {
    fn handle(&mut self, input: Input<'_>, env: &Env<'_>) -> Result<Output, OutOfMemory> {
        self.handle(input, env)
    }

    fn state(&self) -> &'static str {
        self.state().name()
    }

    fn standing(&self) -> Standing {
        self.standing()
    }

    #[inline]
    fn event_of(&self, input: &Input<'_>) -> Option<HistoryEvent> {
        self.event_of(input)
    }

    #[inline]
    fn event(&self, event: HistoryEvent, output: &Output, now: Millis) -> Option<HistoryEvent> {
        self.event(event, output, now)
    }

    fn deadline(&self) -> Option<Millis> {
        self.deadline()
    }

    fn needs_deadline(&self) -> bool {
        !matches!(self.state(), State::Local | State::Destroyed)
    }

    fn subject(&self) -> Subject<'_> {
        Subject {
            record: self.record(),
            subscriber: self.subscriber(),
            package: self.package(),
            event_id: self.event_id(),
        }
    }

    fn flow(&self) -> Option<Flow> {
        self.flow()
    }

    fn has_dialog(&self) -> bool {
        self.has_dialog()
    }

    fn fingerprint(&self) -> Fingerprint {
        self.fingerprint()
    }

    fn call_id(&self) -> &[u8] {
        self.call_id()
    }

    fn dialog_ids(&self) -> [&[u8]; 3] {
        self.dialog_ids()
    }

    fn row_mark(&self) -> usize {
        self.row_mark()
    }

    fn fork(&self) -> u8 {
        self.fork()
    }

    fn bytes(&self) -> usize {
        self.bytes()
    }

    fn try_fork(&self, number: u8, env: &Env<'_>) -> Result<Option<Self>, OutOfMemory> {
        self.try_fork(number, env)
    }
}
