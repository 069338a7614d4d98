//! NOTIFYs that are not told are counted, for each subscription and for all, and the first of each kind is logged.

use super::Engine;
use crate::host::log;
use crate::host::shm::Shm;
use crate::qsa::{Outcome, Pushed};
use crate::registry::Handle;
use crate::subscription::{Input, Instant, Output, Untold};
use std::sync::atomic::{AtomicU64, Ordering};

/// How many there were of all subscriptions, by [reason](Untold::ALL).
#[derive(Default)]
pub(super) struct Counters([AtomicU64; Untold::ALL.len()]);

impl Engine {
    /// How many NOTIFYs were not told for this reason.
    #[must_use]
    pub fn untold(&self, why: Untold) -> u64 {
        self.untold.0.get(why as usize).map_or(0, |count| count.load(Ordering::Relaxed))
    }

    /// Counts for all what a step has counted for its subscription, and logs the first.
    pub(super) fn note_untold(&self, handle: Handle, output: &Output) {
        let Some((why, is_first)) = output.untold else { return };
        if let Some(count) = self.untold.0.get(why as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        if !is_first {
            return;
        }
        let record = self.registry.view(handle, |subscription, _| subscription.record().escape_ascii().to_string());
        let of = format!("{} (subscription {})", record.unwrap_or_default(), handle.id());
        let more = "further ones are only counted: see presence_b2b.show";
        match why {
            Untold::Refused => log::warn(&format!("a NOTIFY of {of} is refused or its body is; {more}")),
            Untold::Stale => {
                log::warn(&format!(
                    "a NOTIFY of {of} has a CSeq that is not higher than the last, and is refused; {more}"
                ));
            }
            Untold::Repeated => log::info(&format!("a NOTIFY of {of} came again; {more}")),
            Untold::Merged => log::warn(&format!(
                "a state of {of} is not told, as the queue is full and a newer one takes its place; {more}"
            )),
        }
    }

    /// Counts one that was not handed in.
    pub(super) fn count_untold(&self, handle: Handle, why: Untold) {
        let nothing = |_, _: &Output, _: &mut super::Owner| {};
        if let Ok(Some(stepped)) = self.registry.step(handle, Input::Untold(why), Self::now(), &self.env(), nothing) {
            self.note_untold(stepped.handle, &stepped.output);
        }
    }

    /// What a step needs done once the shard's lock is released, as [`Engine::settle`]; what the queue had no room for is counted.
    pub(super) fn settle_step(&self, handle: Handle, wake: Option<Instant>, pushed: Option<Pushed<Shm>>) {
        let is_lost = pushed.as_ref().is_some_and(|pushed| matches!(pushed.outcome, Outcome::Merged | Outcome::Lost));
        self.settle(wake, pushed);
        if is_lost {
            self.count_untold(handle, Untold::Merged);
        }
    }
}
