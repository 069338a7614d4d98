//! What the ledger, the consumer and the server's own list say together: each promise that was broken is a finding.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::time::{Duration, Instant};

use super::consumer::Consumer;
use super::ledger::{Answer, Dialog, End, Key, Ledger, Wrong};

/// How long a change may wait for its row: the flush interval, and the time that a busy machine takes for SIP and SQL.
const NOT_YET_WRITTEN: Duration = Duration::from_millis(300);

/// What must be true of a subscription in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// It is alive, and its consumer knows the newest state.
    Alive,
    /// It is not.
    Ended,
    /// One of both: the server was killed before anybody could know.
    Either,
}

/// A subscription in the server's list.
#[derive(Clone, Debug)]
pub struct Row {
    /// What it is.
    pub key: Key,
    /// Its state.
    pub state: String,
    /// Its Call-ID.
    pub call_id: String,
}

/// A kind of broken promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The subscription is not alive at the notifier.
    Lost,
    /// The subscriber ended it, although nobody asked for that.
    GivenUp,
    /// It is alive although it was ended.
    NotEnded,
    /// Its Call-ID is another one than before.
    OtherDialog,
    /// It was subscribed to again although it was alive.
    Again,
    /// It is alive more than once.
    Twice,
    /// The notifier has it, the server does not.
    Orphan,
    /// The server has it, the notifier does not.
    Phantom,
    /// The server was killed just after the dialog had opened, before its row said so: the notifier has it, and another one.
    HalfOpen,
    /// A CSeq was not above the last one.
    CseqBack,
    /// A SUBSCRIBE in a dialog that never was.
    Stray,
    /// It was not refreshed in time.
    Expired,
    /// A NOTIFY was refused.
    Refused,
    /// A NOTIFY was not answered for 32 seconds.
    Silent,
    /// The newest state is not known to the consumer.
    Unseen,
    /// An older state was told after a newer one.
    OldState,
    /// The script has an older state at hand than was told, or does not have the newest one.
    AtHand,
    /// The consumer was told that the subscription had ended.
    EndTold,
    /// NOTIFYs were not answered soon, although the server ran.
    Slow,
    /// More SUBSCRIBEs than the rate allows.
    TooMany,
    /// The server did something that it must not do: the text says what.
    Server,
}

/// A broken promise.
#[derive(Clone, Debug)]
pub struct Finding {
    /// Its kind.
    pub kind: Kind,
    /// The particulars.
    pub text: String,
}

impl Finding {
    /// Whether it is a broken promise. What is half open is told, and counted apart.
    pub fn counts(&self) -> bool {
        self.kind != Kind::HalfOpen
    }

    pub fn new(kind: Kind, text: impl Into<String>) -> Finding {
        Finding { kind, text: text.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.kind, self.text)
    }
}

/// All that is known in the end.
pub struct Case<'c> {
    /// The notifier's ledger.
    pub ledger: &'c Ledger,
    /// What was told.
    pub consumer: &'c Consumer,
    /// What the server has; none if nobody asked it.
    pub rows: Option<&'c [Row]>,
    /// What must be true.
    pub want: &'c BTreeMap<Key, Want>,
    /// The Call-IDs of those that were alive before it all began.
    pub before: &'c HashMap<Key, String>,
    /// The most SUBSCRIBEs a second; 0 for any number.
    pub rate: u32,
    /// When the server was killed.
    pub kills: &'c [Instant],
    /// When it is.
    pub now: Instant,
}

