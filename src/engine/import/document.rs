//! What is in a network, for people and programs: the file of `hawqeye inspect --json`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use super::lowered::{Form, Network, Operation, Step};
use crate::engine::files;

/// What the JSON is.
const FORMAT: &str = "hawqeye/network";
/// Its version.
const VERSION: u32 = 1;

/// A network without its numbers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Document {
    /// What the JSON is.
    pub format: &'static str,
    /// Its version.
    pub version: u32,
    /// What kind of file the network came from.
    pub source: &'static str,
    /// The program that wrote it.
    pub exporter: String,
    /// Version of the operators.
    pub opset: i64,
    /// A hash of operations, forms and wiring, in hexadecimal.
    pub identity: String,
    /// Channels, rows and columns of an image, or features.
    pub input: Vec<usize>,
    /// The order of its extents in the file.
    pub layout: &'static str,
    /// Classes; absent when something is not supported.
    pub classes: Option<usize>,
    /// What is answered.
    pub outputs: Vec<DocumentOutput>,
    /// The softmax that was taken off the end.
    pub softmax: Option<String>,
    /// Quantizers of activations in the file, of which the range alone is kept.
    #[serde(skip_serializing_if = "is_zero")]
    pub quantizers: usize,
    /// Numbers that training changes.
    pub parameters: usize,
    /// Multiply-accumulates of the layers for one image.
    pub macs: u64,
    /// Whether it is linear in pieces.
    pub piecewise_linear: bool,
    /// What became of batch normalisation.
    pub normalization: &'static str,
    /// Operations of the file that work on images, and how often.
    pub operations: BTreeMap<String, usize>,
    /// Layers in order.
    pub layers: Vec<DocumentLayer>,
    /// What is not supported.
    pub unsupported: Vec<DocumentRefused>,
}

/// What a network answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DocumentOutput {
    /// Its name in the file.
    pub name: String,
    /// Its extents there, for one image; empty when something before it is not supported.
    pub shape: Vec<usize>,
}

/// A convolution or linear layer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DocumentLayer {
    /// Its name: the path of its module.
    pub layer: String,
    /// `conv2d`, `depthwise`, `grouped` or `linear`.
    pub kind: &'static str,
    /// Extents of its weights.
    pub shape: Vec<usize>,
    /// Number of its weights.
    pub parameters: usize,
    /// Multiply-accumulates for one image.
    pub macs: u64,
    /// Values that it reads, for one image.
    pub activation_size: usize,
    /// The tensor of the file that its weights are; absent when none is.
    pub tensor: Option<String>,
    /// What was done to it.
    pub values: &'static str,
}

/// An operation that is not supported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DocumentRefused {
    /// The operation of the file.
    pub operation: String,
    /// How often it is there.
    pub count: usize,
    /// The first node.
    pub first: String,
    /// Why.
    pub reason: String,
}

impl Document {
    /// What is in a network.
    #[must_use]
    pub fn of(network: &Network) -> Self {
        let layers: Vec<DocumentLayer> = network
            .steps
            .iter()
            .filter_map(|step| layer(network, step))
            .collect();
        let outputs = network.outputs.iter().map(|output| DocumentOutput {
            name: output.name.clone(),
            shape: output.shape.clone(),
        });
        let unsupported = network.refused.iter().map(|refused| DocumentRefused {
            operation: refused.operation.clone(),
            count: refused.count,
            first: refused.first.clone(),
            reason: refused.reason.clone(),
        });
        let first = network.outputs.first();
        let classes = first.and_then(|output| Some(network.steps[output.step?].form.elements()));
        Self {
            format: FORMAT,
            version: VERSION,
            source: network.container.word(),
            exporter: network.exporter.clone(),
            opset: network.opset,
            identity: match network.lower() {
                Ok(lowered) => lowered.graph.identity(),
                Err(_) => identity(network),
            },
            input: network.steps[0].form.extents(),
            layout: network.layout.word(),
            classes,
            outputs: outputs.collect(),
            softmax: network.softmax.clone(),
            quantizers: network.quantizers,
            parameters: trained(network),
            macs: layers.iter().map(|layer| layer.macs).sum(),
            piecewise_linear: network.refused.is_empty(),
            normalization: network.normalization.word(),
            operations: network.operations.clone(),
            layers,
            unsupported: unsupported.collect(),
        }
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

fn layer(network: &Network, step: &Step) -> Option<DocumentLayer> {
    let weights = network.parameter(step.operation.weights()?);
    let read = network.steps[step.inputs[0]].form;
    let kind = match step.operation {
        Operation::Conv { groups: 1, .. } => "conv2d",
        Operation::Conv { groups, .. } if groups == read.channels() => "depthwise",
        Operation::Conv { .. } => "grouped",
        _ => "linear",
    };
    let places = match step.form {
        Form::Map { rows, columns, .. } => rows * columns,
        Form::Features(_) => 1,
    };
    let parameters = weights.values.len();
    let origin = weights.origin.as_ref();
    Some(DocumentLayer {
        layer: step.name.clone(),
        kind,
        shape: weights.shape.clone(),
        parameters,
        macs: parameters as u64 * places as u64,
        activation_size: read.elements(),
        tensor: origin.map(|origin| origin.tensor.clone()),
        values: origin.map_or("folded", |origin| origin.values.word()),
    })
}

/// Numbers that training changes: all but statistics.
fn trained(network: &Network) -> usize {
    let statistics = network
        .steps
        .iter()
        .filter_map(|step| match step.operation {
            Operation::BatchNorm { mean, variance, .. } => Some([mean, variance]),
            _ => None,
        });
    let statistics: usize = statistics
        .flatten()
        .map(|id| network.parameter(id).values.len())
        .sum();
    let all = network
        .parameters
        .iter()
        .map(|parameter| parameter.values.len());
    all.sum::<usize>() - statistics
}

/// A hash of operations, forms and wiring, of a network that cannot be computed here.
fn identity(network: &Network) -> String {
    let mut text = String::new();
    for step in &network.steps {
        writeln!(
            text,
            "{:?} {:?} {:?}",
            step.operation, step.inputs, step.form
        )
        .expect("invariant: writing to a string cannot fail");
    }
    files::sha256_hex(text.as_bytes())
}
