//! What happens to contacts.

use crate::memory::{OutOfMemory, Packed, SharedAlloc};

/// What has happened to a contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContactEvent {
    /// It is there now.
    Registered,
    /// It stays for longer.
    Refreshed,
    /// It was taken away.
    Unregistered,
    /// Its time is over.
    Expired,
}

impl ContactEvent {
    /// Whether the contact is gone.
    #[must_use]
    pub fn is_end(self) -> bool {
        matches!(self, Self::Unregistered | Self::Expired)
    }

    /// Its name in a document of RFC 3680.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Registered => "registered",
            Self::Refreshed => "refreshed",
            Self::Unregistered => "unregistered",
            Self::Expired => "expired",
        }
    }
}

/// A contact: the parts that the report of its end needs.
#[derive(Clone, Copy, Debug, Default)]
pub struct ContactFacts<'a> {
    /// What the location service names it by.
    pub id: &'a [u8],
    /// Its URI.
    pub uri: &'a [u8],
    /// The Call-ID of its last REGISTER.
    pub call_id: &'a [u8],
    /// The CSeq of its last REGISTER.
    pub cseq: u32,
}

/// A contact that is gone, in the memory of the process that tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndedContact {
    /// What the location service named it by.
    pub id: Vec<u8>,
    /// Its URI.
    pub uri: Vec<u8>,
    /// The Call-ID of its last REGISTER.
    pub call_id: Vec<u8>,
    /// The CSeq of its last REGISTER.
    pub cseq: u32,
    /// Why it is gone.
    pub event: ContactEvent,
}

/// An event that waits to be sent.
pub(super) struct NotedEvent<A: SharedAlloc> {
    pub(super) event: ContactEvent,
    /// The hash of the contact's id.
    pub(super) contact: u64,
    /// Id, URI and Call-ID of a contact that is gone.
    texts: Option<Packed<3, A>>,
    cseq: u32,
}

impl<A: SharedAlloc> NotedEvent<A> {
    /// # Errors
    /// [`OutOfMemory`].
    pub(super) fn try_new(
        event: ContactEvent,
        contact: u64,
        facts: &ContactFacts<'_>,
        alloc: &A,
    ) -> Result<Self, OutOfMemory> {
        let texts = match event.is_end() {
            true => Some(Packed::try_new([facts.id, facts.uri, facts.call_id], alloc.clone())?),
            false => None,
        };
        Ok(Self { event, contact, texts, cseq: facts.cseq })
    }

    pub(super) fn size(&self) -> usize {
        self.texts.as_ref().map_or(0, Packed::size)
    }

    pub(super) fn ended(&self) -> Option<EndedContact> {
        let [id, uri, call_id] = self.texts.as_ref()?.all().map(<[u8]>::to_vec);
        Some(EndedContact { id, uri, call_id, cseq: self.cseq, event: self.event })
    }
}
