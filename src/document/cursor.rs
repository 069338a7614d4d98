//! The lexical half of the scanner: a place in a text, and the pieces that can be there.
//!
//! What every tag and every text passes is inlined whatever the compiler thinks of it: calls, and
//! results handed over in memory, would cost more than the work.

use super::bytes::{find, until_any, until_either};
use super::fault::XmlFault;
use super::name::{QName, find_forbidden, take_qname, take_reference};

/// A place in a text, which is UTF-8. Every step forward ends on a character boundary.
#[derive(Clone, Copy)]
pub(super) struct Cursor<'a> {
    /// The text that is still to be read.
    pub(super) rest: &'a [u8],
    /// Length of the whole text.
    length: usize,
    /// Whether characters have to be looked at one by one (see [`super::prescan`]).
    suspicious: bool,
}

/// One attribute of a start tag, its value as written between the quotes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attribute<'a> {
    pub(super) name: QName<'a>,
    pub(super) value: &'a [u8],
    pub(super) offset: usize,
}

impl<'a> Attribute<'a> {
    /// The prefix that this attribute declares: nothing for `xmlns`, `None` if it is no namespace
    /// declaration.
    #[inline]
    pub(super) fn declares(&self) -> Option<&'a [u8]> {
        match (self.name.prefix, self.name.local) {
            (b"", b"xmlns") => Some(b""),
            (b"xmlns", prefix) => Some(prefix),
            _ => None,
        }
    }
}

/// The attributes of the start tag at the start of `element`, which has passed [`scan_bytes`](super::scan::scan_bytes).
pub(super) fn attributes(element: &[u8]) -> impl Iterator<Item = Attribute<'_>> {
    let mut cursor = Cursor::new(element, false);
    cursor.skip(1);
    let named = cursor.qname("not an element name").is_ok();
    std::iter::from_fn(move || cursor.attribute().ok().flatten().filter(|_| named))
}

const FORBIDDEN: &str = "character that XML does not allow";

impl<'a> Cursor<'a> {
    /// At the start of `text`. `suspicious` may be false when the text has no character that XML
    /// does not allow and no "]]>".
    pub(super) fn new(text: &'a [u8], suspicious: bool) -> Self {
        Self { rest: text, length: text.len(), suspicious }
    }

    /// So many bytes behind the start of `text`.
    pub(super) fn at(text: &'a [u8], offset: usize, suspicious: bool) -> Self {
        Self { rest: text.get(offset..).unwrap_or_default(), length: text.len(), suspicious }
    }

    /// How many bytes were stepped over.
    #[inline(always)]
    pub(super) fn offset(&self) -> usize {
        self.length - self.rest.len()
    }

    /// The same, where the text is one that [`Text`](super::block::Text) takes.
    pub(super) fn place(&self) -> u32 {
        self.offset() as u32
    }

    #[cold]
    pub(super) fn fault(&self, problem: &'static str) -> XmlFault {
        XmlFault::Malformed { offset: self.offset(), problem }
    }

    /// S of XML 1.0 §2.3; says whether there was any.
    #[inline(always)]
    pub(super) fn skip_space(&mut self) -> bool {
        let before = self.rest.len();
        while let [b' ' | b'\t' | b'\r' | b'\n', rest @ ..] = self.rest {
            self.rest = rest;
        }
        self.rest.len() < before
    }

