//! The headers of a NOTIFY, read in one pass.

use std::mem::MaybeUninit;

use super::bindings as ks;
use super::message::{Malformed, SipMessage};
use super::text::bytes;
use crate::grammar::{self, Addresses, EntityTag, Routes, Tag};

/// The headers of a NOTIFY, as they were written; of those that are there several times the first.
pub struct NotifyHeaders<'m> {
    message: SipMessage<'m>,
    raw: ks::pb2b_notify_headers,
}

/// Option tags that may be written into a header: tokens, with commas between.
#[derive(Debug)]
pub struct OptionTags(Vec<u8>);

impl OptionTags {
    /// The list.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The most bytes of option tags that are named in an answer.
const MOST_OPTION_TAGS: usize = 512;

/// The Event header.
#[derive(Clone, Copy, Debug, Default)]
pub struct Event<'m> {
    /// Event type; empty when the header is absent.
    pub package: &'m [u8],
    /// `id` parameter.
    pub id: Option<&'m [u8]>,
}

/// The parts that identify the dialog of a received request (RFC 3261 §12.2.2).
#[derive(Clone, Copy, Debug)]
pub struct DialogIds<'m> {
    /// Call-ID.
    pub call_id: &'m [u8],
    /// To tag: our own.
    pub local_tag: &'m [u8],
    /// From tag: the peer's, [none](Tag::NONE) when there is none. An error if it is malformed or cannot be in a request.
    pub remote_tag: Result<Tag<'m>, Malformed>,
}

impl<'m> NotifyHeaders<'m> {
    /// Reads a message whose headers are [parsed](SipMessage::parse).
    #[must_use]
    pub fn of(message: SipMessage<'m>) -> Self {
        let mut raw = MaybeUninit::uninit();
        // SAFETY: the message is valid, the output is ours and is filled as a whole; its texts lie in the message.
        let raw = unsafe {
            ks::pb2b_read_notify_headers(message.as_raw(), raw.as_mut_ptr());
            raw.assume_init()
        };
        Self { message, raw }
    }

