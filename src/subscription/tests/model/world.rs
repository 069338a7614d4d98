//! The small world: one subscription, a proxy that may fork, two notifiers behind it, and what is under way between them.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::super::*;
use super::challenges::{ANY_NUMBER, CREDENTIALS};
use super::peers::small_policy;
use super::rules::{Ghost, Spoken};
use crate::subscription::machine::Picture;
use crate::time::Millis;

pub use super::peers::{Book, Fork, HeldBack, Message, Refusal, Sending, Serving, Word};

/// The most messages under way at a time. At this number one must arrive or be lost before time passes.
pub const UNDER_WAY: usize = 3;

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
    /// The input if that request is held back; who holds it, and until when, is open.
    pub undoing: HeldBack,
    pub unsubscribed: bool,
    pub forgotten: bool,
    pub book: Book,
    fetches: bool,
    /// How many more mishaps there may be.
    pub mishaps: u8,
    /// How many more challenges there may be; [`ANY_NUMBER`] for no limit.
    pub challenges: u8,
    /// Fewer things can happen: this is the world of challenges.
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

    /// The environment of every input.
    pub fn env(&self) -> Env<'static> {
        Env {
            now: self.now,
            policy: self.book.policy(),
            packages: Packages::KNOWN,
            random: 0,
            credentials: &*CREDENTIALS,
        }
    }

    /// Whether this is a fetch.
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
    /// ranks (they are compared with each other and nothing else), the order of messages under way does not matter.
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

    /// Every Call-ID, own CSeq and peer's CSeq that a message or a peer still holds.
    #[expect(clippy::type_complexity, reason = "used once")]
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
    // No fork is accepted: when and by which request the dialog was opened does not matter.
    picture.opened = Millis(0);
    picture.local_cseq = rank(local, &picture.local_cseq);
    // The back-off has reached its cap by then.
    picture.retries = picture.retries.min(2);
    // Older than any request.
    picture.last_sent = picture.last_sent.map(|at| at.max(oldest));
    // How often a nonce was used does not matter.
    picture.sessions.iter_mut().for_each(|(_, uses, _)| *uses = (*uses).min(1));
    // There are fewer realms than a subscription remembers: it forgets none.
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
