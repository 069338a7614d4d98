//! `$b2b(record=>field)`, `$b2b(field)` and `b2b_state()`: the newest states, in any route of any process.

use std::cell::RefCell;

use super::fields::STATE_FIELDS;
use super::script::FALSE;
use super::subscriptions;
use crate::document::{FIELDS, blanked};
use crate::engine::{self, Engine};
use crate::host::log;
use crate::host::message::{MessageKey, SipMessage};
use crate::host::pv::Value;
use crate::host::shm::Shm;
use crate::host::text::HeldText;
use crate::latest::{KeptValue, LatestView, field};
use crate::subscription::package::PRESENCE;
use crate::subscription::{Status, nearest};
use crate::time::Millis;

/// The result of `b2b_state()` if nothing of this kind is kept: false for the script.
const UNKNOWN: i32 = -2;

/// How many texts that the script was given stay where they are: more than any line of a script has.
const PLACES: usize = 16;

/// A field of a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateField(&'static str);

/// A state in the process's own memory.
struct CurrentState {
    /// The message that `b2b_state()` was called for.
    of: MessageKey,
    status: Status,
    reason: String,
    code: u16,
    updated: Millis,
    /// Content type and body, and the packed fields, if the state is known.
    document: Option<([Vec<u8>; 2], Vec<u8>)>,
}

thread_local! {
    static CURRENT: RefCell<Option<CurrentState>> = const { RefCell::new(None) };

    /// The newest texts that the script was given, and how many there were: copies that it may write to.
    static GIVEN: RefCell<([HeldText; PLACES], usize)> = RefCell::default();
}

impl StateField {
    /// The field with this name; what is unknown is said in the log, with what there is.
    #[must_use]
    pub fn known(name: &[u8]) -> Option<Self> {
        let names = || STATE_FIELDS.into_iter().chain(FIELDS.iter().map(|field| field.name));
        let found = names().find(|known| known.as_bytes() == name).map(Self);
        if found.is_none() {
            let wrong = match name {
                [] => "$b2b(...): the name of the field is missing".to_owned(),
                name => format!("$b2b(...): there is no field {}", log::beginning(name)),
            };
            let hint = nearest(&String::from_utf8_lossy(name), names()).map_or_else(
                || {
                    let fields = names().collect::<Vec<_>>().join(", ");
                    format!("the fields are {fields}; write $b2b(record=>field), or $b2b(field) after b2b_state()")
                },
                |meant| format!("did you mean {meant}?"),
            );
            log::error(&format!("{wrong}: {hint}"));
        }
        found
    }
}

/// The two parts of `record=>field`; without an arrow it is a field of the state that is current.
#[must_use]
pub fn parts_of(name: &[u8]) -> (Option<&[u8]>, &[u8]) {
    let arrow = name.windows(2).rposition(|pair| pair == b"=>");
    let parts = arrow.and_then(|at| Some((name.get(..at)?, name.get(at.checked_add(2)?..)?)));
    match parts {
        Some((record, field)) => (Some(record.trim_ascii()), field.trim_ascii()),
        None => (None, name.trim_ascii()),
    }
}

/// `b2b_state(record [, subscriber [, package]])`: 1 if the state is known, -1 if not, -2 if none is kept of this record. It is current from
/// now on, for this message.
#[must_use]
pub fn make_current(message: SipMessage<'_>, record: &[u8], subscriber: &[u8], package: &[u8]) -> i32 {
    CURRENT.take();
    let Some(engine) = engine::engine() else { return FALSE };
    let package = if package.is_empty() { PRESENCE.name.as_bytes() } else { package };
    let package = match subscriptions::known_package(engine, package) {
        Ok(package) => package.name.as_bytes(),
        Err(error) => {
            log::error(&format!("b2b_state: {error} (record \"{}\")", log::beginning(record)));
            return UNKNOWN;
        }
    };
    let subscriber = Some(subscriber).filter(|subscriber| !subscriber.is_empty());
    let Some(view) = engine.state_of(record, subscriber, package) else { return UNKNOWN };
    let current = CurrentState::of(message.key(), &view);
    let is_known = current.document.is_some();
    CURRENT.set(Some(current));
    if is_known { super::script::TRUE } else { FALSE }
}

