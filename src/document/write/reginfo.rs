//! Registrations as a document of RFC 3680, with the URIs of RFC 5628.

use super::xml::XmlWriter;
use crate::document::formats::REGINFO;
use crate::document::reginfo::{GRUU_INFO, RegInfo, RegisteredContact, Registration};

impl RegInfo {
    /// The document. Without a [version](RegInfo::version) it is the first one, and tells the whole state.
    #[must_use]
    pub fn to_xml(&self) -> String {
        let mut xml = XmlWriter::new();
        xml.start("reginfo");
        xml.attribute("xmlns", REGINFO);
        if self.has_gruus() {
            xml.attribute("xmlns:gr", GRUU_INFO);
        }
        let (number, is_full) = self.version.map_or((0, true), |version| (version.number, version.is_full));
        xml.number("version", Some(number));
        xml.attribute("state", if is_full { "full" } else { "partial" });
        self.registrations.iter().for_each(|registration| registration.write(&mut xml));
        xml.end("reginfo");
        xml.finish()
    }

    /// Whether it needs their namespace.
    fn has_gruus(&self) -> bool {
        let mut contacts = self.registrations.iter().flat_map(|registration| &registration.contacts);
        contacts.any(|contact| contact.pub_gruu.is_some() || contact.temp_gruu.is_some())
    }
}

impl Registration {
    fn write(&self, xml: &mut XmlWriter) {
        xml.start("registration");
        xml.attribute("aor", &self.aor);
        xml.attribute("id", &self.id);
        xml.attribute("state", &self.state);
        self.contacts.iter().for_each(|contact| contact.write(xml));
        xml.end("registration");
    }
}

impl RegisteredContact {
    /// Elements in the order of the schema (RFC 3680 §5.4): those of other namespaces come last.
    fn write(&self, xml: &mut XmlWriter) {
        xml.start("contact");
        xml.attribute("id", &self.id);
        xml.attribute("state", &self.state);
        xml.attribute("event", &self.event);
        xml.number("duration-registered", self.duration_registered);
        xml.number("expires", self.expires);
        xml.number("retry-after", self.retry_after);
        xml.optional("q", self.q.as_deref());
        xml.optional("callid", self.call_id.as_deref());
        xml.number("cseq", self.cseq);
        xml.leaf("uri", &self.uri);
        if let Some(name) = &self.display_name {
            xml.leaf("display-name", name);
        }
        for (name, value) in &self.unknown_params {
            xml.start("unknown-param");
            xml.attribute("name", name);
            xml.text(value);
            xml.end("unknown-param");
        }
        if let Some(uri) = &self.pub_gruu {
            xml.start("gr:pub-gruu");
            xml.attribute("uri", uri);
            xml.end("gr:pub-gruu");
        }
        if let Some((uri, first_cseq)) = &self.temp_gruu {
            xml.start("gr:temp-gruu");
            xml.attribute("uri", uri);
            xml.number("first-cseq", *first_cseq);
            xml.end("gr:temp-gruu");
        }
        xml.end("contact");
    }
}
