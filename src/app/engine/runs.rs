//! What the run folders of a project hold, read up to limits. A folder that is broken is a sentence
//! in the list, not a failure of the list.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::app::jobs::{Facts, Known, Listed, Runs, RunsRequest, Stamp};
use crate::app::notes;
use crate::app::state::bits;
use crate::app::state::tune::{Run, RunStatus};
use crate::app::worker::is_worked_on;
use crate::engine::events::for_each;
use crate::engine::export::{About, predicted_bytes};
use crate::engine::finetune::{Record, events_path, read_plan, read_record, read_structure, saved};
use crate::engine::job::{Event, Observer, Outcome, Phase, Verdict};
use crate::engine::plan::{LayerFacts, Totals};
use crate::engine::{Error, Result};

/// Runs that are read; older ones are counted.
const MOST: usize = 64;
/// Bytes of events that are read at once, of all runs that changed.
const MOST_AT_ONCE: u64 = 1 << 30;
/// Largest side of an image, and most classes, of a network whose plan is summed up.
const LARGEST: usize = 1 << 16;

/// Reads the runs that were asked for, newest first; stops between two when told to.
///
/// # Errors
/// When the folder that holds them cannot be read.
pub(super) fn read(request: &RunsRequest, observer: &mut dyn Observer) -> Result<Runs> {
    let (folders, left_out) = newest(request)?;
    let total = folders.len() as u64;
    let (mut listed, mut left) = (Vec::new(), MOST_AT_ONCE);
    for (folder, stamp) in folders {
        listed.push(one(request, (folder, stamp), &mut left));
        let event = Event::Progress {
            phase: Phase::Load,
            done: listed.len() as u64,
            total,
        };
        if observer.on(event) == Verdict::Stop {
            break;
        }
    }
    Ok(Runs { listed, left_out })
}

/// The folders to read, newest first and never without the one on screen, and how many are left out.
fn newest(request: &RunsRequest) -> Result<(Vec<(PathBuf, Stamp)>, usize)> {
    let mut folders = folders(&request.folder)?;
    let shown = request.shown.as_ref().filter(|shown| shown.is_dir());
    if let Some(shown) = shown
        && !folders.contains(shown)
    {
        folders.push(shown.clone());
    }
    let mut stamped: Vec<_> = folders
        .into_iter()
        .map(|folder| (stamp(&folder), folder))
        .collect();
    stamped.sort_by(|(a, left), (b, right)| (b.begun, right).cmp(&(a.begun, left)));
    let left_out = stamped.len().saturating_sub(MOST);
    if let Some(at) = stamped.iter().position(|(_, folder)| Some(folder) == shown) {
        stamped.swap(at, at.min(MOST - 1));
    }
    stamped.truncate(MOST);
    let named = stamped.into_iter().map(|(stamp, folder)| (folder, stamp));
    Ok((named.collect(), left_out))
}

/// The folders in a folder; none where there is no such folder.
fn folders(runs: &Path) -> Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(runs) {
        Ok(entries) => entries,
        Err(missing) if missing.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(Error::file("read", runs, source)),
    };
    let paths = entries.flatten().map(|entry| entry.path());
    Ok(paths.filter(|path| path.is_dir()).collect())
}

/// What a run looks like from outside. Its settings are written once, when it is begun.
fn stamp(folder: &Path) -> Stamp {
    let begun = fs::metadata(folder.join("settings.json"));
    let begun = begun.or_else(|_| fs::metadata(folder));
    let events = fs::metadata(events_path(folder)).ok();
    Stamp {
        begun: begun.ok().and_then(|found| found.modified().ok()),
        written: events.as_ref().and_then(|found| found.modified().ok()),
        bytes: events.map_or(0, |found| found.len()),
    }
}

/// A run as it was read before, if nothing changed since; else as it is now.
fn one(request: &RunsRequest, (folder, stamp): (PathBuf, Stamp), left: &mut u64) -> Arc<Listed> {
    let ours = request.ours && request.shown.as_ref() == Some(&folder);
    let working = !ours && is_worked_on(&folder);
    let note = notes::read(&folder).unwrap_or_else(|error| error.to_string());
    let same = |listed: &&Arc<Listed>| {
        let found = listed.found.as_ref();
        let worked_on = found.is_ok_and(|known| known.run.status == RunStatus::Running);
        let alike = listed.folder == folder && listed.stamp == stamp && worked_on == working;
        alike && found.is_ok() && note == listed.note
    };
    if let Some(listed) = request.known.iter().find(same) {
        return listed.clone();
    }
    let enough = left.checked_sub(stamp.bytes);
    *left = enough.unwrap_or(*left);
    let found = match enough {
        Some(_) => known(&folder, working),
        None => Err(too_much(&folder)),
    };
    Arc::new(Listed {
        folder,
        stamp,
        note,
        found: found.map_err(|error| error.to_string()),
    })
}

