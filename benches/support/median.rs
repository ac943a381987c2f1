//! The median of figures.

pub(crate) fn median(all: impl IntoIterator<Item = f64>) -> f64 {
    let mut all: Vec<f64> = all.into_iter().collect();
    all.sort_by(f64::total_cmp);
    all.get(all.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Returns the median of the ratios within each round. Figures of different rounds differ by up to
/// 30 %, figures of the same round by less.
pub(crate) fn ratio<T>(ours: &[T], theirs: &[T], of: impl Fn(&T) -> f64) -> f64 {
    median(
        ours.iter()
            .zip(theirs)
            .map(|(ours, theirs)| of(ours) / of(theirs)),
    )
}
