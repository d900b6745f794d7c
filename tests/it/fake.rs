//! A deterministic engine of six layers, or of any number: the application is tested against it,
//! numbers are not.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use hawqeye::app::jobs::detail::{
    LandscapeRequest, RemeasureRequest, SpectrumRequest, WeightsRequest,
};
use hawqeye::app::jobs::form::{Answer, Answers, Field, OpenRequest, Opening};
use hawqeye::app::jobs::{
    AnalysisRequest, Engine, ExportRequest, Facts, Inputs, Known, LeftRun, Listed,
    LossChangesRequest, Runs, RunsRequest, Stamp, Steered, TuneReport, TuneRequest,
};
use hawqeye::app::state::tune::Run;
use hawqeye::engine::data::preprocessing::Preprocessing;
use hawqeye::engine::export::{About, Comparison, Written};
use hawqeye::engine::finetune::Settings;
use hawqeye::engine::graph::Shape;
use hawqeye::engine::hessian::estimate::Outline;
use hawqeye::engine::hessian::landscape::{Landscape, POINTS};
use hawqeye::engine::hessian::sensitivity::{
    CurvatureFacts, LayerSensitivity, ModelFacts, PerBits, Sensitivity,
};
use hawqeye::engine::hessian::spectrum::{Source, Spectrum};
use hawqeye::engine::job::{Event, Observer, Outcome, Phase, Score, Split, Verdict};
use hawqeye::engine::memory::Memory;
use hawqeye::engine::model::{Architecture, Envelope};
use hawqeye::engine::plan::Plan;
use hawqeye::engine::quant::histogram::WeightHistogram;
use hawqeye::engine::{Error, Result};

pub const LAYERS: [&str; 6] = [
    "conv1",
    "layer1.0.conv1",
    "layer1.0.conv2",
    "layer2.0.conv1",
    "layer2.0.conv2",
    "linear",
];

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Trouble {
    #[default]
    None,
    /// The inputs cannot be read.
    Open,
    /// The analysis panics.
    PanicInAnalysis,
    /// Every estimate is not a number.
    NotFinite,
    /// The analysis goes on until it is stopped.
    Endless,
    /// Closer looks fail.
    Detail,
    /// Everything that takes long fails.
    Work,
    /// The runs cannot be read.
    Runs,
}

#[derive(Debug, Clone, Copy)]
pub struct Fake {
    pub trouble: Trouble,
    /// Layers of the network.
    pub layers: usize,
    /// Runs of earlier sessions; the second one is broken.
    pub runs: usize,
}

impl Default for Fake {
    fn default() -> Self {
        Self {
            trouble: Trouble::None,
            layers: LAYERS.len(),
            runs: 0,
        }
    }
}

fn per_bits(value: impl Fn(f64) -> f64) -> PerBits {
    [2u8, 3, 4, 8]
        .into_iter()
        .map(|bits| (bits, value(f64::from(bits))))
        .collect()
}

/// The name of a layer among `count`.
fn name(index: usize, count: usize) -> Arc<str> {
    if count == LAYERS.len() {
        return LAYERS[index].into();
    }
    let block = index / 2 % 25;
    let (stage, conv) = (1 + index / 50, 1 + index % 2);
    format!("encoder.layer{stage}.{block}.conv{conv}").into()
}

/// The layers of a network of `count` before an analysis.
pub fn layers_of(count: usize) -> Vec<LayerSensitivity> {
    let layer = |index: usize| {
        let last = index + 1 == count;
        let width = 8 << (6 * index / count / 2);
        let shape = if last {
            vec![10, 32]
        } else {
            vec![width, width, 3, 3]
        };
        let parameters: usize = shape.iter().product();
        LayerSensitivity {
            layer: name(index, count),
            kind: Some(if last { "linear" } else { "conv2d" }.to_owned()),
            shape,
            parameters,
            macs: Some(parameters as u64 * 100),
            activation_size: Some(1000),
            reads_image: index == 0,
            perturbation: per_bits(|bits| parameters as f64 * 4f64.powf(-bits)),
            ..LayerSensitivity::default()
        }
    };
    (0..count).map(layer).collect()
}

