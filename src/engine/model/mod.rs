//! Networks: an architecture, its graph, and trained parameters.

pub mod demo;
mod envelope;
pub mod resnet;
mod source;
mod structure;
mod unfold;
mod wanted;
pub use super::weights;

pub use envelope::Envelope;
pub use source::ModelSource;
pub use structure::{Imported, Structure};
pub use wanted::{Opened, Wanted, check_fit};

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use weights::{NamedTensor, Source, WeightsFile};

use super::data::{ClassSource, Dataset, Normalization, USUAL_SCALE, image_shape};
use super::graph::{Graph, Node, Operation, ParameterSpec, Parameters, Role, Shape};
use super::random::normal;
use super::{Error, Result, import};

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
        check_sizes(image, classes)?;
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
        Normalization {
            pixel_scale: USUAL_SCALE,
            mean,
            std,
        }
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
    /// What it is called: the preset, or the file without its ending.
    pub name: String,
    /// Its graph.
    pub graph: Graph,
    /// Its parameters.
    pub parameters: Parameters,
    /// SHA-256 of the file the parameters came from, in hexadecimal; where one of several sets in it
    /// was named, of that and its name.
    pub weights_sha256: String,
    /// What was done to find the parameters in that file, in sentences; nothing for a plain one.
    pub notes: Vec<String>,
    /// What its file said of it; nothing for a preset.
    pub imported: Option<Imported>,
}

impl Model {
    /// Reads a weights file into an architecture.
    ///
    /// # Errors
    /// When the file cannot be read, does not hold this network (every difference is listed), or
    /// holds a weight that is not finite.
    pub fn load<'a>(
        architecture: Architecture,
        (image, classes): (Shape, usize),
        source: impl Into<Source<'a>>,
    ) -> Result<Self> {
        let source = source.into();
        let file = weights::read(source.path)?;
        Self::from_weights(architecture, (image, classes), (&file, source))
    }

    /// The same for the images of a set. They may show few of the classes: where the set does not
    /// know them, the file tells how many there are.
    ///
    /// # Errors
    /// See [`load`](Self::load).
    pub fn load_for<'a>(
        architecture: Architecture,
        dataset: &Dataset,
        source: impl Into<Source<'a>>,
    ) -> Result<Self> {
        let source = source.into();
        let file = weights::read(source.path)?;
        let told = match dataset.origin.classes {
            ClassSource::Set => None,
            _ => outputs(&file),
        };
        let image = (image_shape(dataset), told.unwrap_or(dataset.classes));
        Self::from_weights(architecture, image, (&file, source))
    }

    /// Puts the tensors of a weights file into an architecture; the path is for messages.
    ///
    /// # Errors
    /// See [`load`](Self::load).
    pub fn from_weights(
        architecture: Architecture,
        (image, classes): (Shape, usize),
        (file, source): (&WeightsFile, Source<'_>),
    ) -> Result<Self> {
        let graph = architecture.graph(image, classes)?;
        let (parameters, notes) = matched(&graph, file, source)?;
        Ok(Self {
            name: architecture.to_string(),
            graph,
            parameters,
            weights_sha256: source.identity(&file.sha256),
            notes,
            imported: None,
        })
    }

    /// The network of a `.pt2` or `.onnx` file; `weights` replaces its numbers by name.
    ///
    /// # Errors
    /// When a file cannot be read, holds operations that are not supported (all of them are listed), or
    /// numbers that no network can have.
    pub fn import(path: &Path, options: import::Options, weights: Option<Source>) -> Result<Self> {
        let mut network = import::read(path, options)?;
        let mut notes = Vec::new();
        if let Some(source) = weights
            && is_folded(&network)
        {
            let file = weights::read(source.path)?;
            let layers = unfold::unfold(&mut network, &file)
                .map_err(|error| Error::format(source.path, error.to_string()))?;
            notes.push(format!(
                "batch normalisation was taken out of the {layers} layers of {} that it was folded into",
                path.display()
            ));
        }
        if network.quantizers > 0 {
            notes.push(format!(
                "the weights are those of {} on their grids; of its {} quantized activations the ranges \
                 are kept, not the steps: a plan gives them bits",
                path.display(),
                network.quantizers
            ));
        }
        let refused = |reason: String| Error::format(path, reason);
        let lowered = network.lower();
        let import::Lowered {
            graph,
            parameters,
            origins,
        } = lowered.map_err(|error| refused(error.to_string()))?;
        check_sizes(graph.input_shape(), graph.classes())?;
        check_parameters(&graph, &parameters).map_err(refused)?;
        let imported = Imported {
            source: network.container,
            exporter: network.exporter,
            normalization: network.normalization,
            softmax: network.softmax,
            origins,
            counters: network.counters,
        };
        if let import::Normalization::Folded | import::Normalization::Mixed = imported.normalization
        {
            notes.push(
                "batch normalisation was folded into weights, and those are ranked: eigenvalues and their \
                 order are others than those of what was trained; give the checkpoint with --weights to \
                 take it out again"
                    .to_owned(),
            );
        }
        let mut model = Self {
            name: ModelSource::File(path.to_owned()).name(),
            graph,
            parameters,
            weights_sha256: network.sha256,
            notes,
            imported: Some(imported),
        };
        if let Some(source) = weights {
            model.replace(source)?;
        }
        Ok(model)
    }

    /// Takes the parameters from a weights file, by name.
    fn replace(&mut self, source: Source) -> Result<()> {
        let mut file = weights::read(source.path)?;
        if let Some(imported) = &self.imported {
            take_arrangement(&mut file, &self.graph, &imported.origins);
        }
        let (parameters, notes) = matched(&self.graph, &file, source)?;
        self.parameters = parameters;
        self.notes.extend(notes);
        self.weights_sha256 = source.identity(&file.sha256);
        Ok(())
    }

    /// What became of batch normalisation: whether the weights of layers are those that were trained.
    #[must_use]
    pub fn normalization(&self) -> import::Normalization {
        let kept = import::Normalization::Kept;
        self.imported
            .as_ref()
            .map_or(kept, |imported| imported.normalization)
    }

    /// The network without its numbers.
    #[must_use]
    pub fn structure(&self) -> Structure {
        Structure {
            name: self.name.clone(),
            graph: self.graph.clone(),
            imported: self.imported.clone(),
        }
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
            name: architecture.to_string(),
            graph,
            parameters,
            weights_sha256: String::new(),
            notes: Vec::new(),
            imported: None,
        })
    }
}

