//! Event packages the SIP user agent subscribes to.

/// An event package (RFC 6665 §7).
#[derive(Debug, PartialEq, Eq)]
pub struct Package {
    /// Event type, as in the Event header.
    pub name: &'static str,
    /// Value of the Accept header: the body types its NOTIFYs may have.
    pub accept: &'static [&'static str],
    /// Option tags for the Supported header.
    pub supported: &'static [&'static str],
}

/// Presence (RFC 3856).
pub static PRESENCE: &Package = &Package { name: "presence", accept: &["application/pidf+xml"], supported: &[] };

/// The package with this event type, compared byte-wise (RFC 6665 §8.2.1).
#[must_use]
pub fn find(name: &[u8]) -> Option<&'static Package> {
    (name == PRESENCE.name.as_bytes()).then_some(PRESENCE)
}