/// The eigenvalue of a layer among `count`: falling over many decades when they are many.
fn eigenvalue(index: usize, count: usize) -> f64 {
    let decades = (index / 6) as f64 * 24.0 / count as f64;
    [4.0, 0.5, 0.25, 2.0, 0.02, 1.0][index % 6] * 10f64.powf(-decades)
}

/// A layer of the six after the analysis.
pub fn measured(index: usize) -> LayerSensitivity {
    let count = LAYERS.len();
    measure(layers_of(count).swap_remove(index), index, count)
}

/// What the analysis makes of a layer of a network of `count`.
fn measure(mut layer: LayerSensitivity, index: usize, count: usize) -> LayerSensitivity {
    let eigenvalue = eigenvalue(index, count);
    layer.eigenvalue = Some(eigenvalue);
    layer.iterations = Some(4);
    layer.residual = Some(5e-4);
    layer.converged = Some(index % 6 != 4);
    layer.history = (1..=4).map(|i| (eigenvalue, 5f64.powi(-i))).collect();
    layer.trace = Some(3.0 * eigenvalue);
    layer.trace_stderr = Some(0.0);
    layer.mean_trace = Some(3.0 * eigenvalue / layer.parameters as f64);
    layer.sensitivity = Some(eigenvalue / layer.parameters as f64);
    let errors = layer.perturbation.clone();
    layer.omega = errors
        .iter()
        .map(|(bits, error)| (*bits, eigenvalue * error))
        .collect();
    layer.loss_change = errors
        .iter()
        .map(|(bits, error)| (*bits, 0.1 * eigenvalue * error))
        .collect();
    layer
}

/// A layer of which every estimate is not a number.
fn spoilt(mut layer: LayerSensitivity) -> LayerSensitivity {
    let nan = Some(f64::NAN);
    (layer.eigenvalue, layer.residual) = (nan, nan);
    (layer.trace, layer.mean_trace, layer.sensitivity) = (nan, nan, nan);
    layer
        .history
        .iter_mut()
        .for_each(|point| *point = (f64::NAN, f64::NAN));
    let values = layer
        .omega
        .values_mut()
        .chain(layer.loss_change.values_mut());
    values.for_each(|value| *value = f64::NAN);
    layer.converged = Some(false);
    layer
}

pub fn inputs() -> Inputs {
    inputs_of(LAYERS.len())
}

/// What the packed file of a ResNet20 on CIFAR-10 holds besides its layers.
pub fn envelope() -> Envelope {
    let preset = Architecture::ResNet { depth: 20 };
    let about = About {
        model: "resnet20".to_owned(),
        data: "cifar10".to_owned(),
        normalization: preset.normalization(3),
        preprocessing: Preprocessing::default(),
        structure: None,
    };
    about.envelope(&preset.graph(Shape::map(3, 32, 32), 10).unwrap())
}

fn inputs_of(count: usize) -> Inputs {
    let layers = layers_of(count);
    Inputs {
        architecture: "resnet20".into(),
        weights: "weights/resnet20.safetensors".into(),
        weights_sha256: "0123456789abcdef".repeat(4),
        notes: Vec::new(),
        parameters: 12_345,
        data: "fashion-mnist".into(),
        data_source: "demo".into(),
        image: "1x28x28".into(),
        preprocessing: "pixel / 255, mean 0.286, deviation 0.353".into(),
        preprocessing_identity: "5a".into(),
        whole: false,
        classes: 10,
        train_images: 2048,
        test_images: 1024,
        device: "cpu".into(),
        expected_accuracy: Some(0.9375),
        fingerprint: "f00d".into(),
        outline: Outline {
            macs: layers.iter().filter_map(|layer| layer.macs).collect(),
            weights: layers.iter().map(|layer| layer.parameters).collect(),
            kept: 200_000,
            classes: 10,
            memory: Memory::USUAL,
        },
        packed: envelope(),
        layers,
    }
}

/// The measurements of the six layers, the first `done` of them measured.
pub fn sensitivity(done: usize) -> Sensitivity {
    sensitivity_of(done, LAYERS.len())
}

