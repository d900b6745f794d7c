//! The layers in the order that each metric gives, and how far the orders agree.

use super::State;
use crate::engine::hessian::agreement::agreement;
use crate::engine::hessian::sensitivity::LayerSensitivity;

/// A layer in a ranking.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ranked {
    /// Its place in the network.
    pub index: usize,
    /// 1 for the largest; equal values share a rank.
    pub rank: usize,
    /// The value.
    pub value: f64,
}

/// The layers by one metric, the largest first; those without it are left out.
#[derive(Debug, Clone, PartialEq)]
pub struct Ranking {
    /// The metric.
    pub name: String,
    /// The layers.
    pub layers: Vec<Ranked>,
}

impl Ranking {
    fn new(name: String, values: impl Iterator<Item = (usize, f64)>) -> Self {
        let mut values: Vec<(usize, f64)> = values.filter(|(_, value)| value.is_finite()).collect();
        values.sort_by(|a, b| b.1.total_cmp(&a.1));
        let above = |value: f64| values.partition_point(|(_, other)| *other > value);
        let layers = values.iter().map(|&(index, value)| Ranked {
            index,
            rank: above(value) + 1,
            value,
        });
        Self {
            name,
            layers: layers.collect(),
        }
    }

    /// The values by place in a network of `count` layers.
    fn values(&self, count: usize) -> Vec<Option<f64>> {
        let mut values = vec![None; count];
        for ranked in &self.layers {
            values[ranked.index] = Some(ranked.value);
        }
        values
    }
}

impl State {
    /// The layers that are shown by eigenvalue, by trace, and by loss change at the narrowest bits.
    #[must_use]
    pub fn rankings(&self) -> [Ranking; 3] {
        type Value = fn(&LayerSensitivity) -> Option<f64>;
        let layers = &self.analysis.layers;
        let mut visible = self.visible_layers();
        visible.sort_unstable();
        let by = |name: String, value: Value| {
            let known = |index: &usize| Some((*index, value(&layers[*index])?));
            Ranking::new(name, visible.iter().filter_map(known))
        };
        let bits = layers
            .iter()
            .find_map(|layer| layer.loss_change.keys().next());
        let change = bits.map_or_else(
            || "loss change".to_owned(),
            |bits| format!("loss change, {bits} bits"),
        );
        [
            // By size: of an indefinite block, too.
            by("eigenvalue".to_owned(), |layer| {
                layer.eigenvalue.map(f64::abs)
            }),
            by("trace".to_owned(), |layer| layer.trace),
            by(change, |layer| layer.loss_change.values().next().copied()),
        ]
    }

    /// Spearman's correlation between the first and the second ranking, the first and the third, the
    /// second and the third.
    #[must_use]
    pub fn rank_agreements(&self, rankings: &[Ranking; 3]) -> [Option<f64>; 3] {
        let count = self.analysis.layers.len();
        let values = rankings.each_ref().map(|ranking| ranking.values(count));
        let of = |a: usize, b: usize| {
            let both = values[a].iter().zip(&values[b]);
            let pairs: Vec<_> = both.filter_map(|(a, b)| (*a).zip(*b)).collect();
            agreement(&pairs)
        };
        [of(0, 1), of(0, 2), of(1, 2)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_share_a_rank_and_what_is_no_number_is_left_out() {
        let values = [3.0, f64::NAN, -5.0, 3.0, 1.0];
        let ranking = Ranking::new("x".into(), values.into_iter().enumerate());
        let found: Vec<_> = ranking.layers.iter().map(|r| (r.index, r.rank)).collect();
        assert_eq!(found, [(0, 1), (3, 1), (4, 3), (2, 4)]);
        let values = [Some(3.0), None, Some(-5.0), Some(3.0), Some(1.0)];
        assert_eq!(ranking.values(5), values);
    }
}
