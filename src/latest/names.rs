//! How an entry is found by its name.

use std::hash::{Hash, Hasher};

/// The most entries of one name that are looked at.
pub(super) const MOST_CANDIDATES: usize = 32;

/// One way to an entry. The texts of the name are in the entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NamePlace {
    pub(super) hash: u64,
    pub(super) handle: u64,
}

/// What a name is the hash of.
pub(super) struct HashedName<'a> {
    pub(super) record: &'a [u8],
    pub(super) subscriber: Option<&'a [u8]>,
    pub(super) package: &'a [u8],
}

impl Hash for HashedName<'_> {
    /// In few pieces, and the record, whose length is seldom a multiple of eight, last: asking for a state is mostly this.
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self { record, subscriber, package } = *self;
        let subscribers = subscriber.map_or(0, |subscriber| subscriber.len().saturating_add(1));
        state.write_usize(package.len() ^ subscribers.rotate_left(16));
        state.write(package);
        state.write(subscriber.unwrap_or_default());
        state.write(record);
    }
}
