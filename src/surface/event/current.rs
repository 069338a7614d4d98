//! The message that the event route handles, and what `$qsa(…)` shows of it.

use std::borrow::Cow;
use std::cell::OnceCell;

use super::json;
use crate::document::{ContentType, Document, FieldText, PIDF_XML, PidfSummary, blanked};
use crate::engine::Engine;
use crate::host::pv::PvIndex;
use crate::host::shm::Shm;
use crate::qsa::{Delivered, Listed, Wanted};
use crate::registry::Handle;
use crate::subscription::{Options, Packages, Status, Subject};

/// The values of `$qsa(…)` while the route runs. What is read from the body is read when the route asks for it.
#[derive(Debug, Default)]
pub struct Current {
    pub record: Vec<u8>,
    pub subscriber: Vec<u8>,
    pub package: Vec<u8>,
    pub options: Vec<u8>,
    /// Of the options.
    event_id: OnceCell<String>,
    pub id: u32,
    pub status: &'static str,
    pub reason: String,
    pub code: u16,
    pub next_attempt: Option<u32>,
    pub fork: u8,
    pub content_type: Vec<u8>,
    pub body: Vec<u8>,
    /// The list that the record is a resource of.
    pub list: Option<String>,
    pub resource_name: Option<String>,
    pub instance: Option<String>,
    /// Nobody subscribed to it.
    pub unsolicited: bool,
    /// The state and the note of a presence document, which cost less than the whole of it.
    summary: OnceCell<Option<PidfSummary>>,
    document: OnceCell<Option<Document>>,
    json: OnceCell<String>,
}

/// What a field shows.
#[derive(Debug, PartialEq, Eq)]
pub enum Shown<'a> {
    /// `$null`.
    Null,
    /// A text.
    Text(Cow<'a, [u8]>),
    /// A number.
    Number(u32),
}

impl Current {
    /// Of a message that a worker has taken; `None` when its subscription is gone.
    pub fn of(engine: &Engine, delivered: &Delivered<Shm>) -> Option<Self> {
        let message = &delivered.message;
        let texts = |wanted: Wanted<'_>| {
            [wanted.record, wanted.subscriber, wanted.package, wanted.first_param].map(<[u8]>::to_vec)
        };
        let [record, subscriber, package, options] = engine.hub.with_subscription(message.subscription(), texts)?;
        let names = [&record, &subscriber, &package, &options].map(Vec::as_slice);
        let id =
            id_of(&engine.config.packages, delivered.subscriber_data, names, |subject| engine.registry.find(subject));
        let [content_type, body] = delivered.content().map(<[u8]>::to_vec);
        let listed = delivered.listed.as_deref().cloned();
        let Listed { list, record: resource, name: resource_name, instance, .. } = listed.clone().unwrap_or_default();
        let record = if listed.is_some() { resource.into_bytes() } else { record };
        Some(Self {
            id,
            record,
            list: listed.map(|_| list),
            resource_name,
            instance,
            subscriber,
            package,
            options,
            status: message.status().name(),
            reason: message.reason().to_owned(),
            code: message.code(),
            next_attempt: message.next_attempt(),
            fork: message.fork(),
            content_type,
            body,
            ..Self::default()
        })
    }

    /// Of a state that nobody subscribed to: record, package, content type and body.
    pub fn unsolicited(texts: [&[u8]; 4]) -> Self {
        let [record, package, content_type, body] = texts.map(<[u8]>::to_vec);
        Self {
            record,
            package,
            content_type,
            body,
            status: Status::Active.name(),
            unsolicited: true,
            ..Self::default()
        }
    }

    /// The event id; empty when there is none.
    pub fn event_id(&self) -> &str {
        self.event_id.get_or_init(|| Options::id_in(&self.options))
    }

    /// The document in the body, if it has a reader and can be read. The size was held against the limit when the body came in.
    pub fn document(&self) -> Option<&Document> {
        let read = || Document::read(&self.content_type, &self.body, self.body.len());
        self.document.get_or_init(read).as_ref()
    }

    fn summary(&self) -> Option<&PidfSummary> {
        self.summary.get_or_init(|| summary_of(&self.content_type, &self.body)).as_ref()
    }

    /// The value of a field. A field of the message has one value; those of documents may have several.
    pub fn shown(&self, field: &str, index: PvIndex) -> Shown<'_> {
        match index {
            PvIndex::Unnamed => self.value(field).unwrap_or_else(|| self.of_document(field, None)),
            PvIndex::At(at) => {
                let place = usize::try_from(at).ok().or_else(|| {
                    let from_the_end = usize::try_from(at.unsigned_abs()).ok()?;
                    self.count(field).checked_sub(from_the_end)
                });
                place.map_or(Shown::Null, |place| self.at(field, place))
            }
            PvIndex::All => self.joined(field),
        }
    }

    /// The value of a field at a place, from 0.
    fn at(&self, field: &str, place: usize) -> Shown<'_> {
        match self.of_message(field) {
            Some(value) if place == 0 => value,
            Some(_) => Shown::Null,
            None => self.of_document(field, Some(place)),
        }
    }

    fn count(&self, field: &str) -> usize {
        match self.of_message(field) {
            Some(_) => 1,
            None => self.document().map_or(0, |document| document.count(field)),
        }
    }

    /// All values of a field, with commas between them; nothing stands for a value that the document does not say.
    fn joined(&self, field: &str) -> Shown<'_> {
        if let Some(value) = self.of_message(field) {
            return value;
        }
        let values = self.document().map_or_else(Vec::new, |document| document.values(field));
        if values.iter().all(Option::is_none) {
            return Shown::Null;
        }
        let texts = values.into_iter().map(|value| match value {
            None => Cow::default(),
            Some(FieldText::Text(text)) => one_line(text),
            Some(FieldText::Number(number)) => number.to_string().into_bytes().into(),
        });
        let texts: Vec<Cow<'_, [u8]>> = texts.collect();
        Shown::Text(texts.join(&b","[..]).into())
    }

    /// As [`Self::of_message`]; with what a summary of a presence document says, if the document itself has not been read.
    fn value(&self, field: &str) -> Option<Shown<'_>> {
        match field {
            "basic" | "note" if self.document.get().is_none() => Some(match (field, self.summary()) {
                (_, None) => Shown::Null,
                ("basic", Some(summary)) => Shown::text(summary.basic.as_str()),
                (_, Some(summary)) => {
                    summary.note.as_deref().map_or(Shown::Null, |note| Shown::Text(one_line(note.into())))
                }
            }),
            _ => self.of_message(field),
        }
    }

    /// A field that is no document's.
    fn of_message(&self, field: &str) -> Option<Shown<'_>> {
        Some(match field {
            "record" => Shown::bytes(&self.record),
            "subscriber" => Shown::bytes(&self.subscriber),
            "package" => Shown::bytes(&self.package),
            "event_id" => Shown::unless_empty(self.event_id().as_bytes()),
            "id" => Shown::Number(self.id),
            "status" => Shown::text(self.status),
            "reason" => Shown::text(&self.reason),
            "code" => Shown::Number(self.code.into()),
            "next_attempt" => self.next_attempt.map_or(Shown::Null, Shown::Number),
            "fork" => Shown::Number(self.fork.into()),
            "content_type" if self.content_type.is_empty() => Shown::Null,
            "content_type" => Shown::Text(blanked(self.content_type.as_slice().into())),
            "body" => Shown::unless_empty(&self.body),
            "list" => self.list.as_deref().map_or(Shown::Null, Shown::text),
            "resource_name" => self.resource_name.as_deref().map_or(Shown::Null, Shown::text),
            "instance" => self.instance.as_deref().map_or(Shown::Null, Shown::text),
            "unsolicited" => Shown::Number(self.unsolicited.into()),
            "json" => Shown::text(self.json.get_or_init(|| json::of(self))),
            _ => return None,
        })
    }

    fn of_document(&self, field: &str, place: Option<usize>) -> Shown<'_> {
        match self.document().and_then(|document| document.value(field, place)) {
            None => Shown::Null,
            Some(FieldText::Text(text)) => Shown::Text(one_line(text)),
            Some(FieldText::Number(number)) => Shown::Number(for_script(number)),
        }
    }
}

