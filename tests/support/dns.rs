//! A name server that answers what the test says, and a Kamailio that asks it and no other.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::Duration;

use super::address::own_ip;
use super::compiled::shared_object;
use super::config::Builder;

/// Any will do: the address is the test's own.
const PORT: u16 = 5300;

/// What a name has (RFC 1035 §3.2.1, RFC 2782).
#[derive(Clone, Debug)]
pub enum Record {
    /// An IPv4 address.
    A(Ipv4Addr),
    /// A server: priority, weight, port, name.
    Srv(u16, u16, u16, String),
}

impl Record {
    fn kind(&self) -> u16 {
        match self {
            Record::A(_) => 1,
            Record::Srv(..) => 33,
        }
    }

    fn data(&self) -> Vec<u8> {
        match self {
            Record::A(ip) => ip.octets().to_vec(),
            Record::Srv(priority, weight, port, target) => {
                let numbers = [priority, weight, port].into_iter().flat_map(|number| number.to_be_bytes());
                numbers.chain(labels(target)).collect()
            }
        }
    }
}

type Zone = HashMap<String, Vec<Record>>;

/// How long a name takes to be answered that ends in `.drip`: within the resolver's patience, but not twice.
const DRIP: Duration = Duration::from_millis(1500);

/// A name server. Names it does not know do not exist; of those it knows it has nothing but what it was given. Those that end
/// in `.silent` are never answered.
pub struct NameServer {
    addr: SocketAddr,
    asked: Arc<Mutex<Vec<(String, u16)>>>,
    closed: Arc<AtomicBool>,
    silent: Arc<AtomicBool>,
}

impl NameServer {
    /// Answers from now on.
    pub fn start(records: &[(&str, Record)]) -> NameServer {
        NameServer::start_with_ttl(records, 3600)
    }

    /// The same; what it says is good for so many seconds.
    pub fn start_with_ttl(records: &[(&str, Record)], ttl: u32) -> NameServer {
        let mut zone = Zone::new();
        for (name, record) in records {
            zone.entry(name.to_ascii_lowercase()).or_default().push(record.clone());
        }
        let socket = UdpSocket::bind((own_ip(), PORT)).expect("an own address");
        let addr = socket.local_addr().expect("it is bound");
        let (asked, closed) = (Arc::<Mutex<Vec<_>>>::default(), Arc::new(AtomicBool::new(false)));
        let silent = Arc::new(AtomicBool::new(false));
        let (log, end, mute) = (Arc::clone(&asked), Arc::clone(&closed), Arc::clone(&silent));
        thread::spawn(move || {
            let mut buffer = [0; 1500];
            while let Ok((count, peer)) = socket.recv_from(&mut buffer) {
                if end.load(Ordering::Acquire) {
                    return;
                }
                let Some((answer, question)) = answer(&buffer[..count], &zone, ttl) else { continue };
                let (is_silent, drips) = (question.0.ends_with(".silent"), question.0.ends_with(".drip"));
                log.lock().expect("no panic while locked").push(question);
                if is_silent || mute.load(Ordering::Acquire) {
                    continue;
                }
                let socket = socket.try_clone().expect("a second handle");
                let send = move || _ = socket.send_to(&answer, peer);
                if !drips {
                    send();
                    continue;
                }
                thread::spawn(move || {
                    thread::sleep(DRIP);
                    send();
                });
            }
        });
        NameServer { addr, asked, closed, silent }
    }

    /// Answers nothing any more.
    pub fn fall_silent(&self) {
        self.silent.store(true, Ordering::Release);
    }

    /// The names and types it was asked for, in order.
    pub fn asked(&self) -> Vec<(String, u16)> {
        self.asked.lock().expect("no panic while locked").clone()
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.closed.store(true, Ordering::Release);
        // One last datagram wakes the thread, which then sees that it is over.
        if let Ok(socket) = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)) {
            let _ = socket.send_to(&[], self.addr);
        }
    }
}

impl Builder {
    /// The server asks this name server only. Needs neither root nor port 53: a module sets the resolver's state.
    pub fn name_server(self, names: &NameServer) -> Builder {
        let module = resolver().display().to_string();
        let builder = self.module(&module).modparam("resolver", "address", names.addr.ip().to_string());
        builder.modparam("resolver", "port", i64::from(names.addr.port()))
    }
}

/// Builds the module, once.
fn resolver() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| shared_object("resolver.so", "resolver/resolver.c", &["-lresolv"]))
}

/// The answer to a query of one question, and the question.
fn answer(query: &[u8], zone: &Zone, ttl: u32) -> Option<(Vec<u8>, (String, u16))> {
    let (name, length) = name_at(query.get(12..)?)?;
    let end = 12 + length + 4;
    let kind = u16::from_be_bytes(query.get(end - 4..end - 2)?.try_into().ok()?);
    let known = zone.get(&name.to_ascii_lowercase());
    let found: Vec<&Record> = known.into_iter().flatten().filter(|record| record.kind() == kind).collect();
    let code = if known.is_some() { 0 } else { 3 };
    // An authoritative answer, recursion available.
    let mut answer = [&query[..2], &[0x85, 0x80 | code, 0, 1]].concat();
    answer.extend(u16::try_from(found.len()).ok()?.to_be_bytes());
    answer.extend([0; 4]);
    answer.extend(&query[12..end]);
    for record in found {
        let data = record.data();
        // The name is that of the question.
        answer.extend([0xc0, 12]);
        answer.extend(kind.to_be_bytes());
        answer.extend([0, 1]);
        answer.extend(ttl.to_be_bytes());
        answer.extend(u16::try_from(data.len()).ok()?.to_be_bytes());
        answer.extend(data);
    }
    Some((answer, (name, kind)))
}

/// A name as text, and how many bytes it takes.
fn name_at(bytes: &[u8]) -> Option<(String, usize)> {
    let (mut labels, mut at) = (Vec::new(), 0);
    loop {
        let length = usize::from(*bytes.get(at)?);
        at += 1;
        if length == 0 {
            return Some((labels.join("."), at));
        }
        labels.push(String::from_utf8_lossy(bytes.get(at..at + length)?).into_owned());
        at += length;
    }
}

fn labels(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in name.split('.') {
        bytes.push(u8::try_from(label.len()).expect("a short label"));
        bytes.extend(label.bytes());
    }
    bytes.push(0);
    bytes
}
