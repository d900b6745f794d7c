//! The analysis of a trained network: per layer eigenvalue, trace, perturbations and loss change.
//!
//! Every layer is measured on its own, from a seed that depends on nothing but the settings, so a
//! resumed analysis gives the numbers of an undisturbed one, bit for bit.

use std::collections::BTreeMap;
use std::sync::Arc;

use rayon::prelude::*;
use serde_json::json;

use super::lanczos::{self, Method, Stopping};
use super::metric::Metric;
use super::primal::Primal;
use super::rows::Rows;
use super::sensitivity::{
    CurvatureFacts, FORMAT, LayerSensitivity, ModelFacts, PerBits, Sensitivity,
};
use super::sweep::{Block, sweep};
use super::trace::Trace;
use crate::engine::autodiff::Program;
use crate::engine::backend::{Backend, WeightShape};
use crate::engine::data::Selection;
use crate::engine::evaluation;
use crate::engine::graph::Layer;
use crate::engine::graph::operations::BatchNormMode;
use crate::engine::graph::operations::Codes;
use crate::engine::graph::operations::rules::Purpose;
use crate::engine::job::{Event, Observer, Outcome, Phase, Score, Silent, Verdict};
use crate::engine::model::Model;
use crate::engine::quant::grids::perturbations;
use crate::engine::quant::{Bits, Grids, ScaleRule};
use crate::engine::{Error, Result, files};

/// Share of the curvature that may be left out, relative to the tolerance.
const LEFT_OUT: f64 = 0.25;
/// The most that may be left out, whatever the tolerance.
const MOST_LEFT_OUT: f64 = 1e-3;

/// What to measure, and how well.
#[derive(Debug, Clone, PartialEq)]
pub struct Analysis {
    /// What to measure besides perturbations.
    pub metrics: Vec<Metric>,
    /// Relative residual of an eigenvalue that counts as converged.
    pub tolerance: f64,
    /// How eigenvalues are found.
    pub method: Method,
    /// Hessian products a layer at most.
    pub max_iterations: usize,
    /// Layers to measure, by name; all when empty.
    pub layers: Vec<Arc<str>>,
    /// Candidate bit-widths.
    pub bits: Vec<Bits>,
    /// How step sizes are chosen.
    pub scale: ScaleRule,
    /// Seed of directions and probes.
    pub seed: u64,
}

impl Default for Analysis {
    fn default() -> Self {
        let bits =
            [2, 3, 4, 8].map(|bits| Bits::new(bits).expect("invariant: a width that exists"));
        Self {
            metrics: vec![Metric::Eigenvalue],
            tolerance: 1e-3,
            method: Method::Lanczos,
            max_iterations: 100,
            layers: Vec::new(),
            bits: bits.into(),
            scale: ScaleRule::default(),
            seed: 0,
        }
    }
}

impl Analysis {
    /// # Errors
    /// When a setting makes no sense.
    pub fn check(&self) -> Result<()> {
        if !(self.tolerance > 0.0 && self.tolerance < 1.0) {
            let tolerance = self.tolerance;
            return Err(Error::invalid(format!(
                "tolerance {tolerance}: expected between 0 and 1"
            )));
        }
        if self.max_iterations == 0 {
            return Err(Error::invalid("max-iterations 0: expected at least 1"));
        }
        if self.bits.is_empty() || self.metrics.is_empty() {
            return Err(Error::invalid(
                "expected at least one metric and one bit-width",
            ));
        }
        Ok(())
    }

    fn measures(&self, metric: Metric) -> bool {
        self.metrics.contains(&metric)
    }

    fn selects(&self, layer: &str) -> bool {
        self.layers.is_empty() || self.layers.iter().any(|name| &**name == layer)
    }

    /// Share of the curvature at the logits that may be left to a few rows that stand for it; see
    /// [`rows`](super::rows).
    #[must_use]
    pub fn left_out(&self) -> f64 {
        (LEFT_OUT * self.tolerance).min(MOST_LEFT_OUT)
    }

    fn as_json(&self) -> serde_json::Map<String, serde_json::Value> {
        let value = json!({
            "tolerance": self.tolerance,
            "left_out": self.left_out(),
            "method": self.method,
            "max_iterations": self.max_iterations,
            "metrics": self.metrics.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "bits": self.bits,
            "scale": self.scale,
            "layers": self.layers,
            "seed": self.seed,
        });
        match value {
            serde_json::Value::Object(map) => map,
            _ => unreachable!("invariant: an object was written above"),
        }
    }
}

