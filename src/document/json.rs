//! A document as a JSON object: what `$qsa(json)` has as `document`.
//!
//! The names of members are those of the formats' elements and attributes, in words of lower case. Numbers are numbers. What a
//! document does not say has no member. Members are added, and none is renamed or removed: scripts and receivers rely on them.

mod dialog_info;
mod message_summary;
mod presence;
mod reginfo;
mod watcherinfo;

use serde_json::{Map, Number, Value};

use super::fields::FIELDS;
use super::typed::{Document, FieldText};
use super::version::Version;

impl Document {
    /// All that the document says as a JSON object. It may have up to six times the length of the body, and a presence document
    /// with elements of other namespaces more: see [`Self::read`].
    pub fn json(&self) -> Value {
        match self {
            Self::Presence(presentity) => presence::of(presentity),
            Self::Dialogs(dialogs) => dialog_info::of(dialogs),
            Self::Registrations(registrations) => reginfo::of(registrations),
            Self::Watchers(watchers) => watcherinfo::of(watchers),
            Self::Messages(messages) => message_summary::of(messages),
        }
    }

    /// The values of all its fields without an index, as a JSON object.
    pub fn fields_json(&self) -> Value {
        let mut fields = Members::default();
        for name in FIELDS.iter().map(|field| field.name) {
            fields = match self.value(name, None) {
                None => fields,
                Some(FieldText::Text(text)) => fields.text(name, text.as_ref()),
                Some(FieldText::Number(number)) => fields.number(name, Some(number)),
            };
        }
        fields.into()
    }
}

/// The members of an object in the making.
#[derive(Default)]
struct Members(Map<String, Value>);

impl Members {
    /// Those of a document, which says what it is.
    fn of(kind: &str) -> Self {
        Self::default().text("type", kind)
    }

    /// Those of a document in a sequence.
    fn versioned(kind: &str, version: Option<Version>) -> Self {
        let state = version.map(|version| if version.is_full { "full" } else { "partial" });
        Self::of(kind).number("version", version.map(|version| version.number)).text("state", state)
    }

    fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.insert(name.to_owned(), value.into());
        self
    }

    /// A text; none if it is empty.
    fn text<'t>(self, name: &str, text: impl Into<Option<&'t str>>) -> Self {
        match text.into() {
            Some(text) if !text.is_empty() => self.with(name, text),
            _ => self,
        }
    }

    fn number(self, name: &str, number: Option<impl Into<Number>>) -> Self {
        match number {
            Some(number) => self.with(name, number.into()),
            None => self,
        }
    }

    /// An object; none if it has no members.
    fn object(self, name: &str, object: Option<Members>) -> Self {
        match object {
            Some(object) if !object.0.is_empty() => self.with(name, object),
            _ => self,
        }
    }

    /// A list that is there even if it is empty.
    fn list<T: Into<Value>>(self, name: &str, items: impl IntoIterator<Item = T>) -> Self {
        let items: Vec<Value> = items.into_iter().map(Into::into).collect();
        self.with(name, items)
    }

    /// A list; none if it is empty.
    fn list_if_any<T: Into<Value>>(self, name: &str, items: impl IntoIterator<Item = T>) -> Self {
        let mut items = items.into_iter().peekable();
        if items.peek().is_some() { self.list(name, items) } else { self }
    }
}

impl From<Members> for Value {
    fn from(members: Members) -> Self {
        Self::Object(members.0)
    }
}
