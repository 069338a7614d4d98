//! A document's shape: all of it but its texts and values. What has the shape of a document that was accepted is accepted
//! without a scan.
//!
//! A shape has the document's markup as written, with its names, comments and namespace declarations, and gaps between. A gap
//! takes any text or value of plain ASCII without markup, references and `]`. Nothing that makes a document well-formed (XML 1.0
//! §2.1, Namespaces in XML §7) depends on such a text, nor does a cap, nor what its root is.

use super::block::{Tail, Text};
use super::cursor::Cursor;
use super::usual;
use super::version::Version;

/// Most bytes of markup in a shape, and most gaps. A longer document is scanned each time.
const MOST_MARKUP: usize = 2048;
const MOST_GAPS: usize = 96;

/// The shape of an accepted document.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    /// The markup before each gap, one after the other, and that behind the last one.
    markup: [u8; MOST_MARKUP],
    /// How many bytes that is; none in a shape that no document has.
    length: u16,
    gaps: [Gap; MOST_GAPS],
    count: u16,
}

/// A place for a text or a value.
#[derive(Clone, Copy)]
struct Gap {
    /// How many bytes of markup are before it.
    before: u16,
    /// The byte that ends it: `<` a text, a quote a value.
    end: u8,
    meaning: Meaning,
}

/// What a gap tells about the document.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Meaning {
    Nothing,
    /// The root's `version`.
    Version,
    /// The root's `state`.
    State,
}

impl Shape {
    pub(super) const NONE: Self = Self {
        markup: [0; MOST_MARKUP],
        length: 0,
        gaps: [Gap { before: 0, end: 0, meaning: Meaning::Nothing }; MOST_GAPS],
        count: 0,
    };

    /// Whether this is the shape of `text`, and if it is, the version that the document has.
    #[inline(always)]
    pub(super) fn fits(&self, text: Text<'_, '_>) -> Option<Option<Version>> {
        let mut markup = self.markup.get(..usize::from(self.length))?;
        let (mut version, mut state) = (None, None);
        let mut at = 0;
        for gap in self.gaps.get(..usize::from(self.count))? {
            let (before, behind) = markup.split_at_checked(usize::from(gap.before))?;
            let start = at + u32::from(gap.before);
            if !text.from(at).starts_with(before) {
                return None;
            }
            markup = behind;
            at = match gap.end {
                b'<' => usual::text_end(text, start, text.block(start))?,
                quote => usual::value_end(text, start, quote)?,
            };
            match gap.meaning {
                Meaning::Nothing => {}
                Meaning::Version => version = Some(text.between(start, at)),
                Meaning::State => state = Some(text.between(start, at)),
            }
        }
        // An empty shape would be that of an empty text, which is none of a document.
        (text.from(at) == markup && !markup.is_empty()).then(|| Version::of(version?, state))
    }

    /// Takes the shape of `text`, which has been accepted. If its root, which is at `versioned`, says its version, the shape
    /// tells it. A text that does not fit in leaves a shape that no document has.
    #[cold]
    pub(super) fn take(&mut self, text: &[u8], versioned: Option<usize>) {
        (self.length, self.count) = (0, 0);
        let tail = Tail::of(text);
        if Text::new(text, &tail).and_then(|text| self.take_gaps(text, versioned)).is_none() {
            (self.length, self.count) = (0, 0);
        }
    }

    fn take_gaps(&mut self, text: Text<'_, '_>, versioned: Option<usize>) -> Option<()> {
        let mut cursor = Cursor::new(text.bytes(), false);
        cursor.declaration().ok()?;
        // Where the markup starts that comes next, and whether a start tag was the last.
        let (mut taken, mut was_start) = (0, false);
        loop {
            let start = cursor.place();
            cursor.text().ok()?;
            let end = cursor.place();
            let is_leaf = was_start && cursor.rest.starts_with(b"</");
            let is_space = text.between(start, end).trim_ascii().is_empty();
            if (is_leaf || !is_space) && usual::text_end(text, start, text.block(start)) == Some(end) {
                self.add(text, taken, start, b'<', Meaning::Nothing)?;
                taken = end;
            }
            was_start = false;
            match cursor.rest {
                [] => break,
                [b'<', b'/', ..] => cursor.skip_past(b'>'),
                [b'<', b'!', b'-', ..] => cursor.comment().ok()?,
                [b'<', b'!', ..] => cursor.cdata().ok()?,
                [b'<', b'?', ..] => cursor.instruction().ok()?,
                _ => {
                    let has_version = versioned == Some(cursor.offset());
                    taken = self.take_values(text, &mut cursor, taken, has_version)?;
                    was_start = true;
                }
            }
        }
        self.add_markup(text.from(taken))
    }

    /// Takes the values of the tag at the cursor; where the markup starts that comes next.
    fn take_values(
        &mut self,
        text: Text<'_, '_>,
        cursor: &mut Cursor<'_>,
        mut taken: u32,
        has_version: bool,
    ) -> Option<u32> {
        cursor.skip(1);
        cursor.qname("").ok()?;
        while let Some(attribute) = cursor.attribute().ok()? {
            let end = cursor.place() - 1;
            let start = end - attribute.value.len() as u32;
            let quote = text.byte(end);
            let meaning = match attribute.name.whole {
                b"version" if has_version => Meaning::Version,
                b"state" if has_version => Meaning::State,
                _ => Meaning::Nothing,
            };
            let is_plain = usual::value_end(text, start, quote) == Some(end);
            if is_plain && attribute.declares().is_none() {
                self.add(text, taken, start, quote, meaning)?;
                taken = end;
            } else if meaning != Meaning::Nothing {
                return None;
            }
        }
        cursor.skip_past(b'>');
        Some(taken)
    }

    /// Adds a gap at `at`, and the markup before it.
    fn add(&mut self, text: Text<'_, '_>, taken: u32, at: u32, end: u8, meaning: Meaning) -> Option<()> {
        let before = text.between(taken, at);
        self.add_markup(before)?;
        *self.gaps.get_mut(usize::from(self.count))? = Gap { before: before.len() as u16, end, meaning };
        self.count += 1;
        Some(())
    }

    fn add_markup(&mut self, more: &[u8]) -> Option<()> {
        let start = usize::from(self.length);
        self.markup.get_mut(start..start + more.len())?.copy_from_slice(more);
        self.length += more.len() as u16;
        Some(())
    }
}