/// The network and the images that are analysed.
#[derive(Clone, Copy)]
pub struct Subject<'a, B: Backend> {
    /// The network.
    pub model: &'a Model,
    /// The device.
    pub backend: &'a B,
    /// The sample.
    pub images: &'a Selection<'a>,
}

/// What is measured before the first event: facts and perturbations of every selected layer, and the
/// fingerprint that guards a resume.
///
/// # Errors
/// When a setting makes no sense or a weight is not finite.
pub fn prepare<B: Backend>(subject: &Subject<B>, settings: &Analysis) -> Result<Sensitivity> {
    settings.check()?;
    let model = subject.model;
    let sample = subject.images.identity();
    let settings_json = settings.as_json();
    let facts = ModelFacts {
        name: model.architecture.to_string(),
        weights_sha256: model.weights_sha256.clone(),
        parameters: model.graph.trainable_count(),
    };
    let identity = json!([facts, sample, settings_json]).to_string();
    let layers = model.graph.layers();
    let selected = layers.iter().filter(|layer| settings.selects(&layer.name));
    Ok(Sensitivity {
        format: FORMAT.to_owned(),
        version: 1,
        model: Some(facts),
        data: Some(subject.images.facts()),
        settings: settings_json,
        fingerprint: Some(files::sha256_hex(identity.as_bytes())),
        loss: None,
        accuracy: None,
        seconds: None,
        curvature: None,
        layers: selected
            .collect::<Vec<_>>()
            .into_par_iter()
            .map(|l| describe(model, l, settings))
            .collect::<Result<_>>()?,
    })
}

fn describe(model: &Model, layer: &Layer, settings: &Analysis) -> Result<LayerSensitivity> {
    let values = model.parameters.get(layer.weight);
    let shape = &model.graph.parameters()[layer.weight.index()].shape;
    let mut by_scale = BTreeMap::new();
    let mut rules = ScaleRule::PER_LAYER.to_vec();
    if settings.scale.is_per_channel() {
        rules.extend(ScaleRule::PER_CHANNEL);
    }
    for rule in rules {
        let errors = perturbations((values, shape[0]), rule, &settings.bits)
            .map_err(|_| Error::NotFinite(format!("a weight of {}", layer.name)))?;
        by_scale.insert(
            rule,
            errors
                .into_iter()
                .map(|(bits, e)| (bits.get(), e))
                .collect(),
        );
    }
    let kind = match layer.shape {
        WeightShape::Convolution(_) => "conv2d",
        WeightShape::Linear(_) => "linear",
    };
    Ok(LayerSensitivity {
        layer: layer.name.clone(),
        kind: Some(kind.to_owned()),
        shape: shape.clone(),
        parameters: layer.parameters(),
        macs: layer.macs(),
        activation_size: Some(layer.activation_size),
        reads_image: layer.reads_image,
        perturbation: PerBits::clone(&by_scale[&settings.scale]),
        perturbation_by_scale: by_scale,
        ..LayerSensitivity::default()
    })
}

/// Measures what `state` lacks, handing it to `save` whenever a layer or a metric is finished.
///
/// `state` comes from [`prepare`], or from an interrupted analysis with the same fingerprint.
///
/// # Errors
/// When the network is not piecewise linear, a number is not finite, the device or `save` fails.
pub fn run<B: Backend>(
    subject: &Subject<B>,
    settings: &Analysis,
    state: &mut Sensitivity,
    save: &mut dyn FnMut(&Sensitivity) -> Result<()>,
    observer: &mut dyn Observer,
) -> Result<Outcome> {
    let (graph, parameters) = (&subject.model.graph, &subject.model.parameters);
    let primal = Primal::new(graph, parameters, subject.backend, subject.images, observer)?;
    let Some(primal) = primal else {
        return Ok(Outcome::Stopped);
    };
    let score = primal.score();
    state.loss = Some(score.loss);
    state.accuracy = Some(score.accuracy());
    warn_if_untrained(score, primal.classes(), observer);
    let mut work = Work {
        settings,
        state,
        save,
    };
    let stopped = work.blocks(&primal, observer)? == Verdict::Stop;
    drop(primal);
    let stopped = stopped
        || settings.measures(Metric::LossChange)
            && work.loss_changes(subject, score, observer)? == Verdict::Stop;
    Ok(if stopped {
        Outcome::Stopped
    } else {
        Outcome::Done
    })
}

