//! Real files, made here: small, and sound.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hawqeye::engine::backend::cpu::{Cpu, Isa};
use hawqeye::engine::data::{DataSpec, Dataset, Part, Selection, Subset};
use hawqeye::engine::export::{About, Format, Request, export};
use hawqeye::engine::finetune::{self, Schedule, Settings, Start, Subject, load_run};
use hawqeye::engine::job::Silent;
use hawqeye::engine::model::demo;
use hawqeye::engine::plan::{LayerFacts, Plan};
use hawqeye::engine::quant::Bits;

/// The folders and files that readers begin with.
pub struct Seeds {
    /// A run of one short epoch.
    pub run: PathBuf,
    /// Its exports.
    pub packed: PathBuf,
    pub qonnx: PathBuf,
}

/// Writes them below a folder.
pub fn make(folder: &Path) -> Seeds {
    fs::create_dir_all(folder).unwrap();
    let model = demo::load().unwrap();
    let train = some(&DataSpec::Demo.load(Part::Train).unwrap(), 80);
    let test = some(&DataSpec::Demo.load(Part::Test).unwrap(), 40);
    let normalization = demo::ARCHITECTURE.normalization(1);
    let four = Bits::new(4).unwrap();
    let plan = Plan::uniform("resnet20", &LayerFacts::of(&model.graph), four, four);
    let settings = Settings {
        epochs: 1,
        schedule: Schedule::Joint,
        batch_size: 32,
        calibration: 32,
        ..Settings::default()
    };
    let run = folder.join("run");
    let request = finetune::Request {
        plan: &plan,
        stages: &finetune::stages(&plan, &settings, None).unwrap(),
        settings: &settings,
        folder: &run,
        start: Start::Fresh,
    };
    let subject = Subject::new(&model, &normalization, (&train, &test));
    let backend = Cpu::new(Isa::detect());
    finetune::tune(&backend, &subject, &request, &mut Silent).unwrap();
    let loaded = load_run(&run).unwrap();
    let about = About::of(&loaded);
    let images = Selection::new(&test, &normalization, (0..test.len()).collect()).unwrap();
    let write = |format: Format| {
        let path = folder.join(format.extension());
        let request = Request {
            network: &loaded.network,
            about: &about,
            format,
            path: &path,
        };
        export(&backend, &request, &images, &mut Silent).unwrap();
        path
    };
    Seeds {
        packed: write(Format::Packed),
        qonnx: write(Format::Qonnx),
        run,
    }
}

/// The first images of a data set.
pub fn some(dataset: &Dataset, count: usize) -> Dataset {
    let of = dataset.images.clone();
    let places = (0..count).collect();
    Dataset {
        images: Arc::new(Subset { of, places }),
        labels: dataset.labels[..count].to_vec(),
        ..dataset.clone()
    }
}
