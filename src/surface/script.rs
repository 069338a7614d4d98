//! Script functions; the same for native scripts and KEMI. They return 1 for true and -1 for false, never 0.

use super::functions::Constant;
use super::subscriptions::{self, SubscriptionError};
use super::ties::{Flags, Ties};
use crate::engine::{self, Engine, Handled, Lack, RegistrationError};
use crate::host::log;
use crate::host::message::SipMessage;
use crate::host::{route, transaction, uri};

/// The result that is true for the script.
pub const TRUE: i32 = 1;

/// The result that is false for the script.
pub const FALSE: i32 = -1;

/// The result of `b2b_subscribe()` with the flag `r` where nobody is registered: false for the script.
const NOT_REGISTERED: i32 = -2;

/// Judges a constant parameter before the server runs. Filters are not known then, and looked for when the function is called.
///
/// # Errors
/// Why it can never be right.
pub fn judge(kind: Constant, text: &[u8]) -> Result<(), String> {
    match kind {
        Constant::Uri if uri::is_sip_uri(text) => subscriptions::check_uri(text).map_err(|error| error.to_string()),
        Constant::AnyUri if text.is_empty() => Ok(()),
        Constant::AnyUri => judge(Constant::Uri, text),
        Constant::Uri => Err(format!("{} is not a SIP URI", log::peer(text))),
        Constant::Package => engine::engine()
            .map_or(Ok(()), |engine| subscriptions::check_package(engine, text).map_err(|error| error.to_string())),
        Constant::Flags => Flags::parse(text)?.check(),
        Constant::Options => subscriptions::check_options(text).map_err(|error| error.to_string()),
        Constant::Username => subscriptions::check_credentials(text, b"-").map_err(|error| error.to_string()),
        Constant::Password => subscriptions::check_credentials(b"-", text).map_err(|error| error.to_string()),
    }
}

/// `handle_notify()`: true when the NOTIFY belongs to a subscription and was answered; false when not, nothing answered then.
#[must_use]
pub fn handle_notify(message: SipMessage<'_>) -> i32 {
    if let Err(misplaced) = answerable(message) {
        log::error(&format!("handle_notify: {misplaced}"));
        return FALSE;
    }
    match engine::engine().map(|engine| engine.handle_notify(message)) {
        Some(Handled::Yes) => TRUE,
        Some(Handled::No) | None => FALSE,
    }
}

/// Whether this is a place where a NOTIFY can be answered. It would be told otherwise, and answered or sent on as well.
fn answerable(message: SipMessage<'_>) -> Result<(), &'static str> {
    if !route::in_request_route() {
        return Err("called outside request_route: call it in request_route, or in a route called from there");
    }
    if transaction::is_answered(message) {
        return Err(
            "the script has answered this request already, or has relayed it: call handle_notify() before that, and exit if it is true",
        );
    }
    Ok(())
}

/// `b2b_subscribe(record, subscriber [, package [, flags [, options]]])`.
#[must_use]
pub fn subscribe(
    message: SipMessage<'_>,
    record: &[u8],
    subscriber: &[u8],
    package: &[u8],
    flags: &[u8],
    options: &[u8],
) -> i32 {
    let flags = match Flags::parse(flags) {
        Ok(flags) => flags,
        Err(error) => {
            log::error(&format!("b2b_subscribe: {error}"));
            return FALSE;
        }
    };
    verdict("b2b_subscribe", record, subscriber, |engine| {
        let ties = Ties::of(flags, message, subscriber)?;
        subscriptions::subscribe(engine, [record, subscriber, package, options], &ties).map(drop)
    })
}

/// `b2b_flow_lost()`, for `event_route[tcp:closed]`: true when the message has a connection.
#[must_use]
pub fn flow_lost(message: SipMessage<'_>) -> i32 {
    match message.connection() {
        Some(number) => {
            engine::on_flow_lost(number);
            TRUE
        }
        None => FALSE,
    }
}

/// `b2b_unsubscribe(record, subscriber [, package])`.
#[must_use]
pub fn unsubscribe(record: &[u8], subscriber: &[u8], package: &[u8]) -> i32 {
    verdict("b2b_unsubscribe", record, subscriber, |engine| {
        subscriptions::unsubscribe(engine, subscriptions::find(engine, record, subscriber, package)?)
    })
}

/// `b2b_credentials(record, subscriber, package, username, password)`. The password is not logged.
#[must_use]
pub fn credentials(record: &[u8], subscriber: &[u8], package: &[u8], username: &[u8], password: &[u8]) -> i32 {
    verdict("b2b_credentials", record, subscriber, |engine| {
        let handle = subscriptions::find(engine, record, subscriber, package)?;
        subscriptions::give_credentials(engine, handle, username, password)
    })
}

/// The result for the script; a failure is logged with the record and subscriber of the subscription.
fn verdict(
    function: &str,
    record: &[u8],
    subscriber: &[u8],
    work: impl FnOnce(&Engine) -> Result<(), SubscriptionError>,
) -> i32 {
    let Some(engine) = engine::engine() else { return FALSE };
    match work(engine) {
        Ok(()) => TRUE,
        Err(SubscriptionError::Registration(RegistrationError::NotRegistered)) => NOT_REGISTERED,
        Err(error) if error.is_memory() => {
            engine.lacks(Lack::New);
            FALSE
        }
        Err(error) => {
            let [record, subscriber] = [record, subscriber].map(String::from_utf8_lossy);
            log::error(&format!("{function}: {error} (record \"{record}\", subscriber \"{subscriber}\")"));
            FALSE
        }
    }
}
