//! Parameters that are neither a layer's nor folded into one: normalisation in front of a layer or
//! behind a sum, scales, slopes that were trained. They lie in one tensor, as float32, in the order of
//! the nodes that read them.

use super::entry::{bytes_of, floats};
use super::extent::FLOAT;
use crate::engine::export::folded;
use crate::engine::graph::operations::BatchNorm;
use crate::engine::graph::{Graph, Operation, ParameterId, Parameters};

/// Name of the tensor.
pub(super) const NAME: &str = "hawqeye/parameters";

/// The parameters of a graph that have a place in no layer.
fn ids(graph: &Graph) -> Vec<ParameterId> {
    let nodes = folded::unfolded(graph).into_iter();
    let declared = nodes.flat_map(|node| graph.node(node).operation.declared());
    declared.map(|parameter| parameter.id).collect()
}

/// Bytes of the tensor; 0 where there is none.
pub(super) fn bytes(graph: &Graph) -> usize {
    let elements = ids(graph)
        .into_iter()
        .map(|id| graph.parameters()[id.index()].elements());
    FLOAT * elements.sum::<usize>()
}

/// The bytes of the tensor.
pub(super) fn encode(graph: &Graph, parameters: &Parameters) -> Vec<u8> {
    let values = ids(graph)
        .into_iter()
        .flat_map(|id| parameters.get(id).iter().map(|&value| value as f32));
    bytes_of(&values.collect::<Vec<_>>())
}

/// Puts the numbers of the tensor into their places.
///
/// # Errors
/// When there are too few or too many, or one that cannot be.
pub(super) fn place(
    graph: &Graph,
    bytes: &[u8],
    parameters: &mut Parameters,
) -> Result<(), String> {
    let expected = self::bytes(graph);
    if bytes.len() != expected {
        return Err(format!(
            "{NAME} takes {expected} bytes in this network, got {}; export the file again",
            bytes.len()
        ));
    }
    let mut values = floats(bytes).into_iter().map(f64::from);
    for id in ids(graph) {
        let count = graph.parameters()[id.index()].elements();
        *parameters.get_mut(id) = values.by_ref().take(count).collect();
    }
    let unsound = folded::unfolded(graph)
        .into_iter()
        .find(|&node| !is_sound(&graph.node(node).operation, parameters));
    unsound.map_or(Ok(()), |node| {
        Err(format!(
            "{NAME}: {} holds a number that cannot be; export the file again",
            graph.node(node).name
        ))
    })
}

fn is_sound(operation: &Operation, parameters: &Parameters) -> bool {
    let finite = |id: ParameterId| parameters.get(id).iter().all(|value| value.is_finite());
    let declared = operation.declared();
    declared.iter().all(|parameter| finite(parameter.id))
        && match operation {
            Operation::BatchNorm(norm) => has_roots(norm, parameters),
            _ => true,
        }
}

/// Whether every variance is one to divide by.
fn has_roots(norm: &BatchNorm, parameters: &Parameters) -> bool {
    let mut variances = parameters.get(norm.variance).iter();
    variances.all(|variance| variance + norm.epsilon > 0.0)
}
