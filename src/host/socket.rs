//! The server's sockets.

use std::cell::RefCell;
use std::net::SocketAddrV4;
use std::ptr::null_mut;
use std::rc::Rc;

use super::bindings as ks;
use super::message::SipMessage;
use super::text::{bytes, lend};
use super::transport::transport_of;
use crate::grammar::{Transport, is_sips};

/// A listening socket of the server. Sockets are made before the fork and never go away, so the address is its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListenSocket(*mut ks::socket_info_t);

impl ListenSocket {
    /// The socket with this [`token`](Self::token). Only tokens of this run of the server are valid.
    #[must_use]
    pub fn from_token(token: u64) -> Option<Self> {
        let address = usize::try_from(token).ok()?;
        (address != 0).then(|| Self(std::ptr::with_exposed_provenance_mut(address)))
    }

    /// A number that means the socket in every process of the server.
    #[must_use]
    pub fn token(self) -> u64 {
        self.0.expose_provenance() as u64
    }

    /// Its name, as `proto:address:port`: the same in every run of the server that listens there.
    #[must_use]
    pub fn name(self) -> Vec<u8> {
        // SAFETY: the socket and its texts live as long as the server.
        unsafe { bytes(&(*self.0).sock_str) }.to_vec()
    }

    /// The socket with this [name](Self::name); `None` if the server does not listen there.
    #[must_use]
    pub fn named(name: &[u8]) -> Option<Self> {
        // SAFETY: the host has a text of its own for as long as it looks.
        let socket = lend([name], |[mut name]| unsafe { ks::lookup_local_socket(&mut name) });
        (!name.is_empty() && !socket.is_null()).then_some(Self(socket))
    }

    /// The socket a message came in through.
    #[must_use]
    pub fn of(message: SipMessage<'_>) -> Option<Self> {
        // SAFETY: the message is valid; its socket lives as long as the server.
        let socket = unsafe { ks::pb2b_recv_socket(message.as_raw()) };
        (!socket.is_null()).then_some(Self(socket))
    }

    /// The socket the host would send from to `next_hop`, a URI with this [destination](super::uri::destination); may look
    /// up names and so block. `None` when it finds none.
    #[must_use]
    pub fn towards(next_hop: &[u8], destination: Option<&[u8]>, forced: Option<Self>) -> Option<Self> {
        // Parameters can lead to another place.
        let destination = destination.filter(|_| !next_hop.contains(&b';'));
        LAST_WAY.with_borrow_mut(|last| match last {
            Some(way) if destination == Some(&way.to) && forced == way.forced => Some(way.socket),
            _ => {
                let socket = Self::find_towards(next_hop, forced)?;
                if let Some(to) = destination.filter(|to| is_settled(to)) {
                    *last = Some(SettledWay { to: to.to_vec(), forced, socket });
                }
                Some(socket)
            }
        })
    }

    fn find_towards(next_hop: &[u8], forced: Option<Self>) -> Option<Self> {
        let (mut socket, mut proto) = (null_mut(), 0);
        let forced = forced.map_or(null_mut(), |socket| socket.0);
        let found = lend([next_hop], |[lent]| {
            // SAFETY: the host has a text of its own, the outputs are ours, `forced` is null or a socket of the server.
            unsafe { ks::pb2b_resolve_socket(&lent, forced, &mut socket, &mut proto) }
        });
        (found >= 0 && !socket.is_null()).then_some(Self(socket))
    }

    /// Whether a request through it may have to wait for a connection to be made, or for whoever is to read from it.
    #[must_use]
    pub fn may_block(self) -> bool {
        // SAFETY: the socket lives as long as the server.
        unsafe { ks::pb2b_may_block(self.0) != 0 }
    }

    /// Whether what leaves through it is under TLS.
    #[must_use]
    pub fn speaks_tls(self) -> bool {
        // SAFETY: the socket lives as long as the server.
        let proto = unsafe { ks::pb2b_socket_proto(self.0) };
        transport_of(proto).is_some_and(Transport::is_tls)
    }

    /// The Contact header, a whole line, with the URI under which this socket can be reached: advertised address and port,
    /// of all sockets or of this one, where there are some (RFC 3261 §8.1.1.8). `secure` makes it a SIPS URI where the socket speaks TLS.
    #[must_use]
    pub fn contact_header(self, secure: bool) -> Option<Rc<[u8]>> {
        self.with_contact_header(secure, Rc::clone)
    }

