//! Is this well-formed XML, within the caps? One pass, no allocation, no recursion.
//!
//! Checks XML 1.0 well-formedness and Namespaces in XML, and refuses any document type
//! declaration, so that no entity exists but the five predefined ones (conformance: no DTD, no
//! external entities, depth and size caps, no quadratic parse). What passes here is accepted by
//! the tree parser too; a property test holds the two against each other.
//!
//! Each piece of markup is first read as nearly all documents have it ([`usual`]), which takes a small part of the
//! work. If that refuses it, [`Cursor`] reads it again, which knows all of XML, and finds the fault.

use super::block::{MOST_TEXT, Tail, Text};
use super::cursor::Cursor;
use super::fault::XmlFault;
use super::name::QName;
use super::namespaces::Namespaces;
use super::prescan::is_suspicious;
use super::tags::Open;
use super::usual;

/// Deepest nesting of elements.
pub(super) const MAX_DEPTH: usize = 64;
/// Most elements, comments and processing instructions in one document.
pub(super) const MAX_NODES: usize = 8192;

/// The result of a scan: the top of a document.
#[derive(Clone, Copy, Debug)]
pub(super) struct RootElement<'a> {
    /// The root element's name.
    pub(super) name: QName<'a>,
    /// Its namespace as written (see [`same_value`](super::name::same_value)); empty when it has none.
    pub(super) namespace: &'a [u8],
    /// Where the root's start tag starts.
    pub(super) tag: usize,
}

/// Knowledge of the characters of a text.
#[derive(Clone, Copy)]
enum Characters {
    /// Nothing: perhaps they are none.
    Unknown,
    /// They are UTF-8.
    Utf8,
    /// They are UTF-8, and [`is_suspicious`] was asked.
    Seen { suspicious: bool },
}

pub(super) struct Scanner<'a> {
    characters: Characters,
    pub(super) open: [Open; MAX_DEPTH],
    /// The open elements that have declared namespaces: a bit for each depth, the innermost one's depth, and how many were
    /// in scope outside of each.
    pub(super) declaring: u64,
    pub(super) innermost: usize,
    pub(super) outside: [u8; MAX_DEPTH],
    pub(super) namespaces: Namespaces<'a>,
    pub(super) nodes: usize,
}

/// Scans a whole document, as [`super::encoding::decode`] returns it.
#[cfg(test)]
pub(super) fn scan(text: &str) -> Result<RootElement<'_>, XmlFault> {
    scan_within(text, MAX_NODES)
}

/// The same, with another cap on elements, comments and processing instructions.
pub(super) fn scan_within(text: &str, most_nodes: usize) -> Result<RootElement<'_>, XmlFault> {
    scan_characters(text.as_bytes(), Characters::Utf8, most_nodes)
}

/// The same for bytes that may be no UTF-8. All that is accepted is UTF-8; a fault counts only in a text that is.
pub(super) fn scan_bytes(bytes: &[u8]) -> Result<RootElement<'_>, XmlFault> {
    scan_characters(bytes, Characters::Unknown, MAX_NODES)
}

#[inline(always)]
fn scan_characters(bytes: &[u8], characters: Characters, most_nodes: usize) -> Result<RootElement<'_>, XmlFault> {
    let tail = Tail::of(bytes);
    let text = Text::new(bytes, &tail).ok_or(XmlFault::Limit { what: "bytes", limit: MOST_TEXT })?;
    let mut scanner = Scanner {
        characters,
        open: [Open::default(); MAX_DEPTH],
        declaring: 0,
        innermost: 0,
        outside: [0; MAX_DEPTH],
        namespaces: Namespaces::new(),
        nodes: 0,
    };
    let found = scanner.document(text);
    // Once there are too many, nothing else counts.
    if scanner.nodes > most_nodes {
        return Err(XmlFault::Limit { what: "elements, comments and processing instructions", limit: most_nodes });
    }
    found
}

