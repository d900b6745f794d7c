//! How many bytes a layer takes in a packed file.

use super::packing::packed_len;
use crate::engine::graph::Graph;
use crate::engine::plan::{LayerFacts, Plan};
use crate::engine::quant::{Bits, LayerBits, QuantizedNetwork};

/// Bytes of a float32.
pub(super) const FLOAT: usize = 4;
/// Bytes of a step size that is alone.
pub(super) const STEP: usize = 8;

/// How many step sizes the weights of a layer have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WeightSteps {
    /// One.
    Layer,
    /// One for each output channel.
    Channel,
}

/// Bits of a layer from those of its weights and of its activation.
pub(in crate::engine::export) const fn bits_of(weights: Bits, activations: Bits) -> LayerBits {
    LayerBits {
        weights,
        activations,
    }
}

/// What the size of a layer's entry depends on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Extent<'a> {
    /// The layer.
    pub name: &'a str,
    /// Number of weights.
    pub weights: usize,
    /// Output channels.
    pub channels: usize,
    /// Bits.
    pub bits: LayerBits,
    /// Step sizes of its weights.
    pub steps: WeightSteps,
}

impl Extent<'_> {
    /// Whether the weights have one step size for each output channel.
    pub fn has_steps_per_channel(&self) -> bool {
        self.steps == WeightSteps::Channel && !self.bits.weights.is_float()
    }

    /// Bytes of the weights alone.
    pub fn weight_bytes(&self) -> usize {
        if self.bits.weights.is_float() {
            FLOAT * self.weights
        } else {
            packed_len(self.weights, self.bits.weights.get())
        }
    }

    /// Bytes of the step sizes of the weights.
    pub fn step_bytes(&self) -> usize {
        if self.has_steps_per_channel() {
            FLOAT * self.channels
        } else {
            STEP
        }
    }

    /// Bytes of the entry.
    pub fn bytes(&self) -> usize {
        self.weight_bytes() + self.step_bytes() + STEP + 2 * FLOAT * self.channels
    }
}

/// The layers of a graph at these bits, one for each of them.
pub(super) fn of_graph<'a>(
    graph: &'a Graph,
    bits: &[LayerBits],
    steps: WeightSteps,
) -> Vec<Extent<'a>> {
    let layers = graph.layers().iter().zip(bits);
    let extent = |(layer, &bits): (&'a crate::engine::graph::Layer, &LayerBits)| Extent {
        name: &layer.name,
        weights: layer.parameters(),
        channels: graph.parameters()[layer.weight.index()].shape[0],
        bits,
        steps,
    };
    layers.map(extent).collect()
}

/// The layers of a quantized network.
pub(super) fn of_network(network: &QuantizedNetwork) -> Vec<Extent<'_>> {
    let quantizers = network.quantizers.iter().flatten();
    let steps = agreed(quantizers.map(|quantizer| quantizer.grids.steps.len() > 1));
    of_graph(&network.graph, &network.bits, steps)
}

/// The layers of a plan; nothing where a shape is not known.
pub(super) fn of_plan<'a>(facts: &'a [LayerFacts], plan: &Plan) -> Option<Vec<Extent<'a>>> {
    let layers = facts.iter().zip(&plan.layers);
    let extents = layers.map(|(facts, layer)| {
        Some(Extent {
            name: &facts.name,
            weights: facts.parameters,
            channels: *facts.shape.first()?,
            bits: bits_of(layer.weight_bits, layer.activation_bits),
            steps: WeightSteps::Layer,
        })
    });
    let mut extents = extents.collect::<Option<Vec<_>>>()?;
    let per_channel = plan.scale.is_per_channel();
    let several =
        |extent: &Extent| per_channel && !extent.bits.weights.is_float() && extent.channels > 1;
    let steps = agreed(extents.iter().map(several));
    extents.iter_mut().for_each(|extent| extent.steps = steps);
    Some(extents)
}

/// One for each channel in the whole file as soon as one layer has several.
fn agreed(mut several: impl Iterator<Item = bool>) -> WeightSteps {
    if several.any(|several| several) {
        WeightSteps::Channel
    } else {
        WeightSteps::Layer
    }
}
