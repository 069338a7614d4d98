//! Documents in sequence: each has a version, and most have only what has changed.

use super::cursor::attributes;
use super::scan::RootElement;
use crate::grammar;

/// The place of a document among those of one subscription, by its root (RFC 3858 §4.1, RFC 3680 §5.1,
/// RFC 4235 §4.1).
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
        let (mut number, mut state) = (None, None);
        for each in attributes(text.get(root.tag..).unwrap_or_default()) {
            match each.name.whole {
                b"version" => number = Some(each.value),
                b"state" => state = Some(each.value),
                _ => {}
            }
        }
        Self::of(number?, state)
    }

    /// Of the values of these attributes, as written; `None` when the version cannot be read.
    #[inline]
    pub(super) fn of(version: &[u8], state: Option<&[u8]>) -> Option<Self> {
        let number = grammar::number(version.trim_ascii())?;
        Some(Self { number, is_full: state.is_none_or(|state| state.trim_ascii() != b"partial") })
    }
}
