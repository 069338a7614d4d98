//! What is counted of all subscriptions: SUBSCRIBEs by kind, replies by class, NOTIFYs by what became of them.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::Engine;
use super::waits::Waits;
use crate::subscription::{RequestKind, Untold};

/// In shared memory. What each NOTIFY counts has a cache line of its own.
#[derive(Default)]
pub(super) struct Counters {
    accepted: Lone,
    untold: [AtomicU64; Untold::ALL.len()],
    refused: [AtomicU64; RefusedFor::COUNT],
    subscribes: [AtomicU64; 4],
    replies: [AtomicU64; ReplyClass::COUNT],
    pub(super) waits: Waits,
}

#[derive(Default)]
#[repr(align(64))]
struct Lone(AtomicU64);

/// Why a NOTIFY was [`Untold::Refused`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusedFor {
    /// 400: it breaks a rule of SIP or of its format.
    Malformed,
    /// 489: its Event header is not the subscription's.
    Event,
    /// 415: its body has a type that is not accepted, or an encoding.
    Type,
    /// 413: its body is too large.
    Size,
    /// 420: it requires an extension.
    Extension,
    /// 503: there is no memory, or no room for another fork.
    Room,
    /// It is of a fork that is not taken: the script answers it.
    Fork,
    /// 200: it was the last one, and was accepted without its body.
    Body,
}

impl RefusedFor {
    const COUNT: usize = 8;

    /// By the code of the answer; `None` if the module gives none.
    fn of(code: Option<u16>) -> Self {
        match code {
            None => Self::Fork,
            Some(200) => Self::Body,
            Some(413) => Self::Size,
            Some(415) => Self::Type,
            Some(420) => Self::Extension,
            Some(489) => Self::Event,
            Some(503) => Self::Room,
            Some(_) => Self::Malformed,
        }
    }
}

/// How a SUBSCRIBE was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplyClass {
    /// 2xx.
    Success,
    /// 3xx.
    Redirection,
    /// 4xx.
    RequestFailure,
    /// 5xx.
    ServerFailure,
    /// 6xx.
    GlobalFailure,
    /// There was no reply in time, or the server has made one up.
    None,
}

impl ReplyClass {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Success, Self::Redirection, Self::RequestFailure, Self::ServerFailure, Self::GlobalFailure, Self::None];

    pub(super) const COUNT: usize = Self::ALL.len();

    /// Its name in a metric.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Success => "2xx",
            Self::Redirection => "3xx",
            Self::RequestFailure => "4xx",
            Self::ServerFailure => "5xx",
            Self::GlobalFailure => "6xx",
            Self::None => "none",
        }
    }

    /// Of a final reply that somebody has sent.
    pub(super) fn of(code: u16) -> Self {
        match code {
            300..=399 => Self::Redirection,
            400..=499 => Self::RequestFailure,
            500..=599 => Self::ServerFailure,
            600.. => Self::GlobalFailure,
            _ => Self::Success,
        }
    }
}

fn add(counts: &[AtomicU64], place: usize) {
    if let Some(count) = counts.get(place) {
        count.fetch_add(1, Relaxed);
    }
}

fn read(counts: &[AtomicU64], place: usize) -> u64 {
    counts.get(place).map_or(0, |count| count.load(Relaxed))
}

impl Counters {
    pub(super) fn count_accepted(&self) {
        self.accepted.0.fetch_add(1, Relaxed);
    }

    /// A NOTIFY was not told, and answered with this code, if the module has answered it.
    pub(super) fn count_untold(&self, why: Untold, code: Option<u16>) {
        add(&self.untold, why as usize);
        if why == Untold::Refused {
            add(&self.refused, RefusedFor::of(code) as usize);
        }
    }

    /// A SUBSCRIBE has left.
    pub(super) fn count_subscribe(&self, kind: RequestKind) {
        add(&self.subscribes, kind as usize);
    }

    pub(super) fn count_reply(&self, class: ReplyClass) {
        add(&self.replies, class as usize);
    }
}

impl Engine {
    /// How many NOTIFYs were accepted, repetitions not counted.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.counters.accepted.0.load(Relaxed)
    }

    /// How many NOTIFYs were not told for this reason.
    #[must_use]
    pub fn untold(&self, why: Untold) -> u64 {
        read(&self.counters.untold, why as usize)
    }

    /// How many NOTIFYs were refused for this.
    #[must_use]
    pub fn refused(&self, why: RefusedFor) -> u64 {
        read(&self.counters.refused, why as usize)
    }

    /// How many SUBSCRIBEs of this kind have left.
    #[must_use]
    pub fn subscribes(&self, kind: RequestKind) -> u64 {
        read(&self.counters.subscribes, kind as usize)
    }

    /// How many SUBSCRIBEs were answered so.
    #[must_use]
    pub fn replies(&self, class: ReplyClass) -> u64 {
        read(&self.counters.replies, class as usize)
    }

    /// How late the deadline is that should have been served first, in milliseconds; 0 if none is late.
    #[must_use]
    pub fn lag(&self) -> u64 {
        let late = self.registry.next_due().map(|at| Self::now().since(at));
        late.map_or(0, |late| u64::try_from(late.as_millis()).unwrap_or(u64::MAX))
    }
}
