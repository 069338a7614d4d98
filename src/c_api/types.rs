//! The header's types: its `qsa_message_t` is `CMessage` here, and so on.

use std::ffi::{c_int, c_uint, c_void};

use super::text::Str;
use crate::memory::OutOfMemory;

/// Version of the interface.
pub const VERSION: c_uint = 2;

/// The header's `enum qsa_error`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Error {
    Argument = -1,
    Memory = -2,
    Refused = -3,
    Unknown = -4,
    Limit = -5,
    Room = -6,
    Empty = -7,
    Document = -8,
    NotReady = -9,
    Version = -10,
    Internal = -11,
}

impl Error {
    pub(super) const ALL: [Self; 11] = [
        Self::Argument,
        Self::Memory,
        Self::Refused,
        Self::Unknown,
        Self::Limit,
        Self::Room,
        Self::Empty,
        Self::Document,
        Self::NotReady,
        Self::Version,
        Self::Internal,
    ];

    pub(super) fn text(self) -> &'static std::ffi::CStr {
        match self {
            Self::Argument => c"an argument is missing, malformed or out of range",
            Self::Memory => OutOfMemory::C_TEXT,
            Self::Refused => c"every notifier of the package refused the subscription",
            Self::Unknown => c"there is no such thing, or no longer",
            Self::Limit => c"all places are taken",
            Self::Room => c"the buffer is too small",
            Self::Empty => c"nothing waits in the queue",
            Self::Document => c"the message has no document of that kind, or a malformed one",
            Self::NotReady => c"the module presence_b2b is not initialised",
            Self::Version => {
                c"the module presence_b2b has another version of this interface, or the size of a structure is not set"
            }
            Self::Internal => c"a defect in the module presence_b2b, see the log",
        }
    }
}

#[repr(C)]
pub struct CMessage {
    pub size: c_uint,
    pub subscription: u64,
    pub subscriber_data: *mut c_void,
    pub status: c_int,
    pub code: c_int,
    pub next_attempt: c_int,
    pub last: c_int,
    pub reason: Str,
    pub content_type: Str,
    pub body: Str,
    pub data: *mut c_void,
    pub fork: c_uint,
    pub list: Str,
    pub resource: Str,
    pub resource_name: Str,
    pub instance: Str,
}

#[repr(C)]
pub struct CSubscribed {
    pub size: c_uint,
    pub subscription: u64,
    pub notifier: u64,
    pub queue: u64,
    pub subscriber_data: *mut c_void,
    pub record: Str,
    pub subscriber: Str,
    pub package: Str,
    pub first_param: Str,
}

pub type SubscribeFn = unsafe extern "C" fn(*const CSubscribed, *mut u64, *mut c_void) -> c_int;
pub type UnsubscribeFn = unsafe extern "C" fn(u64, u64, *mut c_void);
pub type WakeFn = unsafe extern "C" fn(*mut c_void);
pub type DestroyFn = unsafe extern "C" fn(*mut c_void);

/// A structure that a caller fills, or has filled. Its first member is the size that the caller knows.
///
/// # Safety
/// Laid out as in C, with a `c_uint` for that size first, and all members may be 0.
pub unsafe trait Sized32: Sized {
    /// The size that the oldest caller of this [`VERSION`] knows.
    const LEAST: usize;
}

// SAFETY: numbers, pointers and functions that may be null.
unsafe impl Sized32 for CNotifierParams {
    const LEAST: usize = 56;
}

// SAFETY: numbers and pointers.
unsafe impl Sized32 for CSubscribeParams {
    const LEAST: usize = 96;
}

// SAFETY: numbers.
unsafe impl Sized32 for CCounters {
    const LEAST: usize = 48;
}

#[repr(C)]
pub struct CNotifierParams {
    pub size: c_uint,
    pub domain: u64,
    pub package: Str,
    pub subscribe: Option<SubscribeFn>,
    pub unsubscribe: Option<UnsubscribeFn>,
    pub user: *mut c_void,
}

#[repr(C)]
pub struct CSubscribeParams {
    pub size: c_uint,
    pub domain: u64,
    pub package: Str,
    pub record: Str,
    pub subscriber: Str,
    pub first_param: Str,
    pub queue: u64,
    pub subscriber_data: *mut c_void,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct CCounters {
    pub size: c_uint,
    pub received: u64,
    pub delivered: u64,
    pub merged: u64,
    pub dropped: u64,
    pub queued: u64,
}
