//! Medians and ranges. A median is robust against the load of other processes.

/// The median of `values`: the middle one, or the mean of the two middle ones. 0 if empty.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => 0.0,
        length if length % 2 == 1 => sorted[middle],
        _ => f64::midpoint(sorted[middle - 1], sorted[middle]),
    }
}

/// The minimum and the maximum of `values`. Zeros if empty.
pub(crate) fn range(values: &[f64]) -> (f64, f64) {
    let minimum = values.iter().copied().reduce(f64::min);
    let maximum = values.iter().copied().reduce(f64::max);
    (minimum.unwrap_or_default(), maximum.unwrap_or_default())
}

/// The median of whole numbers, rounded down.
pub(crate) fn median_of_counts(values: &[u64]) -> u64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => 0,
        length if length % 2 == 1 => sorted[middle],
        _ => sorted[middle - 1].midpoint(sorted[middle]),
    }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "these means are exact")]
mod tests {
    use super::*;

    #[test]
    fn median_and_range_do_not_depend_on_the_order() {
        assert_eq!(median(&[3.0, 1.0, 100.0]), 3.0);
        assert_eq!(median(&[4.0, 1.0, 3.0, 100.0]), 3.5);
        assert_eq!(median(&[2.5]), 2.5);
        assert_eq!(median(&[]), 0.0);
        assert_eq!(range(&[4.0, 1.0, 3.0]), (1.0, 4.0));
        assert_eq!(median_of_counts(&[7, 1, 3]), 3);
        assert_eq!(median_of_counts(&[7, 1, 3, 4]), 3);
    }
}
