//! The state of one name.

use std::time::Duration;

use super::{BOUND, FIRST_PAUSE, LookupOutcome, QUICK};
use crate::memory::CutText;
use crate::time::Millis;

/// How much of a name is kept to be shown; a longer one is told apart by its hash all the same.
const SHOWN: usize = 64;

/// No place.
pub(super) const NOWHERE: u32 = u32::MAX;

/// How a name has behaved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Its newest lookup was quick.
    Quick,
    /// There was none yet.
    New,
    /// It took long.
    Slow,
}

impl Class {
    /// The word used in RPC.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Quick => "quick",
            Self::New => "new",
            Self::Slow => "slow",
        }
    }
}

/// One name. Plain data.
#[derive(Clone, Copy, Debug)]
pub(super) struct Name {
    pub(super) hash: u64,
    pub(super) zone: u64,
    text: CutText<SHOWN>,
    pub(super) class: Class,
    /// Failures that took long, in a row.
    failures: u8,
    /// A resolver is at it.
    pub(super) running: bool,
    /// No request has its turn before that time.
    pub(super) until: Millis,
    /// The requests that wait, the first and the last one.
    pub(super) first: u32,
    pub(super) last: u32,
    pub(super) waiting: u32,
    took: Duration,
    lookups: u64,
    failed: u64,
}

/// A name as operators see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameSnapshot {
    /// The name, or the address; a very long one is cut. `*` means those without room.
    pub name: String,
    /// How it has behaved.
    pub class: Class,
    /// Requests that wait.
    pub waiting: u32,
    /// Seconds until it may be tried again.
    pub held_for: u32,
    /// Milliseconds that its newest lookup took.
    pub took: u32,
    /// Lookups made.
    pub lookups: u64,
    /// Lookups that failed.
    pub failed: u64,
}

impl Name {
    pub(super) fn new(hash: u64, zone: u64, text: &[u8]) -> Self {
        Self {
            hash,
            zone,
            text: CutText::new(text),
            class: Class::New,
            failures: 0,
            running: false,
            until: Millis(0),
            first: NOWHERE,
            last: NOWHERE,
            waiting: 0,
            took: Duration::ZERO,
            lookups: 0,
            failed: 0,
        }
    }

    /// The entry of all names that have no entry of their own.
    pub(super) fn overflow() -> Self {
        Self { class: Class::Slow, ..Self::new(0, 0, b"*") }
    }

    pub(super) fn is(&self, hash: u64, text: &[u8]) -> bool {
        self.hash == hash && self.text.begins(text)
    }

    /// Whether another name may take its place.
    pub(super) fn is_idle(&self, now: Millis) -> bool {
        self.waiting == 0 && !self.running && self.until <= now
    }

    /// Whether anything was ever to be looked up.
    pub(super) fn is_used(&self) -> bool {
        self.lookups > 0 || self.waiting > 0 || self.running
    }

    /// How long the name servers may take.
    pub(super) fn bound(&self) -> Duration {
        BOUND.saturating_mul(1 << self.failures.min(2))
    }

    /// Learns from a lookup.
    pub(super) fn learn(&mut self, outcome: LookupOutcome, took: Duration, now: Millis, longest: Duration) {
        self.running = false;
        let has_failed = match outcome {
            LookupOutcome::Nothing => return,
            // tm says nothing of a connection that could not be made.
            LookupOutcome::Left => took >= BOUND,
            LookupOutcome::Failed => true,
        };
        self.lookups = self.lookups.saturating_add(1);
        self.failed = self.failed.saturating_add(u64::from(has_failed));
        self.took = took;
        self.class = if took <= QUICK { Class::Quick } else { Class::Slow };
        if self.class == Class::Slow && has_failed {
            let factor = 1u32.checked_shl(self.failures.into()).unwrap_or(u32::MAX);
            self.failures = self.failures.saturating_add(1);
            self.until = now.after(FIRST_PAUSE.saturating_mul(factor).min(longest));
        } else {
            self.failures = 0;
            self.until = Millis(0);
        }
    }

    pub(super) fn snapshot(&self, now: Millis) -> NameSnapshot {
        let held = self.until.since(now);
        NameSnapshot {
            name: self.text.shown(),
            class: self.class,
            waiting: self.waiting,
            held_for: u32::try_from(held.as_millis().div_ceil(1000)).unwrap_or(u32::MAX),
            took: u32::try_from(self.took.as_millis()).unwrap_or(u32::MAX),
            lookups: self.lookups,
            failed: self.failed,
        }
    }
}