fn sensitivity_of(done: usize, count: usize) -> Sensitivity {
    let of = |(index, layer)| {
        if index < done {
            measure(layer, index, count)
        } else {
            layer
        }
    };
    let layers = layers_of(count).into_iter().enumerate().map(of).collect();
    Sensitivity {
        packed: None,
        format: "hawqeye/sensitivity".into(),
        version: 1,
        model: Some(ModelFacts {
            name: "resnet20".into(),
            weights_sha256: Some("0123456789abcdef".repeat(4)),
            parameters: Some(12_345),
        }),
        data: None,
        settings: settings(),
        fingerprint: Some("cafe".into()),
        identity: None,
        loss: Some(0.01),
        accuracy: Some(1.0),
        seconds: Some(12.5),
        curvature: Some(CurvatureFacts {
            images: 120,
            rows: 410,
            left_out: 2.5e-4,
        }),
        normalization: None,
        layers,
    }
}

fn settings() -> serde_json::Map<String, serde_json::Value> {
    let mut settings = serde_json::Map::new();
    settings.insert("tolerance".into(), 1e-3.into());
    settings
}

pub fn score(correct: usize) -> Score {
    Score {
        loss: 0.25,
        correct,
        correct_top5: 1000,
        total: 1024,
    }
}

impl Fake {
    fn looks(self, layer: &str) -> Result<()> {
        if self.trouble == Trouble::Detail {
            return Err(Error::NotFinite(format!("a Hessian product of {layer}")));
        }
        Ok(())
    }

    /// Long work fails.
    fn works(self) -> Result<()> {
        if self.trouble == Trouble::Work {
            return Err(Error::invalid(
                "the image file data/train-images.idx3.gz ended early; fetch it again",
            ));
        }
        Ok(())
    }

    fn wait_for_stop(observer: &mut dyn Observer) -> Result<(Sensitivity, Outcome)> {
        let mut done = 0;
        loop {
            done = (done + 1) % 100;
            let progress = Event::Progress {
                phase: Phase::Eigenvalue,
                done,
                total: 100,
            };
            if observer.on(progress) == Verdict::Stop {
                return Ok((sensitivity(2), Outcome::Stopped));
            }
            std::thread::yield_now();
        }
    }
}

impl Engine for Fake {
    fn open(&self, observer: &mut dyn Observer) -> Result<Inputs> {
        observer.on(Event::Progress {
            phase: Phase::Load,
            done: 1,
            total: 3,
        });
        if self.trouble == Trouble::Open {
            return Err(Error::invalid(
                "weights/resnet20.safetensors holds resnet32: expected resnet20; name another file",
            ));
        }
        Ok(inputs_of(self.layers))
    }

    fn look(&self, request: &OpenRequest, _: &mut dyn Observer) -> Answers {
        let wrong = request.inputs.model.ends_with("missing.pt2");
        let network = if wrong {
            Answer::Bad("cannot read missing.pt2: there is no such file".into())
        } else {
            Answer::Good("6 layers, 72,976 parameters".into())
        };
        let name = if request.project.is_empty() {
            "net-npz"
        } else {
            &request.project
        };
        Answers {
            request: request.clone(),
            of: [(Field::Network, network)].into(),
            score: (!wrong).then(|| Answer::Good("91.0 % right: 233 of 256 test images".into())),
            found: (!wrong && !request.inputs.data.is_empty()).then(|| Opening {
                inputs: request.inputs.clone(),
                project: name.to_owned(),
            }),
        }
    }

    fn check(&self, _: &mut dyn Observer) -> Result<Option<Score>> {
        Ok(Some(score(960)))
    }

    fn analyze(
        &self,
        _: &AnalysisRequest,
        observer: &mut dyn Steered,
    ) -> Result<(Sensitivity, Outcome)> {
        assert!(self.trouble != Trouble::PanicInAnalysis, "the worker broke");
        self.works()?;
        if self.trouble == Trouble::Endless {
            return Self::wait_for_stop(observer);
        }
        let count = self.layers;
        let spoils = self.trouble == Trouble::NotFinite;
        for (index, layer) in layers_of(count).into_iter().enumerate() {
            let progress = Event::Progress {
                phase: Phase::Eigenvalue,
                done: index as u64,
                total: count as u64,
            };
            let whole = measure(layer, index, count);
            let measured = if spoils { spoilt(whole) } else { whole };
            let mut verdict = observer.on(progress);
            for (at, (value, residual)) in measured.history.iter().copied().enumerate() {
                verdict = observer.on(Event::Eigenvalue {
                    layer: measured.layer.clone(),
                    iteration: at + 1,
                    value,
                    residual,
                });
            }
            if verdict == Verdict::Stop {
                return Ok((sensitivity_of(index, count), Outcome::Stopped));
            }
            observer.on(Event::Layer {
                measured: Box::new(measured),
            });
        }
        let mut done = sensitivity_of(count, count);
        if spoils {
            done.layers = done.layers.into_iter().map(spoilt).collect();
        }
        Ok((done, Outcome::Done))
    }

