//! Versions of documents, of which each may tell only what has changed (RFC 3858 §4, RFC 3680 §5, RFC 4235 §4.3).

use super::input::Content;

/// The newest version of a dialog.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(test, derive(Hash))]
pub(super) struct Versions {
    newest: u32,
    is_known: bool,
    /// A document is missing, and no whole one has come since.
    has_gap: bool,
}

/// How a document stands to those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// It follows them, or tells everything; or nothing is said of versions.
    Next,
    /// It tells what has changed since one that has not been seen.
    Gap,
    /// It has been seen, or a newer one.
    Old,
}

impl Versions {
    /// Where a document stands. After the largest version comes 0. Some notifiers give all their full documents the same
    /// version: those are not old.
    pub(super) fn order(self, content: Content) -> Order {
        let (version, is_full) = match content {
            Content::Versioned { version, is_full } => (version, is_full),
            Content::Empty | Content::Acceptable | Content::Unsupported | Content::Malformed | Content::TooLarge => {
                return Order::Next;
            }
        };
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

    /// Whether the state is known once this has been told.
    pub(super) fn is_whole_with(self, content: Content) -> bool {
        match (self.order(content), content) {
            (Order::Gap | Order::Old, _) => false,
            (Order::Next, Content::Versioned { is_full: true, .. }) => true,
            (Order::Next, _) => !self.has_gap,
        }
    }

    /// A document has been taken.
    pub(super) fn take(&mut self, content: Content) {
        let has_gap = !self.is_whole_with(content);
        if let Content::Versioned { version, .. } = content {
            *self = Self { newest: version, is_known: true, has_gap };
        }
    }

    /// The document is handed on, but counts as missing still.
    pub(super) fn miss(&mut self) {
        self.has_gap = true;
    }
}
