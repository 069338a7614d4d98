//! Versions of documents, of which each may tell only what has changed (RFC 3858 §4.2, RFC 3680 §5.2, RFC 4235 §4.3).

/// The newest version of a dialog.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(test, derive(Hash))]
pub(super) struct Versions {
    newest: u32,
    is_known: bool,
}

/// How a document stands to those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// It follows them, or tells everything.
    Next,
    /// It tells what has changed since one that has not been seen.
    Gap,
    /// It has been seen, or a newer one.
    Old,
}

impl Versions {
    /// Where a document stands. After the largest version comes 0. Some notifiers give all their full documents the same
    /// version: those are not old.
    pub(super) fn order(self, version: u32, is_full: bool) -> Order {
        let is_next = version == self.newest.wrapping_add(1);
        match (self.is_known, is_full) {
            (false, true) => Order::Next,
            (false, false) => Order::Gap,
            (true, _) if is_next => Order::Next,
            (true, true) if version >= self.newest => Order::Next,
            (true, false) if version > self.newest => Order::Gap,
            (true, _) => Order::Old,
        }
    }

    /// A document has been taken.
    pub(super) fn take(&mut self, version: u32) {
        *self = Self { newest: version, is_known: true };
    }
}
