//! What a report is asked for: the folder of a project or of a run, or a project by name.

use std::path::{Path, PathBuf};

use crate::engine::finetune::{holds_run, lost_settings, read_record};
use crate::engine::{Error, Result};
use crate::project;

/// What a folder holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A project of the terminal application.
    Project,
    /// A run, as `tune` writes it.
    Run,
}

/// Where a report comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// What it is.
    pub kind: Kind,
    /// Its folder.
    pub folder: PathBuf,
    /// The folder's own name.
    pub name: String,
}

impl Source {
    /// Finds what `asked` names: a folder first, else a project below the user's data folder.
    ///
    /// # Errors
    /// One sentence when it is neither.
    pub fn find(asked: &Path, data: Option<&Path>) -> Result<Self> {
        if lost_settings(asked) {
            // Says what to do.
            read_record(asked)?;
        }
        if let Some(found) = Self::at(asked) {
            return Ok(found);
        }
        let name = asked.to_str().filter(|name| project::is_name(name));
        let named = name
            .zip(data)
            .map(|(name, data)| project::folder(data, name));
        if let Some(found) = named.and_then(|folder| Self::at(&folder)) {
            return Ok(found);
        }
        Err(Error::invalid(refusal(asked, data)))
    }

    fn at(folder: &Path) -> Option<Self> {
        let kind = match folder {
            run if holds_run(run) => Kind::Run,
            other if other.is_dir() && project::holds_project(other) => Kind::Project,
            _ => return None,
        };
        Some(Self {
            kind,
            folder: folder.to_owned(),
            name: own_name(folder),
        })
    }
}

/// The name of a folder, also of `.`.
fn own_name(folder: &Path) -> String {
    let full = folder.canonicalize();
    let full = full.as_deref().unwrap_or(folder);
    let name = full.file_name().unwrap_or(full.as_os_str());
    name.to_string_lossy().into_owned()
}

/// What was expected, what came, and the next step.
fn refusal(asked: &Path, data: Option<&Path>) -> String {
    let shown = asked.display();
    let came = match asked {
        folder if folder.is_dir() => format!("{shown} holds neither a project nor a run"),
        file if file.exists() => format!("{shown} is a file"),
        _ => format!("there is no folder and no project {shown}"),
    };
    let known = data.map(known).unwrap_or_default();
    let known = match known.as_slice() {
        [] => "no project is here yet".to_owned(),
        names => format!("the projects are {}", names.join(", ")),
    };
    format!("{came}; name a project, or a folder that `hawqeye tune -o` wrote ({known})")
}

/// The names of the user's projects.
fn known(data: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(data.join("projects"));
    let folders = entries.into_iter().flatten().flatten();
    let mut names: Vec<String> = folders
        .filter(|entry| project::holds_project(&entry.path()))
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_is_found_by_folder_and_by_name() {
        let data = tempfile::tempdir().unwrap();
        let folder = project::folder(data.path(), "mine");
        std::fs::create_dir_all(folder.join("runs")).unwrap();
        let found = Source::find(&folder, None).unwrap();
        assert_eq!((found.kind, found.name.as_str()), (Kind::Project, "mine"));
        let named = Source::find(Path::new("mine"), Some(data.path())).unwrap();
        assert_eq!(named, found);
    }

    #[test]
    fn what_is_neither_is_said_with_what_there_is() {
        let data = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(project::folder(data.path(), "mine").join("runs")).unwrap();
        let refused = |asked: &Path| {
            let found = Source::find(asked, Some(data.path()));
            found.unwrap_err().to_string()
        };
        let none = refused(Path::new("yours"));
        assert!(
            none.contains("no project yours") && none.contains("are mine"),
            "{none}"
        );
        let empty = tempfile::tempdir().unwrap();
        assert!(refused(empty.path()).contains("neither a project nor a run"));
        let file = empty.path().join("s.json");
        std::fs::write(&file, "{}").unwrap();
        assert!(refused(&file).contains("is a file"));
    }
}
