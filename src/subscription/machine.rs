//! The subscription itself and its reaction to every input.

use super::input::Input;
use super::output::{Output, Status};
use super::package::Package;
use super::policy::Policy;
use super::text::OutOfMemory;
use super::time::Instant;
use allocator_api2::alloc::Allocator;

/// What a new subscription is about. URIs are valid SIP URIs: the caller has checked them.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// URI of the record subscribed to: Request-URI and To.
    pub record: &'a [u8],
    /// URI of the subscriber: From.
    pub subscriber: &'a [u8],
    /// Event package.
    pub package: &'static Package,
    /// Event `id` parameter; empty for none.
    pub event_id: &'a [u8],
}

/// The values that come from outside with every input (law L9).
#[derive(Clone, Copy, Debug)]
pub struct Env<'a> {
    /// The parameters.
    pub policy: &'a Policy,
    /// A random number, fresh for every input.
    pub random: u64,
}

/// One subscription: who watches what, where it stands, and its SIP dialog.
pub struct Subscription<A: Allocator + Clone> {
    alloc: A,
    deadline: Option<Instant>,
}

impl<A: Allocator + Clone> Subscription<A> {
    /// A subscription that has not started: hand it [`Input::Start`] next.
    ///
    /// # Errors
    /// [`OutOfMemory`] when its text finds no room.
    pub fn try_new(subject: Subject<'_>, now: Instant, alloc: A) -> Result<Self, OutOfMemory> {
        let _ = (subject, now);
        Ok(Self { alloc, deadline: None })
    }

    /// Takes one input and says what is to be done.
    ///
    /// # Errors
    /// [`OutOfMemory`]: nothing has changed; the input may be tried again.
    pub fn handle(&mut self, input: Input<'_>, now: Instant, env: &Env<'_>) -> Result<Output, OutOfMemory> {
        let _ = (input, now, env, &self.alloc);
        Err(OutOfMemory)
    }

    /// When [`Input::Deadline`] is due; `None` while a request's outcome is all it waits for, or at the end.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// URI of the record.
    #[must_use]
    pub fn record(&self) -> &[u8] {
        &[]
    }

    /// URI of the subscriber.
    #[must_use]
    pub fn subscriber(&self) -> &[u8] {
        &[]
    }

    /// Event package.
    #[must_use]
    pub fn package(&self) -> &'static Package {
        super::package::PRESENCE
    }

    /// Event `id` parameter; empty when there is none.
    #[must_use]
    pub fn event_id(&self) -> &[u8] {
        &[]
    }

    /// Call-ID of the dialog; empty while there is none.
    #[must_use]
    pub fn call_id(&self) -> &[u8] {
        &[]
    }

    /// Local tag (From tag of our requests, To tag of NOTIFYs); empty while there is none.
    #[must_use]
    pub fn local_tag(&self) -> &[u8] {
        &[]
    }

    /// The status last told to the internal subscriber; `None` before the first word.
    #[must_use]
    pub fn status(&self) -> Option<Status> {
        None
    }
}
