//! The sensitivity file: what an analysis measured, layer by layer (a contract; see README "Files").

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Value of the `format` key.
pub const FORMAT: &str = "hawqeye/sensitivity";

/// A value for each candidate bit-width, keyed by bits.
pub type PerBits = BTreeMap<u8, f64>;

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
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub settings: serde_json::Map<String, serde_json::Value>,
    /// Fingerprint of model, data and settings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// Mean loss over the sample.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss: Option<f64>,
    /// Top-1 accuracy over the sample.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<f64>,
    /// Wall time of the analysis.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// One entry a layer, in the order of the network.
    pub layers: Vec<LayerSensitivity>,
}

/// The network that was analysed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelFacts {
    /// Architecture name, such as `resnet20`.
    pub name: String,
    /// SHA-256 of the weights file, in hexadecimal.
    pub weights_sha256: String,
    /// Trainable parameters.
    pub parameters: usize,
}

/// The images that were used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DataFacts {
    /// Data set name, such as `cifar10`.
    pub name: String,
    /// `train`.
    pub split: String,
    /// Number of images.
    pub samples: usize,
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
    pub parameters: usize,
    /// Multiply-accumulates for one image.
    #[serde(default)]
    pub macs: u64,
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
    /// Estimate and relative residual after each iteration.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<(f64, f64)>,
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
    #[serde(default)]
    pub perturbation: PerBits,
    /// Omega_i = lambda_i * perturbation, for each bit-width.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub omega: PerBits,
    /// Measured rise of the loss when this layer alone is quantized, for each bit-width.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub loss_change: PerBits,
    /// Measured latency in milliseconds, for each bit-width.
    #[serde(default)]
    pub latency_ms: PerBits,
    /// Name of the group of layers that must share bits.
    #[serde(default)]
    pub tie: Option<String>,
}

fn default_format() -> String {
    FORMAT.to_owned()
}

const fn default_version() -> u32 {
    1
}
