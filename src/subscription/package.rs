//! Event packages the SIP user agent subscribes to.

/// An event package (RFC 6665 §7).
#[derive(Debug, PartialEq, Eq)]
pub struct Package {
    /// Event type, as in the Event header.
    pub name: &'static str,
    /// Value of the Accept header: the body types its NOTIFYs may have.
    pub accept: &'static [&'static str],
    /// Option tags for the Supported header: what this module does, nothing else.
    pub supported: &'static [&'static str],
}

/// Presence (RFC 3856).
pub static PRESENCE: &Package = &Package { name: "presence", accept: &["application/pidf+xml"], supported: &[] };

/// Watchers of a presentity (RFC 3857, RFC 3858).
pub static PRESENCE_WINFO: &Package =
    &Package { name: "presence.winfo", accept: &["application/watcherinfo+xml"], supported: &[] };

/// INVITE-initiated dialogs (RFC 4235).
pub static DIALOG: &Package = &Package { name: "dialog", accept: &["application/dialog-info+xml"], supported: &[] };

/// Registrations (RFC 3680).
pub static REG: &Package = &Package { name: "reg", accept: &["application/reginfo+xml"], supported: &[] };

/// Messages waiting (RFC 3842).
pub static MESSAGE_SUMMARY: &Package =
    &Package { name: "message-summary", accept: &["application/simple-message-summary"], supported: &[] };

/// Every package there is.
pub static ALL: [&Package; 5] = [PRESENCE, PRESENCE_WINFO, DIALOG, REG, MESSAGE_SUMMARY];

/// The package with this event type, compared byte-wise (RFC 6665 §8.2.1).
#[must_use]
pub fn find(name: &[u8]) -> Option<&'static Package> {
    ALL.into_iter().find(|package| package.name.as_bytes() == name)
}
