//! The events of the world.

use super::challenges::Asks;
use super::world::{Fork, Refusal, Sending, Word, World};

/// One thing that can happen. Those that use up a mishap are marked by [`Action::is_mishap`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Time goes on to the subscription's deadline, which is handed in.
    Due,
    /// The deadline passed a second ago and was not handed in yet.
    Late,
    /// Time goes on to the expiry of a dialog at its notifier, which says so.
    Expire(usize),
    /// The request leaves, and the transaction layer says so now or later.
    Leave {
        word_later: bool,
    },
    /// The request does not leave; the transaction layer says so at any later time.
    Stuck(Sending),
    /// The request may not leave for a second (its rate), or for three (its destination does not answer).
    Hold {
        long: bool,
    },
    /// The outbound proxy that the request begins with is held: it takes the other.
    PassOver,
    /// A message arrives.
    Arrive(usize),
    /// A message arrives, and will arrive again.
    ArriveTwice(usize),
    /// A SUBSCRIBE or a reply is lost: silently, or the transaction layer gives up.
    Lose {
        which: usize,
        timeout: bool,
    },
    /// The first SUBSCRIBE is accepted: by one notifier, for a while and with a first state; or by both.
    Accept {
        which: usize,
        fork: Fork,
        short: bool,
        pending: bool,
    },
    AcceptBoth {
        which: usize,
    },
    /// One notifier accepts and says so by its NOTIFY; the reply that gets through is the other one's refusal.
    AcceptBehind {
        which: usize,
        refusal: Refusal,
    },
    /// A SUBSCRIBE is refused.
    Refuse {
        which: usize,
        refusal: Refusal,
    },
    /// A notifier sends a NOTIFY of its own accord.
    Notify {
        serving: usize,
        word: Word,
        moved: bool,
    },
    /// A notifier forgets everything.
    Restart,
    Start,
    Refresh,
    /// The connection of the dialog is lost.
    LoseFlow,
    /// The subscription gets credentials of its own.
    Credentials,
    Unsubscribe,
}

impl Action {
    /// How many mishaps it uses up. If time passes while messages are under way, that is one.
    pub fn price(self, world: &World) -> u8 {
        let waits = matches!(self, Self::Due | Self::Late | Self::Expire(_))
            && world.subscription.deadline().is_some_and(|at| at > world.now)
            && !world.under_way.is_empty();
        u8::from(waits) + u8::from(self.is_mishap())
    }

    /// Whether it uses up a challenge.
    pub fn is_challenge(self) -> bool {
        match self {
            Self::Credentials => true,
            Self::Refuse { refusal, .. } | Self::AcceptBehind { refusal, .. } => Asks::of(refusal).is_some(),
            _ => false,
        }
    }

    /// Whether it can happen in the world of challenges: there one notifier accepts, and a refusal is permanent, a
    /// redirection, or a timeout.
    pub fn is_narrow(self) -> bool {
        match self {
            Self::Due
            | Self::Leave { .. }
            | Self::Hold { long: false }
            | Self::Arrive(_)
            | Self::ArriveTwice(_)
            | Self::Accept { fork: Fork::A, short: false, pending: false, .. }
            | Self::Notify { word: Word::Deactivated, .. }
            | Self::Start
            | Self::Refresh
            | Self::LoseFlow
            | Self::Credentials
            | Self::Unsubscribe => true,
            Self::AcceptBehind { refusal, .. } => Asks::of(refusal).is_some(),
            Self::Refuse { refusal, .. } => {
                !matches!(refusal, Refusal::TooBrief | Refusal::BadEvent | Refusal::Timeout | Refusal::Nothing)
            }
            Self::Late
            | Self::Expire(_)
            | Self::Stuck(_)
            | Self::Hold { .. }
            | Self::Lose { .. }
            | Self::Accept { .. }
            | Self::AcceptBoth { .. }
            | Self::Notify { .. }
            | Self::PassOver
            | Self::Restart => false,
        }
    }

    /// Whether it is one of the bounded number of mishaps (or of unneeded events).
    pub fn is_mishap(self) -> bool {
        match self {
            Self::Due
            | Self::Expire(_)
            | Self::Arrive(_)
            | Self::Start
            | Self::Credentials
            | Self::Unsubscribe
            | Self::Leave { word_later: false }
            | Self::Accept { fork: Fork::A, short: false, pending: false, .. }
            | Self::Refuse {
                refusal:
                    Refusal::Stale | Refusal::Unknown | Refusal::Known | Refusal::Proxy | Refusal::Old | Refusal::Strange,
                ..
            } => false,
            Self::Notify { word, moved, .. } => word != Word::Active || moved,
            Self::Late
            | Self::Leave { word_later: true }
            | Self::Stuck(_)
            | Self::Hold { .. }
            | Self::PassOver
            | Self::ArriveTwice(_)
            | Self::Lose { .. }
            | Self::Accept { .. }
            | Self::AcceptBoth { .. }
            | Self::AcceptBehind { .. }
            | Self::Refuse { .. }
            | Self::Restart
            | Self::Refresh
            | Self::LoseFlow => true,
        }
    }
}