    fn with_contact_header<R>(self, secure: bool, work: impl FnOnce(&Rc<[u8]>) -> R) -> Option<R> {
        CONTACTS.with_borrow_mut(|contacts| {
            let at = contacts.iter().position(|known| known.socket == self && known.is_secure == secure);
            if let Some(known) = at.and_then(|at| contacts.get(at)) {
                return Some(work(&known.header));
            }
            let uri = self.make_contact_uri(secure)?;
            let header: Rc<[u8]> = [CONTACT, &uri[..], CONTACT_END].concat().into();
            let result = work(&header);
            contacts.push(KnownContact { socket: self, is_secure: secure, header });
            Some(result)
        })
    }

    /// Whether this URI is the one that [`contact_header`](Self::contact_header) gives, in whichever letters.
    #[must_use]
    pub fn is_contact(self, uri: &[u8]) -> bool {
        let is_own = |header: &Rc<[u8]>| {
            let own = header.strip_prefix(CONTACT).and_then(|rest| rest.strip_suffix(CONTACT_END));
            own.is_some_and(|own| own.eq_ignore_ascii_case(uri))
        };
        self.with_contact_header(is_sips(uri), is_own).unwrap_or(false)
    }

    fn make_contact_uri(self, secure: bool) -> Option<Vec<u8>> {
        let (mut host, mut port) = (ks::str_::default(), ks::str_::default());
        // SAFETY: the socket lives as long as the server; the outputs then point at its texts.
        let (host, port, proto) = unsafe {
            if ks::pb2b_socket_signaling(self.0, &mut host, &mut port) < 0 {
                return None;
            }
            (bytes(&host), bytes(&port), ks::pb2b_socket_proto(self.0))
        };
        // A SIPS URI with transport=tls is deprecated (RFC 3261 §26.2.2); without one it means TLS.
        let (scheme, transport) = match transport_of(proto) {
            Some(Transport::Tls) if secure => ("sips:", None),
            Some(Transport::Wss) if secure => ("sips:", Some(Transport::Ws)),
            Some(Transport::Udp) | None => ("sip:", None),
            other => ("sip:", other),
        };
        let mut uri = scheme.as_bytes().to_vec();
        // The host writes IPv6 addresses without brackets, but keeps them in what is advertised.
        if host.contains(&b':') && !host.starts_with(b"[") {
            uri.extend([b"[", host, b"]"].concat());
        } else {
            uri.extend_from_slice(host);
        }
        if !port.is_empty() {
            uri.push(b':');
            uri.extend_from_slice(port);
        }
        if let Some(transport) = transport {
            uri.extend([";transport=", transport.name()].concat().as_bytes());
        }
        Some(uri)
    }

    /// A socket that the host names; `None` for null.
    pub(super) fn from_raw(socket: *mut ks::socket_info_t) -> Option<Self> {
        (!socket.is_null()).then_some(Self(socket))
    }

    /// The host's socket.
    #[must_use]
    pub fn as_raw(self) -> *mut ks::socket_info_t {
        self.0
    }
}

const CONTACT: &[u8] = b"Contact: <";
const CONTACT_END: &[u8] = b">\r\n";

thread_local! {
    /// The newest of the ways that [`ListenSocket::towards`] has found: mostly the next one too.
    static LAST_WAY: RefCell<Option<SettledWay>> = const { RefCell::new(None) };

    /// The results of [`ListenSocket::contact_header`]: sockets do not change, and there are few.
    static CONTACTS: RefCell<Vec<KnownContact>> = const { RefCell::new(Vec::new()) };
}

/// The Contact of a socket, as a SIPS URI where it can be one, or not.
struct KnownContact {
    socket: ListenSocket,
    is_secure: bool,
    header: Rc<[u8]>,
}

/// A way that stays the same as long as the server runs.
struct SettledWay {
    /// The destination.
    to: Vec<u8>,
    forced: Option<ListenSocket>,
    socket: ListenSocket,
}

/// Whether the way to a destination is settled: it is an address, over UDP, and the host chooses among its sockets without
/// asking the kernel for routes.
fn is_settled(destination: &[u8]) -> bool {
    let address = destination.strip_prefix(b"udp:").and_then(|address| std::str::from_utf8(address).ok());
    // SAFETY: reads a parameter of the host.
    address.is_some_and(|address| address.parse::<SocketAddrV4>().is_ok()) && unsafe { ks::pb2b_asks_for_routes() } == 0
}
