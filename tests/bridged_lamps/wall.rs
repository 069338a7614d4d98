//! Many lamps at one socket, each a subscription at the local presence server.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::user;
use crate::support::endpoint::{Endpoint, Received};
use crate::support::kamailio::Server;
use crate::support::phone::lamp_in;
use crate::support::wait::SOON;

/// CSeq of the newest NOTIFY and what it makes the lamp show, by user; none before the first.
type Lamps = BTreeMap<usize, Option<(u32, &'static str)>>;

/// See the module.
pub struct Wall {
    lamps: Arc<Mutex<Lamps>>,
    ended: Arc<AtomicBool>,
    reader: Option<JoinHandle<()>>,
}

impl Wall {
    /// Subscribes to the calls of these users.
    pub fn watch(server: &Server, users: impl Iterator<Item = usize>) -> Wall {
        let endpoint = Arc::new(Endpoint::udp());
        let (lamps, ended) = (Arc::new(Mutex::new(Lamps::new())), Arc::new(AtomicBool::new(false)));
        let reader = {
            let (endpoint, lamps, ended) = (Arc::clone(&endpoint), Arc::clone(&lamps), Arc::clone(&ended));
            thread::spawn(move || {
                while !ended.load(Ordering::Relaxed) {
                    if let Some(notify) = endpoint.try_request("NOTIFY", Duration::from_millis(50)) {
                        endpoint.reply(&notify, 200, "OK");
                        take(&mut lock(&lamps), &notify);
                    }
                }
            })
        };
        for number in users {
            lock(&lamps).insert(number, None);
            let (record, from) = (server.uri(&user(number)), endpoint.uri(&user(number)));
            let subscribe = endpoint.fresh_request("SUBSCRIBE", &record, &from, &record);
            let subscribe = subscribe.with("Event", "dialog").with("Expires", 3600);
            let answer = endpoint.exchange(&subscribe, server.addr(), SOON);
            assert!(answer.status() / 100 == 2, "{}", answer.message);
        }
        Wall { lamps, ended, reader: Some(reader) }
    }

    /// What each lamp shows.
    pub fn shown(&self) -> Vec<(usize, Option<&'static str>)> {
        lock(&self.lamps).iter().map(|(number, newest)| (*number, newest.map(|(_, lamp)| lamp))).collect()
    }
}

impl Drop for Wall {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}

fn lock(lamps: &Mutex<Lamps>) -> MutexGuard<'_, Lamps> {
    lamps.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

fn take(lamps: &mut Lamps, notify: &Received) {
    let user = notify.uri_in("To").and_then(|uri| uri.strip_prefix("sip:u")).and_then(|rest| rest.split('@').next());
    let Some(newest) = user.and_then(|user| user.parse().ok()).and_then(|number| lamps.get_mut(&number)) else {
        return;
    };
    let cseq = notify.cseq().0;
    if newest.is_none_or(|(before, _)| cseq > before) {
        *newest = Some((cseq, lamp_in(&notify.text())));
    }
}
