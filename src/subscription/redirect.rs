//! The targets a redirected attempt goes to (RFC 3261 §8.1.3.4), and the proxy that a 305 names (§21.3.4).

use allocator_api2::alloc::Allocator;
use allocator_api2::boxed::Box;
use allocator_api2::vec::Vec;

use crate::grammar::PeerUri;
use crate::memory::OutOfMemory;

/// Targets of one attempt: those already tried, the one being tried, those to come. Never more than `max_redirects`,
/// together with the proxy.
#[cfg_attr(test, derive(Clone))]
pub(super) struct Targets<A: Allocator> {
    /// Each target behind its length (four bytes).
    list: Vec<u8, A>,
    /// How many are tried, the one being tried among them; 0 while that is still the record.
    tried: usize,
    /// URI of the proxy for the one being tried; empty for none.
    via: Vec<u8, A>,
    /// A proxy has been named in this attempt.
    rerouted: bool,
}

impl<A: Allocator + Clone> Targets<A> {
    /// The targets after a redirection: the new ones take the place of the one that gave them, each only once,
    /// and none that would lead from SIPS to SIP. `None` when there is no new one within the bound.
    pub(super) fn try_extend(
        old: Option<&Self>,
        record: &[u8],
        contacts: &[PeerUri<'_>],
        max: u8,
        alloc: A,
    ) -> Result<Option<Box<Self, A>>, OutOfMemory> {
        let tried = old.map_or(0, |old| old.tried);
        let rerouted = old.is_some_and(|old| old.rerouted);
        let known = |uri: &[u8]| uri == record || old.is_some_and(|old| old.iter().take(tried).any(|one| one == uri));
        let repeated = |at: usize, uri: PeerUri<'_>| contacts.iter().take(at).any(|one| *one == uri);
        let is_fresh =
            |at: usize, uri: PeerUri<'_>| uri.is_as_secure_as(record) && !known(uri.text()) && !repeated(at, uri);
        let new = || contacts.iter().enumerate().filter(|(at, uri)| is_fresh(*at, **uri)).map(|(_, uri)| uri.text());
        let room = usize::from(max).saturating_sub(tried).saturating_sub(rerouted.into());
        if room == 0 || new().next().is_none() {
            return Ok(None);
        }
        let before = || old.into_iter().flat_map(move |old| old.iter().take(tried));
        let to_come = || {
            let rest = old.into_iter().flat_map(move |old| old.iter().skip(tried));
            let is_named = |uri: &&[u8]| contacts.iter().any(|one| one.text() == *uri);
            new().chain(rest.filter(move |uri| !is_named(uri))).take(room)
        };
        let list = try_pack(|| before().chain(to_come()), alloc.clone())?;
        let via = Vec::new_in(alloc.clone());
        Box::try_new_in(Self { list, tried: tried.saturating_add(1), via, rerouted }, alloc)
            .map(Some)
            .map_err(|_| OutOfMemory)
    }

    /// The same target through this proxy; `None` when the attempt has had one, or enough.
    pub(super) fn try_reroute(
        old: Option<&Self>,
        proxy: PeerUri<'_>,
        max: u8,
        alloc: A,
    ) -> Result<Option<Box<Self, A>>, OutOfMemory> {
        let tried = old.map_or(0, |old| old.tried);
        if old.is_some_and(|old| old.rerouted) || tried >= usize::from(max) {
            return Ok(None);
        }
        let most = usize::from(max).saturating_sub(1);
        let list = try_pack(|| old.into_iter().flat_map(|old| old.iter().take(most)), alloc.clone())?;
        let (proxy, mut via) = (proxy.text(), Vec::new_in(alloc.clone()));
        via.try_reserve_exact(proxy.len()).map_err(|_| OutOfMemory)?;
        via.extend_from_slice(proxy);
        Box::try_new_in(Self { list, tried, via, rerouted: true }, alloc).map(Some).map_err(|_| OutOfMemory)
    }
}

/// Each URI behind its length.
fn try_pack<'a, A: Allocator, I: Iterator<Item = &'a [u8]>>(
    uris: impl Fn() -> I,
    alloc: A,
) -> Result<Vec<u8, A>, OutOfMemory> {
    let bytes = uris().fold(0usize, |sum, uri| sum.saturating_add(uri.len()).saturating_add(4));
    let mut list = Vec::new_in(alloc);
    list.try_reserve_exact(bytes).map_err(|_| OutOfMemory)?;
    for uri in uris() {
        let length = u32::try_from(uri.len()).map_err(|_| OutOfMemory)?;
        list.extend_from_slice(&length.to_ne_bytes());
        list.extend_from_slice(uri);
    }
    Ok(list)
}

impl<A: Allocator> Targets<A> {
    /// The one being tried; `None` while that is the record.
    pub(super) fn current(&self) -> Option<&[u8]> {
        self.iter().nth(self.tried.checked_sub(1)?)
    }

    /// URI of the proxy for the one being tried; empty for none.
    pub(super) fn via(&self) -> &[u8] {
        &self.via
    }

    /// Bytes of their memory.
    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>().saturating_add(self.list.capacity()).saturating_add(self.via.capacity())
    }

    /// Whether a proxy has been named in this attempt.
    pub(super) fn is_rerouted(&self) -> bool {
        self.rerouted
    }

    /// Goes on to the next; false when there is none.
    pub(super) fn advance(&mut self) -> bool {
        let exists = self.iter().nth(self.tried).is_some();
        if exists {
            self.tried = self.tried.saturating_add(1);
            self.via.clear();
        }
        exists
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest: &[u8] = &self.list;
        std::iter::from_fn(move || {
            let (length, tail) = rest.split_first_chunk::<4>()?;
            let (uri, after) = tail.split_at_checked(u32::from_ne_bytes(*length) as usize)?;
            rest = after;
            Some(uri)
        })
    }
}
