//! `event_route[qsa:notify]` and `$qsa(field)`.

use std::cell::{Cell, OnceCell, RefCell};
use std::ffi::CStr;
use std::sync::OnceLock;

use super::fields::FIELDS;
use crate::document::{ContentType, PIDF_XML, PidfSummary};
use crate::engine::Engine;
use crate::host::log;
use crate::host::pv::Value;
use crate::host::route::{EventRoute, NoEngine};
use crate::host::shm::Shm;
use crate::host::text::HeldText;
use crate::qsa::{Delivered, Wanted};
use crate::registry::Handle;
use crate::subscription::{Options, Packages, Subject};

/// The route, found before the fork.
static ROUTE: OnceLock<EventRoute> = OnceLock::new();

/// Name of the event route.
const NAME: &CStr = c"qsa:notify";

/// Looks for the event route; call once, in `mod_init`. `callback` is the KEMI function's name, empty for none.
///
/// # Errors
/// When a callback is named and nothing could run it.
pub fn find_route(callback: &str) -> Result<(), NoEngine> {
    let _ = ROUTE.set(EventRoute::find(NAME, callback)?);
    Ok(())
}

/// Warns when nothing in this server takes messages; call when every module has made its queues.
pub fn warn_without_consumer(engine: &Engine) {
    let told = ROUTE.get().is_some_and(EventRoute::exists);
    if !told && !engine.has_other_consumers() {
        log::warn(
            "no consumer of messages: the script has no event_route[qsa:notify], modparam event_callback is empty, and no \
             other module has a queue: write the event route, or every message is dropped",
        );
    }
}

/// The values of `$qsa(…)` while the route runs.
struct Current {
    record: Vec<u8>,
    subscriber: Vec<u8>,
    package: Vec<u8>,
    options: Vec<u8>,
    /// Of the options, once the route has asked for it.
    event_id: OnceCell<String>,
    id: u32,
    status: &'static str,
    reason: String,
    code: u16,
    next_attempt: Option<u32>,
    fork: u8,
    content_type: Vec<u8>,
    body: Vec<u8>,
    /// The state and the note, once the route has asked for one of them.
    state: OnceCell<DocumentState>,
}

/// The facts of a presence document.
#[derive(Default)]
struct DocumentState {
    basic: Option<&'static str>,
    note: Option<String>,
}

thread_local! {
    static CURRENT: RefCell<Option<Current>> = const { RefCell::new(None) };

    /// The text of each field that the script was given: a copy that it may write to, in place until the route has ended.
    static PLACES: RefCell<[HeldText; FIELDS.len()]> = RefCell::default();

    /// Whether the route has looked at its message.
    static LOOKED: Cell<bool> = const { Cell::new(false) };
}

/// A worker has taken a message of a subscription made by script or RPC.
pub fn on_message(engine: &Engine, delivered: &Delivered<Shm>) {
    if let Some(route) = ROUTE.get().filter(|route| route.exists())
        && let Some(current) = Current::of(engine, delivered)
    {
        CURRENT.replace(Some(current));
        LOOKED.set(false);
        let ran = route.run();
        CURRENT.replace(None);
        PLACES.take();
        match route.callback() {
            None if !ran => {
                log::error("event_route[qsa:notify] could not run, and a message is lost: the line before says why")
            }
            // An engine does not say that it has no such function.
            Some(callback) if !ran || !LOOKED.get() => engine.say_once(|| {
                log::error(&format!(
                    "the function {} of modparam event_callback has not read $qsa(...) of a message: check that the \
                     script has this function and that it works, or all messages are lost",
                    callback.to_string_lossy()
                ));
            }),
            Some(_) | None => {}
        }
    }
    if delivered.message.is_last() {
        // The module is the subscriber: nothing else would end the internal subscription.
        let _ = engine.hub.unsubscribe(delivered.message.subscription());
    }
}