    fn evaluate(&self, plan: &Plan, _: &mut dyn Observer) -> Result<Option<Score>> {
        self.works()?;
        let bits: usize = plan
            .layers
            .iter()
            .map(|row| usize::from(row.weight_bits.get()))
            .sum();
        let mut score = score(900 + bits.min(50));
        if self.trouble == Trouble::NotFinite {
            score.loss = f64::NAN;
        }
        Ok(Some(score))
    }

    fn tune(&self, request: &TuneRequest, observer: &mut dyn Steered) -> Result<TuneReport> {
        self.works()?;
        for event in self.tuning(request.settings.epochs) {
            if observer.on(event) == Verdict::Stop {
                return Ok(TuneReport {
                    outcome: Outcome::Stopped,
                    test: None,
                });
            }
        }
        Ok(TuneReport {
            outcome: Outcome::Done,
            test: Some(score(955)),
        })
    }

    fn runs(&self, request: &RunsRequest, _: &mut dyn Observer) -> Result<Runs> {
        if self.trouble == Trouble::Runs {
            return Err(Error::invalid(
                "cannot read project/runs: permission denied",
            ));
        }
        let earlier = (1..=self.runs).rev().map(earlier_run);
        let mut listed: Vec<Arc<Listed>> = earlier.map(Arc::new).collect();
        let shown = request.shown.iter();
        let new = shown.filter(|shown| listed.iter().all(|run| run.folder != **shown));
        let new: Vec<_> = new.map(|folder| listed_run(folder, &[], 8.0)).collect();
        listed.splice(0..0, new.into_iter().map(Arc::new));
        for known in &request.known {
            let same = listed.iter_mut().find(|run| run.folder == known.folder);
            if let Some(run) = same {
                Arc::make_mut(run).note.clone_from(&known.note);
            }
        }
        Ok(Runs {
            listed,
            left_out: 0,
        })
    }

    fn attach_analysis(&self, observer: &mut dyn Steered) -> Result<(Sensitivity, Outcome)> {
        self.analyze(&AnalysisRequest::default(), observer)
    }

    fn attach_run(&self, _: &LeftRun, observer: &mut dyn Steered) -> Result<TuneReport> {
        for event in self.tuning(2).into_iter().skip(READ) {
            observer.tell(event);
        }
        Ok(TuneReport {
            outcome: Outcome::Done,
            test: Some(score(955)),
        })
    }

    fn export(&self, request: &ExportRequest, _: &mut dyn Observer) -> Result<Option<Written>> {
        self.works()?;
        Ok(Some(Written {
            path: request.path.clone(),
            beside: None,
            bytes: 4321,
            theoretical_bytes: 4000.0,
            sha256: "89abcdef".repeat(8),
            comparison: Comparison {
                largest_difference: 0.0,
                different: 0,
                network: score(955),
                file: score(955),
            },
        }))
    }

    fn spectrum(
        &self,
        request: &SpectrumRequest,
        observer: &mut dyn Observer,
    ) -> Result<Option<Spectrum>> {
        self.looks(&request.layer)?;
        let (done, total) = (0, 1);
        let phase = Phase::Spectrum;
        if observer.on(Event::Progress { phase, done, total }) == Verdict::Stop {
            return Ok(None);
        }
        Ok(Some(spectrum(&request.layer, self.trouble)))
    }

