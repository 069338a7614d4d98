//! Multipart bodies (RFC 2046 §5.1), read part by part where they lie.
//!
//! Tolerated, because senders do it: lines that end with LF alone, blanks behind a boundary, text before the first boundary
//! (an empty line, most often), a boundary longer than 70 characters or with others than the grammar has, and a last part
//! that no boundary ends. A Content-Length of a part counts for nothing: the boundary says where the part ends. A line
//! that only begins with the boundary is text, so that one boundary may be the beginning of another.

use memchr::memchr;
use memchr::memmem::Finder;

use super::content_type::ContentType;
use super::error::DocumentError;

/// The most parts that one body may have.
const MOST_PARTS: usize = 65_536;

/// The most bytes that the headers of one part may have, its empty line included.
const MOST_HEADERS: usize = 8 * 1024;

/// The most bytes of a boundary: more than the 70 of RFC 2046 §5.1.1, which not every sender keeps.
const MOST_BOUNDARY: usize = 256;

/// The parts of a multipart body in their order. Time is linear in the size of the body, memory the boundary's.
///
/// After an error there is nothing more.
#[derive(Debug)]
pub struct Parts<'a> {
    body: &'a [u8],
    /// Looks for a line end, two hyphens and the boundary.
    finder: Finder<'static>,
    next: Next,
    left: usize,
}

/// One part: the values of its headers as sent, without white space around them; of equal headers the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Part<'a> {
    /// Content-Type; text/plain when there is none (RFC 2046 §5.1).
    pub content_type: Option<&'a [u8]>,
    /// Content-ID, without the angle brackets: what a `cid` names (RFC 2392).
    pub content_id: Option<&'a [u8]>,
    /// Content-Disposition.
    pub disposition: Option<&'a [u8]>,
    /// Content-Encoding, which SIP has for parts too.
    pub encoding: Option<&'a [u8]>,
    /// Content-Transfer-Encoding.
    pub transfer_encoding: Option<&'a [u8]>,
    /// What lies behind the empty line, without the line end that belongs to the boundary.
    pub body: &'a [u8],
}

#[derive(Clone, Copy, Debug)]
enum Next {
    /// Nothing has been read.
    First,
    /// The part behind this boundary.
    Part(Line),
    /// The last boundary, the end of the body, or an error was met.
    Nothing,
}

/// A line with the boundary.
#[derive(Clone, Copy, Debug)]
struct Line {
    /// Where the line end before it is; what lies before belongs to the part that it ends.
    start: usize,
    /// Where its own line end is, or the end of the body.
    end: usize,
    /// Whether it ends the last part.
    is_last: bool,
}

impl<'a> Parts<'a> {
    /// The parts of a body with this Content-Type.
    ///
    /// # Errors
    /// When the Content-Type has no boundary, or one that no line can have.
    pub fn of(content_type: &ContentType<'_>, body: &'a [u8]) -> Result<Self, DocumentError> {
        let boundary = content_type.parameter("boundary").ok_or(refused("its Content-Type has no boundary"))?;
        let boundary = boundary.to_string();
        // What a transport may add behind a line is no part of it (RFC 2046 §5.1.1).
        let boundary = boundary.trim_end_matches(' ');
        if boundary.is_empty() || boundary.len() > MOST_BOUNDARY || boundary.chars().any(char::is_control) {
            return Err(refused("its boundary is none that a line can have"));
        }
        let wanted = ["\n--", boundary].concat();
        Ok(Self { body, finder: Finder::new(&wanted).into_owned(), next: Next::First, left: MOST_PARTS })
    }

