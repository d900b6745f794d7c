//! The pass that puts fake quantization in front of layers.

use std::sync::Arc;

use super::Bits;
use crate::engine::counts::counted;
use crate::engine::graph::operations::Codes;
use crate::engine::graph::{Builder, Graph, NodeId, ParameterId};
use crate::engine::{Error, Result};

/// Bits of one layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LayerBits {
    /// Of its weights.
    pub weights: Bits,
    /// Of the activation it reads.
    pub activations: Bits,
}

impl LayerBits {
    /// Not quantized.
    pub const FLOAT: Self = Self {
        weights: Bits::FLOAT,
        activations: Bits::FLOAT,
    };
}

/// A graph whose layers read quantized activations.
#[derive(Debug, Clone, PartialEq)]
pub struct Inserted {
    /// The graph; parameters of the original come first, step sizes after them.
    pub graph: Graph,
    /// Step size of the activation that each layer reads, if it is quantized.
    pub steps: Vec<Option<ParameterId>>,
}

/// Name of the fake quantization in front of a layer.
#[must_use]
pub fn activation_name(layer: &str) -> String {
    format!("{layer}.activation")
}

/// `base` with the activation of each layer quantized to its bits, in the order of its layers.
///
/// # Errors
/// When there are not as many `bits` as layers.
pub fn insert(base: &Graph, bits: &[LayerBits]) -> Result<Inserted> {
    let layers = base.layers();
    if layers.len() != bits.len() {
        let (expected, got) = (layers.len(), bits.len());
        return Err(Error::invalid(format!(
            "bits for {}: expected {expected}",
            counted(got, "layer")
        )));
    }
    let signs = nonnegative(base);
    let mut builder = Builder::continuing(base);
    let mut moved: Vec<NodeId> = vec![builder.image()];
    let mut steps = Vec::with_capacity(layers.len());
    for id in base.ids().skip(1) {
        let node = base.node(id);
        let mut inputs: Vec<NodeId> = node.inputs.iter().map(|i| moved[i.index()]).collect();
        if node.operation.weight().is_some() {
            let width = bits[steps.len()].activations;
            let unsigned = signs[node.inputs[0].index()];
            let step = quantized(&mut builder, (&node.name, width, unsigned), &mut inputs[0])?;
            steps.push(step);
        }
        moved.push(builder.insert(&node.name, node.operation.clone(), &inputs)?);
    }
    Ok(Inserted {
        graph: builder.finish(),
        steps,
    })
}

fn quantized(
    builder: &mut Builder,
    (layer, bits, unsigned): (&Arc<str>, Bits, bool),
    input: &mut NodeId,
) -> Result<Option<ParameterId>> {
    if bits.is_float() {
        return Ok(None);
    }
    let codes = if unsigned {
        Codes::Unsigned(bits)
    } else {
        Codes::Signed(bits)
    };
    *input = builder.quantize(&activation_name(layer), *input, codes)?;
    Ok(builder.step_of(*input))
}

/// Which wires cannot be negative.
fn nonnegative(graph: &Graph) -> Vec<bool> {
    let mut signs = Vec::with_capacity(graph.nodes().len());
    for node in graph.nodes() {
        let inputs: Vec<bool> = node
            .inputs
            .iter()
            .map(|input| signs[input.index()])
            .collect();
        signs.push(node.operation.is_nonnegative(&inputs));
    }
    signs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::graph::{Operation, Shape};
    use crate::engine::model::resnet;

    #[test]
    fn every_layer_reads_a_quantizer_of_its_bits_and_the_image_a_signed_one() {
        let base = resnet::graph(3, Shape::map(3, 32, 32), 10).unwrap();
        let four = Bits::new(4).unwrap();
        let mut bits = vec![
            LayerBits {
                weights: four,
                activations: four
            };
            20
        ];
        bits[0].activations = Bits::MAX;
        bits[5].activations = Bits::FLOAT;
        let inserted = insert(&base, &bits).unwrap();
        assert_eq!(
            inserted.steps.iter().filter(|step| step.is_some()).count(),
            19
        );
        assert_eq!(inserted.graph.layers().len(), 20);
        for (layer, bits) in inserted.graph.layers().iter().zip(&bits) {
            let read = inserted
                .graph
                .node(inserted.graph.node(layer.node).inputs[0]);
            match &read.operation {
                Operation::Quantize(quantize) if layer.reads_image => {
                    assert_eq!(quantize.codes, Codes::Signed(Bits::MAX));
                }
                Operation::Quantize(quantize) => {
                    assert_eq!(quantize.codes, Codes::Unsigned(bits.activations));
                }
                _ => assert!(bits.activations.is_float()),
            }
        }
        let sizes = |graph: &Graph| -> Vec<usize> {
            graph
                .layers()
                .iter()
                .map(|layer| layer.activation_size)
                .collect()
        };
        assert_eq!(sizes(&inserted.graph), sizes(&base));
        assert_eq!(
            inserted.graph.parameters()[..base.parameters().len()],
            *base.parameters()
        );
    }
}
