//! What the options of a subscription allow a NOTIFY.

use super::super::input::{Content, Notify};
use super::super::options::Terms;
use super::super::package::Packages;
use super::super::policy::Policy;
use super::super::substate::SubscriptionState;
use super::Subscription;
use crate::memory::SharedAlloc;

impl<A: SharedAlloc> Subscription<A> {
    /// The NOTIFY as the options have it looked at.
    pub(super) fn as_asked<'a>(&self, notify: Notify<'a>, packages: &Packages) -> Notify<'a> {
        let Terms { list, lenient, .. } = self.terms();
        let content = match notify.content {
            Content::List(of) if list => of.asked.content(),
            as_it_is => as_it_is,
        };
        let content = match content {
            Content::List(_) | Content::Unsupported | Content::Malformed if lenient => Content::Acceptable,
            as_it_is => as_it_is,
        };
        if !lenient {
            return Notify { content, ..notify };
        }
        let event = if notify.event.is_empty() { packages.get(self.package()).name.as_bytes() } else { notify.event };
        let state = notify.state.or(Some(SubscriptionState::ACTIVE));
        Notify { content, event, event_id: None, state, ..notify }
    }

    /// Whether faults of its notifier are borne.
    pub(super) fn is_lenient(&self) -> bool {
        self.own_terms().is_some_and(|kept| kept.terms.lenient)
    }

    /// Whether the first NOTIFY of a dialog is awaited until Timer N.
    pub(super) fn awaits_first_notify(&self, policy: &Policy) -> bool {
        policy.timer_n_on_first && !self.is_lenient()
    }

    /// Whether the route set of a 2xx stays where the NOTIFY that makes the dialog brings none.
    pub(super) fn keeps_route_set(&self, policy: &Policy) -> bool {
        policy.keep_route_set || self.is_lenient()
    }

    /// Whether a document before the newest is missing, and a refresh asks for the whole state or has asked for it.
    #[must_use]
    pub fn misses_document(&self) -> bool {
        self.dialog.as_ref().is_some_and(|dialog| dialog.has_gap())
    }

    /// Whether lists of resources are supported (RFC 4662).
    #[must_use]
    pub fn asks_for_lists(&self) -> bool {
        self.own_terms().is_some_and(|kept| kept.terms.list)
    }

    /// Whether documents of the package's [partial types](super::super::package::Package::partial) are asked for (RFC 5263). The
    /// documents of a list are not merged.
    #[must_use]
    pub fn asks_for_changes(&self) -> bool {
        self.own_terms().is_some_and(|kept| kept.terms.merged && !kept.terms.list)
    }
}
