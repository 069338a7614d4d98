//! The lamps: subscriptions of one watcher at the local presence server. What they show goes where all news go.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::Sender;

use super::ears::{Event, LATER, Told};
use super::support::endpoint::{Endpoint, Received};
use super::support::kamailio::Server;
use super::support::phone::lamp_in;
use super::support::sip::Message;
use super::support::wait::SOON;
use super::traffic::user_of;

/// One watcher.
pub struct Lamps {
    endpoint: Arc<Endpoint>,
    ended: Arc<AtomicBool>,
    reader: Option<JoinHandle<()>>,
    /// Its SUBSCRIBEs, with the To that came back.
    watched: Vec<(Message, String)>,
}

impl Lamps {
    /// A watcher of nobody yet.
    pub fn new(sender: Sender<(Instant, Event)>) -> Lamps {
        let (endpoint, ended) = (Arc::new(Endpoint::udp()), Arc::new(AtomicBool::new(false)));
        let (ears, over) = (Arc::clone(&endpoint), Arc::clone(&ended));
        let reader = thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                let Some(notify) = ears.try_request("NOTIFY", Duration::from_millis(50)) else { continue };
                ears.reply(&notify, 200, "OK");
                thread::sleep(LATER);
                if sender.send((notify.at, Event::Told(told(&notify)))).is_err() {
                    return;
                }
            }
        });
        Lamps { endpoint, ended, reader: Some(reader), watched: Vec::new() }
    }

    /// Lights, when it has to, for the calls of `user`.
    pub fn watch(&mut self, server: &Server, user: &str) {
        let record = server.uri(user);
        let from = self.endpoint.uri(&format!("lamp-{user}"));
        let request = self.endpoint.fresh_request("SUBSCRIBE", &record, &from, &record);
        let request = request.with("Event", "dialog").with("Expires", 3600);
        let answer = self.endpoint.exchange(&request, server.addr(), SOON);
        assert!(answer.status() / 100 == 2, "the presence server answered {} to a lamp", answer.status());
        self.watched.push((request, answer.need("To").to_owned()));
    }

    /// Ends all of its subscriptions.
    pub fn unplug(&mut self, server: &Server) {
        for (first, to) in std::mem::take(&mut self.watched) {
            let mut end = self.endpoint.request("SUBSCRIBE", first.uri()).with("To", to).with("CSeq", "2 SUBSCRIBE");
            for name in ["From", "Call-ID", "Contact", "Event"] {
                end = end.with(name, first.need(name));
            }
            let answer = self.endpoint.exchange(&end.with("Expires", 0), server.addr(), SOON);
            assert!(
                answer.status() / 100 == 2,
                "the presence server answered {} to the last SUBSCRIBE",
                answer.status()
            );
        }
    }
}

impl Drop for Lamps {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}

/// What a NOTIFY makes the lamp show.
fn told(notify: &Received) -> Told {
    // pua_dialoginfo writes "Trying".
    let body = notify.text().to_lowercase();
    let state = lamp_in(&body);
    let shown = match state {
        "early" => "ringing",
        "confirmed" => "in a call",
        other => other,
    };
    Told {
        record: notify.uri_in("From").unwrap_or_default().to_owned(),
        status: "active".into(),
        basic: Some(shown.to_owned()),
        reason: None,
        note: other_party(&body, state).map(|user| format!("with {user}")),
    }
}

/// The user at the other end of the dialog in that state.
fn other_party<'b>(body: &'b str, state: &str) -> Option<&'b str> {
    let dialog = body.split("<dialog ").find(|dialog| dialog.contains(&format!(">{state}</state>")))?;
    let (_, remote) = dialog.split_once("<remote>")?;
    let (_, identity) = remote.split_once("<identity")?;
    let (_, uri) = identity.split_once('>')?;
    Some(user_of(uri.split('<').next()?))
}
