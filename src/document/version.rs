//! Documents in sequence: each has a version, and most have only what has changed.

use super::content_type::ContentType;
use super::cursor::attributes;
use super::error::DocumentError;
use super::root::read_root;
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

/// A type of documents with versions.
pub(super) struct Versioned {
    media_type: &'static str,
    root: &'static str,
    namespace: &'static str,
}

static ALL: [Versioned; 3] = [
    Versioned {
        media_type: "application/watcherinfo+xml",
        root: "watcherinfo",
        namespace: "urn:ietf:params:xml:ns:watcherinfo",
    },
    Versioned { media_type: "application/reginfo+xml", root: "reginfo", namespace: "urn:ietf:params:xml:ns:reginfo" },
    Versioned {
        media_type: "application/dialog-info+xml",
        root: "dialog-info",
        namespace: "urn:ietf:params:xml:ns:dialog-info",
    },
];

impl Versioned {
    /// The type that a Content-Type names, if its documents have versions.
    pub(super) fn find(content_type: &ContentType<'_>) -> Option<&'static Self> {
        ALL.iter().find(|each| content_type.is(each.media_type))
    }

    /// Holds a document against its type, and reads its version; `None` when it has none that can be read.
    pub(super) fn check(&self, text: &str) -> Result<Option<Version>, DocumentError> {
        let root = read_root(text)?;
        if !root.may_be(self.root, self.namespace) {
            let wanted = self.root;
            return Err(DocumentError::NotVersioned { root: root.shown(), wanted, namespace: self.namespace });
        }
        let tag = text.get(root.tag..).unwrap_or_default();
        let value =
            |name: &[u8]| attributes(tag).find(|each| each.name.whole == name).map(|found| found.value.trim_ascii());
        let is_full = value(b"state") != Some(b"partial");
        Ok(value(b"version").and_then(grammar::number).map(|number| Version { number, is_full }))
    }
}
