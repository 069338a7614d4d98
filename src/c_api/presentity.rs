//! The structured presentity for C.

use std::ffi::{c_int, c_uint};

use super::document_types::{CContact, CEntity, CExtension, CNote, CPresentity, CRpidElement, CService, CTuple, List};
use super::pinned::{Pinned, text, text_or_none};
use crate::document::{Basic, Device, Extension, Note, Person, Presentity, Rpid, RpidElement, Tuple};

/// The face of a presence document.
pub(super) fn face(pinned: &mut Pinned, document: &Presentity) -> *const CPresentity {
    let tuples = document.tuples.iter().map(|each| tuple(pinned, each)).collect();
    let services = document.tuples.iter().map(|each| service(pinned, each)).collect();
    let persons = document.persons.iter().map(|each| person(pinned, each)).collect();
    let devices = document.devices.iter().map(|each| device(pinned, each)).collect();
    let face = CPresentity {
        size: size_of::<CPresentity>() as c_uint,
        entity: text(&document.entity),
        tuples: pinned.list(tuples),
        notes: notes(pinned, &document.notes),
        extensions: extensions(pinned, &document.extensions),
        services: pinned.list(services),
        persons: pinned.list(persons),
        devices: pinned.list(devices),
    };
    pinned.one(face)
}

fn tuple(pinned: &mut Pinned, tuple: &Tuple) -> CTuple {
    let contact = tuple.contact.as_ref();
    let priority = contact.and_then(|contact| contact.priority);
    CTuple {
        id: text(&tuple.id),
        basic: match tuple.basic {
            Basic::Unknown => 0,
            Basic::Open => 1,
            Basic::Closed => 2,
        },
        has_contact: c_int::from(contact.is_some()),
        contact: CContact {
            uri: text(contact.map_or("", |contact| &contact.uri)),
            priority: priority.map_or(-1, c_int::from),
        },
        timestamp: text_or_none(tuple.timestamp.as_ref()),
        notes: notes(pinned, &tuple.notes),
        status_extensions: extensions(pinned, &tuple.status_extensions),
        extensions: extensions(pinned, &tuple.extensions),
    }
}

fn service(pinned: &mut Pinned, tuple: &Tuple) -> CService {
    CService { device_id: text_or_none(tuple.device_id.as_ref()), rpid: rpid(pinned, &tuple.rpid) }
}

fn person(pinned: &mut Pinned, person: &Person) -> CEntity {
    CEntity {
        id: text(&person.id),
        device_id: text(""),
        timestamp: text_or_none(person.timestamp.as_ref()),
        rpid: rpid(pinned, &person.rpid),
        notes: notes(pinned, &person.notes),
    }
}

fn device(pinned: &mut Pinned, device: &Device) -> CEntity {
    CEntity {
        id: text(&device.id),
        device_id: text_or_none(device.device_id.as_ref()),
        timestamp: text_or_none(device.timestamp.as_ref()),
        rpid: rpid(pinned, &device.rpid),
        notes: notes(pinned, &device.notes),
    }
}

fn rpid(pinned: &mut Pinned, elements: &[RpidElement]) -> List<CRpidElement> {
    let mut face = |element: &RpidElement| CRpidElement {
        values: pinned.texts(&element.values),
        from: text_or_none(element.from.as_ref()),
        until: text_or_none(element.until.as_ref()),
        kind: match element.kind {
            Rpid::Activity => 1,
            Rpid::Mood => 2,
            Rpid::PlaceType => 3,
            Rpid::Privacy => 4,
            Rpid::Relationship => 5,
            Rpid::ServiceClass => 6,
            Rpid::Sphere => 7,
            Rpid::Class => 8,
            Rpid::UserInput => 9,
            Rpid::StatusIcon => 10,
            Rpid::TimeOffset => 11,
        },
    };
    let faces = elements.iter().map(&mut face).collect();
    pinned.list(faces)
}

fn notes(pinned: &mut Pinned, notes: &[Note]) -> List<CNote> {
    let face = |note: &Note| CNote { lang: text_or_none(note.lang.as_ref()), text: text(&note.text) };
    pinned.list(notes.iter().map(face).collect())
}

fn extensions(pinned: &mut Pinned, extensions: &[Extension]) -> List<CExtension> {
    let face = |extension: &Extension| CExtension {
        ns: text(&extension.namespace),
        name: text(&extension.name),
        xml: text(&extension.xml),
    };
    pinned.list(extensions.iter().map(face).collect())
}
