//! The structured presentity: what a presence document says, as values.

/// The state of one presentity (RFC 3863 §4.1.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Presentity {
    /// The `entity` attribute; empty when it is missing.
    pub entity: String,
    /// Tuples in document order.
    pub tuples: Vec<Tuple>,
    /// Notes on the presentity as a whole (RFC 3863 §4.1.6).
    pub notes: Vec<Note>,
    /// Persons, devices and other elements beside the tuples.
    pub extensions: Vec<Extension>,
}

/// One tuple (RFC 3863 §4.1.2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tuple {
    /// The `id` attribute, any string; empty when it is missing.
    pub id: String,
    /// The basic status (RFC 3863 §4.1.4).
    pub basic: Basic,
    /// The first contact (RFC 3863 §4.1.5).
    pub contact: Option<Contact>,
    /// Notes on the tuple (RFC 3863 §4.1.6).
    pub notes: Vec<Note>,
    /// The timestamp as sent (RFC 3863 §4.1.7).
    pub timestamp: Option<String>,
    /// Other elements inside `status` (RFC 3863 §4.2.4).
    pub status_extensions: Vec<Extension>,
    /// Other elements beside `status`.
    pub extensions: Vec<Extension>,
}

/// An element from outside PIDF (RFC 3863 §4.2.3): a person or device (RFC 4479), an rpid element
/// (RFC 4480), or anything else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extension {
    /// The element's namespace; empty when it has none.
    pub namespace: String,
    /// The element's local name.
    pub name: String,
    /// The element as it was sent, with every namespace declaration it needs from outside.
    pub xml: String,
    /// Notes of a person (RFC 4479 §3.2, RFC 4480 §3.2); empty for any other element.
    pub notes: Vec<Note>,
}

/// Basic status (RFC 3863 §4.1.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Basic {
    /// Ready to take messages.
    Open,
    /// Not ready.
    Closed,
    /// Not given, not one of the two, or not to be relied on.
    #[default]
    Unknown,
}

/// A contact address (RFC 3863 §4.1.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    /// The address, without the white space around it.
    pub uri: String,
    /// Priority in thousandths, 0 to 1000; `None` when it is missing or no such number.
    pub priority: Option<u16>,
}

/// A note (RFC 3863 §4.1.6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The note's own `xml:lang`.
    pub lang: Option<String>,
    /// The text as sent, references and CDATA resolved.
    pub text: String,
}

impl Basic {
    /// `open`, `closed` or `unknown`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
            Self::Unknown => "unknown",
        }
    }
}
