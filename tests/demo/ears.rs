//! Where the servers report to: one UDP socket for what the event route of the server with the module tells, and one for
//! the SIP messages between the two, copied by the presence server.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, unbounded};

use super::support::address::own_ip;
use super::traffic::Exchange;

/// A message is copied after it was sent, so what it caused may be told before. News wait for so long before they are
/// shown: then they are after the NOTIFY that brought them. The time they came at is the true one.
pub const LATER: Duration = Duration::from_millis(10);

/// What `event_route[qsa:notify]` told: one QSA message.
#[derive(Debug, Default)]
pub struct Told {
    /// The record's URI.
    pub record: String,
    /// `active`, `terminated`, …
    pub status: String,
    /// `open`, `closed`, or nothing known.
    pub basic: Option<String>,
    /// Why, where there is a why.
    pub reason: Option<String>,
    /// The words of the person.
    pub note: Option<String>,
}

/// Something came.
pub enum Event {
    /// The event route ran.
    Told(Told),
    /// A SIP message was sent or received.
    Sip(Exchange),
}

/// The two sockets, being read.
pub struct Ears {
    /// Where the event route sends.
    pub told: SocketAddr,
    /// Where siptrace sends.
    pub copies: SocketAddr,
    /// Where others put what they hear.
    pub sender: Sender<(Instant, Event)>,
    /// What came, and when.
    pub events: Receiver<(Instant, Event)>,
}

/// The event route: all that the demo believes comes out of it, field by field, a line each.
pub fn route(told: SocketAddr) -> String {
    let fields = "$qsa(record)\\n$qsa(status)\\n$qsa(basic)\\n$qsa(reason)\\n$qsa(note)";
    format!("event_route[qsa:notify] {{\n    send_data(\"sip:{told}\",\n        \"{fields}\");\n}}")
}

impl Ears {
    /// Listens; the other server is at `peer`, the one with the module at `b2b`.
    pub fn open(peer: Ipv4Addr, b2b: Ipv4Addr) -> io::Result<Ears> {
        let ip = own_ip();
        let (sender, events) = unbounded();
        let told = listen(ip, sender.clone(), LATER, |datagram| Told::read(datagram).map(Event::Told))?;
        let read = move |datagram: &[u8]| Exchange::read(datagram, peer, b2b).map(Event::Sip);
        let copies = listen(ip, sender.clone(), Duration::ZERO, read)?;
        Ok(Ears { told, copies, sender, events })
    }
}

fn listen(
    ip: Ipv4Addr,
    events: Sender<(Instant, Event)>,
    later: Duration,
    read: impl Fn(&[u8]) -> Option<Event> + Send + 'static,
) -> io::Result<SocketAddr> {
    let socket = UdpSocket::bind((ip, 0))?;
    let address = socket.local_addr()?;
    thread::spawn(move || {
        let mut buffer = vec![0; 65536];
        while let Ok(length) = socket.recv(&mut buffer) {
            let at = Instant::now();
            thread::sleep(later);
            if let Some(event) = buffer.get(..length).and_then(&read)
                && events.send((at, event)).is_err()
            {
                return;
            }
        }
    });
    Ok(address)
}

impl Told {
    fn read(datagram: &[u8]) -> Option<Told> {
        let text = std::str::from_utf8(datagram).ok()?;
        let mut fields = text.splitn(5, '\n');
        let mut next = || fields.next().map(str::to_owned);
        let known = |field: String| Some(field).filter(|field| field != "<null>" && !field.is_empty());
        Some(Told {
            record: next()?,
            status: next()?,
            basic: next().and_then(known),
            reason: next().and_then(known),
            note: next().and_then(known),
        })
    }
}
