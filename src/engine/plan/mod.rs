//! A plan: weight bits and activation bits of every layer, with pins (set by hand, kept by the
//! allocator) and ties (layers that must share bits).
//!
//! - [`Plan`] and its edits: [`edit`]
//! - what a plan costs: [`Totals`]
//! - the file: [`file`]
//! - naming layers by pattern: [`pattern`]

pub mod edit;
mod facts;
pub mod file;
pub mod pattern;
mod totals;

pub use facts::{LayerFacts, LayerKind};
pub use pattern::Override;
pub use totals::Totals;

use std::sync::Arc;

use super::quant::{Bits, LayerBits, ScaleRule};

/// Bits of every layer of a network.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Plan {
    /// Architecture name, such as `resnet20`; empty when unknown.
    pub model: String,
    /// Fingerprint of the analysis it was made from.
    pub fingerprint: Option<String>,
    /// How step sizes of weights are chosen.
    pub scale: ScaleRule,
    /// One entry a layer, in the order of the network.
    pub layers: Vec<PlannedLayer>,
}

/// Bits of one layer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PlannedLayer {
    /// Path of the layer, such as `layer1.0.conv1`.
    pub name: Arc<str>,
    /// Bits of its weights.
    pub weight_bits: Bits,
    /// Bits of the activation it reads.
    pub activation_bits: Bits,
    /// Whether the bits were set by hand; the allocator keeps them.
    pub pinned: bool,
    /// Name of the group of layers that must share bits.
    pub tie: Option<String>,
}

impl Plan {
    /// Every layer at the same bits; the image stays at 8 bits.
    #[must_use]
    pub fn uniform(model: &str, facts: &[LayerFacts], weights: Bits, activations: Bits) -> Self {
        let layer = |facts: &LayerFacts| PlannedLayer {
            name: facts.name.clone(),
            weight_bits: weights,
            activation_bits: if facts.reads_image {
                Bits::MAX
            } else {
                activations
            },
            pinned: false,
            tie: None,
        };
        let layers = facts.iter().map(layer).collect();
        Self {
            model: model.to_owned(),
            fingerprint: None,
            scale: ScaleRule::default(),
            layers,
        }
    }

    /// Bits by layer, in order.
    #[must_use]
    pub fn bits(&self) -> Vec<LayerBits> {
        let bits = |layer: &PlannedLayer| LayerBits {
            weights: layer.weight_bits,
            activations: layer.activation_bits,
        };
        self.layers.iter().map(bits).collect()
    }

    /// Layer names, in order.
    #[must_use]
    pub fn names(&self) -> Vec<Arc<str>> {
        self.layers.iter().map(|layer| layer.name.clone()).collect()
    }

    /// Whether the allocator keeps the bits of a layer: it is pinned, or tied to one that is.
    #[must_use]
    pub fn is_held(&self, layer: &PlannedLayer) -> bool {
        let together = |other: &&PlannedLayer| layer.tie.is_some() && other.tie == layer.tie;
        layer.pinned
            || self
                .layers
                .iter()
                .filter(together)
                .any(|other| other.pinned)
    }

    /// The layers at which two plans over the same layers differ in bits.
    #[must_use]
    pub fn differences(&self, other: &Self) -> Vec<usize> {
        let pairs = self.layers.iter().zip(&other.layers).enumerate();
        pairs
            .filter(|(_, (a, b))| {
                a.weight_bits != b.weight_bits || a.activation_bits != b.activation_bits
            })
            .map(|(index, _)| index)
            .collect()
    }
}
