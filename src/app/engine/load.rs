//! From the inputs of a project to what is in memory.

use std::path::Path;

use crate::app::jobs::{AnalysisRequest, Inputs};
use crate::app::project::InputFile;
use crate::engine::backend::cpu::{Cpu, Isa};
use crate::engine::data::preprocessing::told;
use crate::engine::data::{Dataset, Normalization, Part, Selection, image_shape};
use crate::engine::export::About;
use crate::engine::hessian::analysis::{Subject, prepare};
use crate::engine::hessian::estimate::Outline;
use crate::engine::hessian::identity::Ground;
use crate::engine::hessian::sensitivity::LayerSensitivity;
use crate::engine::job::{Event, Observer, Phase, Verdict};
use crate::engine::memory::Memory;
use crate::engine::model::weights::Source;
use crate::engine::model::{Envelope, Model, ModelSource, Opened, Wanted, check_fit};
use crate::engine::quant::ScaleRule;
use crate::engine::{Error, Result, files};

/// Weights with a known accuracy over known test images: SHA-256 of the file, name of the data set,
/// number of test images, correct ones.
const KNOWN: [(&str, &str, usize, usize); 3] = [
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
    // The embedded network on the embedded images.
    (
        "84b5825184b46816e5b00f87f9985812ad2aed114b15d1098297893ad5833db2",
        "demo",
        1024,
        969,
    ),
];

/// What is in memory.
pub(super) struct Loaded {
    pub model: Model,
    pub train: Dataset,
    pub test: Dataset,
    pub normalization: Normalization,
    pub backend: Cpu,
    pub seed: u64,
}

/// Reads the model and both parts of the data.
pub(super) fn load(inputs: &InputFile, observer: &mut dyn Observer) -> Result<Loaded> {
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
    let key = inputs.weights_key.as_deref();
    let weights = inputs.weights.as_deref();
    let wanted = Wanted {
        model: inputs.model.parse()?,
        weights: weights.map(|path| Source { path, key }),
        data: inputs.data.parse()?,
        reading: inputs.reading(),
    };
    report(0, observer)?;
    let Opened { source, model } = wanted.open(Part::Test)?;
    let test = source.part(Part::Test)?.clone();
    report(1, observer)?;
    let train = source.part(Part::Train)?.clone();
    check_fit(&train, &model.graph)?;
    report(2, observer)?;
    let normalization = wanted.normalization(&test)?;
    let backend = Cpu::new(Isa::detect()).with_memory(Memory::of_machine());
    report(3, observer)?;
    Ok(Loaded {
        model,
        train,
        test,
        normalization,
        backend,
        seed: inputs.seed.unwrap_or(0),
    })
}

impl Loaded {
    /// What a packed file of the network will hold besides its layers.
    pub fn envelope(&self) -> Envelope {
        let Self { model, train, .. } = self;
        About::expected(model, train, &self.normalization).envelope(&model.graph)
    }

    /// What the application shows of it.
    pub fn describe(&self, inputs: &InputFile) -> Result<Inputs> {
        let Loaded {
            model,
            train,
            test,
            normalization,
            backend,
            ..
        } = self;
        let first = Selection::new(train, normalization, vec![0])?;
        let subject = Subject {
            model,
            backend,
            images: &first,
        };
        let layers: Vec<LayerSensitivity> =
            prepare(&subject, &AnalysisRequest::default().settings(self.seed))?.layers;
        let ground = Ground::of(&subject).identity(self.seed, ScaleRule::default());
        let identity = [
            model.weights_sha256.clone(),
            train.checksum(),
            test.checksum(),
        ];
        let known = KNOWN.iter().find(|(sum, data, images, _)| {
            *sum == model.weights_sha256 && *data == test.name && *images == test.len()
        });
        Ok(Inputs {
            architecture: model.name.clone(),
            weights: weights_of(inputs),
            weights_sha256: model.weights_sha256.clone(),
            notes: model.notes.clone(),
            parameters: model.graph.trainable_count(),
            data: test.name.clone(),
            data_source: inputs.data.clone(),
            image: image_shape(test).to_string(),
            preprocessing: told(test, normalization),
            preprocessing_identity: ground.preprocessing,
            whole: test.origin.whole,
            classes: model.graph.classes(),
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
            outline: Outline::of(&model.graph).with_memory(Memory::of_machine()),
            packed: self.envelope(),
            layers,
        })
    }
}

/// Where the weights come from.
fn weights_of(inputs: &InputFile) -> String {
    let path = inputs.weights.as_deref().map(Path::display);
    match (path, inputs.model.parse()) {
        (Some(path), _) => path.to_string(),
        (None, Ok(ModelSource::File(path))) => path.display().to_string(),
        (None, _) => "embedded".to_owned(),
    }
}
