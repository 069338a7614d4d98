//! The dialogs of a user agent (RFC 4235).
//!
//! Elements come in any order, in the format's namespace or in none; what is unknown is skipped; of what may occur once, the first counts.

use super::element::Element;
use super::formats::DIALOG_INFO;
use super::reader::Reader;
use super::scan::RootElement;
use super::typed::{FieldText, NamedValues};
use super::values::{attribute, first, number, text};
use super::version::Version;
use crate::grammar;

/// A document of RFC 4235.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DialogInfo {
    /// Its place among those of the subscription.
    pub version: Option<Version>,
    /// The URI of the user whose dialogs these are; empty when it is missing.
    pub entity: String,
    /// The dialogs, in document order.
    pub dialogs: Vec<DialogEntry>,
}

/// One dialog (RFC 4235 §4.1.2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DialogEntry {
    /// What names it in the documents of one subscription; empty when it is missing.
    pub id: String,
    /// Its Call-ID.
    pub call_id: Option<String>,
    /// The tag of the user's side.
    pub local_tag: Option<String>,
    /// The tag of the other side.
    pub remote_tag: Option<String>,
    /// `initiator` or `recipient`, as said.
    pub direction: Option<String>,
    /// `trying`, `proceeding`, `early`, `confirmed` or `terminated`, in lower case; anything else as said; empty when it is missing.
    pub state: String,
    /// What led to the state: `cancelled`, `rejected`, `replaced`, `local-bye`, `remote-bye`, `error` or `timeout`, as said.
    pub event: Option<String>,
    /// The SIP code that led to it.
    pub code: Option<u16>,
    /// Seconds since the dialog began.
    pub duration: Option<u64>,
    /// The dialog that this one replaces.
    pub replaces: Option<ReplacedDialog>,
    /// The URI that has referred to this dialog, and its display name.
    pub referred_by: Option<DialogIdentity>,
    /// The route set: URIs.
    pub route_set: Vec<String>,
    /// The user's side.
    pub local: DialogSide,
    /// The other side.
    pub remote: DialogSide,
}

/// A dialog that is replaced (RFC 4235 §4.1.4).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplacedDialog {
    /// Its Call-ID; empty when it is missing, like its tags.
    pub call_id: String,
    /// The tag of the user's side.
    pub local_tag: String,
    /// The tag of the other side.
    pub remote_tag: String,
}

/// One side of a dialog (RFC 4235 §4.1.6).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DialogSide {
    /// Who it is.
    pub identity: Option<DialogIdentity>,
    /// The URI of its Contact.
    pub target: Option<String>,
    /// The parameters of that Contact: name and value.
    pub params: Vec<(String, Option<String>)>,
    /// The media type of its session description, and the description.
    pub session: Option<(Option<String>, String)>,
    /// Its last CSeq.
    pub cseq: Option<u32>,
}

/// A URI with a display name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DialogIdentity {
    /// The URI.
    pub uri: String,
    /// The display name.
    pub display: Option<String>,
}

impl DialogInfo {
    /// Reads a document that has passed its check.
    pub(super) fn read(text: &str, root: &RootElement<'_>) -> Self {
        let mut reader = Reader::new(text, root);
        let mut info = Self { version: Version::read(text.as_bytes(), root), ..Self::default() };
        let Some(root) = reader.root() else { return info };
        info.entity = attribute(&root, "entity").unwrap_or_default();
        while let Some(element) = reader.child(&root) {
            if element.may_be("dialog", DIALOG_INFO) {
                info.dialogs.push(DialogEntry::read(&mut reader, &element));
            }
        }
        info
    }

    /// The dialog that a lamp shows: the first of those that are nearest to a conversation.
    #[must_use]
    pub fn lamp(&self) -> Option<&DialogEntry> {
        // Of several that are as near, the last one is taken: so from the end on.
        self.dialogs.iter().rev().max_by_key(|dialog| dialog.nearness())
    }
}

impl DialogEntry {
    fn read<'a>(reader: &mut Reader<'a>, element: &Element<'a>) -> Self {
        let mut dialog = Self {
            id: attribute(element, "id").unwrap_or_default(),
            call_id: attribute(element, "call-id"),
            local_tag: attribute(element, "local-tag"),
            remote_tag: attribute(element, "remote-tag"),
            direction: attribute(element, "direction"),
            ..Self::default()
        };
        while let Some(inner) = reader.child(element) {
            match own_name(&inner) {
                b"state" if dialog.state.is_empty() => {
                    dialog.state = known_state(text(reader, &inner));
                    dialog.event = attribute(&inner, "event");
                    dialog.code = number(&inner, "code");
                }
                b"duration" if dialog.duration.is_none() => {
                    dialog.duration = grammar::number(text(reader, &inner).as_bytes());
                }
                b"replaces" => first(&mut dialog.replaces, Some(ReplacedDialog::of(&inner))),
                b"referred-by" if dialog.referred_by.is_none() => {
                    dialog.referred_by = Some(DialogIdentity::read(reader, &inner));
                }
                b"route-set" => dialog.read_route_set(reader, &inner),
                b"local" => dialog.local.read(reader, &inner),
                b"remote" => dialog.remote.read(reader, &inner),
                _ => {}
            }
        }
        dialog
    }

    fn read_route_set<'a>(&mut self, reader: &mut Reader<'a>, element: &Element<'a>) {
        while let Some(hop) = reader.child(element) {
            if own_name(&hop) == b"hop" {
                self.route_set.push(text(reader, &hop));
            }
        }
    }

    /// How near it is to a conversation: what a lamp shows first.
    fn nearness(&self) -> u8 {
        match self.state.as_str() {
            "confirmed" => 5,
            "early" => 4,
            "proceeding" => 3,
            "trying" => 2,
            "terminated" => 1,
            _ => 0,
        }
    }
}

