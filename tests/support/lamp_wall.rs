//! Many lamps at one socket, each a subscription to the calls of a user at a presence server.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::endpoint::{Endpoint, Received};
use super::kamailio::Server;
use super::phone::lamp_in;
use super::wait::SOON;

/// What a lamp shows.
#[derive(Clone, Copy, Debug)]
pub struct Shown {
    /// CSeq of the NOTIFY that it is from.
    cseq: u32,
    /// As [`lamp_in`] says.
    pub state: &'static str,
    /// When that NOTIFY came.
    pub at: Instant,
}

/// By user; none before the first NOTIFY.
type Lamps = BTreeMap<String, Option<Shown>>;

#[derive(Default)]
struct Shared {
    lamps: Mutex<Lamps>,
    changed: Condvar,
    ended: AtomicBool,
}

/// The lamps. A thread answers their NOTIFYs.
pub struct LampWall {
    endpoint: Arc<Endpoint>,
    shared: Arc<Shared>,
    reader: Option<JoinHandle<()>>,
}

impl Default for LampWall {
    fn default() -> LampWall {
        let (endpoint, shared) = (Arc::new(Endpoint::udp()), Arc::new(Shared::default()));
        let (ears, told) = (Arc::clone(&endpoint), Arc::clone(&shared));
        let reader = thread::spawn(move || {
            while !told.ended.load(Ordering::Relaxed) {
                if let Some(notify) = ears.try_request("NOTIFY", Duration::from_millis(50)) {
                    take(&mut told.lock(), &notify);
                    told.changed.notify_all();
                    ears.reply(&notify, 200, "OK");
                }
            }
        });
        LampWall { endpoint, shared, reader: Some(reader) }
    }
}

impl LampWall {
    /// Subscribes to the calls of a user.
    pub fn watch(&self, server: &Server, user: &str) {
        self.shared.lock().insert(user.to_owned(), None);
        let (record, from) = (server.uri(user), self.endpoint.uri("lamp"));
        let subscribe = self.endpoint.fresh_request("SUBSCRIBE", &record, &from, &record);
        let subscribe = subscribe.with("Event", "dialog").with("Expires", 3600);
        let answer = self.endpoint.exchange(&subscribe, server.addr(), SOON);
        assert!(answer.status() / 100 == 2, "{}", answer.message);
    }

    /// What each lamp shows; nothing before its first NOTIFY.
    pub fn shown(&self) -> Vec<(String, Option<&'static str>)> {
        self.shared.lock().iter().map(|(user, shown)| (user.clone(), shown.map(|shown| shown.state))).collect()
    }

    /// Waits until the lamp of a user shows that; when the NOTIFY came, if it comes.
    pub fn await_state(&self, user: &str, state: &str, within: Duration) -> Option<Instant> {
        let deadline = Instant::now() + within;
        let mut lamps = self.shared.lock();
        loop {
            if let Some(shown) = lamps.get(user).copied().flatten().filter(|shown| shown.state == state) {
                return Some(shown.at);
            }
            let left = deadline.checked_duration_since(Instant::now())?;
            let waited = self.shared.changed.wait_timeout(lamps, left);
            lamps = waited.unwrap_or_else(|poisoned| poisoned.into_inner()).0;
        }
    }
}

impl Drop for LampWall {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Lamps> {
        self.lamps.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// A NOTIFY comes from the record.
fn take(lamps: &mut Lamps, notify: &Received) {
    let user = notify.uri_in("From").and_then(|uri| uri.strip_prefix("sip:")).and_then(|rest| rest.split('@').next());
    let Some(newest) = user.and_then(|user| lamps.get_mut(user)) else { return };
    let cseq = notify.cseq().0;
    if newest.is_none_or(|newest| cseq > newest.cseq) {
        *newest = Some(Shown { cseq, state: lamp_in(&notify.text()), at: notify.at });
    }
}
