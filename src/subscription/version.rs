//! Versions of documents, of which each may tell only what has changed (RFC 3858 §4, RFC 3680 §5, RFC 4235 §4.3).
//!
//! They only show that something is missing. What is newer is said by the CSeq: notifiers are met that begin again at 0 in the
//! same dialog, that give all documents the same version, and that never tell the whole state.

use super::input::Content;

/// The versions of a dialog, as far as they are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(test, derive(Hash))]
pub(super) struct Versions {
    /// Version of the newest document.
    pub(super) newest: u32,
    pub(super) known: Completeness,
}

/// How complete the state of the documents is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(test, derive(Hash))]
pub(super) enum Completeness {
    /// No document with a version has come.
    #[default]
    Nothing,
    /// Nothing is missing.
    Whole,
    /// A document is missing and no whole one has come since. A refresh is to ask for it.
    Missing,
    /// The same, and a refresh that has left asks for it, or has asked in vain.
    Asked,
}

/// The relation of a document to those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// It follows them, or tells everything; or nothing is said of versions.
    Next,
    /// It tells what has changed since one that has not been seen.
    Gap,
}

impl Versions {
    /// The version of a document. After the largest version comes 0.
    pub(super) fn order(self, content: Content) -> Order {
        match content {
            Content::Versioned { version, is_full: false }
                if self.known == Completeness::Nothing || version != self.newest.wrapping_add(1) =>
            {
                Order::Gap
            }
            Content::Versioned { .. }
            | Content::Empty
            | Content::Acceptable
            | Content::List(_)
            | Content::Unsupported
            | Content::Encoded
            | Content::Malformed
            | Content::TooLarge => Order::Next,
        }
    }

    /// Whether the state is known once this has been told.
    pub(super) fn is_whole_with(self, content: Content) -> bool {
        match (self.order(content), content) {
            (Order::Gap, _) => false,
            (Order::Next, Content::Versioned { is_full: true, .. }) => true,
            (Order::Next, _) => !self.has_gap(),
        }
    }

    /// A document has been taken.
    pub(super) fn take(&mut self, content: Content) {
        let known = match self.known {
            _ if self.is_whole_with(content) => Completeness::Whole,
            Completeness::Asked => Completeness::Asked,
            Completeness::Nothing | Completeness::Whole | Completeness::Missing => Completeness::Missing,
        };
        if let Content::Versioned { version, .. } = content {
            *self = Self { newest: version, known };
        }
    }

    fn has_gap(self) -> bool {
        matches!(self.known, Completeness::Missing | Completeness::Asked)
    }
}
