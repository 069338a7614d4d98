//! The memory that the module has of the server, its limit, and the report when there is no more.
#![forbid(unsafe_code)]

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

use super::alloc::OutOfMemory;
use super::seldom::Seldom;

/// Counts the bytes that the server has given and those that the limit has refused, in shared memory.
#[derive(Debug)]
pub struct Ledger {
    used: AtomicUsize,
    /// 0 for no limit.
    most: AtomicUsize,
    /// How often the limit has refused more.
    refused: Seldom,
    /// Whether the limit refused memory the last time, and not the server.
    was_limit: AtomicBool,
}

/// The blocks that the server gave, in bytes; what its allocator adds to each is not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Bytes that the module has.
    pub used: usize,
    /// Bytes that it may have; 0 for no limit.
    pub most: usize,
    /// The cause of the last refusal.
    pub cause: Cause,
}

/// The cause of a refusal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cause {
    /// The server has none left in one piece.
    #[default]
    Server,
    /// The module's own limit.
    Limit,
}

/// Seconds between two messages about the limit.
const PAUSE: u64 = 60;

impl Ledger {
    /// Nothing yet, and never more than `most` bytes; 0 for no limit.
    #[must_use]
    pub fn new(most: usize) -> Self {
        let (used, refused, was_limit) = (AtomicUsize::new(0), Seldom::default(), AtomicBool::new(false));
        Self { used, most: AtomicUsize::new(most), refused, was_limit }
    }

    /// Changes the limit; 0 for none. What is in use stays.
    pub fn set_most(&self, most: usize) {
        self.most.store(most, Relaxed);
    }

    /// Counts `size` bytes more; before the server is asked for them.
    ///
    /// # Errors
    /// [`OutOfMemory`] when the limit refuses them: they are not counted.
    pub fn take(&self, size: usize) -> Result<(), OutOfMemory> {
        let used = self.used.fetch_add(size, Relaxed).saturating_add(size);
        let most = self.most.load(Relaxed);
        if most != 0 && used > most {
            self.give_back(size);
            self.refused.count(1);
            self.was_limit.store(true, Relaxed);
            return Err(OutOfMemory);
        }
        Ok(())
    }

    /// The server has none of the `size` bytes that were counted.
    pub fn server_refuses(&self, size: usize) {
        self.give_back(size);
        self.was_limit.store(false, Relaxed);
    }

    /// The server has `size` bytes back.
    pub fn give_back(&self, size: usize) {
        self.used.fetch_sub(size, Relaxed);
    }

    /// The counters now.
    #[must_use]
    pub fn usage(&self) -> Usage {
        let cause = if self.was_limit.load(Relaxed) { Cause::Limit } else { Cause::Server };
        Usage { used: self.used.load(Relaxed), most: self.most.load(Relaxed), cause }
    }

    /// The log line about refusals by the limit since the last such line: at most once a minute, and for one process only.
    #[must_use]
    pub fn refusals(&self, now_seconds: u64) -> Option<String> {
        let times = self.refused.news(PAUSE, now_seconds)?;
        let Usage { used, most, .. } = self.usage();
        Some(format!(
            "modparam max_memory is reached: {used} of {most} bytes are in use, and requests for more were refused {times} \
             times: raise it, or lower max_subscriptions or queue_bytes"
        ))
    }
}

/// The remedy if there is no memory; it depends on the limit that was reached.
impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { used, most, cause } = self;
        match cause {
            Cause::Limit => write!(
                f,
                "The module may use {most} bytes (modparam max_memory) and has {used}: raise max_memory, or lower max_subscriptions \
                 or queue_bytes"
            ),
            Cause::Server => write!(
                f,
                "The module has {used} bytes of it (memory in presence_b2b.trace; max_memory is {most}, 0 for no limit): enlarge it \
                 with the server's option -m; if the module has most of it, set max_memory, max_subscriptions or queue_bytes"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_refuses_and_what_is_refused_is_not_counted() {
        let ledger = Ledger::new(100);
        assert_eq!((ledger.take(60), ledger.take(41), ledger.take(40)), (Ok(()), Err(OutOfMemory), Ok(())));
        assert_eq!(ledger.usage(), Usage { used: 100, most: 100, cause: Cause::Limit });
        ledger.give_back(60);
        ledger.take(5).unwrap();
        ledger.server_refuses(5);
        assert_eq!(ledger.usage(), Usage { used: 40, most: 100, cause: Cause::Server });
        let unlimited = Ledger::new(0);
        assert_eq!(unlimited.take(usize::MAX / 2), Ok(()));
    }

    #[test]
    fn refusals_are_told_once_a_minute() {
        let ledger = Ledger::new(10);
        assert_eq!(ledger.refusals(5), None);
        (0..3).for_each(|_| assert!(ledger.take(11).is_err()));
        let said = ledger.refusals(5).unwrap();
        assert!(said.contains("0 of 10 bytes") && said.contains("refused 3 times"), "{said}");
        assert!(ledger.take(11).is_err());
        assert_eq!(ledger.refusals(64), None);
        assert!(ledger.refusals(65).unwrap().contains("refused 1 times"));
        assert_eq!(ledger.refusals(1000), None);
    }

    #[test]
    fn the_advice_is_about_the_limit_that_was_met() {
        let usage = Usage { used: 7, most: 9, cause: Cause::Limit };
        assert!(usage.to_string().starts_with("The module may use 9 bytes"));
        assert!(Usage { cause: Cause::Server, ..usage }.to_string().contains("option -m"));
    }
}
