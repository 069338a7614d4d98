//! The state and the note of a presence document, without a tree of it: what the event route asks for.
//!
//! Says the same as `Presentity::basic` and `Presentity::note` of the
//! whole document; a property test holds the two against each other.

use super::check::check_size;
use super::cursor::Cursor;
use super::encoding::decode;
use super::error::DocumentError;
use super::formats::{PIDF, check_presence};
use super::name::{QName, same_value, take_reference, value_text};
use super::pidf::UNDERSTOOD;
use super::presentity::Basic;

/// The facts about a presence document that the event route can ask for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PidfSummary {
    /// The state of the presentity as a whole.
    pub basic: Basic,
    /// The first note that says something, without the white space around it.
    pub note: Option<String>,
}

impl PidfSummary {
    /// Reads a presence document of at most `max_bytes`. `charset` is the parameter of that name of the Content-Type.
    ///
    /// # Errors
    /// Its fault.
    pub fn read(body: &[u8], charset: Option<&str>, max_bytes: usize) -> Result<Self, DocumentError> {
        check_size(body, max_bytes)?;
        let text = decode(body, charset)?;
        let root = check_presence(&text)?;
        let mut walk = Walk::new(text.get(root.tag..).unwrap_or_default());
        // It has passed the scanner: no step fails.
        while walk.step().is_some() {}
        Ok(walk.found.sum())
    }
}

/// The place of an element, as far as it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ElementPlace {
    Presence,
    Tuple,
    Status,
    Basic,
    /// A note of the presentity.
    Note,
    /// A note of a tuple.
    TupleNote,
    Person,
    /// A note of a person itself.
    PersonNote,
    /// An element of a person, such as its activities.
    InPerson,
    /// A note in such an element.
    InnerNote,
    Other,
}

/// The namespace of an element, as far as it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Space {
    /// The namespace of PIDF, or none.
    Pidf {
        named: bool,
    },
    /// One that every reader of presence documents understands.
    Understood,
    Other,
}

/// A text that is wanted only if it is the first with anything in it.
#[derive(Default)]
struct First(Option<String>);

impl First {
    fn offer(&mut self, text: &str) {
        let text = text.trim();
        if self.0.is_none() && !text.is_empty() {
            self.0 = Some(text.to_owned());
        }
    }
}

/// The results so far.
#[derive(Default)]
struct Findings {
    open: bool,
    closed: bool,
    /// An element beside the tuples would have to be understood, and is not.
    unreliable: bool,
    note: First,
    tuple_note: First,
    person_note: First,
    tuple: TupleState,
    person: Person,
}

#[derive(Default)]
struct TupleState {
    basic: Basic,
    unreliable: bool,
}

#[derive(Default)]
struct Person {
    own: First,
    inner: First,
}

impl Findings {
    fn sum(self) -> PidfSummary {
        let basic = match (self.unreliable, self.open, self.closed) {
            (false, true, _) => Basic::Open,
            (false, false, true) => Basic::Closed,
            _ => Basic::Unknown,
        };
        PidfSummary { basic, note: self.note.0.or(self.tuple_note.0).or(self.person_note.0) }
    }

    /// An element has ended; `text` is all that was in it, if it is one whose text is wanted.
    fn end(&mut self, place: ElementPlace, text: &str) {
        match place {
            ElementPlace::Basic if self.tuple.basic == Basic::Unknown => self.tuple.basic = Basic::from_text(text),
            ElementPlace::Note => self.note.offer(text),
            ElementPlace::TupleNote => self.tuple_note.offer(text),
            ElementPlace::PersonNote => self.person.own.offer(text),
            ElementPlace::InnerNote => self.person.inner.offer(text),
            ElementPlace::Tuple => {
                let tuple = std::mem::take(&mut self.tuple);
                self.open |= !tuple.unreliable && tuple.basic == Basic::Open;
                self.closed |= !tuple.unreliable && tuple.basic == Basic::Closed;
            }
            ElementPlace::Person => {
                let Person { own, inner } = std::mem::take(&mut self.person);
                self.person_note.offer(&own.0.or(inner.0).unwrap_or_default());
            }
            ElementPlace::Presence
            | ElementPlace::Status
            | ElementPlace::Basic
            | ElementPlace::InPerson
            | ElementPlace::Other => {}
        }
    }
}

