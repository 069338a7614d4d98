//! The one reader of XML: walks over a text that has passed the scanner, element by element.
//!
//! A reader of a format takes an element, then its children one after the other with
//! [`Reader::child`], and says of each by name and namespace what it means. What is not read is
//! skipped. No tree, no recursion, no allocation but for texts with references in them; linear in
//! the length of the text as long as each element is read once.
//!
//! ```text
//! while let Some(tuple) = reader.child(&root) {
//!     while let Some(inner) = reader.child(&tuple) {
//!         if inner.may_be("contact", PIDF) {
//!             uri = reader.text(&inner);
//!         }
//!     }
//! }
//! ```

use std::borrow::Cow;

use arrayvec::ArrayVec;

use super::bytes::until_any;
use super::cursor::{Attribute, Cursor};
use super::element::Element;
use super::name::{as_text, same_value, take_reference};
use super::namespaces::{MAX_NAMESPACES, XML_NAMESPACE};
use super::scan::{MAX_DEPTH, RootElement};

/// What comes next in a document.
#[derive(Clone, Copy, Debug)]
pub(super) enum XmlEvent<'a> {
    /// An element starts.
    Start(Element<'a>),
    /// Character data, not empty, with its references and line ends as written.
    Text(&'a str),
    /// The characters of a CDATA section.
    Verbatim(&'a str),
    /// The innermost open element ends.
    End,
}

/// A declaration of a namespace.
#[derive(Clone, Copy, Debug)]
pub(super) struct Declaration<'a> {
    /// Empty for the default namespace.
    pub(super) prefix: &'a [u8],
    /// As written; empty where the default namespace is taken back.
    pub(super) namespace: &'a [u8],
}

impl<'a> Declaration<'a> {
    /// Its prefix as text.
    pub(super) fn prefix(&self) -> &'a str {
        as_text(self.prefix)
    }

    /// Its namespace as written, as text.
    pub(super) fn namespace(&self) -> &'a str {
        as_text(self.namespace)
    }
}

/// A place in a text that has passed [`scan_bytes`](super::scan::scan_bytes): no step fails.
#[derive(Clone)]
pub(super) struct Reader<'a> {
    text: &'a str,
    cursor: Cursor<'a>,
    /// For each open element, how many declarations are in scope around it.
    open: ArrayVec<usize, MAX_DEPTH>,
    declarations: ArrayVec<Declaration<'a>, MAX_NAMESPACES>,
    /// The innermost open element is an empty one: its end comes next.
    is_empty: bool,
}

impl<'a> Reader<'a> {
    /// In front of the root element of `text`.
    pub(super) fn new(text: &'a str, root: &RootElement<'a>) -> Self {
        Self::of_root(text.get(root.tag..).unwrap_or_default())
    }

    /// In front of the root element, with which a text begins that was made of such texts. What is wrong with it ends the reading.
    pub(super) fn of_root(text: &'a str) -> Self {
        let cursor = Cursor::new(text.as_bytes(), false);
        Self { text, cursor, open: ArrayVec::new(), declarations: ArrayVec::new(), is_empty: false }
    }

    /// How much of the text is read.
    pub(super) fn offset(&self) -> usize {
        self.cursor.offset()
    }

