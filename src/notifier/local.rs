//! Records whose state is known in this server: users of the domains of `local_domains`.

use crate::engine::Engine;
use crate::grammar::Aor;
use crate::qsa::{Refused, Wanted};
use crate::subscription::package::{DIALOG, REG};

/// What is known of local users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LocalPackage {
    /// Their calls: package `dialog`.
    Calls,
    /// Their registrations: package `reg`.
    Registrations,
}

/// The local user whose calls or registrations are wanted; `None` if a notifier elsewhere has to be asked.
///
/// # Errors
/// The record is in a local domain, but names no user.
pub(super) fn user_of(engine: &Engine, wanted: &Wanted<'_>) -> Option<Result<(LocalPackage, Aor), Refused>> {
    let package = match wanted.package {
        name if name == DIALOG.name.as_bytes() => LocalPackage::Calls,
        name if name == REG.name.as_bytes() => LocalPackage::Registrations,
        _ => return None,
    };
    let aor = engine.local_user(wanted.record)?;
    if aor.user.is_empty() {
        return Some(Err(Refused::new(
            "its domain is one of modparam local_domains, but it names no user: write sip:user@domain",
        )));
    }
    Some(Ok((package, aor)))
}
