//! The parameters that can change while the server runs, as all processes see them.

use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};
use std::time::Duration;

use super::parameters::SharedIntegers;
use super::{Integers, duration};

/// The newest value of each integer parameter: plain numbers, to be placed in shared memory before the fork.
#[derive(Debug)]
pub struct Live {
    values: SharedIntegers,
    changes: AtomicU32,
}

impl Live {
    /// With these values, in the order of [`Integers::NAMES`].
    #[must_use]
    pub fn new(values: [i32; Integers::COUNT]) -> Self {
        Self { values: SharedIntegers::new(values), changes: AtomicU32::new(0) }
    }

    /// How often values have changed. What was made of the values is to be made again when this has moved.
    #[must_use]
    pub fn changes(&self) -> u32 {
        self.changes.load(Ordering::Acquire)
    }

    /// Takes newer values, one process at a time, and gives the ones before; `None` if none is different. Otherwise [`Live::told`] must
    /// follow.
    #[must_use]
    pub fn take(&self, values: [i32; Integers::COUNT]) -> Option<Integers> {
        let before = self.values.load();
        if before == values {
            return None;
        }
        self.values.store(values);
        Some(Integers::of(before))
    }

    /// From now on [`Live::changes`] says that there were some.
    pub fn told(&self) {
        self.changes.fetch_add(1, Ordering::Release);
    }

    /// All of them.
    #[must_use]
    pub fn integers(&self) -> Integers {
        Integers::of(self.values.load())
    }

    /// `handle_presence_subscriptions`: whether the SIP user agent answers internal subscriptions.
    #[must_use]
    pub fn handle_presence_subscriptions(&self) -> bool {
        is_set(&self.values.handle_presence_subscriptions)
    }

    /// `max_body`: most bytes of the body of a NOTIFY.
    #[must_use]
    pub fn max_body(&self) -> usize {
        number(&self.values.max_body) as usize
    }

    /// `stateless_answers`: whether a NOTIFY for which the script has made no transaction is answered without one, if that can be done.
    #[must_use]
    pub fn stateless_answers(&self) -> bool {
        is_set(&self.values.stateless_answers)
    }

    /// `check_bodies`: whether a document is looked into before its NOTIFY is answered.
    #[must_use]
    pub fn check_bodies(&self) -> bool {
        is_set(&self.values.check_bodies)
    }

    /// `max_subscriptions`: most subscriptions at a time; 0 = as many as the memory holds.
    #[must_use]
    pub fn max_subscriptions(&self) -> u32 {
        number(&self.values.max_subscriptions)
    }

    /// `queue_limit`: most messages waiting for the event route, for each worker.
    #[must_use]
    pub fn queue_limit(&self) -> u32 {
        number(&self.values.queue_limit)
    }

    /// `queue_bytes`: most bytes of messages waiting in one queue.
    #[must_use]
    pub fn queue_bytes(&self) -> usize {
        number(&self.values.queue_bytes) as usize
    }

    /// `subscription_queue_bytes`: most bytes of messages of one subscription waiting in its queue.
    #[must_use]
    pub fn subscription_queue_bytes(&self) -> usize {
        number(&self.values.subscription_queue_bytes) as usize
    }

    /// `max_memory`, in bytes: most shared memory for the module; 0 = no limit.
    #[must_use]
    pub fn max_memory(&self) -> usize {
        (number(&self.values.max_memory) as usize) << 20
    }

    /// `destination_rate`: SUBSCRIBEs a second to one destination; 0 = unlimited.
    #[must_use]
    pub fn destination_rate(&self) -> u32 {
        number(&self.values.destination_rate)
    }

    /// `total_rate`: SUBSCRIBEs a second to all; 0 = unlimited.
    #[must_use]
    pub fn total_rate(&self) -> u32 {
        number(&self.values.total_rate)
    }

    /// `breaker_failures`: failures in a row after which a destination is left alone; 0 = never.
    #[must_use]
    pub fn breaker_failures(&self) -> u32 {
        number(&self.values.breaker_failures)
    }

    /// `breaker_time`: for how long, the first time.
    #[must_use]
    pub fn breaker_time(&self) -> Duration {
        seconds(&self.values.breaker_time)
    }

    /// `destination_hold_max`: the longest that a Retry-After holds a destination without a probe.
    #[must_use]
    pub fn destination_hold_max(&self) -> Duration {
        seconds(&self.values.destination_hold_max)
    }

    /// `publish_expires`: how long the presence server keeps a published state that is not renewed.
    #[must_use]
    pub fn publish_expires(&self) -> Duration {
        seconds(&self.values.publish_expires)
    }

    /// `db_flush_interval`: the time between two writes.
    #[must_use]
    pub fn db_flush_interval(&self) -> Duration {
        Duration::from_millis(number(&self.values.db_flush_interval).into())
    }

    /// `db_batch`: the most rows of one write.
    #[must_use]
    pub fn db_batch(&self) -> usize {
        number(&self.values.db_batch) as usize
    }

    /// `adoption_time`: how long a subscription of a C module waits for that module after a start.
    #[must_use]
    pub fn adoption_time(&self) -> Duration {
        seconds(&self.values.adoption_time)
    }
}

fn number(cell: &AtomicI32) -> u32 {
    cell.load(Ordering::Relaxed).unsigned_abs()
}

fn is_set(cell: &AtomicI32) -> bool {
    cell.load(Ordering::Relaxed) != 0
}

fn seconds(cell: &AtomicI32) -> Duration {
    duration(cell.load(Ordering::Relaxed))
}
