//! The registrations of a user for C.

use std::ffi::c_uint;

use super::document_types::{CRegistered, CRegistration, CRegistrations};
use super::pinned::{Pinned, number_or_none, place, text, text_or_none};
use crate::document::{RegInfo, RegisteredContact, Registration};

/// The face of a document of RFC 3680.
pub(super) fn face(pinned: &mut Pinned, info: &RegInfo) -> *const CRegistrations {
    let registrations = info.registrations.iter().map(|each| registration(pinned, each)).collect();
    let face = CRegistrations {
        size: size_of::<CRegistrations>() as c_uint,
        place: place(info.version),
        registrations: pinned.list(registrations),
    };
    pinned.one(face)
}

fn registration(pinned: &mut Pinned, registration: &Registration) -> CRegistration {
    let contacts = registration.contacts.iter().map(|each| contact(pinned, each)).collect();
    CRegistration {
        aor: text(&registration.aor),
        id: text(&registration.id),
        state: text(&registration.state),
        contacts: pinned.list(contacts),
    }
}

fn contact(pinned: &mut Pinned, contact: &RegisteredContact) -> CRegistered {
    let temp_gruu = contact.temp_gruu.as_ref();
    CRegistered {
        id: text(&contact.id),
        state: text(&contact.state),
        event: text(&contact.event),
        uri: text(&contact.uri),
        display: text_or_none(contact.display_name.as_ref()),
        q: text_or_none(contact.q.as_ref()),
        call_id: text_or_none(contact.call_id.as_ref()),
        cseq: number_or_none(contact.cseq),
        duration: number_or_none(contact.duration_registered),
        expires: number_or_none(contact.expires),
        retry_after: number_or_none(contact.retry_after),
        params: pinned.pairs(contact.unknown_params.iter().map(|(name, value)| (name.as_str(), value.as_str()))),
        pub_gruu: text_or_none(contact.pub_gruu.as_ref()),
        temp_gruu: text_or_none(temp_gruu.map(|(uri, _)| uri)),
        first_cseq: number_or_none(temp_gruu.and_then(|(_, first_cseq)| *first_cseq)),
    }
}
