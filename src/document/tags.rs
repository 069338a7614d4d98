//! The scanner at a tag: names, attributes, and the element that it opens or closes.

use super::block::{ByteBlock, Text};
use super::cursor::Attribute;
use super::fault::XmlFault;
use super::name::take_qname;
use super::namespaces::Named;
use super::scan::{MAX_DEPTH, Scanner};
use super::usual::{self, UsualName};

/// An element that is open: where its tag is, and how many bytes `<` and its name take there.
#[derive(Clone, Copy, Default)]
pub(super) struct Open {
    tag: u32,
    width: u32,
}

/// A start tag or an empty element: how many bytes `<` and its name take, and the place behind it.
#[derive(Clone, Copy)]
pub(super) struct TagHead {
    pub(super) width: u32,
    behind: u32,
    is_empty: bool,
}

impl<'a> Scanner<'a> {
    /// A start tag, an empty element, or markup that is no tag, at `at`. `depth` is how many elements are open.
    #[inline(always)]
    pub(super) fn start_tag(
        &mut self,
        text: Text<'a, '_>,
        at: u32,
        block: ByteBlock,
        depth: &mut usize,
    ) -> Result<u32, XmlFault> {
        let Some(name) = usual::name(block, 1) else { return self.other_markup(text, at, depth) };
        match text.byte(at + name.end) {
            b'>' if self.is_declared(name, block) => {
                self.nodes += 1;
                self.open(at, name.end, depth)?;
                Ok(at + name.end + 1)
            }
            b'/' if text.byte(at + name.end + 1) == b'>' && self.is_declared(name, block) => {
                self.nodes += 1;
                Ok(at + name.end + 2)
            }
            _ => {
                let outside = self.namespaces.len();
                let tag = match self.usual_tag::<false>(text, at, name.end, |this| this.is_declared(name, block)) {
                    Some(tag) => tag,
                    None => self.other_tag(text, at, outside)?,
                };
                self.enter(at, tag, outside, depth)
            }
        }
    }

    #[inline(always)]
    pub(super) fn is_declared(&mut self, name: UsualName, block: ByteBlock) -> bool {
        !name.has_prefix() || self.namespaces.declares(block.word())
    }

    /// Goes into an element, unless it is empty. `outside` is how many namespaces were in scope before it.
    #[inline(always)]
    pub(super) fn enter(&mut self, at: u32, tag: TagHead, outside: usize, depth: &mut usize) -> Result<u32, XmlFault> {
        let has_declared = self.namespaces.len() > outside;
        if tag.is_empty {
            if has_declared {
                self.namespaces.leave(outside);
            }
            return Ok(tag.behind);
        }
        if has_declared && let Some(to) = self.outside.get_mut(*depth) {
            *to = outside as u8;
            self.declaring |= 1 << *depth;
            self.innermost = *depth;
        }
        self.open(at, tag.width, depth)?;
        Ok(tag.behind)
    }

    #[inline(always)]
    fn open(&mut self, tag: u32, width: u32, depth: &mut usize) -> Result<(), XmlFault> {
        let Some(open) = self.open.get_mut(*depth) else {
            return Err(XmlFault::Limit { what: "elements nested in each other", limit: MAX_DEPTH });
        };
        *open = Open { tag, width };
        *depth += 1;
        Ok(())
    }

    /// A start tag or an empty element at `at`, of which `<` and the name take so many bytes. `is_declared` says whether
    /// the prefix of the name is. With `ANY_NAMES` those of attributes may be any.
    #[inline(always)]
    pub(super) fn usual_tag<const ANY_NAMES: bool>(
        &mut self,
        text: Text<'a, '_>,
        at: u32,
        width: u32,
        is_declared: impl FnOnce(&mut Self) -> bool,
    ) -> Option<TagHead> {
        let mut end = at + width;
        if let b' ' | b'\t' | b'\r' | b'\n' = text.byte(end) {
            end = self.usual_attributes::<ANY_NAMES>(text, end)?;
        }
        if !is_declared(self) {
            return None;
        }
        let (is_empty, behind) = match text.byte(end) {
            b'>' => (false, end + 1),
            b'/' if text.byte(end + 1) == b'>' => (true, end + 2),
            _ => return None,
        };
        self.nodes += 1;
        Some(TagHead { width, behind, is_empty })
    }