fn warn_if_untrained(score: Score, classes: usize, observer: &mut dyn Observer) {
    let chance = (classes as f64).ln();
    if score.loss > 0.8 * chance {
        let message = format!(
            "the network looks untrained: its loss is {:.3}, and {chance:.3} is chance; check \
             --weights, --mean and --std",
            score.loss
        );
        observer.on(Event::Warning { message });
    }
}

struct Work<'a> {
    settings: &'a Analysis,
    state: &'a mut Sensitivity,
    save: &'a mut dyn FnMut(&Sensitivity) -> Result<()>,
}

impl Work<'_> {
    fn finish(&mut self, index: usize, observer: &mut dyn Observer) -> Verdict {
        let measured = Box::new(self.state.layers[index].clone());
        observer.on(Event::Layer { measured })
    }

    /// Whether an entry lacks its trace, its eigenvalue.
    fn lacks(&self, index: usize) -> [bool; 2] {
        let layer = &self.state.layers[index];
        [
            self.settings.measures(Metric::Trace) && layer.trace.is_none(),
            self.settings.measures(Metric::Eigenvalue) && layer.eigenvalue.is_none(),
        ]
    }

    /// Measures what depends on the layers' blocks: traces and eigenvalues.
    fn blocks<B: Backend>(
        &mut self,
        primal: &Primal<B>,
        observer: &mut dyn Observer,
    ) -> Result<Verdict> {
        let total = self.state.layers.len();
        let unfinished: Vec<usize> = (0..total)
            .filter(|&index| self.lacks(index) != [false; 2])
            .collect();
        if unfinished.is_empty() {
            return Ok(Verdict::Continue);
        }
        let rows = choose_rows(primal, self.settings);
        self.state.curvature = Some(CurvatureFacts {
            images: rows.images.len(),
            rows: rows.count(),
            left_out: rows.left_out,
        });
        let places = unfinished.iter().map(|&index| {
            let name = &self.state.layers[index].layer;
            position(primal, name)
        });
        let places: Vec<usize> = places.collect();
        let traces = unfinished.iter().any(|&index| self.lacks(index)[0]);
        let mut remaining = unfinished.into_iter();
        let mut visit = |place: usize, block: &mut Block<B>, observer: &mut dyn Observer| {
            let index = remaining.next();
            let index = index.expect("invariant: the sweep visits what it was given");
            self.measure((index, place), block, observer)
        };
        sweep((primal, &rows), (&places, traces), &mut visit, observer)
    }

    fn measure<B: Backend>(
        &mut self,
        (index, place): (usize, usize),
        block: &mut Block<B>,
        observer: &mut dyn Observer,
    ) -> Result<Verdict> {
        let [trace, eigenvalue] = self.lacks(index);
        if trace {
            let trace = block.trace();
            let trace = trace.expect("invariant: the sweep was asked for traces");
            self.state.layers[index].take_trace(trace);
        }
        if eigenvalue && self.eigenvalue((index, place), block, observer)? == Verdict::Stop {
            return Ok(Verdict::Stop);
        }
        (self.save)(self.state)?;
        let (done, total) = (index as u64 + 1, self.state.layers.len() as u64);
        let phase = if eigenvalue {
            Phase::Eigenvalue
        } else {
            Phase::Trace
        };
        let verdicts = [
            self.finish(index, observer),
            observer.on(Event::Progress { phase, done, total }),
        ];
        Ok(if verdicts.contains(&Verdict::Stop) {
            Verdict::Stop
        } else {
            Verdict::Continue
        })
    }

    /// Finds the eigenvalue of an entry; asks to stop where that happened before it converged.
    fn eigenvalue<B: Backend>(
        &mut self,
        (index, place): (usize, usize),
        block: &mut Block<B>,
        observer: &mut dyn Observer,
    ) -> Result<Verdict> {
        let name = self.state.layers[index].layer.clone();
        let size = self.state.layers[index].parameters;
        let mut watch = |iteration: usize, value: f64, residual: f64| {
            observer.on(Event::Eigenvalue {
                layer: name.clone(),
                iteration,
                value,
                residual,
            })
        };
        let pair = eigenpair(block, (place, size), self.settings, &mut watch)?;
        if pair.stopped && !pair.converged {
            return Ok(Verdict::Stop);
        }
        self.state.layers[index].take_eigenpair(pair);
        Ok(Verdict::Continue)
    }

    fn loss_changes<B: Backend>(
        &mut self,
        subject: &Subject<B>,
        float: Score,
        observer: &mut dyn Observer,
    ) -> Result<Verdict> {
        let total = self.state.layers.len() as u64;
        for index in 0..self.state.layers.len() {
            let done = index as u64;
            let phase = Phase::LossChange;
            if observer.on(Event::Progress { phase, done, total }) == Verdict::Stop {
                return Ok(Verdict::Stop);
            }
            if !self.state.layers[index].loss_change.is_empty() {
                continue;
            }
            let name = self.state.layers[index].layer.clone();
            self.state.layers[index].loss_change =
                loss_change(subject, &name, self.settings, float)?;
            (self.save)(self.state)?;
            if self.finish(index, observer) == Verdict::Stop {
                return Ok(Verdict::Stop);
            }
        }
        Ok(observer.on(Event::Progress {
            phase: Phase::LossChange,
            done: total,
            total,
        }))
    }
}

