//! The sensitivity file: what an analysis measured, layer by layer (a contract; see README "Files").

mod check;
mod identity;
mod landscape;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use crate::engine::bits::Bits;
use crate::engine::import::Normalization;
use crate::engine::model::Envelope;
use crate::engine::scale_rule::ScaleRule;
use crate::engine::text::{self, Wanted};
use crate::engine::{Error, Result, files};

pub use identity::Identity;
pub use landscape::{Landscape, POINTS, SIDE};

/// Value of the `format` key.
pub const FORMAT: &str = "hawqeye/sensitivity";

/// Most weights and multiply-accumulates of a layer: sums over layers and bits stay exact.
const LARGEST: u64 = 1 << 48;
/// A value for each candidate bit-width, keyed by bits.
pub type PerBits = BTreeMap<u8, f64>;

/// Reads numbers by bit-width whose keys come as text, also from inside an event: there serde does not
/// turn the keys of a JSON object into numbers by itself.
fn by_bits<'de, D: Deserializer<'de>>(from: D) -> std::result::Result<PerBits, D::Error> {
    BTreeMap::<String, f64>::deserialize(from)?
        .into_iter()
        .map(|(bits, value)| {
            let refused =
                |_| D::Error::custom(format!("{bits:?}: expected a bit-width, such as 4"));
            Ok((bits.parse().map_err(refused)?, value))
        })
        .collect()
}

/// A whole number, also where a program wrote it as `432.0`.
fn whole<'de, D: Deserializer<'de>>(from: D) -> std::result::Result<u64, D::Error> {
    let number = serde_json::Number::deserialize(from)?;
    let of_float = || {
        let value = number.as_f64()?;
        let is_whole = (0.0..=LARGEST as f64).contains(&value) && value.fract() == 0.0;
        is_whole.then_some(value as u64)
    };
    number.as_u64().or_else(of_float).ok_or_else(|| {
        D::Error::custom(format!("{number}: expected a whole number, 0 to {LARGEST}"))
    })
}

fn whole_size<'de, D: Deserializer<'de>>(from: D) -> std::result::Result<usize, D::Error> {
    let number = whole(from)?;
    usize::try_from(number).map_err(D::Error::custom)
}

fn whole_or_none<'de, D: Deserializer<'de>>(from: D) -> std::result::Result<Option<u64>, D::Error> {
    #[derive(Deserialize)]
    struct Whole(#[serde(deserialize_with = "whole")] u64);
    Ok(Option::<Whole>::deserialize(from)?.map(|whole| whole.0))
}

/// Nothing where a file says `null`.
fn or_nothing<'de, D: Deserializer<'de>>(
    from: D,
) -> std::result::Result<serde_json::Map<String, serde_json::Value>, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

/// The same for every rule of choosing step sizes.
fn by_scale_and_bits<'de, D: Deserializer<'de>>(
    from: D,
) -> std::result::Result<BTreeMap<ScaleRule, PerBits>, D::Error> {
    #[derive(Deserialize)]
    struct Values(#[serde(deserialize_with = "by_bits")] PerBits);
    let read = BTreeMap::<ScaleRule, Values>::deserialize(from)?;
    Ok(read
        .into_iter()
        .map(|(rule, values)| (rule, values.0))
        .collect())
}

/// A whole sensitivity file. Only `layers` is needed to make a plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sensitivity {
    /// Always [`FORMAT`].
    #[serde(default = "default_format")]
    pub format: String,
    /// Schema version, 1.
    #[serde(default = "default_version")]
    pub version: u32,
    /// The network that was analysed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelFacts>,
    /// The images that were used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<DataFacts>,
    /// The settings of the analysis, as given.
    #[serde(
        default,
        skip_serializing_if = "serde_json::Map::is_empty",
        deserialize_with = "or_nothing"
    )]
    pub settings: serde_json::Map<String, serde_json::Value>,
    /// Fingerprint of model, data and settings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// What other measurements must share to stand beside these; absent in older files and in those
    /// from elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<Identity>,
    /// Mean loss over the sample.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss: Option<f64>,
    /// Top-1 accuracy over the sample.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<f64>,
    /// Wall time of the analysis.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// What eigenvalues and traces were measured from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub curvature: Option<CurvatureFacts>,
    /// Whether the weights are those that were trained, or batch normalisation was folded into them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub normalization: Option<Normalization>,
    /// What a packed file of the network holds besides its layers; absent in older files and in those
    /// from elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packed: Option<Envelope>,
    /// One entry a layer, in the order of the network.
    pub layers: Vec<LayerSensitivity>,
}

