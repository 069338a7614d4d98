//! A SIP peer on an address of its own, over UDP or TCP, that says only what the test makes it say.
//!
//! A background thread reads everything into an inbox. Retransmissions (same method, branch and CSeq) are counted and
//! answered again with whatever the test answered the first time, so tests see each request once.

mod shared;

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::ops::Deref;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use self::shared::{Shared, key_of};
use super::address::{SIP_PORT, own_ip};
use super::sip::Message;

/// UDP or TCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Datagrams.
    Udp,
    /// Streams.
    Tcp,
}

impl Transport {
    /// As Via has it.
    pub fn upper(self) -> &'static str {
        match self {
            Transport::Udp => "UDP",
            Transport::Tcp => "TCP",
        }
    }

    /// The URI parameter for this transport.
    pub fn uri_param(self) -> &'static str {
        match self {
            Transport::Udp => "",
            Transport::Tcp => ";transport=tcp",
        }
    }
}

/// A message that came in, with the way it came. Reads like the [`Message`] itself.
#[derive(Clone, Debug)]
pub struct Received {
    /// The message.
    pub message: Message,
    /// The sender.
    pub from: SocketAddr,
    /// When it was read.
    pub at: Instant,
}

impl Deref for Received {
    type Target = Message;

    fn deref(&self) -> &Message {
        &self.message
    }
}

/// A SIP peer. Prints what it sent and received when the test fails.
pub struct Endpoint {
    shared: Arc<Shared>,
    /// The tag the endpoint answers with unless told another.
    pub tag: String,
}

static NUMBER: AtomicU64 = AtomicU64::new(1);