/// An element that is open, and how many namespaces were declared outside it.
struct OpenElement {
    place: ElementPlace,
    outside: usize,
}

struct Walk<'a> {
    cursor: Cursor<'a>,
    text: &'a str,
    open: Vec<OpenElement>,
    /// Prefix and namespace of each declaration in scope.
    spaces: Vec<(&'a [u8], Space)>,
    /// The text of the element that is read, and how many elements are open around it.
    reading: Option<(String, usize)>,
    found: Findings,
}

impl<'a> Walk<'a> {
    fn new(text: &'a str) -> Self {
        let cursor = Cursor::new(text.as_bytes(), false);
        Self { cursor, text, open: Vec::new(), spaces: Vec::new(), reading: None, found: Findings::default() }
    }

    /// One step: text, and one piece of markup; `None` at the end.
    fn step(&mut self) -> Option<()> {
        let from = self.cursor.offset();
        self.cursor.text().ok()?;
        self.read(from, self.cursor.offset());
        match self.cursor.rest {
            [b'<', b'/', ..] => {
                self.cursor.skip(2);
                self.cursor.qname("").ok()?;
                self.cursor.skip_space();
                self.cursor.skip(1);
                let OpenElement { place, outside } = self.open.pop()?;
                self.spaces.truncate(outside);
                self.end(place);
                (!self.open.is_empty()).then_some(())
            }
            [b'<', b'!', b'-', ..] => self.cursor.comment().ok(),
            [b'<', b'!', ..] => {
                let from = self.cursor.offset() + b"<![CDATA[".len();
                self.cursor.cdata().ok()?;
                self.read_verbatim(from, self.cursor.offset().saturating_sub(b"]]>".len()));
                Some(())
            }
            [b'<', b'?', ..] => self.cursor.instruction().ok(),
            _ => self.start(),
        }
    }

    fn start(&mut self) -> Option<()> {
        let outside = self.spaces.len();
        self.cursor.skip(1);
        let name = self.cursor.qname("").ok()?;
        let mut marks = Vec::new();
        while let Some(attribute) = self.cursor.attribute().ok()? {
            match attribute.declares() {
                Some(prefix) => self.spaces.push((prefix, space_of(attribute.value))),
                None if attribute.name.local == b"mustUnderstand" && !attribute.name.prefix.is_empty() => {
                    marks.push((attribute.name.prefix, attribute.value));
                }
                None => {}
            }
        }
        let is_marked = marks.into_iter().any(|(prefix, value)| {
            self.space(prefix) == Space::Pidf { named: true } && matches!(value_text(value).trim(), "true" | "1")
        });
        let space = self.space(name.prefix);
        let place = self.place(name, space, is_marked);
        if self.reading.is_none() && place.is_read() {
            self.reading = Some((String::new(), self.open.len()));
        }
        if self.cursor.rest.first() == Some(&b'/') {
            self.cursor.skip(2);
            self.spaces.truncate(outside);
            self.end(place);
            return (!self.open.is_empty()).then_some(());
        }
        self.cursor.skip(1);
        self.open.push(OpenElement { place, outside });
        Some(())
    }

