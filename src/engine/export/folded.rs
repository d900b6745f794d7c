//! Layers with batch normalisation folded in: a product with codes on a grid, then one scale and
//! one bias for each output channel,
//!
//! ```text
//! y_c = scale_c * sum(step_c * code * x) + bias_c ,    scale_c = gamma_c / sqrt(variance_c + epsilon) .
//! ```
//! Scales and biases are the float32 numbers that a float32 device works with, and step sizes keep
//! all their digits, so the folded network computes the same logits, bit for bit.

use std::collections::HashSet;

use crate::engine::graph::operations::{BatchNorm, Scale};
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
pub(super) fn fold(network: &QuantizedNetwork) -> Vec<FoldedLayer> {
    let graph = &network.graph;
    let layers = graph.layers();
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
    folded.collect()
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
        let or = |id: Option<ParameterId>, otherwise| {
            id.map_or_else(|| vec![otherwise; channels], |id| values.get(id).to_vec())
        };
        let (mean, scale, shift) = match follower(graph, layer) {
            None => {
                return Self {
                    scale: vec![1.0; channels],
                    bias,
                };
            }
            Some((_, Follower::Scale(by))) => {
                (vec![0.0; channels], or(by.factor, 1.0), or(by.shift, 0.0))
            }
            Some((_, Follower::Norm(norm))) => {
                let (gamma, beta) = norm.gamma_and_beta(values);
                let scale = gamma
                    .iter()
                    .zip(values.get(norm.variance))
                    .map(|(gamma, variance)| gamma / (variance + norm.epsilon).sqrt());
                (values.get(norm.mean).to_vec(), scale.collect(), beta)
            }
        };
        let bias = (0..channels).map(|c| (bias[c] - mean[c]) * scale[c] + shift[c]);
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

/// What is folded into a layer.
enum Follower<'a> {
    Norm(&'a BatchNorm),
    Scale(&'a Scale),
}

/// The batch normalisation, or the scale, that alone reads a layer.
fn follower<'a>(graph: &'a Graph, layer: &Layer) -> Option<(NodeId, Follower<'a>)> {
    let mut readers = graph
        .ids()
        .filter(|&id| graph.node(id).inputs.contains(&layer.node));
    let reader = readers.next()?;
    match (&graph.node(reader).operation, readers.next()) {
        (Operation::BatchNorm(norm), None) => Some((reader, Follower::Norm(norm))),
        (Operation::Scale(scale), None) => Some((reader, Follower::Scale(scale))),
        _ => None,
    }
}

/// The operations whose parameters are neither a layer's nor folded into one, in order. Quantization,
/// whose step sizes lie with the layers, is none of them.
pub(super) fn unfolded(graph: &Graph) -> Vec<NodeId> {
    let layers = graph.layers().iter();
    let folded: HashSet<NodeId> = layers
        .filter_map(|layer| follower(graph, layer).map(|(id, _)| id))
        .collect();
    let is_left = |id: &NodeId| {
        let operation = &graph.node(*id).operation;
        operation.weight().is_none()
            && !matches!(operation, Operation::Quantize(_))
            && !folded.contains(id)
            && !operation.declared().is_empty()
    };
    graph.ids().filter(is_left).collect()
}

/// Batch normalisation that multiplies with `scale` and adds `bias`, where gamma or beta may be missing:
/// then the variance makes the scale, and the mean the bias.
fn place_norm(norm: &BatchNorm, (scale, bias): (Vec<f64>, Vec<f64>), parameters: &mut Parameters) {
    let (mut mean, mut variance) = (vec![0.0; norm.channels], vec![1.0; norm.channels]);
    match norm.shift {
        Some(shift) => *parameters.get_mut(shift) = bias,
        None => {
            for (mean, (bias, &scale)) in mean.iter_mut().zip(bias.iter().zip(&scale)) {
                if scale != 0.0 {
                    *mean = -bias / scale;
                }
            }
        }
    }
    match norm.scale {
        Some(gamma) => *parameters.get_mut(gamma) = scale,
        None => variance = scale.iter().map(|scale| scale.powi(-2)).collect(),
    }
    variance
        .iter_mut()
        .for_each(|variance| *variance -= norm.epsilon);
    *parameters.get_mut(norm.mean) = mean;
    *parameters.get_mut(norm.variance) = variance;
}

/// A scale, and the bias of the layer before it, that multiply with `scale` and add `bias`.
fn place_scale(
    (by, own): (&Scale, Option<ParameterId>),
    (scale, bias): (Vec<f64>, Vec<f64>),
    parameters: &mut Parameters,
) {
    let before = |(bias, scale): (&f64, &f64)| if *scale == 0.0 { 0.0 } else { bias / scale };
    if let Some(own) = own {
        // What is added behind, or else before it is multiplied.
        *parameters.get_mut(own) = match by.shift {
            Some(_) => vec![0.0; by.channels],
            None => bias.iter().zip(&scale).map(before).collect(),
        };
    }
    if let Some(shift) = by.shift {
        *parameters.get_mut(shift) = bias;
    }
    if let Some(factor) = by.factor {
        *parameters.get_mut(factor) = scale;
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
    match (follower(graph, layer), bias_of(graph, layer)) {
        (Some((_, Follower::Norm(norm))), own) => {
            place_norm(norm, (scale, bias), parameters);
            if let Some(own) = own {
                *parameters.get_mut(own) = vec![0.0; norm.channels];
            }
        }
        (Some((_, Follower::Scale(by))), own) => {
            place_scale((by, own), (scale, bias), parameters);
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
