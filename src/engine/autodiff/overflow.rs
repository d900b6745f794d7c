//! Where numbers stop being finite on their way through a network: for messages, once a loss is not.

use super::chunk_ranges;
use super::program::{Program, Workspaces};
use crate::engine::backend::Backend;
use crate::engine::data::Images;
use crate::engine::graph::{Graph, Parameters};
use crate::engine::{Error, Result};

/// Says where the numbers of a network first overflow, and where its largest weights are. `what` is what
/// was seen not to be finite, such as `the loss`; the program keeps what layers read
/// ([`Purpose::Analyse`](super::program::Purpose)).
///
/// # Errors
/// When an image cannot be read, or the device fails.
pub fn located<B: Backend>(
    program: &Program<B>,
    parameters: &Parameters,
    images: &dyn Images,
    what: &str,
) -> Result<Error> {
    let graph = program.graph();
    let place = first(program, images)?;
    let read = place.map(|place| &graph.layers()[place].name);
    let place = read.map_or_else(
        || "in the outputs".to_owned(),
        |name| format!("in what {name} reads"),
    );
    let largest = largest_weight(graph, parameters);
    Ok(Error::invalid(format!(
        "{what} is not finite: numbers first overflow {place}{largest}; use a sound checkpoint, and \
         the preprocessing that it was trained with"
    )))
}

/// The first layer that reads a number which is not finite; nothing when only the outputs hold some.
fn first<B: Backend>(program: &Program<B>, images: &dyn Images) -> Result<Option<usize>> {
    let (graph, backend) = (program.graph(), program.backend());
    let workspaces = Workspaces::<B>::default();
    let is_finite = |values: &[f64]| values.iter().all(|value| value.is_finite());
    for range in chunk_ranges(images.len(), backend.chunk()) {
        let loaded = images.load(range)?;
        let found = workspaces.with(|workspace| -> Result<Option<Option<usize>>> {
            let mut chunk = program.load(workspace, &loaded)?;
            let logits = program.forward(workspace, &mut chunk)?;
            if is_finite(&logits) {
                program.recycle(workspace, chunk);
                return Ok(None);
            }
            for (place, layer) in graph.layers().iter().enumerate() {
                let wire = graph.node(layer.node).inputs[0];
                let Some(array) = chunk.primal[wire.index()].as_ref() else {
                    continue;
                };
                if !is_finite(&backend.download(array)?) {
                    return Ok(Some(Some(place)));
                }
            }
            Ok(Some(None))
        })?;
        if let Some(found) = found {
            return Ok(found);
        }
    }
    Ok(None)
}

/// ` (the largest of its weights is 1.2e9, in conv1.weight)`: the number farthest from zero, in
/// brackets.
#[must_use]
pub fn largest_weight(graph: &Graph, parameters: &Parameters) -> String {
    largest(graph, parameters).map_or_else(String::new, |(name, value)| {
        format!(" (the largest of its weights is {value:.1e}, in {name})")
    })
}

/// The parameter that holds the number farthest from zero, and that number.
fn largest<'a>(graph: &'a Graph, parameters: &Parameters) -> Option<(&'a str, f64)> {
    let named = graph.parameters().iter().zip(parameters.all());
    let of = |values: &Vec<f64>| values.iter().map(|value| value.abs()).reduce(f64::max);
    let named = named.filter_map(|(spec, values)| Some((&*spec.name, of(values)?)));
    named.max_by(|a, b| a.1.total_cmp(&b.1))
}