/// Whether what names the network `there` can be of the one called `here`, whose layers it has: presets
/// are known by name, while a file may be called anything.
#[must_use]
pub fn may_be_of(there: &str, here: &str) -> bool {
    let is_preset = |name: &str| Architecture::NAMES.contains(&name);
    there.is_empty() || there == here || !(is_preset(there) || is_preset(here))
}

/// Refuses images and classes that no network here has, so that sizes of tensors cannot overflow.
///
/// # Errors
/// A sentence with what is possible.
pub fn check_sizes(image: Shape, classes: usize) -> Result<()> {
    const EXTENT: usize = 1 << 14;
    const CLASSES: usize = 1 << 24;
    let fits = match image {
        Shape::Map {
            channels,
            height,
            width,
        } => [channels, height, width]
            .iter()
            .all(|e| (1..=EXTENT).contains(e)),
        Shape::Features(features) => (1..=EXTENT).contains(&features),
    };
    if !fits {
        return Err(Error::invalid(format!(
            "images of {image}: expected 1 to {EXTENT} channels, rows and columns"
        )));
    }
    if !(1..=CLASSES).contains(&classes) {
        return Err(Error::invalid(format!(
            "{classes} classes: expected 1 to {CLASSES}"
        )));
    }
    Ok(())
}

/// Outputs of the only linear layer in a file: its bias says how many, also beside a weight that is
/// transposed.
fn outputs(file: &WeightsFile) -> Option<usize> {
    let mut linear = file.tensors.iter().filter(|tensor| tensor.shape.len() == 2);
    let only = linear.next()?;
    let bias = only
        .name
        .strip_suffix("weight")
        .map(|layer| format!("{layer}bias"));
    let mut vectors = file.tensors.iter().filter(|tensor| tensor.shape.len() == 1);
    let bias = vectors.find(|tensor| Some(&tensor.name) == bias.as_ref());
    let outputs = bias.map_or(only.shape[0], |bias| bias.shape[0]);
    linear.next().is_none().then_some(outputs)
}

