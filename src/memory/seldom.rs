//! Counts frequent events, and says once in a while how often they have happened.
#![forbid(unsafe_code)]

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts in shared memory.
#[derive(Debug, Default)]
pub struct Seldom {
    /// Since it was last said.
    times: AtomicU64,
    /// When that was, in seconds of the clock; 0 for never.
    said: AtomicU64,
}

impl Seldom {
    /// Counts so many.
    pub fn count(&self, times: u64) {
        self.times.fetch_add(times, Ordering::Relaxed);
    }

    /// How many there were since the last report, if that was `pause` seconds before `now`. Of all that ask at the same time, one
    /// is to say it.
    #[must_use]
    pub fn news(&self, pause: u64, now: u64) -> Option<u64> {
        if self.times.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let said = self.said.load(Ordering::Relaxed);
        if said != 0 && now < said.saturating_add(pause) {
            return None;
        }
        self.said.compare_exchange(said, now.max(1), Ordering::Relaxed, Ordering::Relaxed).ok()?;
        Some(self.times.swap(0, Ordering::Relaxed)).filter(|times| *times > 0)
    }

    /// Counts so many, and gives the [news](Seldom::news).
    #[must_use]
    pub fn note(&self, times: u64, pause: u64, now: u64) -> Option<u64> {
        self.count(times);
        self.news(pause, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_said_at_once_and_then_once_in_a_while() {
        let seldom = Seldom::default();
        assert_eq!(seldom.note(1, 10, 100), Some(1));
        for second in 100..110 {
            assert_eq!(seldom.note(3, 10, second), None, "{second}");
        }
        assert_eq!(seldom.note(1, 10, 110), Some(31));
        assert_eq!((seldom.note(1, 10, 119), seldom.note(1, 10, 500)), (None, Some(2)));
    }

    #[test]
    fn of_many_one_says_it_and_none_is_lost() {
        let seldom = Seldom::default();
        let work = || (0..1000).filter_map(|_| seldom.note(1, 10, 7)).collect::<Vec<_>>();
        let said: Vec<u64> = std::thread::scope(|scope| {
            let all: Vec<_> = (0..4).map(|_| scope.spawn(work)).collect();
            all.into_iter().flat_map(|one| one.join().unwrap()).collect()
        });
        assert_eq!(said.len(), 1, "{said:?}");
        assert_eq!(said.iter().sum::<u64>() + seldom.note(0, 10, 17).unwrap(), 4000);
    }
}
