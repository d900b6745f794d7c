//! What a plan costs.

use super::{LayerFacts, Plan};

/// Sums over the layers of a plan.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Totals {
    /// Weights of all layers.
    pub weights: u64,
    /// `sum(bits_i * n_i)`.
    pub weight_bits: u64,
    /// Elements of the activations read, the image left out; absent when a layer's is unknown.
    pub activations: Option<u64>,
    /// `sum(activation bits_i * activation size_i)`, the image left out.
    pub activation_bits: u64,
    /// Sum of MACs * weight bits * activation bits; absent when a layer's MACs are unknown.
    pub bops: Option<u128>,
}

impl Totals {
    /// Of a plan over layers with these facts, in the same order.
    #[must_use]
    pub fn of(facts: &[LayerFacts], plan: &Plan) -> Self {
        let mut totals = Self {
            weights: 0,
            weight_bits: 0,
            activations: Some(0),
            activation_bits: 0,
            bops: Some(0),
        };
        for (facts, layer) in facts.iter().zip(&plan.layers) {
            let (n, bits) = (facts.parameters as u64, u64::from(layer.weight_bits.get()));
            totals.weights += n;
            totals.weight_bits += n * bits;
            let widths = u128::from(bits) * u128::from(layer.activation_bits.get());
            let operations = facts.macs.map(|macs| u128::from(macs) * widths);
            totals.bops = totals.bops.zip(operations).map(|(sum, more)| sum + more);
            if facts.reads_image {
                continue;
            }
            let size = facts.activation_size.map(|size| size as u64);
            totals.activations = totals.activations.zip(size).map(|(sum, size)| sum + size);
            totals.activation_bits += size.unwrap_or(0) * u64::from(layer.activation_bits.get());
        }
        totals
    }

    /// Bytes of the quantized weights, `sum(bits_i * n_i) / 8`.
    #[must_use]
    pub fn weight_bytes(&self) -> f64 {
        self.weight_bits as f64 / 8.0
    }

    /// Mean bits of a weight.
    #[must_use]
    pub fn average_bits(&self) -> f64 {
        self.weight_bits as f64 / self.weights.max(1) as f64
    }

    /// W-comp: `32 * weights / sum(bits_i * n_i)`.
    #[must_use]
    pub fn weight_compression(&self) -> f64 {
        32.0 * self.weights as f64 / self.weight_bits.max(1) as f64
    }

    /// A-comp: 32 over the mean activation bits, weighted by size; absent when sizes are unknown.
    #[must_use]
    pub fn activation_compression(&self) -> Option<f64> {
        let size = self.activations.filter(|&size| size > 0)?;
        Some(32.0 * size as f64 / self.activation_bits.max(1) as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::graph::Shape;
    use crate::engine::model::resnet;
    use crate::engine::quant::Bits;

    #[test]
    fn a_uniform_four_bit_resnet20_is_eight_times_smaller() {
        let graph = resnet::graph(3, Shape::map(3, 32, 32), 10).unwrap();
        let facts = LayerFacts::of(&graph);
        let four = Bits::new(4).unwrap();
        let totals = Totals::of(&facts, &Plan::uniform("resnet20", &facts, four, four));
        assert_eq!(totals.weights, 268_336);
        assert!((totals.weight_compression() - 8.0).abs() < 1e-12);
        assert!((totals.activation_compression().unwrap() - 8.0).abs() < 1e-12);
        let image = 442_368 * 4 * 8;
        assert_eq!(totals.bops, Some((40_551_040 - 442_368) * 16 + image));
    }
}
