//! The notifier's own ledger: every SUBSCRIBE it took, every NOTIFY it sent and the answer. Pure: the time is an argument, and what
//! has to be sent is collected.
//!
//! It is a notifier as RFC 6665 has it. One NOTIFY of a dialog is on its way at a time, sent again as RFC 3261 says; each says
//! the whole state, in the note of a PIDF document. A dialog that is not refreshed in time ends.

mod dialog;
mod write;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use self::write::{Writer, refusal};
use super::support::sip::Message;

pub use self::dialog::{Answer, Dialog, End, Key, Told};

/// How long an answer is kept for copies of its request, and how long a NOTIFY is sent again (64 × T1).
const LIFE: Duration = Duration::from_secs(32);

/// What the notifier grants and sends.
#[derive(Clone, Copy, Debug)]
pub struct Manners {
    /// How many seconds it grants at most.
    pub expires: u32,
    /// Whether its NOTIFYs name their state, so that a refresh can be conditional (RFC 5839).
    pub etags: bool,
}

/// A SUBSCRIBE, without its copies.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// When it came.
    pub at: Instant,
    /// Its dialog.
    pub dialog: usize,
    /// Its CSeq.
    pub cseq: u32,
    /// Its Expires.
    pub expires: u32,
}

/// Something that a notifier must never see.
#[derive(Clone, Debug)]
pub enum Wrong {
    /// A SUBSCRIBE whose CSeq is not above that of an earlier one of its dialog.
    CseqBack {
        /// The dialog.
        dialog: usize,
        /// The highest CSeq so far.
        highest: u32,
        /// The new one.
        came: u32,
    },
    /// A SUBSCRIBE outside of a dialog for that which has a dialog.
    Again {
        /// The dialog that is there.
        old: usize,
        /// The one that it makes.
        new: usize,
    },
    /// A SUBSCRIBE in a dialog that the notifier does not have.
    Stray {
        /// Its Call-ID.
        call_id: String,
    },
}

/// The ledger.
pub struct Ledger {
    /// Its dialogs, also those that have ended.
    pub dialogs: Vec<Dialog>,
    /// All SUBSCRIBEs.
    pub asked: Vec<Asked>,
    /// All NOTIFYs.
    pub told: Vec<Told>,
    /// What must not happen.
    pub wrong: Vec<Wrong>,
    manners: Manners,
    writer: Writer,
    /// The newest state of each record.
    records: BTreeMap<String, u64>,
    by_tag: HashMap<String, usize>,
    by_key: HashMap<Key, Vec<usize>>,
    by_record: HashMap<String, Vec<usize>>,
    /// The dialog of each NOTIFY that is on its way, by branch.
    flights: HashMap<String, usize>,
    /// The answer to each SUBSCRIBE, by branch, and when it may be forgotten.
    answers: HashMap<String, (Instant, Vec<u8>)>,
    due: BinaryHeap<Reverse<(Instant, usize)>>,
    out: Vec<(Vec<u8>, SocketAddr)>,
}

impl Ledger {
    /// A notifier at `me`.
    pub fn new(me: SocketAddr, manners: Manners) -> Ledger {
        Ledger {
            dialogs: Vec::new(),
            asked: Vec::new(),
            told: Vec::new(),
            wrong: Vec::new(),
            manners,
            writer: Writer::new(me),
            records: BTreeMap::new(),
            by_tag: HashMap::new(),
            by_key: HashMap::new(),
            by_record: HashMap::new(),
            flights: HashMap::new(),
            answers: HashMap::new(),
            due: BinaryHeap::new(),
            out: Vec::new(),
        }
    }

    /// What has to be sent now.
    pub fn take_out(&mut self) -> Vec<(Vec<u8>, SocketAddr)> {
        std::mem::take(&mut self.out)
    }

    /// The newest state of a record; 0 if it never changed.
    pub fn newest(&self, record: &str) -> u64 {
        self.records.get(record).copied().unwrap_or(0)
    }

