//! How often times were seen, in shared memory and without a lock.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Each doubling has eight buckets: up to a minute.
const BUCKETS: usize = 8 * 36;

/// How often a time (in nanoseconds) was seen, give or take an eighth.
pub struct Histogram([AtomicU64; BUCKETS]);

impl Default for Histogram {
    fn default() -> Self {
        Self([const { AtomicU64::new(0) }; BUCKETS])
    }
}

impl Histogram {
    /// Counts one more.
    pub fn add(&self, nanos: u64) {
        if let Some(bucket) = self.0.get(bucket_of(nanos)).or(self.0.last()) {
            bucket.fetch_add(1, Relaxed);
        }
    }

    /// The times that half, 99 of 100 and 999 of 1000 do not exceed; forgets all.
    pub fn take(&self) -> [u64; 3] {
        let counts: Vec<u64> = self.0.iter().map(|bucket| bucket.swap(0, Relaxed)).collect();
        let all: u64 = counts.iter().sum();
        [500, 990, 999].map(|part| {
            let mut left = (all * part).div_ceil(1000);
            let reached = counts.iter().position(|count| {
                left = left.saturating_sub(*count);
                left == 0
            });
            reached.filter(|_| all > 0).map_or(0, end_of)
        })
    }
}

/// The exponent of two and the three bits behind the leading one; below eight, the number itself.
fn bucket_of(nanos: u64) -> usize {
    let shift = nanos.max(8).ilog2() - 3;
    8 * shift as usize + (nanos >> shift) as usize
}

/// The largest number of a bucket.
fn end_of(bucket: usize) -> u64 {
    if bucket < 16 {
        return bucket as u64;
    }
    let shift = bucket / 8 - 1;
    ((bucket % 8 + 8 + 1) as u64) * (1 << shift) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_follow_each_other() {
        for nanos in (0..5000).chain([1 << 20, (1 << 36) - 1]) {
            let bucket = bucket_of(nanos);
            assert!(nanos <= end_of(bucket) && (bucket == 0 || nanos > end_of(bucket - 1)), "{nanos} in {bucket}");
        }
        assert!(bucket_of((1 << 36) - 1) < BUCKETS);
    }

    #[test]
    fn quantiles_are_taken_once() {
        let histogram = Histogram::default();
        assert_eq!(histogram.take(), [0; 3]);
        (1..=100).for_each(|nanos| histogram.add(nanos * 1000));
        histogram.add(u64::MAX);
        let [half, most, longest] = histogram.take();
        assert!((51_000..58_000).contains(&half) && (99_000..113_000).contains(&most), "{half} {most}");
        assert!(longest >= 1 << 36, "{longest}");
        assert_eq!(histogram.take(), [0; 3]);
    }
}
