//! The engine behind the port of [`jobs`](super::jobs): which files and settings of a project become
//! which calls.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use super::jobs::{
    AnalysisRequest, Engine, ExportReport, ExportRequest, Inputs, TuneReport, TuneRequest,
};
use super::project::InputFile;
use crate::engine::autodiff::Program;
use crate::engine::backend::cpu::{Cpu, Isa};
use crate::engine::data::{
    DataSpec, Dataset, Normalization, Order, Part, Selection, image_shape, sample,
};
use crate::engine::evaluation::evaluate;
use crate::engine::graph::operations::BatchNormMode;
use crate::engine::graph::operations::rules::Purpose;
use crate::engine::hessian::analysis::{Subject, prepare, run};
use crate::engine::hessian::sensitivity::{LayerSensitivity, Sensitivity};
use crate::engine::hessian::{Analysis, Metric};
use crate::engine::job::{Event, Observer, Outcome, Phase, Score, Verdict};
use crate::engine::model::{Architecture, Model};
use crate::engine::plan::Plan;
use crate::engine::quant::post_training;
use crate::engine::{Error, Result, files};

/// Seed of every choice by chance.
const SEED: u64 = 0;
/// Weights with a known accuracy over known test images: SHA-256 of the file, name of the data set,
/// number of test images, correct ones.
const KNOWN: [(&str, &str, usize, usize); 2] = [
    // ResNet20 on CIFAR-10, as published and as safetensors (counted in float64).
    (
        "12fca82f0bebc4135bf1f32f6e3710e61d5108578464b84fd6d7f5c1b04036c8",
        "cifar10",
        10_000,
        9173,
    ),
    (
        "e35331a5f2ee1d1cc855b2071281d773a415143a3b73fa5f198771d5beaa7f3a",
        "cifar10",
        10_000,
        9173,
    ),
];

/// What is in memory.
struct Loaded {
    model: Model,
    train: Dataset,
    test: Dataset,
    normalization: Normalization,
    backend: Cpu,
}

/// The engine on the files of a project.
pub struct ProjectEngine {
    inputs: InputFile,
    sensitivity: PathBuf,
    loaded: Mutex<Option<Arc<Loaded>>>,
}

impl ProjectEngine {
    /// For these inputs; measurements go to the file `sensitivity`, and beside it while unfinished.
    #[must_use]
    pub fn new(inputs: InputFile, sensitivity: PathBuf) -> Self {
        Self {
            inputs,
            sensitivity,
            loaded: Mutex::new(None),
        }
    }

    fn loaded(&self) -> Result<Arc<Loaded>> {
        let loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        loaded
            .clone()
            .ok_or_else(|| Error::invalid("nothing is loaded yet; load the inputs first"))
    }

    fn load(&self, observer: &mut dyn Observer) -> Result<Loaded> {
        let report = |done: u64, observer: &mut dyn Observer| {
            let progress = Event::Progress {
                phase: Phase::Load,
                done,
                total: 3,
            };
            match observer.on(progress) {
                Verdict::Continue => Ok(()),
                Verdict::Stop => Err(Error::invalid("loading was stopped")),
            }
        };
        let architecture: Architecture = self.inputs.model.parse()?;
        let data: DataSpec = self.inputs.data.parse()?;
        report(0, observer)?;
        let train = data.load(Part::Train)?;
        report(1, observer)?;
        let test = data.load(Part::Test)?;
        report(2, observer)?;
        let image = (image_shape(&test), test.classes);
        let model = match &self.inputs.weights {
            Some(path) => Model::load(architecture, image, path)?,
            None => return Err(Error::invalid("no weights were named; use --weights FILE")),
        };
        let usual = architecture.normalization(test.channels);
        let normalization = Normalization::new(
            self.inputs.mean.clone().unwrap_or(usual.mean),
            self.inputs.std.clone().unwrap_or(usual.std),
        )?;
        let backend = Cpu::new(Isa::detect());
        report(3, observer)?;
        Ok(Loaded {
            model,
            train,
            test,
            normalization,
            backend,
        })
    }

    fn describe(&self, loaded: &Loaded) -> Result<Inputs> {
        let Loaded {
            model,
            train,
            test,
            normalization,
            backend,
        } = loaded;
        let first = Selection::new(train, normalization, vec![0])?;
        let subject = Subject {
            model,
            backend,
            images: &first,
        };
        let layers: Vec<LayerSensitivity> =
            prepare(&subject, &settings(&AnalysisRequest::default()))?.layers;
        let identity = [
            model.weights_sha256.clone(),
            train.checksum(),
            test.checksum(),
        ];
        let known = KNOWN.iter().find(|(sum, data, images, _)| {
            *sum == model.weights_sha256 && *data == test.name && *images == test.len()
        });
        Ok(Inputs {
            architecture: model.architecture.to_string(),
            weights: self
                .inputs
                .weights
                .as_deref()
                .map_or("embedded".to_owned(), show),
            weights_sha256: model.weights_sha256.clone(),
            parameters: model.graph.trainable_count(),
            data: test.name.clone(),
            data_source: self.inputs.data.clone(),
            image: image_shape(test).to_string(),
            classes: test.classes,
            train_images: train.len(),
            test_images: test.len(),
            device: format!(
                "cpu {}, {} threads",
                Isa::detect(),
                rayon::current_num_threads()
            ),
            expected_accuracy: known
                .map(|(_, _, images, correct)| *correct as f64 / *images as f64),
            fingerprint: files::sha256_hex(identity.join(" ").as_bytes()),
            layers,
        })
    }

