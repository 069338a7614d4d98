//! The ledger at work: a notifier over UDP on an address of its own, one thread for thousands of subscriptions.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::mem::{size_of, zeroed};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::ledger::{Ledger, Manners};
use super::support::address::{SIP_PORT, own_ip};
use super::support::sip::Message;

/// How often the thread looks whether states have to change.
const TICK: Duration = Duration::from_millis(20);

struct Shared {
    socket: UdpSocket,
    ledger: Mutex<Ledger>,
    /// How many states change a second.
    changes: AtomicU32,
    /// The records whose states change.
    records: Mutex<Vec<String>>,
    ended: AtomicBool,
}

/// A notifier that runs until this is dropped.
pub struct Desk {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Desk {
    /// On an address of its own.
    pub fn open(manners: Manners) -> Desk {
        let socket = UdpSocket::bind((own_ip(), SIP_PORT)).expect("an own UDP address");
        let addr = socket.local_addr().expect("its address");
        for (option, value) in [(libc::SO_TIMESTAMPNS, 1), (libc::SO_RCVBUF, 8 << 20)] {
            let size = size_of::<i32>() as libc::socklen_t;
            // SAFETY: the socket is open; the value is read during the call.
            let set = unsafe {
                libc::setsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, option, (&raw const value).cast(), size)
            };
            assert_eq!(set, 0, "{}", io::Error::last_os_error());
        }
        socket.set_read_timeout(Some(TICK)).expect("a time");
        let shared = Arc::new(Shared {
            socket,
            ledger: Mutex::new(Ledger::new(addr, manners)),
            changes: AtomicU32::new(0),
            records: Mutex::default(),
            ended: AtomicBool::new(false),
        });
        let own = Arc::clone(&shared);
        Desk { shared, thread: Some(thread::spawn(move || own.run())) }
    }

    /// Its address.
    pub fn addr(&self) -> SocketAddr {
        self.shared.socket.local_addr().expect("its address")
    }

    /// A record that lives here.
    pub fn uri(&self, user: &str) -> String {
        format!("sip:{user}@{}", self.addr())
    }

    /// The ledger, for as long as the guard lives: the notifier does nothing in the meantime.
    pub fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.shared.lock()
    }

    /// So many states change a second, each that of a random record among these.
    pub fn change(&self, records: Vec<String>, a_second: u32) {
        *self.shared.records.lock().expect("no failure") = records;
        self.shared.changes.store(a_second, Ordering::Relaxed);
    }
}

impl Desk {
    /// All NOTIFYs that wait for their answers are sent again now: a server that lives for a second each time is away whenever it is their
    /// turn, and the notifier would give up.
    pub fn hurry(&self) {
        self.ledger().hurry(Instant::now());
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn run(&self) {
        let (clock, start) = (Clock::new(), Instant::now());
        let (mut buffer, mut changed) = (vec![0; 65536], 0.0);
        let mut looked = start;
        while !self.ended.load(Ordering::Relaxed) {
            let came = self.receive(&mut buffer, &clock);
            let mut ledger = self.lock();
            if let Some((count, from, at)) = came
                && let Ok(message) = Message::parse(&buffer[..count])
            {
                ledger.take(&message, from, at);
            }
            let now = Instant::now();
            ledger.tick(now);
            changed += f64::from(self.changes.load(Ordering::Relaxed)) * (now - looked).as_secs_f64();
            looked = now;
            while changed >= 1.0 {
                changed -= 1.0;
                if let Some(record) = self.any_record() {
                    ledger.change(&record, now);
                }
            }
            self.send(&mut ledger);
        }
    }

    fn send(&self, ledger: &mut Ledger) {
        for (bytes, to) in ledger.take_out() {
            // While the server is away there is nobody at its address.
            let _ = self.socket.send_to(&bytes, to);
        }
    }

    fn any_record(&self) -> Option<String> {
        let records = self.records.lock().expect("no failure");
        records.get(random(records.len().max(1) as u64) as usize).cloned()
    }

    /// A datagram, with the time at which the kernel took it: the thread itself may come late on a busy machine.
    fn receive(&self, buffer: &mut [u8], clock: &Clock) -> Option<(usize, SocketAddr, Instant)> {
        let mut part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
        let mut control = [0_u64; 16];
        // SAFETY: all-zero values are valid for these structures of numbers and null pointers.
        let (mut peer, mut head): (libc::sockaddr_in, libc::msghdr) = unsafe { (zeroed(), zeroed()) };
        head.msg_name = (&raw mut peer).cast();
        head.msg_namelen = size_of::<libc::sockaddr_in>() as libc::socklen_t;
        head.msg_iov = &raw mut part;
        head.msg_iovlen = 1;
        head.msg_control = control.as_mut_ptr().cast();
        head.msg_controllen = size_of_val(&control);
        // SAFETY: all that the structure points to outlives the call.
        let count = unsafe { libc::recvmsg(self.socket.as_raw_fd(), &raw mut head, 0) };
        let count = usize::try_from(count).ok()?;
        // SAFETY: the kernel has filled the control data, which holds one time at most, within its length.
        let at = unsafe {
            let first = libc::CMSG_FIRSTHDR(&raw const head);
            let is_time = !first.is_null() && (*first).cmsg_type == libc::SCM_TIMESTAMPNS;
            is_time.then(|| libc::CMSG_DATA(first).cast::<libc::timespec>().read_unaligned())
        };
        let from = SocketAddr::from((u32::from_be(peer.sin_addr.s_addr).to_be_bytes(), u16::from_be(peer.sin_port)));
        Some((count, from, at.map_or_else(Instant::now, |at| clock.instant(at))))
    }
}

/// Leads from the system's time to that of [`Instant`].
struct Clock {
    instant: Instant,
    since_epoch: Duration,
}

impl Clock {
    fn new() -> Clock {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Clock { instant: Instant::now(), since_epoch }
    }

    fn instant(&self, at: libc::timespec) -> Instant {
        let at = Duration::new(at.tv_sec as u64, at.tv_nsec as u32);
        (self.instant + at.saturating_sub(self.since_epoch)).min(Instant::now())
    }
}

/// A random number below that one.
pub fn random(below: u64) -> u64 {
    RandomState::new().hash_one(Instant::now()) % below
}

/// The records of these users, without repetition.
pub fn distinct(records: impl Iterator<Item = String>) -> Vec<String> {
    records.collect::<HashSet<_>>().into_iter().collect()
}
