//! What persons, devices and services do and are: rich presence (RFC 4480) and the data model (RFC 4479).
//!
//! Each element may have its values as names of inner elements (`<mood><happy/></mood>`), as the text of an inner
//! `other`, or as its own text (`<sphere>work</sphere>`, `<class>auth</class>`).

use super::element::Element;
use super::presentity::{Device, Note, Person, Rpid, RpidElement};
use super::reader::Reader;

/// Namespace of persons and devices (RFC 4479 §5).
pub(super) const DATA_MODEL: &str = "urn:ietf:params:xml:ns:pidf:data-model";

/// Namespace of rich presence (RFC 4480 §5); drafts of it had longer ones.
pub(super) const RPID: &str = "urn:ietf:params:xml:ns:pidf:rpid";

/// The elements by name.
const ELEMENTS: [(&str, Rpid); 11] = [
    ("activities", Rpid::Activity),
    ("mood", Rpid::Mood),
    ("place-type", Rpid::PlaceType),
    ("privacy", Rpid::Privacy),
    ("relationship", Rpid::Relationship),
    ("service-class", Rpid::ServiceClass),
    ("sphere", Rpid::Sphere),
    ("class", Rpid::Class),
    ("user-input", Rpid::UserInput),
    ("status-icon", Rpid::StatusIcon),
    ("time-offset", Rpid::TimeOffset),
];

impl Rpid {
    /// The name of its element.
    pub(super) fn name(self) -> &'static str {
        ELEMENTS.iter().find(|(_, kind)| *kind == self).map_or("", |(name, _)| name)
    }
}

impl RpidElement {
    /// Reads an element of a name that RFC 4480 defines, whatever its namespace; its notes come second.
    pub(super) fn read<'a>(reader: &mut Reader<'a>, element: &Element<'a>) -> Option<(Self, Vec<Note>)> {
        let (_, kind) = ELEMENTS.iter().find(|(name, _)| *name == element.local())?;
        let attribute = |name| element.attribute(name).map(|value| value.trim().to_owned());
        let from = attribute("from").or_else(|| attribute("last-input"));
        let mut read = Self { kind: *kind, values: Vec::new(), from, until: attribute("until") };
        let mut notes = Vec::new();
        let own = reader.text_before_child(element);
        while let Some(inner) = reader.child(element) {
            match inner.local() {
                "note" => notes.push(Note::read(reader, &inner)),
                // Drafts had an element called activity.
                name @ ("other" | "activity") => {
                    let text = reader.text(&inner);
                    read.push(if text.trim().is_empty() { name } else { &text });
                }
                name => read.push(name),
            }
        }
        if read.values.is_empty() {
            read.push(&own);
        }
        Some((read, notes))
    }

    /// Reads an element of rich presence that is beside those of PIDF.
    pub(super) fn read_qualified<'a>(reader: &mut Reader<'a>, element: &Element<'a>) -> Option<Self> {
        let is_rpid = element.namespace().starts_with(RPID);
        is_rpid.then(|| Self::read(reader, element)).flatten().map(|(read, _)| read)
    }

    fn push(&mut self, value: &str) {
        let value = value.trim();
        if !value.is_empty() {
            self.values.push(value.to_owned());
        }
    }
}

impl Person {
    /// Reads a `person`. Whose namespace its elements are in does not matter.
    pub(super) fn read<'a>(reader: &mut Reader<'a>, person: &Element<'a>) -> Self {
        let mut read = Self { id: id_of(person), ..Self::default() };
        let mut notes_inside = Vec::new();
        while let Some(element) = reader.child(person) {
            match element.local() {
                "note" => read.notes.push(Note::read(reader, &element)),
                "timestamp" if read.timestamp.is_none() => read.timestamp = Some(trimmed(reader, &element)),
                "timestamp" => {}
                // Drafts had one around the others.
                "status" => read.read_status(reader, &element, &mut notes_inside),
                _ => match RpidElement::read(reader, &element) {
                    Some((rpid, notes)) => {
                        read.rpid.push(rpid);
                        notes_inside.extend(notes);
                    }
                    None => notes_inside.extend(notes_of(reader, &element)),
                },
            }
        }
        read.notes.append(&mut notes_inside);
        read
    }

    fn read_status<'a>(&mut self, reader: &mut Reader<'a>, status: &Element<'a>, notes: &mut Vec<Note>) {
        while let Some(element) = reader.child(status) {
            if element.local() == "note" {
                notes.push(Note::read(reader, &element));
            } else {
                self.rpid.extend(RpidElement::read(reader, &element).map(|(rpid, _)| rpid));
            }
        }
    }
}

impl Device {
    /// Reads a `device`.
    pub(super) fn read<'a>(reader: &mut Reader<'a>, device: &Element<'a>) -> Self {
        let mut read = Self { id: id_of(device), ..Self::default() };
        while let Some(element) = reader.child(device) {
            match element.local() {
                "deviceID" if read.device_id.is_none() => read.device_id = Some(trimmed(reader, &element)),
                "note" => read.notes.push(Note::read(reader, &element)),
                "timestamp" if read.timestamp.is_none() => read.timestamp = Some(trimmed(reader, &element)),
                _ => read.rpid.extend(RpidElement::read(reader, &element).map(|(rpid, _)| rpid)),
            }
        }
        read
    }
}

impl Note {
    /// Reads a `note`.
    pub(super) fn read<'a>(reader: &mut Reader<'a>, note: &Element<'a>) -> Self {
        Self { lang: note.lang().map(Into::into), text: reader.text(note).into_owned() }
    }
}

/// The notes among the children of an element.
fn notes_of<'a>(reader: &mut Reader<'a>, element: &Element<'a>) -> Vec<Note> {
    let mut notes = Vec::new();
    while let Some(inner) = reader.child(element) {
        if inner.local() == "note" {
            notes.push(Note::read(reader, &inner));
        }
    }
    notes
}

/// The `id` attribute; empty when it is missing.
pub(super) fn id_of(element: &Element<'_>) -> String {
    element.attribute("id").unwrap_or_default().into_owned()
}

/// The text of an element without the white space around it.
pub(super) fn trimmed<'a>(reader: &mut Reader<'a>, element: &Element<'a>) -> String {
    reader.text(element).trim().to_owned()
}
