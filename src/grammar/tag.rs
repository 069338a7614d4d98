//! The gate for tags and entity-tags of a peer (law L11).

use super::sets::{TAG, is_all, is_token};

/// The longest tag that is taken from a peer, in bytes.
pub const LONGEST_TAG: usize = 255;

/// The longest entity-tag that is taken from a peer, in bytes.
pub const LONGEST_ENTITY_TAG: usize = 255;

/// The tag of a From or To header, or none: printable ASCII that ends neither a parameter nor a line.
///
/// A tag is a token (RFC 3261 §25.1), but others are met in the field, and nothing depends on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Tag<'a>(&'a [u8]);

impl<'a> Tag<'a> {
    /// There is none.
    pub const NONE: Self = Self(b"");

    /// Judges a tag; an empty one is [none](Self::NONE).
    #[must_use]
    pub fn judge(text: &'a [u8]) -> Option<Self> {
        (text.is_empty() || text.len() <= LONGEST_TAG && is_all(text, TAG)).then_some(Self(text))
    }

    /// The tag as it was written.
    #[must_use]
    pub fn text(self) -> &'a [u8] {
        self.0
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_none(self) -> bool {
        self.0.is_empty()
    }
}

/// An entity-tag: a token (RFC 3903 §11.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EntityTag<'a>(&'a [u8]);

impl<'a> EntityTag<'a> {
    /// Judges an entity-tag.
    #[must_use]
    pub fn judge(text: &'a [u8]) -> Option<Self> {
        (text.len() <= LONGEST_ENTITY_TAG && is_token(text)).then_some(Self(text))
    }

    /// The entity-tag as it was written.
    #[must_use]
    pub fn text(self) -> &'a [u8] {
        self.0
    }
}
