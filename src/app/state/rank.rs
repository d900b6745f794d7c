//! How far two metrics agree on the order of the layers: Spearman's rank correlation, the Pearson
//! correlation of the ranks, ties sharing their mean rank.

/// Spearman's rank correlation of pairs; `None` with fewer than three pairs or when one side is
/// constant.
#[must_use]
pub fn agreement(pairs: &[(f64, f64)]) -> Option<f64> {
    let finite: Vec<_> = pairs
        .iter()
        .filter(|p| p.0.is_finite() && p.1.is_finite())
        .collect();
    if finite.len() < 3 {
        return None;
    }
    let a = ranks(&finite.iter().map(|pair| pair.0).collect::<Vec<_>>());
    let b = ranks(&finite.iter().map(|pair| pair.1).collect::<Vec<_>>());
    let mean = (finite.len() as f64 - 1.0) / 2.0;
    let covariance = |x: &[f64], y: &[f64]| -> f64 {
        x.iter().zip(y).map(|(x, y)| (x - mean) * (y - mean)).sum()
    };
    let scale = (covariance(&a, &a) * covariance(&b, &b)).sqrt();
    (scale > 0.0).then(|| covariance(&a, &b) / scale)
}

/// 0-based ranks, ascending.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    let mut ranks = vec![0.0; values.len()];
    for group in order.chunk_by(|a, b| values[*a].total_cmp(&values[*b]).is_eq()) {
        let below = values
            .iter()
            .filter(|value| value.total_cmp(&values[group[0]]).is_lt());
        let mean = below.count() as f64 + (group.len() as f64 - 1.0) / 2.0;
        for index in group {
            ranks[*index] = mean;
        }
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_order_agrees_and_the_opposite_disagrees() {
        let same = [(1.0, 10.0), (2.0, 20.0), (3.0, 900.0)];
        assert_eq!(agreement(&same), Some(1.0));
        let opposite = [(1.0, 3.0), (2.0, 2.0), (3.0, 1.0)];
        assert_eq!(agreement(&opposite), Some(-1.0));
    }

    #[test]
    fn ties_share_a_rank_and_constants_say_nothing() {
        assert_eq!(ranks(&[5.0, 1.0, 5.0]), [1.5, 0.0, 1.5]);
        assert_eq!(agreement(&[(1.0, 1.0), (1.0, 2.0), (1.0, 3.0)]), None);
        assert_eq!(agreement(&[(1.0, 1.0), (f64::NAN, 2.0), (1.0, 3.0)]), None);
    }
}
