//! HEP version 3, which Kamailio's siptrace wraps each copied message in: sender, receiver, and its bytes.

use std::net::{Ipv4Addr, SocketAddr};

/// A copied message.
pub struct Packet<'a> {
    /// The sender.
    pub from: SocketAddr,
    /// The receiver.
    pub to: SocketAddr,
    /// The message as it was on the wire.
    pub payload: &'a [u8],
}

const SOURCE_IP: u16 = 3;
const TARGET_IP: u16 = 4;
const SOURCE_PORT: u16 = 7;
const TARGET_PORT: u16 = 8;
const PAYLOAD: u16 = 15;

/// Takes a datagram apart; `None` if it is not HEP 3 over IPv4, which is all there is on loopback.
pub fn open(datagram: &[u8]) -> Option<Packet<'_>> {
    let mut rest = datagram.strip_prefix(b"HEP3")?.get(2..)?;
    let (mut ips, mut ports, mut payload) = ([None; 2], [None; 2], None);
    while let [_, _, kind_high, kind_low, high, low, ..] = *rest {
        let value = rest.get(6..usize::from(u16::from_be_bytes([high, low])))?;
        rest = &rest[6 + value.len()..];
        match u16::from_be_bytes([kind_high, kind_low]) {
            SOURCE_IP => ips[0] = ip(value),
            TARGET_IP => ips[1] = ip(value),
            SOURCE_PORT => ports[0] = port(value),
            TARGET_PORT => ports[1] = port(value),
            PAYLOAD => payload = Some(value),
            _ => {}
        }
    }
    Some(Packet { from: (ips[0]?, ports[0]?).into(), to: (ips[1]?, ports[1]?).into(), payload: payload? })
}

fn ip(value: &[u8]) -> Option<Ipv4Addr> {
    <[u8; 4]>::try_from(value).ok().map(Ipv4Addr::from)
}

fn port(value: &[u8]) -> Option<u16> {
    value.try_into().ok().map(u16::from_be_bytes)
}