    fn landscape(
        &self,
        request: &LandscapeRequest,
        observer: &mut dyn Observer,
    ) -> Result<Option<Landscape>> {
        self.looks(&request.layer)?;
        let whole = landscape(request, self.trouble);
        for count in 1..=POINTS {
            let mut measured = Box::new(whole.clone());
            let outer = (POINTS - count) / 2;
            measured.points = whole.points[outer..][..count].to_vec();
            let last = measured.clone();
            let (done, total) = (count as u64, POINTS as u64);
            let phase = Phase::Landscape;
            observer.on(Event::Landscape { measured });
            if observer.on(Event::Progress { phase, done, total }) == Verdict::Stop {
                return Ok(Some(*last));
            }
        }
        Ok(Some(whole))
    }

    fn weights(&self, request: &WeightsRequest) -> Result<WeightHistogram> {
        self.looks(&request.layer)?;
        // Densest around zero, on both sides.
        let value = |i: u32| (f64::from(i) / 1000.0 - 1.0).powi(3) * 0.3;
        let values: Vec<f64> = (0..=2000).map(value).collect();
        WeightHistogram::of((&values, 1), request.bits, request.scale)
    }

    fn loss_changes(
        &self,
        request: &LossChangesRequest,
        observer: &mut dyn Observer,
    ) -> Result<Sensitivity> {
        self.works()?;
        let mut file = sensitivity_of(self.layers, self.layers);
        for wanted in &request.wanted {
            let mut layers = file.layers.iter_mut();
            let layer = layers.find(|layer| layer.layer == wanted.layer).unwrap();
            let bits = wanted.bits.get();
            layer.loss_change.insert(bits, 0.5 / f64::from(bits));
            let measured = Box::new(layer.clone());
            observer.on(Event::Layer { measured });
        }
        Ok(file)
    }

    fn remeasure(
        &self,
        request: &RemeasureRequest,
        observer: &mut dyn Observer,
    ) -> Result<(Sensitivity, Outcome)> {
        self.looks(&request.layers[0])?;
        let mut file = sensitivity_of(self.layers, self.layers);
        for name in &request.layers {
            let layer = name.clone();
            let event = Event::Eigenvalue {
                layer,
                iteration: 1,
                value: 7.0,
                residual: 0.5,
            };
            if observer.on(event) == Verdict::Stop {
                return Ok((file, Outcome::Stopped));
            }
            let mut layers = file.layers.iter_mut();
            let layer = layers.find(|layer| layer.layer == *name).unwrap();
            layer.residual = Some(request.analysis.tolerance / 2.0);
            layer.tolerance = Some(request.analysis.tolerance);
            layer.converged = Some(true);
            layer
                .history
                .push((layer.eigenvalue.unwrap(), request.analysis.tolerance / 2.0));
        }
        Ok((file, Outcome::Done))
    }
}

/// 40 eigenvalues over six decades.
fn spectrum(layer: &Arc<str>, trouble: Trouble) -> Spectrum {
    let value = |i: u32| 4.0 * 10f64.powf(-f64::from(39 - i) / 40.0 * 5.5);
    let mut values: Vec<_> = (0..40)
        .map(|i| (value(i), 1.0 + f64::from(i % 5)))
        .collect();
    if trouble == Trouble::NotFinite {
        values.iter_mut().for_each(|(value, _)| *value = f64::NAN);
    }
    Spectrum {
        layer: layer.clone(),
        samples: 512,
        source: Source::Exact { rows: 120 },
        values,
        zeros: 456.0,
        near_zero: 1e-6,
        trace: 12.0,
        size: 576,
    }
}

/// A curve that rises faster than a parabola on one side.
fn landscape(request: &LandscapeRequest, trouble: Trouble) -> Landscape {
    let side = (POINTS / 2) as f64;
    let loss = |t: f64| 0.01 + 0.02 * t + 0.5 * 4.0 * t * t + 0.4 * t.max(0.0).powi(3);
    let point = |place: usize| {
        let t = request.reach * (place as f64 - side) / side;
        let wrong = trouble == Trouble::NotFinite;
        (t, if wrong { f64::NAN } else { loss(t) })
    };
    Landscape {
        layer: request.layer.clone(),
        samples: 512,
        reach: request.reach,
        norm: 8.0,
        loss: 0.01,
        slope: 0.02,
        eigenvalue: 4.0,
        points: (0..POINTS).map(point).collect(),
    }
}

