//! Event packages the SIP user agent subscribes to.

use crate::memory::{Defect, found};

/// An event package (RFC 6665 §7).
#[derive(Debug, PartialEq, Eq)]
pub struct Package {
    /// Event type, as in the Event header.
    pub name: &'static str,
    /// Value of the Accept header: the body types its NOTIFYs may have.
    pub accept: &'static [&'static str],
    /// Option tags for the Supported header: what this module does, nothing else.
    pub supported: &'static [&'static str],
    /// Whether one SUBSCRIBE may make several subscriptions, one with each notifier it is forked to (RFC 6665 §4.1.4).
    pub forks: bool,
}

/// Presence (RFC 3856). One dialog (§6.9).
pub static PRESENCE: &Package =
    &Package { name: "presence", accept: &["application/pidf+xml"], supported: &[], forks: false };

/// Watchers of a presentity (RFC 3857, RFC 3858). Each notifier tells the watchers it knows of (RFC 3857 §4.9).
pub static PRESENCE_WINFO: &Package =
    &Package { name: "presence.winfo", accept: &["application/watcherinfo+xml"], supported: &[], forks: true };

/// INVITE-initiated dialogs (RFC 4235). Each user agent tells its own (§3.9).
pub static DIALOG: &Package =
    &Package { name: "dialog", accept: &["application/dialog-info+xml"], supported: &[], forks: true };

/// Registrations (RFC 3680). One dialog (§4.9).
pub static REG: &Package = &Package { name: "reg", accept: &["application/reginfo+xml"], supported: &[], forks: false };

/// Messages waiting (RFC 3842). Each message store tells its own (§3.9).
pub static MESSAGE_SUMMARY: &Package =
    &Package { name: "message-summary", accept: &["application/simple-message-summary"], supported: &[], forks: true };

/// Every package there is.
pub static ALL: [&Package; 5] = [PRESENCE, PRESENCE_WINFO, DIALOG, REG, MESSAGE_SUMMARY];

// A `Number` has room for each.
const _: usize = u8::MAX as usize - ALL.len();

/// The package with this event type, compared byte-wise (RFC 6665 §8.2.1).
#[must_use]
pub fn find(name: &[u8]) -> Option<&'static Package> {
    ALL.into_iter().find(|package| package.name.as_bytes() == name)
}

/// One of [`ALL`], in a byte instead of a pointer's eight: 7 MB less for a million subscriptions.
#[derive(Clone, Copy, Debug)]
pub(super) struct Number(u8);

impl Number {
    pub(super) fn of(package: &'static Package) -> Self {
        let place = ALL.into_iter().position(|one| one.name == package.name);
        Self(place.and_then(|place| u8::try_from(place).ok()).unwrap_or_else(|| found(Defect::Package)))
    }

    pub(super) fn package(self) -> &'static Package {
        ALL.get(usize::from(self.0)).copied().unwrap_or_else(|| {
            found::<()>(Defect::Package);
            PRESENCE
        })
    }
}
