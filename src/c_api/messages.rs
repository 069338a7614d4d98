//! Messages that a C module has taken.

use std::cell::OnceCell;
use std::ffi::{c_int, c_uint, c_void};
use std::ptr::null_mut;

use super::Wiring;
use super::blocks;
use super::convert::{number_of_status, pointer_of, put, str_of};
use super::guard::{guarded, with_hub};
use super::presentity::PresentityFace;
use super::types::{CMessage, CPresentity, Error};
use crate::memory::SharedAlloc;
use crate::qsa::{self, NoMessage, QueueId};

/// The header's message, and behind it what it points to. In the memory of the process that took it.
#[repr(C)]
struct DeliveredMessage<A: SharedAlloc> {
    /// First, so that a pointer to one is a pointer to the other.
    face: CMessage,
    message: qsa::Message<A>,
    document: OnceCell<Option<PresentityFace>>,
}

impl<A: SharedAlloc> DeliveredMessage<A> {
    fn placed(delivered: qsa::Delivered<A>) -> *mut Self {
        let message = delivered.message;
        let face = CMessage {
            size: size_of::<CMessage>() as c_uint,
            subscription: message.subscription().to_u64(),
            subscriber_data: pointer_of(delivered.subscriber_data),
            status: number_of_status(message.status()),
            code: c_int::from(message.code()),
            next_attempt: message.next_attempt().map_or(-1, |s| c_int::try_from(s).unwrap_or(c_int::MAX)),
            last: c_int::from(message.is_last()),
            reason: str_of(&[]),
            content_type: str_of(&[]),
            body: str_of(&[]),
            data: message.data().map_or(null_mut(), pointer_of),
            fork: message.fork().into(),
        };
        let at = blocks::place(Self { face, message, document: OnceCell::new() });
        // SAFETY: just made, and nobody else's.
        let taken = unsafe { &mut *at };
        // Only now does the message have its place.
        taken.face.reason = str_of(taken.message.news().reason.as_bytes());
        [taken.face.content_type, taken.face.body] = taken.message.content().map(str_of);
        at
    }
}

pub(super) unsafe extern "C" fn queue_pop<W: Wiring>(queue: u64, to: *mut *mut CMessage) -> c_int {
    with_hub::<W>("queue_pop", |hub| {
        if to.is_null() {
            return Err(Error::Argument);
        }
        let queue = QueueId::from_u64(queue);
        let delivered = hub.take(queue).map_err(|none| match none {
            NoMessage::Empty => Error::Empty,
            NoMessage::Unknown => Error::Unknown,
        })?;
        let taken = DeliveredMessage::placed(delivered);
        // SAFETY: not null.
        unsafe { put(to, taken.cast::<CMessage>()) }
    })
}

pub(super) unsafe extern "C" fn message_presentity<W: Wiring>(
    message: *mut CMessage,
    to: *mut *const CPresentity,
) -> c_int {
    guarded::<W, _>("message_presentity", Error::Internal as c_int, || {
        // SAFETY: null or obtained from `queue_pop` and not freed, as the header says.
        let Some(taken) = (unsafe { message.cast::<DeliveredMessage<W::Alloc>>().as_ref() }) else {
            return Error::Argument as c_int;
        };
        let read = || PresentityFace::read(taken.message.content_type(), taken.message.body());
        match taken.document.get_or_init(read) {
            // SAFETY: null or to be written, as the header says.
            Some(document) => unsafe { put(to, document.face()) }.unwrap_or_else(|error| error as c_int),
            None => Error::Document as c_int,
        }
    })
}

pub(super) unsafe extern "C" fn message_take_data<W: Wiring>(message: *mut CMessage) -> *mut c_void {
    guarded::<W, _>("message_take_data", null_mut(), || {
        // SAFETY: null or obtained from `queue_pop` and not freed, and in this process only, as the header says.
        let Some(taken) = (unsafe { message.cast::<DeliveredMessage<W::Alloc>>().as_mut() }) else { return null_mut() };
        taken.face.data = null_mut();
        taken.message.take_data().map_or(null_mut(), pointer_of)
    })
}

pub(super) unsafe extern "C" fn free_message<W: Wiring>(message: *mut CMessage) {
    guarded::<W, _>("free_message", (), || {
        if !message.is_null() {
            // SAFETY: placed by `queue_pop`, with this very type, and freed once, as the header says.
            unsafe { blocks::displace(message.cast::<DeliveredMessage<W::Alloc>>()) };
        }
    });
}
