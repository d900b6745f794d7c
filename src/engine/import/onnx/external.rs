//! Numbers that lie in a file beside the ONNX file. Such a file is looked for in the folder of the
//! ONNX file and below it, nowhere else, and is never a link out of it.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Component, Path, PathBuf};

use super::proto::Property;
use crate::engine::error::said;
use crate::engine::files;
use crate::engine::import::source::Read;

/// Where the files beside an ONNX file are.
pub(super) struct Beside {
    folder: PathBuf,
}

/// Which bytes of which file.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    location: String,
    offset: u64,
    length: Option<u64>,
}

impl Beside {
    /// Those of this file.
    pub(super) fn new(file: &Path) -> Self {
        Self {
            folder: files::folder_of(file).to_owned(),
        }
    }

    /// The `bytes` bytes of a tensor; nothing else of its file is read.
    pub(super) fn bytes(&self, entries: &[Property], bytes: usize) -> Read<Vec<u8>> {
        let place = place(entries)?;
        let (location, expected) = (&*place.location, bytes as u64);
        if place.length.is_some_and(|length| length != expected) {
            let length = place.length.unwrap_or(0);
            return Err(format!(
                "{length} bytes are announced in {location}, expected {expected}; export the network again"
            ));
        }
        let path = self.inside(location)?;
        let size = files::regular(&path).map_err(|error| missing(location, &error.to_string()))?;
        let end = place.offset.saturating_add(expected);
        if end > size {
            return Err(format!(
                "{location} ends before byte {end} of its data ({size} bytes); copy it again, beside \
                 the network"
            ));
        }
        let mut read = vec![0; bytes];
        let part = File::open(&path).and_then(|mut file| {
            file.seek(SeekFrom::Start(place.offset))?;
            file.read_exact(&mut read)
        });
        part.map_err(|error| missing(location, &refused(&error)))?;
        Ok(read)
    }

    /// The file of this name in the folder, or below it.
    fn inside(&self, location: &str) -> Read<PathBuf> {
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
        let found = |path: &Path| {
            let real = path.canonicalize();
            real.map_err(|error| missing(location, &refused(&error)))
        };
        let real = found(&path)?;
        if real.starts_with(found(&self.folder)?) {
            Ok(real)
        } else {
            Err(outside())
        }
    }
}

fn missing(location: &str, reason: &str) -> String {
    format!("its data cannot be read from {location} ({reason}); put that file beside the network")
}

/// Why it is not read, without a next step of its own.
fn refused(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "it is not there".to_owned(),
        _ => said(error),
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
