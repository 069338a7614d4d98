//! A SIP message that the host is processing, read through the host's parser.

use std::marker::PhantomData;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZero;

use super::bindings as ks;
use super::connection;
use super::text::{bytes, lend};
use super::transport::transport_of;
use crate::grammar::{self, Transport};

/// A message for as long as the host processes it.
#[derive(Clone, Copy)]
pub struct SipMessage<'m> {
    raw: *mut ks::sip_msg,
    life: PhantomData<&'m ks::sip_msg>,
}

/// Tells a message from all others that the process has handled or will.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageKey {
    /// A transaction's copy of the message has its number, and is elsewhere.
    address: usize,
    number: u32,
    process: i32,
}

/// A header that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed(pub &'static str);

impl<'m> SipMessage<'m> {
    /// Wraps the host's message.
    ///
    /// # Safety
    /// `raw` must be a valid message that lives for `'m`, used by this process alone.
    #[must_use]
    pub unsafe fn from_raw(raw: *mut ks::sip_msg) -> Self {
        Self { raw, life: PhantomData }
    }

    /// The host's message.
    #[must_use]
    pub fn as_raw(self) -> *mut ks::sip_msg {
        self.raw
    }

    /// What tells it from all others.
    #[must_use]
    pub fn key(self) -> MessageKey {
        // SAFETY: the message is valid.
        let (number, process) = unsafe { ((*self.raw).id, (*self.raw).pid) };
        MessageKey { address: self.raw.addr(), number, process }
    }

    /// Whether it is a NOTIFY request.
    #[must_use]
    pub fn is_notify(self) -> bool {
        // SAFETY: the message is valid.
        unsafe { ks::pb2b_is_request(self.raw) != 0 && ks::pb2b_method_id(self.raw) == ks::METHOD_NOTIFY as i32 }
    }