    /// The root element, to begin with.
    pub(super) fn root(&mut self) -> Option<Element<'a>> {
        match self.next()? {
            XmlEvent::Start(root) => Some(root),
            XmlEvent::Text(_) | XmlEvent::Verbatim(_) | XmlEvent::End => None,
        }
    }

    /// The next child of an element; `None` when that has ended. Whatever is still unread of the child before is
    /// skipped.
    #[inline]
    pub(super) fn child(&mut self, of: &Element<'a>) -> Option<Element<'a>> {
        self.skip_to(of.depth);
        while self.open.len() == of.depth {
            if let XmlEvent::Start(child) = self.next()? {
                return Some(child);
            }
        }
        None
    }

    /// All text from here to the end of an element, that of inner elements too; comments and tags leave no trace.
    pub(super) fn text(&mut self, of: &Element<'a>) -> Cow<'a, str> {
        let mut text = Cow::Borrowed("");
        while self.open.len() >= of.depth {
            match self.next() {
                Some(XmlEvent::Text(more)) => append(&mut text, resolved(more)),
                Some(XmlEvent::Verbatim(more)) => append(&mut text, with_line_ends(more)),
                Some(XmlEvent::Start(_) | XmlEvent::End) => {}
                None => break,
            }
        }
        text
    }

    /// The text of an element that has just started, up to its first child; that child comes next.
    pub(super) fn text_before_child(&mut self, of: &Element<'a>) -> Cow<'a, str> {
        let mut text = Cow::Borrowed("");
        while self.open.len() == of.depth {
            let before = (self.cursor, self.is_empty);
            match self.next() {
                Some(XmlEvent::Text(more)) => append(&mut text, resolved(more)),
                Some(XmlEvent::Verbatim(more)) => append(&mut text, with_line_ends(more)),
                Some(XmlEvent::Start(_)) => {
                    self.end();
                    (self.cursor, self.is_empty) = before;
                    break;
                }
                Some(XmlEvent::End) | None => break,
            }
        }
        text
    }

    /// Skips to the end of an element.
    pub(super) fn skip(&mut self, element: &Element<'a>) {
        self.skip_to(element.depth.saturating_sub(1));
    }

    /// The whole of an element as written, which must be the one that ended last or one that is still open; skips to its end.
    pub(super) fn whole(&mut self, element: &Element<'a>) -> &'a str {
        self.skip(element);
        self.text.get(element.start..self.cursor.offset()).unwrap_or_default()
    }

    /// The start tag as written, without its `>` or `/>`, of an element that has just started.
    pub(super) fn start_tag(&self, element: &Element<'a>) -> &'a str {
        let tag = self.text.get(element.start..self.cursor.offset()).unwrap_or_default();
        tag.strip_suffix("/>").or_else(|| tag.strip_suffix('>')).unwrap_or(tag)
    }

    /// The declarations of namespaces in scope around an element that is open, or ended last: the outermost first, and
    /// those that are taken back or hidden by inner ones too.
    pub(super) fn around(&self, element: &Element<'a>) -> &[Declaration<'a>] {
        self.declarations.get(..element.outside).unwrap_or_default()
    }

    /// All declarations of namespaces in scope, as [`Self::around`] has them.
    pub(super) fn in_scope(&self) -> &[Declaration<'a>] {
        &self.declarations
    }

    /// The value as written of the attribute `local` in `namespace` of the element that has just started.
    pub(super) fn attribute_in(&self, element: &Element<'a>, local: &str, namespace: &str) -> Option<&'a [u8]> {
        self.attribute_named(element, local, namespace).map(|found| found.value)
    }

    /// The attribute `local` in `namespace` of the element that has just started.
    pub(super) fn attribute_named(&self, element: &Element<'a>, local: &str, namespace: &str) -> Option<Attribute<'a>> {
        let wanted = |prefix| same_value(self.namespace(prefix), namespace.as_bytes());
        let mut named = element.attributes().filter(|each| each.name.local == local.as_bytes());
        named.find(|each| !each.name.prefix.is_empty() && wanted(each.name.prefix))
    }

    /// What comes next; `None` at the end of the root element.
    pub(super) fn next(&mut self) -> Option<XmlEvent<'a>> {
        if self.is_empty {
            self.is_empty = false;
            return Some(self.end());
        }
        loop {
            let from = self.cursor.offset();
            self.cursor.text().ok()?;
            let text = from..self.cursor.offset();
            if !text.is_empty() && !self.open.is_empty() {
                return self.text.get(text).map(XmlEvent::Text);
            }
            match self.cursor.rest {
                [b'<', b'/', ..] => {
                    self.cursor.skip_past(b'>');
                    return Some(self.end());
                }
                [b'<', b'!', b'-', ..] => self.cursor.comment().ok()?,
                [b'<', b'!', ..] => {
                    let from = self.cursor.offset() + b"<![CDATA[".len();
                    self.cursor.cdata().ok()?;
                    let text = from..self.cursor.offset().saturating_sub(b"]]>".len());
                    return self.text.get(text).map(XmlEvent::Verbatim);
                }
                [b'<', b'?', ..] => self.cursor.instruction().ok()?,
                _ => return self.start().map(XmlEvent::Start),
            }
        }
    }

    fn start(&mut self) -> Option<Element<'a>> {
        let (start, outside) = (self.cursor.offset(), self.declarations.len());
        if start > 0 && self.open.is_empty() {
            return None;
        }
        self.cursor.skip(1);
        let name = self.cursor.qname("").ok()?;
        let behind_name = self.cursor.rest;
        while let Some(attribute) = self.cursor.attribute().ok()? {
            // That of the prefix `xml` takes no place: the scanner has not counted it either.
            if let Some(prefix) = attribute.declares().filter(|prefix| *prefix != b"xml") {
                self.declarations.try_push(Declaration { prefix, namespace: attribute.value }).ok()?;
            }
        }
        self.open.try_push(outside).ok()?;
        self.is_empty = self.cursor.rest.first() == Some(&b'/');
        self.cursor.skip(if self.is_empty { 2 } else { 1 });
        let namespace = self.namespace(name.prefix);
        Some(Element { name, namespace, behind_name, depth: self.open.len(), start, outside })
    }

    #[inline]
    fn end(&mut self) -> XmlEvent<'a> {
        let outside = self.open.pop().unwrap_or_default();
        self.declarations.truncate(outside);
        XmlEvent::End
    }

    /// The namespace of a prefix as written; empty for none.
    #[inline]
    fn namespace(&self, prefix: &[u8]) -> &'a [u8] {
        let declared = self.declarations.as_slice().iter().rev().find(|each| each.prefix == prefix);
        match declared {
            Some(declaration) => declaration.namespace,
            None if prefix == b"xml" => XML_NAMESPACE,
            None => &[],
        }
    }

    /// Skips until no more than `depth` elements are open.
    #[inline]
    fn skip_to(&mut self, depth: usize) {
        if self.open.len() > depth {
            self.skip_deeper(depth);
        }
    }

    fn skip_deeper(&mut self, depth: usize) {
        let mut open = self.open.len() - usize::from(std::mem::take(&mut self.is_empty));
        while open > depth {
            match self.skip_markup() {
                Some(Markup::Start) => open += 1,
                Some(Markup::End) => open -= 1,
                Some(Markup::Other) => {}
                None => break,
            }
        }
        while self.open.len() > depth {
            self.end();
        }
    }

    /// Steps over text and one piece of markup, without a look at names.
    fn skip_markup(&mut self) -> Option<Markup> {
        self.cursor.skip(memchr::memchr(b'<', self.cursor.rest)?);
        match self.cursor.rest {
            [b'<', b'/', ..] => {
                self.cursor.skip_past(b'>');
                return Some(Markup::End);
            }
            [b'<', b'!', b'-', ..] => self.cursor.comment().ok()?,
            [b'<', b'!', ..] => self.cursor.cdata().ok()?,
            [b'<', b'?', ..] => self.cursor.instruction().ok()?,
            _ => return self.skip_start_tag(),
        }
        Some(Markup::Other)
    }

    fn skip_start_tag(&mut self) -> Option<Markup> {
        loop {
            let length = until_any(self.cursor.rest, *b"\"'>");
            let is_empty = self.cursor.rest.get(..length)?.ends_with(b"/");
            self.cursor.skip(length);
            let found = *self.cursor.rest.first()?;
            self.cursor.skip(1);
            if found == b'>' {
                return Some(if is_empty { Markup::Other } else { Markup::Start });
            }
            self.cursor.skip_past(found);
        }
    }
}

/// A piece of markup that was skipped.
enum Markup {
    Start,
    End,
    /// An empty element, or something that is none.
    Other,
}

/// Appends to a text, without a copy when there was none.
fn append<'a>(text: &mut Cow<'a, str>, more: Cow<'a, str>) {
    if text.is_empty() {
        *text = more;
    } else {
        text.to_mut().push_str(&more);
    }
}

/// Character data with its references resolved and its line ends as XML 1.0 §2.11 has them.
fn resolved(text: &str) -> Cow<'_, str> {
    let Some(first) = memchr::memchr2(b'&', b'\r', text.as_bytes()) else { return Cow::Borrowed(text) };
    let mut out = String::with_capacity(text.len());
    let (mut rest, mut next) = (text, Some(first));
    while let Some((before, special)) = next.and_then(|at| rest.split_at_checked(at)) {
        out.push_str(before);
        rest = match take_reference(special.as_bytes()) {
            Some((each, after)) => {
                out.push(each);
                special.get(special.len() - after.len()..).unwrap_or_default()
            }
            None => {
                out.push('\n');
                special.strip_prefix("\r\n").or_else(|| special.get(1..)).unwrap_or_default()
            }
        };
        next = memchr::memchr2(b'&', b'\r', rest.as_bytes());
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// Text in which nothing is a reference, with its line ends as XML 1.0 §2.11 has them.
fn with_line_ends(text: &str) -> Cow<'_, str> {
    match memchr::memchr(b'\r', text.as_bytes()) {
        None => Cow::Borrowed(text),
        Some(_) => Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n")),
    }
}
