//! A presence document read into a [`Presentity`] as a whole: with rich presence and the data model (RFC 4479, RFC 4480),
//! and every element from outside PIDF as text too.

use super::element::Element;
use super::error::DocumentError;
use super::extension::Extensions;
use super::pidf::{ExtensionPlace, PresenceVisitor, visit};
use super::presentity::{Basic, Contact, Device, Note, Person, Presentity, RpidElement, Tuple};
use super::reader::Reader;
use super::rpid::{DATA_MODEL, id_of, trimmed};
use super::scan::RootElement;
use crate::grammar::thousandths;

impl Presentity {
    /// Reads a presence document that has passed its check. All extensions together, each with the namespace declarations it
    /// needs, may take four times `max_bytes`, and a megabyte whatever the document's length.
    ///
    /// # Errors
    /// When its extensions take too much room.
    pub(super) fn of(text: &str, root: &RootElement<'_>, max_bytes: usize) -> Result<Self, DocumentError> {
        let kept = Extensions::new(max_bytes.saturating_mul(4).max(LEAST_KEPT));
        let mut builder = Builder { made: Self::default(), tuple: Tuple::default(), kept };
        visit(&mut Reader::new(text, root), &mut builder)?;
        Ok(builder.made)
    }
}

/// What the extensions of a document of any length may take, in bytes: in a short one each may need more than its own length.
const LEAST_KEPT: usize = 1 << 20;

/// A presentity in the making.
struct Builder {
    made: Presentity,
    /// The tuple that is open.
    tuple: Tuple,
    kept: Extensions,
}

impl<'a> PresenceVisitor<'a> for Builder {
    fn presence(&mut self, root: &Element<'a>) {
        self.made.entity = root.attribute("entity").unwrap_or_default().into_owned();
    }

    fn tuple(&mut self, tuple: &Element<'a>) {
        self.tuple.id = id_of(tuple);
    }

    fn end_tuple(&mut self, basic: Basic) {
        self.tuple.basic = basic;
        self.made.tuples.push(std::mem::take(&mut self.tuple));
    }

    fn note(&mut self, reader: &mut Reader<'a>, note: &Element<'a>, is_of_tuple: bool) {
        let notes = if is_of_tuple { &mut self.tuple.notes } else { &mut self.made.notes };
        notes.push(Note::read(reader, note));
    }

    fn contact(&mut self, reader: &mut Reader<'a>, contact: &Element<'a>) {
        if self.tuple.contact.is_none() {
            let priority = contact.attribute("priority").and_then(|priority| read_priority(&priority));
            self.tuple.contact = Some(Contact { uri: trimmed(reader, contact), priority });
        }
    }

    fn timestamp(&mut self, reader: &mut Reader<'a>, timestamp: &Element<'a>) {
        if self.tuple.timestamp.is_none() {
            self.tuple.timestamp = Some(trimmed(reader, timestamp));
        }
    }

    fn extension(
        &mut self,
        reader: &mut Reader<'a>,
        element: &Element<'a>,
        place: ExtensionPlace,
    ) -> Result<(), DocumentError> {
        let extensions = match place {
            ExtensionPlace::Presence => {
                match element.local() {
                    "person" => self.made.persons.push(Person::read(reader, element)),
                    "device" if element.is_in(DATA_MODEL) => self.made.devices.push(Device::read(reader, element)),
                    _ => {}
                }
                &mut self.made.extensions
            }
            ExtensionPlace::Tuple | ExtensionPlace::Status => {
                if element.is("deviceID", DATA_MODEL) {
                    self.tuple.device_id.get_or_insert_with(|| trimmed(reader, element));
                }
                self.tuple.rpid.extend(RpidElement::read_qualified(reader, element));
                match place {
                    ExtensionPlace::Status => &mut self.tuple.status_extensions,
                    ExtensionPlace::Tuple | ExtensionPlace::Presence => &mut self.tuple.extensions,
                }
            }
        };
        extensions.push(self.kept.keep(reader, element)?);
        Ok(())
    }

    fn end(&mut self, is_reliable: bool) {
        if !is_reliable {
            self.made.tuples.iter_mut().for_each(|tuple| tuple.basic = Basic::Unknown);
        }
    }
}

/// qvalue of the schema in RFC 3863 §4.4, in thousandths; further digits do not count, and what is
/// above one is one.
fn read_priority(value: &str) -> Option<u16> {
    let (whole, fraction) = value.trim().split_once('.').unwrap_or((value.trim(), ""));
    if whole.len() + fraction.len() == 0 || !whole.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let decimals = thousandths(fraction.as_bytes())?;
    Some(if whole.bytes().any(|byte| byte != b'0') { 1000 } else { decimals })
}
