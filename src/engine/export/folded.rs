//! Layers with batch normalisation folded in: a product with codes on a grid, then one scale and
//! one bias for each output channel,
//!
//! ```text
//! y_c = scale_c * sum(step_c * code * x) + bias_c ,    scale_c = gamma_c / sqrt(variance_c + epsilon) .
//! ```
//! Scales and biases are the float32 numbers that a float32 device works with, and step sizes keep
//! all their digits, so the folded network computes the same logits, bit for bit.

use crate::engine::graph::operations::BatchNorm;
use crate::engine::graph::{Graph, Layer, NodeId, Operation, ParameterId, Parameters};
use crate::engine::quant::insert::{Inserted, insert};
use crate::engine::quant::{LayerBits, QuantizedNetwork, WeightQuantizer};
use crate::engine::{Error, Result};

/// The weights of a layer.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Values {
    /// Integer codes.
    Codes(Vec<i8>),
    /// Not quantized.
    Floats(Vec<f32>),
}

/// A layer as it is computed.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct FoldedLayer {
    pub name: String,
    pub bits: LayerBits,
    /// Weights in the order of weights files.
    pub weights: Values,
    /// Step sizes of the weights: one, or one per output channel; 1 when they are not quantized.
    pub weight_steps: Vec<f64>,
    /// One per output channel.
    pub scale: Vec<f32>,
    /// One per output channel.
    pub bias: Vec<f32>,
    /// Step size of the activation that is read; 0 when it is not quantized.
    pub activation_step: f64,
}

/// Every layer of a network, in order.
///
/// # Errors
/// When batch normalisation follows anything but a layer.
pub(super) fn fold(network: &QuantizedNetwork) -> Result<Vec<FoldedLayer>> {
    let graph = &network.graph;
    let layers = graph.layers();
    check_norms(graph, layers)?;
    let folded = layers.iter().enumerate().map(|(index, layer)| {
        let channels = graph.parameters()[layer.weight.index()].shape[0];
        let quantizer = network.quantizers[index].as_ref();
        let affine = Affine::of(graph, layer, (&network.parameters, channels));
        FoldedLayer {
            name: layer.name.to_string(),
            bits: network.bits[index],
            weights: values(quantizer, network.parameters.get(layer.weight)),
            weight_steps: quantizer
                .map_or_else(|| vec![1.0], |quantizer| quantizer.grids.steps.clone()),
            scale: affine.scale.iter().map(|&s| s as f32).collect(),
            bias: affine.bias.iter().map(|&b| b as f32).collect(),
            activation_step: network.activation_step(index).unwrap_or(0.0),
        }
    });
    Ok(folded.collect())
}

fn values(quantizer: Option<&WeightQuantizer>, weights: &[f64]) -> Values {
    match quantizer {
        None => Values::Floats(weights.iter().map(|&w| w as f32).collect()),
        Some(quantizer) => Values::Codes(quantizer.grids.codes_of(weights)),
    }
}

/// What happens to each output channel after the product.
struct Affine {
    scale: Vec<f64>,
    bias: Vec<f64>,
}

impl Affine {
    fn of(graph: &Graph, layer: &Layer, (values, channels): (&Parameters, usize)) -> Self {
        let bias = bias_of(graph, layer)
            .map_or_else(|| vec![0.0; channels], |bias| values.get(bias).to_vec());
        let Some((_, norm)) = norm_after(graph, layer) else {
            return Self {
                scale: vec![1.0; channels],
                bias,
            };
        };
        let [gamma, beta, mean, variance] =
            [norm.scale, norm.shift, norm.mean, norm.variance].map(|id| values.get(id));
        let scale: Vec<f64> = gamma
            .iter()
            .zip(variance)
            .map(|(gamma, variance)| gamma / (variance + norm.epsilon).sqrt())
            .collect();
        let bias = (0..channels).map(|c| (bias[c] - mean[c]) * scale[c] + beta[c]);
        Self {
            bias: bias.collect(),
            scale,
        }
    }
}

fn bias_of(graph: &Graph, layer: &Layer) -> Option<ParameterId> {
    match &graph.node(layer.node).operation {
        Operation::Convolution(convolution) => convolution.bias,
        Operation::Linear(linear) => linear.bias,
        _ => None,
    }
}

