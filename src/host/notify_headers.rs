//! What a NOTIFY says in headers: all of them looked at once.

use super::bindings as ks;
use super::message::{Malformed, Message};
use super::text::bytes;
use crate::grammar;

/// The headers of a NOTIFY, as they were written; of those that are there several times the first.
pub struct NotifyHeaders<'m> {
    message: Message<'m>,
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

/// What identifies the dialog of a request that arrived (RFC 3261 §12.2.2).
#[derive(Clone, Copy, Debug)]
pub struct DialogIds<'m> {
    /// Call-ID.
    pub call_id: &'m [u8],
    /// To tag: our own.
    pub local_tag: &'m [u8],
    /// From tag: the peer's.
    pub remote_tag: &'m [u8],
}

impl<'m> NotifyHeaders<'m> {
    /// Of a message whose headers are [parsed](Message::parse).
    #[must_use]
    pub fn of(message: Message<'m>) -> Self {
        let mut raw = ks::pb2b_notify_headers::default();
        // SAFETY: the message is valid, the output is ours; its texts lie in the message.
        unsafe { ks::pb2b_read_notify_headers(message.as_raw(), &mut raw) };
        Self { message, raw }
    }

    fn text(&self, text: &ks::str_) -> Option<&'m [u8]> {
        // SAFETY: what was found lies in the message, which lives for `'m`.
        (!text.s.is_null()).then(|| unsafe { bytes(text) })
    }

    /// Call-ID and tags.
    ///
    /// # Errors
    /// When one of the three headers is missing or malformed, or the To has no tag.
    pub fn dialog_ids(&self) -> Result<DialogIds<'m>, Malformed> {
        let call_id = self.text(&self.raw.call_id).ok_or(Malformed("Call-ID"))?;
        let remote_tag = match self.text(&self.raw.from).and_then(grammar::plain_tag) {
            Some(tag) => tag,
            None => {
                // SAFETY: the message is valid; the result is null or points at a parsed header that lives with it.
                let from = unsafe { ks::pb2b_from(self.message.as_raw()).as_ref() }.ok_or(Malformed("From"))?;
                // SAFETY: the strings of parsed headers point into the message.
                unsafe { bytes(&from.tag_value) }
            }
        };
        // SAFETY: as above.
        let to = unsafe { ks::pb2b_to(self.message.as_raw()).as_ref() }.ok_or(Malformed("To"))?;
        // SAFETY: as above.
        let local_tag = unsafe { bytes(&to.tag_value) };
        if local_tag.is_empty() {
            return Err(Malformed("To tag"));
        }
        Ok(DialogIds { call_id, local_tag, remote_tag })
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
        // SAFETY: the message is valid; the result is null or lives with it.
        let event = unsafe { ks::pb2b_event(self.message.as_raw()).as_ref() }.ok_or(Malformed("Event"))?;
        // SAFETY: the name points into the message.
        let package = unsafe { bytes(&event.name) };
        let mut parameter = event.params.list;
        let mut id = None;
        // SAFETY: a null-terminated list that lives with the message.
        while let Some(this) = unsafe { parameter.as_ref() } {
            // SAFETY: both strings point into the message.
            let (name, body) = unsafe { (bytes(&this.name), bytes(&this.body)) };
            if name.eq_ignore_ascii_case(b"id") {
                id = Some(body);
            }
            parameter = this.next;
        }
        Ok(Event { package, id })
    }

    /// The first Contact's URI.
    ///
    /// # Errors
    /// When there is a Contact that cannot be parsed.
    pub fn contact(&self) -> Result<Option<&'m [u8]>, Malformed> {
        let Some(header) = self.text(&self.raw.contact) else { return Ok(None) };
        if let Some(uri) = grammar::plain_uri(header) {
            return Ok(Some(uri));
        }
        let uris = self.message.parsed_contacts().map(|(uri, _)| uri);
        uris.min_by_key(|uri| uri.as_ptr()).map(Some).ok_or(Malformed("Contact"))
    }

    /// The entries of all Record-Route headers, in the order of the message.
    ///
    /// # Errors
    /// When one cannot be parsed.
    pub fn record_routes(&self) -> Result<Vec<&'m [u8]>, Malformed> {
        if self.raw.has_record_route == 0 {
            return Ok(Vec::new());
        }
        self.message.record_routes()
    }

    /// The option tags of all Require headers (RFC 3261 §20.32) that are not supported; `None` when all are.
    ///
    /// # Errors
    /// When there are some, and none is a token.
    pub fn unsupported(&self, supports: impl Fn(&[u8]) -> bool) -> Result<Option<OptionTags>, Malformed> {
        let mut tags = self.listed(self.raw.has_require, ks::HDR_REQUIRE_T).filter(|tag| !supports(tag)).peekable();
        if tags.peek().is_none() {
            return Ok(None);
        }
        let tags = grammar::joined_tokens(tags, MOST_OPTION_TAGS);
        if tags.is_empty() { Err(Malformed("Require")) } else { Ok(Some(OptionTags(tags))) }
    }

    /// The encodings of the body, of all Content-Encoding headers (RFC 3261 §20.12), as they were written.
    pub fn content_encodings(&self) -> impl Iterator<Item = &'m [u8]> {
        self.listed(self.raw.has_content_encoding, ks::HDR_CONTENTENCODING_T)
    }

    /// What headers list that most messages do not have.
    fn listed(&self, is_there: i32, kind: ks::_hdr_types_t) -> impl Iterator<Item = &'m [u8]> {
        let headers = (is_there != 0).then(|| self.message.headers(kind));
        headers.into_iter().flatten().flat_map(grammar::listed)
    }

    /// Value of the Subscription-State header.
    #[must_use]
    pub fn subscription_state(&self) -> Option<&'m [u8]> {
        self.text(&self.raw.subscription_state)
    }

    /// Value of the SIP-ETag header.
    #[must_use]
    pub fn entity_tag(&self) -> Option<&'m [u8]> {
        self.text(&self.raw.sip_etag)
    }

    /// Value of the Content-Type header.
    #[must_use]
    pub fn content_type(&self) -> Option<&'m [u8]> {
        self.text(&self.raw.content_type)
    }
}