    /// Where an unfinished analysis is kept.
    fn partial(&self) -> PathBuf {
        self.sensitivity.with_extension("json.partial")
    }

    /// What an earlier analysis with the same fingerprint measured.
    fn earlier(&self, fingerprint: Option<&String>) -> Option<Sensitivity> {
        let candidates = [self.partial(), self.sensitivity.clone()];
        let read = candidates
            .into_iter()
            .filter_map(|path| Sensitivity::read(&path).ok());
        read.into_iter()
            .find(|earlier| earlier.fingerprint.as_ref() == fingerprint)
    }
}

fn show(path: &Path) -> String {
    path.display().to_string()
}

/// The engine's settings of an analysis.
fn settings(request: &AnalysisRequest) -> Analysis {
    let mut metrics = vec![Metric::Eigenvalue];
    metrics.extend(request.trace.then_some(Metric::Trace));
    metrics.extend(request.loss_change.then_some(Metric::LossChange));
    Analysis {
        metrics,
        tolerance: request.tolerance,
        seed: SEED,
        ..Analysis::default()
    }
}

impl Engine for ProjectEngine {
    fn open(&self, observer: &mut dyn Observer) -> Result<Inputs> {
        let loaded = Arc::new(self.load(observer)?);
        let inputs = self.describe(&loaded)?;
        *self.loaded.lock().unwrap_or_else(PoisonError::into_inner) = Some(loaded);
        Ok(inputs)
    }

    fn check(&self, observer: &mut dyn Observer) -> Result<Option<Score>> {
        let loaded = self.loaded()?;
        let images = Selection::all(&loaded.test, &loaded.normalization)?;
        let walk = (BatchNormMode::Running, Purpose::Evaluate);
        let model = &loaded.model;
        let program = Program::new(&model.graph, &loaded.backend, &model.parameters, walk)?;
        evaluate(&program, &images, observer)
    }

    fn analyze(
        &self,
        request: &AnalysisRequest,
        observer: &mut dyn Observer,
    ) -> Result<(Sensitivity, Outcome)> {
        let started = Instant::now();
        let loaded = self.loaded()?;
        let samples = request.samples.min(loaded.train.len());
        let indices = sample(Order::Random, samples, SEED, loaded.train.len())?;
        let images = Selection::new(&loaded.train, &loaded.normalization, indices)?;
        let Loaded { model, backend, .. } = &*loaded;
        let subject = Subject {
            model,
            backend,
            images: &images,
        };
        let settings = settings(request);
        let fresh = prepare(&subject, &settings)?;
        let earlier = (!request.anew)
            .then(|| self.earlier(fresh.fingerprint.as_ref()))
            .flatten();
        let mut state = earlier.unwrap_or(fresh);
        let before = state.seconds.unwrap_or(0.0);
        let partial = self.partial();
        let mut save = |state: &Sensitivity| {
            let mut state = state.clone();
            state.seconds = Some(before + started.elapsed().as_secs_f64());
            state.write(&partial)
        };
        let outcome = run(&subject, &settings, &mut state, &mut save, observer)?;
        state.seconds = Some(before + started.elapsed().as_secs_f64());
        match outcome {
            Outcome::Stopped => state.write(&partial)?,
            Outcome::Done => {
                state.write(&self.sensitivity)?;
                remove(&partial)?;
            }
        }
        Ok((state, outcome))
    }

    fn evaluate(&self, plan: &Plan, observer: &mut dyn Observer) -> Result<Option<Score>> {
        let loaded = self.loaded()?;
        let Loaded {
            model,
            train,
            test,
            normalization,
            backend,
        } = &*loaded;
        let images = post_training::CALIBRATION_IMAGES.min(train.len());
        let indices = sample(Order::Random, images, SEED, train.len())?;
        let calibration = Selection::new(train, normalization, indices)?;
        let with = (backend, &calibration as _);
        match post_training::quantize(model, plan, with, observer)? {
            Some(network) => {
                let test = Selection::all(test, normalization)?;
                network.evaluate(backend, &test, observer)
            }
            None => Ok(None),
        }
    }

    fn tune(&self, _request: &TuneRequest, _observer: &mut dyn Observer) -> Result<TuneReport> {
        Err(Error::invalid("fine-tuning is not part of this build"))
    }

    fn export(
        &self,
        _request: &ExportRequest,
        _observer: &mut dyn Observer,
    ) -> Result<ExportReport> {
        Err(Error::invalid("export is not part of this build"))
    }
}

/// Removes a file if it is there.
fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(refused) if refused.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::file("remove", path, refused))
        }
        _ => Ok(()),
    }
}
