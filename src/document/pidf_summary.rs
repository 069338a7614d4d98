//! The state and the note of a presence document: what the event route asks for. Allocates nothing but the note.
//!
//! Says the same as [`Presentity::basic`](super::Presentity::basic) and [`Presentity::note`](super::Presentity::note)
//! of the whole document; a property test holds the two against each other.

use super::check::check_size;
use super::element::Element;
use super::encoding::decode;
use super::error::DocumentError;
use super::formats::check_presence;
use super::pidf::{ExtensionPlace, PresenceVisitor, visit};
use super::presentity::Basic;
use super::reader::Reader;

/// What the event route asks of a presence document.
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
    /// What is wrong with it.
    pub fn read(body: &[u8], charset: Option<&str>, max_bytes: usize) -> Result<Self, DocumentError> {
        check_size(body, max_bytes)?;
        let text = decode(body, charset)?;
        let root = check_presence(&text)?;
        let mut found = Findings::default();
        visit(&mut Reader::new(&text, &root), &mut found)?;
        let note = found.note.0.or(found.tuple_note.0).or(found.person_note.0);
        Ok(Self { basic: found.basic, note })
    }
}

/// A text that is wanted only if it is the first with anything in it.
#[derive(Default)]
struct First(Option<String>);

impl First {
    fn offer<'a>(&mut self, reader: &mut Reader<'a>, element: &Element<'a>) {
        if self.0.is_none() {
            self.0 = Some(reader.text(element).trim()).filter(|text| !text.is_empty()).map(str::to_owned);
        }
    }
}

/// What has been found so far.
#[derive(Default)]
struct Findings {
    basic: Basic,
    note: First,
    tuple_note: First,
    person_note: First,
}

impl<'a> PresenceVisitor<'a> for Findings {
    fn end_tuple(&mut self, basic: Basic) {
        self.basic = match (self.basic, basic) {
            (Basic::Open, _) | (_, Basic::Open) => Basic::Open,
            (Basic::Closed, _) | (_, Basic::Closed) => Basic::Closed,
            (Basic::Unknown, Basic::Unknown) => Basic::Unknown,
        };
    }

    fn note(&mut self, reader: &mut Reader<'a>, note: &Element<'a>, is_of_tuple: bool) {
        let notes = if is_of_tuple { &mut self.tuple_note } else { &mut self.note };
        notes.offer(reader, note);
    }

    fn extension(
        &mut self,
        reader: &mut Reader<'a>,
        element: &Element<'a>,
        place: ExtensionPlace,
    ) -> Result<(), DocumentError> {
        let is_person = place == ExtensionPlace::Presence && element.name.local == b"person";
        if is_person && self.note.0.is_none() && self.person_note.0.is_none() {
            self.person_note = note_of_person(reader, element);
        }
        Ok(())
    }

    fn end(&mut self, is_reliable: bool) {
        if !is_reliable {
            self.basic = Basic::Unknown;
        }
    }
}

/// The first note of a person itself, else that of one of its elements.
fn note_of_person<'a>(reader: &mut Reader<'a>, person: &Element<'a>) -> First {
    let (mut own, mut inner) = (First::default(), First::default());
    while let Some(element) = reader.child(person) {
        match element.name.local {
            b"note" => own.offer(reader, &element),
            b"timestamp" => {}
            _ => {
                while let Some(element) = reader.child(&element) {
                    if element.name.local == b"note" {
                        inner.offer(reader, &element);
                    }
                }
            }
        }
    }
    First(own.0.or(inner.0))
}
