//! The packed format: a safetensors file that is really small.
//!
//! One tensor of type `U8` for each layer, named like the layer, whose bytes are
//!
//! | part | bytes | content |
//! |---|---|---|
//! | weights | `ceil(n * b / 8)` | codes of `b` = 2..8 bits in the order `out, in, row, column`, dense, least significant bit first, two's complement; `4 n` bytes of float32 when `b` is 32 |
//! | weight step | 8 | float64; 1 when `b` is 32; or, where the metadata say `weight-steps` `channel` and `b` is not 32, `4 * out`: float32, one per output channel |
//! | activation step | 8 | float64; 0 when the activation that is read is not quantized |
//! | scale | `4 * out` | float32, one per output channel |
//! | bias | `4 * out` | float32, one per output channel |
//!
//! all little-endian. With batch normalisation folded in, a layer computes
//! `y_c = scale_c * sum(weight step_c * code * x) + bias_c` from its activation `x`, which is first
//! moved to
//! `clamp(round_half_even(x / step), low, high) * step`: `0 ..= 2^b - 1` where it cannot be negative,
//! `-(2^(b-1) - 1) ..= 2^(b-1) - 1` elsewhere.
//!
//! The metadata hold `format` (`hawqeye/packed`), `version` (`1`), `model` (the architecture, which
//! says how layers are connected), `image` (channels, rows, columns), `classes`, `data`, `mean` and
//! `std` of the normalisation, `bits`: `weights/activations` of every layer, in the order of the
//! tensors, and `hawqeye/sha256`: the SHA-256 of the file's bytes with its own 64 digits taken as
//! zeros. Files of older programs lack the last.
//!
//! A network that is no preset has its graph in one more tensor, `hawqeye/network`: zlib-compressed JSON.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use safetensors::SafeTensors;
use safetensors::tensor::Dtype;

use super::folded::{FoldedLayer, Values, fold, unfold};
use super::packing::{pack, packed_len, unpack};
use super::{About, Encoded, Request, embedded};
use crate::engine::data::preprocessing::Preprocessing;
use crate::engine::data::{Normalization, USUAL_SCALE};
use crate::engine::graph::{Graph, Parameters, Shape};
use crate::engine::model::Structure;
use crate::engine::model::weights::{
    ElementType, Entry, damage, safetensors_header, serialize_safetensors,
};
use crate::engine::quant::{Bits, LayerBits};
use crate::engine::{Error, Result, files, seal};

/// Value of the `format` key.
const FORMAT: &str = "hawqeye/packed";
/// Value of the `version` key.
const VERSION: &str = "1";
/// Largest file that is read.
const LIMIT: u64 = 1 << 30;
/// Bytes of a float32.
const FLOAT: usize = 4;
/// Bytes of a step size that is alone.
const STEP: usize = 8;
/// Key of the metadata for step sizes per channel, and its value.
const WEIGHT_STEPS: (&str, &str) = ("weight-steps", "channel");

/// What a byte is multiplied by, where that is not 1/255.
pub(super) const PIXEL_SCALE: &str = "pixel-scale";
/// How pictures are resized, cut and turned, as JSON, where anything is done.
pub(super) const PREPROCESSING: &str = "preprocessing";

/// Every key of the metadata.
const KEYS: [&str; 13] = [
    "format",
    "version",
    "model",
    "data",
    "image",
    "classes",
    "mean",
    "std",
    PIXEL_SCALE,
    PREPROCESSING,
    "bits",
    WEIGHT_STEPS.0,
    seal::KEY,
];

/// How many step sizes the weights of a layer have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WeightSteps {
    /// One.
    Layer,
    /// One for each output channel.
    Channel,
}

impl WeightSteps {
    /// One for each output channel, if so.
    #[must_use]
    pub const fn of(per_channel: bool) -> Self {
        if per_channel {
            Self::Channel
        } else {
            Self::Layer
        }
    }
}