    #[inline(always)]
    pub(super) fn qname(&mut self, problem: &'static str) -> Result<QName<'a>, XmlFault> {
        let (name, rest) = take_qname(self.rest).ok_or_else(|| self.fault(problem))?;
        self.rest = rest;
        Ok(name)
    }

    /// XMLDecl of XML 1.0 §2.8, if there is one. What it says was looked at before decoding.
    pub(super) fn declaration(&mut self) -> Result<(), XmlFault> {
        match self.rest {
            [b'<', b'?', b'x', b'm', b'l', b' ' | b'\t' | b'\r' | b'\n', ..] => {
                self.until(b"<?xml", b"?>", "XML declaration is not closed")
            }
            _ => Ok(()),
        }
    }

    /// Comment of XML 1.0 §2.5.
    pub(super) fn comment(&mut self) -> Result<(), XmlFault> {
        self.until(b"<!--", b"--", "comment is not closed")?;
        let [b'>', rest @ ..] = self.rest else {
            return Err(self.fault("\"--\" inside a comment"));
        };
        self.rest = rest;
        Ok(())
    }

    /// PI of XML 1.0 §2.6.
    pub(super) fn instruction(&mut self) -> Result<(), XmlFault> {
        let mut inside = *self;
        inside.skip(2);
        let target = inside.qname("not the name of a processing instruction")?;
        if target.whole.eq_ignore_ascii_case(b"xml") {
            return Err(self.fault("XML declaration is not at the start of the document"));
        }
        if !inside.skip_space() && !inside.rest.starts_with(b"?>") {
            return Err(inside.fault("not the name of a processing instruction"));
        }
        self.until(b"<?", b"?>", "processing instruction is not closed")
    }

    /// CDSect of XML 1.0 §2.7.
    pub(super) fn cdata(&mut self) -> Result<(), XmlFault> {
        self.until(b"<![CDATA[", b"]]>", "CDATA section is not closed")
    }

    /// Steps over `opening`, everything to the next `closing`, and that.
    fn until<const N: usize>(
        &mut self,
        opening: &[u8],
        closing: &[u8; N],
        problem: &'static str,
    ) -> Result<(), XmlFault> {
        let inside = self.rest.get(opening.len()..).unwrap_or_default();
        let length = find(inside, closing).ok_or_else(|| self.fault(problem))?;
        self.skip(opening.len());
        self.characters(length, false)?;
        self.skip(closing.len());
        Ok(())
    }

    /// CharData and references up to the next `<` (XML 1.0 §2.4, §4.1).
    #[inline(always)]
    pub(super) fn text(&mut self) -> Result<(), XmlFault> {
        if let [b'<', ..] = self.rest {
            return Ok(());
        }
        loop {
            self.characters(until_either(self.rest, b'<', b'&'), true)?;
            let [b'&', ..] = self.rest else { return Ok(()) };
            self.reference()?;
        }
    }

    /// The next attribute of a start tag; `None` with the cursor at `>` or `/>`.
    #[inline(always)]
    pub(super) fn attribute(&mut self) -> Result<Option<Attribute<'a>>, XmlFault> {
        let spaced = self.skip_space();
        if let [b'>', ..] | [b'/', b'>', ..] = self.rest {
            return Ok(None);
        }
        if !spaced {
            return Err(self.fault("not an attribute, nor the end of the tag"));
        }
        let offset = self.offset();
        let name = self.qname("not an attribute name")?;
        if !name.prefix.is_empty() && name.local == b"xmlns" {
            return Err(self.fault("attribute called xmlns in a namespace"));
        }
        let quote = match self.rest {
            [b'=', quote @ (b'"' | b'\''), rest @ ..] => {
                self.rest = rest;
                *quote
            }
            _ => self.spaced_quote()?,
        };
        let value = self.value(quote)?;
        Ok(Some(Attribute { name, value, offset }))
    }

    /// Eq of XML 1.0 §2.8, and the quote that follows it.
    #[cold]
    fn spaced_quote(&mut self) -> Result<u8, XmlFault> {
        self.skip_space();
        let [b'=', rest @ ..] = self.rest else {
            return Err(self.fault("attribute without a value"));
        };
        self.rest = rest;
        self.skip_space();
        let [quote @ (b'"' | b'\''), rest @ ..] = self.rest else {
            return Err(self.fault("attribute value is not quoted"));
        };
        self.rest = rest;
        Ok(*quote)
    }

    /// The text before the next `quote`; steps over the quote.
    #[inline(always)]
    fn value(&mut self, quote: u8) -> Result<&'a [u8], XmlFault> {
        let start = self.rest;
        loop {
            self.characters(until_any(self.rest, [quote, b'<', b'&']), false)?;
            match self.rest {
                [b'&', ..] => self.reference()?,
                [byte, rest @ ..] if *byte == quote => {
                    let value = start.get(..start.len() - self.rest.len()).unwrap_or_default();
                    self.rest = rest;
                    return Ok(value);
                }
                _ => return Err(self.fault("attribute value is not closed")),
            }
        }
    }

    fn reference(&mut self) -> Result<(), XmlFault> {
        let (_, rest) =
            take_reference(self.rest).ok_or_else(|| self.fault("not a reference that exists without a DTD"))?;
        self.rest = rest;
        Ok(())
    }

    /// Steps over `length` bytes of characters.
    #[inline(always)]
    fn characters(&mut self, length: usize, is_text: bool) -> Result<(), XmlFault> {
        if self.suspicious {
            self.look_at(length, is_text)?;
        }
        self.skip(length);
        Ok(())
    }

    /// Whether the next `length` bytes may stand where they are.
    fn look_at(&self, length: usize, is_text: bool) -> Result<(), XmlFault> {
        let run = self.rest.get(..length).unwrap_or_default();
        let bracket = if is_text { find(run, b"]]>") } else { None };
        let run = run.get(..bracket.unwrap_or(length)).unwrap_or_default();
        let mut there = *self;
        if let Some(bad) = find_forbidden(run) {
            there.skip(bad);
            return Err(there.fault(FORBIDDEN));
        }
        if let Some(bracket) = bracket {
            there.skip(bracket);
            return Err(there.fault("\"]]>\" in text"));
        }
        Ok(())
    }

    #[inline(always)]
    pub(super) fn skip(&mut self, bytes: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or_default();
    }

    /// Steps over everything up to the next `byte`, and over that.
    #[inline(always)]
    pub(super) fn skip_past(&mut self, byte: u8) {
        self.skip(until_either(self.rest, byte, byte) + 1);
    }
}
