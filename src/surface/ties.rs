//! What ends a subscription of the script beside the script: a call, or the registration of an address of record.

use super::subscriptions::{SubscriptionError, unsubscribe};
use crate::engine::{self, CALL_TIE, Engine, RegistrationError};
use crate::host::dialog::{CallError, TrackedCall};
use crate::host::message::SipMessage;
use crate::host::usrloc::{self, UsrlocError};
use crate::host::{dialog, log};
use crate::registry::Handle;

/// How `b2b_subscribe` is to behave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// `d`: the subscription ends with the call it was made in.
    pub with_call: bool,
    /// `r`: the subscription ends with the last contact of an address of record.
    pub with_registration: bool,
}

impl Flags {
    /// Reads the flags of the script.
    ///
    /// # Errors
    /// One is unknown: a sentence that says what is known.
    pub fn parse(text: &[u8]) -> Result<Self, String> {
        let mut flags = Self::default();
        for letter in text {
            match letter {
                b'd' => flags.with_call = true,
                b'r' => flags.with_registration = true,
                _ => {
                    let hint = if text.contains(&b'=') { "; options are the fifth parameter" } else { "" };
                    let text = String::from_utf8_lossy(text);
                    return Err(format!(
                        "unknown flag in \"{text}\": known are d (ends with the call) and r (ends with the registration){hint}"
                    ));
                }
            }
        }
        Ok(flags)
    }

    /// Judges flags before the server runs.
    ///
    /// # Errors
    /// A module that they need is not loaded.
    pub fn check(self) -> Result<(), String> {
        if self.with_call && !dialog::is_bound() {
            return Err(CallError::NoModule.to_string());
        }
        if self.with_registration && !usrloc::is_loaded() {
            return Err(RegistrationError::from(UsrlocError::NoModule).to_string());
        }
        Ok(())
    }
}

/// What a subscription is to end with.
#[derive(Default)]
pub struct Ties {
    call: Option<TrackedCall>,
    /// An address of record, as the location service writes it.
    aor: Option<Vec<u8>>,
}

impl Ties {
    /// What these flags mean for a subscription of `subscriber` that is made while this message is handled. The address of record is the
    /// one that a REGISTER is for, and the subscriber's otherwise.
    ///
    /// # Errors
    /// There is no such call, or no such registration.
    pub fn of(flags: Flags, message: SipMessage<'_>, subscriber: &[u8]) -> Result<Self, SubscriptionError> {
        let call = if flags.with_call { Some(TrackedCall::of(message)?) } else { None };
        let aor = if flags.with_registration { Some(aor_of(message, subscriber)?) } else { None };
        Ok(Self { call, aor })
    }

    /// Whether a subscription may be made.
    ///
    /// # Errors
    /// Nobody is registered.
    pub fn check(&self, engine: &Engine) -> Result<(), RegistrationError> {
        self.aor.as_ref().map_or(Ok(()), |aor| engine.check_registration(aor))
    }

    /// Has a subscription end with them.
    ///
    /// # Errors
    /// Why it cannot.
    pub fn tie(&self, engine: &Engine, handle: Handle) -> Result<(), SubscriptionError> {
        if let Some(call) = &self.call {
            call.watch(handle.to_u64())?;
            engine.store_tie(handle, CALL_TIE).map_err(RegistrationError::from)?;
        }
        if let Some(aor) = &self.aor {
            engine.bind_to_registration(handle, aor)?;
            engine.store_tie(handle, aor).map_err(RegistrationError::from)?;
        }
        Ok(())
    }
}

fn aor_of(message: SipMessage<'_>, subscriber: &[u8]) -> Result<Vec<u8>, SubscriptionError> {
    usrloc::check().map_err(RegistrationError::from)?;
    let uri = message.registered_uri().unwrap_or(subscriber);
    Engine::aor_of(uri).ok_or_else(|| SubscriptionError::Aor(log::peer(uri)))
}

/// A call has ended: so does the subscription bound to it. What dialog callbacks come to.
pub fn on_call_end(parameter: u64) {
    if let (Some(engine), Some(handle)) = (engine::engine(), Handle::from_u64(parameter)) {
        // Ended already, perhaps by the script: nothing is left to do.
        let _ = unsubscribe(engine, handle);
    }
}