    /// The attributes of a tag, behind whose name there is white space at `at`, and where they end.
    #[inline(always)]
    fn usual_attributes<const ANY_NAMES: bool>(&mut self, text: Text<'a, '_>, mut at: u32) -> Option<u32> {
        let outside = self.namespaces.len();
        // Most tags have one, of which nothing has to be kept.
        let mut only: Option<Named> = None;
        let mut has_more = false;
        loop {
            at += 1;
            let mut block = text.block(at);
            if block.word() as u8 <= b' ' {
                at = usual::space_end(text, at);
                block = text.block(at);
            }
            let Some(name) = usual::name(block, 0) else {
                // Perhaps the end.
                break;
            };
            let mut name = name;
            if text.byte(at + name.end) != b'=' {
                if !ANY_NAMES {
                    return None;
                }
                name = usual::other_name(text, at).filter(|name| text.byte(at + name.end) == b'=')?;
            }
            let equals = at + name.end;
            let end = usual::value_end(text, equals + 2, text.byte(equals + 1))?;
            if block.word() & XMLNS_MASK == XMLNS {
                let prefix = match name.colon {
                    5 if name.has_prefix() => text.between(at + 6, equals),
                    5 => &[],
                    _ => return None,
                };
                self.namespaces.bind(prefix, text.between(equals + 2, end), at as usize, outside).ok()?;
            } else {
                if name.has_prefix() && text.between(at + name.colon + 1, equals) == b"xmlns" {
                    return None;
                }
                let named = Named::new(at, at + name.colon, equals);
                match only {
                    None => only = Some(named),
                    Some(first) => {
                        if !has_more {
                            self.namespaces.begin_tag();
                            self.namespaces.take(first).ok()?;
                        }
                        has_more = true;
                        self.namespaces.take(named).ok()?;
                    }
                }
            }
            at = end + 1;
            if !matches!(text.byte(at), b' ' | b'\t' | b'\r' | b'\n') {
                break;
            }
        }
        match only {
            Some(_) if has_more => self.namespaces.check_attributes(text.bytes()).ok()?,
            Some(only) if only.has_prefix() => self.namespaces.check_attribute(text.bytes(), only).ok()?,
            _ => {}
        }
        Some(at)
    }

    /// A tag with anything in it.
    #[cold]
    pub(super) fn other_tag(&mut self, text: Text<'a, '_>, at: u32, outside: usize) -> Result<TagHead, XmlFault> {
        self.namespaces.leave(outside);
        // Often only a name is longer than a block, or has digits.
        if let Some((name, _)) = take_qname(text.from(at + 1)) {
            let width = name.whole.len() as u32 + 1;
            let is_declared = |this: &mut Self| this.namespaces.resolve(name.prefix, 0).is_ok();
            if let Some(tag) = self.usual_tag::<true>(text, at, width, is_declared) {
                return Ok(tag);
            }
        }
        self.namespaces.leave(outside);
        self.namespaces.begin_tag();
        self.nodes += 1;
        let mut cursor = self.cursor(text, at)?;
        cursor.skip(1);
        let name = cursor.qname("not an element name")?;
        if !matches!(cursor.rest, [b'>', ..] | [b'/', b'>', ..]) {
            while let Some(attribute) = cursor.attribute()? {
                let Attribute { name, value, offset } = attribute;
                match attribute.declares() {
                    Some(prefix) => self.namespaces.bind(prefix, value, offset, outside)?,
                    None => {
                        let start = offset as u32;
                        let end = start + name.whole.len() as u32;
                        let colon = if name.prefix.is_empty() { end } else { start + name.prefix.len() as u32 };
                        self.namespaces.take(Named::new(start, colon, end))?;
                    }
                }
            }
        }
        self.namespaces.resolve(name.prefix, at as usize)?;
        self.namespaces.check_attributes(text.bytes())?;
        let is_empty = cursor.rest.starts_with(b"/");
        cursor.skip(if is_empty { 2 } else { 1 });
        Ok(TagHead { width: name.whole.len() as u32 + 1, behind: cursor.place(), is_empty })
    }

    /// The end tag of the innermost element, at `at`; so many are open around it.
    #[inline(always)]
    pub(super) fn end_tag(&mut self, text: Text<'a, '_>, at: u32, depth: usize) -> Result<u32, XmlFault> {
        let open = self.open.get(depth % MAX_DEPTH).copied().unwrap_or_default();
        // One starts with `<`, the other with `/`.
        let same = text.block(open.tag).same(text.block(at + 1)).first_other(1);
        let end = at + 1 + open.width;
        let is_usual = same >= open.width && text.byte(end) == b'>';
        let behind = if is_usual { end + 1 } else { self.other_end_tag(text, at, open)? };
        if depth <= self.innermost {
            self.leave(depth);
        }
        Ok(behind)
    }

    /// Takes back the declarations of the element that ends; so many are open around it.
    #[cold]
    fn leave(&mut self, depth: usize) {
        if self.declaring >> depth & 1 != 0 {
            let outside = self.outside.get(depth).copied().unwrap_or_default();
            self.namespaces.leave(usize::from(outside));
        }
        self.declaring &= (1 << depth) - 1;
        self.innermost = self.declaring.checked_ilog2().unwrap_or(0) as usize;
    }

    /// An end tag of an element that has white space in it, a long name, or something wrong.
    #[cold]
    fn other_end_tag(&mut self, text: Text<'a, '_>, at: u32, open: Open) -> Result<u32, XmlFault> {
        let end = at + 1 + open.width;
        let name = text.between(open.tag + 1, open.tag + open.width);
        if text.between(at + 2, end) == name && text.byte(end) == b'>' {
            return Ok(end + 1);
        }
        let mut cursor = self.cursor(text, at)?;
        cursor.skip(2);
        let closed = cursor.qname("not an element name")?;
        cursor.skip_space();
        let [b'>', rest @ ..] = cursor.rest else {
            return Err(cursor.fault("end tag is not closed"));
        };
        cursor.rest = rest;
        if closed.whole != name {
            return Err(XmlFault::malformed(at as usize, "end tag does not match the open element"));
        }
        Ok(cursor.place())
    }
}

/// The start of the names of namespace declarations, as the lowest bytes of a word.
const XMLNS: u64 = u64::from_le_bytes(*b"xmlns\0\0\0");
const XMLNS_MASK: u64 = u64::from_le_bytes(*b"\xFF\xFF\xFF\xFF\xFF\0\0\0");
