//! Which outbound proxy a request is sent through (RFC 3263 §4.3): one that fails is followed by the next in order.

/// The most outbound proxies there can be.
pub const MOST_PROXIES: u8 = 8;

/// Where a request begins in the list of outbound proxies, and how many of them it leaves out. Their URIs mean nothing here.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(test, derive(Hash))]
pub struct Proxies(
    /// The place of the one in use, and in the upper half how many before it this attempt has done with: one byte
    /// instead of two, 1 MB less for a million subscriptions.
    u8,
);

impl Proxies {
    /// The one at this place is used.
    pub(super) fn at(place: u8) -> Self {
        Self::new(place, 0)
    }

    fn new(current: u8, done: u8) -> Self {
        Self(done.min(MOST_PROXIES) << 4 | current.min(MOST_PROXIES))
    }

    /// The place in the list that the request begins with.
    #[must_use]
    pub fn current(self) -> u8 {
        self.0 & 0xf
    }

    fn done(self) -> u8 {
        self.0 >> 4
    }

    /// The places in a list of `count` that the request may go to, in order: from the one in use round to the one before it,
    /// but for those that this attempt has done with.
    pub fn places(self, count: u8) -> impl Iterator<Item = u8> {
        let count = count.min(MOST_PROXIES);
        (0..count.saturating_sub(self.done())).filter_map(move |step| self.after(step, count))
    }

    fn after(self, steps: u8, count: u8) -> Option<u8> {
        self.current().saturating_add(steps).checked_rem(count)
    }

    /// Whether any has failed in this attempt.
    pub(super) fn has_failed(self) -> bool {
        self.done() != 0
    }

    /// The one at this place of `count` is used. Once one has failed, no other is returned to.
    pub(super) fn go_through(&mut self, place: u8, count: u8) {
        let passed = self.places(count).position(|one| one == place);
        let passed = passed.and_then(|passed| u8::try_from(passed).ok()).filter(|_| self.has_failed()).unwrap_or(0);
        *self = Self::new(place, self.done().saturating_add(passed));
    }

    /// The one in use has failed: goes on to the next of `count`. False when there is none left; the next attempt goes on
    /// round then.
    pub(super) fn fail(&mut self, count: u8) -> bool {
        if count < 2 {
            return false;
        }
        let done = self.done().saturating_add(1);
        let goes_on = done < count;
        *self = Self::new(self.after(1, count).unwrap_or(0), if goes_on { done } else { 0 });
        goes_on
    }

    /// The next request is another attempt, or goes to another target.
    pub(super) fn begin(&mut self) {
        *self = Self::new(self.current(), 0);
    }
}

impl std::fmt::Debug for Proxies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}, done with {}", self.current(), self.done())
    }
}