/// The network that was analysed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelFacts {
    /// Architecture name, such as `resnet20`; empty when unknown.
    #[serde(default)]
    pub name: String,
    /// SHA-256 of the weights file, in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights_sha256: Option<String>,
    /// Trainable parameters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters: Option<usize>,
}

/// The images that were used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DataFacts {
    /// Data set name, such as `cifar10`; empty when unknown.
    #[serde(default)]
    pub name: String,
    /// `train`.
    #[serde(default)]
    pub split: String,
    /// Number of images; absent when unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub samples: Option<usize>,
    /// Number of classes; absent when unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub classes: Option<usize>,
}

/// The part of the sample's curvature that was measured; see [`rows`](super::hessian::rows).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CurvatureFacts {
    /// Images that were walked backward.
    pub images: usize,
    /// Directions in their logits, one backward walk each.
    pub rows: usize,
    /// Share of the curvature at the logits, 0 to 1, that was left to a few rows that stand for it.
    pub left_out: f64,
}

/// An eigenvalue measured again, in float64.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Verified {
    /// Rayleigh quotient of the eigenvector that was found.
    pub eigenvalue: f64,
    /// Its relative residual.
    pub residual: f64,
}

/// What is known of one layer. Keys that were not measured are absent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LayerSensitivity {
    /// Path of the layer as in the weights file, such as `layer1.0.conv1`.
    pub layer: Arc<str>,
    /// `conv2d` or `linear`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Weight shape: out, in, height, width; or out, in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shape: Vec<usize>,
    /// Number of weights `n_i`.
    #[serde(deserialize_with = "whole_size")]
    pub parameters: usize,
    /// Multiply-accumulates for one image; absent when unknown, which is not zero.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "whole_or_none"
    )]
    pub macs: Option<u64>,
    /// Elements of the activation the layer reads, for one image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activation_size: Option<usize>,
    /// Whether the activation read is the image itself (8 bits, outside A-comp).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reads_image: bool,
    /// Largest eigenvalue lambda_i of the layer's Hessian block.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eigenvalue: Option<f64>,
    /// Hessian products spent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iterations: Option<usize>,
    /// Relative residual reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub residual: Option<f64>,
    /// Whether the residual is within the tolerance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub converged: Option<bool>,
    /// Relative residual that was asked for, where it is not that of the settings: measured again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tolerance: Option<f64>,
    /// Estimate and relative residual after each iteration.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<(f64, f64)>,
    /// The same eigenvector measured again on another device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified: Option<Verified>,
    /// Trace of the block.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<f64>,
    /// Standard error of the trace; 0 when exact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_stderr: Option<f64>,
    /// trace / n_i.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean_trace: Option<f64>,
    /// S_i = lambda_i / n_i.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sensitivity: Option<f64>,
    /// Squared error of the weights when quantized, for each bit-width.
    #[serde(default, deserialize_with = "by_bits")]
    pub perturbation: PerBits,
    /// The same for every rule of choosing step sizes; a plan uses that of its own rule.
    #[serde(
        default,
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "by_scale_and_bits"
    )]
    pub perturbation_by_scale: BTreeMap<ScaleRule, PerBits>,
    /// Omega_i = lambda_i * perturbation, for each bit-width.
    #[serde(
        default,
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "by_bits"
    )]
    pub omega: PerBits,
    /// Measured rise of the loss when this layer alone is quantized, for each bit-width.
    #[serde(
        default,
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "by_bits"
    )]
    pub loss_change: PerBits,
    /// Measured latency in milliseconds, for each bit-width.
    #[serde(default, deserialize_with = "by_bits")]
    pub latency_ms: PerBits,
    /// Name of the group of layers that must share bits.
    #[serde(default)]
    pub tie: Option<String>,
}

