//! `event_route[qsa:notify]` and `$qsa(field)`.
//!
//! | file | what it does |
//! |---|---|
//! | `copies` | where the script's copies of values are |
//! | `current` | the message that the route handles, and the values of its fields |
//! | `json` | the message as one JSON object |
//!
mod copies;
mod current;
mod json;

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::ffi::CStr;
use std::sync::OnceLock;

use self::copies::ValueCopies;
use self::current::{Current, Shown};
use super::fields::FIELDS;
use crate::document::FIELDS as DOCUMENT_FIELDS;
use crate::engine::Engine;
use crate::host::log;
use crate::host::pv::{PvIndex, Value};
use crate::host::route::{EventRoute, NoEngine};
use crate::host::shm::Shm;
use crate::host::text::HeldText;
use crate::qsa::{Delivered, UnsolicitedState};
use crate::subscription::nearest;

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
             other module has a queue: write the event route, or every message is dropped; states that are published or kept at \
             hand need no route",
        );
    }
}

thread_local! {
    static CURRENT: RefCell<Option<Current>> = const { RefCell::new(None) };

    static COPIES: RefCell<ValueCopies> = const { RefCell::new(ValueCopies::new()) };

    /// Whether the route has looked at its message.
    static LOOKED: Cell<bool> = const { Cell::new(false) };
}

/// A worker has taken a message of a subscription made by script or RPC.
pub fn on_message(engine: &Engine, delivered: &Delivered<Shm>) {
    if let Some(current) = Current::of(engine, delivered) {
        tell(engine, current);
    }
    if delivered.message.is_last() {
        // The module is the subscriber: nothing else would end the internal subscription.
        let _ = engine.hub.unsubscribe(delivered.message.subscription());
    }
}

/// A worker has taken a state that nobody subscribed to.
pub fn on_unsolicited(engine: &Engine, state: &UnsolicitedState<Shm>) {
    tell(engine, Current::unsolicited(state.all()));
}

fn tell(engine: &Engine, current: Current) {
    if let Some(route) = ROUTE.get().filter(|route| route.exists()) {
        CURRENT.replace(Some(current));
        LOOKED.set(false);
        let ran = route.run();
        CURRENT.replace(None);
        COPIES.take();
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
}

/// The name behind a field's number: those of messages come first.
fn name_of(number: i32) -> Option<&'static str> {
    let number = usize::try_from(number).ok()?;
    FIELDS.get(number).copied().or_else(|| Some(DOCUMENT_FIELDS.get(number.checked_sub(FIELDS.len())?)?.name))
}

/// All names of fields; one that documents of several formats have comes several times.
fn names() -> impl Iterator<Item = &'static str> {
    FIELDS.into_iter().chain(DOCUMENT_FIELDS.iter().map(|field| field.name))
}

/// The number of a field; `None` when there is no such field.
#[must_use]
pub fn field(name: &[u8]) -> Option<i32> {
    names().position(|field| field.as_bytes() == name).and_then(|number| i32::try_from(number).ok())
}

/// As [`field`]; what is unknown is said in the log, with what there is.
#[must_use]
pub fn known_field(name: &[u8]) -> Option<i32> {
    let number = field(name);
    if number.is_none() {
        let name = String::from_utf8_lossy(name);
        let hint = nearest(&name, names()).map_or_else(
            || {
                let fields: BTreeSet<_> = names().collect();
                format!("the fields are {}", Vec::from_iter(fields).join(", "))
            },
            |meant| format!("did you mean {meant}?"),
        );
        log::error(&format!("$qsa({name}) is unknown: {hint}"));
    }
    number
}

/// Shows the value of a field to `show`, and its place for a text; null outside the event route, or without a usable index. What is
/// at the place stays there until the route ends, unless the value is shown again: with the same text then.
pub fn with_value<R>(field: i32, index: Option<PvIndex>, show: impl FnOnce(Value<'_>, &mut HeldText) -> R) -> R {
    LOOKED.set(true);
    CURRENT.with_borrow(|current| {
        let shown = match (current, name_of(field), index) {
            (Some(current), Some(name), Some(index)) => current.shown(name, index),
            _ => Shown::Null,
        };
        match shown {
            Shown::Text(text) => COPIES.with_borrow_mut(|copies| {
                show(Value::Text(&text), copies.place(field, index.unwrap_or(PvIndex::Unnamed)))
            }),
            Shown::Number(number) => show(Value::Number(number), &mut HeldText::default()),
            Shown::Null => show(Value::Null, &mut HeldText::default()),
        }
    })
}

#[cfg(test)]
mod tests;
