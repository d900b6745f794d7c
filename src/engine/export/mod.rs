//! Files of a quantized network for other machines and programs.
//!
//! ```text
//! QuantizedNetwork --packed------> bit-packed codes; really small; read back by `eval --packed`
//!                  --qonnx-------> ONNX with Quant nodes; exact; holds floats
//!                  --safetensors-> dequantized floats with their names; bits and scales as JSON
//! ```
//! Every file is written beside its place, read back from disk, run on images next to the network it
//! was made from, and only then given its name.

pub mod compare;
mod dequantized;
mod folded;
pub mod packed;
pub mod qonnx;

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::backend::Backend;
use super::data::preprocessing::Preprocessing;
use super::data::{Dataset, Images, Normalization, USUAL_SCALE};
use super::files::{self, Draft};
use super::finetune::{Record, Run};
use super::graph::{Graph, Parameters};
use super::job::Observer;
use super::model::{Envelope, Model, Structure};
use super::plan::{LayerFacts, Plan};
use super::quant::QuantizedNetwork;
use super::{Error, Result};

pub use compare::Comparison;

/// File formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// Bit-packed weights; really small.
    #[default]
    Packed,
    /// ONNX with `Quant` nodes.
    Qonnx,
    /// Dequantized weights with their original names, for `PyTorch`.
    Safetensors,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 3] = [Self::Packed, Self::Qonnx, Self::Safetensors];

    /// The name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Packed => "packed",
            Self::Qonnx => "qonnx",
            Self::Safetensors => "safetensors",
        }
    }

    /// The usual end of a file's name.
    #[must_use]
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Packed => "packed.safetensors",
            Self::Qonnx => "onnx",
            Self::Safetensors => "safetensors",
        }
    }

    /// What it is for, in a sentence.
    #[must_use]
    pub const fn doc(self) -> &'static str {
        match self {
            Self::Packed => {
                "bit-packed weights, as small as predicted; runs with `hawqeye eval --packed`"
            }
            Self::Qonnx => {
                "ONNX with Quant nodes, exact, for other tools; stores floats, so it is large"
            }
            Self::Safetensors => "dequantized floats with the original names, for PyTorch; large",
        }
    }
}

impl FromStr for Format {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|format| format.name() == text);
        found.ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            Error::invalid(format!("format {text:?}: expected one of {names}"))
        })
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a file says of the network besides its layers.
#[derive(Debug, Clone, PartialEq)]
pub struct About {
    /// Architecture name.
    pub model: String,
    /// Name of the data set it was trained on.
    pub data: String,
    /// Normalisation of the images.
    pub normalization: Normalization,
    /// How pictures are resized, cut and turned before.
    pub preprocessing: Preprocessing,
    /// The float network; nothing for a preset, which its name tells.
    pub structure: Option<Structure>,
}

impl About {
    /// What is told in metadata only where it is not as usual.
    fn further(&self) -> Vec<(&'static str, String)> {
        let mut further = Vec::new();
        let scale = self.normalization.pixel_scale;
        if scale.to_bits() != USUAL_SCALE.to_bits() {
            further.push((packed::PIXEL_SCALE, scale.to_string()));
        }
        if !self.preprocessing.is_empty() {
            let text = serde_json::to_string(&self.preprocessing).unwrap_or_default();
            further.push((packed::PREPROCESSING, text));
        }
        further
    }

    /// What is known of a run.
    #[must_use]
    pub fn of(run: &Run) -> Self {
        Self::recorded(&run.record, &run.structure)
    }

    /// What the record of a run tells, and its float network.
    #[must_use]
    pub fn recorded(record: &Record, structure: &Structure) -> Self {
        Self {
            model: record.model.name.clone(),
            data: record.data.name.clone(),
            normalization: record.data.normalization.clone(),
            preprocessing: record.data.preprocessing.clone(),
            structure: structure.imported.is_some().then(|| structure.clone()),
        }
    }

    /// What a run of this network on these images will tell.
    #[must_use]
    pub fn expected(model: &Model, images: &Dataset, normalization: &Normalization) -> Self {
        Self {
            model: model.name.clone(),
            data: images.name.clone(),
            normalization: normalization.clone(),
            preprocessing: images.origin.geometry.clone(),
            structure: model.imported.is_some().then(|| model.structure()),
        }
    }

    /// What the packed file of a network with this graph holds besides its layers.
    #[must_use]
    pub fn envelope(&self, graph: &Graph) -> Envelope {
        packed::envelope(self, graph)
    }
}

/// What is exported, and to where.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// What it is.
    pub about: &'a About,
    /// The network.
    pub network: &'a QuantizedNetwork,
    /// The format.
    pub format: Format,
    /// The file.
    pub path: &'a Path,
}

