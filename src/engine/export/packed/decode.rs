//! What is in the bytes of a packed file.

use std::collections::HashMap;

use safetensors::SafeTensors;
use safetensors::tensor::Dtype;

use super::super::folded::{FoldedLayer, unfold};
use super::extent::{FLOAT, WeightSteps};
use super::{
    About, FORMAT, KEYS, OLDER, PIXEL_SCALE, PREPROCESSING, Packed, VERSION, WEIGHT_STEPS,
    embedded, entry, extent, further,
};
use crate::engine::Error;
use crate::engine::data::preprocessing::Preprocessing;
use crate::engine::data::{Normalization, USUAL_SCALE};
use crate::engine::graph::{Graph, Shape};
use crate::engine::model::Structure;
use crate::engine::model::weights::damage;
use crate::engine::quant::LayerBits;

/// What was read, or a sentence.
pub(super) type Decoded<T> = Result<T, String>;

/// What is in a file's bytes.
pub(super) fn decode(bytes: &[u8]) -> Decoded<Packed> {
    let damaged = |error: safetensors::SafeTensorError| {
        let what = damage(&error);
        format!("expected a packed file as `hawqeye export` writes it: {what}")
    };
    let said = |error: Error| error.to_string();
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(damaged)?;
    let metadata = Metadata(header.metadata().clone().unwrap_or_default());
    metadata.check_format()?;
    let file = SafeTensors::deserialize(bytes).map_err(damaged)?;
    let about = metadata.about(&file)?;
    let outside = Outside {
        image: metadata.read("image", image)?,
        classes: metadata.read("classes", number)?,
    };
    outside.check(&about, bytes.len())?;
    let base = outside.base(&about)?;
    let bits = metadata.read("bits", |text| {
        text.split(' ').map(pair).collect::<Decoded<Vec<_>>>()
    })?;
    let folded = layers(&base, (&bits, metadata.weight_steps()?), &file)?;
    let (graph, mut parameters) = unfold(&base, &folded).map_err(said)?;
    let parameters_of_others = file.tensor(further::NAME).ok();
    let parameters_of_others = parameters_of_others.map_or(&[][..], |tensor| tensor.data());
    further::place(&graph, parameters_of_others, &mut parameters)?;
    Ok(Packed {
        about,
        bits,
        graph,
        parameters,
    })
}

/// The metadata of a file.
struct Metadata(HashMap<String, String>);

impl Metadata {
    fn get(&self, key: &str) -> Decoded<&str> {
        let found = self.0.get(key).map(String::as_str);
        found.ok_or_else(|| {
            format!("expected a packed file as `hawqeye export` writes it, but it says no {key}")
        })
    }

    /// A value; what is wrong with one is told with its key and the next step.
    fn read<T>(&self, key: &str, value: impl Fn(&str) -> Decoded<T>) -> Decoded<T> {
        let read = value(self.get(key)?);
        read.map_err(|reason| format!("its metadata {key}: {reason}; export it again"))
    }

    /// Refuses other formats, and what is not known here.
    fn check_format(&self) -> Decoded<()> {
        if let Some(key) = self.0.keys().find(|key| !KEYS.contains(&&***key)) {
            return Err(format!(
                "its metadata hold {key:?}, which is unknown here: it was damaged, or written by a \
                 newer hawqeye"
            ));
        }
        let (format, version) = (self.get("format")?, self.get("version")?);
        if format == FORMAT && [OLDER, VERSION].contains(&version) {
            return Ok(());
        }
        Err(format!(
            "expected format {FORMAT} version {OLDER} or {VERSION}, got {format} version {version}"
        ))
    }

    fn about(&self, file: &SafeTensors) -> Decoded<About> {
        let stored = file.tensor(embedded::NAME).ok();
        let stored = stored.map(|tensor| embedded::decode(tensor.data()));
        Ok(About {
            model: self.get("model")?.to_owned(),
            data: self.get("data")?.to_owned(),
            normalization: self.normalization()?,
            preprocessing: self.preprocessing()?,
            structure: stored.transpose()?,
        })
    }

    /// Mean and deviation, of bytes multiplied as the file says.
    fn normalization(&self) -> Decoded<Normalization> {
        let (mean, std) = (self.read("mean", list)?, self.read("std", list)?);
        let scale = match self.0.get(PIXEL_SCALE) {
            Some(text) => text
                .parse()
                .map_err(|_| format!("{PIXEL_SCALE} {text}: expected a number"))?,
            None => USUAL_SCALE,
        };
        let number = Normalization::new(mean, std).and_then(|number| number.scaled(scale));
        number.map_err(|error| error.to_string())
    }

    fn preprocessing(&self) -> Decoded<Preprocessing> {
        if !self.0.contains_key(PREPROCESSING) {
            return Ok(Preprocessing::default());
        }
        self.read(PREPROCESSING, |text| {
            let read: Preprocessing = crate::engine::text::from_json(text)?;
            read.check().map_err(|error| error.to_string())?;
            Ok(read)
        })
    }

    fn weight_steps(&self) -> Decoded<WeightSteps> {
        match self.0.get(WEIGHT_STEPS.0).map(String::as_str) {
            None => Ok(WeightSteps::Layer),
            Some(text) if text == WEIGHT_STEPS.1 => Ok(WeightSteps::Channel),
            Some(text) => Err(format!("expected weight-steps channel, got {text:?}")),
        }
    }
}

/// What the network reads and answers, as the metadata say.
struct Outside {
    image: Shape,
    classes: usize,
}

impl Outside {
    /// Refuses what cannot be in a file of so many bytes.
    fn check(&self, about: &About, bytes: usize) -> Decoded<()> {
        let Self { image, classes } = *self;
        let channels = about.normalization.mean.len();
        if image.channels() != channels {
            return Err(format!(
                "images of {image}, but the normalisation has {channels} channels"
            ));
        }
        // Every class takes a scale and a bias in the last layer.
        if classes > bytes / (2 * FLOAT) {
            return Err(format!(
                "{classes} classes, more than a file of {bytes} bytes can hold; export it again"
            ));
        }
        Ok(())
    }

    /// The float network.
    fn base(&self, about: &About) -> Decoded<Graph> {
        let Self { image, classes } = *self;
        let base = if let Some(structure) = &about.structure {
            structure.graph.clone()
        } else {
            let preset = Structure::preset(&about.model, image, classes);
            preset.map_err(|error| error.to_string())?.graph
        };
        if (base.input_shape(), base.classes()) == (image, classes) {
            return Ok(base);
        }
        Err(format!(
            "images of {image} in {classes} classes, but its graph reads {} and answers {}",
            base.input_shape(),
            base.classes()
        ))
    }
}

fn layers(
    base: &Graph,
    (bits, steps): (&[LayerBits], WeightSteps),
    file: &SafeTensors,
) -> Decoded<Vec<FoldedLayer>> {
    let (found, expected) = (bits.len(), base.layers().len());
    if found != expected {
        return Err(format!(
            "bits of {found} layers, but the network has {expected}"
        ));
    }
    let extents = extent::of_graph(base, bits, steps);
    let folded = extents.iter().map(|extent| {
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
        entry::decode(extent, tensor.data())
    });
    folded.collect()
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
    if let Some(features) = text.strip_suffix(" features") {
        let features = Shape::Features(number(features)?);
        let is_fine = features.checked_elements().is_some();
        return is_fine
            .then_some(features)
            .ok_or_else(|| format!("expected 20 features, got {text:?}"));
    }
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
    Ok(extent::bits_of(
        weights.parse().map_err(|_| wrong())?,
        activations.parse().map_err(|_| wrong())?,
    ))
}