/// What was read is not read again, so that the next time there is room.
fn too_much(folder: &Path) -> Error {
    Error::invalid(format!(
        "the events of {} were not read, to keep reading short; leave this screen and come back to \
         read them",
        folder.display()
    ))
}

fn known(folder: &Path, working: bool) -> Result<Known> {
    let record = read_record(folder)?;
    let facts = facts(folder, record)?;
    let (mut run, read) = replay(folder)?;
    run.plan = Some(facts.plan.clone());
    if working {
        run.status = RunStatus::Running;
    }
    Ok(Known { facts, run, read })
}

fn facts(folder: &Path, record: Record) -> Result<Facts> {
    let plan = read_plan(folder, &record)?;
    let [channels, height, width] = record.model.image;
    let classes = record.model.classes;
    if [channels, height, width, classes]
        .iter()
        .any(|size| *size > LARGEST)
    {
        return Err(Error::invalid(format!(
            "the settings in {} are of a network that cannot be; start a new run",
            folder.display()
        )));
    }
    let structure = read_structure(folder, &record)?;
    let layers = LayerFacts::of(&structure.graph);
    let totals = Totals::of(&layers, &plan);
    let packed = About::recorded(&record, &structure).envelope(&structure.graph);
    Ok(Facts {
        plan: bits::key(&plan),
        weight_compression: totals.weight_compression(),
        activation_compression: totals.activation_compression(),
        weight_bytes: totals.weight_bytes(),
        packed_bytes: predicted_bytes(&layers, &plan, Some(&packed)),
        settings: record.settings,
    })
}

