//! One local user, with the calls that are told, and who is told of them.

use allocator_api2::vec::Vec;

use super::call::{Call, CallState, CallTexts, Party, Side};
use crate::memory::{OutOfMemory, Packed, SharedAlloc};

/// A subscription that follows the calls of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallFollower {
    /// Its handle.
    pub handle: u64,
    /// The version of its next document.
    pub version: u32,
    /// It is to be told, whether anything has changed or not.
    pub(super) is_due: bool,
}

/// What a document says of one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenCall {
    /// Names the call in the documents of a user.
    pub number: u64,
    /// The user's side.
    pub side: Side,
    /// How far it is.
    pub state: CallState,
    /// Call-ID.
    pub call_id: std::vec::Vec<u8>,
    /// The user's side, and the other one.
    pub ends: [SeenEnd; 2],
}

/// One end of a call; what is not known is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SeenEnd {
    /// The URI that says who it is.
    pub identity: std::vec::Vec<u8>,
    /// The display name.
    pub display: std::vec::Vec<u8>,
    /// The tag.
    pub tag: std::vec::Vec<u8>,
    /// The URI of the Contact.
    pub target: std::vec::Vec<u8>,
}

/// All calls of a user at one moment, and who is to be told of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserCalls {
    /// The address of record.
    pub aor: std::vec::Vec<u8>,
    /// The calls, in the order in which they began.
    pub calls: std::vec::Vec<SeenCall>,
    /// Those to be told.
    pub followers: std::vec::Vec<CallFollower>,
}

/// A user in shared memory: one with calls, or whom somebody follows.
pub(super) struct User<A: SharedAlloc> {
    pub(super) hash: u64,
    aor: Packed<1, A>,
    /// Slots of the calls, each with the user's side.
    pub(super) calls: Vec<(u32, Side), A>,
    pub(super) followers: Vec<CallFollower, A>,
    /// All followers are to be told.
    pub(super) is_changed: bool,
    /// It is in the line of its worker.
    pub(super) is_marked: bool,
    /// The one behind it in that line.
    pub(super) next: Option<u32>,
}

impl<A: SharedAlloc> User<A> {
    pub(super) fn try_new(hash: u64, aor: &[u8], alloc: &A) -> Result<Self, OutOfMemory> {
        Ok(Self {
            hash,
            aor: Packed::try_new([aor], alloc.clone())?,
            calls: Vec::new_in(alloc.clone()),
            followers: Vec::new_in(alloc.clone()),
            is_changed: false,
            is_marked: false,
            next: None,
        })
    }

    pub(super) fn aor(&self) -> &[u8] {
        self.aor.get(0)
    }

    /// Whether nothing is left that it would be kept for.
    pub(super) fn is_idle(&self) -> bool {
        self.calls.is_empty() && self.followers.is_empty() && !self.is_marked
    }

    /// The followers to be told now, each with its version; they are not due any more.
    pub(super) fn take_due(&mut self) -> std::vec::Vec<CallFollower> {
        let is_changed = std::mem::take(&mut self.is_changed);
        let due = self.followers.iter_mut().filter(|follower| is_changed || follower.is_due);
        due.map(|follower| {
            let told = *follower;
            (follower.version, follower.is_due) = (told.version.wrapping_add(1), false);
            told
        })
        .collect()
    }
}

/// The call as a user sees it.
pub(super) fn seen<A: SharedAlloc>(number: u64, call: &Call<A>, side: Side) -> SeenCall {
    let CallTexts { call_id, tags: [from_tag, to_tag], targets: [caller, callee] } = call.texts();
    let end = |side: Side, tag: &[u8], target: &[u8]| {
        let Party { identity, display, .. } = call.party(side);
        let [identity, display, tag, target] = [identity, display, tag, target].map(<[u8]>::to_vec);
        SeenEnd { identity, display, tag, target }
    };
    let ends = [end(Side::Caller, from_tag, caller), end(Side::Callee, to_tag, callee)];
    let [from, to] = ends;
    let ends = if side == Side::Caller { [from, to] } else { [to, from] };
    SeenCall { number, side, state: call.state, call_id: call_id.to_vec(), ends }
}
