//! The typed document of a message for C.

use std::ffi::{c_int, c_uint, c_void};

use super::document_types::{CDocument, CPresentity};
use super::pinned::Pinned;
use super::{dialogs, presentity, registrations, waiting, watchers};
use crate::document::Document;

/// A document with its C face. The face points into the document and into what is kept for it, none of which changes or
/// moves as long as this lives.
pub(super) struct DocumentFace {
    face: CDocument,
    _document: Document,
    _pinned: Pinned,
}

/// The header's `enum qsa_kind`.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
enum DocumentKind {
    Presence = 1,
    Dialogs = 2,
    Registrations = 3,
    Watchers = 4,
    Waiting = 5,
}

impl DocumentFace {
    /// Reads a body; `None` when its type has no reader, or when it is malformed.
    pub(super) fn read(content_type: &[u8], body: &[u8]) -> Option<Box<Self>> {
        // The size was held against the limit when the body came in.
        let document = Document::read(content_type, body, body.len())?;
        let mut pinned = Pinned::default();
        let (kind, at): (_, *const c_void) = match &document {
            Document::Presence(presence) => (DocumentKind::Presence, presentity::face(&mut pinned, presence).cast()),
            Document::Dialogs(info) => (DocumentKind::Dialogs, dialogs::face(&mut pinned, info).cast()),
            Document::Registrations(info) => {
                (DocumentKind::Registrations, registrations::face(&mut pinned, info).cast())
            }
            Document::Watchers(info) => (DocumentKind::Watchers, watchers::face(&mut pinned, info).cast()),
            Document::Messages(summary) => (DocumentKind::Waiting, waiting::face(&mut pinned, summary).cast()),
        };
        let face = CDocument { size: size_of::<CDocument>() as c_uint, kind: kind as c_int, document: at };
        Some(Box::new(Self { face, _document: document, _pinned: pinned }))
    }

    pub(super) fn face(&self) -> *const CDocument {
        &raw const self.face
    }

    /// The document, if it is about presence.
    pub(super) fn presentity(&self) -> Option<*const CPresentity> {
        (self.face.kind == DocumentKind::Presence as c_int).then(|| self.face.document.cast())
    }
}
