//! Documents in sequence: each has a version, and most have only what has changed.

use super::cursor::attributes;
use super::formats::PIDF_DIFF;
use super::scan::RootElement;
use crate::grammar;

/// The place of a document among those of one subscription, by its root (RFC 3858 §4.1, RFC 3680 §5.1,
/// RFC 4235 §4.1, RFC 5262 §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    /// `version`: goes up by one with each document.
    pub number: u32,
    /// `state` is not `partial`: the document tells the whole state.
    pub is_full: bool,
}

impl Version {
    /// Of a document with this root; `None` when it has no version that can be read.
    pub(super) fn read(text: &[u8], root: &RootElement<'_>) -> Option<Self> {
        let (number, is_full) = root.place(text);
        number.map(|number| Self { number, is_full })
    }

    /// Of the values of these attributes, as written; `None` when the version cannot be read.
    #[inline]
    pub(super) fn of(version: &[u8], state: Option<&[u8]>) -> Option<Self> {
        let number = grammar::number(version.trim_ascii())?;
        Some(Self { number, is_full: state.is_none_or(|state| state.trim_ascii() != b"partial") })
    }
}

impl RootElement<'_> {
    /// The version of a document with this root, if it can be read, and whether the document tells the whole state.
    pub(super) fn place(&self, text: &[u8]) -> (Option<u32>, bool) {
        let (mut number, mut is_full) = (None, !self.may_be("pidf-diff", PIDF_DIFF));
        for each in attributes(text.get(self.tag..).unwrap_or_default()) {
            match each.name.whole {
                b"version" => number = grammar::number(each.value.trim_ascii()),
                b"state" => is_full &= each.value.trim_ascii() != b"partial",
                _ => {}
            }
        }
        (number, is_full)
    }
}