    /// The dialogs of this record and subscriber, oldest first.
    pub fn of<'l>(&'l self, key: &Key) -> impl Iterator<Item = &'l Dialog> {
        self.by_key.get(key).into_iter().flatten().map(|dialog| &self.dialogs[*dialog])
    }

    /// The last SUBSCRIBEs and NOTIFYs of a dialog, in one line.
    pub fn story(&self, dialog: &Dialog, now: Instant) -> String {
        const LAST: usize = 6;
        let is_of = |number: usize| std::ptr::eq(&self.dialogs[number], dialog);
        let asked = self.asked.iter().rev().filter(|asked| is_of(asked.dialog)).take(LAST);
        let asked = asked.map(|asked| (asked.at, format!("SUBSCRIBE {} for {} s", asked.cseq, asked.expires)));
        let told = self.told.iter().rev().filter(|told| is_of(told.dialog)).take(LAST);
        let told =
            told.map(|told| (told.at, format!("NOTIFY of state {} ×{}: {:?}", told.state, told.copies, told.answer)));
        let mut all: Vec<(Instant, String)> = asked.chain(told).collect();
        all.sort();
        let ago = |at: Instant| now.saturating_duration_since(at).as_secs_f64();
        let end = dialog.end.map(|(end, at)| (at, format!("{end:?}")));
        let lines = all.into_iter().rev().take(LAST).rev().chain(end);
        let lines: Vec<String> = lines.map(|(at, what)| format!("{:.1} s ago {what}", ago(at))).collect();
        format!("{} opened {:.1} s ago, {}", dialog.call_id, ago(dialog.opened), lines.join(", "))
    }

    /// The state of a record changes: all who watch it are told.
    pub fn change(&mut self, record: &str, now: Instant) {
        *self.records.entry(record.to_owned()).or_default() += 1;
        for dialog in self.by_record.get(record).cloned().unwrap_or_default() {
            self.tell(dialog, now);
        }
    }

    /// All NOTIFYs that wait for their answers are sent again now.
    pub fn hurry(&mut self, now: Instant) {
        for (number, dialog) in self.dialogs.iter_mut().enumerate() {
            if let Some(flight) = &mut dialog.flight {
                flight.next = now;
                self.due.push(Reverse((now, number)));
            }
        }
    }

    /// A message that came.
    pub fn take(&mut self, message: &Message, from: SocketAddr, now: Instant) {
        match message.method() {
            "SUBSCRIBE" => self.take_subscribe(message, from, now),
            "" if message.cseq().1 == "NOTIFY" => self.take_answer(message, now),
            _ => {}
        }
    }

    /// What the time brings: copies of NOTIFYs, ends.
    pub fn tick(&mut self, now: Instant) {
        while let Some(Reverse((at, number))) = self.due.peek().copied()
            && at <= now
        {
            self.due.pop();
            self.act(number, now);
        }
        if self.answers.len() > 4096 {
            self.answers.retain(|_, (until, _)| *until > now);
        }
    }

    fn act(&mut self, number: usize, now: Instant) {
        let dialog = &mut self.dialogs[number];
        if let Some(flight) = dialog.flight.as_mut().filter(|flight| flight.next <= now) {
            if now >= flight.first + LIFE {
                let flight = dialog.flight.take().expect("it is there");
                self.flights.remove(&flight.branch);
                self.told[flight.told].answer = Answer::None;
                dialog.end(End::Silent, now);
                dialog.is_gone = true;
                return;
            }
            self.told[flight.told].copies += 1;
            self.out.push((flight.bytes.clone(), dialog.hop));
            flight.pause = (flight.pause * 2).min(dialog::T2);
            flight.next = now + flight.pause;
            self.due.push(Reverse((flight.next, number)));
        }
        if dialog.again_at.take_if(|at| *at <= now).is_some() {
            self.tell(number, now);
        }
        let dialog = &mut self.dialogs[number];
        if dialog.is_live() && dialog.expires_at <= now {
            dialog.end(End::Expired, now);
            self.tell(number, now);
        }
    }

    fn take_subscribe(&mut self, message: &Message, from: SocketAddr, now: Instant) {
        if let Some((_, answer)) = self.answers.get(message.branch()) {
            self.out.push((answer.clone(), from));
            return;
        }
        let expires = message.header("Expires").and_then(|text| text.parse().ok()).unwrap_or(3600);
        let cseq = message.cseq().0;
        let number = match message.param("To", "tag") {
            None => self.open(message, now),
            Some(tag) => match self.by_tag.get(tag).copied().filter(|number| self.dialogs[*number].is_of(message)) {
                Some(number) => number,
                None => {
                    let call_id = message.header("Call-ID").unwrap_or_default().to_owned();
                    self.wrong.push(Wrong::Stray { call_id });
                    return self.answer(message, from, now, &refusal(message, 481));
                }
            },
        };
        self.asked.push(Asked { at: now, dialog: number, cseq, expires });
        let dialog = &mut self.dialogs[number];
        if cseq <= dialog.highest {
            self.wrong.push(Wrong::CseqBack { dialog: number, highest: dialog.highest, came: cseq });
            return self.answer(message, from, now, &refusal(message, 500));
        }
        dialog.highest = cseq;
        if !dialog.is_live() {
            return self.answer(message, from, now, &refusal(message, 481));
        }
        dialog.take_target(message);
        let granted = expires.min(self.manners.expires);
        dialog.expires_at = now + Duration::from_secs(granted.into());
        let accepted = dialog.accepted.filter(|state| *state == self.newest(&self.dialogs[number].key.record));
        let condition = message.header("Suppress-If-Match");
        let is_known = accepted.is_some_and(|state| condition == Some(&self.writer.etag(state)));
        let status = if is_known && granted > 0 { 204 } else { 200 };
        let answer = self.writer.accept(message, &self.dialogs[number], status, granted);
        self.answer(message, from, now, &answer);
        let dialog = &mut self.dialogs[number];
        if granted == 0 {
            dialog.end(End::Unsubscribed, now);
        } else {
            self.due.push(Reverse((dialog.expires_at, number)));
        }
        if status == 200 {
            dialog.owes = true;
            self.tell(number, now);
        }
    }

    /// A new dialog.
    fn open(&mut self, message: &Message, now: Instant) -> usize {
        let number = self.dialogs.len();
        let mut dialog = Dialog::open(message, number, now);
        let others = self.by_key.entry(dialog.key.clone()).or_default();
        for old in others.iter().copied() {
            if self.dialogs[old].is_live() {
                self.wrong.push(Wrong::Again { old, new: number });
            }
            if self.dialogs[old].is_of(message) {
                dialog.highest = dialog.highest.max(self.dialogs[old].highest);
            }
        }
        others.push(number);
        self.by_record.entry(dialog.key.record.clone()).or_default().push(number);
        self.by_tag.insert(dialog.local_tag.clone(), number);
        self.dialogs.push(dialog);
        number
    }

    fn answer(&mut self, message: &Message, from: SocketAddr, now: Instant, answer: &Message) {
        let bytes = answer.to_bytes();
        self.answers.insert(message.branch().to_owned(), (now + LIFE, bytes.clone()));
        self.out.push((bytes, from));
    }

    /// Sends a NOTIFY with the newest state, if it is owed and none is on its way.
    fn tell(&mut self, number: usize, now: Instant) {
        let newest = self.newest(&self.dialogs[number].key.record);
        let dialog = &mut self.dialogs[number];
        let owes = dialog.owes || dialog.accepted != Some(newest);
        if dialog.flight.is_some() || dialog.is_gone || !owes {
            return;
        }
        dialog.owes = false;
        dialog.notify_cseq += 1;
        let branch = format!("z9hG4bKn{number}-{}", dialog.notify_cseq);
        let notify = self.writer.notify(dialog, &branch, newest, self.manners.etags, now);
        let told = self.told.len();
        self.told.push(Told { at: now, dialog: number, state: newest, copies: 1, answer: Answer::Waiting });
        dialog.fly(branch.clone(), notify.to_bytes(), told, now);
        self.flights.insert(branch, number);
        self.out.push((notify.to_bytes(), dialog.hop));
        self.due.push(Reverse((now + dialog::T1, number)));
    }

    fn take_answer(&mut self, message: &Message, now: Instant) {
        let status = message.status();
        if status < 200 {
            return;
        }
        let Some(number) = self.flights.remove(message.branch()) else { return };
        let dialog = &mut self.dialogs[number];
        let Some(flight) = dialog.flight.take() else { return };
        let told = &mut self.told[flight.told];
        told.answer = Answer::Status(status);
        match status {
            200..=299 => dialog.accepted = dialog.accepted.max(Some(told.state)),
            404 | 481 => {
                dialog.end(End::Refused(status), now);
                dialog.is_gone = true;
            }
            503 => dialog.owes = true,
            _ => {}
        }
        dialog.is_gone |= dialog.has_farewell;
        match status {
            200..=299 => self.tell(number, now),
            503 => {
                let pause = message.header("Retry-After").and_then(|text| text.parse().ok()).unwrap_or(1);
                let at = now + Duration::from_secs(pause);
                dialog.again_at = Some(at);
                self.due.push(Reverse((at, number)));
            }
            _ => {}
        }
    }
}
