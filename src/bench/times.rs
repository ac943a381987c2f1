//! Distributions of times.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Times are recorded to three significant digits.
const DIGITS: u8 = 3;

/// The longest time that is recorded as it is, in nanoseconds: an hour. A longer one counts as an
/// hour.
const LONGEST: u64 = 3_600_000_000_000;

/// The approximate number of points that [`Times::spread`] returns at most.
pub(super) const SPREAD: u64 = 200_000;

/// Records times while they are measured. It has a fixed size of a few hundred kilobytes, however
/// many times there are.
pub(super) struct Recorder {
    /// In nanoseconds. It is `None` only if its constant bounds were invalid.
    histogram: Option<Histogram<u64>>,
    sum: Duration,
}

impl Recorder {
    pub(super) fn new() -> Self {
        Recorder {
            histogram: Histogram::new_with_bounds(1, LONGEST, DIGITS).ok(),
            sum: Duration::ZERO,
        }
    }

    pub(super) fn record(&mut self, time: Duration) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        if let Some(histogram) = &mut self.histogram {
            histogram.saturating_record(nanos);
        }
        self.sum += time;
    }

    pub(super) fn times(&self) -> Times {
        let recorded = self.histogram.iter().flat_map(Histogram::iter_recorded);
        Times {
            sum_nanos: u64::try_from(self.sum.as_nanos()).unwrap_or(u64::MAX),
            nanos_and_counts: recorded
                .map(|step| (step.value_iterated_to(), step.count_at_value()))
                .collect(),
        }
    }
}

/// A distribution of times.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Times {
    sum_nanos: u64,
    /// Each time that was measured, in ascending order, and how often.
    nanos_and_counts: Vec<(u64, u64)>,
}

impl Times {
    /// Whether the times are in order and can be counted, which a file could violate.
    pub(super) fn is_valid(&self) -> bool {
        let mut counts = self.nanos_and_counts.iter();
        let total = counts.try_fold(0_u64, |total, (_, count)| total.checked_add(*count));
        total.is_some()
            && self
                .nanos_and_counts
                .is_sorted_by(|one, next| one.0 < next.0)
    }

    pub(super) fn count(&self) -> u64 {
        self.nanos_and_counts.iter().map(|(_, count)| count).sum()
    }

    pub(super) fn mean(&self) -> Duration {
        Duration::from_nanos(self.sum_nanos / self.count().max(1))
    }

    /// Returns the shortest time that at least `percent` percent of all times do not exceed.
    pub(super) fn percentile(&self, percent: u64) -> Duration {
        let rank = u128::from(self.count()) * u128::from(percent.min(100));
        let rank = rank.div_ceil(100).max(1);
        let mut counted = 0;
        let mut each = self.nanos_and_counts.iter();
        let found = each.find(|(_, count)| {
            counted += u128::from(*count);
            counted >= rank
        });
        Duration::from_nanos(found.map_or(0, |(nanos, _)| *nanos))
    }

    pub(super) fn median(&self) -> Duration {
        self.percentile(50)
    }

    pub(super) fn max(&self) -> Duration {
        self.percentile(100)
    }

    /// Returns how many invocations of these times follow one another in a second.
    pub(super) fn rate(&self) -> f64 {
        match self.sum_nanos {
            0 => 0.0,
            nanos => self.count() as f64 / (nanos as f64 / 1e9),
        }
    }

    /// Returns times in microseconds that have this distribution: all of them, or fewer if there
    /// are many.
    pub(super) fn spread(&self) -> Vec<f64> {
        let step = self.count().div_ceil(SPREAD).max(1);
        let each = self.nanos_and_counts.iter();
        each.flat_map(|(nanos, count)| {
            let count = usize::try_from(count.div_ceil(step)).unwrap_or(usize::MAX);
            std::iter::repeat_n(*nanos as f64 / 1000.0, count)
        })
        .collect()
    }
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    pub(in crate::bench) fn times(nanos: impl IntoIterator<Item = u64>) -> Times {
        let mut recorder = Recorder::new();
        for nanos in nanos {
            recorder.record(Duration::from_nanos(nanos));
        }
        recorder.times()
    }

    #[test]
    fn figures_are_those_of_what_was_recorded() {
        let times = times((1..=100).map(|nanos| nanos * 10));
        assert_eq!((times.count(), times.sum_nanos), (100, 50_500));
        assert_eq!(times.mean(), Duration::from_nanos(505));
        for (percent, nanos) in [(0, 10), (1, 10), (50, 500), (99, 990), (100, 1000)] {
            assert_eq!(times.percentile(percent), Duration::from_nanos(nanos));
        }
        assert_eq!(times.max(), Duration::from_nanos(1000));
        assert!((times.rate() - 100.0 / 50.5e-6).abs() < 1.0);
        let none = Times::default();
        assert_eq!(
            (none.count(), none.mean(), none.max()),
            (0, Duration::ZERO, Duration::ZERO)
        );
        assert!(none.rate() == 0.0 && none.spread().is_empty());
    }

    #[test]
    fn long_times_are_bounded_and_kept_to_three_digits() {
        let times = times([1_234_567, 3_600_000_000_000_000]);
        let short = times.percentile(50).as_nanos();
        assert!(short.abs_diff(1_234_567) < 1235, "{short}");
        let max = times.max().as_secs();
        assert!((3600..3605).contains(&max), "{max}");
    }

    #[test]
    fn a_file_with_other_times_is_not_valid() {
        for (text, is_valid) in [
            ("[]", true),
            ("[[1, 2], [2, 1]]", true),
            ("[[2, 1], [1, 1]]", false),
            ("[[1, 1], [1, 1]]", false),
            ("[[1, 18446744073709551615], [2, 1]]", false),
        ] {
            let text = format!(r#"{{"sumNanos": 7, "nanosAndCounts": {text}}}"#);
            let times: Times = serde_json::from_str(&text).unwrap();
            assert_eq!(times.is_valid(), is_valid, "{text}");
        }
    }

    #[test]
    fn many_times_are_spread_over_fewer() {
        let times = Times {
            sum_nanos: 1,
            nanos_and_counts: vec![(1000, 9_000_000), (5000, 1_000_000)],
        };
        let spread = times.spread();
        assert!((150_000..210_000).contains(&spread.len()));
        let share = |time: f64| {
            spread.iter().filter(|each| **each == time).count() as f64 / spread.len() as f64
        };
        assert!((share(1.0) - 0.9).abs() < 0.01 && spread.last() == Some(&5.0));
    }
}
