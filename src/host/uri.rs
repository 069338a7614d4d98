//! URIs and routes, checked by the host's parser.

use super::bindings as ks;
use super::text::{lend, part_of};
use super::transport::transport_of;
use crate::grammar::{PlainSipUri, Transport, is_sips};

/// Whether the host can parse this SIP or SIPS URI.
#[must_use]
pub fn is_sip_uri(uri: &[u8]) -> bool {
    PlainSipUri::read(uri).is_some() || is_parsed(uri)
}

fn is_parsed(uri: &[u8]) -> bool {
    let sip = uri.get(..4).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"sip:"));
    // To the end in any case: several bytes at a time.
    let clean =
        uri.iter().fold(true, |clean, byte| clean & byte.is_ascii_graphic() & !matches!(byte, b'<' | b'>' | b'"'));
    // SAFETY: the host has a text of its own.
    (sip || is_sips(uri)) && clean && lend([uri], |[lent]| unsafe { ks::pb2b_uri_valid(&lent) } == 1)
}

/// Where a request to this URI goes, as the URI has it: `udp:host:port`, the host in lower case, the port left out where a
/// name alone does not say it (RFC 3263 §4.2). `None` when the host cannot parse it.
#[must_use]
pub fn destination(uri: &[u8]) -> Option<Vec<u8>> {
    if let Some(plain) = PlainSipUri::read(uri) {
        return Some(destination_of(Transport::Udp, plain.host, plain.port));
    }
    let mut parsed = ks::sip_uri_t::default();
    // Not maddr: the host ignores it unless it was built with HONOR_MADDR, which no distribution uses.
    let host = lend([uri], |[lent]| {
        // SAFETY: the host has a text of its own and writes our struct, whose strings then point into that text.
        let is_parsed = unsafe { ks::parse_uri(lent.s, lent.len, &mut parsed) } >= 0;
        is_parsed.then(|| part_of(uri, &lent, &parsed.host))
    })?;
    let named = transport_of(parsed.proto.into()).unwrap_or(Transport::Udp);
    let transport = if is_sips(uri) { named.over_tls() } else { named };
    Some(destination_of(transport, host, Some(parsed.port_no).filter(|port| *port > 0)))
}

/// Whether a request to this URI goes over TLS.
#[must_use]
pub fn means_tls(uri: &[u8]) -> bool {
    destination(uri).is_some_and(|to| to.starts_with(b"tls:") || to.starts_with(b"wss:"))
}

fn destination_of(transport: Transport, host: &[u8], port: Option<u16>) -> Vec<u8> {
    let is_address = || host.starts_with(b"[") || host.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.');
    let port = port.or_else(|| is_address().then(|| transport.default_port()));
    let mut text = Vec::with_capacity(transport.name().len() + host.len() + ":".len() + ":65535".len());
    text.extend_from_slice(transport.name().as_bytes());
    text.push(b':');
    text.extend_from_slice(host);
    text.make_ascii_lowercase();
    if let Some(port) = port {
        text.push(b':');
        text.extend_from_slice(port.to_string().as_bytes());
    }
    text
}

/// Whether the host can parse this value of a Route header.
#[must_use]
pub fn is_route(text: &[u8]) -> bool {
    // SAFETY: the host has a text of its own.
    lend([text], |[lent]| unsafe { ks::pb2b_route_valid(&lent) == 1 })
}

/// One entry of a route set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteEntry<'a> {
    /// The entry as it was written.
    pub text: &'a [u8],
    /// Its URI.
    pub uri: &'a [u8],
    /// Whether it is a loose router (`;lr`, RFC 3261 §16.12).
    pub loose: bool,
}

/// Splits the value of a Route header; `None` when it cannot be parsed.
#[must_use]
pub fn routes(text: &[u8]) -> Option<Vec<RouteEntry<'_>>> {
    if text.is_empty() {
        return Some(Vec::new());
    }
    lend([text], |[lent]| {
        let mut first: *mut ks::rr_t = std::ptr::null_mut();
        // SAFETY: the host has a text of its own and gives a list in its private memory, freed below.
        if unsafe { ks::parse_rr_body(lent.s, lent.len, &mut first) } < 0 || first.is_null() {
            return None;
        }
        let mut entries = Vec::new();
        let mut route = first;
        // SAFETY: a null-terminated list; its strings point into the text lent.
        while let Some(this) = unsafe { route.as_ref() } {
            let mut whole = ks::str_::default();
            // SAFETY: `this` is valid.
            unsafe { ks::pb2b_route_text(this, &mut whole) };
            let uri = part_of(text, &lent, &this.nameaddr.uri);
            entries.push(RouteEntry { text: part_of(text, &lent, &whole), uri, loose: is_loose(uri) });
            route = this.next;
        }
        // SAFETY: the list came from parse_rr_body and is not used any more.
        unsafe { ks::free_rr(&mut first) };
        Some(entries)
    })
}

fn is_loose(uri: &[u8]) -> bool {
    let mut parsed = ks::sip_uri_t::default();
    // SAFETY: the host has a text of its own and writes our struct.
    lend([uri], |[lent]| unsafe { ks::parse_uri(lent.s, lent.len, &mut parsed) == 0 }) && !parsed.lr.s.is_null()
}
