//! From a folder to a [`Report`]. What is not there stays absent; what cannot be read becomes a
//! sentence; nothing is written.

mod events;
mod frontier;
mod layers;

use std::fs;
use std::path::{Path, PathBuf};

use super::model::{Export, Part, Planned, Report, Run};
use super::source::{Kind, Source};
use crate::engine::export::About;
use crate::engine::finetune::{self, Record, holds_run, lost_settings};
use crate::engine::hessian::sensitivity::Sensitivity;
use crate::engine::plan::{LayerFacts, Plan, file as plan_file};
use crate::engine::{Result, files};
use crate::project::{self, InputFile};

/// Reads a folder.
///
/// # Errors
/// When a run that was named cannot be read; a part of a project that cannot be read is named in
/// the report instead.
pub fn gather(source: &Source) -> Result<Report> {
    let mut report = match source.kind {
        Kind::Project => of_project(source),
        Kind::Run => of_run(source)?,
    };
    let built = report.layers().to_vec();
    let measured = report.sensitivity.found().cloned();
    let known = layers::Known {
        measured: measured.as_ref(),
        built: &built,
        envelope: None,
    };
    complete(&mut report.plan, &known);
    if let Some(planned) = report.plan.found() {
        report.frontiers = frontier::frontiers(planned);
    }
    for run in &mut report.runs {
        let built = if run.layers.is_empty() {
            &built
        } else {
            &run.layers
        };
        let known = layers::Known {
            built,
            envelope: run.envelope.as_ref(),
            ..known
        };
        complete(&mut run.plan, &known);
    }
    Ok(report)
}

/// Adds what is known of the layers.
fn complete(plan: &mut Part<Planned>, known: &layers::Known) {
    if let Part::Found(planned) = plan {
        known.complete(planned);
    }
}

fn of_project(source: &Source) -> Report {
    let folder = &source.folder;
    let sensitivity = project::sensitivity(folder);
    Report {
        kind: source.kind,
        name: source.name.clone(),
        inputs: part(folder, &folder.join("inputs.toml"), InputFile::read),
        is_partial: sensitivity.extension().is_some_and(|end| end == "partial"),
        sensitivity: part(folder, &sensitivity, Sensitivity::read),
        plan: part(folder, &folder.join("plan.toml"), read_plan),
        frontiers: Vec::new(),
        runs: runs(&folder.join("runs")),
        exports: exports(&folder.join("exports")),
    }
}

fn of_run(source: &Source) -> Result<Report> {
    let folder = &source.folder;
    // What the report is of must be readable.
    finetune::read_record(folder)?;
    let run = run(folder, source.name.clone());
    Ok(Report {
        kind: source.kind,
        name: source.name.clone(),
        inputs: Part::Absent,
        sensitivity: part(folder, &folder.join("sensitivity.json"), Sensitivity::read),
        is_partial: false,
        plan: run.plan.clone(),
        frontiers: Vec::new(),
        runs: vec![run],
        exports: Vec::new(),
    })
}

/// A file, when it is there; a failure names it without the folder it lies in.
fn part<T>(folder: &Path, path: &Path, read: impl FnOnce(&Path) -> Result<T>) -> Part<T> {
    if !path.exists() {
        return Part::Absent;
    }
    match read(path) {
        Ok(value) => Part::Found(value),
        Err(error) => Part::Damaged(below(&error.to_string(), folder)),
    }
}

/// A sentence with names as seen from `folder`: a report is no place for paths.
fn below(said: &str, folder: &Path) -> String {
    let above = format!("{}{}", folder.display(), std::path::MAIN_SEPARATOR);
    said.replace(&above, "")
}

fn read_plan(path: &Path) -> Result<Planned> {
    plan_file::read(path, None).map(bare)
}

const fn bare(plan: Plan) -> Planned {
    Planned {
        plan,
        facts: Vec::new(),
        measured: None,
        envelope: None,
    }
}

/// The runs of a project, numbered ones by number.
fn runs(folder: &Path) -> Vec<Run> {
    let mut found = entries(folder);
    found.retain(|(path, _)| holds_run(path) || lost_settings(path));
    found.sort_by_cached_key(|(_, name)| (name.parse::<u64>().unwrap_or(u64::MAX), name.clone()));
    found
        .into_iter()
        .map(|(path, name)| run(&path, name))
        .collect()
}

