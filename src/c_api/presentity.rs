//! The structured presentity for C.

use std::ffi::{c_int, c_uint};

use super::convert::str_of;
use super::types::{CContact, CExtension, CNote, CPresentity, CTuple, List, Str};
use crate::document::{self, Basic, ContentType, PIDF_XML};

/// A presence document with its C face. The face points into the document and into the lists, none of which changes
/// or moves as long as this lives.
pub(super) struct PresentityFace {
    face: Box<CPresentity>,
    _document: Box<document::Presentity>,
    _lists: Lists,
}

/// The items that the face's lists point to.
#[derive(Default)]
struct Lists {
    notes: Vec<Box<[CNote]>>,
    extensions: Vec<Box<[CExtension]>>,
    tuples: Vec<Box<[CTuple]>>,
}

impl PresentityFace {
    /// Reads a body; `None` when it is no presence document, or a malformed one.
    pub(super) fn read(content_type: &[u8], body: &[u8]) -> Option<Self> {
        let content_type = ContentType::parse(content_type).ok()?;
        if !content_type.is(PIDF_XML) {
            return None;
        }
        let charset = content_type.parameter("charset");
        let charset = charset.as_ref().map(|charset| charset.as_sent());
        // The size was held against the limit when the body came in.
        let document = document::Presentity::parse(body, charset, body.len()).ok()?;
        let mut lists = Lists::default();
        let tuples = document.tuples.iter().map(|tuple| lists.tuple(tuple)).collect();
        let face = CPresentity {
            size: size_of::<CPresentity>() as c_uint,
            entity: text(&document.entity),
            tuples: kept(&mut lists.tuples, tuples),
            notes: lists.notes(&document.notes),
            extensions: lists.extensions(&document.extensions),
        };
        Some(Self { face: Box::new(face), _document: Box::new(document), _lists: lists })
    }

    pub(super) fn face(&self) -> *const CPresentity {
        &raw const *self.face
    }
}

impl Lists {
    fn tuple(&mut self, tuple: &document::Tuple) -> CTuple {
        let contact = tuple.contact.as_ref();
        let priority = contact.and_then(|contact| contact.priority);
        CTuple {
            id: text(&tuple.id),
            basic: match tuple.basic {
                Basic::Unknown => 0,
                Basic::Open => 1,
                Basic::Closed => 2,
            },
            has_contact: c_int::from(contact.is_some()),
            contact: CContact {
                uri: text(contact.map_or("", |contact| &contact.uri)),
                priority: priority.map_or(-1, c_int::from),
            },
            timestamp: text(tuple.timestamp.as_deref().unwrap_or_default()),
            notes: self.notes(&tuple.notes),
            status_extensions: self.extensions(&tuple.status_extensions),
            extensions: self.extensions(&tuple.extensions),
        }
    }

    fn notes(&mut self, notes: &[document::Note]) -> List<CNote> {
        let face = |note: &document::Note| CNote {
            lang: text(note.lang.as_deref().unwrap_or_default()),
            text: text(&note.text),
        };
        kept(&mut self.notes, notes.iter().map(face).collect())
    }

    fn extensions(&mut self, extensions: &[document::Extension]) -> List<CExtension> {
        let face = |extension: &document::Extension| CExtension {
            ns: text(&extension.namespace),
            name: text(&extension.name),
            xml: text(&extension.xml),
        };
        kept(&mut self.extensions, extensions.iter().map(face).collect())
    }
}

fn text(text: &str) -> Str {
    str_of(text.as_bytes())
}

/// Keeps a list and says where it is; null when it is empty.
fn kept<T>(lists: &mut Vec<Box<[T]>>, list: Vec<T>) -> List<T> {
    if list.is_empty() {
        return List { number: 0, items: std::ptr::null() };
    }
    let list = list.into_boxed_slice();
    let face = List { number: c_uint::try_from(list.len()).unwrap_or(c_uint::MAX), items: list.as_ptr() };
    lists.push(list);
    face
}
