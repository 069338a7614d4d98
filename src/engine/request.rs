//! How a SUBSCRIBE looks on the wire and where it goes.

use crate::config::Config;
use crate::document::FILTER_XML;
use crate::host::socket::ListenSocket;
use crate::host::transaction::Outgoing;
use crate::host::uri;
use crate::subscription::{MOST_PROXIES, Package, Request, package};

const METHOD: &[u8] = b"SUBSCRIBE";

/// Why a SUBSCRIBE cannot be sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// The dialog's route set cannot be parsed.
    #[error("its route set is malformed: {0}")]
    Routes(String),
    /// No socket towards the next hop.
    #[error("no socket or no address for {0}: check the name service and the listen addresses")]
    NextHop(String),
}

/// Where a request goes: its routes applied.
#[derive(Debug)]
pub struct Way {
    request_uri: Vec<u8>,
    route_header: Vec<u8>,
    first_hop: Vec<u8>,
    /// The URIs that it may be sent to, the best first, each with its place among the outbound proxies.
    hops: Vec<(u8, Vec<u8>)>,
}

impl Way {
    /// Applies routes and parameters (RFC 3261 §12.2.1.1).
    ///
    /// # Errors
    /// [`PlanError::Routes`].
    pub fn of(request: &Request, config: &Config) -> Result<Self, PlanError> {
        let routes = if request.is_initial() { config.presence_route.as_bytes() } else { &request.route_set };
        let entries = uri::routes(routes).ok_or_else(|| PlanError::Routes(lossy(routes)))?;
        // Behind a strict router the remote target is the last route.
        let (request_uri, route_header, first_hop) = match entries.split_first() {
            None => (request.target.clone(), Vec::new(), request.target.clone()),
            Some((first, _)) if first.loose => {
                let all: Vec<&[u8]> = entries.iter().map(|entry| entry.text).collect();
                (request.target.clone(), all.join(&b", "[..]), first.uri.to_vec())
            }
            Some((first, rest)) => {
                let target = [b"<", &request.target[..], b">"].concat();
                let all: Vec<&[u8]> = rest.iter().map(|entry| entry.text).chain([&target[..]]).collect();
                (first.uri.to_vec(), all.join(&b", "[..]), first.uri.to_vec())
            }
        };
        let hops = match &config.presence_outbound_proxies[..] {
            [] if request.via.is_empty() => vec![(0, first_hop.clone())],
            [] => vec![(0, request.via.clone())],
            proxies => {
                let count = u8::try_from(proxies.len()).unwrap_or(MOST_PROXIES);
                let places = request.proxies.places(count);
                places
                    .filter_map(|place| Some((place, proxies.get(usize::from(place))?.clone().into_bytes())))
                    .collect()
            }
        };
        Ok(Self { request_uri, route_header, first_hop, hops })
    }

    /// The URIs that it may be sent to, the best first; each with its place among the outbound proxies, and with the
    /// destination as the gate knows it.
    pub fn hops(&self) -> impl Iterator<Item = (u8, &[u8], Option<Vec<u8>>)> {
        self.hops.iter().map(|(place, hop)| (*place, &hop[..], uri::destination(hop)))
    }
}

/// Everything of a request that the dialog does not say.
#[derive(Debug)]
pub struct Plan<'a> {
    request_uri: Vec<u8>,
    next_hop: Vec<u8>,
    headers: Vec<u8>,
    body: &'a [u8],
    /// The socket it leaves through, unless the script has it leave through another one.
    socket: ListenSocket,
}

impl<'a> Plan<'a> {
    /// Finds socket and headers. May block on name resolution.
    ///
    /// # Errors
    /// See [`PlanError`].
    pub fn make(request: &Request, way: Way, next_hop: Vec<u8>, config: &'a Config) -> Result<Self, PlanError> {
        let Way { request_uri, route_header, first_hop, .. } = way;
        // RFC 3261 §8.1.1.8 and §12.1.2: what is asked for by a SIPS URI is told under one.
        let secure = [&request.record, &request_uri, &first_hop].into_iter().any(|uri| uri::is_sips(uri));
        let known = request.socket.and_then(|socket| ListenSocket::from_token(socket.0));
        let unreachable = || PlanError::NextHop(lossy(&next_hop));
        let socket = ListenSocket::towards(&next_hop, known).ok_or_else(unreachable)?;
        let contact = socket.contact_uri(secure).ok_or_else(unreachable)?;
        let filter = request.filter.and_then(|place| config.filters.get(usize::from(place)));
        let body = filter.map_or(&[][..], |filter| &filter.document);
        let mut headers = headers(request, &route_header, &contact, config);
        for authorization in &request.authorizations {
            // A URI that cannot stand between quotes cannot be authorized: the request goes without and is refused.
            if let Some(value) = authorization.value(METHOD, &request_uri, body) {
                let name = authorization.guard.answer_header().as_bytes();
                headers.extend([name, b": ", &value, b"\r\n"].concat());
            }
        }
        if !body.is_empty() {
            headers.extend([b"Content-Type: ", FILTER_XML.as_bytes(), b"\r\n"].concat());
        }
        Ok(Self { request_uri, next_hop, headers, body, socket })
    }

    /// The socket it leaves through, unless the script has it leave through another one.
    #[must_use]
    pub fn socket(&self) -> ListenSocket {
        self.socket
    }

    /// The request for the transaction layer.
    #[must_use]
    pub fn outgoing<'r>(&'r self, request: &'r Request) -> Outgoing<'r> {
        Outgoing {
            method: METHOD,
            request_uri: &self.request_uri,
            next_hop: &self.next_hop,
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

/// All headers that tm does not write.
fn headers(request: &Request, route: &[u8], contact: &[u8], config: &Config) -> Vec<u8> {
    let mut text = Vec::with_capacity(256);
    let mut line = |name: &str, parts: &[&[u8]]| {
        text.extend_from_slice(name.as_bytes());
        text.extend_from_slice(b": ");
        text.extend(parts.concat());
        text.extend_from_slice(b"\r\n");
    };
    if !route.is_empty() {
        line("Route", &[route]);
    }
    let id: &[&[u8]] = if request.event_id.is_empty() { &[] } else { &[b";id=", &request.event_id] };
    let rates: String = request.rates.parameters().map(|(name, rate)| format!(";{name}={rate}")).collect();
    line("Event", &[request.package.as_bytes(), &id.concat(), rates.as_bytes()]);
    line("Expires", &[request.expires.to_string().as_bytes()]);
    if !request.known_state.is_empty() {
        line("Suppress-If-Match", &[&request.known_state]);
    }
    line("Contact", &[b"<", contact, b">"]);
    if let Some(Package { accept, supported, .. }) = package::find(request.package.as_bytes()) {
        line("Accept", &[accept.join(", ").as_bytes()]);
        if !supported.is_empty() {
            line("Supported", &[supported.join(", ").as_bytes()]);
        }
    }
    text.extend_from_slice(config.additional_presence_headers.as_bytes());
    text
}

fn lossy(text: &[u8]) -> String {
    String::from_utf8_lossy(text).into_owned()
}
