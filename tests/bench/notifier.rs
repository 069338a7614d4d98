//! A notifier for a million dialogs: answers each SUBSCRIBE with 200 and, if it is told to, a NOTIFY.

use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;
use std::{io, thread};

use crate::dialogs::Dialogs;
use crate::message::{header, parameter, record_number, status};
use crate::net::{self, Batch};
use crate::support::address::{SIP_PORT, own_ip};
use crate::writer::{Document, Writer};

/// How many seconds a subscription is granted at most.
const GRANT: u32 = 3600;

/// The behaviour of the notifier; it can be changed while it runs.
#[derive(Clone, Copy)]
pub struct Manners {
    /// Whether it sends a NOTIFY after the 200 to the first SUBSCRIBE of a dialog.
    pub notify_first: bool,
    /// Whether it does so after later ones.
    pub notify_later: bool,
}

/// The counts so far.
#[derive(Default)]
pub struct Counts {
    /// SUBSCRIBEs that opened a dialog.
    pub first: AtomicU64,
    /// SUBSCRIBEs in a dialog.
    pub later: AtomicU64,
    /// 2xx to NOTIFYs that this notifier sent by itself.
    pub accepted: AtomicU64,
    /// Other final replies to them.
    pub refused: AtomicU64,
}

/// The values that the notifier and the senders of NOTIFYs in its dialogs share.
pub struct Desk {
    /// Its address.
    pub addr: SocketAddrV4,
    /// Its counts.
    pub counts: Counts,
    dialogs: Mutex<Dialogs>,
    manners: Mutex<Manners>,
    document: Document,
}

impl Desk {
    /// The dialogs, for as long as the guard lives.
    pub fn dialogs(&self) -> MutexGuard<'_, Dialogs> {
        self.dialogs.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Changes what the notifier does.
    pub fn behave(&self, manners: Manners) {
        *self.manners.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = manners;
    }

    fn manners(&self) -> Manners {
        *self.manners.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Writes NOTIFYs that come from `via`.
    pub fn writer(&self, via: SocketAddrV4) -> Writer {
        Writer::new(via, self.addr, &self.document)
    }
}

/// The notifier itself: one step at a time, or as a thread of its own ([`Notifier::spawn`]).
pub struct Notifier {
    desk: Arc<Desk>,
    socket: UdpSocket,
    writer: Writer,
    inbox: Batch,
    outbox: Batch,
    sent: u64,
}

impl Notifier {
    /// On an address of its own, for `count` records whose Call-ID and tag take `room` bytes together.
    pub fn new(count: usize, room: usize, document: Document) -> io::Result<Notifier> {
        let ip: Ipv4Addr = own_ip();
        let addr = SocketAddrV4::new(ip, SIP_PORT);
        let manners = Manners { notify_first: true, notify_later: true };
        let desk = Arc::new(Desk {
            addr,
            counts: Counts::default(),
            dialogs: Mutex::new(Dialogs::new(count, room)),
            manners: Mutex::new(manners),
            document,
        });
        let writer = desk.writer(addr);
        Ok(Notifier {
            socket: net::socket(addr)?,
            writer,
            desk,
            inbox: Batch::default(),
            outbox: Batch::default(),
            sent: 0,
        })
    }

    /// Its shared values.
    pub fn desk(&self) -> &Arc<Desk> {
        &self.desk
    }

    /// Its socket, for the code that drives it.
    pub fn socket(&self) -> &UdpSocket {
        &self.socket
    }

    /// Takes what waits, and answers it. How many datagrams it was.
    pub fn step(&mut self) -> io::Result<usize> {
        let count = self.inbox.receive(&self.socket)?;
        let manners = self.desk.manners();
        let desk = Arc::clone(&self.desk);
        let mut dialogs = desk.dialogs();
        for (message, peer) in self.inbox.iter() {
            let counts = &desk.counts;
            match status(message) {
                Some(100..=199) => {}
                Some(200..=299) => {
                    counts.accepted.fetch_add(1, Ordering::Relaxed);
                }
                Some(_) => {
                    counts.refused.fetch_add(1, Ordering::Relaxed);
                }
                None if message.starts_with(b"SUBSCRIBE ") => {
                    let Some(asked) = Asked::read(message) else { continue };
                    let counter = if asked.opens { &counts.first } else { &counts.later };
                    counter.fetch_add(1, Ordering::Relaxed);
                    dialogs.learn(asked.number, asked.call_id, asked.tag);
                    let [answer, tail] = asked.answer(self.desk.addr);
                    self.outbox.push(peer, &[answer.as_bytes(), tail.as_bytes()]);
                    let notify = if asked.opens { manners.notify_first } else { manners.notify_later };
                    if self.outbox.is_full() {
                        self.outbox.send(&self.socket)?;
                    }
                    if notify {
                        self.sent += 1;
                        self.writer.push(&mut self.outbox, &mut dialogs, peer, asked.number, self.sent);
                    }
                    if self.outbox.is_full() {
                        self.outbox.send(&self.socket)?;
                    }
                }
                None => {}
            }
        }
        drop(dialogs);
        self.outbox.send(&self.socket)?;
        Ok(count)
    }

    /// Lets it run by itself.
    pub fn spawn(mut self) -> Running {
        let (desk, ended) = (Arc::clone(&self.desk), Arc::new(AtomicBool::new(false)));
        let end = Arc::clone(&ended);
        let run = move || {
            while !end.load(Ordering::Relaxed) {
                match self.step() {
                    Ok(0) => net::wait_for(&self.socket, Duration::from_millis(50)),
                    Ok(_) => {}
                    Err(error) => return eprintln!("the notifier has ended: {error}"),
                }
            }
        };
        Running { desk, ended, thread: Some(thread::spawn(run)) }
    }
}

/// A notifier that runs by itself until this is dropped.
pub struct Running {
    /// Its shared values.
    pub desk: Arc<Desk>,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What matters of a SUBSCRIBE.
struct Asked<'a> {
    number: usize,
    call_id: &'a [u8],
    tag: &'a [u8],
    opens: bool,
    copied: [&'a [u8]; 4],
    expires: u32,
}

impl<'a> Asked<'a> {
    fn read(message: &'a [u8]) -> Option<Asked<'a>> {
        let [via, from, to] = [header(message, "Via")?, header(message, "From")?, header(message, "To")?];
        let [call_id, cseq] = [header(message, "Call-ID")?, header(message, "CSeq")?];
        let expires = header(message, "Expires").and_then(|value| std::str::from_utf8(value).ok()?.parse().ok());
        Some(Asked {
            number: record_number(message)?,
            call_id,
            tag: parameter(from, ";tag=")?,
            opens: parameter(to, ";tag=").is_none(),
            copied: [via, from, to, cseq],
            expires: expires.unwrap_or(GRANT),
        })
    }

    fn answer(&self, me: SocketAddrV4) -> [String; 2] {
        let [via, from, to, cseq] = self.copied.map(String::from_utf8_lossy);
        let number = self.number;
        let tag = if self.opens { format!(";tag=n{number}") } else { String::new() };
        [
            format!("SIP/2.0 200 OK\r\nVia: {via}\r\nFrom: {from}\r\nTo: {to}{tag}\r\n"),
            format!(
                "Call-ID: {}\r\nCSeq: {cseq}\r\nContact: <sip:r{number}@{me}>\r\nExpires: {}\r\nContent-Length: 0\r\n\r\n",
                String::from_utf8_lossy(self.call_id),
                self.expires.min(GRANT)
            ),
        ]
    }
}
