//! The numbers that name things. None is ever 0, and a stale one finds nothing.

use crate::subscription::package;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub(super) $inner);

        impl $name {
            /// The number, for interfaces that know numbers only.
            #[must_use]
            pub fn to_u64(self) -> u64 {
                u64::from(self.0)
            }

            /// The name with this number. Any number is allowed; one that names nothing finds nothing.
            #[must_use]
            pub fn from_u64(number: u64) -> Self {
                Self(<$inner>::try_from(number).unwrap_or(0))
            }
        }
    };
}

id! {
    /// A subscription: its place, and the generation of what is there.
    SubscriptionId(u64)
}
id! {
    /// A domain.
    DomainId(u32)
}
id! {
    /// A registered notifier.
    NotifierId(u32)
}
id! {
    /// A message queue.
    QueueId(u32)
}
id! {
    /// A content type of messages that carry a value instead of text.
    ContentTypeId(u32)
}

impl DomainId {
    /// No serial has it: the domain is private to the module.
    const PRIVATE: u32 = 1 << 31;

    /// The `serial`-th domain ever.
    pub(super) fn new(serial: u32, private: bool) -> Self {
        Self(if private { serial | Self::PRIVATE } else { serial })
    }

    /// The domain is private to the module: no other caller may use it.
    #[must_use]
    pub fn is_private(self) -> bool {
        self.0 & Self::PRIVATE != 0
    }
}

/// A package of a domain. Not told outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PackageId(u32);

/// Bits for the place of a package among [`package::ALL`].
const KNOWN_BITS: u32 = 3;

// There is room for each, beside 0.
const _: usize = (1 << KNOWN_BITS) - 1 - package::ALL.len();

impl PackageId {
    /// The `serial`-th package ever. If its name is one that everybody knows, the number leads to it.
    pub(super) fn new(serial: u32, name: &[u8]) -> Self {
        let place = package::ALL.into_iter().position(|known| known.name.as_bytes() == name);
        let known = place.and_then(|place| u32::try_from(place + 1).ok()).unwrap_or(0);
        Self(serial << KNOWN_BITS | known & ((1 << KNOWN_BITS) - 1))
    }

    /// Its name, if everybody knows it.
    pub(super) fn known_name(self) -> Option<&'static [u8]> {
        let place = (self.0 & ((1 << KNOWN_BITS) - 1)).checked_sub(1)?;
        package::ALL.get(place as usize).map(|known| known.name.as_bytes())
    }
}

/// The largest serial number that fits all of these.
pub(super) const MOST_SERIALS: u32 = u32::MAX >> KNOWN_BITS;

/// How many notifiers a package can have.
pub(super) const MAX_NOTIFIERS: usize = 1 << PLACE_BITS;
const PLACE_BITS: u32 = 2;

impl NotifierId {
    /// The `serial`-th notifier ever, at `place` in its package.
    pub(super) fn new(serial: u32, place: usize) -> Self {
        Self(serial << PLACE_BITS | (place as u32 & (MAX_NOTIFIERS as u32 - 1)))
    }

    /// Its place in its package.
    pub(super) fn place(self) -> usize {
        self.0 as usize & (MAX_NOTIFIERS - 1)
    }
}

impl QueueId {
    /// How many queues there can be.
    pub const MAX: usize = 256;

    pub(super) fn new(generation: u32, index: usize) -> Self {
        Self(generation << 8 | (index as u32 & 0xff))
    }

    pub(super) fn index(self) -> usize {
        self.0 as usize & 0xff
    }
}
