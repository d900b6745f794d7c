//! A network without its numbers, as runs and packed files keep it.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::Architecture;
use crate::engine::graph::{Graph, Shape};
use crate::engine::import::{Container, Normalization, Origin};
use crate::engine::text::{self, Wanted};
use crate::engine::{Error, Result, files};

/// Value of the `format` key.
const FORMAT: &str = "hawqeye/graph";
/// Value of the `version` key.
const VERSION: u32 = 1;
/// What its file is.
const WANTED: Wanted<'static> = Wanted {
    what: "the network of a run",
    next: "put back the network.json that the run was started with, or start a new run",
    limit: 256 << 20,
};

/// A network without its numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Structure {
    /// What it is called.
    pub name: String,
    /// Its graph.
    pub graph: Graph,
    /// What its file said of it; nothing for a preset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub imported: Option<Imported>,
}

/// What the file of a network said of it besides its graph and numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Imported {
    /// What kind of file it was.
    pub source: Container,
    /// The program that wrote it.
    pub exporter: String,
    /// What became of batch normalisation.
    pub normalization: Normalization,
    /// The softmax that was taken off the end: the operation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub softmax: Option<String>,
    /// By parameter: the tensor of the file that it comes from.
    pub origins: Vec<Option<Origin>>,
    /// Whole numbers of the file's state that no computation reads, by name: the batches that a
    /// normalisation has seen. They go back with the others.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub counters: BTreeMap<String, i64>,
}

/// A structure in a file of its own.
#[derive(Serialize, Deserialize)]
struct Document {
    format: String,
    version: u32,
    #[serde(flatten)]
    structure: Structure,
}

impl Structure {
    /// That of a preset.
    ///
    /// # Errors
    /// When no preset has this name, or it cannot read such images.
    pub fn preset(name: &str, image: Shape, classes: usize) -> Result<Self> {
        let graph = name.parse::<Architecture>()?.graph(image, classes)?;
        Ok(Self {
            name: name.to_owned(),
            graph,
            imported: None,
        })
    }

    /// The same without what only the way back into the original file needs.
    #[must_use]
    pub fn without_counters(&self) -> Self {
        let mut lean = self.clone();
        if let Some(imported) = &mut lean.imported {
            imported.counters.clear();
        }
        lean
    }

    /// Reads a file that [`write`](Self::write) wrote.
    ///
    /// # Errors
    /// When it cannot be read, or is not one.
    pub fn read(path: &Path) -> Result<Self> {
        let document: Document = text::read_json(path, &WANTED)?;
        if document.format != FORMAT || document.version != VERSION {
            let (format, version) = (&document.format, document.version);
            let got = format!("got {format:?} version {version} instead of {FORMAT:?} {VERSION}");
            return Err(WANTED.refused(path, &got));
        }
        let structure = document.structure;
        structure
            .check()
            .map_err(|reason| WANTED.refused(path, &reason))?;
        Ok(structure)
    }

    /// Writes it into a file of its own.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let document = Document {
            format: FORMAT.to_owned(),
            version: VERSION,
            structure: self.clone(),
        };
        let text = serde_json::to_string(&document);
        let text = text.map_err(|error| Error::format(path, error.to_string()))?;
        files::write_atomically(path, (text + "\n").as_bytes())
    }

    /// Refuses parts that do not belong together.
    pub(crate) fn check(&self) -> std::result::Result<(), String> {
        let parameters = self.graph.parameters().len();
        match &self.imported {
            Some(imported) if imported.origins.len() != parameters => Err(format!(
                "origins of {} parameters, but the network has {parameters}",
                imported.origins.len()
            )),
            Some(imported) => {
                let specs = self.graph.parameters().iter().zip(&imported.origins);
                let mut known = specs.filter_map(|(spec, origin)| Some((spec, origin.as_ref()?)));
                known.try_for_each(|(spec, origin)| origin.check(&spec.shape))
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_structure_survives_its_file_and_a_changed_one_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("network.json");
        let structure = Structure::preset("resnet20", Shape::map(3, 32, 32), 10).unwrap();
        structure.write(&path).unwrap();
        assert_eq!(Structure::read(&path).unwrap(), structure);
        let text = std::fs::read_to_string(&path).unwrap();
        let changed = text.replacen("\"channels\":16", "\"channels\":17", 1);
        std::fs::write(&path, changed).unwrap();
        let error = Structure::read(&path).unwrap_err().to_string();
        assert!(error.contains("network.json"), "{error}");
    }
}