    /// The next part, `None` behind the last.
    fn step(&mut self) -> Result<Option<Part<'a>>, DocumentError> {
        let line = match std::mem::replace(&mut self.next, Next::Nothing) {
            Next::First => self.first().ok_or(refused("no line has its boundary"))?,
            Next::Part(line) => line,
            Next::Nothing => return Ok(None),
        };
        if line.is_last {
            return Ok(None);
        }
        let limit = DocumentError::TooComplex { what: "parts", limit: MOST_PARTS };
        self.left = self.left.checked_sub(1).ok_or(limit)?;
        let start = (line.end + 1).min(self.body.len());
        // The line end of this line may be the one before the next, when the part is empty.
        let ending = self.line_from(line.end);
        let end = ending.map_or(self.body.len(), |ending| ending.start);
        let text = self.body.get(start..end).unwrap_or_default();
        let text = if ending.is_some() { text.strip_suffix(b"\r").unwrap_or(text) } else { text };
        let part = Part::read(text)?;
        self.next = ending.map_or(Next::Nothing, Next::Part);
        Ok(Some(part))
    }

    fn first(&self) -> Option<Line> {
        let wanted = self.finder.needle();
        let is_first = wanted.get(1..).is_some_and(|wanted| self.body.starts_with(wanted));
        let line = if is_first { self.line(0, wanted.len() - 1) } else { None };
        line.or_else(|| self.line_from(0))
    }

    /// The first line with the boundary whose line end before it is at `from` or later.
    fn line_from(&self, from: usize) -> Option<Line> {
        let length = self.finder.needle().len();
        let places = self.finder.find_iter(self.body.get(from..)?);
        places.map(|place| from + place).find_map(|start| self.line(start, start + length))
    }

    /// The line whose boundary ends at `end`, if nothing else is in that line.
    fn line(&self, start: usize, end: usize) -> Option<Line> {
        let rest = self.body.get(end..)?;
        let (is_last, rest) = rest.strip_prefix(b"--").map_or((false, rest), |rest| (true, rest));
        let rest = skip_blanks(rest);
        match rest.strip_prefix(b"\r").unwrap_or(rest) {
            // A zero byte ends the C string of some senders.
            line_end @ ([] | [b'\n', ..]) => Some(Line { start, end: self.body.len() - line_end.len(), is_last }),
            [0, ..] if is_last => Some(Line { start, end: self.body.len(), is_last }),
            [..] => None,
        }
    }
}

impl<'a> Iterator for Parts<'a> {
    type Item = Result<Part<'a>, DocumentError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.step().transpose()
    }
}

impl<'a> Part<'a> {
    /// Whether the body is the document itself: no encoding but those that leave it as it is.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        let is_one_of = |value: Option<&[u8]>, known: &[&str]| {
            value.is_none_or(|value| known.iter().any(|known| value.eq_ignore_ascii_case(known.as_bytes())))
        };
        is_one_of(self.encoding, &["identity"]) && is_one_of(self.transfer_encoding, &["binary", "8bit", "7bit"])
    }

    /// Headers, an empty line, and the body; without the empty line there are only headers.
    fn read(text: &'a [u8]) -> Result<Self, DocumentError> {
        let mut part = Self::default();
        let mut rest = text;
        loop {
            let (header, after) = take_header(rest);
            if text.len() - after.len() > MOST_HEADERS {
                return Err(DocumentError::TooComplex { what: "bytes of headers in one part", limit: MOST_HEADERS });
            }
            rest = after;
            match header.trim_ascii() {
                [] => break,
                header => part.note(header),
            }
        }
        part.content_id = part.content_id.map(|id| {
            let bare = id.strip_prefix(b"<").and_then(|id| id.strip_suffix(b">"));
            bare.unwrap_or(id)
        });
        Ok(Self { body: rest, ..part })
    }

    fn note(&mut self, header: &'a [u8]) {
        let Some((name, value)) = memchr(b':', header).and_then(|colon| header.split_at_checked(colon)) else { return };
        let place = match name.trim_ascii_end() {
            name if name.eq_ignore_ascii_case(b"Content-Type") => &mut self.content_type,
            name if name.eq_ignore_ascii_case(b"Content-ID") => &mut self.content_id,
            name if name.eq_ignore_ascii_case(b"Content-Disposition") => &mut self.disposition,
            name if name.eq_ignore_ascii_case(b"Content-Encoding") => &mut self.encoding,
            name if name.eq_ignore_ascii_case(b"Content-Transfer-Encoding") => &mut self.transfer_encoding,
            _ => return,
        };
        place.get_or_insert(value.get(1..).unwrap_or_default().trim_ascii());
    }
}

fn refused(problem: &'static str) -> DocumentError {
    DocumentError::Multipart { problem }
}

/// The first header with the lines that it is folded over, or the empty line; and what follows.
fn take_header(text: &[u8]) -> (&[u8], &[u8]) {
    let mut end = 0;
    // No header that is accepted is longer.
    let most = text.len().min(MOST_HEADERS + 1);
    while let Some(at) = text.get(end..most).and_then(|rest| memchr(b'\n', rest)) {
        let is_empty = end == 0 && text.get(..at).is_some_and(|line| line.trim_ascii().is_empty());
        end += at + 1;
        if is_empty || !matches!(text.get(end), Some(b' ' | b'\t')) {
            return text.split_at_checked(end).unwrap_or((text, &[]));
        }
    }
    (text, &[])
}

fn skip_blanks(text: &[u8]) -> &[u8] {
    let blanks = text.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    text.get(blanks..).unwrap_or_default()
}
