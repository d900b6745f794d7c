//! What lies in folders, in an order that does not depend on the disk.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::engine::data::picture::EXTENSIONS;
use crate::engine::{Error, Result};

/// The deepest folder below a class.
const DEEPEST: usize = 16;

/// A name in a folder.
struct Entry {
    name: String,
    is_folder: bool,
}

/// The names in a folder that are no hidden ones, sorted.
fn entries(folder: &Path) -> Result<Vec<Entry>> {
    let failed = |source| Error::file("read", folder, source);
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        if !name.starts_with('.') {
            // Links are followed.
            let is_folder = match entry.file_type() {
                Ok(kind) if !kind.is_symlink() => kind.is_dir(),
                _ => entry.path().is_dir(),
            };
            found.push(Entry { name, is_folder });
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

/// The folders in a folder.
pub(super) fn folders(folder: &Path) -> Result<Vec<String>> {
    let entries = entries(folder)?.into_iter().filter(|entry| entry.is_folder);
    Ok(entries.map(|entry| entry.name).collect())
}

/// Whether a name is that of a picture.
fn is_picture(name: &str) -> bool {
    let end = Path::new(name).extension();
    let end = end.map(|end| end.to_string_lossy().to_ascii_lowercase());
    end.is_some_and(|end| EXTENSIONS.contains(&end.as_str()))
}

/// The folders of a set that were read, so that no link leads to one again, or around it.
#[derive(Debug, Default)]
pub(super) struct Seen {
    root: Option<PathBuf>,
    folders: HashMap<PathBuf, PathBuf>,
}

impl Seen {
    /// Nothing but the root, whose folders are read one by one.
    pub fn of(root: &Path) -> Self {
        let place = canonical(root);
        Self {
            folders: HashMap::from([(place.clone(), root.to_owned())]),
            root: Some(place),
        }
    }

    /// Refuses a folder that leads to one that was read, or that holds the whole set.
    fn enter(&mut self, folder: &Path) -> Result<()> {
        let place = canonical(folder);
        let around = self.root.clone().filter(|root| root.starts_with(&place));
        let before = self.folders.insert(place, folder.to_owned());
        let Some(there) = before.or(around) else {
            return Ok(());
        };
        Err(Error::invalid(format!(
            "{} leads to {} again, whose pictures would be taken twice: remove that link",
            folder.display(),
            there.display()
        )))
    }
}

fn canonical(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

/// The pictures in a folder and below it: folder by folder in the order of their paths.
pub(super) fn pictures(folder: &Path, seen: &mut Seen) -> Result<Vec<PathBuf>> {
    seen.enter(folder)?;
    let mut all = vec![folder.to_owned()];
    let (mut level, mut depth) = (all.clone(), 0);
    while !level.is_empty() && depth < DEEPEST {
        let mut next = Vec::new();
        for at in &level {
            next.extend(folders(at)?.into_iter().map(|name| at.join(name)));
        }
        for at in &next {
            seen.enter(at)?;
        }
        all.extend(next.iter().cloned());
        (level, depth) = (next, depth + 1);
    }
    all.sort_by(|a, b| a.as_os_str().cmp(b.as_os_str()));
    let mut found = Vec::new();
    for at in all {
        let files = entries(&at)?.into_iter().filter(|entry| !entry.is_folder);
        let files = files.filter(|file| is_picture(&file.name));
        found.extend(files.map(|file| at.join(file.name)));
    }
    Ok(found)
}

/// A folder has no pictures, or none in folders of classes.
pub(super) fn none(folder: &Path) -> Error {
    let lying = entries(folder).is_ok_and(|entries| {
        let mut files = entries.iter().filter(|entry| !entry.is_folder);
        files.any(|file| is_picture(&file.name))
    });
    let reason = if lying {
        "pictures lie in it without a folder for each class; make these folders, or give their \
         labels with --labels FILE.csv"
            .to_owned()
    } else {
        format!(
            "no picture in it; expected a folder for each class with pictures ({})",
            EXTENSIONS.join(", ")
        )
    };
    Error::format(folder, reason)
}
