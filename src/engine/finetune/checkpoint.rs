//! The state of a run on disk: a safetensors file with the position in its metadata. A tensor whose
//! every number is a float32 is stored as float32, any other as float64: what is read back is what was
//! written, bit for bit.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::Read;
use std::path::Path;

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use serde::{Deserialize, Serialize};

use super::optimizer::{Velocities, weight_step_name};
use crate::engine::autodiff::loss::Tally;
use crate::engine::counts::counted;
use crate::engine::graph::{Graph, Parameters};
use crate::engine::job::{Event, Outcome, Score};
use crate::engine::model::weights::{ElementType, Entry, damage, serialize_safetensors};
use crate::engine::quant::{LayerBits, QuantizedNetwork, ScaleRule};
use crate::engine::{Error, Result, files, seal, text};

/// Key of the metadata.
const POSITION: &str = "hawqeye/checkpoint";
/// Before the name of a parameter, what SGD remembers of it.
const VELOCITY: &str = "velocity/";
/// Largest checkpoint that is read.
const LIMIT: u64 = 4 << 30;

/// Where a run stands.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Position {
    /// Training steps done.
    pub step: u64,
    /// Stages entered.
    pub stages: usize,
    /// Epochs evaluated.
    pub epochs: usize,
    /// Sums over the steps of the epoch.
    pub running: Tally,
    /// Bytes of the event file that belong to this state.
    pub journal: u64,
    /// Step of the last checkpoint that the event file tells of.
    pub told: Option<u64>,
    /// The best epoch so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best: Option<Best>,
    /// The running statistics of batch normalisation were measured anew.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub renormalized: bool,
    /// Score over the test images; the run is done.
    pub test: Option<Score>,
}

impl Position {
    /// What it adds to the events of its run: the end of one that is done, where its events were lost, and
    /// the checkpoint that is on disk.
    pub fn beyond_events(&self, tell_done: bool) -> impl Iterator<Item = Event> {
        let outcome = Outcome::Done;
        let lost = self.test.is_some() && !tell_done;
        let end = lost.then_some(Event::Finished { outcome });
        let step = self.step;
        end.into_iter().chain([Event::Checkpoint { step }])
    }
}

/// The epoch with the most validation images right since every stage entered; of equal ones the first.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Best {
    /// Training steps behind it.
    pub step: u64,
    /// Over the validation images.
    pub score: Score,
}

/// The state of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    /// The network, quantized as far as the stages go.
    pub network: QuantizedNetwork,
    /// What SGD remembers.
    pub velocities: Velocities,
    /// Where the run stands.
    pub position: Position,
}

/// What a checkpoint is read into.
pub struct Outline<'a> {
    /// The float network's graph.
    pub base: &'a Graph,
    /// Bits of each layer after a number of stages.
    pub bits: &'a dyn Fn(usize) -> Vec<LayerBits>,
    /// How step sizes of weights are first chosen.
    pub scale: ScaleRule,
}

