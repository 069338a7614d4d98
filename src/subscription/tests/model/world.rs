//! The small world: one subscription, a proxy that may fork, two notifiers behind it, and what is under way between them.

use super::super::*;
use super::challenges::{ANY_NUMBER, CREDENTIALS};
use super::rules::{Ghost, Spoken};
use crate::subscription::machine::Picture;
use crate::time::Millis;
use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::LazyLock;

/// At most so many messages are under way at a time: then one has to arrive, or get lost, before time goes on.
pub const UNDER_WAY: usize = 3;

/// Times of a few seconds each, so that their differences are few.
fn small_policy() -> Policy {
    Policy {
        forking: Forking::Package,
        default_expiration: secs(12),
        on_error_retry_time: secs(3),
        failure_backoff_max: secs(6),
        wait_for_term_notify: secs(2),
        resubscribe_delta: secs(2),
        min_resubscribe_time: secs(2),
        refresh_jitter: 0,
        max_subscribe_delay: secs(0),
        timer_n: secs(3),
        timer_n_on_refresh: false,
        timer_n_on_first: true,
        keep_route_set: false,
        fork_bytes: 32_768,
        require_qop: false,
        allow_md5: true,
        watchdog: secs(4),
        max_redirects: 1,
        proxies: 0,
        overrides: Vec::new(),
        packages: Vec::new(),
    }
}

/// Whose word counts after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Book {
    /// The RFCs'.
    Rfc,
    /// An operator's, who knows better.
    Operator,
    /// The RFCs', behind two outbound proxies.
    Proxies,
}

impl Book {
    /// The parameters; the operator's are those of the package alone.
    pub fn policy(self) -> &'static Policy {
        static RFC: LazyLock<Policy> = LazyLock::new(small_policy);
        static OPERATOR: LazyLock<Policy> = LazyLock::new(|| {
            let overrides = vec![
                after_codes(300, 399, Action::Never),
                after_codes(404, 599, Action::AtOnce),
                after_codes(503, 503, Action::Never),
                after_codes(489, 489, Action::BackOff),
                after_reason("rejected", Action::AtOnce),
                after_reason("deactivated", Action::Never),
                after_reason("timeout", Action::BackOff),
            ];
            let own = Policy { overrides, timer_n_on_refresh: true, ..small_policy() };
            Policy { packages: vec![("presence", own)], default_expiration: secs(99), ..small_policy() }
        });
        static PROXIES: LazyLock<Policy> = LazyLock::new(|| Policy { proxies: 2, ..small_policy() });
        match self {
            Self::Proxies => &PROXIES,
            Self::Rfc => &RFC,
            Self::Operator => &OPERATOR,
        }
    }
}

/// One of the two notifiers behind the proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Fork {
    A,
    B,
}

impl Fork {
    pub fn tag(self) -> &'static [u8] {
        match self {
            Self::A => b"A",
            Self::B => b"B",
        }
    }

    /// Where the notifier wants its requests, before and after it has moved.
    pub fn contact(self, moved: bool) -> &'static [u8] {
        match (self, moved) {
            (Self::A, false) => b"sip:A@first",
            (Self::A, true) => b"sip:A@moved",
            (Self::B, false) => b"sip:B@first",
            (Self::B, true) => b"sip:B@moved",
        }
    }
}

/// What a notifier answers to a SUBSCRIBE it does not simply accept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    Moved,
    UseProxy,
    Timeout,
    TooBrief,
    Unknown,
    BadEvent,
    Unavailable,
    Stale,
    Nothing,
    /// Challenges: of a realm that has credentials, by the end or a proxy; again because the nonce is old; of a realm
    /// that has none.
    Known,
    Proxy,
    Old,
    Strange,
}

impl Refusal {
    pub fn code(self) -> u16 {
        match self {
            Self::Nothing => 200,
            Self::Moved => 302,
            Self::UseProxy => 305,
            Self::Known | Self::Old | Self::Strange => 401,
            Self::Proxy => 407,
            Self::Timeout => 408,
            Self::TooBrief => 423,
            Self::Unknown => 481,
            Self::BadEvent => 489,
            Self::Stale => 500,
            Self::Unavailable => 503,
        }
    }
}