/// Shows the value of a field of the state that is current for this message to `show`, and a place for a text.
pub fn with_current<R>(
    message: Option<SipMessage<'_>>,
    field: StateField,
    show: impl FnOnce(Value<'_>, &mut HeldText) -> R,
) -> R {
    CURRENT.with_borrow(|current| {
        let of = message.map(SipMessage::key);
        let current = current.as_ref().filter(|current| Some(current.of) == of);
        in_place(current.map_or(Value::Null, |current| current.value(field, Engine::now())), show)
    })
}

/// The same of a record: in the packages whose documents have this field, or `presence` if it is a field of all states.
pub fn with_state_of<R>(record: &[u8], field: StateField, show: impl FnOnce(Value<'_>, &mut HeldText) -> R) -> R {
    let view = engine::engine().and_then(|engine| find(engine, record, field));
    let content_type;
    let value = match &view {
        None => Value::Null,
        Some(view) => {
            let said =
                Said { status: view.status, reason: view.reason.as_str(), code: view.code, updated: view.updated };
            let settled = view.settled.as_ref().filter(|_| view.is_known());
            content_type = settled.map(|settled| blanked(settled.texts.get(0).into()));
            let document = settled.zip(content_type.as_deref());
            let document = document.map(|(settled, kind)| ([kind, settled.texts.get(1)], settled.fields.get(0)));
            said.value(field, document, Engine::now())
        }
    };
    in_place(value, show)
}

fn find(engine: &Engine, record: &[u8], wanted: StateField) -> Option<LatestView<Shm>> {
    if STATE_FIELDS.contains(&wanted.0) {
        return engine.state_of(record, None, PRESENCE.name.as_bytes());
    }
    let formats = || FIELDS.iter().filter(|field| field.name == wanted.0).map(|field| field.format);
    let packages = engine.config.packages.iter();
    let mut packages = packages.filter(|package| formats().any(|format| package.accept.contains(&format)));
    packages.find_map(|package| engine.state_of(record, None, package.name.as_bytes()))
}

/// Shows a value, and the next place if it is a text.
fn in_place<R>(value: Value<'_>, show: impl FnOnce(Value<'_>, &mut HeldText) -> R) -> R {
    if !matches!(value, Value::Text(_)) {
        return show(value, &mut HeldText::default());
    }
    GIVEN.with_borrow_mut(|(places, given)| {
        *given = given.wrapping_add(1);
        match given.checked_rem(PLACES).and_then(|place| places.get_mut(place)) {
            Some(place) => show(value, place),
            None => show(Value::Null, &mut HeldText::default()),
        }
    })
}

/// What is said of each state.
#[derive(Clone, Copy)]
struct Said<'a> {
    status: Status,
    reason: &'a str,
    code: u16,
    updated: Millis,
}

impl<'a> Said<'a> {
    /// The value of a field; `document` is content type and body, and the packed fields, if the state is known.
    fn value(self, wanted: StateField, document: Option<([&'a [u8]; 2], &'a [u8])>, now: Millis) -> Value<'a> {
        match (wanted.0, document) {
            ("status", _) => Value::Text(self.status.name().as_bytes()),
            ("reason", _) => Value::Text(self.reason.as_bytes()),
            ("code", _) => Value::Number(self.code.into()),
            // Seconds since the newest news.
            ("age", _) => Value::Number(u32::try_from(now.since(self.updated).as_secs()).unwrap_or(u32::MAX)),
            (_, None) => Value::Null,
            ("content_type", Some(([content_type, _], _))) => Value::Text(content_type),
            ("body", Some(([_, body], _))) => Value::Text(body),
            (name, Some((_, fields))) => match field(fields, name) {
                Some(KeptValue::Text(text)) => Value::Text(text),
                Some(KeptValue::Number(number)) => Value::Number(u32::try_from(number).unwrap_or(u32::MAX)),
                None => Value::Null,
            },
        }
    }
}

impl CurrentState {
    fn of(message: MessageKey, view: &LatestView<Shm>) -> Self {
        let settled = view.settled.as_ref().filter(|_| view.is_known());
        let document = settled.map(|settled| {
            let [content_type, body] = settled.texts.all();
            ([blanked(content_type.into()).into_owned(), body.to_vec()], settled.fields.get(0).to_vec())
        });
        let (status, code, updated) = (view.status, view.code, view.updated);
        Self { of: message, status, reason: view.reason.as_str().to_owned(), code, updated, document }
    }

    fn value(&self, field: StateField, now: Millis) -> Value<'_> {
        let Self { status, ref reason, code, updated, .. } = *self;
        let document = self.document.as_ref();
        let document = document.map(|(texts, fields)| (texts.each_ref().map(Vec::as_slice), fields.as_slice()));
        Said { status, reason, code, updated }.value(field, document, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_arrow_divides() {
        let parts = |name: &str| {
            let (record, field) = parts_of(name.as_bytes());
            (
                record.map(|record| String::from_utf8(record.to_vec()).unwrap()),
                String::from_utf8(field.to_vec()).unwrap(),
            )
        };
        assert_eq!(parts("basic"), (None, "basic".into()));
        assert_eq!(parts("sip:a@x=>basic"), (Some("sip:a@x".into()), "basic".into()));
        assert_eq!(parts(" $sht(a=>b) => note "), (Some("$sht(a=>b)".into()), "note".into()));
        assert_eq!(parts("=>"), (Some(String::new()), String::new()));
        assert_eq!(parts(""), (None, String::new()));
    }

    /// A field of a state never hides that of a document.
    #[test]
    fn names_of_states_and_documents_differ() {
        assert!(FIELDS.iter().all(|field| !STATE_FIELDS.contains(&field.name)));
    }
}
