//! One call.

use crate::memory::{Occupant, OutOfMemory, Packed, SharedAlloc};

/// How far a call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CallState {
    /// The INVITE is on its way.
    Trying,
    /// It rings.
    Early,
    /// It was answered.
    Confirmed,
    /// It has ended, or was never answered.
    Terminated,
}

impl CallState {
    /// The word of RFC 4235 §3.7.1.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Trying => "trying",
            Self::Early => "early",
            Self::Confirmed => "confirmed",
            Self::Terminated => "terminated",
        }
    }
}

/// A side of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// It has sent the INVITE.
    Caller,
    /// It has got it.
    Callee,
}

impl Side {
    /// Both, each at its place.
    pub const BOTH: [Self; 2] = [Self::Caller, Self::Callee];

    /// The word of RFC 4235 §4.1.2.
    #[must_use]
    pub fn direction(self) -> &'static str {
        match self {
            Self::Caller => "initiator",
            Self::Callee => "recipient",
        }
    }
}

/// What stays the same of a party.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Party<'a> {
    /// The address of record if it is a local user; otherwise empty.
    pub aor: &'a [u8],
    /// The URI that says who it is.
    pub identity: &'a [u8],
    /// The display name; empty for none.
    pub display: &'a [u8],
}

/// What may change; empty as long as it is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallTexts<'a> {
    /// Call-ID.
    pub call_id: &'a [u8],
    /// The tags of caller and callee.
    pub tags: [&'a [u8]; 2],
    /// The URIs of their Contacts.
    pub targets: [&'a [u8]; 2],
}

/// A call in shared memory.
pub(super) struct Call<A: SharedAlloc> {
    generation: u32,
    pub(super) state: CallState,
    /// The dialog module has it no longer.
    pub(super) is_gone: bool,
    /// Addresses of record, identities and display names: of the caller, then of the callee.
    parties: Packed<6, A>,
    texts: Packed<5, A>,
    /// The users that have it in their lists.
    pub(super) users: [Option<u32>; 2],
}

impl<A: SharedAlloc> Occupant for Call<A> {
    fn generation(&self) -> u32 {
        self.generation
    }
}

/// Copies of the texts that may change.
pub(super) fn pack<A: SharedAlloc>(texts: &CallTexts<'_>, alloc: &A) -> Result<Packed<5, A>, OutOfMemory> {
    let CallTexts { call_id, tags: [from_tag, to_tag], targets: [caller, callee] } = *texts;
    Packed::try_new([call_id, from_tag, to_tag, caller, callee], alloc.clone())
}

impl<A: SharedAlloc> Call<A> {
    pub(super) fn try_new(
        generation: u32,
        [caller, callee]: &[Party<'_>; 2],
        texts: &CallTexts<'_>,
        state: CallState,
        alloc: &A,
    ) -> Result<Self, OutOfMemory> {
        let parties = [caller.aor, caller.identity, caller.display, callee.aor, callee.identity, callee.display];
        let parties = Packed::try_new(parties, alloc.clone())?;
        Ok(Self { generation, state, is_gone: false, parties, texts: pack(texts, alloc)?, users: [None; 2] })
    }

    /// A party of it.
    pub(super) fn party(&self, side: Side) -> Party<'_> {
        let [caller_aor, caller, caller_name, callee_aor, callee, callee_name] = self.parties.all();
        match side {
            Side::Caller => Party { aor: caller_aor, identity: caller, display: caller_name },
            Side::Callee => Party { aor: callee_aor, identity: callee, display: callee_name },
        }
    }

    pub(super) fn texts(&self) -> CallTexts<'_> {
        let [call_id, from_tag, to_tag, caller, callee] = self.texts.all();
        CallTexts { call_id, tags: [from_tag, to_tag], targets: [caller, callee] }
    }

    /// Takes other texts; gives back the old ones, to be dropped without the lock.
    pub(super) fn replace(&mut self, texts: Packed<5, A>) -> Packed<5, A> {
        std::mem::replace(&mut self.texts, texts)
    }

    pub(super) fn user_mut(&mut self, side: Side) -> &mut Option<u32> {
        let [caller, callee] = &mut self.users;
        match side {
            Side::Caller => caller,
            Side::Callee => callee,
        }
    }

    /// What it takes, in bytes.
    pub(super) fn bytes(&self) -> u64 {
        (size_of::<Self>() + self.parties.size() + self.texts.size()) as u64
    }
}
