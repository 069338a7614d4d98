//! The watchers of a resource (RFC 3858).
//!
//! Elements come in any order, in the format's namespace or in none; what is unknown is skipped.

use super::element::Element;
use super::formats::WATCHERINFO;
use super::reader::Reader;
use super::scan::RootElement;
use super::typed::{FieldText, NamedValues};
use super::values::{attribute, number, text};
use super::version::Version;

/// A document of RFC 3858.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WatcherInfo {
    /// Its place among those of the subscription.
    pub version: Option<Version>,
    /// The lists, in document order.
    pub lists: Vec<WatcherList>,
}

/// The watchers of one resource in one package (RFC 3858 §4.3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WatcherList {
    /// The URI of the resource; empty when it is missing.
    pub resource: String,
    /// The package; empty when it is missing.
    pub package: String,
    /// The watchers, in document order.
    pub watchers: Vec<Watcher>,
}

/// A watcher (RFC 3858 §4.4).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Watcher {
    /// What names it in the documents of one subscription; empty when it is missing.
    pub id: String,
    /// `pending`, `active`, `waiting` or `terminated`, as said; empty when it is missing.
    pub status: String,
    /// What led to the status, such as `subscribe` or `timeout`, as said; empty when it is missing.
    pub event: String,
    /// The URI.
    pub uri: String,
    /// The display name.
    pub display_name: Option<String>,
    /// The language of the display name.
    pub lang: Option<String>,
    /// Seconds until the subscription expires.
    pub expiration: Option<u64>,
    /// Seconds since it was made.
    pub duration_subscribed: Option<u64>,
}

impl WatcherInfo {
    /// Reads a document that has passed its check.
    pub(super) fn read(text: &str, root: &RootElement<'_>) -> Self {
        let mut reader = Reader::new(text, root);
        let mut info = Self { version: Version::read(text.as_bytes(), root), ..Self::default() };
        let Some(root) = reader.root() else { return info };
        while let Some(element) = reader.child(&root) {
            if element.may_be("watcher-list", WATCHERINFO) {
                info.lists.push(WatcherList::read(&mut reader, &element));
            }
        }
        info
    }

    fn watchers(&self) -> impl Iterator<Item = &Watcher> {
        self.lists.iter().flat_map(|list| &list.watchers)
    }
}

impl WatcherList {
    fn read<'a>(reader: &mut Reader<'a>, element: &Element<'a>) -> Self {
        let part = |name| attribute(element, name).unwrap_or_default();
        let mut list = Self { resource: part("resource"), package: part("package"), watchers: Vec::new() };
        while let Some(inner) = reader.child(element) {
            if inner.may_be("watcher", WATCHERINFO) {
                list.watchers.push(Watcher::read(reader, &inner));
            }
        }
        list
    }
}

impl Watcher {
    fn read<'a>(reader: &mut Reader<'a>, element: &Element<'a>) -> Self {
        let part = |name| attribute(element, name).unwrap_or_default();
        Self {
            id: part("id"),
            status: part("status"),
            event: part("event"),
            display_name: attribute(element, "display-name"),
            lang: element.lang().map(|lang| lang.trim().to_owned()),
            expiration: number(element, "expiration"),
            duration_subscribed: number(element, "duration-subscribed"),
            uri: text(reader, element),
        }
    }

    /// The value of a field that watchers have.
    fn value(&self, field: &str) -> Option<FieldText<'_>> {
        let text = match field {
            "watcher" => &self.uri,
            "watcher_status" => &self.status,
            "watcher_event" => &self.event,
            _ => return None,
        };
        Some(text.as_str()).filter(|text| !text.is_empty()).map(FieldText::text)
    }

    fn has_ended(&self) -> bool {
        self.status.eq_ignore_ascii_case("terminated")
    }
}

impl NamedValues for WatcherInfo {
    fn value(&self, field: &str, index: Option<usize>) -> Option<FieldText<'_>> {
        let mut present = self.watchers().filter(|watcher| !watcher.has_ended());
        if field == "watchers" {
            return (index.unwrap_or_default() == 0).then(|| FieldText::number(present.count()));
        }
        let watcher = match index {
            Some(index) => self.watchers().nth(index)?,
            None => present.next().or_else(|| self.watchers().next())?,
        };
        watcher.value(field)
    }

    fn count(&self, field: &str) -> usize {
        match field {
            "watchers" => 1,
            "watcher" | "watcher_status" | "watcher_event" => self.watchers().count(),
            _ => 0,
        }
    }
    fn values(&self, field: &str) -> Vec<Option<FieldText<'_>>> {
        match field {
            "watchers" => vec![self.value(field, None)],
            _ if self.count(field) == 0 => Vec::new(),
            _ => self.watchers().map(|watcher| watcher.value(field)).collect(),
        }
    }
}
