//! What a packed file holds besides its layers, and its size at any bits.

use std::collections::BTreeMap;

use super::extent::{Extent, WeightSteps};
use super::{FORMAT, OLDER, VERSION, WEIGHT_STEPS, embedded, further};
use crate::engine::data::preprocessing::Preprocessing;
use crate::engine::data::{Normalization, USUAL_SCALE};
use crate::engine::export::About;
use crate::engine::graph::Graph;
use crate::engine::model::weights::{ElementType, safetensors_header};
use crate::engine::model::{Architecture, Envelope};
use crate::engine::{Result, seal};

/// What the packed file of a network with this graph holds besides its layers. Quantization in the
/// graph does not matter.
pub(in crate::engine::export) fn of(about: &About, graph: &Graph) -> Envelope {
    let list = |values: &[f32]| {
        let texts: Vec<String> = values.iter().map(ToString::to_string).collect();
        texts.join(" ")
    };
    let parameters = further::bytes(graph);
    let version = if parameters == 0 { OLDER } else { VERSION };
    let mut metadata: BTreeMap<String, String> = [
        ("format", FORMAT.to_owned()),
        ("version", version.to_owned()),
        ("model", about.model.clone()),
        ("data", about.data.clone()),
        ("image", graph.input_shape().to_string()),
        ("classes", graph.classes().to_string()),
        ("mean", list(&about.normalization.mean)),
        ("std", list(&about.normalization.std)),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .into();
    for (key, value) in about.further() {
        metadata.insert(key.to_owned(), value);
    }
    let structure = about.structure.as_ref();
    let network = structure.map_or(0, |structure| embedded::encode(structure).len());
    let tensors = [(embedded::NAME, network), (further::NAME, parameters)];
    let tensors = tensors.into_iter().filter(|(_, bytes)| *bytes > 0);
    Envelope {
        metadata,
        tensors: tensors
            .map(|(name, bytes)| (name.to_owned(), bytes))
            .collect(),
    }
}

/// That of a preset whose images and normalisation are not known: as for CIFAR-10. Nothing where no
/// preset has the name.
pub(in crate::engine::export) fn usual(model: &str) -> Option<Envelope> {
    let architecture: Architecture = model.parse().ok()?;
    let about = About {
        model: model.to_owned(),
        data: "cifar10".to_owned(),
        normalization: Normalization {
            pixel_scale: USUAL_SCALE,
            mean: vec![0.485, 0.456, 0.406],
            std: vec![0.229, 0.224, 0.225],
        },
        preprocessing: Preprocessing::default(),
        structure: None,
    };
    let image = crate::engine::graph::Shape::map(3, 32, 32);
    let graph = architecture.graph(image, 10).ok()?;
    Some(of(&about, &graph))
}

/// The metadata of a file of these layers.
pub(super) fn metadata(envelope: &Envelope, layers: &[Extent]) -> BTreeMap<String, String> {
    let pair = |layer: &Extent| format!("{}/{}", layer.bits.weights, layer.bits.activations);
    let bits: Vec<String> = layers.iter().map(pair).collect();
    let mut metadata = envelope.metadata.clone();
    metadata.insert("bits".to_owned(), bits.join(" "));
    metadata.insert(seal::KEY.to_owned(), seal::open());
    let mut steps = layers.iter().map(|layer| layer.steps);
    if steps.any(|steps| steps == WeightSteps::Channel) {
        let (key, value) = WEIGHT_STEPS;
        metadata.insert(key.to_owned(), value.to_owned());
    }
    metadata
}

/// Bytes of a file of these layers, exactly.
///
/// # Errors
/// When two layers have one name.
pub(super) fn size(envelope: &Envelope, layers: &[Extent]) -> Result<u64> {
    let own = layers.iter().map(|layer| (layer.name, layer.bytes()));
    let further = envelope.tensors.iter();
    let further = further.map(|(name, &bytes)| (&**name, bytes));
    let (names, lengths): (Vec<&str>, Vec<[usize; 1]>) = own
        .chain(further)
        .map(|(name, bytes)| (name, [bytes]))
        .unzip();
    let tensors: Vec<_> = names
        .iter()
        .zip(&lengths)
        .map(|(&name, length)| (name, ElementType::U8, &length[..]))
        .collect();
    let header = safetensors_header(&tensors, &metadata(envelope, layers))?;
    let content: usize = lengths.iter().flatten().sum();
    Ok((header.len() + content) as u64)
}
