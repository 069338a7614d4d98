//! Contacts of peers: which of them can be the target of a request.

use std::sync::atomic::{AtomicU64, Ordering};

use super::Engine;
use crate::grammar::{self, Addresses, OfferedUri, PeerUri, Target, preference};
use crate::host::log;
use crate::host::message::SipMessage;
use crate::host::reply_headers::ReplyHeaders;
use crate::host::socket::ListenSocket;
use crate::qsa::SubscriptionId;
use crate::registry::Handle;

/// How many Contacts there were that could not be a target, in shared memory.
#[derive(Debug, Default)]
pub(super) struct BadContacts(AtomicU64);

/// The Contact of a message that can have one.
pub(super) struct ReceivedContact<'m> {
    /// The URI, if it can be a target.
    target: Option<Target<'m>>,
    /// The header.
    header: &'m [u8],
}

impl<'m> ReceivedContact<'m> {
    /// Reads the first entry of the first Contact header of a message, if that is good.
    pub(super) fn of(header: &'m [u8], message: SipMessage<'_>) -> Self {
        let target = first_uri(header).and_then(|uri| target(uri, message));
        Self { target, header }
    }

    /// Makes the Contact of a message whose first entry is this URI.
    pub(super) fn of_uri(uri: &'m [u8], message: SipMessage<'_>) -> Self {
        Self { target: target(uri, message), header: uri }
    }

    /// Its URI.
    pub(super) fn uri(&self) -> Option<PeerUri<'_>> {
        self.target.as_ref().map(Target::uri)
    }

    /// The header, unchanged.
    pub(super) fn header(&self) -> &'m [u8] {
        self.header
    }
}

/// The target in the first Contact header of a NOTIFY, unless it is our own.
pub(super) fn offered<'m>(header: &'m [u8], message: SipMessage<'_>) -> Option<OfferedUri<'m>> {
    let uri = first_uri(header)?;
    let offered = OfferedUri::of(uri);
    let is_foreign = if offered.is_as_given() { !is_own(uri, message) } else { target(uri, message).is_some() };
    is_foreign.then_some(offered)
}

fn first_uri(header: &[u8]) -> Option<&[u8]> {
    let first = || Addresses::of(header).next()?.ok().map(|entry| entry.uri);
    grammar::plain_uri(header).or_else(first)
}

/// The targets that a reply names, best q first; those of equal q keep their order, a malformed q counts as the least. What is
/// no target is skipped.
pub(super) fn targets<'m>(headers: ReplyHeaders<'m>, message: SipMessage<'m>) -> Vec<Target<'m>> {
    let entries = headers.contacts().flat_map(Addresses::of).flatten();
    let judged =
        entries.filter_map(|entry| Some((target(entry.uri, message)?, entry.parameters.map_or(1000, preference))));
    let mut judged: Vec<_> = judged.collect();
    judged.sort_by_key(|&(_, q)| std::cmp::Reverse(q));
    judged.into_iter().map(|(target, _)| target).collect()
}

fn target<'m>(uri: &'m [u8], message: SipMessage<'_>) -> Option<Target<'m>> {
    Target::judge(uri).filter(|target| !is_own(target.uri().text(), message))
}

/// Whether this is the very Contact that the module gave: a peer that copies it would have us ask ourselves. Another URI of this
/// server may be a target: that of a presence server here, for one.
fn is_own(uri: &[u8], message: SipMessage<'_>) -> bool {
    // Ours has no user.
    if memchr::memchr(b'@', uri).is_some() {
        return false;
    }
    message.request_uri().eq_ignore_ascii_case(uri)
        || ListenSocket::of(message).is_some_and(|socket| socket.is_contact(uri))
}

impl Engine {
    /// How many Contacts there were that could not be a target.
    #[must_use]
    pub fn bad_contacts(&self) -> u64 {
        self.bad_contacts.0.load(Ordering::Relaxed)
    }

    /// Counts the Contact of a step that cannot be a target; the first of a subscription is logged. Call without locks.
    pub(super) fn count_bad_contact(
        &self,
        handle: Handle,
        subscription: SubscriptionId,
        count: Option<u16>,
        header: &[u8],
    ) {
        let Some(count) = count else { return };
        self.bad_contacts.0.fetch_add(1, Ordering::Relaxed);
        if count == 1 && self.may_say() {
            let named = self.named(handle, subscription);
            log::warn(&format!(
                "{named}: the module ignores the notifier's Contact, because no SUBSCRIBE can be sent to it: {}. It only counts \
                 further ones (bad_contacts)",
                log::peer(header)
            ));
        }
    }
}
