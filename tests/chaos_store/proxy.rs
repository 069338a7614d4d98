//! A proxy between the server and its database that can cut, delay or hold what goes through it.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use super::desk::random;
use super::support::address::own_ip;

/// A statement that changes rows of the module's table names it.
const TABLE: &[u8] = b"presence_b2b_subscriptions";

/// What happens to the answers of the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// They go through.
    Pass,
    /// They go through after this time.
    Delay(Duration),
    /// So many of ten statements about the table are not answered, but the connection ends: the database has done it, and the
    /// server does not know.
    Cut(u64),
}

struct Shared {
    fate: Mutex<Fate>,
    cuts: AtomicU32,
    ended: AtomicBool,
}

/// A proxy that runs until this is dropped.
pub struct Proxy {
    shared: Arc<Shared>,
    addr: SocketAddr,
}

impl Proxy {
    /// On an address of its own, in front of `database`, with its port.
    pub fn before(database: SocketAddr) -> Proxy {
        let listener = TcpListener::bind((own_ip(), database.port())).expect("an own TCP address");
        let addr = listener.local_addr().expect("its address");
        let shared =
            Arc::new(Shared { fate: Mutex::new(Fate::Pass), cuts: AtomicU32::new(0), ended: AtomicBool::new(false) });
        let own = Arc::clone(&shared);
        thread::spawn(move || {
            while let Ok((client, _)) = listener.accept() {
                if own.ended.load(Ordering::Relaxed) {
                    return;
                }
                if let Ok(server) = TcpStream::connect(database) {
                    own.join(client, server);
                }
            }
        });
        Proxy { shared, addr }
    }

    /// Its address.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// What happens from now on.
    pub fn set(&self, fate: Fate) {
        *self.shared.fate.lock().expect("no failure") = fate;
    }

    /// How many connections it has cut.
    pub fn cuts(&self) -> u32 {
        self.shared.cuts.load(Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
        drop(TcpStream::connect(self.addr));
    }
}

impl Shared {
    fn fate(&self) -> Fate {
        *self.fate.lock().expect("no failure")
    }

    fn join(self: &Arc<Shared>, client: TcpStream, server: TcpStream) {
        let _ = (client.set_nodelay(true), server.set_nodelay(true));
        let (Ok(back), Ok(answers)) = (client.try_clone(), server.try_clone()) else { return };
        // Set when the answer to come is not for the client.
        let doomed = Arc::new(AtomicBool::new(false));
        let (own, seen) = (Arc::clone(self), Arc::clone(&doomed));
        thread::spawn(move || {
            own.pump(&client, &server, |own, bytes| {
                let is_ours = bytes.windows(TABLE.len()).any(|part| part == TABLE);
                if let Fate::Cut(of_ten) = own.fate()
                    && is_ours
                    && random(10) < of_ten
                {
                    seen.store(true, Ordering::Release);
                }
                true
            });
        });
        let own = Arc::clone(self);
        thread::spawn(move || {
            own.pump(&answers, &back, |own, _| {
                if let Fate::Delay(pause) = own.fate() {
                    thread::sleep(pause);
                }
                let is_doomed = doomed.load(Ordering::Acquire);
                own.cuts.fetch_add(is_doomed.into(), Ordering::Relaxed);
                !is_doomed
            });
        });
    }

    /// Copies until an end closes, or `look` says that it is over; then both ends are closed.
    fn pump(&self, mut from: &TcpStream, mut to: &TcpStream, look: impl Fn(&Shared, &[u8]) -> bool) {
        let mut buffer = vec![0; 256 * 1024];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            if !look(self, &buffer[..count]) || to.write_all(&buffer[..count]).is_err() {
                break;
            }
        }
        let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
    }
}
