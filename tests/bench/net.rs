//! Datagrams by the batch: one system call for many, so that the load costs less than what it is to measure.

use std::io;
use std::mem;
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::os::fd::AsRawFd;
use std::time::Duration;

/// Datagrams in a batch.
pub const BATCH: usize = 64;
/// Room for one datagram.
const ROOM: usize = 4096;
/// Bytes that the socket may hold: thousands of NOTIFYs.
const SOCKET_BUFFER: libc::c_int = 4 << 20;

/// Some datagrams with their peers.
pub struct Batch {
    data: Vec<u8>,
    lengths: [usize; BATCH],
    peers: [libc::sockaddr_in; BATCH],
    count: usize,
}

impl Default for Batch {
    fn default() -> Batch {
        // SAFETY: a sockaddr_in is plain numbers, for which zero is valid.
        let nobody: libc::sockaddr_in = unsafe { mem::zeroed() };
        Batch { data: vec![0; BATCH * ROOM], lengths: [0; BATCH], peers: [nobody; BATCH], count: 0 }
    }
}

impl Batch {
    /// The datagrams and where they came from.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], SocketAddrV4)> {
        (0..self.count).map(|at| (&self.data[at * ROOM..at * ROOM + self.lengths[at]], address(&self.peers[at])))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether no further datagram can be pushed.
    pub fn is_full(&self) -> bool {
        self.count == BATCH
    }

    /// One more datagram.
    pub fn push(&mut self, peer: SocketAddrV4, parts: &[&[u8]]) {
        assert!(!self.is_full(), "a batch takes {BATCH} datagrams");
        let room = &mut self.data[self.count * ROOM..(self.count + 1) * ROOM];
        let mut length = 0;
        for part in parts {
            room[length..length + part.len()].copy_from_slice(part);
            length += part.len();
        }
        self.lengths[self.count] = length;
        self.peers[self.count] = libc::sockaddr_in {
            sin_family: libc::AF_INET as libc::sa_family_t,
            sin_port: peer.port().to_be(),
            sin_addr: libc::in_addr { s_addr: u32::from(*peer.ip()).to_be() },
            sin_zero: [0; 8],
        };
        self.count += 1;
    }

    /// Sends all there is and is empty then.
    pub fn send(&mut self, socket: &UdpSocket) -> io::Result<()> {
        let mut sent = 0;
        while sent < self.count {
            let count = self.with_headers(sent, |headers, count| {
                // SAFETY: `count` headers, whose pointers are valid during the call.
                unsafe { libc::sendmmsg(socket.as_raw_fd(), headers, count, 0) }
            });
            match usize::try_from(count) {
                Ok(count) => sent += count,
                // A peer that has gone is told of by the next call; what counts is what comes back.
                Err(_) if io::Error::last_os_error().kind() == io::ErrorKind::ConnectionRefused => {}
                Err(_) if io::Error::last_os_error().kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Err(io::Error::last_os_error()),
            }
        }
        self.count = 0;
        Ok(())
    }

    /// Takes what waits in the socket, without waiting itself.
    pub fn receive(&mut self, socket: &UdpSocket) -> io::Result<usize> {
        self.lengths = [ROOM; BATCH];
        self.count = BATCH;
        let mut lengths = [0; BATCH];
        let count = self.with_headers(0, |headers, count| {
            // SAFETY: `count` headers, whose pointers are valid during the call; no timeout.
            let received =
                unsafe { libc::recvmmsg(socket.as_raw_fd(), headers, count, libc::MSG_DONTWAIT, std::ptr::null_mut()) };
            for (at, length) in lengths.iter_mut().enumerate().take(received.max(0) as usize) {
                // SAFETY: the first `received` headers have been filled in.
                *length = unsafe { (*headers.add(at)).msg_len as usize };
            }
            received
        });
        self.lengths = lengths;
        self.count = usize::try_from(count).unwrap_or(0);
        match io::Error::last_os_error() {
            _ if count >= 0 => Ok(self.count),
            error => match error.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted | io::ErrorKind::ConnectionRefused => Ok(0),
                _ => Err(error),
            },
        }
    }

    /// Calls with the headers of the datagrams from `first` on.
    fn with_headers(&mut self, first: usize, call: impl FnOnce(*mut libc::mmsghdr, u32) -> libc::c_int) -> libc::c_int {
        // SAFETY: both are plain numbers and pointers, for which zero is valid.
        let (mut headers, mut parts): ([libc::mmsghdr; BATCH], [libc::iovec; BATCH]) = unsafe { mem::zeroed() };
        for at in first..self.count {
            let room = &mut self.data[at * ROOM..(at + 1) * ROOM];
            parts[at] = libc::iovec { iov_base: room.as_mut_ptr().cast(), iov_len: self.lengths[at] };
            let header = &mut headers[at].msg_hdr;
            header.msg_name = (&raw mut self.peers[at]).cast();
            header.msg_namelen = mem::size_of::<libc::sockaddr_in>() as libc::socklen_t;
            header.msg_iov = &raw mut parts[at];
            header.msg_iovlen = 1;
        }
        call(headers[first..].as_mut_ptr(), (self.count - first) as u32)
    }
}

fn address(peer: &libc::sockaddr_in) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::from(u32::from_be(peer.sin_addr.s_addr)), u16::from_be(peer.sin_port))
}

/// A UDP socket with room for bursts.
pub fn socket(addr: SocketAddrV4) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind(addr)?;
    for option in [libc::SO_RCVBUF, libc::SO_SNDBUF] {
        let (size, length) = (SOCKET_BUFFER, mem::size_of::<libc::c_int>() as libc::socklen_t);
        // SAFETY: the option's value is a valid int of the length that is given.
        unsafe { libc::setsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, option, (&raw const size).cast(), length) };
    }
    Ok(socket)
}

/// Waits until something can be read, for `within` at most.
pub fn wait_for(socket: &UdpSocket, within: Duration) {
    let mut ready = libc::pollfd { fd: socket.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: one valid pollfd, which outlives the call.
    unsafe { libc::poll(&mut ready, 1, within.as_millis() as i32) };
}
