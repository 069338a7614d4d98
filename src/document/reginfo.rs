//! The registrations of an address of record (RFC 3680), with the URIs of RFC 5628.
//!
//! Elements come in any order, in the format's namespace or in none; what is unknown is skipped; of what may occur once, the first counts.

use super::element::Element;
use super::formats::REGINFO;
use super::reader::Reader;
use super::scan::RootElement;
use super::typed::{FieldText, NamedValues};
use super::values::{attribute, first, number, text};
use super::version::Version;

/// Namespace of the URIs of RFC 5628 §6.
pub(super) const GRUU_INFO: &str = "urn:ietf:params:xml:ns:gruuinfo";

/// A document of RFC 3680.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RegInfo {
    /// Its place among those of the subscription.
    pub version: Option<Version>,
    /// The registrations, in document order.
    pub registrations: Vec<Registration>,
}

/// The registration of one address of record (RFC 3680 §5.2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Registration {
    /// The address of record; empty when it is missing.
    pub aor: String,
    /// What names it in the documents of one subscription; empty when it is missing.
    pub id: String,
    /// `init`, `active` or `terminated`, as said; empty when it is missing.
    pub state: String,
    /// Its contacts, in document order.
    pub contacts: Vec<RegisteredContact>,
}

/// A contact of a registration (RFC 3680 §5.3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RegisteredContact {
    /// What names it in the documents of one subscription; empty when it is missing.
    pub id: String,
    /// `active` or `terminated`, as said; empty when it is missing.
    pub state: String,
    /// What led to the state, such as `registered`, `refreshed`, `expired` or `unregistered`, as said; empty when it is missing.
    pub event: String,
    /// The URI.
    pub uri: String,
    /// Seconds since it was registered.
    pub duration_registered: Option<u64>,
    /// Seconds until it expires.
    pub expires: Option<u64>,
    /// Seconds after which it may be registered again.
    pub retry_after: Option<u64>,
    /// The preference, as said.
    pub q: Option<String>,
    /// The Call-ID of its last REGISTER.
    pub call_id: Option<String>,
    /// The CSeq of its last REGISTER.
    pub cseq: Option<u32>,
    /// The display name.
    pub display_name: Option<String>,
    /// Parameters of the Contact that RFC 3680 has no element for: name and value.
    pub unknown_params: Vec<(String, String)>,
    /// The public GRUU (RFC 5628 §4).
    pub pub_gruu: Option<String>,
    /// The newest temporary GRUU, and the CSeq of the REGISTER that was first given one.
    pub temp_gruu: Option<(String, Option<u32>)>,
}

impl RegInfo {
    /// Reads a document that has passed its check.
    pub(super) fn read(text: &str, root: &RootElement<'_>) -> Self {
        let mut reader = Reader::new(text, root);
        let mut info = Self { version: Version::read(text.as_bytes(), root), ..Self::default() };
        let Some(root) = reader.root() else { return info };
        while let Some(element) = reader.child(&root) {
            if element.may_be("registration", REGINFO) {
                info.registrations.push(Registration::read(&mut reader, &element));
            }
        }
        info
    }

    fn contacts(&self) -> impl Iterator<Item = (&Registration, &RegisteredContact)> {
        self.registrations.iter().flat_map(|each| each.contacts.iter().map(move |contact| (each, contact)))
    }

    /// The first contact that is active, or else the first.
    fn shown(&self) -> Option<(&Registration, &RegisteredContact)> {
        self.contacts().find(|(_, contact)| contact.is_active()).or_else(|| self.contacts().next())
    }
}

impl Registration {
    fn read<'a>(reader: &mut Reader<'a>, element: &Element<'a>) -> Self {
        let part = |name| attribute(element, name).unwrap_or_default();
        let mut registration = Self { aor: part("aor"), id: part("id"), state: part("state"), contacts: Vec::new() };
        while let Some(inner) = reader.child(element) {
            if inner.may_be("contact", REGINFO) {
                registration.contacts.push(RegisteredContact::read(reader, &inner));
            }
        }
        registration
    }
}

