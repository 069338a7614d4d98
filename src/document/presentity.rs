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
    /// Persons (RFC 4479 §3.2).
    pub persons: Vec<Person>,
    /// Devices (RFC 4479 §3.4).
    pub devices: Vec<Device>,
    /// All elements beside the tuples that are not PIDF's, persons and devices too.
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
    /// The rich presence of the service, in `status` or beside it (RFC 4480).
    pub rpid: Vec<RpidElement>,
    /// The device that the service runs on (RFC 4479 §3.3).
    pub device_id: Option<String>,
    /// Other elements inside `status` (RFC 3863 §4.2.4), those of rich presence too.
    pub status_extensions: Vec<Extension>,
    /// Other elements beside `status`, those of rich presence too.
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
}

/// A person (RFC 4479 §3.2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Person {
    /// The `id` attribute; empty when it is missing.
    pub id: String,
    /// What the person does and feels, and where it is (RFC 4480).
    pub rpid: Vec<RpidElement>,
    /// Its own notes, then those in its elements (RFC 4480 §3.2).
    pub notes: Vec<Note>,
    /// The timestamp as sent.
    pub timestamp: Option<String>,
}

/// A device (RFC 4479 §3.4).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Device {
    /// The `id` attribute; empty when it is missing.
    pub id: String,
    /// The device's identifier, by which tuples name it.
    pub device_id: Option<String>,
    /// What is known of it (RFC 4480).
    pub rpid: Vec<RpidElement>,
    /// Its notes.
    pub notes: Vec<Note>,
    /// The timestamp as sent.
    pub timestamp: Option<String>,
}

/// An element of rich presence (RFC 4480 §3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RpidElement {
    /// Which one.
    pub kind: Rpid,
    /// Its values in document order: names (`away`), or texts where it has such.
    pub values: Vec<String>,
    /// Since when, as sent: `from`, or `last-input` of user input.
    pub from: Option<String>,
    /// Until when, as sent.
    pub until: Option<String>,
}

/// The elements of rich presence that are read as values (RFC 4480 §3.2 to §3.12).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rpid {
    /// `activities`: `away`, `on-the-phone`, …
    Activity,
    /// `mood`: `happy`, `sad`, …
    Mood,
    /// `place-type`: `office`, …
    PlaceType,
    /// `privacy`: what others may overhear or see: `audio`, `text`, `video`.
    Privacy,
    /// `relationship`: who answers: `self`, `assistant`, …
    Relationship,
    /// `service-class`: `electronic`, …
    ServiceClass,
    /// `sphere`: `work`, `home`, or any text.
    Sphere,
    /// `class`: a label that groups elements.
    Class,
    /// `user-input`: `active` or `idle`.
    UserInput,
    /// `status-icon`: the URI of a picture.
    StatusIcon,
    /// `time-offset`: minutes from UTC.
    TimeOffset,
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
