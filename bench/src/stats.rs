//! Percentiles, medians and ratios.

use std::time::Duration;

/// Latencies of one phase, in whole microseconds.
#[derive(Debug, Default)]
pub(crate) struct Samples(Vec<u32>);

impl Samples {
    /// Adds one latency. Anything over 71 minutes counts as 71 minutes.
    pub(crate) fn add(&mut self, latency: Duration) {
        self.0
            .push(u32::try_from(latency.as_micros()).unwrap_or(u32::MAX));
    }

    /// Takes over another worker's latencies.
    pub(crate) fn absorb(&mut self, other: Samples) {
        self.0.extend(other.0);
    }

    /// How many latencies there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The latency in milliseconds that `percent` of the samples do not exceed; none without samples.
    pub(crate) fn percentile(&mut self, percent: u8) -> Option<f64> {
        self.0.sort_unstable();
        let micros = nearest_rank(&self.0, percent)?;
        Some(f64::from(micros) / 1_000.0)
    }
}

/// The nearest-rank percentile of an ascending slice: its smallest element that `percent` of all do not exceed.
fn nearest_rank(ascending: &[u32], percent: u8) -> Option<u32> {
    let rank = (ascending.len() * usize::from(percent)).div_ceil(100);
    ascending.get(rank.saturating_sub(1)).copied()
}

/// The median; the mean of the middle two when their number is even, none when there are none.
pub(crate) fn median(values: &[f64]) -> Option<f64> {
    let mut ascending = values.to_vec();
    ascending.sort_by(f64::total_cmp);
    let upper = ascending.get(ascending.len() / 2)?;
    let lower = ascending.get(ascending.len().saturating_sub(1) / 2)?;
    Some(f64::midpoint(*lower, *upper))
}

/// `numerator / denominator`, none when that is not a number.
pub(crate) fn quotient(numerator: f64, denominator: f64) -> Option<f64> {
    let value = numerator / denominator;
    value.is_finite().then_some(value)
}

/// A count as a float. Counts of one run are far below 2^53, where this would lose digits.
#[allow(clippy::cast_precision_loss, reason = "counts of one run are far below 2^53")]
pub(crate) fn float(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_percentile(samples: &[u64], percent: u8, expected: Option<f64>) {
        let mut all = Samples::default();
        samples
            .iter()
            .for_each(|micros| all.add(Duration::from_micros(*micros)));
        assert_eq!(all.percentile(percent), expected);
    }

    #[test]
    fn percentiles_are_nearest_ranks() {
        let hundred: Vec<u64> = (1..=100).rev().map(|n| n * 1_000).collect();
        check_percentile(&hundred, 50, Some(50.0));
        check_percentile(&hundred, 95, Some(95.0));
        check_percentile(&hundred, 99, Some(99.0));
        check_percentile(&hundred, 100, Some(100.0));
        check_percentile(&[7_500], 1, Some(7.5));
        check_percentile(&[7_500], 99, Some(7.5));
        check_percentile(&[3, 1, 2], 50, Some(0.002));
        check_percentile(&[1, 2, 3, 4], 99, Some(0.004));
        check_percentile(&[], 50, None);
    }

    #[test]
    fn a_latency_too_long_to_store_is_the_longest_one() {
        check_percentile(&[u64::MAX], 50, Some(f64::from(u32::MAX) / 1_000.0));
    }

    #[test]
    fn absorbed_samples_count() {
        let mut all = Samples::default();
        let mut other = Samples::default();
        all.add(Duration::from_millis(1));
        other.add(Duration::from_millis(3));
        all.absorb(other);
        assert_eq!(all.len(), 2);
        assert_eq!(all.percentile(100), Some(3.0));
    }

    #[test]
    fn medians() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[4.0]), Some(4.0));
        assert_eq!(median(&[9.0, 1.0, 5.0]), Some(5.0));
        assert_eq!(median(&[4.0, 1.0, 3.0, 2.0]), Some(2.5));
    }

    #[test]
    fn a_quotient_by_nothing_is_none() {
        assert_eq!(quotient(10.0, 4.0), Some(2.5));
        assert_eq!(quotient(1.0, 0.0), None);
        assert_eq!(quotient(0.0, 0.0), None);
    }
}