/// What the folder of a run holds.
fn listed_run(folder: &Path, events: &[Event], weight_compression: f64) -> Listed {
    let plan = vec![(8, 8); LAYERS.len()];
    let mut run = Run::replay(folder.to_owned(), events);
    run.plan = Some(plan.clone());
    Listed {
        folder: folder.to_owned(),
        stamp: Stamp::default(),
        note: String::new(),
        found: Ok(Known {
            facts: Facts {
                plan,
                weight_compression,
                activation_compression: Some(8.0),
                weight_bytes: 48_000.0 / weight_compression,
                packed_bytes: Some(4321),
                settings: Settings::default(),
            },
            run,
            read: 1000,
        }),
    }
}

/// A run of an earlier session: the later, the better; the second is broken.
fn earlier_run(number: usize) -> Listed {
    let folder = PathBuf::from(format!("project/runs/{number:03}"));
    let better = |event: Event| match event {
        Event::Step {
            step,
            total,
            epoch,
            stage,
            loss,
            accuracy,
            learning_rate,
            images,
        } => Event::Step {
            step,
            total,
            epoch,
            stage,
            loss: loss * (1.5 - 0.1 * number as f64),
            accuracy,
            learning_rate,
            images,
        },
        Event::Evaluated {
            split,
            label,
            step,
            score,
        } => Event::Evaluated {
            split,
            score: Score {
                correct: score.correct - 60 + if label == "float" { 60 } else { 10 * number },
                ..score
            },
            label,
            step,
        },
        other => other,
    };
    let mut events: Vec<Event> = tuning(1 + number % 4).into_iter().map(better).collect();
    if number == 4 {
        events.truncate(40);
    } else {
        let outcome = Outcome::Done;
        events.push(Event::Finished { outcome });
    }
    let mut listed = listed_run(&folder, &events, 6.0 + number as f64);
    if let Ok(known) = &mut listed.found {
        known.facts.settings.epochs = 1 + number % 4;
        known.facts.settings.distill = if number == 3 { 0.5 } else { 0.0 };
        known.facts.plan[1].0 = 2 + number as u8 % 5;
        known.run.plan = Some(known.facts.plan.clone());
    }
    if number == 2 {
        let path = folder.join("settings.json");
        listed.found = Err(format!(
            "{}: expected the settings of a run: EOF while parsing an object at line 1 column 1",
            path.display()
        ));
    }
    if number == 3 {
        listed.note = "with distillation".into();
    }
    listed
}

/// Events of a run that were read before it was attached to.
pub const READ: usize = 8;

/// The events of a staged run.
pub fn tuning(epochs: usize) -> Vec<Event> {
    Fake::default().tuning(epochs)
}

impl Fake {
    /// The events of a staged run of this network.
    fn tuning(self, epochs: usize) -> Vec<Event> {
        let spoils = self.trouble == Trouble::NotFinite;
        let or_nan = |value: f64| if spoils { f64::NAN } else { value };
        let evaluated = |split, label: &str, step, correct| {
            let mut score = score(correct);
            score.loss = or_nan(score.loss);
            Event::Evaluated {
                split,
                label: label.into(),
                step,
                score,
            }
        };
        let mut events = vec![
            evaluated(Split::Validation, "float", 0, 960),
            evaluated(Split::Validation, "post-training", 0, 870),
        ];
        let total = 20 * epochs as u64;
        for epoch in 0..epochs {
            let of = |index: usize| name(index % self.layers, self.layers);
            events.push(Event::Stage {
                index: epoch,
                total: epochs,
                layers: vec![of(epoch), of(epoch + 1)],
            });
            for step in 1..=20 {
                let step = 20 * epoch as u64 + step;
                events.push(Event::Step {
                    step,
                    total,
                    epoch,
                    stage: epoch,
                    loss: or_nan(1.0 / (1.0 + step as f64 / 10.0)),
                    accuracy: (0.8 + 0.003 * step as f64).min(0.99),
                    learning_rate: 0.01,
                    images: 128,
                });
            }
            let step = 20 * (epoch as u64 + 1);
            let label = format!("epoch {}", epoch + 1);
            let correct = (930 + 5 * epoch).min(1000);
            events.push(evaluated(Split::Validation, &label, step, correct));
            events.push(Event::Checkpoint { step });
        }
        events.push(evaluated(Split::Test, "final", total, 955));
        events
    }
}
