//! Which files and settings of a project become which calls of the engine, all in this process.

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use super::load::{self, Loaded};
use super::{analysis, tune};
use crate::app::jobs::{AnalysisRequest, ExportRequest, Inputs, TuneReport, TuneRequest};
use crate::app::project::InputFile;
use crate::engine::autodiff::Program;
use crate::engine::data::{Order, Selection, divided, sample};
use crate::engine::evaluation::evaluate;
use crate::engine::export::{self, About, Format, Request, Written};
use crate::engine::finetune::load_run;
use crate::engine::graph::operations::BatchNormMode;
use crate::engine::graph::operations::rules::Purpose;
use crate::engine::hessian::sensitivity::Sensitivity;
use crate::engine::job::{Event, Observer, Outcome, Score};
use crate::engine::plan::Plan;
use crate::engine::post_training;
use crate::engine::{Error, Result};
use crate::folders::at_home;
use crate::overwriting::{self, Input, Kind};

/// The engine on the files of a project, in this process.
pub struct Local {
    inputs: InputFile,
    sensitivity: PathBuf,
    loaded: Mutex<Option<Arc<Loaded>>>,
}

impl Local {
    /// For these inputs; measurements go to the file `sensitivity`, and beside it while unfinished.
    #[must_use]
    pub fn new(inputs: InputFile, sensitivity: PathBuf) -> Self {
        Self {
            inputs,
            sensitivity,
            loaded: Mutex::new(None),
        }
    }

    pub(super) fn loaded(&self) -> Result<Arc<Loaded>> {
        let loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        loaded
            .clone()
            .ok_or_else(|| Error::invalid("nothing is loaded yet; load the inputs first"))
    }
}

impl Local {
    /// See [`Engine::open`](crate::app::jobs::Engine::open).
    ///
    /// # Errors
    /// As there; so with the others.
    pub fn open(&self, observer: &mut dyn Observer) -> Result<Inputs> {
        let loaded = Arc::new(load::load(&self.inputs, observer)?);
        let inputs = loaded.describe(&self.inputs)?;
        *self.loaded.lock().unwrap_or_else(PoisonError::into_inner) = Some(loaded);
        Ok(inputs)
    }

    /// See [`Engine::check`](crate::app::jobs::Engine::check).
    ///
    /// # Errors
    /// As there.
    pub fn check(&self, observer: &mut dyn Observer) -> Result<Option<Score>> {
        let loaded = self.loaded()?;
        let images = Selection::all(&loaded.test, &loaded.normalization)?;
        let walk = (BatchNormMode::Running, Purpose::Evaluate);
        let model = &loaded.model;
        let program = Program::new(&model.graph, &loaded.backend, &model.parameters, walk)?;
        evaluate(&program, &images, observer)
    }

    /// See [`Engine::analyze`](crate::app::jobs::Engine::analyze).
    ///
    /// # Errors
    /// As there.
    pub fn analyze(
        &self,
        request: &AnalysisRequest,
        observer: &mut dyn Observer,
    ) -> Result<(Sensitivity, Outcome)> {
        analysis::analyze((&*self.loaded()?, request), &self.sensitivity, observer)
    }

