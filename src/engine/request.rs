//! The SUBSCRIBE on the wire, and its next hop.

use super::lists::LIST_TAG;
use crate::config::Config;
use crate::document::{FILTER_XML, LIST_TYPES};
use crate::grammar::is_sips;
use crate::host::socket::ListenSocket;
use crate::host::transaction::Outgoing;
use crate::host::uri;
use crate::subscription::{MOST_PROXIES, Package, Request};

const METHOD: &[u8] = b"SUBSCRIBE";

/// Bytes that the headers of a request seldom exceed.
const USUAL_HEADERS: usize = 512;

/// The most bytes of a SUBSCRIBE without what tm writes: then it fits into a datagram of any size that there can be.
const MOST_REQUEST: usize = 60_000;

/// Why a SUBSCRIBE cannot be sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// The dialog's route set cannot be parsed.
    #[error("its route set is malformed: {0}")]
    Routes(String),
    /// No socket towards the next hop.
    #[error("no socket or no address for {0}: check DNS and the listen addresses")]
    NextHop(String),
    /// It would leave the protection that a SIPS record asks for.
    #[error(
        "its record is a SIPS URI, but {0} is not reached over TLS: use a sips: URI or transport=tls there, and listen on TLS"
    )]
    Open(String),
    /// Larger than a datagram can be.
    #[error(
        "it has {0} bytes, but may have {MOST_REQUEST}: shorten additional_presence_headers, the filter, option header or the \
         route"
    )]
    TooLarge(usize),
}

impl PlanError {
    /// Whether the destination may have caused it.
    #[must_use]
    pub fn is_of_destination(&self) -> bool {
        match self {
            Self::NextHop(_) => true,
            Self::Routes(_) | Self::Open(_) | Self::TooLarge(_) => false,
        }
    }

    /// Whether the dialog is of no use any more: its notifier has named a target or routes that nothing can be sent to, and the
    /// record itself leads to another place.
    #[must_use]
    pub fn is_of_dialog(&self, request: &Request, config: &Config) -> bool {
        match self {
            _ if request.is_initial() => false,
            Self::TooLarge(_) => false,
            Self::Routes(_) => true,
            Self::Open(uri) => {
                let is_it = |proxy: &[u8]| proxy == uri.as_bytes();
                !config.presence_outbound_proxies.iter().any(|proxy| is_it(proxy.as_bytes())) && !is_it(&request.via)
            }
            Self::NextHop(_) if !config.presence_outbound_proxies.is_empty() || !request.via.is_empty() => false,
            Self::NextHop(hop) => uri::destination(hop.as_bytes()) != uri::destination(&request.record),
        }
    }
}

/// Where a request goes: its routes applied.
#[derive(Debug)]
pub struct Routed<'r> {
    request: &'r Request,
    config: &'r Config,
    request_uri: &'r [u8],
    route_header: Vec<u8>,
    first_hop: &'r [u8],
}

impl<'r> Routed<'r> {
    /// Applies routes and parameters (RFC 3261 §12.2.1.1).
    ///
    /// # Errors
    /// [`PlanError::Routes`], [`PlanError::Open`].
    pub fn of(request: &'r Request, config: &'r Config) -> Result<Self, PlanError> {
        let routes = if request.is_initial() { config.presence_route.as_bytes() } else { &request.route_set };
        let entries = uri::routes(routes).ok_or_else(|| PlanError::Routes(lossy(routes)))?;
        let named = || entries.iter().map(|entry| entry.uri).chain([&request.target[..]]);
        if let Some(open) = named().find(|uri| is_open_for(request, uri)) {
            return Err(PlanError::Open(lossy(open)));
        }
        // Behind a strict router the remote target is the last route.
        let (request_uri, route_header, first_hop) = match entries.split_first() {
            None => (&request.target[..], Vec::new(), &request.target[..]),
            Some((first, _)) if first.loose => {
                let all: Vec<&[u8]> = entries.iter().map(|entry| entry.text).collect();
                (&request.target[..], all.join(&b", "[..]), first.uri)
            }
            Some((first, rest)) => {
                let target = [b"<", &request.target[..], b">"].concat();
                let all: Vec<&[u8]> = rest.iter().map(|entry| entry.text).chain([&target[..]]).collect();
                (first.uri, all.join(&b", "[..]), first.uri)
            }
        };
        Ok(Self { request, config, request_uri, route_header, first_hop })
    }

    /// The URIs that it may be sent to, the best first; each with its place among the outbound proxies, and with the
    /// destination as the gate knows it. A way of its own has the place that the request begins with.
    pub fn hops(&self) -> impl Iterator<Item = (u8, &'r [u8], Option<Vec<u8>>)> {
        let request = self.request;
        let (proxies, only) = match (&request.via[..], &self.config.presence_outbound_proxies[..]) {
            ([], []) => (&[][..], Some(self.first_hop)),
            ([], proxies) => (proxies, None),
            (via, _) => (&[][..], Some(via)),
        };
        let only = only.map(|uri| (request.proxies.current(), uri));
        let places = request.proxies.places(u8::try_from(proxies.len()).unwrap_or(MOST_PROXIES));
        let through = places.filter_map(|place| Some((place, proxies.get(usize::from(place))?.as_bytes())));
        only.into_iter().chain(through).map(|(place, hop)| (place, hop, uri::destination(hop)))
    }
}

/// Everything of a request that the dialog does not say.
#[derive(Debug)]
pub struct Plan<'r> {
    request: &'r Request,
    request_uri: &'r [u8],
    next_hop: &'r [u8],
    headers: Vec<u8>,
    body: &'r [u8],
    /// The socket it leaves through, unless the script has it leave through another one.
    socket: ListenSocket,
}

