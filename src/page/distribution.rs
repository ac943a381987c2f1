//! Measured times, and their percentiles.

/// Times of one unit, in ascending order. There is at least one.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Distribution {
    sorted: Vec<f64>,
    min: f64,
    max: f64,
}

impl Distribution {
    /// Returns `None` if none of the times is finite.
    pub(crate) fn of(millis: impl IntoIterator<Item = f64>) -> Option<Self> {
        let finite = millis.into_iter().filter(|millis| millis.is_finite());
        let mut sorted: Vec<f64> = finite.collect();
        sorted.sort_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        Some(Distribution { sorted, min, max })
    }

    pub(crate) fn each(&self) -> &[f64] {
        &self.sorted
    }

    pub(crate) fn min(&self) -> f64 {
        self.min
    }

    pub(crate) fn max(&self) -> f64 {
        self.max
    }

    /// Returns the smallest time that `percent` percent of all times do not exceed.
    pub(crate) fn percentile(&self, percent: usize) -> f64 {
        let rank = (self.sorted.len() * percent.min(100)).div_ceil(100);
        let time = self.sorted.get(rank.saturating_sub(1));
        time.copied().unwrap_or(self.max)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn percentiles_are_times_that_were_measured() {
        let hundred = Distribution::of((1..=100).rev().map(f64::from)).unwrap();
        let percentiles = [0, 1, 50, 90, 99, 100, 200];
        let of = |distribution: &Distribution| {
            percentiles.map(|percent| distribution.percentile(percent))
        };
        assert_eq!(of(&hundred), [1.0, 1.0, 50.0, 90.0, 99.0, 100.0, 100.0]);
        assert_eq!((hundred.min(), hundred.max()), (1.0, 100.0));
        let two = Distribution::of([4.0, f64::NAN, 3.0]).unwrap();
        assert_eq!(of(&two), [3.0, 3.0, 3.0, 4.0, 4.0, 4.0, 4.0]);
        assert_eq!(Distribution::of([f64::INFINITY]), None);
    }
}
