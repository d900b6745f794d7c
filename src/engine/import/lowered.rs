//! A network as few, plain operations, in an order in which they can be computed: what every file
//! becomes, whatever container, exporter and layout it came in. Sizes are those of one image.
//!
//! ```text
//! Network { input, steps: [Step { operation, inputs, form }], parameters, outputs, refused }
//! ```
//! A wire is the place of the step that writes it; step 0 is the image.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::origin::Origin;
use super::source::Container;

/// The shape of a wire, for one image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Form {
    /// Channels of rows and columns.
    Map {
        /// Channels.
        channels: usize,
        /// Rows.
        rows: usize,
        /// Columns.
        columns: usize,
    },
    /// A vector; of a flattened map in channel, row, column order.
    Features(usize),
}

impl Form {
    /// Number of values.
    #[must_use]
    pub const fn elements(self) -> usize {
        match self {
            Self::Map {
                channels,
                rows,
                columns,
            } => channels * rows * columns,
            Self::Features(features) => features,
        }
    }

    /// Channels of a map, or features.
    #[must_use]
    pub const fn channels(self) -> usize {
        match self {
            Self::Map { channels, .. } => channels,
            Self::Features(features) => features,
        }
    }

    /// The extents: channels, rows, columns, or features.
    #[must_use]
    pub fn extents(self) -> Vec<usize> {
        match self {
            Self::Map {
                channels,
                rows,
                columns,
            } => vec![channels, rows, columns],
            Self::Features(features) => vec![features],
        }
    }
}

/// The place of a parameter in [`Network::parameters`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ParameterId(pub usize);

/// An extent of a map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Axis {
    /// Images.
    Batch,
    /// Channels, or features.
    Channel,
    /// Rows.
    Row,
    /// Columns.
    Column,
}

/// A window that moves over a map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Window {
    /// Rows and columns.
    pub kernel: [usize; 2],
    /// Steps down and right.
    pub strides: [usize; 2],
    /// Rows and columns around the map: top, left, bottom, right.
    pub pads: [usize; 4],
    /// Distance between the places of the window, down and right.
    pub dilations: [usize; 2],
    /// Whether a window that hangs over the end counts, as long as it does not begin there.
    pub ceil_mode: bool,
}

/// What a step does.
#[derive(Debug, Clone, PartialEq)]
pub enum Operation {
    /// The image.
    Input,
    /// Convolution, zeros around the map; the window is not in ceil mode.
    Conv {
        /// Output channels x input channels of a group x rows x columns.
        weights: ParameterId,
        /// One number an output channel.
        bias: Option<ParameterId>,
        /// Where the kernel goes.
        window: Window,
        /// Groups of channels.
        groups: usize,
    },
    /// Product with a matrix.
    Linear {
        /// Outputs x inputs.
        weights: ParameterId,
        /// One number an output.
        bias: Option<ParameterId>,
    },
    /// `(x - mean) / sqrt(variance + epsilon) * gamma + beta`, one number a channel each.
    BatchNorm {
        /// Factor; 1 when absent.
        gamma: Option<ParameterId>,
        /// Summand; 0 when absent.
        beta: Option<ParameterId>,
        /// Mean.
        mean: ParameterId,
        /// Variance.
        variance: ParameterId,
        /// Epsilon.
        epsilon: f64,
    },
    /// `x * factor + shift`, one number a channel each: what is left of a normalisation whose
    /// statistics are gone.
    Scale {
        /// Factor; 1 when absent.
        factor: Option<ParameterId>,
        /// Summand; 0 when absent.
        shift: Option<ParameterId>,
    },
    /// The largest of a window; what lies around the map is never taken.
    MaxPool {
        /// The window.
        window: Window,
    },
    /// The mean of a window.
    AveragePool {
        /// The window.
        window: Window,
        /// Whether the zeros around the map count.
        count_include_pad: bool,
    },
    /// The mean of each channel, as a map of 1x1.
    GlobalAveragePool,
    /// Sum of two wires of one form.
    Add,
    /// Channels, or features, one after another.
    Concat,
    /// A map as features, in channel, row, column order.
    Flatten,
    /// Features as a map of 1x1.
    Unflatten,
    /// `max(x, 0)`.
    Relu,
    /// `min(max(x, min), max)`; either may be infinite.
    Clip {
        /// Lower bound.
        min: f32,
        /// Upper bound.
        max: f32,
    },
    /// `x` above zero, `slope * x` below.
    LeakyRelu {
        /// The slope.
        slope: f32,
    },
    /// `x` above zero, `slope * x` below, one slope a channel.
    PRelu {
        /// The slopes.
        slope: ParameterId,
    },
    /// A map with constants around it.
    Pad {
        /// Rows and columns: top, left, bottom, right.
        pads: [usize; 4],
        /// Channels before and after.
        channels: [usize; 2],
        /// The constant.
        value: f32,
    },
    /// Every `step`-th place of an extent, `count` of them from `start`.
    Slice {
        /// The extent.
        axis: Axis,
        /// The first place.
        start: usize,
        /// Places that are kept.
        count: usize,
        /// From place to place.
        step: usize,
    },
    /// An operation that is not supported, of which the form is known; it is among the refused.
    Opaque,
}

