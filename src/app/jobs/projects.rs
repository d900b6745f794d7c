//! The projects there are, for the window that chooses one.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::app::worker;
use crate::engine::presence;
use crate::project::{InputFile, holds_project, is_name};

/// A project in the data folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundProject {
    /// Its name.
    pub name: String,
    /// Its model; empty when it cannot be read.
    pub model: String,
    /// Its data; empty when they cannot be read.
    pub data: String,
    /// How long ago it was used.
    pub age: Option<Duration>,
    /// Who has it.
    pub held: Held,
}

/// Who has a project.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// This application.
    Here,
    /// Another one.
    Elsewhere,
    /// A worker that goes on alone.
    ByWorker,
    /// Nobody.
    Free,
}

/// The projects in a folder, the one used last first; `own` is the one that is open here.
pub(super) fn find(folder: &Path, own: &str) -> Vec<FoundProject> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let named = entries.filter_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        (is_name(&name) && holds_project(&entry.path())).then(|| (name, entry.path()))
    });
    let mut found: Vec<FoundProject> = named
        .map(|(name, path)| describe(name, &path, own))
        .collect();
    found.sort_by_key(|project| (project.age.unwrap_or(Duration::MAX), project.name.clone()));
    found
}

fn describe(name: String, path: &Path, own: &str) -> FoundProject {
    let inputs = InputFile::read(&path.join("inputs.toml")).unwrap_or_default();
    let held = if name == own {
        Held::Here
    } else if presence::look(path).is_some() {
        Held::Elsewhere
    } else if worker::works_on(path) {
        Held::ByWorker
    } else {
        Held::Free
    };
    FoundProject {
        age: age(path),
        model: inputs.model_name(),
        data: inputs.data,
        held,
        name,
    }
}

/// Since the last session, or whatever was written last.
fn age(path: &Path) -> Option<Duration> {
    let times = ["session.toml", "plan.toml", "hawqeye.log"].map(|name| {
        let found = fs::metadata(path.join(name)).ok()?;
        found.modified().ok()
    });
    let last = times.into_iter().flatten().max()?;
    Some(SystemTime::now().duration_since(last).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::project::Project;

    #[test]
    fn projects_are_found_with_what_they_hold_and_who_has_them() {
        let folder = tempfile::tempdir().unwrap();
        let make = |name: &str| {
            let project = Project::open(&folder.path().join(name));
            let inputs = InputFile {
                model: "resnet20".into(),
                data: "demo".into(),
                ..InputFile::default()
            };
            project.save_inputs(&inputs).unwrap();
            project
        };
        let (_own, _other) = (make("own"), make("other"));
        drop(make("free"));
        fs::create_dir(folder.path().join("no project")).unwrap();
        fs::create_dir(folder.path().join("empty")).unwrap();
        let mut found = find(folder.path(), "own");
        found.sort_by(|a, b| a.name.cmp(&b.name));
        let held: Vec<(&str, Held)> = found.iter().map(|p| (&*p.name, p.held)).collect();
        let expected = [
            ("free", Held::Free),
            ("other", Held::Elsewhere),
            ("own", Held::Here),
        ];
        assert_eq!(held, expected);
        assert_eq!((&*found[0].model, &*found[0].data), ("resnet20", "demo"));
        assert!(find(&folder.path().join("nowhere"), "own").is_empty());
    }
}
