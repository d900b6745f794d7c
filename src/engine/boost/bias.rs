//! The mean of every output of a layer, moved back to where the trained weights put it.

use super::moments::Moments;
use crate::engine::graph::{NodeId, Operation, ParameterId, Parameters, single};
use crate::engine::quant::QuantizedNetwork;

/// Takes back what rounding the weights of a layer moves the mean of its outputs by, in its bias, or in the mean of
/// the batch normalisation that alone reads it; a layer with neither stays as it is.
pub(super) fn correct(
    network: &mut QuantizedNetwork,
    layer: usize,
    (trained, moments): (&Parameters, &Moments),
) {
    let Some(quantizer) = &network.quantizers[layer] else {
        return;
    };
    let weight = quantizer.weight;
    let Some((summand, sign)) = summand(network, layer) else {
        return;
    };
    let rounded = network.values_on_grid(weight);
    let size = moments.size;
    let outputs = rounded.len() / size;
    let of_group = outputs / moments.groups.len();
    let errors = trained.get(weight).iter().zip(rounded);
    let errors: Vec<f64> = errors.map(|(trained, rounded)| trained - rounded).collect();
    let moved = errors.chunks_exact(size).enumerate().map(|(at, row)| {
        let means = row.iter().zip(&moments.groups[at / of_group].means);
        means.map(|(error, mean)| error * mean).sum::<f64>()
    });
    let values = network.parameters.get_mut(summand).iter_mut();
    for (value, moved) in values.zip(moved) {
        *value = single(*value + sign * moved);
    }
}

/// The parameter that a mean can be moved by, and which way.
fn summand(network: &QuantizedNetwork, layer: usize) -> Option<(ParameterId, f64)> {
    let graph = &network.graph;
    let node = graph.layers()[layer].node;
    let bias = match &graph.node(node).operation {
        Operation::Convolution(of) => of.bias,
        Operation::Linear(of) => of.bias,
        _ => None,
    };
    if let Some(bias) = bias {
        return Some((bias, 1.0));
    }
    let mut readers = graph
        .ids()
        .filter(|id| graph.node(*id).inputs.contains(&node));
    let only: NodeId = readers.next()?;
    match &graph.node(only).operation {
        Operation::BatchNorm(norm) if readers.next().is_none() => Some((norm.mean, -1.0)),
        _ => None,
    }
}
