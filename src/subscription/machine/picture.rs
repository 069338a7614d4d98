//! For tests: everything a subscription's future depends on.

use super::super::dialog::Dialog;
use super::super::input::{Flow, Socket};
use super::super::marks::Heard;
use super::super::output::Status;
use super::super::proxies::Proxies;
use super::super::state::{Awaits, State};
use super::super::version::{Completeness, Versions};
use super::{Promise, Subscription};
use crate::memory::SharedAlloc;
use crate::time::Millis;

/// A subscription as seen from a moment: two with equal pictures behave alike from then on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Picture {
    pub state: State,
    pub deadline: Option<Millis>,
    pub last_sent: Option<Millis>,
    pub local_cseq: u32,
    pub requested_expires: u32,
    pub min_expires: u32,
    /// It waits for what an earlier run of the server has brought about.
    pub in_grace: bool,
    /// Refreshes that refused NOTIFYs have brought, whether another one is due, and not before when.
    pub early: (u8, bool, Option<Millis>),
    /// The end of what a dialog was granted that was left, and the deadline beside it.
    pub left: Option<(Millis, Option<Millis>)>,
    pub retries: u32,
    pub losses: u8,
    pub status: Option<Status>,
    pub widened: bool,
    /// The promise to the next request, and whether a hold has been told.
    pub(in super::super) held: (Promise, bool),
    /// Repetitions after challenges: how many, of old nonces, and whether the next request is one.
    pub auth_attempts: (u8, u8, bool),
    /// Realms that have challenged: texts, uses of the nonce, whether the request at hand answers it.
    pub sessions: Vec<(Vec<Vec<u8>>, u32, bool)>,
    pub own_credentials: Option<[Vec<u8>; 2]>,
    pub source: Option<Vec<u8>>,
    pub led_to: Option<Vec<u8>>,
    /// The newest reply was a challenge.
    pub challenged: bool,
    /// Expires of its own, and the deadline of a fetch.
    pub kept: (Option<u32>, Option<Millis>),
    pub proxies: Proxies,
    /// The one being tried, and all.
    pub targets: Option<[Vec<Vec<u8>>; 2]>,
    /// The proxy of a 305, once one has been named.
    pub via: Option<Vec<u8>>,
    pub dialog: Option<DialogPicture>,
    /// Tags and reasons of forks that ended first.
    pub gone: Vec<[Vec<u8>; 2]>,
    pub fork: u8,
    pub opened: Millis,
}

/// Its dialog.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DialogPicture {
    pub call_id: Vec<u8>,
    pub local_tag: Vec<u8>,
    pub remote_tag: Vec<u8>,
    pub target: Vec<u8>,
    pub route_set: Vec<u8>,
    pub socket: Option<Socket>,
    pub flow: Option<Flow>,
    pub expiry: Option<Millis>,
    pub remote_cseq: Option<u32>,
    pub target_told: bool,
    pub requests: u8,
    pub entity_tag: Vec<u8>,
    pub(in super::super) versions: Versions,
    pub(in super::super) outcome: (Heard, bool, Completeness),
}

impl Picture {
    /// The instant that means "now".
    pub const NOW: Millis = Millis(1 << 40);
}

impl<A: SharedAlloc> Subscription<A> {
    /// Where its memory comes from.
    pub fn allocator(&self) -> &A {
        &self.alloc
    }

    /// All that its future depends on, with times relative to `now`.
    pub fn picture(&self, now: Millis) -> Picture {
        let seen = |at: Millis| Millis(Picture::NOW.0.saturating_add(at.0).saturating_sub(now.0));
        Picture {
            state: match self.state() {
                State::Confirmed { next, awaits } => State::Confirmed {
                    next: seen(next),
                    awaits: match awaits {
                        Awaits::FirstNotify { by } => Awaits::FirstNotify { by: seen(by) },
                        Awaits::LastNotify { by } => Awaits::LastNotify { by: seen(by) },
                        Awaits::Nothing | Awaits::Retry | Awaits::Expiry => awaits,
                    },
                },
                State::Resubscription { notify_by } => State::Resubscription { notify_by: notify_by.map(seen) },
                state => state,
            },
            deadline: self.deadline.get().map(seen),
            last_sent: self.last_sent.get().map(seen),
            local_cseq: self.local_cseq,
            requested_expires: self.requested_expires,
            min_expires: self.min_expires(),
            in_grace: self.is_in_grace(),
            early: self.extras.as_deref().map_or((0, false, None), |extras| {
                let not_before = Some(extras.early.not_before).filter(|at| *at > now);
                (extras.early.count, extras.early.is_due, not_before.map(seen))
            }),
            left: self.left_until().map(|until| (seen(until), self.planned().map(seen))),
            retries: self.retries.into(),
            losses: self.losses(),
            status: self.status,
            widened: self.widened,
            held: (self.turn, self.told_held),
            auth_attempts: (self.auth_attempts.count(), self.auth_attempts.stales(), self.auth_attempts.goes_on),
            sessions: self.sessions().map(|sessions| sessions.picture()).unwrap_or_default(),
            led_to: self.led_to().map(<[u8]>::to_vec),
            own_credentials: self.own_credentials().map(|own| [0, 1].map(|part| own.get(part).to_vec())),
            source: self.source().map(<[u8]>::to_vec),
            challenged: matches!(self.last_reply, 401 | 407),
            kept: (self.terms().expires, self.fetch_until().map(seen)),
            proxies: self.proxies,
            targets: self.targets().map(|targets| {
                let owned = |uris: &mut dyn Iterator<Item = &[u8]>| uris.map(<[u8]>::to_vec).collect();
                [owned(&mut targets.current().into_iter()), owned(&mut targets.iter())]
            }),
            via: self.targets().filter(|targets| targets.is_rerouted()).map(|targets| targets.via().to_vec()),
            dialog: self.dialog.as_ref().map(|dialog| DialogPicture {
                call_id: dialog.call_id().to_vec(),
                local_tag: dialog.local_tag().to_vec(),
                remote_tag: dialog.remote_tag().to_vec(),
                target: dialog.target().to_vec(),
                route_set: dialog.route_set().to_vec(),
                socket: dialog.socket(),
                flow: dialog.flow(),
                expiry: dialog.expiry().map(seen),
                remote_cseq: Dialog::remote_cseq(dialog),
                target_told: dialog.is_target_told(),
                requests: dialog.requests(),
                entity_tag: dialog.entity_tag().to_vec(),
                versions: dialog.versions(),
                outcome: dialog.outcome(),
            }),
            gone: self
                .ended_forks()
                .iter()
                .map(|fork| [0, 1].map(|part| fork.tag_and_reason.get(part).to_vec()))
                .collect(),
            fork: self.fork,
            opened: seen(self.opening()),
        }
    }
}