/// A network read from a packed file.
#[derive(Debug, Clone, PartialEq)]
pub struct Packed {
    /// What it is.
    pub about: About,
    /// Bits of every layer.
    pub bits: Vec<LayerBits>,
    /// Its graph, with fake quantization of activations.
    pub graph: Graph,
    /// Its parameters; weights lie on their grids.
    pub parameters: Parameters,
}

/// What the size of a layer's entry depends on.
#[derive(Debug, Clone, Copy)]
pub struct Extent<'a> {
    /// The layer.
    pub name: &'a str,
    /// Number of weights.
    pub weights: usize,
    /// Output channels.
    pub channels: usize,
    /// Bits.
    pub bits: LayerBits,
    /// Step sizes of its weights.
    pub steps: WeightSteps,
}

impl Extent<'_> {
    /// Bytes of the weights alone.
    const fn weight_bytes(&self) -> usize {
        if self.bits.weights.is_float() {
            FLOAT * self.weights
        } else {
            packed_len(self.weights, self.bits.weights.get())
        }
    }

    /// Bytes of the step sizes of the weights.
    const fn step_bytes(&self) -> usize {
        match self.steps {
            WeightSteps::Channel if !self.bits.weights.is_float() => FLOAT * self.channels,
            _ => STEP,
        }
    }

    /// Bytes of the entry.
    const fn bytes(&self) -> usize {
        self.weight_bytes() + self.step_bytes() + STEP + 2 * FLOAT * self.channels
    }
}

/// Bits of a layer from those of its weights and of its activation.
#[must_use]
pub const fn bits_of(weights: Bits, activations: Bits) -> LayerBits {
    LayerBits {
        weights,
        activations,
    }
}

/// Size of the file of a network of these layers, in bytes, before there is one. Exact but for the
/// digits of image shape, classes and normalisation, which are taken to be those of CIFAR.
#[must_use]
pub fn size(model: &str, layers: &[Extent]) -> u64 {
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
    let bits: Vec<LayerBits> = layers.iter().map(|layer| layer.bits).collect();
    let steps = layers
        .first()
        .map_or(WeightSteps::Layer, |layer| layer.steps);
    let metadata = metadata(&about, (Shape::map(3, 32, 32), 10), (&bits, steps));
    let lengths: Vec<[usize; 1]> = layers.iter().map(|layer| [layer.bytes()]).collect();
    let tensors: Vec<_> = layers
        .iter()
        .zip(&lengths)
        .map(|(layer, length)| (layer.name, ElementType::U8, &length[..]))
        .collect();
    // Layers of one name would be refused long before there is a file.
    let header = safetensors_header(&tensors, &metadata).map_or(0, |header| header.len());
    let content: usize = lengths.iter().flatten().sum();
    (header + content) as u64
}

fn metadata(
    about: &About,
    (image, classes): (Shape, usize),
    (bits, steps): (&[LayerBits], WeightSteps),
) -> BTreeMap<String, String> {
    let list = |values: &[f32]| {
        let texts: Vec<String> = values.iter().map(ToString::to_string).collect();
        texts.join(" ")
    };
    let pair = |bits: &LayerBits| format!("{}/{}", bits.weights, bits.activations);
    let bits: Vec<String> = bits.iter().map(pair).collect();
    let mut metadata: BTreeMap<String, String> = [
        ("format", FORMAT.to_owned()),
        ("version", VERSION.to_owned()),
        ("model", about.model.clone()),
        ("data", about.data.clone()),
        ("image", image.to_string()),
        ("classes", classes.to_string()),
        ("mean", list(&about.normalization.mean)),
        ("std", list(&about.normalization.std)),
        ("bits", bits.join(" ")),
        (seal::KEY, seal::open()),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .into();
    for (key, value) in about.further() {
        metadata.insert(key.to_owned(), value);
    }
    if steps == WeightSteps::Channel {
        let (key, value) = WEIGHT_STEPS;
        metadata.insert(key.to_owned(), value.to_owned());
    }
    metadata
}

pub(super) fn encoded<'a>(request: &Request<'a>) -> Result<Encoded<'a>> {
    let network = request.network;
    let layers = fold(network)?;
    let mut blobs: Vec<(&str, Vec<u8>)> = layers
        .iter()
        .map(|layer| (&*layer.name, blob(layer)))
        .collect();
    if let Some(structure) = &request.about.structure {
        blobs.push((embedded::NAME, embedded::encode(structure)));
    }
    let shapes: Vec<[usize; 1]> = blobs.iter().map(|(_, blob)| [blob.len()]).collect();
    let entries: Vec<Entry> = blobs
        .iter()
        .zip(&shapes)
        .map(|((name, bytes), shape)| Entry {
            name,
            element: ElementType::U8,
            shape,
            bytes,
        })
        .collect();
    let about = (network.graph.input_shape(), network.graph.classes());
    let quantizers = network.quantizers.iter().flatten();
    let per_channel = quantizers.clone().any(|q| q.grids.steps.len() > 1);
    let steps = WeightSteps::of(per_channel);
    let metadata = metadata(request.about, about, (&network.bits, steps));
    let mut bytes = serialize_safetensors(&entries, &metadata)?;
    seal::seal(&mut bytes);
    Ok(Encoded {
        bytes,
        beside: None,
        read: Box::new(|path| read(path).map(|packed| (packed.graph, packed.parameters))),
    })
}