/// What happened in a run, and the bytes that tell it. Which checkpoint is on disk, the disk says: the
/// events of a run that went on and was killed tell of an earlier one.
fn replay(folder: &Path) -> Result<(Run, u64)> {
    let mut run = Run::new(folder.to_owned(), RunStatus::Stopped);
    let told = for_each(&events_path(folder), |event| run.retell(&event))?;
    // Of one that cannot be read, whoever opens it is told.
    if let Ok(saved) = saved(folder) {
        run.history.checkpoint = None;
        let tell_done = run.history.outcome == Some(Outcome::Done);
        let beyond = saved.iter().flat_map(|it| it.beyond_events(tell_done));
        beyond.for_each(|event| run.retell(&event));
    }
    Ok((run, told.bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::data::Normalization;
    use crate::engine::data::preprocessing::Preprocessing;
    use crate::engine::finetune::{DataRecord, ModelRecord, Settings};
    use crate::engine::graph::Shape;
    use crate::engine::job::Silent;
    use crate::engine::model::Structure;
    use crate::engine::plan::{Plan, file};
    use crate::engine::quant::Bits;

    const IMAGE: [usize; 3] = [3, 32, 32];

    /// A run of ResNet20 with a few events, without anything that only training makes.
    fn run(runs: &Path, name: &str, bits: u64) -> PathBuf {
        let folder = runs.join(name);
        fs::create_dir_all(&folder).unwrap();
        let image = Shape::map(IMAGE[0], IMAGE[1], IMAGE[2]);
        let graph = Structure::preset("resnet20", image, 10).unwrap().graph;
        let bits = Bits::new(bits).unwrap();
        let plan = Plan::uniform("resnet20", &LayerFacts::of(&graph), bits, bits);
        file::write(&folder.join("plan.toml"), &plan).unwrap();
        let layer = |layer: &crate::engine::plan::PlannedLayer| {
            let bits = format!("{}/{}", layer.weight_bits, layer.activation_bits);
            (layer.name.clone(), bits)
        };
        let record = Record {
            format: "hawqeye/run".into(),
            version: 1,
            program: "0.1.0".into(),
            device: "cpu".into(),
            continued: Vec::new(),
            model: ModelRecord {
                name: "resnet20".into(),
                identity: None,
                weights_sha256: "ab".into(),
                image: IMAGE,
                classes: 10,
                parameters: 5,
            },
            data: DataRecord {
                name: "cifar10".into(),
                train_sha256: "cd".into(),
                test_sha256: "ef".into(),
                normalization: Normalization::new(vec![0.5; 3], vec![0.25; 3]).unwrap(),
                preprocessing: Preprocessing::default(),
            },
            scale: plan.scale,
            plan: plan.layers.iter().map(layer).collect(),
            stages: vec![plan.names()],
            settings: Settings::default(),
        };
        let text = serde_json::to_string(&record).unwrap();
        fs::write(folder.join("settings.json"), text).unwrap();
        let event = serde_json::to_string(&Event::Checkpoint { step: 7 }).unwrap();
        fs::write(events_path(&folder), format!("{event}\n{{\"cut")).unwrap();
        folder
    }

    fn request(folder: &Path) -> RunsRequest {
        RunsRequest {
            folder: folder.to_owned(),
            shown: None,
            ours: false,
            known: Vec::new(),
        }
    }

    fn found(request: &RunsRequest) -> Runs {
        read(request, &mut Silent).unwrap()
    }

    #[test]
    fn a_project_without_runs_has_none() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(
            found(&request(&folder.path().join("runs"))),
            Runs::default()
        );
    }

    #[test]
    fn runs_are_listed_newest_first_with_what_they_train() {
        let folder = tempfile::tempdir().unwrap();
        for (name, bits) in [("001", 8), ("002", 4)] {
            run(folder.path(), name, bits);
        }
        notes::write(&folder.path().join("001"), "all at 8").unwrap();
        let runs = found(&request(folder.path()));
        let names: Vec<_> = runs.listed.iter().map(|run| run.folder.clone()).collect();
        assert_eq!(
            names,
            [folder.path().join("002"), folder.path().join("001")]
        );
        let known = runs.listed[0].found.as_ref().unwrap();
        assert!((known.facts.weight_compression - 8.0).abs() < 1e-9);
        assert_eq!(known.facts.activation_compression, Some(8.0));
        assert_eq!(
            (known.run.history.checkpoint, &known.run.status),
            (None, &RunStatus::Stopped),
            "the events tell of one that is not on disk"
        );
        assert_eq!(known.read, 32);
        assert_eq!(runs.listed[1].note, "all at 8");
    }

    #[test]
    fn what_did_not_change_is_not_read_again() {
        let folder = tempfile::tempdir().unwrap();
        run(folder.path(), "001", 8);
        let first = found(&request(folder.path()));
        let again = RunsRequest {
            known: first.listed.clone(),
            ..request(folder.path())
        };
        assert!(Arc::ptr_eq(&found(&again).listed[0], &first.listed[0]));
        notes::write(&folder.path().join("001"), "new").unwrap();
        assert_eq!(found(&again).listed[0].note, "new");
    }

    #[test]
    fn a_broken_folder_is_a_sentence_and_the_others_are_listed() {
        let folder = tempfile::tempdir().unwrap();
        run(folder.path(), "001", 8);
        fs::create_dir(folder.path().join("002")).unwrap();
        let broken = run(folder.path(), "003", 8);
        fs::write(events_path(&broken), "what\nis this\n").unwrap();
        let endless = run(folder.path(), "004", 8);
        fs::write(events_path(&endless), "x".repeat(2 << 20)).unwrap();
        let edited = run(folder.path(), "005", 8);
        fs::write(edited.join("plan.toml"), "format = 1").unwrap();
        let impossible = run(folder.path(), "006", 8);
        let settings = fs::read_to_string(impossible.join("settings.json")).unwrap();
        let settings = settings.replace("[3,32,32]", "[3,32,4294967296]");
        fs::write(impossible.join("settings.json"), settings).unwrap();
        let runs = found(&request(folder.path()));
        assert_eq!(runs.listed.len(), 6);
        let broken: Vec<String> = runs
            .listed
            .iter()
            .filter_map(|run| run.found.clone().err())
            .collect();
        assert_eq!(broken.len(), 5, "{broken:#?}");
        assert!(
            broken.iter().all(|reason| !reason.contains('\n')),
            "{broken:#?}"
        );
    }

    #[test]
    fn many_runs_are_bounded_and_the_one_on_screen_is_among_them() {
        let folder = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        let shown = run(elsewhere.path(), "mine", 8);
        for number in 0..70 {
            fs::create_dir(folder.path().join(format!("{number:03}"))).unwrap();
        }
        let runs = found(&RunsRequest {
            shown: Some(shown.clone()),
            ..request(folder.path())
        });
        assert_eq!((runs.listed.len(), runs.left_out), (MOST, 7));
        assert!(runs.listed.iter().any(|run| run.folder == shown));
    }
}