    fn text(&self, text: &ks::str_) -> Option<&'m [u8]> {
        // SAFETY: what was found lies in the message, which lives for `'m`.
        (!text.s.is_null()).then(|| unsafe { bytes(text) })
    }

    /// Call-ID and tags.
    ///
    /// # Errors
    /// If there is no Call-ID or To, or the To is malformed or has no tag: it belongs to no subscription.
    pub fn dialog_ids(&self) -> Result<DialogIds<'m>, Malformed> {
        let call_id = self.text(&self.raw.call_id).ok_or(Malformed("Call-ID"))?;
        let remote_tag = self.text(&self.raw.from).and_then(tag_of).ok_or(Malformed("From"));
        // SAFETY: the message is valid; the result is null or points at a parsed header that lives with it.
        let to = unsafe { ks::pb2b_to(self.message.as_raw()).as_ref() }.ok_or(Malformed("To"))?;
        // SAFETY: the strings of parsed headers point into the message.
        let local_tag = unsafe { bytes(&to.tag_value) };
        if local_tag.is_empty() {
            return Err(Malformed("To tag"));
        }
        Ok(DialogIds { call_id, local_tag, remote_tag })
    }

    /// The URI of the To header of a NOTIFY that belongs to no dialog: `None` if it has a tag, or cannot be read.
    #[must_use]
    pub fn recipient(&self) -> Option<&'m [u8]> {
        // SAFETY: the message is valid; the result is null or points at a parsed header that lives with it.
        let to = unsafe { ks::pb2b_to(self.message.as_raw()).as_ref() }?;
        // SAFETY: the strings of parsed headers point into the message.
        unsafe { bytes(&to.tag_value).is_empty().then(|| bytes(&to.uri)) }
    }

    /// The Event header; its default when there is none.
    ///
    /// # Errors
    /// When it is there and cannot be parsed.
    pub fn event(&self) -> Result<Event<'m>, Malformed> {
        let Some(header) = self.text(&self.raw.event) else { return Ok(Event::default()) };
        if grammar::is_token(header) {
            return Ok(Event { package: header, id: None });
        }
        let ends = memchr::memchr(b';', header).unwrap_or(header.len());
        let (package, rest) = header.split_at_checked(ends).ok_or(Malformed("Event"))?;
        let package = Some(package.trim_ascii()).filter(|package| grammar::is_token(package));
        let id = grammar::parameters(rest).find(|(name, _)| name.eq_ignore_ascii_case(b"id"));
        let id = id.map(|(_, value)| grammar::unquoted(value.unwrap_or_default()));
        package.map(|package| Event { package, id }).ok_or(Malformed("Event"))
    }

    /// Value of the first Contact header.
    #[must_use]
    pub fn contact(&self) -> Option<&'m [u8]> {
        self.text(&self.raw.contact)
    }

    /// The route set that the Record-Route headers make, in the order of the message; `None` when there are none.
    ///
    /// # Errors
    /// When one of them cannot be used.
    pub fn routes(&self) -> Result<Option<Routes>, Malformed> {
        if self.raw.has_record_route == 0 {
            return Ok(None);
        }
        Routes::judge(self.message.record_routes()).map(Some).map_err(|_| Malformed("Record-Route"))
    }

    /// The option tags of all Require headers (RFC 3261 §20.32) that are not supported; `None` when all are.
    ///
    /// # Errors
    /// When there are some, and none is a token.
    pub fn unsupported(&self, supports: impl Fn(&[u8]) -> bool) -> Result<Option<OptionTags>, Malformed> {
        if self.raw.has_require == 0 {
            return Ok(None);
        }
        let mut tags = self.listed(ks::HDR_REQUIRE_T).filter(|tag| !supports(tag)).peekable();
        if tags.peek().is_none() {
            return Ok(None);
        }
        let tags = grammar::joined_tokens(tags, MOST_OPTION_TAGS);
        if tags.is_empty() { Err(Malformed("Require")) } else { Ok(Some(OptionTags(tags))) }
    }

    /// Whether the body is encoded otherwise than as it is, by any of all Content-Encoding headers (RFC 3261 §20.12).
    #[must_use]
    pub fn is_encoded(&self) -> bool {
        let is_not = |encoding: &[u8]| !encoding.eq_ignore_ascii_case(b"identity");
        self.raw.has_content_encoding != 0 && self.listed(ks::HDR_CONTENTENCODING_T).any(is_not)
    }

    /// The items of headers that most messages do not have.
    fn listed(&self, kind: ks::_hdr_types_t) -> impl Iterator<Item = &'m [u8]> {
        self.message.headers(kind).flat_map(grammar::listed)
    }

    /// Value of the Subscription-State header.
    #[must_use]
    pub fn subscription_state(&self) -> Option<&'m [u8]> {
        self.text(&self.raw.subscription_state)
    }

    /// The entity-tag of the SIP-ETag header, if it is one.
    #[must_use]
    pub fn entity_tag(&self) -> Option<EntityTag<'m>> {
        self.text(&self.raw.sip_etag).and_then(EntityTag::judge)
    }

    /// The branch of the topmost Via.
    #[must_use]
    pub fn branch(&self) -> Option<&'m [u8]> {
        self.text(&self.raw.branch)
    }

    /// Value of the Content-Type header.
    #[must_use]
    pub fn content_type(&self) -> Option<&'m [u8]> {
        self.text(&self.raw.content_type)
    }
}

/// The tag of a From header, none when it has none; `None` when it cannot be read or used.
fn tag_of(from: &[u8]) -> Option<Tag<'_>> {
    if let Some(tag) = grammar::plain_tag(from) {
        return Tag::judge(tag);
    }
    let address = Addresses::of(from).next()?.ok()?;
    let tag = grammar::parameters(address.parameters?).find(|(name, _)| name.eq_ignore_ascii_case(b"tag"));
    tag.map_or(Some(Tag::NONE), |(_, value)| Tag::judge(value.unwrap_or_default()))
}
