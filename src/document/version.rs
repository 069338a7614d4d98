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
        let (mut number, mut is_full) = (None, true);
        for each in attributes(text.get(root.tag..).unwrap_or_default()) {
            match each.name.whole {
                b"version" => number = grammar::number(each.value.trim_ascii()),
                b"state" => is_full = each.value.trim_ascii() != b"partial",
                _ => {}
            }
        }
        number.map(|number| Self { number, is_full })
    }
}