/// What a NOTIFY says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Word {
    Active,
    ActiveSooner,
    Pending,
    Deactivated,
    Rejected,
    Probation,
    TimedOut,
    /// No Subscription-State at all.
    Missing,
}

impl Word {
    pub fn header(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::ActiveSooner => "active;expires=4",
            Self::Pending => "pending",
            Self::Deactivated => "terminated;reason=deactivated",
            Self::Rejected => "terminated;reason=rejected",
            Self::Probation => "terminated;reason=probation;retry-after=5",
            Self::TimedOut => "terminated;reason=timeout",
            Self::Missing => "",
        }
    }

    /// What is told of it: the status, and whether these are the last news.
    pub fn told(self, book: Book) -> (Status, bool) {
        match (self, book) {
            (Self::Active | Self::ActiveSooner, _) => (Status::Active, false),
            (Self::Pending | Self::Missing, _) => (Status::Pending, false),
            (Self::Rejected, Book::Rfc | Book::Proxies) => (Status::Rejected, true),
            (Self::Deactivated, Book::Operator) => (Status::Terminated, true),
            (Self::Rejected, Book::Operator) | (Self::Deactivated, Book::Rfc | Book::Proxies) => {
                (Status::Terminated, false)
            }
            (Self::Probation | Self::TimedOut, _) => (Status::Terminated, false),
        }
    }

    /// The name of the state it tells, where its notifier gives one.
    pub fn entity_tag(self) -> Option<&'static [u8]> {
        match self {
            Self::Active => Some(b"active"),
            Self::Pending => Some(b"pending"),
            Self::ActiveSooner => None,
            Self::Deactivated | Self::Rejected | Self::Probation | Self::TimedOut | Self::Missing => Some(b"never"),
        }
    }

    pub fn ends(self) -> bool {
        matches!(self, Self::Deactivated | Self::Rejected | Self::Probation | Self::TimedOut)
    }
}

/// A message that is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Message {
    /// A SUBSCRIBE, to `fork` when it is within a dialog.
    Subscribe { dialog: u32, fork: Option<Fork>, cseq: u32, expires: u32 },
    /// A 2xx.
    Accept { cseq: u32, fork: Fork, moved: bool, expires: u32 },
    /// Any other final reply.
    Refuse { cseq: u32, refusal: Refusal },
    /// A NOTIFY.
    Notify { dialog: u32, fork: Fork, cseq: u32, moved: bool, word: Word },
    /// The transaction layer's word: sent, failed or dropped.
    Word { cseq: u32, word: Sending },
}

/// What became of a request handed to the transaction layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sending {
    Sent,
    Failed,
    Dropped,
    Held(HeldBack),
}

/// A request that did not leave, and all that is as if it had not been made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HeldBack {
    pub undo: Undo,
    pub until: Millis,
    pub by: HeldBy,
    pub spoken: Spoken,
}

impl HeldBack {
    /// As seen from `now`, with all that is long past the same.
    fn seen(self, now: Millis) -> Self {
        let seen = |at: Millis| Millis((Picture::NOW.0 + at.0).saturating_sub(now.0).max(Picture::NOW.0 - 20_000));
        let undo = Undo { last_sent: self.undo.last_sent.map(seen), ..self.undo };
        let spoken = Spoken { sent: self.spoken.sent.map(seen), ..self.spoken };
        Self { undo, until: seen(self.until), spoken, ..self }
    }
}

/// A dialog as a notifier knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Serving {
    pub dialog: u32,
    pub fork: Fork,
    pub newest: u32,
    pub notified: u32,
    pub until: Millis,
    pub moved: bool,
    pub pending: bool,
}

