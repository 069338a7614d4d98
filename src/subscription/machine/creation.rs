//! A new subscription: what it is about, and the terms it is made under.

use super::super::options::{Options, Terms};
use super::super::package::PackageNumber;
use super::super::proxies::Proxies;
use super::super::reason::LastReason;
use super::super::state::{Attempt, State};
#[cfg(test)]
use super::Subject;
use super::extras::OwnTerms;
use super::{AuthAttempts, Promise, SharedUris, Subscription};
use crate::memory::{OutOfMemory, SharedAlloc};
use crate::time::PackedMillis;

impl<A: SharedAlloc> Subscription<A> {
    /// A subscription that has not started: hand it [`Input::Start`] next.
    ///
    /// # Errors
    /// [`OutOfMemory`] when its text finds no room.
    #[cfg(test)]
    pub fn try_new(subject: Subject<'_>, alloc: A) -> Result<Self, OutOfMemory> {
        let names = SharedUris::try_new([subject.record, subject.subscriber, b"", b""], &alloc)?;
        Self::try_named(names, subject.package, subject.event_id, alloc)
    }

    /// The same with names that are there already.
    ///
    /// # Errors
    /// [`OutOfMemory`] when its event id finds no room.
    pub fn try_named(
        names: SharedUris<A>,
        package: PackageNumber,
        event_id: &[u8],
        alloc: A,
    ) -> Result<Self, OutOfMemory> {
        let mut made = Self::blank(names, package, alloc);
        made.set_event_id(event_id)?;
        Ok(made)
    }

    /// One with nothing but names and a package.
    pub(super) fn blank(names: SharedUris<A>, package: PackageNumber, alloc: A) -> Self {
        Self {
            names,
            dialog: None,
            extras: None,
            state: State::Waiting(Attempt::Unstarted).into(),
            deadline: PackedMillis::NONE,
            last_sent: PackedMillis::NONE,
            local_cseq: 0,
            requested_expires: 0,
            retries: 0,
            notifies: 0,
            last_reply: 0,
            last_reason: LastReason::NOTHING,
            package,
            status: None,
            widened: false,
            turn: Promise::None,
            told_held: false,
            proxies: Proxies::default(),
            auth_attempts: AuthAttempts::default(),
            opened: 0,
            fork: 0,
            alloc,
        }
    }

    /// The same under terms of its own.
    ///
    /// # Errors
    /// [`OutOfMemory`] when they find no room.
    pub fn try_under(mut self, terms: Terms) -> Result<Self, OutOfMemory> {
        if terms != Terms::default() {
            self.extras_mut()?.own_terms = Some(OwnTerms { terms, until: PackedMillis::NONE });
        }
        Ok(self)
    }

    /// The same with these options.
    ///
    /// # Errors
    /// [`OutOfMemory`] when they find no room.
    pub fn try_with(self, options: &Options) -> Result<Self, OutOfMemory> {
        let mut made = self.try_under(options.terms)?;
        made.set_own_texts([options.header.as_bytes(), options.outbound.as_bytes()])?;
        Ok(made)
    }

    /// The options that it was made with; the filter has its number only, and whether its state is published others know.
    #[must_use]
    pub fn options(&self) -> Options {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Options {
            id: text(self.event_id()),
            header: text(self.header_lines()),
            outbound: text(self.outbound()),
            terms: self.terms(),
            ..Options::default()
        }
    }

    /// The terms it was made under.
    #[must_use]
    pub fn terms(&self) -> Terms {
        self.own_terms().map(|kept| kept.terms).unwrap_or_default()
    }
}
