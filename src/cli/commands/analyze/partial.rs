//! The state of an interrupted analysis: `FILE.partial`, a sensitivity file whose missing numbers
//! are still to be measured, guarded by its fingerprint.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::cli::failure::Failure;
use crate::cli::report::Reporter;
use crate::engine::Result;
use crate::engine::hessian::sensitivity::Sensitivity;

/// Where the state is kept, if anywhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partial {
    output: Option<PathBuf>,
    path: Option<PathBuf>,
}

/// What an analysis starts from.
#[derive(Debug)]
pub enum Found {
    /// Nothing measured yet, or what was measured before.
    State(Box<Sensitivity>),
    /// The result is already there.
    Complete,
}

impl Partial {
    /// The state of the analysis that writes to `output`; pipes and devices have none.
    #[must_use]
    pub fn of(output: Option<&Path>) -> Self {
        let special = |path: &&Path| fs::metadata(path).is_ok_and(|found| !found.is_file());
        let output = output.filter(|path| !special(path));
        Self {
            output: output.map(Path::to_owned),
            path: output.map(Sensitivity::unfinished),
        }
    }

    /// The file, if there is one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Keeps what is measured.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self, state: &Sensitivity) -> Result<()> {
        self.path.as_ref().map_or(Ok(()), |path| state.write(path))
    }

    /// Forgets it; the result is written.
    pub fn remove(&self) {
        if let Some(path) = &self.path {
            // A state that stays behind is guarded by its fingerprint.
            let _ = fs::remove_file(path);
        }
    }

    /// `fresh`, or the state that was kept when it is to be resumed.
    ///
    /// # Errors
    /// When the state cannot be read, or is that of another analysis.
    pub fn find(
        &self,
        fresh: Sensitivity,
        resume: bool,
        reporter: &mut Reporter,
    ) -> std::result::Result<Found, Failure> {
        let Some(path) = self.path.as_ref().filter(|path| path.exists()) else {
            return Ok(self.without_state(fresh, resume, reporter));
        };
        let shown = path.display();
        if !resume {
            reporter.warn(format!(
                "{shown} is from an interrupted analysis and is replaced; --resume would go on \
                 with it"
            ));
            return Ok(Found::State(Box::new(fresh)));
        }
        let kept = Sensitivity::read(path)?;
        if let Some(difference) = difference(&kept, &fresh) {
            return Err(Failure::failed(format!(
                "{shown} is from another analysis ({difference}); repeat its settings, or start \
                 anew without --resume"
            )));
        }
        Ok(Found::State(Box::new(kept)))
    }

    fn without_state(&self, fresh: Sensitivity, resume: bool, reporter: &mut Reporter) -> Found {
        let (Some(output), true) = (&self.output, resume) else {
            return Found::State(Box::new(fresh));
        };
        let shown = output.display();
        let done =
            Sensitivity::read(output).is_ok_and(|done| done.fingerprint == fresh.fingerprint);
        if done {
            reporter.note(&format!("{shown} is already complete"));
            return Found::Complete;
        }
        reporter.warn(format!(
            "there is no interrupted analysis beside {shown}; starting from the beginning"
        ));
        Found::State(Box::new(fresh))
    }
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
