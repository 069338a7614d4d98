//! The values that an endpoint's threads share: its sockets, and the inbox that they fill.

use std::collections::{HashMap, VecDeque};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::Instant;

use socket2::{Domain, Socket, Type};

use super::super::sip::Message;
use super::{Received, Transport};

/// The key of a request: method, branch, CSeq.
pub(super) type Key = (String, String, u32);

pub(super) fn key_of(message: &Message) -> Key {
    let (number, method) = message.cseq();
    (method.to_owned(), message.branch().to_owned(), number)
}

#[derive(Default)]
pub(super) struct Inbox {
    pub(super) waiting: VecDeque<Received>,
    /// How often each request came.
    pub(super) seen: HashMap<Key, usize>,
    /// The last answer to it.
    pub(super) answers: HashMap<Key, Vec<u8>>,
    pub(super) trace: Vec<String>,
}

pub(super) struct Shared {
    pub(super) addr: SocketAddr,
    pub(super) transport: Transport,
    pub(super) udp: Option<UdpSocket>,
    pub(super) streams: Mutex<HashMap<SocketAddr, Arc<TcpStream>>>,
    pub(super) inbox: Mutex<Inbox>,
    pub(super) arrived: Condvar,
    pub(super) closed: AtomicBool,
}

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    pub(super) fn streams(&self) -> MutexGuard<'_, HashMap<SocketAddr, Arc<TcpStream>>> {
        self.streams.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    pub(super) fn send(self: &Arc<Shared>, bytes: &[u8], to: SocketAddr) -> io::Result<()> {
        self.note("sent to", to, bytes);
        match &self.udp {
            Some(udp) => udp.send_to(bytes, to).map(drop),
            None => (&*self.stream_to(to)?).write_all(bytes),
        }
    }

    fn stream_to(self: &Arc<Shared>, to: SocketAddr) -> io::Result<Arc<TcpStream>> {
        if let Some(stream) = self.streams().get(&to) {
            return Ok(Arc::clone(stream));
        }
        // Bound first: on loopback every unbound socket would come from 127.0.0.1.
        let socket = Socket::new(Domain::for_address(to), Type::STREAM, None)?;
        socket.bind(&SocketAddr::new(self.addr.ip(), 0).into())?;
        socket.connect(&to.into())?;
        Ok(self.adopt(socket.into(), to))
    }

    fn adopt(self: &Arc<Shared>, stream: TcpStream, peer: SocketAddr) -> Arc<TcpStream> {
        let stream = Arc::new(stream);
        self.streams().insert(peer, Arc::clone(&stream));
        let (reader, source) = (Arc::clone(self), Arc::clone(&stream));
        thread::spawn(move || reader.read_stream(&source, peer));
        stream
    }

    pub(super) fn accept(self: Arc<Shared>, listener: &TcpListener) {
        while let Ok((stream, peer)) = listener.accept() {
            if self.is_closed() {
                return;
            }
            self.adopt(stream, peer);
        }
    }

    fn read_stream(self: Arc<Shared>, mut stream: &TcpStream, peer: SocketAddr) {
        let mut buffer = Vec::new();
        let mut chunk = [0; 16 * 1024];
        while let Ok(count @ 1..) = stream.read(&mut chunk) {
            buffer.extend_from_slice(&chunk[..count]);
            loop {
                match Message::take(&mut buffer) {
                    Ok(Some(message)) => self.deliver(message, peer),
                    Ok(None) => break,
                    Err(error) => return self.note(&format!("unreadable ({error}) from"), peer, &buffer),
                }
            }
        }
        let mut streams = self.streams();
        if streams.get(&peer).is_some_and(|have| std::ptr::eq(&**have, stream)) {
            streams.remove(&peer);
        }
    }

    pub(super) fn read_datagrams(self: Arc<Shared>) {
        let udp = self.udp.as_ref().expect("a UDP endpoint");
        let mut buffer = vec![0; 65536];
        while !self.is_closed() {
            let Ok((count, peer)) = udp.recv_from(&mut buffer) else { continue };
            let datagram = &buffer[..count];
            if datagram.iter().all(|byte| byte.is_ascii_whitespace() || *byte == 0) {
                continue;
            }
            match Message::parse(datagram) {
                Ok(message) => self.deliver(message, peer),
                Err(error) => self.note(&format!("unreadable ({error}) from"), peer, datagram),
            }
        }
    }

    fn deliver(self: &Arc<Shared>, message: Message, from: SocketAddr) {
        self.note("received from", from, &message.to_bytes());
        let mut inbox = self.lock();
        if message.status() == 0 {
            let key = key_of(&message);
            let copies = inbox.seen.entry(key.clone()).or_default();
            *copies += 1;
            if *copies > 1 {
                let answer = inbox.answers.get(&key).cloned();
                drop(inbox);
                if let Some(answer) = answer {
                    let _ = self.send(&answer, from);
                }
                return;
            }
        }
        inbox.waiting.push_back(Received { message, from, at: Instant::now() });
        drop(inbox);
        self.arrived.notify_all();
    }

    fn note(&self, what: &str, peer: SocketAddr, bytes: &[u8]) {
        let text = String::from_utf8_lossy(&bytes[..bytes.len().min(2000)]).replace("\r\n", "\n");
        let mut inbox = self.lock();
        if inbox.trace.len() < 200 {
            inbox.trace.push(format!("{what} {peer}:\n{text}"));
        }
    }
}
