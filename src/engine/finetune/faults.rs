//! What is wrong with the files of a run, by what they say of themselves and of each other: for whoever
//! shows a run without going on with it.

use std::path::Path;

use super::checkpoint;
use super::paths::{best_path, checkpoint_path, events_path, plan_path};
use super::read::{read_plan, read_record, read_structure};
use crate::engine::Result;
use crate::engine::counts::counted;
use crate::engine::events::History;

/// What is wrong with a run, a sentence each: with what it is, and with its [state](state_faults).
#[must_use]
pub fn faults(folder: &Path) -> Vec<String> {
    let record = match read_record(folder) {
        Ok(record) => record,
        Err(refused) => return vec![refused.to_string()],
    };
    let plan = read_plan(folder, &record).err();
    let plan = plan.map(|error| error.to_string());
    let network = read_structure(folder, &record).err();
    let network = network.map(|error| error.to_string());
    let damaged = plan.into_iter().chain(network);
    damaged.chain(state_faults(folder)).collect()
}

/// That the file of the plan is gone, whose bits the settings tell too.
fn lost_plan(folder: &Path) -> Option<String> {
    let path = plan_path(folder);
    let is_lost = !path.exists() && read_record(folder).is_ok();
    is_lost.then(|| {
        format!(
            "{} is gone: the bits are those that settings.json tells, and which layers were pinned or tied \
             is not known",
            path.display()
        )
    })
}

/// What is wrong with the checkpoints, the events and the plan of a run whose settings are whole, a sentence
/// each; a plan that cannot be read is told by [`read_plan`].
#[must_use]
pub fn state_faults(folder: &Path) -> Vec<String> {
    // In this order: of a run that goes on, the events only grow after a checkpoint was written.
    let last = position(&checkpoint_path(folder));
    let best = position(&best_path(folder));
    let written = last.as_ref().ok().copied().flatten();
    let path = events_path(folder);
    let told = History::read(&path);
    let lost = match (&last, &told) {
        (Err(damaged), _) => Some(damaged.to_string()),
        (Ok(None), Ok(history)) if history.checkpoint.is_some() => {
            Some(format!("{} is gone", checkpoint_path(folder).display()))
        }
        _ => None,
    };
    let instead = if matches!(best, Ok(Some(_))) {
        "the network of its best epoch is whole: hawqeye export takes that, and hawqeye tune --resume \
         --conclude best ends the run with it"
    } else {
        "put it back, or start a new run in another folder"
    };
    let last = lost.map(|lost| format!("{lost}; {instead}"));
    let best = best.err().map(|damaged| {
        format!("{damaged}; put it back, or end the run with the network of the last checkpoint")
    });
    let events = cut(&path, written).or_else(|| told.err().map(|error| error.to_string()));
    let said = [lost_plan(folder), last, best, events];
    said.into_iter().flatten().collect()
}

/// Bytes of events that belong to a checkpoint; `None` where there is none.
fn position(path: &Path) -> Result<Option<u64>> {
    let found = path.exists().then(|| checkpoint::read_sealed(path));
    Ok(found.transpose()?.map(|position| position.journal))
}

/// What is the matter where events are missing, and what to do.
const UNKNOWN: &str = "what happened in the run is not fully known; put the file back, or go on with what \
                       is there by hawqeye tune --resume";

/// That events are missing of which a checkpoint tells; `written` bytes of them belong to it.
fn cut(path: &Path, written: Option<u64>) -> Option<String> {
    let (unknown, written) = (UNKNOWN, written?);
    let Ok(found) = std::fs::metadata(path) else {
        return Some(format!("{} is gone: {unknown}", path.display()));
    };
    let bytes = counted(found.len() as usize, "byte");
    (found.len() < written).then(|| {
        format!(
            "{} holds {bytes}, {written} were written until the checkpoint: {unknown}",
            path.display()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_that_are_cut_or_gone_are_told_of_beside_a_checkpoint_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.jsonl");
        assert_eq!(cut(&path, None), None, "a run that begins");
        assert!(cut(&path, Some(9)).unwrap().contains("is gone"));
        std::fs::write(&path, "{\"event\":\"checkpoint\",\"step\":4}\n").unwrap();
        assert_eq!(cut(&path, Some(9)), None);
        let said = cut(&path, Some(99)).unwrap();
        assert!(said.contains("bytes, 99 were written until"), "{said}");
    }

    #[test]
    fn what_is_damaged_or_gone_is_told_of() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(state_faults(folder.path()), Vec::<String>::new());
        let file = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        file("events.jsonl", "{\"event\":\"checkpoint\",\"step\":4}\n");
        let [gone] = &state_faults(folder.path())[..] else {
            panic!("{:?}", state_faults(folder.path()));
        };
        assert!(
            gone.contains("checkpoint.safetensors is gone; put it back"),
            "{gone}"
        );
        file("checkpoint.safetensors", "");
        file("best.safetensors", "");
        file("events.jsonl", "what is this\n");
        let [last, best, events] = &state_faults(folder.path())[..] else {
            panic!("{:?}", state_faults(folder.path()));
        };
        assert!(
            last.contains("it is empty") && last.contains("start a new run"),
            "{last}"
        );
        assert!(
            best.contains("it is empty") && best.contains("the last checkpoint"),
            "{best}"
        );
        assert!(events.contains("expected the events"), "{events}");
    }
}