impl Case<'_> {
    /// Every broken promise.
    pub fn judge(&self) -> Vec<Finding> {
        let mut found = Vec::new();
        for (key, want) in self.want {
            match want {
                Want::Alive => self.judge_alive(key, &mut found),
                Want::Ended if self.live(key).next().is_some() => {
                    found.push(Finding::new(Kind::NotEnded, key.to_string()));
                }
                Want::Ended | Want::Either => {}
            }
        }
        self.judge_dialogs(&mut found);
        self.judge_wrong(&mut found);
        self.judge_rows(&mut found);
        found.extend(self.too_many());
        found
    }

    /// Whether the newest state of all that must be alive has reached the consumer, and nothing is on its way: then it can be judged.
    pub fn is_healed(&self) -> bool {
        self.want.iter().all(|(key, want)| match want {
            Want::Alive => self.live(key).next().is_some() && self.unseen(key).is_none(),
            Want::Ended => self.live(key).next().is_none(),
            Want::Either => true,
        })
    }

    fn live<'s>(&'s self, key: &Key) -> impl Iterator<Item = &'s Dialog> {
        self.ledger.of(key).filter(|dialog| dialog.is_live() && dialog.expires_at > self.now)
    }

    fn judge_alive(&self, key: &Key, found: &mut Vec<Finding>) {
        let live: Vec<&Dialog> = self.live(key).collect();
        match live[..] {
            [] => found.push(Finding::new(Kind::Lost, format!("{key}: {}", self.history(key)))),
            [one] => {
                if let Some(before) = self.before.get(key).filter(|before| **before != one.call_id) {
                    let text = format!("{key}: Call-ID {before} before, {} now", one.call_id);
                    found.push(Finding::new(Kind::OtherDialog, text));
                }
                found.extend(self.unseen(key).map(|text| Finding::new(Kind::Unseen, format!("{key}: {text}"))));
            }
            [ref others @ .., _] => {
                let kind = self.unless_half_open(Kind::Twice, others);
                found.push(Finding::new(kind, format!("{key}: {}", self.history(key))));
            }
        }
        let heard = self.consumer.of(key);
        found.extend(heard.ends.iter().map(|end| Finding::new(Kind::EndTold, format!("{key}: {end}"))));
        let back = heard.went_back.iter().map(|(newer, older)| format!("{key}: state {older} after {newer}"));
        found.extend(back.map(|text| Finding::new(Kind::OldState, text)));
    }

    /// That kind, or [`Kind::HalfOpen`] if all these dialogs opened so soon before a kill that no row can say so.
    fn unless_half_open(&self, kind: Kind, dialogs: &[&Dialog]) -> Kind {
        let is_before = |dialog: &Dialog, kill: &Instant| {
            kill.checked_duration_since(dialog.opened).is_some_and(|passed| passed < NOT_YET_WRITTEN)
        };
        let is_half_open = |dialog: &&Dialog| self.kills.iter().any(|kill| is_before(dialog, kill));
        if dialogs.iter().all(is_half_open) { Kind::HalfOpen } else { kind }
    }

    /// Why the consumer does not know the newest state, if it does not.
    fn unseen(&self, key: &Key) -> Option<String> {
        let (newest, heard) = (self.ledger.newest(&key.record), self.consumer.of(key));
        let accepted = self.live(key).filter_map(|dialog| dialog.accepted).max();
        let knows = accepted == Some(newest) && heard.state == newest && heard.status == "active";
        let text = || {
            let (state, status) = (heard.state, &heard.status);
            let accepted = accepted.map_or("none".to_owned(), |state| state.to_string());
            format!("state {newest} is the newest, {accepted} the newest accepted; the consumer has {state} ({status})")
        };
        (!knows).then(|| format!("{}: {}", text(), self.history(key)))
    }

    fn judge_dialogs(&self, found: &mut Vec<Finding>) {
        let is_wanted = |key: &Key| self.want.get(key) == Some(&Want::Alive);
        for dialog in self.ledger.dialogs.iter().filter(|dialog| is_wanted(&dialog.key)) {
            let kind = match dialog.end {
                Some((End::Expired, _)) => Kind::Expired,
                Some((End::Refused(_), _)) => Kind::Refused,
                Some((End::Silent, _)) => Kind::Silent,
                Some((End::Unsubscribed, _)) => Kind::GivenUp,
                None => continue,
            };
            let kind = self.unless_half_open(kind, &[dialog]);
            found.push(Finding::new(kind, format!("{}: {}", dialog.key, self.history(&dialog.key))));
        }
        for told in &self.ledger.told {
            let dialog = &self.ledger.dialogs[told.dialog];
            match told.answer {
                Answer::Status(status @ 300..) if !matches!(status, 404 | 481 | 503) && is_wanted(&dialog.key) => {
                    let text = format!("{}: state {} got {status}", dialog.key, told.state);
                    found.push(Finding::new(Kind::Refused, text));
                }
                _ => {}
            }
        }
    }

    fn judge_wrong(&self, found: &mut Vec<Finding>) {
        for wrong in &self.ledger.wrong {
            found.push(match wrong {
                Wrong::CseqBack { dialog, highest, came } => {
                    let text = format!("{}: CSeq {came} after {highest}", self.ledger.dialogs[*dialog].key);
                    Finding::new(Kind::CseqBack, text)
                }
                Wrong::Again { old, new } => {
                    let [old, new] = [old, new].map(|number| &self.ledger.dialogs[*number]);
                    let (key, kind) = (&new.key, self.unless_half_open(Kind::Again, &[old]));
                    Finding::new(kind, format!("{key}: {}", self.history(key)))
                }
                Wrong::Stray { call_id } => Finding::new(Kind::Stray, format!("Call-ID {call_id}")),
            });
        }
    }

    fn judge_rows(&self, found: &mut Vec<Finding>) {
        let Some(rows) = self.rows else { return };
        let known: HashSet<&str> = rows.iter().map(|row| row.call_id.as_str()).collect();
        let live = self.ledger.dialogs.iter().filter(|dialog| dialog.is_live() && dialog.expires_at > self.now);
        let live: HashMap<&str, &Dialog> = live.map(|dialog| (dialog.call_id.as_str(), dialog)).collect();
        let orphans = live.iter().filter(|(call_id, _)| !known.contains(*call_id)).map(|(_, dialog)| {
            let want = self.want.get(&dialog.key).map_or("unknown".to_owned(), |want| format!("{want:?}"));
            let kind = self.unless_half_open(Kind::Orphan, &[dialog]);
            Finding::new(kind, format!("{} ({want}): {}", dialog.key, self.ledger.story(dialog, self.now)))
        });
        found.extend(orphans);
        let phantoms = rows.iter().filter(|row| row.state == "confirmed" && !live.contains_key(row.call_id.as_str()));
        found.extend(phantoms.map(|row| Finding::new(Kind::Phantom, format!("{}: Call-ID {}", row.key, row.call_id))));
        let mut keys: HashMap<&Key, usize> = HashMap::new();
        rows.iter().for_each(|row| *keys.entry(&row.key).or_default() += 1);
        let twice = keys.into_iter().filter(|(_, count)| *count > 1);
        found.extend(
            twice.map(|(key, count)| Finding::new(Kind::Twice, format!("{key}: {count} in the server's list"))),
        );
    }

    /// A second with more SUBSCRIBEs than the rate, the tenth of a second that may leave together, and what a busy machine delays. Each
    /// life of the server has such a tenth of its own.
    fn too_many(&self) -> Option<Finding> {
        let mut times: Vec<Instant> = self.ledger.asked.iter().map(|asked| asked.at).collect();
        times.sort_unstable();
        let mut first = 0;
        let excess = (0..times.len()).map(|last| {
            while times[last] - times[first] >= Duration::from_secs(1) {
                first += 1;
            }
            let is_within = |kill: &&Instant| (times[first]..=times[last]).contains(*kill);
            let (count, lives) = (last - first + 1, 1 + self.kills.iter().filter(is_within).count());
            let bound = self.rate as usize * (11 + lives) / 10 + 5;
            (count.saturating_sub(bound), count, bound)
        });
        let (excess, count, bound) = excess.max().unwrap_or_default();
        let is_too_many = self.rate > 0 && excess > 0;
        is_too_many.then(|| Finding::new(Kind::TooMany, format!("{count} in one second, {bound} are allowed")))
    }

    /// The dialogs of a subscription, in one line.
    fn history(&self, key: &Key) -> String {
        let all: Vec<String> = self.ledger.of(key).map(|dialog| self.ledger.story(dialog, self.now)).collect();
        if all.is_empty() { "never asked for".to_owned() } else { all.join("; ") }
    }
}