fn blob(layer: &FoldedLayer) -> Vec<u8> {
    let floats = |values: &[f32]| -> Vec<u8> {
        values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect()
    };
    let mut blob = match &layer.weights {
        Values::Codes(codes) => pack(codes, layer.bits.weights.get()),
        Values::Floats(values) => floats(values),
    };
    match layer.weight_steps.as_slice() {
        [one] => blob.extend(one.to_le_bytes()),
        each => blob.extend(each.iter().flat_map(|&step| (step as f32).to_le_bytes())),
    }
    blob.extend(layer.activation_step.to_le_bytes());
    blob.extend(floats(&layer.scale));
    blob.extend(floats(&layer.bias));
    blob
}

/// Reads a packed file.
///
/// # Errors
/// When it cannot be read, is no packed file, or does not hold what its metadata promise.
pub fn read(path: &Path) -> Result<Packed> {
    let bytes = files::read_limited(path, LIMIT)?;
    let whole = seal::check(&bytes, seal::safetensors_header(&bytes)).and_then(|()| decode(&bytes));
    whole.map_err(|reason| Error::format(path, reason))
}

/// Mean and deviation, of bytes multiplied as the file says.
fn normalization(
    metadata: &HashMap<String, String>,
    (mean, std): (Vec<f32>, Vec<f32>),
) -> Decoded<Normalization> {
    let scale = match metadata.get(PIXEL_SCALE) {
        Some(text) => text
            .parse()
            .map_err(|_| format!("{PIXEL_SCALE} {text}: expected a number"))?,
        None => USUAL_SCALE,
    };
    let number = Normalization::new(mean, std).and_then(|number| number.scaled(scale));
    number.map_err(|error| error.to_string())
}

fn preprocessing(metadata: &HashMap<String, String>) -> Decoded<Preprocessing> {
    let Some(text) = metadata.get(PREPROCESSING) else {
        return Ok(Preprocessing::default());
    };
    let read: Preprocessing = crate::engine::text::from_json(text)?;
    read.check().map_err(|error| error.to_string())?;
    Ok(read)
}

type Decoded<T> = std::result::Result<T, String>;

