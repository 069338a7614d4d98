//! The parameters as the server shows and changes them at run time: from the same table as `modparam`.

use std::ffi::{CStr, CString};

use super::parameters;
use crate::config::{Config, Integer, Integers, Texts};
use crate::engine;
use crate::host::limits::MostReceived;
use crate::host::log;
use crate::host::runtime::{self, NotDeclared};

/// May hold a password: not shown.
const SECRET: &CStr = c"db_url";

/// Declares them, with their values at the start.
///
/// # Errors
/// [`NotDeclared`].
pub fn declare(config: &Config) -> Result<(), NotDeclared> {
    let integers = Integers::NAMES.into_iter().zip(Integers::FACTS).zip(config.integers);
    let integers = integers.map(|((name, facts), value)| {
        let Integer { least, most, changes, .. } = facts;
        runtime::IntegerVariable { name, value, range: (least, most), changes, meaning: ended(meaning(&facts)) }
    });
    let texts = Texts::NAMES.into_iter().zip(parameters::texts_as_set()).filter(|(name, _)| *name != SECRET);
    let texts = texts.map(|(name, value)| {
        let meaning = ended("set by modparam only; see docs/parameters.md".to_owned());
        runtime::TextVariable { name, value: ended(value), meaning }
    });
    runtime::declare(integers.collect(), texts.collect(), take_changes)
}

fn meaning(Integer { default, least, most, unit, changes }: &Integer) -> String {
    let unit = if unit.is_empty() { String::new() } else { format!("{},", unit) };
    let set = if *changes { "" } else { "; set by modparam only" };
    format!("{unit} {least} to {most}, {default} unless set{set}; see docs/parameters.md").trim_start().to_owned()
}

/// What is behind a NUL is not shown.
fn ended(text: String) -> CString {
    let shown = text.split('\0').next().unwrap_or_default();
    CString::new(shown).unwrap_or_default()
}

/// Takes what has changed, and says what of it has no effect.
pub fn take_changes() {
    let Some(engine) = engine::engine() else { return };
    let Some((before, now)) = engine.take_parameters(runtime::newest) else { return };
    if now.max_body > before.max_body {
        say_body_limit(engine.live.max_body());
    }
    if now.stateless_answers > before.stateless_answers && !engine.config.has_sl {
        log::warn(
            "stateless_answers has no effect, because the module sl is not loaded: every NOTIFY is answered in a transaction",
        );
    }
}

/// Says when the server itself takes no messages that have room for the largest body. A warning if the operator has asked for larger
/// bodies.
pub fn say_body_limit(max_body: usize) {
    let most = MostReceived::of_server();
    if most.best() > max_body {
        return;
    }
    let MostReceived { datagram, stream } = most;
    let stream = stream.map_or_else(|| "none".to_owned(), |stream| format!("at most {stream} bytes (tcp_rd_buf_size)"));
    let text = format!(
        "modparam max_body is {max_body}, but the server receives messages of at most {datagram} bytes over UDP, and over TCP \
         {stream}: larger bodies do not reach the module"
    );
    if max_body > Config::USUAL_BODY { log::warn(&text) } else { log::info(&text) }
}