impl RegisteredContact {
    fn read<'a>(reader: &mut Reader<'a>, element: &Element<'a>) -> Self {
        let part = |name| attribute(element, name).unwrap_or_default();
        let mut contact = Self {
            id: part("id"),
            state: part("state"),
            event: part("event"),
            duration_registered: number(element, "duration-registered"),
            expires: number(element, "expires"),
            retry_after: number(element, "retry-after"),
            q: attribute(element, "q"),
            call_id: attribute(element, "callid"),
            cseq: number(element, "cseq"),
            ..Self::default()
        };
        while let Some(inner) = reader.child(element) {
            contact.take(reader, &inner);
        }
        contact
    }

    fn take<'a>(&mut self, reader: &mut Reader<'a>, inner: &Element<'a>) {
        let is = |local: &str| inner.may_be(local, REGINFO);
        let is_gruu = |local: &str| inner.may_be(local, GRUU_INFO);
        if is("uri") && self.uri.is_empty() {
            self.uri = text(reader, inner);
        } else if is("display-name") && self.display_name.is_none() {
            self.display_name = Some(text(reader, inner));
        } else if is("unknown-param") {
            self.unknown_params.push((attribute(inner, "name").unwrap_or_default(), text(reader, inner)));
        } else if is_gruu("pub-gruu") {
            first(&mut self.pub_gruu, attribute(inner, "uri"));
        } else if is_gruu("temp-gruu") {
            first(&mut self.temp_gruu, attribute(inner, "uri").map(|uri| (uri, number(inner, "first-cseq"))));
        }
    }

    /// The value of a field that contacts have.
    fn value(&self, field: &str) -> Option<FieldText<'_>> {
        let text = match field {
            "contact" => Some(self.uri.as_str()),
            "contact_event" => Some(self.event.as_str()),
            "contact_state" => Some(self.state.as_str()),
            "pub_gruu" => self.pub_gruu.as_deref(),
            "temp_gruu" => self.temp_gruu.as_ref().map(|(uri, _)| uri.as_str()),
            "expires" => return self.expires.map(FieldText::number),
            _ => None,
        };
        text.filter(|text| !text.is_empty()).map(FieldText::text)
    }

    /// Whether the address of record can be reached by it.
    fn is_active(&self) -> bool {
        self.state.eq_ignore_ascii_case("active")
    }
}

impl NamedValues for RegInfo {
    fn value(&self, field: &str, index: Option<usize>) -> Option<FieldText<'_>> {
        if field == "contacts" {
            let active = || self.contacts().filter(|(_, contact)| contact.is_active()).count();
            return (index.unwrap_or_default() == 0).then(|| FieldText::number(active()));
        }
        if matches!(field, "aor" | "reg_state") {
            let registration = match index {
                Some(index) => self.registrations.get(index)?,
                None => self.shown().map(|(registration, _)| registration).or(self.registrations.first())?,
            };
            let text = if field == "aor" { &registration.aor } else { &registration.state };
            return Some(text.as_str()).filter(|text| !text.is_empty()).map(FieldText::text);
        }
        let (_, contact) = match index {
            Some(index) => self.contacts().nth(index)?,
            None => self.shown()?,
        };
        contact.value(field)
    }

    fn count(&self, field: &str) -> usize {
        match field {
            "contacts" => 1,
            "aor" | "reg_state" => self.registrations.len(),
            "contact" | "contact_event" | "contact_state" | "pub_gruu" | "temp_gruu" | "expires" => {
                self.contacts().count()
            }
            _ => 0,
        }
    }
    fn values(&self, field: &str) -> Vec<Option<FieldText<'_>>> {
        match field {
            "contacts" | "aor" | "reg_state" => {
                (0..self.count(field)).map(|index| self.value(field, Some(index))).collect()
            }
            _ if self.count(field) == 0 => Vec::new(),
            _ => self.contacts().map(|(_, contact)| contact.value(field)).collect(),
        }
    }
}
