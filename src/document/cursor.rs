//! The lexical half of the scanner: a place in a text, and the pieces that can stand there.

use super::name::{QName, is_xml_char, take_qname, take_reference};
use super::scan::{Attribute, Fault};

/// A place in a text. Every step forward ends on a character boundary.
#[derive(Clone, Copy)]
pub(super) struct Cursor<'a> {
    pub(super) text: &'a str,
    pub(super) at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    pub(super) fn skip(&mut self, bytes: usize) {
        self.at = self.text.len().min(self.at + bytes);
    }

    pub(super) fn fault(&self, problem: &'static str) -> Fault {
        Fault::Malformed { offset: self.at, problem }
    }

    /// S of XML 1.0 §2.3; says whether there was any.
    pub(super) fn skip_space(&mut self) -> bool {
        let space = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
        let length = self.rest().bytes().take_while(|byte| space(byte)).count();
        self.skip(length);
        length > 0
    }

    pub(super) fn qname(&mut self, problem: &'static str) -> Result<QName<'a>, Fault> {
        let name = take_qname(self.rest()).ok_or_else(|| self.fault(problem))?;
        self.skip(name.whole.len());
        Ok(name)
    }

    /// XMLDecl of XML 1.0 §2.8, if there is one. What it says was looked at before decoding.
    pub(super) fn declaration(&mut self) -> Result<(), Fault> {
        let rest = self.rest().strip_prefix("<?xml").unwrap_or_default();
        if rest.starts_with([' ', '\t', '\r', '\n']) {
            self.until("<?xml", "?>", "XML declaration is not closed")?;
        }
        Ok(())
    }

    /// Comment of XML 1.0 §2.5.
    pub(super) fn comment(&mut self) -> Result<(), Fault> {
        self.until("<!--", "--", "comment is not closed")?;
        if !self.rest().starts_with('>') {
            return Err(self.fault("\"--\" inside a comment"));
        }
        self.skip(1);
        Ok(())
    }

    /// PI of XML 1.0 §2.6.
    pub(super) fn instruction(&mut self) -> Result<(), Fault> {
        let mut inside = *self;
        inside.skip(2);
        let target = inside.qname("not the name of a processing instruction")?;
        if target.whole.eq_ignore_ascii_case("xml") {
            return Err(self.fault("XML declaration is not at the start of the document"));
        }
        if !inside.skip_space() && !inside.rest().starts_with("?>") {
            return Err(inside.fault("not the name of a processing instruction"));
        }
        self.until("<?", "?>", "processing instruction is not closed")
    }

    /// CDSect of XML 1.0 §2.7.
    pub(super) fn cdata(&mut self) -> Result<(), Fault> {
        self.until("<![CDATA[", "]]>", "CDATA section is not closed")
    }

    /// Steps over `opening`, everything to the next `closing`, and that.
    fn until(&mut self, opening: &str, closing: &str, problem: &'static str) -> Result<(), Fault> {
        let inside = self.rest().get(opening.len()..).unwrap_or_default();
        let length = inside.find(closing).ok_or_else(|| self.fault(problem))?;
        let inside = inside.get(..length).unwrap_or_default();
        self.skip(opening.len());
        if let Some(bad) = inside.find(|each| !is_xml_char(each)) {
            self.skip(bad);
            return Err(self.fault("character that XML does not allow"));
        }
        self.skip(length + closing.len());
        Ok(())
    }

    /// CharData and references up to the next `<` (XML 1.0 §2.4, §4.1).
    pub(super) fn text(&mut self) -> Result<(), Fault> {
        self.characters(|byte| byte == b'<', true)
    }

    /// The next attribute of a start tag; `None` with the cursor at `>` or `/>`.
    pub(super) fn attribute(&mut self) -> Result<Option<Attribute<'a>>, Fault> {
        let spaced = self.skip_space();
        if self.rest().starts_with('>') || self.rest().starts_with("/>") {
            return Ok(None);
        }
        if !spaced {
            return Err(self.fault("not an attribute, nor the end of the tag"));
        }
        let offset = self.at;
        let name = self.qname("not an attribute name")?;
        if !name.prefix.is_empty() && name.local == "xmlns" {
            return Err(self.fault("attribute called xmlns in a namespace"));
        }
        self.skip_space();
        if !self.rest().starts_with('=') {
            return Err(self.fault("attribute without a value"));
        }
        self.skip(1);
        self.skip_space();
        let quote = match self.rest().as_bytes() {
            [quote @ (b'"' | b'\''), ..] => *quote,
            _ => return Err(self.fault("attribute value is not quoted")),
        };
        self.skip(1);
        let start = self.at;
        self.characters(|byte| byte == quote || byte == b'<', false)?;
        let value = self.text.get(start..self.at).unwrap_or_default();
        if self.rest().as_bytes().first() != Some(&quote) {
            return Err(self.fault("attribute value is not closed"));
        }
        self.skip(1);
        Ok(Some(Attribute { name, value, offset }))
    }

    /// Steps over characters and references to a byte that `ends`, or to the end of the text.
    fn characters(&mut self, ends: impl Fn(u8) -> bool, is_text: bool) -> Result<(), Fault> {
        let bytes = self.text.as_bytes();
        while let Some(&byte) = bytes.get(self.at) {
            match byte {
                byte if ends(byte) => return Ok(()),
                b'&' => {
                    let (_, length) = take_reference(self.rest())
                        .ok_or_else(|| self.fault("not a reference that exists without a DTD"))?;
                    self.at += length;
                }
                b']' if is_text && self.rest().starts_with("]]>") => {
                    return Err(self.fault("\"]]>\" in text"));
                }
                b'\t' | b'\n' | b'\r' => self.at += 1,
                0..b' ' => return Err(self.fault("character that XML does not allow")),
                // U+FFFE and U+FFFF.
                0xEF if matches!(bytes.get(self.at..), Some([_, 0xBF, 0xBE | 0xBF, ..])) => {
                    return Err(self.fault("character that XML does not allow"));
                }
                _ => self.at += 1,
            }
        }
        Ok(())
    }
}
