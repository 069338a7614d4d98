//! A PBX with many users behind one socket. It tells the calls of each, sends again what is not answered, and forgets all when it
//! starts again.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::{Dice, user};
use crate::support::endpoint::Received;
use crate::support::notifier::{Dialog, Notifier, Notify};
use crate::support::sip::Message;

/// How many NOTIFYs wait for an answer at a time.
const WINDOW: usize = 64;

/// How long one waits before it is sent again.
const AGAIN: Duration = Duration::from_millis(500);

const DIALOGS: &str = "application/dialog-info+xml";

/// See the module.
pub struct Pbx {
    notifier: Notifier,
    users: Vec<User>,
    /// By branch.
    waiting: HashMap<String, Waiting>,
    /// States that were told.
    pub told: usize,
    /// NOTIFYs of active subscriptions that were refused as unknown.
    pub lost: usize,
}

#[derive(Default)]
struct User {
    dialog: Option<Dialog>,
    version: u32,
    /// The number of each call and its state. One that is terminated is told once more.
    calls: Vec<(u32, &'static str)>,
    called: u32,
}

struct Waiting {
    number: usize,
    call_id: String,
    request: Message,
    sent: Instant,
}

impl Pbx {
    /// Nobody speaks.
    pub fn new(users: usize) -> Pbx {
        let users = (0..users).map(|_| User::default()).collect();
        Pbx { notifier: Notifier::udp(), users, waiting: HashMap::new(), told: 0, lost: 0 }
    }

    /// The record of a user.
    pub fn uri(&self, number: usize) -> String {
        self.notifier.uri(&user(number))
    }

    /// The users nobody is subscribed to.
    pub fn missing(&self) -> Vec<usize> {
        (0..self.users.len()).filter(|number| self.users[*number].dialog.is_none()).collect()
    }

    /// How many NOTIFYs have no answer yet.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Whether answers are to come before more is sent.
    pub fn is_busy(&self) -> bool {
        self.waiting() >= WINDOW
    }

    /// What the lamp of a user has to show.
    pub fn lamp(&self, number: usize) -> &'static str {
        let calls = &self.users[number].calls;
        let shown = ["confirmed", "early", "trying"];
        shown.into_iter().find(|state| calls.iter().any(|(_, have)| have == state)).unwrap_or("off")
    }

    /// Something happens to the calls of a user.
    pub fn change(&mut self, number: usize, dice: &mut Dice) {
        let user = &mut self.users[number];
        user.calls.retain(|(_, state)| *state != "terminated");
        if user.calls.is_empty() || (user.calls.len() < 2 && dice.below(8) == 0) {
            user.called += 1;
            user.calls.push((user.called, ["trying", "early", "early", "confirmed"][dice.below(4)]));
            if dice.below(4) == 0 {
                // It ends at once, and what tells the end is on its way first.
                let began = self.next(number);
                self.end_one(number, 0);
                let ended = self.next(number);
                for request in [ended, began].into_iter().flatten() {
                    self.send(number, request);
                }
                return;
            }
        } else {
            let which = dice.below(user.calls.len());
            match (user.calls[which].1, dice.below(3)) {
                ("trying", 0 | 1) => user.calls[which].1 = "early",
                ("early", 0 | 1) => user.calls[which].1 = "confirmed",
                _ => self.end_one(number, which),
            }
        }
        self.tell(number);
    }

    /// A call ends: some say so, some leave it out.
    fn end_one(&mut self, number: usize, which: usize) {
        let calls = &mut self.users[number].calls;
        if calls[which].0.is_multiple_of(3) {
            calls.remove(which);
        } else {
            calls[which].1 = "terminated";
        }
    }

    fn tell(&mut self, number: usize) {
        if let Some(request) = self.next(number) {
            self.send(number, request);
        }
    }

    /// The NOTIFY with the present state of a user.
    fn next(&mut self, number: usize) -> Option<Message> {
        let (told, user) = (&mut self.told, &mut self.users[number]);
        let dialog = user.dialog.as_mut()?;
        let document = document(user.version, &user.calls);
        user.version += 1;
        *told += 1;
        Some(dialog.build(Notify::active(3600).body(DIALOGS, document)))
    }

    fn send(&mut self, number: usize, request: Message) {
        let Some(dialog) = &self.users[number].dialog else { return };
        dialog.endpoint().send(&request, dialog.next_hop);
        let call_id = dialog.call_id.clone();
        self.waiting.insert(request.branch().to_owned(), Waiting { number, call_id, request, sent: Instant::now() });
    }

    /// Starts again: calls and subscriptions are gone, and what was on its way is not sent again. If it ends in order, it says so.
    pub fn restart(&mut self, in_order: bool) {
        for user in &mut self.users {
            let dialog = user.dialog.take();
            if let Some(mut dialog) = dialog.filter(|_| in_order) {
                dialog.send_notify(Notify::terminated("deactivated", 0));
            }
            *user = User { called: user.called, ..User::default() };
        }
        self.waiting.clear();
    }

    /// Takes what comes, waiting for the first so long.
    pub fn serve(&mut self, mut within: Duration) {
        while let Some(message) = self.notifier.endpoint.wait_for(within, |_| true) {
            within = Duration::ZERO;
            if message.method() == "SUBSCRIBE" { self.subscribed(&message) } else { self.answered(&message) }
        }
        for waiting in self.waiting.values_mut().filter(|waiting| waiting.sent.elapsed() > AGAIN) {
            if let Some(dialog) = &self.users[waiting.number].dialog {
                dialog.endpoint().send(&waiting.request, dialog.next_hop);
            }
            waiting.sent = Instant::now();
        }
    }

    fn subscribed(&mut self, subscribe: &Received) {
        let record = subscribe.uri_in("To").expect("a record");
        let number = record.strip_prefix("sip:u").and_then(|rest| rest.split('@').next()).and_then(|n| n.parse().ok());
        let number: usize = number.unwrap_or_else(|| panic!("nobody is {record}"));
        let tag = subscribe.param("To", "tag");
        let user = &mut self.users[number];
        match (&user.dialog, tag) {
            (_, None) => {
                user.version = 0;
                user.dialog = Some(self.notifier.accept(subscribe, 3600));
            }
            (Some(dialog), Some(tag)) if dialog.local_tag == tag => dialog.accept(subscribe, 3600),
            _ => return self.notifier.reject(subscribe, 481, &[]),
        }
        self.tell(number);
    }

    fn answered(&mut self, answer: &Received) {
        let Some(waiting) = self.waiting.remove(answer.branch()) else { return };
        let user = &mut self.users[waiting.number];
        if answer.status() == 481 && user.dialog.as_ref().is_some_and(|dialog| dialog.call_id == waiting.call_id) {
            self.lost += 1;
            user.dialog = None;
        }
    }
}

fn document(version: u32, calls: &[(u32, &str)]) -> String {
    let dialogs: String =
        calls.iter().map(|(call, state)| format!("<dialog id=\"d{call}\"><state>{state}</state></dialog>")).collect();
    format!(
        "<?xml version=\"1.0\"?>\n<dialog-info xmlns=\"urn:ietf:params:xml:ns:dialog-info\" version=\"{version}\" state=\"full\" \
         entity=\"sip:anybody@pbx.example.com\">{dialogs}</dialog-info>\n"
    )
}