    /// See [`Engine::evaluate`](crate::app::jobs::Engine::evaluate).
    ///
    /// # Errors
    /// As there.
    pub fn evaluate(&self, plan: &Plan, observer: &mut dyn Observer) -> Result<Option<Score>> {
        let loaded = self.loaded()?;
        let Loaded {
            model,
            train,
            test,
            normalization,
            backend,
            ..
        } = &*loaded;
        let images = post_training::CALIBRATION_IMAGES.min(train.len());
        let indices = sample(Order::Random, images, loaded.seed, train.len())?;
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

    /// See [`Engine::tune`](crate::app::jobs::Engine::tune).
    ///
    /// # Errors
    /// As there.
    pub fn tune(&self, request: &TuneRequest, observer: &mut dyn Observer) -> Result<TuneReport> {
        tune::tune(&*self.loaded()?, request, observer)
    }

    /// Refuses to write an export over what the project reads, a file of a run or a project, or anything
    /// but an earlier export.
    fn refuse_overwriting(&self, request: &ExportRequest) -> Result<()> {
        let path = &request.path;
        let read = self.inputs.files();
        let inputs: Vec<Input> = read
            .iter()
            .map(|path| Input {
                path,
                what: "one of the project's inputs",
            })
            .collect();
        let beside =
            (request.format == Format::Safetensors).then(|| export::path_beside(path, "json"));
        let written = [
            Some((path, Kind::Export)),
            beside.as_ref().map(|beside| (beside, Kind::Description)),
        ];
        for (path, own) in written.into_iter().flatten() {
            overwriting::refuse_input(path, &inputs)?;
            if let Some(there) = overwriting::occupant(path, own) {
                return Err(Error::invalid(format!(
                    "{} {there}; choose another file with p",
                    path.display()
                )));
            }
        }
        Ok(())
    }

    /// See [`Engine::export`](crate::app::jobs::Engine::export).
    ///
    /// # Errors
    /// As there.
    pub fn export(
        &self,
        request: &ExportRequest,
        observer: &mut dyn Observer,
    ) -> Result<Option<Written>> {
        let request = &ExportRequest {
            path: at_home(&request.path.to_string_lossy()),
            ..request.clone()
        };
        self.refuse_overwriting(request)?;
        let loaded = self.loaded()?;
        let run = load_run(&request.run)?;
        for message in run.doubts.clone() {
            observer.on(Event::Warning { message });
        }
        overwriting::refuse_origin(&request.path, &run.record.model.weights_sha256)?;
        let folder = request.path.parent();
        if let Some(folder) = folder.filter(|folder| folder.ends_with("exports")) {
            fs::create_dir_all(folder).map_err(|refused| Error::file("create", folder, refused))?;
        }
        let request = Request {
            about: &About::of(&run),
            network: &run.network,
            format: request.format,
            path: &request.path,
        };
        // What fine-tuning kept for the test, of a set in one part.
        let seed = run.record.settings.seed;
        let whole = loaded.test.origin.whole;
        let kept = whole.then(|| divided(&loaded.test, seed)).transpose()?;
        let test = kept.as_ref().map_or(&loaded.test, |(_, test)| test);
        let images = Selection::all(test, &loaded.normalization)?;
        export::export(&loaded.backend, &request, &images, observer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::job::Silent;

    #[test]
    fn an_export_takes_the_place_of_an_earlier_one_only() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let write = |name: &str, text: &str| fs::write(at(name), text).unwrap();
        fs::create_dir(at("run")).unwrap();
        write("run/settings.json", "{\"format\":\"hawqeye/run\"}");
        write("run/checkpoint.safetensors", "a checkpoint");
        write("weights.safetensors", "weights");
        write("sensitivity.json", "{\"format\":\"hawqeye/sensitivity\"}");
        write("notes.txt", "mine");
        write("net.json", "mine too");
        #[cfg(unix)]
        std::os::unix::fs::symlink(at("weights.safetensors"), at("link")).unwrap();
        let inputs = InputFile {
            model: "resnet20".into(),
            data: "demo".into(),
            weights: Some(at("weights.safetensors")),
            ..InputFile::default()
        };
        let engine = Local::new(inputs, at("sensitivity.json"));
        let told = |name: &str, format| {
            let request = ExportRequest {
                run: at("run"),
                format,
                path: at(name),
            };
            let error = engine.export(&request, &mut Silent).unwrap_err();
            error.to_string()
        };
        let before: Vec<_> = files(folder.path());
        for (name, reason) in [
            ("weights.safetensors", "one of the project's inputs"),
            #[cfg(unix)]
            ("link", "one of the project's inputs"),
            ("run/../weights.safetensors", "one of the project's inputs"),
            ("run/checkpoint.safetensors", "a file of the run"),
            ("sensitivity.json", "holds measurements"),
            ("notes.txt", "was not written by hawqeye"),
        ] {
            let told = told(name, Format::Packed);
            assert!(told.contains(reason), "{name}: {told}");
        }
        let beside = told("net.safetensors", Format::Safetensors);
        assert!(beside.contains("net.json"), "{beside}");
        let free = told("free.safetensors", Format::Packed);
        assert!(free.contains("nothing is loaded yet"), "{free}");
        assert_eq!(files(folder.path()), before, "and nothing changed");
    }

    /// Every file below a folder, and what it holds.
    fn files(folder: &std::path::Path) -> Vec<(PathBuf, Vec<u8>)> {
        let mut found = Vec::new();
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                found.extend(files(&path));
            } else {
                found.push((path.clone(), fs::read(path).unwrap()));
            }
        }
        found.sort();
        found
    }
}
