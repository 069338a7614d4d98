//! Messages that a C module has taken.

use std::cell::OnceCell;
use std::ffi::{c_int, c_uint, c_void};
use std::ptr::null_mut;

use super::Wiring;
use super::blocks;
use super::convert::{number_of_status, pointer_of, put};
use super::document::DocumentFace;
use super::document_types::{CDocument, CPresentity};
use super::guard::{guarded, with_hub};
use super::lists;
use super::text::str_of;
use super::types::{CMessage, Error};
use crate::memory::SharedAlloc;
use crate::qsa::{self, NoMessage, QueueId};

/// The header's message, and behind it what it points to. In the memory of the process that took it.
#[repr(C)]
struct DeliveredMessage<A: SharedAlloc> {
    /// First, so that a pointer to one is a pointer to the other.
    face: CMessage,
    delivered: qsa::Delivered<A>,
    document: OnceCell<Option<Box<DocumentFace>>>,
}

impl<A: SharedAlloc> DeliveredMessage<A> {
    fn placed(delivered: qsa::Delivered<A>) -> *mut Self {
        let message = &delivered.message;
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
            list: str_of(&[]),
            resource: str_of(&[]),
            resource_name: str_of(&[]),
            instance: str_of(&[]),
        };
        let at = blocks::place(Self { face, delivered, document: OnceCell::new() });
        // SAFETY: just made, and nobody else's.
        let taken = unsafe { &mut *at };
        // Only now does the message have its place.
        taken.face.reason = str_of(taken.delivered.message.news().reason.as_bytes());
        [taken.face.content_type, taken.face.body] = taken.delivered.content().map(str_of);
        if let Some(listed) = &taken.delivered.listed {
            taken.face.list = str_of(listed.list.as_bytes());
            taken.face.resource = str_of(listed.record.as_bytes());
            taken.face.resource_name = str_of(listed.name.as_deref().unwrap_or_default().as_bytes());
            taken.face.instance = str_of(listed.instance.as_deref().unwrap_or_default().as_bytes());
        }
        at
    }
}

pub(super) unsafe extern "C" fn queue_pop<W: Wiring>(queue: u64, to: *mut *mut CMessage) -> c_int {
    with_hub::<W>("queue_pop", |hub| {
        if to.is_null() {
            return Err(Error::Argument);
        }
        let queue = QueueId::from_u64(queue);
        let delivered = lists::pop::<W>(hub, queue).map_err(|none| match none {
            NoMessage::Empty => Error::Empty,
            NoMessage::Unknown => Error::Unknown,
        })?;
        let taken = DeliveredMessage::placed(delivered);
        // SAFETY: not null.
        unsafe { put(to, taken.cast::<CMessage>()) }
    })
}

impl<A: SharedAlloc> DeliveredMessage<A> {
    /// The document of its body, read once.
    fn document(&self) -> Result<&DocumentFace, Error> {
        let read = || {
            let [content_type, body] = self.delivered.content();
            DocumentFace::read(content_type, body)
        };
        self.document.get_or_init(read).as_deref().ok_or(Error::Document)
    }
}

pub(super) unsafe extern "C" fn message_presentity<W: Wiring>(
    message: *mut CMessage,
    to: *mut *const CPresentity,
) -> c_int {
    // SAFETY: as the header says.
    unsafe { put_document::<W, _>("message_presentity", message, to, DocumentFace::presentity) }
}

pub(super) unsafe extern "C" fn message_document<W: Wiring>(
    message: *mut CMessage,
    to: *mut *const CDocument,
) -> c_int {
    // SAFETY: as the header says.
    unsafe { put_document::<W, _>("message_document", message, to, |document| Some(document.face())) }
}

/// Writes the part of a message's document that its caller wants.
///
/// # Safety
/// The message is null or obtained from `queue_pop` and not freed; `to` is null or to be written.
unsafe fn put_document<W: Wiring, T>(
    function: &'static str,
    message: *mut CMessage,
    to: *mut *const T,
    part: impl FnOnce(&DocumentFace) -> Option<*const T>,
) -> c_int {
    guarded::<W, _>(function, Error::Internal as c_int, || {
        // SAFETY: the caller's promise.
        let taken = unsafe { message.cast::<DeliveredMessage<W::Alloc>>().as_ref() };
        let document = taken.ok_or(Error::Argument).and_then(DeliveredMessage::document);
        let part = document.and_then(|document| part(document).ok_or(Error::Document));
        // SAFETY: the caller's promise.
        part.and_then(|part| unsafe { put(to, part) }).unwrap_or_else(|error| error as c_int)
    })
}

pub(super) unsafe extern "C" fn message_take_data<W: Wiring>(message: *mut CMessage) -> *mut c_void {
    guarded::<W, _>("message_take_data", null_mut(), || {
        // SAFETY: null or obtained from `queue_pop` and not freed, and in this process only, as the header says.
        let Some(taken) = (unsafe { message.cast::<DeliveredMessage<W::Alloc>>().as_mut() }) else { return null_mut() };
        taken.face.data = null_mut();
        taken.delivered.message.take_data().map_or(null_mut(), pointer_of)
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
