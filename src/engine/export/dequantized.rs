//! Dequantized weights: a safetensors file with the names, shapes and layouts of the original weights, whose
//! quantized weights lie on their grids, and beside it the bits and scales as JSON.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Encoded, Request};
use crate::engine::data::Normalization;
use crate::engine::data::preprocessing::Preprocessing;
use crate::engine::graph::operations::Codes;
use crate::engine::graph::{Graph, ParameterId, ParameterSpec, Parameters, Role};
use crate::engine::import::{Origin, Restored, Values};
use crate::engine::model::Imported;
use crate::engine::model::weights::{self, NamedTensor, WeightsFile};
use crate::engine::quant::{Bits, QuantizedNetwork};
use crate::engine::{Error, Result, complaint, files, seal};

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
    let origins = Origins::of(request)?;
    let tensors = tensors(network, &origins)?;
    let mut bytes = weights::encode_safetensors(&tensors, origins.counters(), &metadata)?;
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
        read: Box::new(move |path| read(path, (network, &origins), &steps)),
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

/// Where the numbers of every parameter lie in the file that the network came from; nothing for a preset,
/// and for parameters that no tensor of it is.
struct Origins<'a>(Option<&'a Imported>);

impl<'a> Origins<'a> {
    /// Those of a network.
    ///
    /// # Errors
    /// When a tensor of the file does not hold the numbers of a parameter: they are of several.
    fn of(request: &Request<'a>) -> Result<Self> {
        let structure = request.about.structure.as_ref();
        let imported = structure.and_then(|structure| structure.imported.as_ref());
        let origins = Self(imported);
        let folded = imported.into_iter().flat_map(|imported| &imported.origins);
        let folded = folded.flatten();
        let folded = folded.filter(|origin| origin.values == Values::Folded);
        let names: Vec<&str> = folded.map(|origin| &*origin.tensor).collect();
        if names.is_empty() {
            return Ok(origins);
        }
        Err(Error::invalid(format!(
            "in the file of this network other numbers, as of a normalisation, are folded into {}, so the \
             original network has no tensors that hold them; export to packed or qonnx, or train the \
             unfolded network, which --weights with the original checkpoint gives",
            complaint::listed(names.into_iter())
        )))
    }

    fn origin(&self, id: ParameterId) -> Option<&'a Origin> {
        let origin = self.0?.origins.get(id.index())?.as_ref();
        origin.filter(|origin| origin.is_named())
    }

    /// What no computation reads but belongs to the file's state.
    fn counters(&self) -> impl Iterator<Item = (&'a str, i64)> {
        let counters = self.0.into_iter().flat_map(|imported| &imported.counters);
        counters.map(|(name, number)| (name.as_str(), *number))
    }
}

/// The parameters as the tensors of the file that the network came from.
///
/// # Errors
/// When there is no way back to one.
fn tensors(network: &QuantizedNetwork, origins: &Origins) -> Result<Vec<NamedTensor>> {
    let effective = network.effective();
    let graph = &network.graph;
    let specs = graph.parameters().iter().zip(graph.parameter_ids());
    let specs = specs.filter(|(spec, _)| spec.role.is_in_weights_files());
    let tensors = specs.map(|(spec, id)| {
        let values = effective.get(id).iter().map(|&value| value as f32);
        let values: Vec<f32> = values.collect();
        let restored = match origins.origin(id) {
            Some(origin) => restored(origin, &values, spec)?,
            None => Restored {
                shape: spec.shape.clone(),
                values,
            },
        };
        Ok(NamedTensor {
            name: spec.name.to_string(),
            shape: restored.shape,
            values: restored.values,
        })
    });
    tensors.collect()
}

/// The tensor of the file with these numbers; one number that stands for all channels is one again, as
/// long as they are the same.
fn restored(origin: &Origin, values: &[f32], spec: &ParameterSpec) -> Result<Restored<f32>> {
    if let Some(restored) = origin.restored(values, &spec.shape) {
        return Ok(restored);
    }
    let bits: BTreeSet<u32> = values.iter().map(|value| value.to_bits()).collect();
    match &origin.shape {
        Some(shape) if shape.iter().product::<usize>() == 1 && bits.len() == 1 => Ok(Restored {
            shape: shape.clone(),
            values: vec![values[0]],
        }),
        _ => Err(Error::invalid(format!(
            "the numbers of {} do not go back into the tensor of that name in the file of the network; \
             export to packed or qonnx, or begin again with `hawqeye tune`, which notes the way back",
            spec.name
        ))),
    }
}

/// The network as the two files tell it.
fn read(
    path: &Path,
    (network, origins): (&QuantizedNetwork, &Origins),
    steps: &[Option<f64>],
) -> Result<(Graph, Parameters)> {
    let file = weights::read(path)?;
    let mut parameters = network.parameters.clone();
    let graph = &network.graph;
    for (spec, id) in graph.parameters().iter().zip(graph.parameter_ids()) {
        if spec.role != Role::Step {
            let values = tensor(&file, &spec.name, path)?;
            *parameters.get_mut(id) = match origins.origin(id) {
                Some(_) if values.len() == 1 => vec![values[0]; spec.elements()],
                Some(origin) => origin.placed(&values),
                None => values,
            };
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