impl LayerSensitivity {
    /// The perturbation at `bits` with step sizes chosen by `scale`, or as it was measured when the
    /// file tells no rules.
    #[must_use]
    pub fn perturbation_at(&self, bits: Bits, scale: ScaleRule) -> Option<f64> {
        let by_bits = if self.perturbation_by_scale.is_empty() {
            &self.perturbation
        } else {
            self.perturbation_by_scale.get(&scale)?
        };
        by_bits.get(&bits.get()).copied()
    }
}

/// Largest sensitivity file that is read.
const LIMIT: u64 = 1 << 30;

impl Sensitivity {
    /// Reads a sensitivity file.
    ///
    /// # Errors
    /// When it cannot be read, is not a sensitivity file, lists a layer twice or holds a number
    /// that makes no sense.
    pub fn read(path: &Path) -> Result<Self> {
        let is_unfinished = path.extension().is_some_and(|end| end == "partial");
        let next = if is_unfinished {
            "remove it, and measure again with hawqeye analyze without --resume"
        } else {
            "measure again with hawqeye analyze"
        };
        Self::read_or(path, next)
    }

    /// The same, with what to do about a file that cannot be read.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_or(path: &Path, next: &str) -> Result<Self> {
        let wanted = Wanted {
            what: "a sensitivity file (hawqeye/sensitivity)",
            next,
            limit: LIMIT,
        };
        let partial = Self::unfinished(path);
        if !path.exists() && partial.exists() {
            return Err(Error::invalid(format!(
                "{} is not there, but {}, of an analysis that has not ended: finish it with hawqeye \
                 analyze --resume -o {0}, or name what is there",
                path.display(),
                partial.display()
            )));
        }
        let mut read: Self = text::read_json(path, &wanted)?;
        read.check()
            .map_err(|reason| wanted.refused(path, &reason))?;
        read.name_rules();
        Ok(read)
    }

    /// Perturbations without a rule of step sizes are those of the rule that the settings tell.
    fn name_rules(&mut self) {
        let Some(rule) = self.told_rule() else { return };
        let unnamed = self.layers.iter_mut();
        let unnamed = unnamed.filter(|layer| layer.perturbation_by_scale.is_empty());
        for layer in unnamed.filter(|layer| !layer.perturbation.is_empty()) {
            let own = layer.perturbation.clone();
            layer.perturbation_by_scale.insert(rule, own);
        }
    }

    /// The rule of step sizes that the settings tell.
    fn told_rule(&self) -> Option<ScaleRule> {
        self.settings.get("scale")?.as_str()?.parse().ok()
    }

    /// The rule of step sizes that a plan takes when none is asked for: the usual one where every layer
    /// has perturbations of it, else the one that these were measured by.
    #[must_use]
    pub fn usual_rule(&self) -> ScaleRule {
        let usual = ScaleRule::default();
        let mut layers = self.layers.iter().map(|layer| &layer.perturbation_by_scale);
        let knows =
            |rules: &BTreeMap<ScaleRule, PerBits>| rules.is_empty() || rules.contains_key(&usual);
        if layers.all(knows) {
            return usual;
        }
        self.told_rule().unwrap_or(usual)
    }

    /// Whether anything was measured of a layer.
    #[must_use]
    pub fn is_begun(&self) -> bool {
        let is_begun = |layer: &LayerSensitivity| {
            layer.eigenvalue.is_some() || layer.trace.is_some() || !layer.loss_change.is_empty()
        };
        self.layers.iter().any(is_begun)
    }

    /// Where the measurements of an unfinished analysis are kept: `FILE.partial`.
    #[must_use]
    pub fn unfinished(file: &Path) -> PathBuf {
        let mut name = file.as_os_str().to_owned();
        name.push(".partial");
        PathBuf::from(name)
    }

    /// The relative residual that counted as converged; absent in files from elsewhere.
    #[must_use]
    pub fn tolerance(&self) -> Option<f64> {
        self.settings.get("tolerance")?.as_f64()
    }

    /// Writes a sensitivity file, atomically.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        files::write_atomically(path, self.to_json().as_bytes())
    }

    /// The file's content.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut text =
            serde_json::to_string_pretty(self).expect("invariant: every key is a string");
        text.push('\n');
        text
    }
}

fn default_format() -> String {
    FORMAT.to_owned()
}

const fn default_version() -> u32 {
    1
}
