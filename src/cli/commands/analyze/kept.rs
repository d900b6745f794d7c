//! What is there of an analysis already: the finished file, and `FILE.partial`, a sensitivity file whose
//! missing numbers are still to be measured, guarded by its fingerprint.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::cli::destination::holds_something;
use crate::cli::failure::Failure;
use crate::cli::report::Reporter;
use crate::engine::Result;
use crate::engine::hessian::Metric;
use crate::engine::hessian::identity::Ground;
use crate::engine::hessian::merge::merge;
use crate::engine::hessian::sensitivity::Sensitivity;
use crate::numbers::counted;

/// What becomes of a file that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// It is refused.
    New,
    /// It is overwritten.
    Overwrite,
    /// It is gone on with: what it lacks is measured.
    Resume,
    /// What is measured takes its place in it.
    Merge,
}

/// The files of the analysis that writes to one place; pipes and devices have none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    output: Option<PathBuf>,
    partial: Option<PathBuf>,
    mode: Mode,
}

/// What an analysis starts from.
#[derive(Debug)]
pub enum Found {
    /// Nothing measured yet, or what was measured before.
    State(Box<Sensitivity>),
    /// The result is already there.
    Complete,
}

type Told<T> = std::result::Result<T, Failure>;

impl Kept {
    /// Of the analysis that writes to `output` in this way.
    #[must_use]
    pub fn of(output: Option<&Path>, mode: Mode) -> Self {
        let special = |path: &&Path| fs::metadata(path).is_ok_and(|found| !found.is_file());
        let output = output.filter(|path| !special(path));
        Self {
            output: output.map(Path::to_owned),
            partial: output.map(Sensitivity::unfinished),
            mode,
        }
    }