/// A tensor on its way to disk.
struct Tensor {
    name: String,
    element: ElementType,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl Tensor {
    fn new(name: impl Into<String>, shape: &[usize], values: &[f64]) -> Self {
        let single = values
            .iter()
            .all(|value| f64::from(*value as f32).to_bits() == value.to_bits());
        let (element, bytes) = if single {
            let bytes = values.iter().flat_map(|v| (*v as f32).to_le_bytes());
            (ElementType::F32, bytes.collect())
        } else {
            let bytes = values.iter().flat_map(|v| v.to_le_bytes());
            (ElementType::F64, bytes.collect())
        };
        Self {
            name: name.into(),
            element,
            shape: shape.to_vec(),
            bytes,
        }
    }
}

/// Writes a state, atomically.
///
/// # Errors
/// When the file cannot be written.
pub fn write(path: &Path, state: &State) -> Result<()> {
    let State {
        network,
        velocities,
        position,
    } = state;
    let specs = network.graph.parameters().iter();
    let mut tensors: Vec<Tensor> = specs
        .zip(network.parameters.all())
        .map(|(spec, values)| Tensor::new(&*spec.name, &spec.shape, values))
        .collect();
    for quantizer in network.quantizers.iter().flatten() {
        let name = weight_step_name(&quantizer.layer);
        let steps = [&quantizer.grids.steps[..], &quantizer.first_steps].concat();
        tensors.push(Tensor::new(name, &[steps.len()], &steps));
    }
    for (name, velocity) in velocities {
        let name = format!("{VELOCITY}{name}");
        tensors.push(Tensor::new(name, &[velocity.len()], velocity));
    }
    let entries: Vec<Entry> = tensors
        .iter()
        .map(|tensor| Entry {
            name: &tensor.name,
            element: tensor.element,
            shape: &tensor.shape,
            bytes: &tensor.bytes,
        })
        .collect();
    let position =
        serde_json::to_string(position).map_err(|error| Error::format(path, error.to_string()))?;
    let metadata = BTreeMap::from([
        (POSITION.to_owned(), position),
        (seal::KEY.to_owned(), seal::open()),
    ]);
    let mut bytes = serialize_safetensors(&entries, &metadata)?;
    seal::seal(&mut bytes);
    files::write_atomically(path, &bytes)
}

/// Reads a state back.
///
/// # Errors
/// When the file cannot be read or is not the checkpoint of such a run.
pub fn read(path: &Path, outline: &Outline) -> Result<State> {
    let bytes = files::read_limited(path, LIMIT)?;
    let read = unsealed(&bytes).and_then(|(position, file)| Ok((position, tensors(&file)?)));
    let (position, tensors) = read.map_err(|reason| damaged(path, &reason))?;
    restore(outline, position, tensors).map_err(|error| match error {
        Failure::Content(reason) => damaged(path, &reason),
        Failure::Engine(error) => error,
    })
}

/// Where a checkpoint stands whose content is what its checksum says.
///
/// # Errors
/// When the file cannot be read or is damaged.
pub fn read_sealed(path: &Path) -> Result<Position> {
    let bytes = files::read_limited(path, LIMIT)?;
    let whole = unsealed(&bytes).map_err(|reason| damaged(path, &reason))?;
    Ok(whole.0)
}

/// What to do about it depends on what else is there: there is no next step in it.
fn damaged(path: &Path, reason: &str) -> Error {
    Error::format(path, format!("the checkpoint is damaged ({reason})"))
}

fn unsealed(bytes: &[u8]) -> std::result::Result<(Position, SafeTensors<'_>), String> {
    if bytes.is_empty() {
        return Err("it is empty".to_owned());
    }
    seal::check(bytes, seal::safetensors_header(bytes))
        .map_err(|_| "it is not what its checksum says".to_owned())?;
    parse(bytes)
}

/// Where a checkpoint stands, without its tensors.
///
/// # Errors
/// When the file cannot be read or is no checkpoint.
pub fn read_position(path: &Path) -> Result<Position> {
    let bytes = files::read_limited(path, LIMIT)?;
    let parsed = parse(&bytes).map_err(|reason| Error::format(path, reason))?;
    Ok(parsed.0)
}

/// Where a checkpoint stands, from the first bytes of its file alone, whose tensors may be damaged.
///
/// # Errors
/// When the file cannot be read or does not begin as a checkpoint.
pub fn read_head(path: &Path) -> Result<Position> {
    let unreadable = |source| Error::file("read", path, source);
    let size = files::regular(path)?;
    let mut file = File::open(path).map_err(unreadable)?;
    let mut head = Vec::new();
    let mut read = |head: &mut Vec<u8>, to: usize| {
        let missing = to.saturating_sub(head.len()) as u64;
        file.by_ref().take(missing).read_to_end(head)
    };
    read(&mut head, LENGTH).map_err(unreadable)?;
    let size = usize::try_from(size.min(LIMIT)).unwrap_or(usize::MAX);
    let end = seal::safetensors_header(&head).min(size);
    read(&mut head, end).map_err(unreadable)?;
    let head = String::from_utf8_lossy(head.get(LENGTH..).unwrap_or_default());
    let head = text::from_json::<Head>(&head);
    let position = head.and_then(|head| position(Some(&head.metadata)));
    position.map_err(|reason| Error::format(path, reason))
}

/// Bytes that tell how long the head of a safetensors file is.
const LENGTH: usize = 8;

/// The head of a safetensors file.
#[derive(Deserialize)]
struct Head {
    #[serde(rename = "__metadata__")]
    metadata: HashMap<String, String>,
}

/// Where a run stands, by the metadata of its checkpoint.
fn position(metadata: Option<&HashMap<String, String>>) -> std::result::Result<Position, String> {
    let position = metadata.and_then(|metadata| metadata.get(POSITION));
    let position = position.ok_or_else(|| format!("no metadata {POSITION}"))?;
    text::from_json(position).map_err(|reason| format!("{POSITION}: {reason}"))
}

type Tensors = BTreeMap<String, Vec<f64>>;

/// Where a checkpoint stands, and its tensors as they lie in the file.
fn parse(bytes: &[u8]) -> std::result::Result<(Position, SafeTensors<'_>), String> {
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(|error| damage(&error))?;
    let position = position(header.metadata().as_ref())?;
    let file = SafeTensors::deserialize(bytes).map_err(|error| damage(&error))?;
    Ok((position, file))
}

fn tensors(file: &SafeTensors<'_>) -> std::result::Result<Tensors, String> {
    let read = |(name, view): (&str, TensorView<'_>)| {
        Ok((name.to_owned(), values(name, view.dtype(), view.data())?))
    };
    file.iter().map(read).collect()
}

/// The numbers of a tensor; earlier programs stored all of them as float64.
fn values(name: &str, element: Dtype, bytes: &[u8]) -> std::result::Result<Vec<f64>, String> {
    match element {
        Dtype::F32 => {
            let (numbers, _) = bytes.as_chunks::<4>();
            let single = numbers.iter().map(|n| f32::from_le_bytes(*n));
            Ok(single.map(f64::from).collect())
        }
        Dtype::F64 => {
            let (numbers, _) = bytes.as_chunks::<8>();
            Ok(numbers.iter().map(|n| f64::from_le_bytes(*n)).collect())
        }
        other => Err(format!("{name} is {other:?}, neither float32 nor float64")),
    }
}

enum Failure {
    Content(String),
    Engine(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Engine(error)
    }
}

fn restore(
    outline: &Outline,
    position: Position,
    mut tensors: Tensors,
) -> std::result::Result<State, Failure> {
    let mut take = |name: &str, len: usize| match tensors.remove(name) {
        Some(values) if values.len() == len => Ok(values),
        Some(values) => Err(Failure::Content(format!(
            "{name} has {}: expected {len}",
            counted(values.len(), "number")
        ))),
        None => Err(Failure::Content(format!("{name} is missing"))),
    };
    let specs = outline.base.parameters().iter();
    let base = specs
        .map(|spec| take(&spec.name, spec.elements()))
        .collect::<std::result::Result<_, _>>()?;
    let bits = (outline.bits)(position.stages);
    let mut network =
        QuantizedNetwork::new(outline.base, &Parameters::new(base), &bits, outline.scale)?;
    let specs = network.graph.parameters().iter();
    let inserted = specs
        .zip(network.parameters.all_mut())
        .skip(outline.base.parameters().len());
    for (spec, values) in inserted {
        *values = take(&spec.name, spec.elements())?;
    }
    for quantizer in network.quantizers.iter_mut().flatten() {
        let count = quantizer.first_steps.len();
        let mut steps = take(&weight_step_name(&quantizer.layer), 2 * count)?;
        quantizer.first_steps = steps.split_off(count);
        quantizer.grids.steps = steps;
    }
    let velocities = tensors.into_iter().filter_map(|(name, values)| {
        let name = name.strip_prefix(VELOCITY)?.to_owned();
        Some((name, values))
    });
    Ok(State {
        velocities: velocities.collect(),
        network,
        position,
    })
}