/// The batch normalisation that alone reads a layer.
fn norm_after<'a>(graph: &'a Graph, layer: &Layer) -> Option<(NodeId, &'a BatchNorm)> {
    let mut readers = graph
        .ids()
        .filter(|&id| graph.node(id).inputs.contains(&layer.node));
    let reader = readers.next()?;
    match (&graph.node(reader).operation, readers.next()) {
        (Operation::BatchNorm(norm), None) => Some((reader, norm)),
        _ => None,
    }
}

fn check_norms(graph: &Graph, layers: &[Layer]) -> Result<()> {
    let folded: Vec<NodeId> = layers
        .iter()
        .filter_map(|layer| norm_after(graph, layer).map(|(id, _)| id))
        .collect();
    let left = graph.ids().find(|id| {
        matches!(graph.node(*id).operation, Operation::BatchNorm(_)) && !folded.contains(id)
    });
    match left {
        None => Ok(()),
        Some(id) => Err(Error::invalid(format!(
            "{} does not follow a convolution or linear layer alone, so it cannot be folded into \
             one; export to qonnx instead",
            graph.node(id).name
        ))),
    }
}

/// The network of folded layers, over the graph of its architecture: batch normalisation is the
/// scale and the bias.
///
/// # Errors
/// When the layers are not those of the graph, or one has a scale that has no place there.
pub(super) fn unfold(base: &Graph, folded: &[FoldedLayer]) -> Result<(Graph, Parameters)> {
    let bits: Vec<LayerBits> = folded.iter().map(|layer| layer.bits).collect();
    let Inserted { graph, steps } = insert(base, &bits)?;
    let mut parameters = Parameters::zeros(graph.parameters());
    for ((layer, folded), step) in graph.layers().iter().zip(folded).zip(steps) {
        place(&graph, layer, folded, &mut parameters)?;
        if let Some(step) = step {
            *parameters.get_mut(step) = vec![folded.activation_step];
        }
    }
    Ok((graph, parameters))
}

fn place(
    graph: &Graph,
    layer: &Layer,
    folded: &FoldedLayer,
    parameters: &mut Parameters,
) -> Result<()> {
    let wide = |values: &[f32]| -> Vec<f64> { values.iter().map(|&v| f64::from(v)).collect() };
    let (mut weights, scale, bias) = (
        match &folded.weights {
            Values::Codes(codes) => {
                let part = codes.len().div_ceil(folded.weight_steps.len()).max(1);
                let parts = codes.chunks(part).zip(&folded.weight_steps);
                let values = |(codes, &step): (&[i8], &f64)| {
                    let codes = codes.iter();
                    codes
                        .map(move |&code| f64::from(code) * step)
                        .collect::<Vec<_>>()
                };
                parts.flat_map(values).collect()
            }
            Values::Floats(values) => wide(values),
        },
        wide(&folded.scale),
        wide(&folded.bias),
    );
    match (norm_after(graph, layer), bias_of(graph, layer)) {
        (Some((_, norm)), own) => {
            *parameters.get_mut(norm.scale) = scale;
            *parameters.get_mut(norm.shift) = bias;
            *parameters.get_mut(norm.mean) = vec![0.0; norm.channels];
            *parameters.get_mut(norm.variance) = vec![1.0 - norm.epsilon; norm.channels];
            if let Some(own) = own {
                *parameters.get_mut(own) = vec![0.0; norm.channels];
            }
        }
        (None, own) => {
            let filter = weights.len() / scale.len().max(1);
            for (weights, scale) in weights.chunks_mut(filter.max(1)).zip(&scale) {
                weights.iter_mut().for_each(|weight| *weight *= scale);
            }
            match own {
                Some(own) => *parameters.get_mut(own) = bias,
                None if bias.iter().all(|&b| b == 0.0) => {}
                None => {
                    return Err(Error::invalid(format!(
                        "{} has a bias, but the network has no place for it; use the file of this \
                         network",
                        folded.name
                    )));
                }
            }
        }
    }
    *parameters.get_mut(layer.weight) = weights;
    Ok(())
}