impl ReplacedDialog {
    fn of(element: &Element<'_>) -> Self {
        let part = |name| attribute(element, name).unwrap_or_default();
        Self { call_id: part("call-id"), local_tag: part("local-tag"), remote_tag: part("remote-tag") }
    }
}

impl DialogSide {
    fn read<'a>(&mut self, reader: &mut Reader<'a>, element: &Element<'a>) {
        while let Some(inner) = reader.child(element) {
            match own_name(&inner) {
                b"identity" if self.identity.is_none() => self.identity = Some(DialogIdentity::read(reader, &inner)),
                b"target" if self.target.is_none() => {
                    self.target = Some(attribute(&inner, "uri").unwrap_or_default());
                    self.read_params(reader, &inner);
                }
                b"session-description" if self.session.is_none() => {
                    self.session = Some((attribute(&inner, "type"), text(reader, &inner)));
                }
                b"cseq" if self.cseq.is_none() => self.cseq = grammar::number(text(reader, &inner).as_bytes()),
                _ => {}
            }
        }
    }

    fn read_params<'a>(&mut self, reader: &mut Reader<'a>, target: &Element<'a>) {
        while let Some(param) = reader.child(target) {
            if own_name(&param) == b"param" {
                self.params.push((attribute(&param, "pname").unwrap_or_default(), attribute(&param, "pval")));
            }
        }
    }

    /// Its URI: who it is, or else its Contact.
    fn uri(&self) -> Option<&str> {
        let identity = self.identity.as_ref().map(|identity| identity.uri.as_str());
        identity.filter(|uri| !uri.is_empty()).or(self.target.as_deref()).filter(|uri| !uri.is_empty())
    }

    fn name(&self) -> Option<&str> {
        self.identity.as_ref()?.display.as_deref()
    }
}

impl DialogIdentity {
    fn read<'a>(reader: &mut Reader<'a>, element: &Element<'a>) -> Self {
        Self { display: attribute(element, "display"), uri: text(reader, element) }
    }
}

/// The local name of an element of the format or of no namespace; nothing for others.
fn own_name<'a>(element: &Element<'a>) -> &'a [u8] {
    if element.may_be_in(DIALOG_INFO) { element.name.local } else { &[] }
}

fn known_state(said: String) -> String {
    let known = ["confirmed", "early", "proceeding", "trying", "terminated"];
    known.into_iter().find(|known| known.eq_ignore_ascii_case(&said)).map_or(said, str::to_owned)
}

impl NamedValues for DialogInfo {
    fn value(&self, field: &str, index: Option<usize>) -> Option<FieldText<'_>> {
        if field == "dialogs" {
            return (index.unwrap_or_default() == 0).then(|| FieldText::number(self.dialogs.len()));
        }
        let dialog = match index {
            Some(index) => self.dialogs.get(index)?,
            None => match self.lamp() {
                Some(dialog) => dialog,
                None if field == "dialog_state" => return Some(FieldText::text("terminated")),
                None => return None,
            },
        };
        let text = match field {
            "dialog_state" => Some(dialog.state.as_str()).filter(|state| !state.is_empty()),
            "direction" => dialog.direction.as_deref(),
            "remote_uri" => dialog.remote.uri(),
            "remote_name" => dialog.remote.name(),
            "local_uri" => dialog.local.uri(),
            "call_id" => dialog.call_id.as_deref(),
            "dialog_id" => Some(dialog.id.as_str()).filter(|id| !id.is_empty()),
            "local_tag" => dialog.local_tag.as_deref(),
            "remote_tag" => dialog.remote_tag.as_deref(),
            _ => None,
        };
        text.map(FieldText::text)
    }

    fn count(&self, field: &str) -> usize {
        match field {
            "dialogs" => 1,
            "dialog_state" | "direction" | "remote_uri" | "remote_name" | "local_uri" | "call_id" | "dialog_id"
            | "local_tag" | "remote_tag" => self.dialogs.len(),
            _ => 0,
        }
    }
}