/// What is in a file's bytes.
fn decode(bytes: &[u8]) -> Decoded<Packed> {
    let damaged = |error: safetensors::SafeTensorError| {
        let what = damage(&error);
        format!("expected a packed file as `hawqeye export` writes it: {what}")
    };
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(damaged)?;
    let metadata = header.metadata().clone().unwrap_or_default();
    if let Some(key) = metadata.keys().find(|key| !KEYS.contains(&&***key)) {
        return Err(format!(
            "its metadata hold {key:?}, which is unknown here: it was damaged, or written by a newer \
             hawqeye"
        ));
    }
    let get = |key: &str| -> Decoded<&str> {
        let found = metadata.get(key).map(String::as_str);
        found.ok_or_else(|| {
            format!("expected a packed file as `hawqeye export` writes it, but it says no {key}")
        })
    };
    if (get("format")?, get("version")?) != (FORMAT, VERSION) {
        let (format, version) = (get("format")?, get("version")?);
        return Err(format!(
            "expected format {FORMAT} version {VERSION}, got {format} version {version}"
        ));
    }
    let said = |error: Error| error.to_string();
    let file = SafeTensors::deserialize(bytes).map_err(damaged)?;
    let stored = file.tensor(embedded::NAME).ok();
    let stored = stored.map(|tensor| embedded::decode(tensor.data()));
    let about = About {
        model: get("model")?.to_owned(),
        data: get("data")?.to_owned(),
        normalization: normalization(
            &metadata,
            (
                list(get("mean")?).map_err(of_key("mean"))?,
                list(get("std")?).map_err(of_key("std"))?,
            ),
        )?,
        preprocessing: preprocessing(&metadata).map_err(of_key(PREPROCESSING))?,
        structure: stored.transpose()?,
    };
    let image = image(get("image")?).map_err(of_key("image"))?;
    let classes = number(get("classes")?).map_err(of_key("classes"))?;
    let channels = about.normalization.mean.len();
    if !matches!(image, Shape::Map { channels: found, .. } if found == channels) {
        return Err(format!(
            "images of {image}, but the normalisation has {channels} channels"
        ));
    }
    // Every class takes a scale and a bias in the last layer.
    if classes > bytes.len() / (2 * FLOAT) {
        return Err(format!(
            "{classes} classes, more than a file of {} bytes can hold; export it again",
            bytes.len()
        ));
    }
    let base = if let Some(structure) = &about.structure {
        structure.graph.clone()
    } else {
        let preset = Structure::preset(&about.model, image, classes);
        preset.map_err(said)?.graph
    };
    if (base.input_shape(), base.classes()) != (image, classes) {
        return Err(format!(
            "images of {image} in {classes} classes, but its graph reads {} and answers {}",
            base.input_shape(),
            base.classes()
        ));
    }
    let bits = get("bits")?
        .split(' ')
        .map(pair)
        .collect::<Decoded<Vec<_>>>()
        .map_err(of_key("bits"))?;
    let steps = weight_steps(metadata.get(WEIGHT_STEPS.0))?;
    let folded = layers(&base, (&bits, steps), &file)?;
    let (graph, parameters) = unfold(&base, &folded).map_err(said)?;
    Ok(Packed {
        about,
        bits,
        graph,
        parameters,
    })
}

/// What is wrong with a value of the metadata, with its key and the next step.
fn of_key(key: &str) -> impl Fn(String) -> String {
    move |reason| format!("its metadata {key}: {reason}; export it again")
}

fn weight_steps(said: Option<&String>) -> Decoded<WeightSteps> {
    match said.map(String::as_str) {
        None => Ok(WeightSteps::Layer),
        Some(text) if text == WEIGHT_STEPS.1 => Ok(WeightSteps::Channel),
        Some(text) => Err(format!("expected weight-steps channel, got {text:?}")),
    }
}

fn layers(
    base: &Graph,
    (bits, steps): (&[LayerBits], WeightSteps),
    file: &SafeTensors,
) -> Decoded<Vec<FoldedLayer>> {
    let layers = base.layers();
    if layers.len() != bits.len() {
        let (found, expected) = (bits.len(), layers.len());
        return Err(format!(
            "bits of {found} layers, but the network has {expected}"
        ));
    }
    let folded = layers.iter().zip(bits).map(|(layer, &bits)| {
        let extent = Extent {
            name: &layer.name,
            weights: layer.parameters(),
            channels: base.parameters()[layer.weight.index()].shape[0],
            bits,
            steps,
        };
        let name = extent.name;
        let tensor = file
            .tensor(name)
            .map_err(|_| format!("layer {name} is missing"))?;
        let (found, expected) = (tensor.data().len(), extent.bytes());
        if tensor.dtype() != Dtype::U8 || found != expected {
            let dtype = tensor.dtype();
            return Err(format!(
                "layer {name} takes {expected} bytes at these bits, got {found} of type {dtype}"
            ));
        }
        layer_of(&extent, tensor.data())
    });
    folded.collect()
}

