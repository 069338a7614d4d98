//! Many lamps, many changes, ends in between: none is wrong at the end.

use std::collections::HashMap;

use super::{DIALOGS, bridging, count, subscribe};
use crate::support::b2b::farewell;
use crate::support::kamailio::Server;
use crate::support::notifier::{Dialog, Notifier, Notify};
use crate::support::phone::Phone;
use crate::support::wait::{SOON, eventually};

const LAMPS: usize = 200;
const ROUNDS: usize = 20;

/// As many NOTIFYs as sockets hold at a time.
const AT_ONCE: usize = 40;

/// What the calls of a lamp go through; the last says what it shows in the end.
const STATES: [&str; 5] = ["trying", "early", "confirmed", "terminated", ""];

fn document(version: usize, call: usize, state: &str) -> String {
    let dialog = if state.is_empty() {
        String::new()
    } else {
        format!("<dialog id=\"c{call}\"><state>{state}</state></dialog>")
    };
    format!(
        "<dialog-info xmlns=\"urn:ietf:params:xml:ns:dialog-info\" version=\"{version}\" state=\"full\" entity=\"sip:x@y\">{dialog}\
         </dialog-info>"
    )
}

/// A subscription to a lamp's record, which the notifier accepts.
fn publish(server: &Server, notifier: &Notifier, lamp: usize, subscriber: usize) -> (u64, Dialog) {
    let options = format!("publish_as=\"{}\";id=s{subscriber}", server.uri(&format!("lamp{lamp}")));
    let record = notifier.uri(&format!("user{lamp}-"));
    let id = subscribe(server, &record, "dialog", &options).expect("an id");
    let initial = |message: &crate::support::sip::Message| {
        message.method() == "SUBSCRIBE" && message.param("To", "tag").is_none() && message.uri() == record
    };
    let subscribe = notifier.endpoint.wait_for(SOON, initial).expect("a SUBSCRIBE");
    (id, notifier.accept(&subscribe, 3600))
}

#[test]
fn no_lamp_is_wrong_at_the_end() {
    let server = bridging().shm_megabytes(128).children(4).b2b_param("workers", 3).start();
    let notifier = Notifier::udp();
    let mut all: Vec<(u64, Dialog)> = (0..LAMPS).map(|lamp| publish(&server, &notifier, lamp, 0)).collect();
    let watch = |lamp| Phone::watch(server.addr(), &server.uri(&format!("lamp{lamp}")), "dialog");
    let mut lamps: Vec<Phone> = (0..LAMPS).map(watch).collect();
    let mut shown: HashMap<usize, &str> = HashMap::new();
    for round in 0..ROUNDS {
        for first in (0..LAMPS).step_by(AT_ONCE) {
            let sent: Vec<_> = (first..first + AT_ONCE)
                .map(|lamp| {
                    // Calls that end early, skip states, and begin again.
                    let step = round * 7 + lamp * 3 + round * lamp % 5;
                    let state = STATES[step % STATES.len()];
                    shown.insert(lamp, if matches!(state, "terminated" | "") { "off" } else { state });
                    let document = document(round + 1, step / STATES.len(), state);
                    all[lamp].1.send_notify(Notify::active(3600).body(DIALOGS, document))
                })
                .collect();
            for request in &sent {
                let answer = notifier.endpoint.final_response(request, SOON);
                assert_eq!(answer.map(|answer| answer.status()), Some(200), "{request}");
            }
        }
        // Others take the place of some while what was told is on its way to the lamps.
        for lamp in (0..LAMPS).filter(|lamp| (lamp + round * 13) % 50 == 7) {
            let (id, mut before) = all[lamp].clone();
            server.unsubscribe(id);
            all[lamp] = publish(&server, &notifier, lamp, round + 1);
            farewell(&mut before);
            shown.insert(lamp, "off");
        }
    }
    for (lamp, phone) in lamps.iter_mut().enumerate() {
        phone.await_lamp(shown[&lamp]);
    }
    eventually(SOON, "all is told", || (count(&server, "queued") == 0).then_some(()));
    for (lamp, phone) in lamps.iter_mut().enumerate() {
        assert_eq!(phone.lamp(), shown[&lamp], "lamp {lamp}");
    }
    assert_eq!((count(&server, "publications"), count(&server, "publish_failed")), (LAMPS as u64, 0));
    server.stop();
    for (lamp, phone) in lamps.iter_mut().enumerate() {
        if shown[&lamp] != "off" {
            phone.await_lamp("off");
        }
    }
}