/// Everything there is.
#[derive(Clone)]
pub struct World {
    pub subscription: Subscription<Accounted>,
    pub now: Millis,
    pub dialogs: u32,
    pub under_way: Vec<Message>,
    pub serving: Vec<Serving>,
    /// The request given to the transaction layer that has not left yet.
    pub sending: Option<Message>,
    /// What it would be to hold that back; by whom and until when is left open.
    pub undoing: HeldBack,
    pub unsubscribed: bool,
    pub forgotten: bool,
    pub book: Book,
    fetches: bool,
    /// How many more things may go wrong.
    pub mishaps: u8,
    /// How many more challenges there may be; [`ANY_NUMBER`] for no limit.
    pub challenges: u8,
    /// Fewer things can happen: challenges are what matters.
    pub narrow: bool,
    pub ghost: Ghost,
}

impl World {
    pub fn new(mishaps: u8, book: Book, terms: Terms) -> Self {
        let life = Life::under(terms, small_policy());
        Self {
            subscription: life.subscription,
            now: life.now,
            dialogs: 0,
            under_way: Vec::new(),
            serving: Vec::new(),
            sending: None,
            undoing: HeldBack { undo: Undo::default(), until: life.now, by: HeldBy::Rate, spoken: Spoken::default() },
            unsubscribed: false,
            forgotten: false,
            book,
            fetches: terms.fetch.is_some(),
            mishaps,
            challenges: 0,
            narrow: false,
            ghost: Ghost::default(),
        }
    }

    /// One more challenge has been used up.
    pub fn challenge(&mut self) {
        if self.challenges != ANY_NUMBER {
            self.challenges = self.challenges.saturating_sub(1);
        }
    }

    /// What the subscription is given with every input.
    pub fn env(&self) -> Env<'static> {
        Env { now: self.now, policy: self.book.policy(), random: 0, credentials: &CREDENTIALS }
    }

    /// Whether the state is asked for once.
    pub fn is_fetch(&self) -> bool {
        self.fetches
    }

    /// The number in the Call-ID of the subscription's dialog.
    pub fn own_dialog(&self) -> Option<u32> {
        number_of(self.subscription.call_id())
    }

    pub fn serves(&self, dialog: u32, fork: Fork) -> Option<usize> {
        self.serving.iter().position(|one| one.dialog == dialog && one.fork == fork)
    }

    /// Two worlds with the same key have the same future: times are as seen from now, Call-IDs and CSeqs are their
    /// ranks (they are compared with each other and nothing else), the order of what is under way is no matter.
    pub fn key(&self) -> u64 {
        let mut picture = self.subscription.picture(self.now);
        let (dialogs, local, remote) = self.ranks(&picture);
        let seen = |at: Millis| at.0.wrapping_sub(self.now.0);
        let oldest = Millis(Picture::NOW.0 - 20_000);
        canonical(&mut picture, oldest, &dialogs, &local, |dialog, fork, cseq| rank(&remote, &(dialog, fork, cseq)));
        let mut under_way: Vec<u64> = self
            .under_way
            .iter()
            .chain(&self.sending)
            .map(|message| {
                hash(&match *message {
                    Message::Subscribe { dialog, fork, cseq, expires } => {
                        Message::Subscribe { dialog: rank(&dialogs, &dialog), fork, cseq: rank(&local, &cseq), expires }
                    }
                    Message::Accept { cseq, fork, moved, expires } => {
                        Message::Accept { cseq: rank(&local, &cseq), fork, moved, expires }
                    }
                    Message::Refuse { cseq, refusal } => Message::Refuse { cseq: rank(&local, &cseq), refusal },
                    Message::Notify { dialog, fork, cseq, moved, word } => Message::Notify {
                        dialog: rank(&dialogs, &dialog),
                        fork,
                        cseq: rank(&remote, &(dialog, fork, cseq)),
                        moved,
                        word,
                    },
                    Message::Word { cseq, word } => {
                        let word = match word {
                            Sending::Held(held) => Sending::Held(held.seen(self.now)),
                            Sending::Sent | Sending::Failed | Sending::Dropped => word,
                        };
                        Message::Word { cseq: rank(&local, &cseq), word }
                    }
                })
            })
            .collect();
        under_way.sort_unstable();
        let mut serving: Vec<_> = self
            .serving
            .iter()
            .map(|one| {
                let ranks = (rank(&dialogs, &one.dialog), one.fork, rank(&local, &one.newest));
                let notified = rank(&remote, &(one.dialog, one.fork, one.notified));
                (ranks, notified, seen(one.until), one.moved, one.pending)
            })
            .collect();
        serving.sort_unstable();
        let ghost = self
            .ghost
            .seen(self.now, |dialog, fork, cseq| (rank(&dialogs, &dialog), rank(&remote, &(dialog, fork, cseq))));
        let undoing = self.sending.map(|_| HeldBack { until: self.now, ..self.undoing }.seen(self.now));
        let flags = (undoing, self.unsubscribed, self.forgotten, self.mishaps, self.challenges);
        hash(&(picture, under_way, serving, flags, ghost))
    }

    /// Every Call-ID, CSeq of ours and CSeq of theirs that somebody still holds.
    #[expect(clippy::type_complexity)]
    fn ranks(&self, picture: &Picture) -> (BTreeSet<u32>, BTreeSet<u32>, BTreeSet<(u32, Fork, u32)>) {
        let (mut dialogs, mut local, mut remote) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        local.insert(picture.local_cseq);
        if let Some(dialog) = &picture.dialog {
            let number = number_of(&dialog.call_id).unwrap_or(0);
            dialogs.insert(number);
            if let Some((cseq, fork)) = dialog.remote_cseq.zip(fork_of(&dialog.remote_tag)) {
                remote.insert((number, fork, cseq));
            }
        }
        for message in self.under_way.iter().chain(&self.sending) {
            match *message {
                Message::Subscribe { dialog, cseq, .. } => {
                    dialogs.insert(dialog);
                    local.insert(cseq);
                }
                Message::Accept { cseq, .. } | Message::Refuse { cseq, .. } | Message::Word { cseq, .. } => {
                    local.insert(cseq);
                }
                Message::Notify { dialog, fork, cseq, .. } => {
                    dialogs.insert(dialog);
                    remote.insert((dialog, fork, cseq));
                }
            }
        }
        for one in &self.serving {
            dialogs.insert(one.dialog);
            local.insert(one.newest);
            remote.insert((one.dialog, one.fork, one.notified));
        }
        if let Some((dialog, fork, cseq)) = self.ghost.accepted {
            dialogs.insert(dialog);
            remote.insert((dialog, fork, cseq));
        }
        (dialogs, local, remote)
    }
}

