//! What a worker does before it ends with the server.

use std::ops::ControlFlow;
use std::time::Duration;

use super::Engine;
use super::store::orphan_of;
use super::worker::WorkFound;
use crate::config::OnShutdown;
use crate::host::process::LastWords;

/// How long subscriptions are ended (`on_shutdown`).
const LONGEST_FAREWELL: Duration = Duration::from_secs(5);

/// How long a worker rests that has nothing to send before the next turn of a rate.
const REST: Duration = Duration::from_millis(5);

/// Of each worker.
pub(super) const LAST_WORDS: LastWords = LastWords { is_wanted, say, seconds: 7 };

/// Runs in a signal handler.
fn is_wanted() -> bool {
    super::engine().is_some_and(|engine| engine.ends_at_stop() || engine.takes_back_at_stop())
}

fn say() {
    let Some(engine) = super::engine() else { return };
    if engine.takes_back_at_stop() {
        engine.take_all_back();
    }
    if engine.ends_at_stop() {
        engine.end_all();
    }
}

impl Engine {
    fn ends_at_stop(&self) -> bool {
        self.config.on_shutdown == OnShutdown::Unsubscribe && !self.registry.is_empty()
    }

    /// Ends all subscriptions, as far as the rates and the time allow. All workers do so together.
    fn end_all(&self) {
        let end = Self::now().after(LONGEST_FAREWELL);
        let mut subscriptions = Vec::new();
        self.registry.visit(|handle, _, owner| {
            subscriptions.push((handle, owner.subscription, orphan_of(owner.queue).is_some()));
            ControlFlow::Continue(())
        });
        for (handle, subscription, is_orphan) in subscriptions {
            if is_orphan {
                self.end(handle);
            }
            // Another worker may have ended it.
            let _ = self.hub.unsubscribe(subscription);
            if Self::now() > end {
                return;
            }
        }
        while Self::now() < end && !self.registry.is_empty() {
            match self.step_what_is_due(0, |_| ()) {
                WorkFound::Nothing if self.registry.next_due().is_none_or(|due| due > end) => return,
                WorkFound::Nothing | WorkFound::Done => std::thread::sleep(REST),
                WorkFound::More => {}
            }
        }
    }
}