/// Where a layer stands in the network.
pub(super) fn position<B: Backend>(primal: &Primal<B>, name: &str) -> usize {
    let found = primal
        .layers()
        .iter()
        .position(|layer| &*layer.name == name);
    found.expect("invariant: the sensitivity lists layers of this network")
}

/// The rows of the factor that the settings ask for.
pub(super) fn choose_rows<B: Backend>(primal: &Primal<B>, settings: &Analysis) -> Rows {
    let (probabilities, classes) = (primal.probabilities(), primal.classes());
    Rows::choose(probabilities, classes, settings.left_out(), settings.seed)
}

/// The largest eigenvalue of the block of the layer at this place, with so many weights.
///
/// # Errors
/// When a product fails or is not finite.
pub(super) fn eigenpair<B: Backend>(
    block: &mut Block<B>,
    (place, size): (usize, usize),
    settings: &Analysis,
    watch: &mut lanczos::Watch,
) -> Result<lanczos::Eigenpair> {
    let stopping = Stopping {
        tolerance: settings.tolerance,
        max_iterations: settings.max_iterations,
        seed: settings
            .seed
            .wrapping_mul(0x9E37_79B9_7F4A_7C15)
            .wrapping_add(place as u64),
    };
    let mut product = |v: &[f64]| block.product(v);
    lanczos::largest(settings.method, size, &stopping, &mut product, watch)
}

impl LayerSensitivity {
    fn take_trace(&mut self, trace: Trace) {
        self.trace = Some(trace.value);
        self.trace_stderr = Some(trace.standard_error);
        self.mean_trace = Some(trace.value / self.parameters as f64);
    }

    fn take_eigenpair(&mut self, pair: lanczos::Eigenpair) {
        self.eigenvalue = Some(pair.value);
        self.iterations = Some(pair.history.len());
        self.residual = Some(pair.residual);
        self.converged = Some(pair.converged);
        self.history = pair.history;
        self.sensitivity = Some(pair.value / self.parameters as f64);
        let errors = self.perturbation.iter();
        self.omega = errors
            .map(|(&bits, error)| (bits, pair.value * error))
            .collect();
    }
}

/// The measured rise of the loss when `layer` alone is quantized, at each bit-width.
fn loss_change<B: Backend>(
    subject: &Subject<B>,
    name: &str,
    settings: &Analysis,
    float: Score,
) -> Result<PerBits> {
    let Subject {
        model,
        backend,
        images,
    } = *subject;
    let layers = model.graph.layers();
    let layer = layers.iter().find(|layer| &*layer.name == name);
    let layer = layer.expect("invariant: the sensitivity lists layers of this network");
    let values = model.parameters.get(layer.weight);
    let channels = model.graph.parameters()[layer.weight.index()].shape[0];
    let mut changes = PerBits::new();
    for &bits in settings.bits.iter().filter(|bits| !bits.is_float()) {
        let codes = Codes::Signed(bits);
        let grids = Grids::fit(codes, settings.scale, (values, channels))?;
        let mut parameters = model.parameters.clone();
        *parameters.get_mut(layer.weight) = grids.quantize(values);
        let walk = (BatchNormMode::Running, Purpose::Evaluate);
        let program = Program::new(&model.graph, backend, &parameters, walk)?;
        let score = evaluation::evaluate(&program, images, &mut Silent)?;
        let score = score.expect("invariant: nobody asked a silent evaluation to stop");
        changes.insert(bits.get(), score.loss - float.loss);
    }
    Ok(changes)
}