fn run(folder: &Path, name: String) -> Run {
    let record: Part<Record> = part(folder, folder, finetune::read_record);
    let (plan, events) = (folder.join("plan.toml"), folder.join("events.jsonl"));
    let plan = match record.found() {
        // It must be the plan that the run was started with.
        Some(record) => part(folder, folder, |_| {
            finetune::read_plan(folder, record).map(bare)
        }),
        None => part(folder, &plan, read_plan),
    };
    let structure = match record.found() {
        // A preset may have no file.
        Some(record) => part(folder, folder, |_| finetune::read_structure(folder, record)),
        None => Part::Absent,
    };
    Run {
        name,
        envelope: record
            .found()
            .zip(structure.found())
            .map(|(record, structure)| {
                About::recorded(record, structure).envelope(&structure.graph)
            }),
        layers: structure
            .found()
            .map_or_else(Vec::new, |structure| LayerFacts::of(&structure.graph)),
        network: structure.problem().map(str::to_owned),
        record,
        plan,
        story: part(folder, &events, events::read),
        faults: finetune::state_faults(folder)
            .iter()
            .map(|fault| below(fault, folder))
            .collect(),
    }
}

/// The files in a folder, by name.
fn exports(folder: &Path) -> Vec<Export> {
    let mut found = entries(folder);
    found.sort();
    let export = |(path, name): (PathBuf, String)| {
        let facts = fs::metadata(&path).ok().filter(fs::Metadata::is_file)?;
        Some(Export {
            name,
            bytes: facts.len(),
            sha256: files::sha256_of_file(&path).ok()?,
        })
    };
    found.into_iter().filter_map(export).collect()
}

/// What is in a folder, hidden files left out; nothing when it is not there.
fn entries(folder: &Path) -> Vec<(PathBuf, String)> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let named = entries.map(|entry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        (entry.path(), name)
    });
    named.filter(|(_, name)| !name.starts_with('.')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project() -> (tempfile::TempDir, Source) {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("runs")).unwrap();
        let source = Source::find(folder.path(), None).unwrap();
        (folder, source)
    }

    #[test]
    fn an_empty_project_has_no_part_and_no_problem() {
        let (_folder, source) = project();
        let report = gather(&source).unwrap();
        assert_eq!(report.sensitivity, Part::Absent);
        assert_eq!(report.plan, Part::Absent);
        assert!(report.runs.is_empty() && report.problems().is_empty());
    }

    #[test]
    fn what_cannot_be_read_is_named_without_its_folder() {
        let (folder, source) = project();
        for name in ["inputs.toml", "sensitivity.json", "plan.toml"] {
            fs::write(folder.path().join(name), "{").unwrap();
        }
        let run = folder.path().join("runs/001");
        fs::create_dir_all(&run).unwrap();
        fs::write(run.join("settings.json"), "{").unwrap();
        let report = gather(&source).unwrap();
        let problems = report.problems();
        assert_eq!(problems.len(), 4, "{problems:?}");
        let here = folder.path().display().to_string();
        assert!(
            problems.iter().all(|said| !said.contains(&here)),
            "{problems:?}"
        );
        assert!(problems[3].contains("settings of a run"), "{problems:?}");
    }

    #[test]
    fn runs_come_by_number_and_exports_by_name() {
        let (folder, source) = project();
        for name in ["10", "9", "b", "a"] {
            let run = folder.path().join("runs").join(name);
            fs::create_dir_all(&run).unwrap();
            fs::write(run.join("settings.json"), "{}").unwrap();
        }
        let exports = folder.path().join("exports");
        fs::create_dir(&exports).unwrap();
        fs::write(exports.join("run-2.onnx"), "abc").unwrap();
        fs::write(exports.join("run-1.onnx"), "").unwrap();
        let report = gather(&source).unwrap();
        let names: Vec<_> = report.runs.iter().map(|run| run.name.as_str()).collect();
        assert_eq!(names, ["9", "10", "a", "b"]);
        assert_eq!(report.exports[1].name, "run-2.onnx");
        assert_eq!(report.exports[1].bytes, 3);
    }
}