impl Operation {
    /// The weights, if it is a layer.
    #[must_use]
    pub const fn weights(&self) -> Option<ParameterId> {
        match self {
            Self::Conv { weights, .. } | Self::Linear { weights, .. } => Some(*weights),
            _ => None,
        }
    }
}

/// An operation in its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Its name: the path of its module where the file tells it; unique.
    pub name: String,
    /// The operation of the file that it comes from.
    pub source: String,
    /// What it does.
    pub operation: Operation,
    /// The steps that it reads.
    pub inputs: Vec<usize>,
    /// What it writes.
    pub form: Form,
}

/// Numbers of a network.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    /// Its extents.
    pub shape: Vec<usize>,
    /// Its numbers, the last extent running fastest.
    pub values: Arc<Vec<f32>>,
    /// The tensor of the file, and what was done to it; nothing for numbers that no tensor is.
    pub origin: Option<Origin>,
}

/// In which order the file has the extents of the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Layout {
    /// Channels, rows, columns.
    ChannelsFirst,
    /// Rows, columns, channels.
    ChannelsLast,
}

impl Layout {
    /// The word in files.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::ChannelsFirst => "nchw",
            Self::ChannelsLast => "nhwc",
        }
    }
}

/// What a network answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Its name in the file.
    pub name: String,
    /// The step that writes it; nothing when something on the way is not supported.
    pub step: Option<usize>,
    /// Its extents in the file, without the images; empty when they are not known.
    pub shape: Vec<usize>,
}

/// What became of batch normalisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Normalization {
    /// It is there.
    Kept,
    /// It was folded into the weights of layers.
    Folded,
    /// Of some layers it is there, into others it was folded.
    Mixed,
    /// There is none.
    None,
}

impl Normalization {
    /// What it means for the weights that are ranked, in words.
    #[must_use]
    pub const fn told(self) -> &'static str {
        match self {
            Self::Kept => "kept: the weights are those that were trained",
            Self::Folded => "folded into the weights, and those are ranked",
            Self::Mixed => "kept in some layers, folded into the weights of others",
            Self::None => "none",
        }
    }

    /// The word in files.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Folded => "folded",
            Self::Mixed => "mixed",
            Self::None => "none",
        }
    }
}

/// An operation that is not supported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The operation of the file.
    pub operation: String,
    /// Why.
    pub reason: String,
    /// How often it is there for this reason.
    pub count: usize,
    /// The first node.
    pub first: String,
}

/// A network from a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Network {
    /// What kind of file it was.
    pub container: Container,
    /// The program that wrote it.
    pub exporter: String,
    /// Version of the operators.
    pub opset: i64,
    /// SHA-256 of the file, in hexadecimal.
    pub sha256: String,
    /// Name of the image in the file.
    pub input: String,
    /// The order of its extents there.
    pub layout: Layout,
    /// Operations; the first is the image.
    pub steps: Vec<Step>,
    /// Numbers that they use.
    pub parameters: Vec<Parameter>,
    /// What is answered.
    pub outputs: Vec<Output>,
    /// The softmax that was taken off the end: the operation.
    pub softmax: Option<String>,
    /// Quantizers of activations in the file, of which the range alone is kept.
    pub quantizers: usize,
    /// Whole numbers of the file's state that no computation reads, by name.
    pub counters: BTreeMap<String, i64>,
    /// Operations of the file that work on images, and how often.
    pub operations: BTreeMap<String, usize>,
    /// What became of batch normalisation.
    pub normalization: Normalization,
    /// Everything that is not supported; empty for a network that can be used.
    pub refused: Vec<Refused>,
}

impl Network {
    /// A parameter.
    #[must_use]
    pub fn parameter(&self, id: ParameterId) -> &Parameter {
        &self.parameters[id.0]
    }
}
