//! Numbers that lie in a file beside the ONNX file. Such a file is looked for in the folder of the
//! ONNX file and below it, nowhere else, and is never a link out of it.

use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};

use super::proto::Property;
use crate::engine::files;
use crate::engine::import::source::Read;

/// Largest file beside the network that is read, in bytes.
const LIMIT: u64 = 16 << 30;

/// The files beside an ONNX file that were read so far.
pub(super) struct Beside {
    folder: PathBuf,
    contents: HashMap<String, Vec<u8>>,
}

/// Which bytes of which file.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    location: String,
    offset: u64,
    length: Option<u64>,
}

impl Beside {
    /// Nothing is read yet.
    pub(super) fn new(file: &Path) -> Self {
        Self {
            folder: files::folder_of(file).to_owned(),
            contents: HashMap::new(),
        }
    }

    /// The `bytes` bytes of a tensor.
    pub(super) fn bytes(&mut self, entries: &[Property], bytes: usize) -> Read<&[u8]> {
        let place = place(entries)?;
        let expected = bytes as u64;
        if place.length.is_some_and(|length| length != expected) {
            let length = place.length.unwrap_or(0);
            return Err(format!(
                "{length} bytes are announced in {}, expected {expected}; export the network again",
                place.location
            ));
        }
        if !self.contents.contains_key(&place.location) {
            let content = self.read(&place.location)?;
            self.contents.insert(place.location.clone(), content);
        }
        let content = &self.contents[&place.location];
        let end = place.offset.checked_add(expected);
        let range = end.and_then(|end| content.get(place.offset as usize..end as usize));
        range.ok_or_else(|| {
            format!(
                "{} ends before byte {} of its data ({} bytes); copy it again, beside the network",
                place.location,
                place.offset.saturating_add(expected),
                content.len()
            )
        })
    }

    fn read(&self, location: &str) -> Read<Vec<u8>> {
        let relative = Path::new(location);
        let inside = relative
            .components()
            .all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        let outside = || {
            format!(
                "its data are in {location:?}, outside of the network's folder; expected a file \
                 beside the network, export it again with the data in one folder"
            )
        };
        if !inside || location.is_empty() || location.contains(['\\', '\0']) {
            return Err(outside());
        }
        let path = self.folder.join(relative);
        let missing = |error: &dyn std::fmt::Display| {
            format!(
                "its data cannot be read from {location} ({error}); put that file beside the network"
            )
        };
        let real = path.canonicalize().map_err(|error| missing(&error))?;
        let folder = self
            .folder
            .canonicalize()
            .map_err(|error| missing(&error))?;
        if !real.starts_with(&folder) {
            return Err(outside());
        }
        files::read_limited(&real, LIMIT).map_err(|error| missing(&error))
    }
}

fn place(entries: &[Property]) -> Read<Place> {
    let entry = |key: &str| entries.iter().find(|entry| entry.key == key);
    let number = |key: &str| match entry(key) {
        None => Ok(None),
        Some(entry) => entry.value.parse::<u64>().map(Some).map_err(|_| {
            format!(
                "the {key} of its data is {:?}: expected a whole number; export the network again",
                entry.value
            )
        }),
    };
    let location = entry("location").ok_or("its data are in no file; export the network again")?;
    Ok(Place {
        location: location.value.clone(),
        offset: number("offset")?.unwrap_or(0),
        length: number("length")?,
    })
}
