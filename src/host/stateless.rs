//! sl: answers given without a transaction.

use std::sync::OnceLock;

use super::bindings as ks;
use super::log;
use super::message::SipMessage;
use super::transaction;

struct SlApi(ks::sl_api_t);

// SAFETY: a table of functions, written once before the fork and only read afterwards.
unsafe impl Sync for SlApi {}
// SAFETY: as above.
unsafe impl Send for SlApi {}

static SL: OnceLock<SlApi> = OnceLock::new();

/// Binds to sl, if it is loaded; call once, in `mod_init`. Whether it is.
pub fn bind() -> bool {
    let mut sl = ks::sl_api_t::default();
    // SAFETY: fills our table.
    let found = unsafe { ks::pb2b_load_sl(&mut sl) } >= 0;
    if !found {
        return false;
    }
    // SAFETY: the table is filled; mod_init is the time.
    if unsafe { ks::pb2b_hear_answers(&sl) } < 0 {
        log::warn(
            "sl does not report which requests it has answered: handle_notify() will not notice that the script has answered one",
        );
    }
    SL.set(SlApi(sl)).is_ok()
}

/// Answers a request without a transaction, with extra header lines (each ending in CRLF). `false` when sl refused, or
/// is not loaded.
#[must_use]
pub fn reply(message: SipMessage<'_>, code: u16, phrase: &str, headers: &[u8]) -> bool {
    let Some(reply) = SL.get().and_then(|bound| bound.0.zreply) else { return false };
    transaction::with_phrase(message, phrase, headers, |phrase| {
        // SAFETY: the message is the one being processed; the phrase ends with NUL and is copied.
        unsafe { reply(message.as_raw(), code.into(), phrase) >= 0 }
    })
}
