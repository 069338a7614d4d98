//! How an entry is found by its name.

/// The most entries of one name that are looked at.
pub(super) const MOST_CANDIDATES: usize = 32;

/// One way to an entry. The texts of the name are in the entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NamePlace {
    pub(super) hash: u64,
    pub(super) handle: u64,
}