    /// The file of what is unfinished, if there is one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.partial.as_deref()
    }

    /// Refuses to overwrite what is finished, before anything is read.
    ///
    /// # Errors
    /// A sentence that says what is there and what can be done with it.
    pub fn refuse_overwriting(&self) -> Told<()> {
        let Some(output) = self.output.as_deref() else {
            return Ok(());
        };
        if self.mode != Mode::New || !holds_something(output) {
            return Ok(());
        }
        let shown = output.display();
        Err(Failure::failed(match Sensitivity::read(output) {
            Ok(finished) => format!(
                "{shown} holds finished measurements ({}); add to them with --resume, replace single \
                 layers with --merge, or overwrite all with --force",
                held(&finished)
            ),
            Err(_) => format!(
                "{shown} exists and is no sensitivity file; choose another file, or overwrite it \
                 with --force"
            ),
        }))
    }

    /// The file whose settings count where no others are given.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn earlier(&self) -> Told<Option<Sensitivity>> {
        let candidates = match self.mode {
            Mode::New | Mode::Overwrite => [None, None],
            Mode::Resume => [self.partial.as_deref(), self.output.as_deref()],
            Mode::Merge => [None, self.output.as_deref()],
        };
        let mut there = candidates
            .into_iter()
            .flatten()
            .filter(|path| path.exists());
        Ok(there.next().map(Sensitivity::read).transpose()?)
    }

    /// Keeps what is measured.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self, state: &Sensitivity) -> Result<()> {
        let partial = self.partial.as_ref();
        partial.map_or(Ok(()), |path| state.write(path))
    }

    /// Forgets it; the result is written.
    pub fn remove(&self) {
        if let Some(path) = &self.partial {
            // A state that stays behind is guarded by its fingerprint.
            let _ = fs::remove_file(path);
        }
    }

    /// The finished file with the measurements of `state` in it, or `state` alone.
    ///
    /// # Errors
    /// When the file cannot be read, or the two cannot stand beside each other.
    pub fn joined(&self, ground: &Ground, state: &Sensitivity) -> Told<Sensitivity> {
        let joins = matches!(self.mode, Mode::Resume | Mode::Merge);
        let output = self.output.as_deref();
        let there = output.filter(|path| joins && (self.mode == Mode::Merge || path.exists()));
        let Some(path) = there else {
            return Ok(state.clone());
        };
        let mut file = Sensitivity::read(path)?;
        ground.recognise(&mut file);
        merge(&mut file, state)?;
        file.fingerprint = Some(ground.fingerprint(&file.settings));
        Ok(file)
    }

    /// `fresh`, or with it what was kept when that is to be gone on with.
    ///
    /// # Errors
    /// When what was kept cannot be read, or is that of another analysis.
    pub fn find(
        &self,
        ground: &Ground,
        fresh: Sensitivity,
        reporter: &mut Reporter,
    ) -> Told<Found> {
        match self.partial.as_deref().filter(|path| path.exists()) {
            Some(partial) if self.mode == Mode::Resume => unfinished(partial, &fresh),
            Some(partial) => {
                reporter.warn(format!(
                    "{} is from an interrupted analysis and is replaced; --resume would go on with \
                     it",
                    partial.display()
                ));
                Ok(Found::State(Box::new(fresh)))
            }
            None if self.mode == Mode::Resume => self.finished(ground, fresh, reporter),
            None => Ok(Found::State(Box::new(fresh))),
        }
    }

    /// What the finished file lacks of `fresh`.
    fn finished(
        &self,
        ground: &Ground,
        fresh: Sensitivity,
        reporter: &mut Reporter,
    ) -> Told<Found> {
        let Some(output) = self.output.as_deref() else {
            return Ok(Found::State(Box::new(fresh)));
        };
        let shown = output.display();
        if !output.exists() {
            reporter.warn(format!(
                "there is no interrupted analysis beside {shown}; starting from the beginning"
            ));
            return Ok(Found::State(Box::new(fresh)));
        }
        let mut file = Sensitivity::read(output)?;
        ground.recognise(&mut file);
        if let Some(difference) = settled_otherwise(&file, &fresh) {
            return Err(Failure::failed(format!(
                "{shown} was measured otherwise ({difference}); repeat its settings, or measure \
                 layers again with --merge"
            )));
        }
        let state = known(&file, fresh)?;
        if is_complete(&state) {
            reporter.note(&format!(
                "{shown} is complete ({}); nothing was measured",
                held(&file)
            ));
            return Ok(Found::Complete);
        }
        Ok(Found::State(Box::new(state)))
    }
}

/// The state of an interrupted analysis, if it is that of `fresh`.
fn unfinished(partial: &Path, fresh: &Sensitivity) -> Told<Found> {
    let kept = Sensitivity::read(partial)?;
    if let Some(difference) = difference(&kept, fresh) {
        return Err(Failure::failed(format!(
            "{} is from another analysis ({difference}); repeat its settings, or start anew without \
             --resume",
            partial.display()
        )));
    }
    Ok(Found::State(Box::new(kept)))
}

/// `fresh` with what `file` knows of its layers.
fn known(file: &Sensitivity, mut fresh: Sensitivity) -> Told<Sensitivity> {
    let is_fresh = |name: &str| fresh.layers.iter().any(|layer| *layer.layer == *name);
    let mut shared = file.clone();
    shared.layers.retain(|layer| is_fresh(&layer.layer));
    let (settings, fingerprint) = (fresh.settings.clone(), fresh.fingerprint.clone());
    merge(&mut fresh, &shared)?;
    // What this analysis measures is its own; the file is joined when it is done.
    (fresh.settings, fresh.fingerprint) = (settings, fingerprint);
    fresh.curvature = file.curvature;
    Ok(fresh)
}

/// How well eigenvalues are found; a file keeps to one way.
const MANNERS: [&str; 3] = ["tolerance", "method", "max_iterations"];

fn settled_otherwise(file: &Sensitivity, fresh: &Sensitivity) -> Option<String> {
    MANNERS.into_iter().find_map(|key| {
        let (there, here) = (file.settings.get(key)?, fresh.settings.get(key)?);
        (there != here).then(|| format!("{key} {there} there, {here} here"))
    })
}