/// A token that this process has not used before, for tags, branches and Call-IDs.
pub fn fresh(prefix: &str) -> String {
    format!("{prefix}{:x}-{:x}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed))
}

impl Endpoint {
    /// A peer on an address of its own.
    pub fn new(transport: Transport) -> Endpoint {
        Endpoint::at(transport, own_ip())
    }

    /// A peer over UDP on an address of its own.
    pub fn udp() -> Endpoint {
        Endpoint::new(Transport::Udp)
    }

    /// A peer over TCP on an address of its own.
    pub fn tcp() -> Endpoint {
        Endpoint::new(Transport::Tcp)
    }

    /// A peer on `ip`: a second transport of another one, or an address that was refused until now.
    pub fn at(transport: Transport, ip: Ipv4Addr) -> Endpoint {
        Endpoint::bound(transport, (ip, SIP_PORT).into())
    }

    /// A peer on this very address, IPv4 or IPv6.
    pub fn bound(transport: Transport, addr: SocketAddr) -> Endpoint {
        let udp = (transport == Transport::Udp).then(|| UdpSocket::bind(addr).expect("an own UDP address"));
        let shared = Arc::new(Shared {
            addr,
            transport,
            udp,
            streams: Mutex::default(),
            inbox: Mutex::default(),
            arrived: Condvar::new(),
            closed: AtomicBool::new(false),
        });
        let reader = Arc::clone(&shared);
        match transport {
            Transport::Udp => thread::spawn(move || reader.read_datagrams()),
            Transport::Tcp => {
                let listener = TcpListener::bind(addr).expect("an own TCP address");
                thread::spawn(move || reader.accept(&listener))
            }
        };
        Endpoint { shared, tag: fresh("t") }
    }

    /// The endpoint's address.
    pub fn addr(&self) -> SocketAddr {
        self.shared.addr
    }

    /// The endpoint's transport.
    pub fn transport(&self) -> Transport {
        self.shared.transport
    }

    /// A URI that leads here: `sip:user@127.5.0.1:5060;transport=tcp`.
    pub fn uri(&self, user: &str) -> String {
        format!("sip:{user}@{}{}", self.addr(), self.transport().uri_param())
    }

    /// A request with a fresh branch; the rest of its headers are the test's.
    pub fn request(&self, method: &str, uri: &str) -> Message {
        let via = format!("SIP/2.0/{} {};branch={}", self.transport().upper(), self.addr(), fresh("z9hG4bK-"));
        Message::request(method, uri).with("Via", via).with("Max-Forwards", 70)
    }

    /// A request outside of any dialog, with all that such a request needs.
    pub fn fresh_request(&self, method: &str, uri: &str, from: &str, to: &str) -> Message {
        self.request(method, uri)
            .with("From", format!("<{from}>;tag={}", fresh("f")))
            .with("To", format!("<{to}>"))
            .with("Call-ID", fresh("call-"))
            .with("CSeq", format!("1 {method}"))
            .with("Contact", format!("<{}>", self.uri("test")))
    }

    /// Sends bytes as they are: over UDP, or over the connection with `to`, which is made when there is none.
    pub fn send_bytes(&self, bytes: &[u8], to: SocketAddr) {
        self.shared.send(bytes, to).unwrap_or_else(|error| panic!("cannot send to {to}: {error}"));
    }

    /// Sends a message.
    pub fn send(&self, message: &Message, to: SocketAddr) {
        self.send_bytes(&message.to_bytes(), to);
    }

    /// Sends a request and returns its final response; panics when none comes.
    pub fn exchange(&self, request: &Message, to: SocketAddr, within: Duration) -> Received {
        self.try_exchange(request, to, within)
            .unwrap_or_else(|| panic!("no final response within {within:?} to\n{request}"))
    }

    /// Sends a request and returns its final response, if one comes.
    pub fn try_exchange(&self, request: &Message, to: SocketAddr, within: Duration) -> Option<Received> {
        self.send(request, to);
        self.final_response(request, within)
    }

    /// The final response to a request sent before, if it comes.
    pub fn final_response(&self, request: &Message, within: Duration) -> Option<Received> {
        let branch = request.branch().to_owned();
        self.wait_for(within, |message| message.status() >= 200 && message.branch() == branch)
    }

    /// The next request of that method; panics with what came instead when none comes.
    pub fn expect_request(&self, method: &str, within: Duration) -> Received {
        self.try_request(method, within).unwrap_or_else(|| {
            let inbox = self.shared.lock();
            let others: Vec<String> = inbox.waiting.iter().map(|other| first_line(other)).collect();
            panic!("{}: no {method} within {within:?}; unread: {others:?}", self.addr())
        })
    }

    /// The next request of that method, if one comes.
    pub fn try_request(&self, method: &str, within: Duration) -> Option<Received> {
        self.wait_for(within, |message| message.method() == method)
    }

    /// Waits `during` and panics when a new request of that method comes.
    pub fn expect_none(&self, method: &str, during: Duration) {
        if let Some(surprise) = self.try_request(method, during) {
            panic!("{}: unexpected\n{}", self.addr(), surprise.message);
        }
    }

    /// The first unread message that `wanted` accepts, waiting for it if it must.
    pub fn wait_for(&self, within: Duration, wanted: impl Fn(&Message) -> bool) -> Option<Received> {
        let deadline = Instant::now() + within;
        let mut inbox = self.shared.lock();
        loop {
            if let Some(at) = inbox.waiting.iter().position(|received| wanted(received)) {
                return inbox.waiting.remove(at);
            }
            let left = deadline.checked_duration_since(Instant::now())?;
            inbox = self.shared.arrived.wait_timeout(inbox, left).unwrap_or_else(|poisoned| poisoned.into_inner()).0;
        }
    }

    /// How often this very request came, retransmissions included.
    pub fn copies(&self, request: &Message) -> usize {
        self.shared.lock().seen.get(&key_of(request)).copied().unwrap_or(0)
    }

    /// How many requests of that method came, without retransmissions, read or not.
    pub fn count(&self, method: &str) -> usize {
        self.shared.lock().seen.keys().filter(|(have, ..)| have == method).count()
    }

    /// A response to `request` with what it must copy, and the endpoint's tag in To if there is none.
    pub fn response_to(&self, request: &Message, status: u16, reason: &str) -> Message {
        let mut response = Message::response(status, reason);
        for name in ["Via", "Record-Route", "From"] {
            for value in request.headers(name) {
                response = response.with(name, value);
            }
        }
        let to = match request.param("To", "tag") {
            Some(_) => request.need("To").to_owned(),
            None => format!("{};tag={}", request.need("To"), self.tag),
        };
        response.with("To", to).with("Call-ID", request.need("Call-ID")).with("CSeq", request.need("CSeq"))
    }

    /// Sends a response on the way its request came; retransmissions of the request will get it too.
    pub fn answer(&self, request: &Received, response: &Message) {
        let bytes = response.to_bytes();
        self.shared.lock().answers.insert(key_of(request), bytes.clone());
        self.send_bytes(&bytes, request.from);
    }

    /// Answers with nothing but a status.
    pub fn reply(&self, request: &Received, status: u16, reason: &str) {
        self.answer(request, &self.response_to(request, status, reason));
    }

    /// Closes all TCP connections; what is sent next makes a new one.
    pub fn hang_up(&self) {
        for (_, stream) in self.shared.streams().drain() {
            let _ = stream.shutdown(std::net::Shutdown::Both);
        }
    }

    /// Hears nothing any more over the TCP connections that are open, and does not even acknowledge, as if it were unplugged;
    /// what is sent next makes a new one.
    pub fn unplug(&self) {
        // BPF_RET | BPF_K, 0: no byte of any packet.
        let mut nothing = libc::sock_filter { code: 0x06, jt: 0, jf: 0, k: 0 };
        let filter = libc::sock_fprog { len: 1, filter: &raw mut nothing };
        for (_, stream) in self.shared.streams().drain() {
            let size = size_of_val(&filter) as libc::socklen_t;
            let (socket, option) = (stream.as_raw_fd(), libc::SO_ATTACH_FILTER);
            // SAFETY: the socket is open, the filter is valid and copied.
            let set = unsafe { libc::setsockopt(socket, libc::SOL_SOCKET, option, (&raw const filter).cast(), size) };
            assert_eq!(set, 0, "{}", io::Error::last_os_error());
        }
    }

    /// How many TCP connections are open.
    pub fn connections(&self) -> usize {
        self.shared.streams().len()
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::Release);
        self.hang_up();
        // One last byte to itself wakes the reader, which then sees that it is over.
        match &self.shared.udp {
            Some(udp) => drop(udp.send_to(b"\r\n", self.addr())),
            None => drop(TcpStream::connect(self.addr())),
        }
        if thread::panicking() {
            eprintln!("--- endpoint {}:\n{}---", self.addr(), self.shared.lock().trace.join("\n"));
        }
    }
}

fn first_line(message: &Message) -> String {
    message.to_string().lines().next().unwrap_or_default().to_owned()
}
