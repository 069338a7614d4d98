//! The presence server of this Kamailio: the module presence, when it is loaded.

use std::ffi::c_int;
use std::sync::OnceLock;
use std::time::Duration;

use super::bindings as ks;
use super::text::lend;
use super::{database, module_params};

/// The `publ_cache` with which states are in memory only.
const IN_MEMORY: c_int = 2;

/// What [`bind`] has found. Set before the fork.
static FOUND: OnceLock<Result<(), NoPresence>> = OnceLock::new();

/// Why no state can be given to the presence server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.sentence())]
pub enum NoPresence {
    /// The module is not there.
    NotLoaded,
    /// It has no place for states.
    Library,
    /// Its database cannot replace a row.
    NoReplace,
    /// Nothing in it knows the package; what to load.
    UnknownPackage(&'static str),
}

impl NoPresence {
    /// The same for those that keep the text. It is short, as answers of RPC cut long ones.
    #[must_use]
    pub fn sentence(self) -> &'static str {
        match self {
            Self::NotLoaded => "publishing needs the module presence: load it",
            Self::Library => "the module presence is only a library: set its publ_cache to 2, or its db_url",
            Self::NoReplace => "the database of the module presence cannot replace rows: set its publ_cache to 2",
            Self::UnknownPackage(sentence) => sentence,
        }
    }
}

/// Binds to the presence server, if there is one; call once, in `mod_init`.
///
/// # Errors
/// Why there is none that takes states.
pub fn bind() -> Result<(), NoPresence> {
    *FOUND.get_or_init(|| {
        // SAFETY: fills the shim's table, before the fork.
        if unsafe { ks::pb2b_presence_bind() } < 0 {
            return Err(NoPresence::NotLoaded);
        }
        if module_params::number(c"presence", c"publ_cache") == Some(IN_MEMORY) {
            return Ok(());
        }
        match module_params::text(c"presence", c"db_url") {
            None => Err(NoPresence::Library),
            Some(url) if database::cannot_replace(&url) => Err(NoPresence::NoReplace),
            Some(_) => Ok(()),
        }
    })
}

/// Whether the presence server takes states of this event package.
///
/// # Errors
/// Why not.
pub fn takes(package: &str) -> Result<(), NoPresence> {
    FOUND.get().copied().unwrap_or(Err(NoPresence::NotLoaded))?;
    // SAFETY: the host has a text of its own; it looks into a list that is complete since mod_init.
    let is_known = lend([package.as_bytes()], |[mut event]| unsafe { ks::pb2b_presence_knows(&mut event) } == 1);
    if is_known { Ok(()) } else { Err(NoPresence::UnknownPackage(what_knows(package))) }
}

/// Which module makes an event package known to the presence server.
fn what_knows(package: &str) -> &'static str {
    match package {
        "dialog" => "the module presence lacks the package: load presence_dialoginfo",
        "message-summary" => "the module presence lacks the package: load presence_mwi",
        _ => "the module presence lacks the package: load presence_xml",
    }
}

/// A state for the presence server.
#[derive(Clone, Copy, Debug)]
pub struct PublishedState<'a> {
    /// The event package.
    pub package: &'a str,
    /// User and host of the presentity.
    pub presentity: [&'a [u8]; 2],
    /// What names the state among those of the presentity.
    pub etag: &'a str,
    /// The document: never empty.
    pub body: &'a [u8],
}

/// Makes a document the state with its etag for so long; it replaces the one before. For no time at all, the state goes, and watchers may be
/// told the document once more; that there is none is no failure. Watchers are notified in here, which asks the database and may block: only
/// in the module's own processes. `false` when the server refuses; it has said why.
#[must_use]
pub fn update(state: PublishedState<'_>, lives: Duration) -> bool {
    let seconds = c_int::try_from(lives.as_secs()).unwrap_or(c_int::MAX);
    let PublishedState { package, presentity: [user, host], etag, body } = state;
    if FOUND.get() != Some(&Ok(())) || body.is_empty() {
        return false;
    }
    lend([package.as_bytes(), host, user, etag.as_bytes(), body], |texts| {
        let [mut event, mut realm, mut user, mut etag, mut body] = texts;
        // SAFETY: bound before the fork; the texts are the host's own for the call, and end with NUL.
        let done =
            unsafe { ks::pb2b_presence_update(&mut event, &mut realm, &mut user, &mut etag, &mut body, seconds) };
        // SAFETY: this process is in the middle of no message.
        unsafe { ks::pb2b_forget_route() };
        done >= 0
    })
}
