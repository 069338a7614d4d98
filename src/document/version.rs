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
    pub(super) fn read(text: &str, root: &RootElement<'_>) -> Option<Self> {
        let tag = text.get(root.tag..).unwrap_or_default();
        let value =
            |name: &[u8]| attributes(tag).find(|each| each.name.whole == name).map(|found| found.value.trim_ascii());
        let is_full = value(b"state") != Some(b"partial");
        value(b"version").and_then(grammar::number).map(|number| Self { number, is_full })
    }
}
