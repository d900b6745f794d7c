//! Networks: an architecture, its graph, and trained parameters.

pub mod demo;
pub mod resnet;
pub mod weights;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::str::FromStr;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use weights::{NamedTensor, WeightsFile};

use super::data::Normalization;
use super::graph::{Graph, ParameterSpec, Parameters, Role, Shape};
use super::hessian::lanczos::normal;
use super::{Error, Result};

/// A known architecture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Architecture {
    /// A residual network for CIFAR, 20, 32, 44 or 56 layers deep; see [`resnet`].
    ResNet {
        /// Layers.
        depth: usize,
    },
}

impl Architecture {
    /// Every one, by name.
    pub const NAMES: [&str; 4] = ["resnet20", "resnet32", "resnet44", "resnet56"];

    /// Its graph over images of this shape.
    ///
    /// # Errors
    /// When the images do not suit it.
    pub fn graph(self, image: Shape, classes: usize) -> Result<Graph> {
        match self {
            Self::ResNet { depth } => resnet::graph((depth - 2) / 6, image, classes),
        }
    }

    /// Mean and deviation that its images are usually normalised with.
    #[must_use]
    pub fn normalization(self, channels: usize) -> Normalization {
        let (mean, std) = match channels {
            1 => (vec![0.286], vec![0.353]),
            _ => (vec![0.485, 0.456, 0.406], vec![0.229, 0.224, 0.225]),
        };
        Normalization { mean, std }
    }
}

impl FromStr for Architecture {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let depth = text
            .strip_prefix("resnet")
            .and_then(|depth| depth.parse().ok());
        match depth {
            Some(depth @ (20 | 32 | 44 | 56)) => Ok(Self::ResNet { depth }),
            _ => Err(Error::invalid(format!(
                "model {text:?}: expected one of {}",
                Self::NAMES.join(", ")
            ))),
        }
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ResNet { depth } => write!(f, "resnet{depth}"),
        }
    }
}

/// A network with its parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// What it is.
    pub architecture: Architecture,
    /// Its graph.
    pub graph: Graph,
    /// Its parameters.
    pub parameters: Parameters,
    /// SHA-256 of the file the parameters came from, in hexadecimal.
    pub weights_sha256: String,
}

impl Model {
    /// Reads a weights file into an architecture.
    ///
    /// # Errors
    /// When the file cannot be read, does not hold this network (every difference is listed), or
    /// holds a weight that is not finite.
    pub fn load(
        architecture: Architecture,
        (image, classes): (Shape, usize),
        path: &Path,
    ) -> Result<Self> {
        let file = weights::read(path)?;
        Self::from_weights(architecture, (image, classes), (&file, path))
    }

    /// Puts the tensors of a weights file into an architecture; `path` is for messages.
    ///
    /// # Errors
    /// See [`load`](Self::load).
    pub fn from_weights(
        architecture: Architecture,
        (image, classes): (Shape, usize),
        (file, path): (&WeightsFile, &Path),
    ) -> Result<Self> {
        let graph = architecture.graph(image, classes)?;
        let values = weights::match_tensors(file, path, &expected(&graph))?;
        if let Some(name) = file.first_not_finite() {
            let reason = format!("{name} holds a value that is not finite; use a sound checkpoint");
            return Err(Error::format(path, reason));
        }
        let values = values
            .into_iter()
            .map(|v| v.into_iter().map(f64::from).collect())
            .collect();
        let parameters = Parameters::new(values);
        Ok(Self {
            architecture,
            graph,
            parameters,
            weights_sha256: file.sha256.clone(),
        })
    }

    /// Writes the parameters as a safetensors file that [`load`](Self::load) and `PyTorch` read.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        let values = self.parameters.all();
        let tensors: Vec<NamedTensor> = self
            .graph
            .parameters()
            .iter()
            .zip(values)
            .filter(|(spec, _)| spec.role.is_in_weights_files())
            .map(|(spec, values)| NamedTensor {
                name: spec.name.to_string(),
                shape: spec.shape.clone(),
                values: values.iter().map(|&value| value as f32).collect(),
            })
            .collect();
        weights::write_safetensors(path, &tensors, &BTreeMap::new())
    }

    /// An untrained network: weights from He's normal distribution (arXiv 1502.01852), seeded.
    ///
    /// # Errors
    /// When the images do not suit the architecture.
    pub fn untrained(
        architecture: Architecture,
        (image, classes): (Shape, usize),
        seed: u64,
    ) -> Result<Self> {
        let graph = architecture.graph(image, classes)?;
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let values = graph
            .parameters()
            .iter()
            .map(|spec| initial(spec, &mut rng))
            .collect();
        let parameters = Parameters::new(values);
        Ok(Self {
            architecture,
            graph,
            parameters,
            weights_sha256: String::new(),
        })
    }
}

/// What a weights file must hold.
fn expected(graph: &Graph) -> Vec<weights::Expected> {
    let specs = graph
        .parameters()
        .iter()
        .filter(|spec| spec.role.is_in_weights_files());
    specs
        .map(|spec| weights::Expected {
            name: spec.name.to_string(),
            shape: spec.shape.clone(),
        })
        .collect()
}

fn initial(spec: &ParameterSpec, rng: &mut ChaCha8Rng) -> Vec<f64> {
    let n = spec.elements();
    match spec.role {
        Role::Weight => {
            let fan_in = n / spec.shape[0];
            let deviation = (2.0 / fan_in as f64).sqrt();
            (0..n).map(|_| deviation * normal(rng)).collect()
        }
        Role::Scale | Role::RunningVariance | Role::Step => vec![1.0; n],
        Role::Bias | Role::Shift | Role::RunningMean => vec![0.0; n],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back_and_others_are_refused() {
        for name in Architecture::NAMES {
            assert_eq!(name.parse::<Architecture>().unwrap().to_string(), name);
        }
        assert!("resnet18".parse::<Architecture>().is_err());
        assert!("vgg".parse::<Architecture>().is_err());
    }
}
