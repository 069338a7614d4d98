//! The host's numbers of transports.

use super::bindings as ks;
use crate::grammar::Transport;

/// The transport of this number; `None` for one that no URI names.
pub(super) fn transport_of(proto: i32) -> Option<Transport> {
    match u32::try_from(proto).ok()? {
        ks::PROTO_UDP => Some(Transport::Udp),
        ks::PROTO_TCP => Some(Transport::Tcp),
        ks::PROTO_TLS => Some(Transport::Tls),
        ks::PROTO_SCTP => Some(Transport::Sctp),
        ks::PROTO_WS => Some(Transport::Ws),
        ks::PROTO_WSS => Some(Transport::Wss),
        _ => None,
    }
}