/// Whether every layer has every metric, loss changes at all of the bits.
fn is_complete(state: &Sensitivity) -> bool {
    let list = |key: &str| state.settings.get(key).and_then(Value::as_array);
    let metrics: Vec<Metric> = list("metrics")
        .into_iter()
        .flatten()
        .filter_map(|word| word.as_str()?.parse().ok())
        .collect();
    let bits: Vec<u8> = list("bits")
        .into_iter()
        .flatten()
        .filter_map(|bits| u8::try_from(bits.as_u64()?).ok())
        .filter(|bits| *bits < 32)
        .collect();
    state.layers.iter().all(|layer| {
        metrics.iter().all(|metric| match metric {
            Metric::LossChange => bits.iter().all(|bits| layer.loss_change.contains_key(bits)),
            other => other.is_measured(layer),
        })
    })
}

/// What a file holds: `eigenvalue and trace of 20 layers`.
fn held(file: &Sensitivity) -> String {
    let measured = |metric: &Metric| file.layers.iter().any(|layer| metric.is_measured(layer));
    let names: Vec<String> = Metric::ALL
        .iter()
        .filter(|metric| measured(metric))
        .map(ToString::to_string)
        .collect();
    let what = match names.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
        None => "perturbations".to_owned(),
    };
    format!("{what} of {}", counted(file.layers.len(), "layer"))
}

/// How `kept` is not a state of the analysis of `fresh`, as far as the files tell.
fn difference(kept: &Sensitivity, fresh: &Sensitivity) -> Option<String> {
    let names = |s: &Sensitivity| -> Vec<_> {
        let layers = s.layers.iter();
        layers.map(|l| (l.layer.clone(), l.parameters)).collect()
    };
    if kept.fingerprint == fresh.fingerprint && names(kept) == names(fresh) {
        return None;
    }
    let mut found = Vec::new();
    for (section, kept, fresh) in sections(kept, fresh) {
        for (key, now) in &fresh {
            let before = kept.get(key).unwrap_or(&Value::Null);
            if before != now {
                found.push(format!("{section}{key} {before} there, {now} here"));
            }
        }
    }
    if found.is_empty() {
        found.push("other images, or another normalisation".to_owned());
    }
    Some(found.join("; "))
}

type Map = serde_json::Map<String, Value>;

fn sections(kept: &Sensitivity, fresh: &Sensitivity) -> [(&'static str, Map, Map); 3] {
    [
        ("model ", map(&kept.model), map(&fresh.model)),
        ("data ", map(&kept.data), map(&fresh.data)),
        ("", kept.settings.clone(), fresh.settings.clone()),
    ]
}

fn map(facts: &impl serde::Serialize) -> Map {
    match serde_json::to_value(facts) {
        Ok(Value::Object(map)) => map,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn state(tolerance: f64, fingerprint: &str) -> Sensitivity {
        let text = json!({
            "settings": {"tolerance": tolerance},
            "fingerprint": fingerprint,
            "data": {"name": "demo", "split": "train", "samples": 8},
            "layers": [{"layer": "conv1", "parameters": 9}],
        });
        serde_json::from_value(text).unwrap()
    }

    #[test]
    fn a_difference_names_what_is_not_the_same() {
        let kept = state(1e-3, "a");
        assert_eq!(difference(&kept, &state(1e-3, "a")), None);
        let found = difference(&kept, &state(1e-5, "b")).unwrap();
        assert_eq!(found, "tolerance 0.001 there, 0.00001 here");
        let found = difference(&kept, &state(1e-3, "b")).unwrap();
        assert_eq!(found, "other images, or another normalisation");
        let mut renamed = state(1e-3, "a");
        renamed.layers[0].layer = "conv2".into();
        assert!(difference(&renamed, &kept).is_some());
    }
}