/// A file that was written, read back and compared.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    /// The file.
    pub path: PathBuf,
    /// A second file beside it, if the format has one.
    pub beside: Option<PathBuf>,
    /// Bytes on disk.
    pub bytes: u64,
    /// Bytes of the weights at their bits, `sum(bits_i * n_i) / 8`, without anything else.
    pub theoretical_bytes: f64,
    /// SHA-256 of the file.
    pub sha256: String,
    /// The file read back, next to the network it was made from.
    pub comparison: Comparison,
}

/// Reads a network back from the file it was written to.
type Read<'a> = dyn FnOnce(&Path) -> Result<(Graph, Parameters)> + 'a;

/// A file's content before it is written, and how it is read back.
struct Encoded<'a> {
    bytes: Vec<u8>,
    /// The content of a second file, and the end of its name.
    beside: Option<(&'static str, String)>,
    read: Box<Read<'a>>,
}

/// Writes a file, reads it back and compares it on `images`. `None` when the observer asked to stop;
/// nothing is written then.
///
/// # Errors
/// When the network has no place in the format, the file cannot be written, or what was read back
/// predicts something else.
pub fn export<B: Backend>(
    backend: &B,
    request: &Request,
    images: &dyn Images,
    observer: &mut dyn Observer,
) -> Result<Option<Written>> {
    let encoded = match request.format {
        Format::Packed => packed::encoded(request)?,
        Format::Qonnx => qonnx::encoded(request),
        Format::Safetensors => dequantized::encoded(request)?,
    };
    files::sweep(files::folder_of(request.path), files::ABANDONED);
    let sha256 = files::sha256_hex(&encoded.bytes);
    let draft = Draft::write(request.path, &encoded.bytes)?;
    let read = (encoded.read)(draft.path());
    let (graph, parameters) = read.map_err(|error| error.of_file(draft.path(), request.path))?;
    let network = request.network;
    let original = (&network.graph, &network.effective());
    let pair = [original, (&graph, &parameters)];
    let Some(comparison) = compare::compare(backend, pair, images, observer)? else {
        return Ok(None);
    };
    comparison.check(request.path)?;
    let beside = publish(request.path, draft, encoded.beside)?;
    Ok(Some(Written {
        path: request.path.to_owned(),
        beside,
        bytes: encoded.bytes.len() as u64,
        theoretical_bytes: theoretical_bytes(network),
        sha256,
        comparison,
    }))
}

fn theoretical_bytes(network: &QuantizedNetwork) -> f64 {
    let layers = network.graph.layers();
    let bits = layers.iter().zip(&network.bits);
    let bits = bits.map(|(layer, bits)| layer.parameters() as f64 * f64::from(bits.weights.get()));
    bits.sum::<f64>() / 8.0
}

/// Size of the packed file of a plan before there is one, in bytes: exactly, where it is known what the
/// file holds besides its layers; where it is not, that of a preset on CIFAR-10. `None` when the shape
/// of a layer is unknown, or what the network is.
#[must_use]
pub fn predicted_bytes(
    facts: &[LayerFacts],
    plan: &Plan,
    envelope: Option<&Envelope>,
) -> Option<u64> {
    let usual = || packed::usual(&plan.model).map(Cow::Owned);
    let envelope = envelope.map(Cow::Borrowed).or_else(usual)?;
    packed::size(facts, plan, &envelope)
}

/// The second file of an export, with this extension.
#[must_use]
pub fn path_beside(path: &Path, extension: &str) -> PathBuf {
    path.with_extension(extension)
}

/// Gives a verified file its name, and the file that describes it. A reader sees the description of
/// the file that is there or none: the old one goes first, the new one comes last. Of two exports to
/// one name the later one's files stay, both of them.
fn publish(path: &Path, draft: Draft, beside: Option<(&str, String)>) -> Result<Option<PathBuf>> {
    let Some((extension, text)) = beside else {
        draft.publish(path)?;
        return Ok(None);
    };
    let description = path_beside(path, extension);
    let second = Draft::write(&description, text.as_bytes())?;
    // Where folders cannot be locked, the description still names the checksum of its file.
    let folder = fs::File::open(files::folder_of(path));
    let _locked = folder.inspect(|folder| drop(folder.lock()));
    match fs::remove_file(&description) {
        Err(refused) if refused.kind() != io::ErrorKind::NotFound => {
            return Err(Error::file("replace", &description, refused));
        }
        _ => {}
    }
    draft.publish(path)?;
    second.publish(&description)?;
    Ok(Some(description))
}