fn canonical(
    picture: &mut Picture,
    oldest: Millis,
    dialogs: &BTreeSet<u32>,
    local: &BTreeSet<u32>,
    remote: impl Fn(u32, Fork, u32) -> u32,
) {
    // No fork is welcome: nobody asks when and by which request the dialog was opened.
    picture.opened = Millis(0);
    picture.local_cseq = rank(local, &picture.local_cseq);
    // The back-off has reached its cap by then.
    picture.retries = picture.retries.min(2);
    // Older than anything that was ever asked for.
    picture.last_sent = picture.last_sent.map(|at| at.max(oldest));
    // That a nonce's uses are counted is no matter of how many they are.
    picture.sessions.iter_mut().for_each(|(_, uses, _)| *uses = (*uses).min(1));
    // There are fewer realms than are remembered: none is forgotten for another.
    picture.sessions.sort_unstable();
    let Some(dialog) = &mut picture.dialog else { return };
    let number = number_of(&dialog.call_id).unwrap_or(0);
    if let Some((cseq, fork)) = dialog.remote_cseq.zip(fork_of(&dialog.remote_tag)) {
        dialog.remote_cseq = Some(remote(number, fork, cseq));
    }
    dialog.call_id = rank(dialogs, &number).to_string().into_bytes();
    dialog.local_tag.clear();
    dialog.requests = 0;
}

fn rank<T: Ord>(all: &BTreeSet<T>, one: &T) -> u32 {
    u32::try_from(all.range(..one).count()).unwrap()
}

pub fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// The number in a Call-ID of this world.
pub fn number_of(call_id: &[u8]) -> Option<u32> {
    std::str::from_utf8(call_id).ok()?.strip_prefix("call")?.parse().ok()
}

pub fn fork_of(tag: &[u8]) -> Option<Fork> {
    [Fork::A, Fork::B].into_iter().find(|fork| fork.tag() == tag)
}
