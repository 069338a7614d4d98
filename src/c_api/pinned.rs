//! What the C face of a document points to.

use std::any::Any;
use std::ffi::c_uint;

use super::document_types::{CPair, CPlace, List};
use super::text::{Str, str_of};
use crate::document::Version;

/// Values that stay where they are as long as this lives.
#[derive(Default)]
pub(super) struct Pinned(Vec<Box<dyn Any>>);

impl Pinned {
    /// Keeps a list and says where it is; null when it is empty.
    pub(super) fn list<T: 'static>(&mut self, list: Vec<T>) -> List<T> {
        if list.is_empty() {
            return List { number: 0, items: std::ptr::null() };
        }
        let face = List { number: c_uint::try_from(list.len()).unwrap_or(c_uint::MAX), items: list.as_ptr() };
        // The items of a vector stay where they are when it moves.
        self.0.push(Box::new(list));
        face
    }

    /// Keeps one value.
    pub(super) fn one<T: 'static>(&mut self, value: T) -> *const T {
        self.list(vec![value]).items
    }

    /// Keeps texts.
    pub(super) fn texts(&mut self, texts: &[String]) -> List<Str> {
        self.list(texts.iter().map(|each| text(each)).collect())
    }

    /// Keeps names with their values.
    pub(super) fn pairs<'a>(&mut self, pairs: impl Iterator<Item = (&'a str, &'a str)>) -> List<CPair> {
        self.list(pairs.map(|(name, value)| CPair { name: text(name), value: text(value) }).collect())
    }
}

/// A text that the document owns.
pub(super) fn text(text: &str) -> Str {
    str_of(text.as_bytes())
}

/// The same; empty when it is missing.
pub(super) fn text_or_none(said: Option<&String>) -> Str {
    text(said.map_or("", String::as_str))
}

/// A number; -1 when it is missing, the largest when it is beyond 63 bits.
pub(super) fn number_or_none(said: Option<impl TryInto<i64>>) -> i64 {
    said.map_or(-1, |number| number.try_into().unwrap_or(i64::MAX))
}

/// The place of a document in its sequence.
pub(super) fn place(version: Option<Version>) -> CPlace {
    CPlace {
        version: number_or_none(version.map(|version| version.number)),
        is_full: version.is_none_or(|version| version.is_full).into(),
    }
}
