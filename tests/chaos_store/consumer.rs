//! What the server has told its consumer, from the logs of all its lives.

use std::collections::HashMap;

use super::ledger::Key;

/// Makes each message of the event route one line of the log.
pub const TELL: &str = r#"event_route[qsa:notify] {
    xlog("L_NOTICE", "TOLD|$qsa(record)|$qsa(subscriber)|$qsa(status)|$qsa(reason)|$qsa(note)|\n");
}"#;

/// What was told of one subscription.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// The newest status.
    pub status: String,
    /// The newest state.
    pub state: u64,
    /// Each state that was told after a newer one: the newer and the older.
    pub went_back: Vec<(u64, u64)>,
    /// The reasons of the messages that the subscription is not active.
    pub ends: Vec<String>,
}

/// All that was told.
#[derive(Default)]
pub struct Consumer {
    heard: HashMap<Key, Heard>,
    /// The bytes of the present log that have been read.
    read: usize,
    /// How many messages.
    pub messages: usize,
}

impl Consumer {
    /// Reads on in the log of a server.
    pub fn read(&mut self, log: &str) {
        let new = log.get(self.read..).unwrap_or_default();
        let whole = new.rfind('\n').map_or("", |end| &new[..=end]);
        self.read += whole.len();
        whole.lines().filter_map(|line| line.split_once("TOLD|")).for_each(|(_, fields)| self.take(fields));
    }

    /// The next log is that of another life.
    pub fn turn_page(&mut self) {
        self.read = 0;
    }

    /// What was told of this.
    pub fn of(&self, key: &Key) -> Heard {
        self.heard.get(key).cloned().unwrap_or_default()
    }

    fn take(&mut self, fields: &str) {
        let [record, subscriber, status, reason, note, _end] = fields.split('|').collect::<Vec<_>>()[..] else {
            return;
        };
        self.messages += 1;
        let key = Key { record: record.to_owned(), subscriber: subscriber.to_owned() };
        let heard = self.heard.entry(key).or_default();
        status.clone_into(&mut heard.status);
        if !matches!(status, "active" | "pending") {
            heard.ends.push(format!("{status} {reason}"));
        }
        if let Some(state) = note.strip_prefix("state ").and_then(|number| number.parse().ok()) {
            if state < heard.state {
                heard.went_back.push((heard.state, state));
            }
            heard.state = state;
        }
    }
}
