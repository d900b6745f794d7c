//! How far two metrics agree on the order of the layers: Spearman's rank correlation, the Pearson
//! correlation of the ranks, ties sharing their mean rank.

use super::sensitivity::LayerSensitivity;

/// What metrics say about the order of the layers: the names of two, and Spearman's correlation;
/// `None` where one of them was not measured.
#[must_use]
pub fn agreements(layers: &[LayerSensitivity]) -> [(&'static str, Option<f64>); 3] {
    type Value = fn(&LayerSensitivity) -> Option<f64>;
    let of = |a: Value, b: Value| {
        let pairs: Vec<_> = layers
            .iter()
            .filter_map(|layer| Some((a(layer)?, b(layer)?)))
            .collect();
        agreement(&pairs)
    };
    let (omega, change): (Value, Value) = (
        |layer| layer.omega.values().next().copied(),
        |layer| layer.loss_change.values().next().copied(),
    );
    let harm_by_trace: Value =
        |layer| Some(layer.mean_trace? * layer.perturbation.values().next()?);
    [
        (
            "eigenvalue and trace per weight",
            of(|layer| layer.sensitivity, |layer| layer.mean_trace),
        ),
        ("omega and loss change", of(omega, change)),
        ("trace harm and loss change", of(harm_by_trace, change)),
    ]
}

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
    let (mut ranks, mut below) = (vec![0.0; values.len()], 0);
    for group in order.chunk_by(|a, b| values[*a].total_cmp(&values[*b]).is_eq()) {
        let mean = f64::from(below) + (group.len() as f64 - 1.0) / 2.0;
        below += group.len() as u32;
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