impl<'r> Plan<'r> {
    /// Finds socket and headers for a next hop, with its destination if the URI names one. May block on name resolution.
    ///
    /// # Errors
    /// See [`PlanError`].
    pub fn make(routed: &Routed<'r>, next_hop: &'r [u8], address: Option<&[u8]>) -> Result<Self, PlanError> {
        let Routed { request, config, request_uri, ref route_header, first_hop } = *routed;
        // RFC 3261 §8.1.1.8 and §12.1.2: what is asked for by a SIPS URI is told under one.
        let secure = [&request.record[..], request_uri, first_hop].into_iter().any(is_sips);
        if is_open_for(request, next_hop) {
            return Err(PlanError::Open(lossy(next_hop)));
        }
        let known = request.socket.and_then(|socket| ListenSocket::from_token(socket.0));
        let unreachable = || PlanError::NextHop(lossy(next_hop));
        let socket = ListenSocket::towards(next_hop, address, known).ok_or_else(unreachable)?;
        if is_sips(&request.record) && !socket.speaks_tls() {
            return Err(PlanError::Open(lossy(next_hop)));
        }
        let contact = socket.contact_header(secure).ok_or_else(unreachable)?;
        let filter = request.filter.and_then(|place| config.filters.get(usize::from(place)));
        let body = filter.map_or(&[][..], |filter| &filter.document);
        let mut headers = headers(request, route_header, &contact, config);
        for authorization in &request.authorizations {
            // A URI that cannot be written between quotes cannot be authorized: the request is sent without, and refused.
            if let Some(value) = authorization.value(METHOD, request_uri, body) {
                let name = authorization.challenger.answer_header().as_bytes();
                line(&mut headers, name, &value);
            }
        }
        if !body.is_empty() {
            line(&mut headers, b"Content-Type", FILTER_XML.as_bytes());
        }
        let texts = [request_uri, &request.record, &request.subscriber, &request.call_id, &headers, body];
        let bytes = texts.into_iter().fold(0usize, |sum, text| sum.saturating_add(text.len()));
        if bytes > MOST_REQUEST {
            return Err(PlanError::TooLarge(bytes));
        }
        Ok(Self { request, request_uri, next_hop, headers, body, socket })
    }

    /// The socket it leaves through, unless the script has it leave through another one.
    #[must_use]
    pub fn socket(&self) -> ListenSocket {
        self.socket
    }

    /// The request for the transaction layer.
    #[must_use]
    pub fn outgoing(&self) -> Outgoing<'_> {
        let request = self.request;
        Outgoing {
            method: METHOD,
            request_uri: self.request_uri,
            next_hop: self.next_hop,
            to: &request.record,
            from: &request.subscriber,
            call_id: &request.call_id,
            local_tag: &request.local_tag,
            remote_tag: &request.remote_tag,
            cseq: request.cseq,
            headers: &self.headers,
            body: self.body,
            socket: self.socket,
        }
    }
}

/// Whether a request must not go this way, because its record is a SIPS URI (RFC 3261 §26.2.2) and this one means no TLS. Who
/// named it does not matter, peer or operator.
fn is_open_for(request: &Request, uri: &[u8]) -> bool {
    is_sips(&request.record) && !uri::means_tls(uri)
}

/// Appends texts, one behind the other.
fn add(text: &mut Vec<u8>, parts: &[&[u8]]) {
    for part in parts {
        text.extend_from_slice(part);
    }
}

/// One header line.
fn line(text: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    add(text, &[name, b": ", value, b"\r\n"]);
}

/// One header line, its value a list.
fn list(text: &mut Vec<u8>, name: &[u8], items: [&[&str]; 3]) {
    for (number, item) in items.iter().copied().flatten().enumerate() {
        add(text, &[if number == 0 { name } else { b", " }, item.as_bytes()]);
    }
    if items.iter().any(|items| !items.is_empty()) {
        text.extend_from_slice(b"\r\n");
    }
}

/// All headers that tm does not write.
fn headers(request: &Request, route: &[u8], contact: &[u8], config: &Config) -> Vec<u8> {
    let mut text = Vec::with_capacity(USUAL_HEADERS);
    if !route.is_empty() {
        line(&mut text, b"Route", route);
    }
    add(&mut text, &[b"Event: ", request.package.as_bytes()]);
    if !request.event_id.is_empty() {
        add(&mut text, &[b";id=", &request.event_id]);
    }
    for (name, rate) in request.rates.parameters() {
        text.extend_from_slice(format!(";{name}={rate}").as_bytes());
    }
    add(&mut text, &[b"\r\nExpires: ", request.expires.to_string().as_bytes(), b"\r\n"]);
    if !request.known_state.is_empty() {
        line(&mut text, b"Suppress-If-Match", &request.known_state);
    }
    text.extend_from_slice(contact);
    if let Some(Package { accept, partial, supported, .. }) = config.packages.find(request.package.as_bytes()) {
        let (types, tags) = if request.list { (&LIST_TYPES[..], &[LIST_TAG][..]) } else { (&[][..], &[][..]) };
        let partial = if request.partial { partial } else { &[][..] };
        list(&mut text, b"Accept: ", [accept, partial, types]);
        list(&mut text, b"Supported: ", [supported, tags, &[]]);
    }
    add(&mut text, &[config.additional_presence_headers.as_bytes(), &request.header_lines]);
    text
}

fn lossy(text: &[u8]) -> String {
    String::from_utf8_lossy(text).into_owned()
}
