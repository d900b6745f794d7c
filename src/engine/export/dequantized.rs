//! Dequantized weights: a safetensors file with the names and shapes of the original weights, whose
//! quantized weights lie on their grids, and beside it the bits and scales as JSON.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Encoded, Request};
use crate::engine::data::Normalization;
use crate::engine::data::preprocessing::Preprocessing;
use crate::engine::graph::operations::Codes;
use crate::engine::graph::{Graph, Parameters, Role};
use crate::engine::model::weights::{self, NamedTensor, WeightsFile};
use crate::engine::quant::{Bits, QuantizedNetwork};
use crate::engine::{Error, Result, files, seal};

/// Value of the `format` key.
const FORMAT: &str = "hawqeye/quantization";

/// The JSON file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Description {
    format: String,
    version: u32,
    model: String,
    data: String,
    /// SHA-256 of the file beside it that it describes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
    normalization: Normalization,
    #[serde(default, skip_serializing_if = "Preprocessing::is_empty")]
    preprocessing: Preprocessing,
    layers: Vec<LayerDescription>,
}

/// The scale of a layer's weights, or those of its output channels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Scales {
    One(f64),
    Each(Vec<f64>),
}

impl Scales {
    fn of(steps: &[f64]) -> Self {
        match steps {
            [one] => Self::One(*one),
            each => Self::Each(each.to_vec()),
        }
    }
}

/// How a layer is quantized. Scales are absent where nothing is quantized.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct LayerDescription {
    layer: String,
    weight_bits: Bits,
    weight_scale: Option<Scales>,
    activation_bits: Bits,
    activation_scale: Option<f64>,
    activation_signed: bool,
}

pub(super) fn encoded<'a>(request: &Request<'a>) -> Result<Encoded<'a>> {
    let network = request.network;
    let metadata = BTreeMap::from([(seal::KEY.to_owned(), seal::open())]);
    let mut bytes = weights::encode_safetensors(&tensors(network), &metadata)?;
    seal::seal(&mut bytes);
    let description = Description {
        sha256: Some(files::sha256_hex(&bytes)),
        ..describe(request)
    };
    let text = serde_json::to_string_pretty(&description)
        .map_err(|error| Error::format(request.path, error.to_string()))?;
    let steps: Vec<Option<f64>> = description
        .layers
        .iter()
        .map(|layer| layer.activation_scale)
        .collect();
    Ok(Encoded {
        bytes,
        beside: Some(("json", text + "\n")),
        read: Box::new(move |path| read(path, network, &steps)),
    })
}

fn describe(request: &Request) -> Description {
    let (about, network) = (request.about, request.network);
    let layers = network.graph.layers();
    let describe = |(index, layer): (usize, &crate::engine::graph::Layer)| {
        let (bits, quantizer) = (network.bits[index], network.quantizers[index].as_ref());
        LayerDescription {
            layer: layer.name.to_string(),
            weight_bits: bits.weights,
            weight_scale: quantizer.map(|quantizer| Scales::of(&quantizer.grids.steps)),
            activation_bits: bits.activations,
            activation_scale: network.activation_step(index),
            activation_signed: matches!(network.activation_codes(index), Codes::Signed(_)),
        }
    };
    Description {
        format: FORMAT.to_owned(),
        version: 1,
        model: about.model.clone(),
        data: about.data.clone(),
        sha256: None,
        normalization: about.normalization.clone(),
        preprocessing: about.preprocessing.clone(),
        layers: layers.iter().enumerate().map(describe).collect(),
    }
}

fn tensors(network: &QuantizedNetwork) -> Vec<NamedTensor> {
    let effective = network.effective();
    let specs = network.graph.parameters().iter().zip(effective.all());
    specs
        .filter(|(spec, _)| spec.role.is_in_weights_files())
        .map(|(spec, values)| NamedTensor {
            name: spec.name.to_string(),
            shape: spec.shape.clone(),
            values: values.iter().map(|&value| value as f32).collect(),
        })
        .collect()
}

/// The network as the two files tell it.
fn read(
    path: &Path,
    network: &QuantizedNetwork,
    steps: &[Option<f64>],
) -> Result<(Graph, Parameters)> {
    let file = weights::read(path)?;
    let mut parameters = network.parameters.clone();
    let graph = &network.graph;
    for (spec, id) in graph.parameters().iter().zip(graph.parameter_ids()) {
        if spec.role != Role::Step {
            *parameters.get_mut(id) = tensor(&file, &spec.name, path)?;
        }
    }
    for (index, step) in steps.iter().enumerate() {
        if let (Some(id), Some(step)) = (network.activation_step_id(index), step) {
            *parameters.get_mut(id) = vec![*step];
        }
    }
    Ok((graph.clone(), parameters))
}

fn tensor(file: &WeightsFile, name: &str, path: &Path) -> Result<Vec<f64>> {
    let tensor = file.tensor(name);
    let tensor = tensor.ok_or_else(|| Error::format(path, format!("{name} is missing")))?;
    Ok(tensor.values.iter().map(|&v| f64::from(v)).collect())
}