impl Current {
    fn of(engine: &Engine, delivered: &Delivered<Shm>) -> Option<Self> {
        let message = &delivered.message;
        let texts = |wanted: Wanted<'_>| {
            [wanted.record, wanted.subscriber, wanted.package, wanted.first_param].map(<[u8]>::to_vec)
        };
        let [record, subscriber, package, options] = engine.hub.with_subscription(message.subscription(), texts)?;
        let names = [&record, &subscriber, &package, &options].map(Vec::as_slice);
        let id =
            id_of(&engine.config.packages, delivered.subscriber_data, names, |subject| engine.registry.find(subject));
        Some(Self {
            id,
            record,
            subscriber,
            package,
            options,
            event_id: OnceCell::new(),
            status: message.status().name(),
            reason: message.reason().to_owned(),
            code: message.code(),
            next_attempt: message.next_attempt(),
            fork: message.fork(),
            content_type: message.content_type().to_vec(),
            body: message.body().to_vec(),
            state: OnceCell::new(),
        })
    }
}

/// The id of a message's subscription. It is the subscriber's value, but for the moment in which the subscription is being made:
/// then it is found by its name. Without an event id that is another name than with one.
fn id_of(
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

impl DocumentState {
    /// Reads a body; nothing if it is no presence document or a malformed one.
    fn of(content_type: &[u8], body: &[u8]) -> Option<Self> {
        let content_type = ContentType::parse(content_type).ok().filter(|kind| kind.is(PIDF_XML))?;
        let charset = content_type.parameter("charset");
        let charset = charset.as_ref().map(|charset| charset.as_sent());
        // The size was held against the limit when the body came in.
        let PidfSummary { basic, note } = PidfSummary::read(body, charset, body.len()).ok()?;
        Some(Self { basic: Some(basic.as_str()), note })
    }
}

/// The number of a field; `None` when there is no such field.
#[must_use]
pub fn field(name: &[u8]) -> Option<i32> {
    FIELDS.iter().position(|field| field.as_bytes() == name).and_then(|index| i32::try_from(index).ok())
}

/// As [`field`]; what is unknown is said in the log, with what there is.
#[must_use]
pub fn known_field(name: &[u8]) -> Option<i32> {
    let number = field(name);
    if number.is_none() {
        let name = String::from_utf8_lossy(name);
        log::error(&format!("$qsa({name}) is unknown: the fields are {}", FIELDS.join(", ")));
    }
    number
}

/// Shows the value of a field to `show`, and the field's place for a text; null outside the event route. What is at the place
/// stays there until the route ends, unless the field is shown again: with the same text then.
pub fn with_value<R>(field: i32, show: impl FnOnce(Value<'_>, &mut HeldText) -> R) -> R {
    LOOKED.set(true);
    let index = usize::try_from(field).unwrap_or(usize::MAX);
    CURRENT.with_borrow(|current| {
        PLACES.with_borrow_mut(|places| match (current, FIELDS.get(index), places.get_mut(index)) {
            (Some(current), Some(name), Some(place)) => show(current.value(name), place),
            _ => show(Value::Null, &mut HeldText::default()),
        })
    })
}

impl Current {
    fn event_id(&self) -> &str {
        self.event_id.get_or_init(|| Options::id_in(&self.options))
    }

    fn state(&self) -> &DocumentState {
        self.state.get_or_init(|| DocumentState::of(&self.content_type, &self.body).unwrap_or_default())
    }

    fn value(&self, field: &str) -> Value<'_> {
        match field {
            "record" => Value::Text(&self.record),
            "subscriber" => Value::Text(&self.subscriber),
            "package" => Value::Text(&self.package),
            "event_id" if !self.event_id().is_empty() => Value::Text(self.event_id().as_bytes()),
            "id" => Value::Number(self.id),
            "status" => Value::Text(self.status.as_bytes()),
            "reason" => Value::Text(self.reason.as_bytes()),
            "code" => Value::Number(self.code.into()),
            "next_attempt" => self.next_attempt.map_or(Value::Null, Value::Number),
            "fork" => Value::Number(self.fork.into()),
            "content_type" if !self.content_type.is_empty() => Value::Text(&self.content_type),
            "body" if !self.body.is_empty() => Value::Text(&self.body),
            "basic" => self.state().basic.map_or(Value::Null, |basic| Value::Text(basic.as_bytes())),
            "note" => self.state().note.as_ref().map_or(Value::Null, |note| Value::Text(note.as_bytes())),
            _ => Value::Null,
        }
    }
}

#[cfg(test)]
mod tests;