/// A layer from its entry, whose length was checked.
fn layer_of(extent: &Extent, blob: &[u8]) -> Decoded<FoldedLayer> {
    let (weights, rest) = blob.split_at(extent.weight_bytes());
    let (weight_steps, rest) = rest.split_at(extent.step_bytes());
    let (activation_step, rest) = rest.split_at(STEP);
    let (scale, bias) = rest.split_at(FLOAT * extent.channels);
    let floats = |bytes: &[u8]| -> Vec<f32> { bytes.chunks_exact(FLOAT).map(float).collect() };
    let layer = FoldedLayer {
        name: extent.name.to_owned(),
        bits: extent.bits,
        weights: if extent.bits.weights.is_float() {
            Values::Floats(floats(weights))
        } else {
            Values::Codes(unpack(weights, extent.bits.weights.get(), extent.weights))
        },
        weight_steps: match weight_steps.len() {
            STEP if extent.steps == WeightSteps::Layer || extent.bits.weights.is_float() => {
                vec![double(weight_steps)]
            }
            _ => floats(weight_steps).into_iter().map(f64::from).collect(),
        },
        activation_step: double(activation_step),
        scale: floats(scale),
        bias: floats(bias),
    };
    if is_sound(&layer) {
        return Ok(layer);
    }
    let name = extent.name;
    Err(format!(
        "layer {name} holds a number that cannot be; export the file again"
    ))
}

/// Whether every number is one that a network can have.
fn is_sound(layer: &FoldedLayer) -> bool {
    let finite = |values: &[f32]| values.iter().all(|value| value.is_finite());
    let positive = |step: f64| step.is_finite() && step > 0.0;
    let weights = match &layer.weights {
        Values::Floats(values) => finite(values),
        Values::Codes(_) => true,
    };
    let quantized = !layer.bits.activations.is_float();
    weights
        && finite(&layer.scale)
        && finite(&layer.bias)
        && layer.weight_steps.iter().all(|&step| positive(step))
        && (!quantized || positive(layer.activation_step))
}

fn double(bytes: &[u8]) -> f64 {
    f64::from_le_bytes(bytes.try_into().unwrap_or_default())
}

fn float(bytes: &[u8]) -> f32 {
    f32::from_le_bytes(bytes.try_into().unwrap_or_default())
}

fn number(text: &str) -> Decoded<usize> {
    let number = text.parse();
    number.map_err(|_| format!("expected a number, got {text:?}"))
}

fn list(text: &str) -> Decoded<Vec<f32>> {
    let number = |text: &str| text.parse().ok();
    let numbers: Option<Vec<f32>> = text.split(' ').map(number).collect();
    numbers.ok_or_else(|| format!("expected numbers, got {text:?}"))
}

/// `3x32x32`.
fn image(text: &str) -> Decoded<Shape> {
    const LARGEST: usize = 1 << 12;
    let extents = text.split('x').map(number).collect::<Decoded<Vec<_>>>()?;
    match extents[..] {
        [channels, height, width] if extents.iter().all(|e| (1..=LARGEST).contains(e)) => {
            Ok(Shape::map(channels, height, width))
        }
        _ => Err(format!("expected an image such as 3x32x32, got {text:?}")),
    }
}

/// `4/8`.
fn pair(text: &str) -> Decoded<LayerBits> {
    let wrong = || format!("expected bits such as 4/8, got {text:?}");
    let (weights, activations) = text.split_once('/').ok_or_else(wrong)?;
    Ok(bits_of(
        weights.parse().map_err(|_| wrong())?,
        activations.parse().map_err(|_| wrong())?,
    ))
}
