//! Loopback addresses of one test only.
//!
//! A test process owns one network 127.N.0.0/16. Owning it means holding a bound socket in it, so two test runs on one
//! machine (or in one container) never share a network, and nothing is left behind when a run is killed.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU16, Ordering};

/// The port every server and endpoint uses; they differ by address.
pub const SIP_PORT: u16 = 5060;

/// Bound on the last address of a network by the process that owns it.
const OWNER_PORT: u16 = 5999;

struct Network {
    second: u8,
    next: AtomicU16,
    next_port: AtomicU16,
    _owned: UdpSocket,
}

static NETWORK: LazyLock<Network> = LazyLock::new(|| {
    // 127.0 and 127.1 are left to everybody else; the pid spreads the runs so that they rarely try the same one.
    let first = std::process::id() % 250;
    (0..250)
        .map(|n| ((first + n) % 250 + 2) as u8)
        .find_map(|second| {
            let socket = UdpSocket::bind((Ipv4Addr::new(127, second, 255, 254), OWNER_PORT)).ok()?;
            Some(Network { second, next: AtomicU16::new(1), next_port: AtomicU16::new(0), _owned: socket })
        })
        .expect("no loopback network 127.N.0.0/16 is free")
});

/// A loopback address that this process has not given away yet.
pub fn own_ip() -> Ipv4Addr {
    let number = NETWORK.next.fetch_add(1, Ordering::Relaxed);
    let [third, fourth] = [number / 250, number % 250 + 1];
    assert!(third < 255, "all loopback addresses of this run are used up");
    Ipv4Addr::new(127, NETWORK.second, third as u8, fourth as u8)
}

/// A port that this process has not given away yet, for addresses that are everybody's. Those of two networks never
/// meet, and all are below the ones the system gives away by itself.
pub fn own_port() -> u16 {
    const EACH: u16 = 80;
    let number = NETWORK.next_port.fetch_add(1, Ordering::Relaxed);
    assert!(number < EACH, "all ports of this run are used up");
    10_000 + u16::from(NETWORK.second) * EACH + number
}

/// A port of the IPv6 loopback address, of which there is only one.
pub fn own_ipv6() -> SocketAddr {
    SocketAddr::from((Ipv6Addr::LOCALHOST, own_port()))
}
