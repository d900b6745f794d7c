//! Parameters of a network: their names and shapes, and their values.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The nearest float32 number. Trained parameters and step sizes are kept as such numbers, so that
/// weights files and exported files hold them exactly.
#[must_use]
pub fn single(value: f64) -> f64 {
    f64::from(value as f32)
}

/// A parameter of a graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ParameterId(pub(super) usize);

impl ParameterId {
    /// Position among the parameters.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0
    }
}

/// What a parameter is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Weights of a convolution or linear layer.
    Weight,
    /// Bias of a convolution or linear layer.
    Bias,
    /// gamma of batch normalisation.
    Scale,
    /// beta of batch normalisation.
    Shift,
    /// Running mean of batch normalisation.
    RunningMean,
    /// Running variance of batch normalisation.
    RunningVariance,
    /// Slopes of an activation function below 0.
    Slope,
    /// Step size of activation quantization.
    Step,
}

impl Role {
    /// Whether gradients reach it.
    #[must_use]
    pub const fn is_trainable(self) -> bool {
        !matches!(self, Self::RunningMean | Self::RunningVariance)
    }

    /// Whether it belongs to weights files (step sizes are learned here).
    #[must_use]
    pub const fn is_in_weights_files(self) -> bool {
        !matches!(self, Self::Step)
    }
}

/// Name, shape and role of a parameter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ParameterSpec {
    /// Name as in weights files, such as `layer1.0.bn1.running_mean`.
    pub name: Arc<str>,
    /// Shape as in weights files.
    pub shape: Vec<usize>,
    /// What it is for.
    pub role: Role,
}

impl ParameterSpec {
    /// Numbers in it.
    #[must_use]
    pub fn elements(&self) -> usize {
        self.shape.iter().product()
    }
}

/// Values of the parameters of a graph, in its order; each in the order of weights files.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Parameters(Vec<Vec<f64>>);

impl Parameters {
    /// One value tensor per parameter.
    #[must_use]
    pub fn new(values: Vec<Vec<f64>>) -> Self {
        Self(values)
    }

    /// Zeros in the shapes of `specs`.
    #[must_use]
    pub fn zeros(specs: &[ParameterSpec]) -> Self {
        Self(specs.iter().map(|s| vec![0.0; s.elements()]).collect())
    }

    /// The values of one parameter.
    #[must_use]
    pub fn get(&self, id: ParameterId) -> &[f64] {
        &self.0[id.0]
    }

    /// The values of one parameter, to change.
    pub fn get_mut(&mut self, id: ParameterId) -> &mut Vec<f64> {
        &mut self.0[id.0]
    }

    /// All of them, in order.
    #[must_use]
    pub fn all(&self) -> &[Vec<f64>] {
        &self.0
    }

    /// All of them, to change.
    pub fn all_mut(&mut self) -> &mut [Vec<f64>] {
        &mut self.0
    }

    /// Adds the values of one more parameter.
    pub fn push(&mut self, values: Vec<f64>) {
        self.0.push(values);
    }
}
