//! Medians, quantiles and ratios.

/// What several rounds of one thing gave.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// The middle value.
    pub median: f64,
    /// The smallest value.
    pub min: f64,
    /// The largest value.
    pub max: f64,
}

impl Sample {
    /// A thing that was measured once, or that does not vary.
    pub fn single(value: f64) -> Sample {
        Sample { median: value, min: value, max: value }
    }

    /// Of one round each; `None` without any round.
    pub fn of(rounds: &[f64]) -> Option<Sample> {
        let mut sorted = rounds.to_vec();
        sorted.sort_by(f64::total_cmp);
        Some(Sample { median: quantile(&sorted, 0.5)?, min: *sorted.first()?, max: *sorted.last()? })
    }

    /// The ratio of two things measured side by side, round by round: what slows the machine in one round slows both.
    pub fn ratio(over: &[f64], under: &[f64]) -> Option<Sample> {
        let rounds: Vec<f64> = over.iter().zip(under).map(|(over, under)| over / under).collect();
        Sample::of(&rounds)
    }
}

/// The value below which `part` (0 to 1) of the sorted values lie, between two neighbours where it falls between them.
pub fn quantile(sorted: &[f64], part: f64) -> Option<f64> {
    let place = part * (sorted.len().checked_sub(1)? as f64);
    let (below, above) = (*sorted.get(place.floor() as usize)?, *sorted.get(place.ceil() as usize)?);
    Some(below + (above - below) * place.fract())
}

/// The value below which `part` of a histogram lies: `(lower end of the bucket, count)`, ascending.
pub fn quantile_of_buckets(buckets: &[(f64, u64)], part: f64) -> Option<f64> {
    let all: u64 = buckets.iter().map(|(_, count)| count).sum();
    let wanted = (part * all as f64).ceil().max(1.0) as u64;
    let mut seen = 0;
    buckets.iter().find_map(|(low, count)| {
        seen += count;
        (seen >= wanted).then_some(*low)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_the_middle_and_the_ends() {
        assert_eq!(Sample::of(&[]), None);
        assert_eq!(Sample::of(&[3.0]), Some(Sample::single(3.0)));
        assert_eq!(Sample::of(&[9.0, 1.0, 2.0]), Some(Sample { median: 2.0, min: 1.0, max: 9.0 }));
        assert_eq!(Sample::of(&[4.0, 1.0, 2.0, 9.0]).map(|sample| sample.median), Some(3.0));
    }

    #[test]
    fn a_ratio_is_taken_round_by_round() {
        let ratio = Sample::ratio(&[2.0, 30.0, 3.0], &[1.0, 10.0, 2.0]);
        assert_eq!(ratio, Some(Sample { median: 2.0, min: 1.5, max: 3.0 }));
    }

    #[test]
    fn quantiles_lie_between_neighbours() {
        let values: Vec<f64> = (0..=100).map(f64::from).collect();
        assert_eq!(quantile(&values, 0.99), Some(99.0));
        assert_eq!(quantile(&[0.0, 10.0], 0.25), Some(2.5));
        assert_eq!(quantile(&[], 0.5), None);
        let buckets = [(1.0, 50), (2.0, 49), (4.0, 1)];
        assert_eq!(quantile_of_buckets(&buckets, 0.5), Some(1.0));
        assert_eq!(quantile_of_buckets(&buckets, 0.99), Some(2.0));
        assert_eq!(quantile_of_buckets(&buckets, 1.0), Some(4.0));
        assert_eq!(quantile_of_buckets(&[], 0.5), None);
    }
}
