//! A breaker: it opens after failures in a row, and lets one request through to find out when it may close.

use std::time::Duration;

use super::GateLimits;
use crate::time::Millis;

/// How long those that wait come one after the other: a quarter of how long they wait.
pub(super) fn pause(time: Duration) -> Duration {
    (time / 4).max(Duration::from_millis(250))
}

/// A moment after `at`, another one for each that waits.
pub(super) fn spread(at: Millis, random: u64, time: Duration) -> Millis {
    let span = u64::try_from(pause(time).as_millis()).unwrap_or(u64::MAX);
    at.after(Duration::from_millis(random % span.saturating_add(1)))
}

/// The state of a breaker, as operators read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakerState {
    /// Requests pass.
    Closed,
    /// Requests are held.
    Open,
    /// One request is under way to find out; the others are held.
    Probing,
}

impl BreakerState {
    /// The word used in RPC.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::Probing => "probing",
        }
    }
}

/// The answer of a breaker to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Pass,
    /// It may leave, and its outcome decides.
    Probe,
    Wait(Millis),
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    Closed,
    Open { until: Millis },
    Probing { who: u64, by: Millis },
}

/// One destination's breaker.
#[derive(Clone, Copy, Debug)]
pub(super) struct Breaker {
    phase: Phase,
    failures: u32,
    /// How often it has opened since it was last closed.
    opened: u32,
}

impl Breaker {
    pub(super) const NEW: Self = Self { phase: Phase::Closed, failures: 0, opened: 0 };

    /// Whether a request of `who` may pass. Those that wait come back at different moments, so that they do not all
    /// find the one probe under way.
    pub(super) fn ask(&mut self, who: u64, random: u64, now: Millis, limits: &GateLimits) -> Verdict {
        let wait = |at: Millis| Verdict::Wait(spread(at, random, limits.breaker_time));
        match self.phase {
            Phase::Closed => Verdict::Pass,
            // It has opened before it was switched off.
            Phase::Open { .. } | Phase::Probing { .. } if limits.breaker_failures == 0 => {
                *self = Self::NEW;
                Verdict::Pass
            }
            Phase::Open { until } if now < until => wait(until),
            Phase::Probing { by, .. } if now < by => wait(now.after(pause(limits.breaker_time))),
            // Time is over, or the last probe was lost.
            Phase::Open { .. } | Phase::Probing { .. } => {
                self.phase = Phase::Probing { who, by: now.after(limits.probe_wait) };
                Verdict::Probe
            }
        }
    }

    /// There was an answer.
    pub(super) fn good(&mut self) {
        *self = Self::NEW;
    }

    /// A request of `who` has failed.
    pub(super) fn bad(&mut self, who: u64, now: Millis, limits: &GateLimits) {
        self.failures = self.failures.saturating_add(1);
        let trips = match self.phase {
            Phase::Closed => limits.breaker_failures > 0 && self.failures >= limits.breaker_failures,
            // A request that left before the breaker opened may fail later.
            Phase::Open { .. } => false,
            Phase::Probing { who: probe, .. } => who == probe,
        };
        if trips {
            let factor = 1u32.checked_shl(self.opened).unwrap_or(u32::MAX);
            let most = limits.breaker_most.max(limits.breaker_time);
            self.opened = self.opened.saturating_add(1);
            self.phase = Phase::Open { until: now.after(limits.breaker_time.saturating_mul(factor).min(most)) };
        }
    }

    /// A request of `who` was not sent after all. If it was the probe, the next request becomes the probe.
    pub(super) fn void(&mut self, who: u64, now: Millis) {
        if matches!(self.phase, Phase::Probing { who: probe, .. } if probe == who) {
            self.phase = Phase::Open { until: now };
        }
    }

    pub(super) fn failures(&self) -> u32 {
        self.failures
    }

    pub(super) fn state(&self) -> BreakerState {
        match self.phase {
            Phase::Closed => BreakerState::Closed,
            Phase::Open { .. } => BreakerState::Open,
            Phase::Probing { .. } => BreakerState::Probing,
        }
    }

    /// Whether it holds requests, or probes.
    pub(super) fn is_open(&self) -> bool {
        !matches!(self.phase, Phase::Closed)
    }

    /// Until when an open one holds all requests.
    pub(super) fn open_until(&self) -> Option<Millis> {
        match self.phase {
            Phase::Open { until } => Some(until),
            Phase::Closed | Phase::Probing { .. } => None,
        }
    }
}
