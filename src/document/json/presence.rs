//! Presence documents as JSON.

use serde_json::{Number, Value};

use super::Members;
use crate::document::presentity::{Contact, Device, Extension, Note, Person, Presentity, RpidElement, Tuple};
use crate::document::rpid::{DATA_MODEL, RPID};

pub(super) fn of(presentity: &Presentity) -> Value {
    Members::of("presence")
        .text("entity", presentity.entity.as_str())
        .list("tuples", presentity.tuples.iter().map(tuple))
        .list_if_any("notes", presentity.notes.iter().map(note))
        .list_if_any("persons", presentity.persons.iter().map(person))
        .list_if_any("devices", presentity.devices.iter().map(device))
        .list_if_any("extensions", presentity.extensions.iter().filter(|each| is_unread(each)).map(extension))
        .into()
}

fn tuple(tuple: &Tuple) -> Members {
    let extensions = tuple.status_extensions.iter().chain(&tuple.extensions);
    Members::default()
        .text("id", tuple.id.as_str())
        .text("basic", tuple.basic.as_str())
        .object("contact", tuple.contact.as_ref().map(contact))
        .list_if_any("notes", tuple.notes.iter().map(note))
        .text("timestamp", tuple.timestamp.as_deref())
        .list_if_any("rpid", tuple.rpid.iter().map(rpid))
        .text("device_id", tuple.device_id.as_deref())
        .list_if_any("extensions", extensions.filter(|each| is_unread(each)).map(extension))
}

fn contact(contact: &Contact) -> Members {
    let priority = contact.priority.and_then(|thousandths| Number::from_f64(f64::from(thousandths) / 1000.0));
    Members::default().text("uri", contact.uri.as_str()).number("priority", priority)
}

fn note(note: &Note) -> Members {
    Members::default().text("lang", note.lang.as_deref()).text("text", note.text.as_str())
}

fn person(person: &Person) -> Members {
    Members::default()
        .text("id", person.id.as_str())
        .list_if_any("rpid", person.rpid.iter().map(rpid))
        .list_if_any("notes", person.notes.iter().map(note))
        .text("timestamp", person.timestamp.as_deref())
}

fn device(device: &Device) -> Members {
    Members::default()
        .text("id", device.id.as_str())
        .text("device_id", device.device_id.as_deref())
        .list_if_any("rpid", device.rpid.iter().map(rpid))
        .list_if_any("notes", device.notes.iter().map(note))
        .text("timestamp", device.timestamp.as_deref())
}

fn rpid(element: &RpidElement) -> Members {
    Members::default()
        .text("name", element.kind.name())
        .list("values", element.values.iter().map(String::as_str))
        .text("from", element.from.as_deref())
        .text("until", element.until.as_deref())
}

/// Whether an element is neither a person nor a device nor rich presence, whose values are told already.
fn is_unread(extension: &Extension) -> bool {
    let Extension { namespace, name, .. } = extension;
    namespace != DATA_MODEL && !namespace.starts_with(RPID) && name != "person"
}

fn extension(extension: &Extension) -> Members {
    Members::default()
        .text("namespace", extension.namespace.as_str())
        .text("name", extension.name.as_str())
        .text("xml", extension.xml.as_str())
}
