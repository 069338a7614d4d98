//! The targets a redirected attempt goes to (RFC 3261 §8.1.3.4).

use super::text::OutOfMemory;
use allocator_api2::alloc::Allocator;
use allocator_api2::boxed::Box;
use allocator_api2::vec::Vec;

/// Targets of one attempt: those already tried, the one being tried, those to come. Never more than `max_redirects`.
#[cfg_attr(test, derive(Clone))]
pub(super) struct Targets<A: Allocator> {
    /// Each target behind its length (four bytes).
    list: Vec<u8, A>,
    /// Index of the one being tried.
    current: usize,
}

impl<A: Allocator + Clone> Targets<A> {
    /// The targets after a redirection: the new ones take the place of the one that gave them, each only once.
    /// `None` when there is no new one within the bound.
    pub(super) fn try_extend(
        old: Option<&Self>,
        record: &[u8],
        contacts: &[&[u8]],
        max: u8,
        alloc: A,
    ) -> Result<Option<Box<Self, A>>, OutOfMemory> {
        let tried = old.map_or(0, |old| old.current.saturating_add(1));
        let known = |uri: &[u8]| uri == record || old.is_some_and(|old| old.iter().take(tried).any(|one| one == uri));
        let repeated = |at: usize, uri: &[u8]| contacts.iter().take(at).any(|one| *one == uri);
        let fresh = |(at, uri): (usize, &&[u8])| !uri.is_empty() && !known(uri) && !repeated(at, uri);
        let new = || contacts.iter().enumerate().filter(|each| fresh(*each)).map(|(_, uri)| *uri);
        let room = usize::from(max).saturating_sub(tried);
        if room == 0 || new().next().is_none() {
            return Ok(None);
        }
        let before = || old.into_iter().flat_map(move |old| old.iter().take(tried));
        let to_come = || {
            let rest = old.into_iter().flat_map(move |old| old.iter().skip(tried));
            new().chain(rest.filter(|uri| !contacts.contains(uri))).take(room)
        };
        let bytes = before().chain(to_come()).fold(0usize, |sum, uri| sum.saturating_add(uri.len()).saturating_add(4));
        let mut list = Vec::new_in(alloc.clone());
        list.try_reserve_exact(bytes).map_err(|_| OutOfMemory)?;
        for uri in before().chain(to_come()) {
            let length = u32::try_from(uri.len()).map_err(|_| OutOfMemory)?;
            list.extend_from_slice(&length.to_ne_bytes());
            list.extend_from_slice(uri);
        }
        Box::try_new_in(Self { list, current: tried }, alloc).map(Some).map_err(|_| OutOfMemory)
    }
}

impl<A: Allocator> Targets<A> {
    /// The one being tried.
    pub(super) fn current(&self) -> Option<&[u8]> {
        self.iter().nth(self.current)
    }

    /// Goes on to the next; false when there is none.
    pub(super) fn advance(&mut self) -> bool {
        let next = self.current.saturating_add(1);
        let exists = self.iter().nth(next).is_some();
        if exists {
            self.current = next;
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