impl<'a> Scanner<'a> {
    #[inline(always)]
    fn document(&mut self, text: Text<'a, '_>) -> Result<RootElement<'a>, XmlFault> {
        let behind = self.declaration(text)?;
        let at = self.misc(text, behind)?;
        if text.byte(at) != b'<' || text.byte(at + 1) == b'!' {
            return Err(self.no_root(text, at));
        }
        let (root, behind) = self.root(text, at)?;
        let at = self.misc(text, behind)?;
        if (at as usize) < text.bytes().len() {
            return Err(XmlFault::malformed(at as usize, "something follows the root element"));
        }
        Ok(root)
    }

    /// A place from which everything can be read.
    #[cold]
    pub(super) fn cursor(&mut self, text: Text<'a, '_>, at: u32) -> Result<Cursor<'a>, XmlFault> {
        let text = text.bytes();
        let suspicious = match self.characters {
            Characters::Seen { suspicious } => suspicious,
            Characters::Unknown if std::str::from_utf8(text).is_err() => {
                return Err(XmlFault::malformed(at as usize, "not UTF-8"));
            }
            Characters::Unknown | Characters::Utf8 => is_suspicious(text),
        };
        self.characters = Characters::Seen { suspicious };
        Ok(Cursor::at(text, at as usize, suspicious))
    }

    /// Behind the XML declaration, if there is one.
    #[inline(always)]
    fn declaration(&mut self, text: Text<'a, '_>) -> Result<u32, XmlFault> {
        if text.byte(1) != b'?' {
            return Ok(0);
        }
        match usual::declaration_end(text) {
            Some(end) => Ok(end),
            None => {
                let mut cursor = self.cursor(text, 0)?;
                cursor.declaration()?;
                Ok(cursor.place())
            }
        }
    }

    /// Misc of XML 1.0 §2.8: all that may surround the root element.
    #[inline(always)]
    fn misc(&mut self, text: Text<'a, '_>, at: u32) -> Result<u32, XmlFault> {
        let mut at = usual::space_end(text, at);
        while let [b'<', b'?', ..] | [b'<', b'!', b'-', b'-', ..] = text.from(at) {
            at = usual::space_end(text, self.other_markup(text, at, &mut 0)?);
        }
        Ok(at)
    }

    /// Why there is no root at `at`.
    #[cold]
    fn no_root(&mut self, text: Text<'a, '_>, at: u32) -> XmlFault {
        match text.from(at) {
            [b'<', b'!', b'D', b'O', b'C', b'T', b'Y', b'P', b'E', ..] => XmlFault::Dtd,
            [b'<', ..] => self.no_markup(at),
            _ => XmlFault::malformed(at as usize, "no root element"),
        }
    }

    fn no_markup(&mut self, at: u32) -> XmlFault {
        self.nodes += 1;
        XmlFault::malformed(at as usize + 1, "not an element name")
    }

    /// The root element at `at`, and the place behind it.
    #[inline(always)]
    fn root(&mut self, text: Text<'a, '_>, at: u32) -> Result<(RootElement<'a>, u32), XmlFault> {
        let block = text.block(at);
        let usual = usual::name(block, 1)
            .and_then(|name| self.usual_tag::<false>(text, at, name.end, |this| this.is_declared(name, block)));
        let tag = match usual {
            Some(tag) => tag,
            None => self.other_tag(text, at, 0)?,
        };
        let name = QName::of(text.between(at + 1, at + tag.width));
        // Nothing more is in scope than what the root declares.
        let namespace = self.namespaces.namespace(name.prefix);
        let root = RootElement { name, namespace, tag: at as usize };
        let mut depth = 0;
        let behind = self.enter(at, tag, 0, &mut depth)?;
        let behind = if depth == 0 { behind } else { self.content(text, behind)? };
        Ok((root, behind))
    }

    /// The content of the root, and its end tag.
    #[inline(always)]
    fn content(&mut self, text: Text<'a, '_>, mut at: u32) -> Result<u32, XmlFault> {
        let mut depth = 1;
        loop {
            let block = text.block(at);
            let word = block.word();
            if word as u16 == END_TAG {
                depth -= 1;
                at = self.end_tag(text, at, depth)?;
                if depth == 0 {
                    return Ok(at);
                }
            } else if word as u8 == b'<' {
                at = self.start_tag(text, at, block, &mut depth)?;
            } else {
                at = match usual::text_end(text, at, block) {
                    Some(end) => end,
                    None => self.other_text(text, at)?,
                };
            }
        }
    }

    #[cold]
    fn other_text(&mut self, text: Text<'a, '_>, at: u32) -> Result<u32, XmlFault> {
        let mut cursor = self.cursor(text, at)?;
        cursor.text()?;
        match cursor.rest {
            [b'<', ..] => Ok(cursor.place()),
            _ => Err(cursor.fault("document ends inside an element")),
        }
    }

    /// A comment, a processing instruction, a CDATA section, a tag with an unusual name, or none of these.
    #[cold]
    pub(super) fn other_markup(&mut self, text: Text<'a, '_>, at: u32, depth: &mut usize) -> Result<u32, XmlFault> {
        if !matches!(text.byte(at + 1), b'!' | b'?') {
            let outside = self.namespaces.len();
            let tag = self.other_tag(text, at, outside)?;
            return self.enter(at, tag, outside, depth);
        }
        let mut cursor = self.cursor(text, at)?;
        match cursor.rest {
            [b'<', b'!', b'[', b'C', b'D', b'A', b'T', b'A', b'[', ..] => cursor.cdata()?,
            [b'<', b'!', b'-', b'-', ..] => {
                self.nodes += 1;
                cursor.comment()?;
            }
            [b'<', b'?', ..] => {
                self.nodes += 1;
                cursor.instruction()?;
            }
            _ => return Err(self.no_markup(at)),
        }
        Ok(cursor.place())
    }
}

/// How an end tag starts, as the lowest bytes of a word.
const END_TAG: u16 = u16::from_le_bytes(*b"</");
