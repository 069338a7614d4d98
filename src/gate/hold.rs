//! A hold: a 503 with Retry-After speaks for the whole server, but not for longer than the operator allows.

use std::time::Duration;

use super::GateLimits;
use super::breaker::{Verdict, pause, spread};
use crate::time::Millis;

/// Nothing leaves until `probe_at`. Where the reply asked for more than is granted, one request at a time finds out from
/// then on whether it is meant.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hold {
    /// Until when the reply asks for a pause.
    until: Millis,
    /// When the next request may leave.
    probe_at: Millis,
    /// Whose request is under way to find out.
    probe: Option<u64>,
}

impl Hold {
    /// A 503 to a request of `who` asks for a pause. A longer hold is kept, and so is one that the probe of another
    /// subscription tests.
    pub(super) fn lengthen(hold: &mut Option<Self>, who: u64, asked: Duration, now: Millis, limits: &GateLimits) {
        let until = now.after(asked);
        let probe_at = now.after(asked.min(limits.hold_most));
        *hold = Some(match *hold {
            Some(old) if old.is_probed_by(who) => Self { until: old.until.max(until), probe_at, probe: None },
            Some(old) => Self { until: old.until.max(until), probe_at: old.probe_at.max(probe_at), probe: old.probe },
            None => Self { until, probe_at, probe: None },
        });
    }

    /// The request that was to find out brought nothing new.
    pub(super) fn put_off(hold: &mut Option<Self>, now: Millis, limits: &GateLimits) {
        if let Some(hold) = hold {
            (hold.probe, hold.probe_at) = (None, now.after(limits.hold_most));
        }
    }

    /// The request that was to find out was not sent: the next one is.
    pub(super) fn void(&mut self, now: Millis) {
        (self.probe, self.probe_at) = (None, now);
    }

    /// Whether a request of `who` may pass.
    pub(super) fn ask(&mut self, who: u64, random: u64, now: Millis, limits: &GateLimits) -> Verdict {
        if now >= self.until {
            return Verdict::Pass;
        }
        if now < self.probe_at {
            // Those that wait for the end all come then, and for a probe one after the other.
            let free = match self.probe {
                Some(_) => now.after(pause(limits.hold_most)),
                None => self.probe_at,
            };
            let is_end = free >= self.until;
            return Verdict::Wait(if is_end {
                self.until
            } else {
                spread(free, random, limits.hold_most).min(self.until)
            });
        }
        (self.probe, self.probe_at) = (Some(who), now.after(limits.probe_wait));
        Verdict::Probe
    }

    /// Whether a request of `who` is under way to find out.
    pub(super) fn is_probed_by(&self, who: u64) -> bool {
        self.probe == Some(who)
    }

    /// When the next request may leave.
    pub(super) fn free_at(&self) -> Millis {
        self.probe_at.min(self.until)
    }

    /// Whether it holds anything still.
    pub(super) fn is_over(&self, now: Millis) -> bool {
        self.until <= now
    }
}