impl<'a> Shown<'a> {
    fn bytes(bytes: &'a [u8]) -> Self {
        Self::Text(Cow::Borrowed(bytes))
    }

    fn text(text: &'a str) -> Self {
        Self::bytes(text.as_bytes())
    }

    fn unless_empty(bytes: &'a [u8]) -> Self {
        if bytes.is_empty() { Self::Null } else { Self::bytes(bytes) }
    }
}

/// A text of a document in one line. The body and its JSON have it as it came.
fn one_line(text: Cow<'_, str>) -> Cow<'_, [u8]> {
    blanked(match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    })
}

/// A number as the script can hold it: integers of scripts have 31 bits and a sign.
fn for_script(number: i64) -> u32 {
    number.clamp(0, i32::MAX.into()).try_into().unwrap_or_default()
}

/// The facts of a presence document; nothing if the body is none or malformed.
fn summary_of(content_type: &[u8], body: &[u8]) -> Option<PidfSummary> {
    let content_type = ContentType::parse(content_type).ok().filter(|kind| kind.is(PIDF_XML))?;
    let charset = content_type.parameter("charset");
    PidfSummary::read(body, charset.as_ref().map(|charset| charset.as_sent()), body.len()).ok()
}

/// The id of a message's subscription. It is the subscriber's value, but for the moment in which the subscription is being made:
/// then it is found by its name. Without an event id that is another name than with one.
pub fn id_of(
    packages: &Packages,
    subscriber_data: usize,
    [record, subscriber, package, options]: [&[u8]; 4],
    find: impl FnOnce(&Subject<'_>) -> Option<Handle>,
) -> u32 {
    match u32::try_from(subscriber_data) {
        Ok(id) if id != 0 => id,
        _ => packages.find(package).map_or(0, |package| {
            let event_id = Options::id_in(options);
            let subject = Subject { record, subscriber, package: package.number, event_id: event_id.as_bytes() };
            find(&subject).map_or(0, Handle::id)
        }),
    }
}