    /// The URI that a REGISTER is for: that of its To. `None` for any other message, and if its To cannot be read.
    #[must_use]
    pub fn registered_uri(self) -> Option<&'m [u8]> {
        // SAFETY: the message is valid.
        if unsafe { ks::pb2b_is_register(self.raw) } == 0 || self.parse().is_err() {
            return None;
        }
        // SAFETY: the message is valid; the result is null or its To, whose URI lies in the message.
        unsafe { ks::pb2b_to(self.raw).as_ref().map(|to| bytes(&to.uri)) }
    }

    /// The Request-URI, unchanged; empty for a reply.
    #[must_use]
    pub fn request_uri(self) -> &'m [u8] {
        let mut uri = ks::str_::default();
        // SAFETY: the message is valid, the output is ours; the text lies in the message.
        unsafe {
            ks::pb2b_request_uri(self.raw, &mut uri);
            bytes(&uri)
        }
    }

    /// Parses all headers; must come before every reading function below, but where it says otherwise.
    ///
    /// # Errors
    /// When the header section as a whole cannot be parsed.
    pub fn parse(self) -> Result<(), Malformed> {
        // SAFETY: the message is valid; the parser keeps what it finds with the message.
        if unsafe { ks::pb2b_parse_all(self.raw) } < 0 { Err(Malformed("header section")) } else { Ok(()) }
    }

    /// CSeq number of a request with this method.
    ///
    /// # Errors
    /// When the header is missing or malformed, or names another method (RFC 3261 §8.1.1.5).
    pub fn cseq(self, method: &[u8]) -> Result<u32, Malformed> {
        let (mut number, mut named) = (0, ks::str_::default());
        // SAFETY: the message is valid, the outputs are ours.
        if unsafe { ks::pb2b_cseq(self.raw, &mut number, &mut named) } < 0 {
            return Err(Malformed("CSeq"));
        }
        // SAFETY: the name points into the message.
        if unsafe { bytes(&named) } == method { Ok(number) } else { Err(Malformed("CSeq")) }
    }

    /// Bodies of all headers of this type.
    pub(super) fn headers(self, kind: ks::_hdr_types_t) -> impl Iterator<Item = &'m [u8]> {
        let mut header: *mut ks::hdr_field_t = std::ptr::null_mut();
        std::iter::from_fn(move || {
            // SAFETY: the message is valid; the result is null or a header of it.
            header = unsafe { ks::pb2b_next_header(self.raw, header, kind) };
            // SAFETY: as above.
            let this = unsafe { header.as_ref() }?;
            // SAFETY: the text points into the message.
            Some(unsafe { bytes(&this.body) }.trim_ascii())
        })
        .fuse()
    }

    /// The body; empty when there is none.
    ///
    /// # Errors
    /// When Content-Length names more than arrived.
    pub fn body(self) -> Result<&'m [u8], Malformed> {
        let mut out = ks::str_::default();
        // SAFETY: the message is valid, the output is ours and then points into the message.
        if unsafe { ks::pb2b_body(self.raw, &mut out) } < 0 {
            return Err(Malformed("Content-Length"));
        }
        // SAFETY: as above.
        Ok(unsafe { bytes(&out) })
    }

    /// The values of all Record-Route headers, in the order of the message.
    pub fn record_routes(self) -> impl Iterator<Item = &'m [u8]> {
        self.headers(ks::HDR_RECORDROUTE_T)
    }

    /// The number of the connection it came over, if its transport has connections. Before
    /// [`parse`](Self::parse) as well.
    #[must_use]
    pub fn connection(self) -> Option<NonZero<u32>> {
        // SAFETY: the message is valid.
        connection::number_of(unsafe { ks::pb2b_connection(self.raw) })
    }

    /// Address and port of who sent it, and the transport; `None` for a transport that no URI names.
    #[must_use]
    pub fn source(self) -> Option<(SocketAddr, Transport)> {
        let (mut address, mut port, mut proto) = ([0; 16], 0, 0);
        // SAFETY: the message is valid, the outputs are ours, and the address has room for 16 bytes.
        let length = unsafe { ks::pb2b_source(self.raw, address.as_mut_ptr(), &mut port, &mut proto) };
        let ip = match (length, address) {
            (16, all) => IpAddr::from(all),
            (_, [a, b, c, d, ..]) => IpAddr::from([a, b, c, d]),
        };
        Some((SocketAddr::new(ip, port), transport_of(proto)?))
    }

    /// Status code of a reply. Before [`parse`](Self::parse) as well.
    #[must_use]
    pub fn status(self) -> u16 {
        // SAFETY: the message is valid.
        u16::try_from(unsafe { ks::pb2b_status(self.raw) }).unwrap_or(0)
    }

    /// Reason phrase of a reply. Before [`parse`](Self::parse) as well.
    #[must_use]
    pub fn reason(self) -> &'m [u8] {
        let mut out = ks::str_::default();
        // SAFETY: the message is valid, the output is ours and then points into the message.
        if unsafe { ks::pb2b_reason(self.raw, &mut out) } < 0 { &[] } else { unsafe { bytes(&out) } }
    }

    /// The message, unchanged.
    #[must_use]
    pub fn text(self) -> &'m [u8] {
        let mut text = ks::str_::default();
        // SAFETY: the message is valid, the output is ours and then is the message's text.
        unsafe {
            ks::pb2b_text(self.raw, &mut text);
            bytes(&text)
        }
    }

    /// Whether it is in shared memory, where it must not be [parsed](Self::parse).
    #[must_use]
    pub fn is_shared(self) -> bool {
        // SAFETY: the message is valid.
        unsafe { ks::pb2b_is_shared(self.raw) != 0 }
    }

    /// A message of this text, in private memory, that came the way this one did. `None` when there is no memory, or it
    /// cannot be parsed at all.
    #[must_use]
    pub fn copy(self, text: &[u8]) -> Option<MessageCopy> {
        // SAFETY: the message is valid; the text is only read and copied.
        let raw = lend([text], |[text]| unsafe { ks::pb2b_copy(self.raw, &text) });
        (!raw.is_null()).then_some(MessageCopy(raw))
    }

    /// The same message with [those headers](grammar::reduced) only that matter in a reply: one that cannot be parsed among
    /// the others spoils none of them.
    #[must_use]
    pub fn reduced(self) -> Option<MessageCopy> {
        self.copy(&grammar::reduced(self.text())?)
    }
}

/// A message of our own, freed with all that the parser has found in it.
#[derive(Debug)]
pub struct MessageCopy(*mut ks::sip_msg);

impl MessageCopy {
    /// It, to be read.
    #[must_use]
    pub fn message(&self) -> SipMessage<'_> {
        SipMessage { raw: self.0, life: PhantomData }
    }
}

impl Drop for MessageCopy {
    fn drop(&mut self) {
        // SAFETY: it came from `pb2b_copy`, and nothing borrows from it any more.
        unsafe { ks::pb2b_free_copy(self.0) };
    }
}
