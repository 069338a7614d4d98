//! The structured presentity for C.

use std::ffi::{c_int, c_uint};

use super::document_types::{CContact, CEntity, CExtension, CNote, CPresentity, CRpidElement, CService, CTuple, List};
use super::kept::{Kept, text, text_or_none};
use crate::document::{Basic, Device, Extension, Note, Person, Presentity, Rpid, RpidElement, Tuple};

/// The face of a presence document.
pub(super) fn face(kept: &mut Kept, document: &Presentity) -> *const CPresentity {
    let tuples = document.tuples.iter().map(|each| tuple(kept, each)).collect();
    let services = document.tuples.iter().map(|each| service(kept, each)).collect();
    let persons = document.persons.iter().map(|each| person(kept, each)).collect();
    let devices = document.devices.iter().map(|each| device(kept, each)).collect();
    let face = CPresentity {
        size: size_of::<CPresentity>() as c_uint,
        entity: text(&document.entity),
        tuples: kept.list(tuples),
        notes: notes(kept, &document.notes),
        extensions: extensions(kept, &document.extensions),
        services: kept.list(services),
        persons: kept.list(persons),
        devices: kept.list(devices),
    };
    kept.one(face)
}

fn tuple(kept: &mut Kept, tuple: &Tuple) -> CTuple {
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
        notes: notes(kept, &tuple.notes),
        status_extensions: extensions(kept, &tuple.status_extensions),
        extensions: extensions(kept, &tuple.extensions),
    }
}

fn service(kept: &mut Kept, tuple: &Tuple) -> CService {
    CService { device_id: text_or_none(tuple.device_id.as_ref()), rpid: rpid(kept, &tuple.rpid) }
}

fn person(kept: &mut Kept, person: &Person) -> CEntity {
    CEntity {
        id: text(&person.id),
        device_id: text(""),
        timestamp: text_or_none(person.timestamp.as_ref()),
        rpid: rpid(kept, &person.rpid),
        notes: notes(kept, &person.notes),
    }
}

fn device(kept: &mut Kept, device: &Device) -> CEntity {
    CEntity {
        id: text(&device.id),
        device_id: text_or_none(device.device_id.as_ref()),
        timestamp: text_or_none(device.timestamp.as_ref()),
        rpid: rpid(kept, &device.rpid),
        notes: notes(kept, &device.notes),
    }
}

fn rpid(kept: &mut Kept, elements: &[RpidElement]) -> List<CRpidElement> {
    let mut face = |element: &RpidElement| CRpidElement {
        values: kept.texts(&element.values),
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
    kept.list(faces)
}

fn notes(kept: &mut Kept, notes: &[Note]) -> List<CNote> {
    let face = |note: &Note| CNote { lang: text_or_none(note.lang.as_ref()), text: text(&note.text) };
    kept.list(notes.iter().map(face).collect())
}

fn extensions(kept: &mut Kept, extensions: &[Extension]) -> List<CExtension> {
    let face = |extension: &Extension| CExtension {
        ns: text(&extension.namespace),
        name: text(&extension.name),
        xml: text(&extension.xml),
    };
    kept.list(extensions.iter().map(face).collect())
}
