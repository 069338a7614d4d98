//! An element, as the reader shows it: its name, its namespace and its attributes.

use std::borrow::Cow;

use super::cursor::{Attribute, Cursor};
use super::name::{QName, as_text, same_value, value_text};

/// The start tag of an element.
#[derive(Clone, Copy, Debug)]
pub(super) struct Element<'a> {
    pub(super) name: QName<'a>,
    /// Its namespace as written (see [`same_value`]); empty when it has none.
    pub(super) namespace: &'a [u8],
    /// The text from behind its name on.
    pub(super) behind_name: &'a [u8],
    /// How many elements are open inside it: 1 for the root.
    pub(super) depth: usize,
    /// Where it starts in the reader's text.
    pub(super) start: usize,
    /// How many declarations of namespaces are in scope around it.
    pub(super) outside: usize,
}

impl<'a> Element<'a> {
    /// Its name without the prefix.
    pub(super) fn local(&self) -> &'a str {
        as_text(self.name.local)
    }

    /// Its namespace; empty when it has none.
    pub(super) fn namespace(&self) -> Cow<'a, str> {
        value(self.namespace)
    }

    /// Whether this is the element `local` of `namespace`.
    #[inline]
    pub(super) fn is(&self, local: &str, namespace: &str) -> bool {
        self.name.local == local.as_bytes() && self.is_in(namespace)
    }

    /// Whether this is the element `local` of `namespace`, or one of that name in no namespace.
    #[inline]
    pub(super) fn may_be(&self, local: &str, namespace: &str) -> bool {
        self.name.local == local.as_bytes() && self.may_be_in(namespace)
    }

    /// Whether it is in `namespace`.
    #[inline]
    pub(super) fn is_in(&self, namespace: &str) -> bool {
        let namespace = namespace.as_bytes();
        self.namespace == namespace || same_value(self.namespace, namespace)
    }

    /// Whether it is in `namespace` or in none.
    #[inline]
    pub(super) fn may_be_in(&self, namespace: &str) -> bool {
        self.namespace.is_empty() || self.is_in(namespace)
    }

    /// The value of the attribute `name`, which has no prefix; its white space and references are resolved, and it is
    /// not trimmed.
    pub(super) fn attribute(&self, name: &str) -> Option<Cow<'a, str>> {
        let found = self.attributes().find(|each| each.name.whole == name.as_bytes())?;
        Some(value(found.value))
    }

    /// The language of what it says, by its own `xml:lang` (XML 1.0 §2.12).
    pub(super) fn lang(&self) -> Option<Cow<'a, str>> {
        self.attribute("xml:lang")
    }

    /// All its attributes as written, with declarations of namespaces.
    pub(super) fn attributes(&self) -> impl Iterator<Item = Attribute<'a>> + use<'a> {
        let mut cursor = Cursor::new(self.behind_name, false);
        std::iter::from_fn(move || cursor.attribute().ok().flatten())
    }
}

/// A value of an attribute, its references and white space normalised (XML 1.0 §3.3.3).
pub(super) fn value(written: &[u8]) -> Cow<'_, str> {
    let is_plain = !written.iter().any(|byte| matches!(byte, b'&' | b'\t' | b'\n' | b'\r'));
    if is_plain { Cow::Borrowed(as_text(written)) } else { Cow::Owned(value_text(written)) }
}
