//! The headers of a reply to a SUBSCRIBE.

use super::bindings as ks;
use super::message::SipMessage;
use super::text::bytes;
use crate::grammar;
use crate::grammar::Tag;

pub use crate::grammar::PlainTerms;

/// The headers of a reply. They are there once the message is [parsed](SipMessage::parse), but where it says otherwise.
#[derive(Clone, Copy)]
pub struct ReplyHeaders<'m> {
    message: SipMessage<'m>,
}

impl<'m> ReplyHeaders<'m> {
    /// Reads a message.
    #[must_use]
    pub fn of(message: SipMessage<'m>) -> Self {
        Self { message }
    }

    /// The terms of the subscription in a 2xx with [plain](PlainTerms) headers; otherwise the message has to be
    /// [parsed](SipMessage::parse).
    #[must_use]
    pub fn plain_terms(self) -> Option<PlainTerms<'m>> {
        let mut unread = ks::str_::default();
        // SAFETY: the message is valid, the output is ours and then points into the message.
        let is_plain = unsafe { ks::pb2b_unread_headers(self.message.as_raw(), &mut unread) } == 0;
        // SAFETY: as above.
        PlainTerms::read(is_plain.then(|| unsafe { bytes(&unread) })?)
    }

    /// The To tag of a reply; [none](Tag::NONE) when there is none that can be used. Before [`parse`](SipMessage::parse) as well.
    #[must_use]
    pub fn to_tag(self) -> Tag<'m> {
        // SAFETY: the message is valid; the result is null or points at a parsed header that lives with it.
        let tag = unsafe { ks::pb2b_to(self.message.as_raw()).as_ref().map_or(&[][..], |to| bytes(&to.tag_value)) };
        Tag::judge(tag).unwrap_or_default()
    }

    /// The values of all WWW-Authenticate headers.
    #[must_use]
    pub fn www_challenges(self) -> Vec<&'m [u8]> {
        self.message.headers(ks::HDR_WWW_AUTHENTICATE_T).collect()
    }

    /// The values of all Proxy-Authenticate headers.
    #[must_use]
    pub fn proxy_challenges(self) -> Vec<&'m [u8]> {
        self.message.headers(ks::HDR_PROXY_AUTHENTICATE_T).collect()
    }

    /// Value of the Authentication-Info header.
    #[must_use]
    pub fn authentication_info(self) -> Option<&'m [u8]> {
        self.named_header("Authentication-Info")
    }

    fn named_header(self, name: &str) -> Option<&'m [u8]> {
        let mut out = ks::str_::default();
        let len = i32::try_from(name.len()).unwrap_or(0);
        // SAFETY: the message is valid, the output is ours and then points into the message; the name is only read.
        let found = unsafe { ks::pb2b_find_header(self.message.as_raw(), name.as_ptr().cast(), len, &mut out) };
        // SAFETY: as above.
        (found == 0).then(|| unsafe { bytes(&out) })
    }

    /// The values of all Contact headers, in the order of the message.
    pub fn contacts(self) -> impl Iterator<Item = &'m [u8]> + use<'m> {
        self.message.headers(ks::HDR_CONTACT_T)
    }

    /// The Expires header in seconds; `None` when absent or malformed.
    #[must_use]
    pub fn expires(self) -> Option<u32> {
        let mut seconds = 0;
        // SAFETY: the message is valid, the output is ours.
        (unsafe { ks::pb2b_expires(self.message.as_raw(), &mut seconds) } == 1).then_some(seconds)
    }

    /// The number of seconds that this header's value begins with (Retry-After, Min-Expires); too large ones are cut. Before
    /// [`parse`](SipMessage::parse), and where that fails, as well.
    #[must_use]
    pub fn seconds(self, name: &str) -> Option<u32> {
        grammar::seconds(self.message.text(), name)
    }

    /// The values of all Record-Route headers, in the order of the message.
    pub fn record_routes(self) -> impl Iterator<Item = &'m [u8]> {
        self.message.record_routes()
    }
}