    /// The meaning of an element at its place. An unknown one may have to be understood.
    fn place(&mut self, name: QName<'_>, space: Space, is_marked: bool) -> ElementPlace {
        let pidf = if matches!(space, Space::Pidf { .. }) { name.local } else { &[] };
        let parent = self.open.last().map(|open| open.place);
        let is_to_be_understood = is_marked && space != Space::Understood;
        match (parent, pidf) {
            (None, _) => ElementPlace::Presence,
            (Some(ElementPlace::Presence), b"tuple") => ElementPlace::Tuple,
            (Some(ElementPlace::Presence), b"note") => ElementPlace::Note,
            (Some(ElementPlace::Presence), _) => {
                self.found.unreliable |= is_to_be_understood;
                if name.local == b"person" { ElementPlace::Person } else { ElementPlace::Other }
            }
            (Some(ElementPlace::Tuple), b"status") => ElementPlace::Status,
            (Some(ElementPlace::Tuple | ElementPlace::Status), b"basic") => ElementPlace::Basic,
            (Some(ElementPlace::Tuple | ElementPlace::Status), b"note") => ElementPlace::TupleNote,
            (Some(ElementPlace::Tuple), b"contact" | b"timestamp") => ElementPlace::Other,
            (Some(ElementPlace::Tuple | ElementPlace::Status), _) => {
                self.found.tuple.unreliable |= is_to_be_understood;
                ElementPlace::Other
            }
            (Some(ElementPlace::Person), _) if name.local == b"note" => ElementPlace::PersonNote,
            (Some(ElementPlace::Person), _) => ElementPlace::InPerson,
            (Some(ElementPlace::InPerson), _) if name.local == b"note" => ElementPlace::InnerNote,
            (Some(_), _) => ElementPlace::Other,
        }
    }

    fn space(&self, prefix: &[u8]) -> Space {
        let declared = self.spaces.iter().rev().find(|(declared, _)| *declared == prefix);
        match declared {
            Some((_, space)) => *space,
            None if prefix.is_empty() => Space::Pidf { named: false },
            None => Space::Other,
        }
    }

    fn end(&mut self, place: ElementPlace) {
        let text = match &self.reading {
            Some((_, outside)) if *outside == self.open.len() => self.reading.take().map(|(text, _)| text),
            Some(_) | None => None,
        };
        self.found.end(place, text.as_deref().unwrap_or_default());
    }

    /// Takes text with its references resolved and its line ends as XML 1.0 §2.11 has them.
    fn read(&mut self, from: usize, to: usize) {
        let Some((read, _)) = &mut self.reading else { return };
        let mut rest = self.text.get(from..to).unwrap_or_default();
        while let Some(at) = memchr::memchr2(b'&', b'\r', rest.as_bytes()) {
            read.push_str(rest.get(..at).unwrap_or_default());
            rest = rest.get(at..).unwrap_or_default();
            if let Some((each, after)) = take_reference(rest.as_bytes()) {
                read.push(each);
                rest = rest.get(rest.len() - after.len()..).unwrap_or_default();
            } else {
                read.push('\n');
                rest = rest.strip_prefix("\r\n").or_else(|| rest.get(1..)).unwrap_or_default();
            }
        }
        read.push_str(rest);
    }

    /// Takes text in which nothing is a reference.
    fn read_verbatim(&mut self, from: usize, to: usize) {
        if let Some((read, _)) = &mut self.reading {
            let text = self.text.get(from..to).unwrap_or_default();
            read.push_str(&text.replace("\r\n", "\n").replace('\r', "\n"));
        }
    }
}

impl ElementPlace {
    /// Whether its text is wanted.
    fn is_read(self) -> bool {
        matches!(self, Self::Basic | Self::Note | Self::TupleNote | Self::PersonNote | Self::InnerNote)
    }
}

fn space_of(namespace: &[u8]) -> Space {
    let is = |known: &str| same_value(namespace, known.as_bytes());
    if namespace.is_empty() {
        Space::Pidf { named: false }
    } else if is(PIDF) {
        Space::Pidf { named: true }
    } else if UNDERSTOOD.iter().any(|known| is(known)) {
        Space::Understood
    } else {
        Space::Other
    }
}
