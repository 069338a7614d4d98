//! The dialogs of a user agent (RFC 4235).

use super::xml::XmlWriter;
use crate::document::dialog_info::{DialogEntry, DialogIdentity, DialogInfo, DialogSide};
use crate::document::formats::DIALOG_INFO;

impl DialogInfo {
    /// The document. Without a [version](DialogInfo::version) it is the first one, and tells the whole state.
    #[must_use]
    pub fn to_xml(&self) -> String {
        let (number, is_full) = self.version.map_or((0, true), |version| (version.number, version.is_full));
        let mut xml = XmlWriter::new();
        xml.start("dialog-info");
        xml.attribute("xmlns", DIALOG_INFO);
        xml.number("version", Some(number));
        xml.attribute("state", if is_full { "full" } else { "partial" });
        xml.attribute("entity", &self.entity);
        for dialog in &self.dialogs {
            dialog.write(&mut xml);
        }
        xml.end("dialog-info");
        xml.finish()
    }
}

impl DialogEntry {
    /// In the order of the schema.
    fn write(&self, xml: &mut XmlWriter) {
        xml.start("dialog");
        xml.attribute("id", &self.id);
        xml.optional("call-id", self.call_id.as_deref());
        xml.optional("local-tag", self.local_tag.as_deref());
        xml.optional("remote-tag", self.remote_tag.as_deref());
        xml.optional("direction", self.direction.as_deref());
        xml.start("state");
        xml.optional("event", self.event.as_deref());
        xml.number("code", self.code);
        xml.text(&self.state);
        xml.end("state");
        if let Some(duration) = self.duration {
            xml.leaf("duration", &duration.to_string());
        }
        if let Some(replaces) = &self.replaces {
            xml.start("replaces");
            xml.attribute("call-id", &replaces.call_id);
            xml.attribute("local-tag", &replaces.local_tag);
            xml.attribute("remote-tag", &replaces.remote_tag);
            xml.end("replaces");
        }
        if let Some(identity) = &self.referred_by {
            identity.write("referred-by", xml);
        }
        if !self.route_set.is_empty() {
            xml.start("route-set");
            self.route_set.iter().for_each(|hop| xml.leaf("hop", hop));
            xml.end("route-set");
        }
        self.local.write("local", xml);
        self.remote.write("remote", xml);
        xml.end("dialog");
    }
}

impl DialogSide {
    /// Nothing if nothing is known.
    fn write(&self, name: &str, xml: &mut XmlWriter) {
        if *self == Self::default() {
            return;
        }
        xml.start(name);
        if let Some(identity) = &self.identity {
            identity.write("identity", xml);
        }
        if let Some(target) = &self.target {
            xml.start("target");
            xml.attribute("uri", target);
            for (name, value) in &self.params {
                xml.start("param");
                xml.attribute("pname", name);
                xml.optional("pval", value.as_deref());
                xml.end("param");
            }
            xml.end("target");
        }
        if let Some((kind, description)) = &self.session {
            xml.start("session-description");
            xml.optional("type", kind.as_deref());
            xml.text(description);
            xml.end("session-description");
        }
        if let Some(cseq) = self.cseq {
            xml.leaf("cseq", &cseq.to_string());
        }
        xml.end(name);
    }
}

impl DialogIdentity {
    fn write(&self, name: &str, xml: &mut XmlWriter) {
        xml.start(name);
        xml.optional("display", self.display.as_deref());
        xml.text(&self.uri);
        xml.end(name);
    }
}
