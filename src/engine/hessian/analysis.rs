//! The analysis of a trained network: per layer eigenvalue, trace, perturbations and loss change.
//!
//! Every layer is measured on its own, from a seed that depends on nothing but the settings, so a
//! resumed analysis gives the numbers of an undisturbed one, bit for bit.

use std::collections::BTreeMap;
use std::sync::Arc;

use rayon::prelude::*;
use serde_json::json;

use super::curvature::Curvature;
use super::lanczos::{self, Method, Stopping};
use super::metric::Metric;
use super::sensitivity::{FORMAT, LayerSensitivity, ModelFacts, PerBits, Sensitivity};
use super::trace;
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
use crate::engine::quant::{Bits, ScaleRule, weights};
use crate::engine::{Error, Result, files};

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

    fn as_json(&self) -> serde_json::Map<String, serde_json::Value> {
        let value = json!({
            "tolerance": self.tolerance,
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
        layers: selected
            .collect::<Vec<_>>()
            .into_par_iter()
            .map(|l| describe(model, l, settings))
            .collect::<Result<_>>()?,
    })
}

fn describe(model: &Model, layer: &Layer, settings: &Analysis) -> Result<LayerSensitivity> {
    let values = model.parameters.get(layer.weight);
    let mut by_scale = BTreeMap::new();
    for rule in ScaleRule::ALL {
        let errors = weights::perturbations(values, rule, &settings.bits)
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
        shape: model.graph.parameters()[layer.weight.index()].shape.clone(),
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
    let curvature = Curvature::new(graph, parameters, subject.backend, subject.images, observer)?;
    let Some(mut curvature) = curvature else {
        return Ok(Outcome::Stopped);
    };
    let score = curvature.score();
    state.loss = Some(score.loss);
    state.accuracy = Some(score.accuracy());
    warn_if_untrained(score, curvature.classes(), observer);
    let mut work = Work {
        settings,
        state,
        save,
    };
    let stages = [
        settings.measures(Metric::Trace) && work.traces(&mut curvature, observer)? == Verdict::Stop,
        settings.measures(Metric::Eigenvalue)
            && work.eigenvalues(&mut curvature, observer)? == Verdict::Stop,
    ];
    drop(curvature);
    let stopped = stages.contains(&true)
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

    fn traces<B: Backend>(
        &mut self,
        curvature: &mut Curvature<B>,
        observer: &mut dyn Observer,
    ) -> Result<Verdict> {
        if self.state.layers.iter().all(|layer| layer.trace.is_some()) {
            return Ok(Verdict::Continue);
        }
        let Some(traces) = trace::traces(curvature, self.settings.seed, observer)? else {
            return Ok(Verdict::Stop);
        };
        let mut verdict = Verdict::Continue;
        for index in 0..self.state.layers.len() {
            let layer = &mut self.state.layers[index];
            let trace = traces[position(curvature, &layer.layer)];
            layer.trace = Some(trace.value);
            layer.trace_stderr = Some(trace.standard_error);
            layer.mean_trace = Some(trace.value / layer.parameters as f64);
            if self.finish(index, observer) == Verdict::Stop {
                verdict = Verdict::Stop;
            }
        }
        (self.save)(self.state)?;
        Ok(verdict)
    }

    fn eigenvalues<B: Backend>(
        &mut self,
        curvature: &mut Curvature<B>,
        observer: &mut dyn Observer,
    ) -> Result<Verdict> {
        let total = self.state.layers.len() as u64;
        for index in 0..self.state.layers.len() {
            let done = index as u64;
            let phase = Phase::Eigenvalue;
            if observer.on(Event::Progress { phase, done, total }) == Verdict::Stop {
                return Ok(Verdict::Stop);
            }
            if self.state.layers[index].eigenvalue.is_none()
                && self.eigenvalue(curvature, index, observer)? == Verdict::Stop
            {
                return Ok(Verdict::Stop);
            }
        }
        Ok(observer.on(Event::Progress {
            phase: Phase::Eigenvalue,
            done: total,
            total,
        }))
    }

    fn eigenvalue<B: Backend>(
        &mut self,
        curvature: &mut Curvature<B>,
        index: usize,
        observer: &mut dyn Observer,
    ) -> Result<Verdict> {
        let name = self.state.layers[index].layer.clone();
        let position = position(curvature, &name);
        let pair = eigenpair(
            curvature,
            position,
            self.settings,
            &mut |iteration, value, residual| {
                observer.on(Event::Eigenvalue {
                    layer: name.clone(),
                    iteration,
                    value,
                    residual,
                })
            },
        )?;
        if pair.stopped && !pair.converged {
            return Ok(Verdict::Stop);
        }
        let layer = &mut self.state.layers[index];
        layer.eigenvalue = Some(pair.value);
        layer.iterations = Some(pair.history.len());
        layer.residual = Some(pair.residual);
        layer.converged = Some(pair.converged);
        layer.history = pair.history;
        layer.sensitivity = Some(pair.value / layer.parameters as f64);
        layer.omega = layer
            .perturbation
            .iter()
            .map(|(&bits, error)| (bits, pair.value * error))
            .collect();
        (self.save)(self.state)?;
        let verdict = self.finish(index, observer);
        Ok(if pair.stopped { Verdict::Stop } else { verdict })
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

fn position<B: Backend>(curvature: &Curvature<B>, name: &str) -> usize {
    let found = curvature
        .layers()
        .iter()
        .position(|layer| &*layer.name == name);
    found.expect("invariant: the sensitivity lists layers of this network")
}

/// The largest eigenvalue of a layer's block.
///
/// # Errors
/// When a product fails or is not finite.
pub fn eigenpair<B: Backend>(
    curvature: &mut Curvature<B>,
    layer: usize,
    settings: &Analysis,
    watch: &mut lanczos::Watch,
) -> Result<lanczos::Eigenpair> {
    let stopping = Stopping {
        tolerance: settings.tolerance,
        max_iterations: settings.max_iterations,
        seed: settings
            .seed
            .wrapping_mul(0x9E37_79B9_7F4A_7C15)
            .wrapping_add(layer as u64),
    };
    let size = curvature.weights(layer);
    let mut product = |v: &[f64]| curvature.product(layer, v);
    lanczos::largest(settings.method, size, &stopping, &mut product, watch)
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
    let mut changes = PerBits::new();
    for &bits in settings.bits.iter().filter(|bits| !bits.is_float()) {
        let grid = weights::fit(Codes::Signed(bits), settings.scale, values)?;
        let mut parameters = model.parameters.clone();
        *parameters.get_mut(layer.weight) = weights::quantize(grid, values);
        let walk = (BatchNormMode::Running, Purpose::Evaluate);
        let program = Program::new(&model.graph, backend, &parameters, walk)?;
        let score = evaluation::evaluate(&program, images, &mut Silent)?;
        let score = score.expect("invariant: nobody asked a silent evaluation to stop");
        changes.insert(bits.get(), score.loss - float.loss);
    }
    Ok(changes)
}
