//! What a plan must know of a layer.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::engine::backend::WeightShape;
use crate::engine::graph::{Graph, Layer};
use crate::engine::sensitivity::LayerSensitivity;

/// The operation of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LayerKind {
    /// Convolution.
    Conv2d,
    /// Linear.
    Linear,
}

impl fmt::Display for LayerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Conv2d => "conv2d",
            Self::Linear => "linear",
        })
    }
}

/// What a plan must know of a layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerFacts {
    /// Path of the layer.
    pub name: Arc<str>,
    /// Its operation.
    pub kind: LayerKind,
    /// Weight shape: out, in, height, width; or out, in.
    pub shape: Vec<usize>,
    /// Number of weights.
    pub parameters: usize,
    /// Multiply-accumulates for one image; absent when unknown.
    pub macs: Option<u64>,
    /// Elements of the activation read, for one image; absent when unknown.
    pub activation_size: Option<usize>,
    /// Whether that activation is the image, which stays at 8 bits and outside A-comp.
    pub reads_image: bool,
}

impl LayerFacts {
    /// Of every layer of a network, in order.
    #[must_use]
    pub fn of(graph: &Graph) -> Vec<Self> {
        let facts = |layer: &Layer| Self {
            name: layer.name.clone(),
            kind: match layer.shape {
                WeightShape::Convolution(_) => LayerKind::Conv2d,
                WeightShape::Linear(_) => LayerKind::Linear,
            },
            shape: graph.parameters()[layer.weight.index()].shape.clone(),
            parameters: layer.parameters(),
            macs: Some(layer.macs()),
            activation_size: Some(layer.activation_size),
            reads_image: layer.reads_image,
        };
        graph.layers().iter().map(facts).collect()
    }
}

impl From<&LayerSensitivity> for LayerFacts {
    fn from(layer: &LayerSensitivity) -> Self {
        Self {
            name: layer.layer.clone(),
            kind: match layer.kind.as_deref() {
                Some("linear") => LayerKind::Linear,
                _ => LayerKind::Conv2d,
            },
            shape: layer.shape.clone(),
            parameters: layer.parameters,
            macs: layer.macs,
            activation_size: layer.activation_size,
            reads_image: layer.reads_image,
        }
    }
}