/// Arranges tensors as parameters that are arranged as the tensors of that name in the file of the network.
fn take_arrangement(file: &mut WeightsFile, graph: &Graph, origins: &[Option<import::Origin>]) {
    for (spec, origin) in graph.parameters().iter().zip(origins) {
        let Some(origin) = origin
            .as_ref()
            .filter(|origin| *origin.tensor == *spec.name)
        else {
            continue;
        };
        let Some(shape) = &origin.shape else { continue };
        let mut tensors = file.tensors.iter_mut();
        let own = tensors.find(|it| *it.name == *spec.name && it.shape == *shape);
        let Some(tensor) = own else { continue };
        tensor.values = match &tensor.values[..] {
            // One number that stands for all channels.
            [one] => vec![*one; spec.elements()],
            values if values.len() == spec.elements() => origin.placed(values),
            _ => continue,
        };
        tensor.shape.clone_from(&spec.shape);
    }
}

/// Whether batch normalisation was folded into layers of the file.
const fn is_folded(network: &import::Network) -> bool {
    use import::Normalization::{Folded, Mixed};
    matches!(network.normalization, Folded | Mixed)
}

/// The parameters of a graph from a weights file, and what was done to find them.
fn matched(graph: &Graph, file: &WeightsFile, source: Source) -> Result<(Parameters, Vec<String>)> {
    let matched = weights::match_tensors(file, source, &expected(graph))?;
    let values = matched
        .values
        .into_iter()
        .map(|v| v.into_iter().map(f64::from).collect())
        .collect();
    let parameters = Parameters::new(values);
    check_parameters(graph, &parameters).map_err(|reason| Error::format(source.path, reason))?;
    Ok((parameters, matched.notes))
}

/// Refuses numbers that no network can have.
fn check_parameters(graph: &Graph, parameters: &Parameters) -> std::result::Result<(), String> {
    let epsilons = epsilons(graph);
    for (spec, values) in in_files(graph).zip(parameters.all()) {
        let epsilon = epsilons.get(&spec.name).copied();
        check_values(spec, values, epsilon)?;
    }
    Ok(())
}

/// What a weights file must hold.
fn expected(graph: &Graph) -> Vec<weights::Expected> {
    in_files(graph)
        .map(|spec| weights::Expected {
            name: spec.name.to_string(),
            shape: spec.shape.clone(),
        })
        .collect()
}

/// The parameters that weights files hold, in their order.
fn in_files(graph: &Graph) -> impl Iterator<Item = &ParameterSpec> {
    let specs = graph.parameters().iter();
    specs.filter(|spec| spec.role.is_in_weights_files())
}

/// What is added to each running variance, by its name.
fn epsilons(graph: &Graph) -> HashMap<Arc<str>, f64> {
    let of = |node: &Node| match &node.operation {
        Operation::BatchNorm(norm) => {
            let variance = &graph.parameters()[norm.variance.index()];
            Some((variance.name.clone(), norm.epsilon))
        }
        _ => None,
    };
    graph.nodes().iter().filter_map(of).collect()
}

/// Refuses numbers that no network can have, by the name of the tensor and the channel; `epsilon` is
/// what is added to a running variance.
fn check_values(
    spec: &ParameterSpec,
    values: &[f64],
    epsilon: Option<f64>,
) -> std::result::Result<(), String> {
    let name = &spec.name;
    let channel = |place: usize| {
        let channels = spec.shape.first().copied().unwrap_or(1).max(1);
        place / (values.len() / channels).max(1)
    };
    if let Some(place) = values.iter().position(|value| !value.is_finite()) {
        let (channel, value) = (channel(place), values[place]);
        return Err(format!(
            "{name}, channel {channel}: {value} is not finite; use a sound checkpoint"
        ));
    }
    let is_large = |value: &f64| !(*value as f32).is_finite();
    if let Some(place) = values.iter().position(is_large) {
        let (channel, value) = (channel(place), values[place]);
        return Err(format!(
            "{name}, channel {channel}: {value:e} is beyond all float32 numbers; use a sound \
             checkpoint"
        ));
    }
    let Some(epsilon) = epsilon else {
        return Ok(());
    };
    let below = |value: &f64| *value <= -epsilon;
    match values.iter().position(below) {
        None => Ok(()),
        Some(place) => Err(format!(
            "{name}, channel {place}: {:e} is not above -{epsilon:e}, and a variance cannot be \
             negative; use a sound checkpoint",
            values[place] as f32
        )),
    }
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
        // As PyTorch begins.
        Role::Slope => vec![0.25; n],
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
