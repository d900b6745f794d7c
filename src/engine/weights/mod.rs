//! Weights files as named tensors: safetensors, and `PyTorch`'s zip and legacy files, recognised by
//! content. Pickles are parsed, never executed: a closed set of opcodes builds inert values, and
//! no name found in a file is ever called.
//!
//! Sizes, shapes and offsets are checked against the file's real size before memory is taken.
//! What a network needs of these tensors is the business of [`match_tensors`] and its caller.

mod element;
mod format;
mod matching;
mod pickle;
mod safetensors;
mod sets;
mod stored;
mod torch;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

pub use element::ElementType;
pub use matching::{Expected, Matched, match_tensors};
pub use safetensors::{
    Entry, damage, encode_safetensors, safetensors_header, serialize_safetensors, write_safetensors,
};

use crate::engine::files;
use crate::engine::{Error, Result};

/// The largest weights file that is read, in bytes.
const MAX_FILE_BYTES: u64 = 4 << 30;

/// A weights file, and which of the sets of weights in it are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source<'a> {
    /// The file.
    pub path: &'a Path,
    /// What the names of the set begin with, as in `--weights-key`; nothing when the file has one.
    pub key: Option<&'a str>,
}

impl Source<'_> {
    /// What tells these weights from others: the checksum of the file, and with a key one of both.
    #[must_use]
    pub fn identity(&self, sha256: &str) -> String {
        match self.key {
            None => sha256.to_owned(),
            Some(key) => files::sha256_hex(format!("{sha256} {key}").as_bytes()),
        }
    }
}

impl<'a> From<&'a Path> for Source<'a> {
    fn from(path: &'a Path) -> Self {
        Self { path, key: None }
    }
}

impl<'a> From<&'a PathBuf> for Source<'a> {
    fn from(path: &'a PathBuf) -> Self {
        Self::from(path.as_path())
    }
}

/// A tensor of a weights file, converted to float32.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedTensor {
    /// Path as in the weights file, with the keys around it: `state_dict.layer1.0.conv1.weight`.
    pub name: String,
    /// Extents, outermost first; empty for a scalar.
    pub shape: Vec<usize>,
    /// Values in row-major order.
    pub values: Vec<f32>,
}

/// A further name of a tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alias {
    /// The name.
    pub name: String,
    /// Place of the tensor in the file.
    pub tensor: usize,
}

/// Something in a file that only running code from it could rebuild.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hidden {
    /// Its name.
    pub name: String,
    /// A sentence about it.
    pub reason: String,
}

/// The tensors of a file.
#[derive(Debug, Clone, Default, PartialEq)]
struct Content {
    /// Each under its first name.
    tensors: Vec<NamedTensor>,
    aliases: Vec<Alias>,
    hidden: Vec<Hidden>,
    whole: Vec<String>,
}

/// Everything read from a weights file.
#[derive(Debug, Clone, PartialEq)]
pub struct WeightsFile {
    /// The tensors in file order.
    pub tensors: Vec<NamedTensor>,
    /// Further names of them.
    pub aliases: Vec<Alias>,
    /// What could not be read.
    pub hidden: Vec<Hidden>,
    /// Names of tensors that hold whole numbers in the file.
    pub whole: Vec<String>,
    /// SHA-256 of the file in lower-case hexadecimal.
    pub sha256: String,
}

impl WeightsFile {
    /// The tensor called `name`.
    #[must_use]
    pub fn tensor(&self, name: &str) -> Option<&NamedTensor> {
        self.tensors.iter().find(|tensor| tensor.name == name)
    }

    /// Every name in the file with its tensor, in file order but for further names, which come last.
    pub fn names(&self) -> impl Iterator<Item = (&str, &NamedTensor)> {
        let first = self
            .tensors
            .iter()
            .map(|tensor| (tensor.name.as_str(), tensor));
        let further = self
            .aliases
            .iter()
            .map(|alias| (alias.name.as_str(), &self.tensors[alias.tensor]));
        first.chain(further)
    }
}

/// Reads a weights file, whichever of the formats it has.
///
/// # Errors
/// [`Error::File`] when it cannot be read; [`Error::Format`] when it is none of the formats, is
/// damaged, or holds its weights in a way that only running code from the file could decode.
pub fn read(path: &Path) -> Result<WeightsFile> {
    let bytes = files::read_limited(path, MAX_FILE_BYTES)?;
    from_bytes(&bytes, path)
}

/// The content of a weights file, whichever of the formats it has; `path` is for messages.
///
/// # Errors
/// See [`read`].
pub fn from_bytes(bytes: &[u8], path: &Path) -> Result<WeightsFile> {
    let content = format::read(bytes)
        .and_then(checked)
        .map_err(|reason| Error::format(path, reason))?;
    Ok(WeightsFile {
        tensors: content.tensors,
        aliases: content.aliases,
        hidden: content.hidden,
        whole: content.whole,
        sha256: files::sha256_hex(bytes),
    })
}

/// Tensors in file order, or the reason why there are none as a sentence without the path.
type Parsed<T> = std::result::Result<T, String>;

/// Refuses two tensors of the same name, and a file without any.
fn checked(content: Content) -> Parsed<Content> {
    let mut seen = BTreeSet::new();
    let further = content.aliases.iter().map(|alias| &alias.name);
    let names = content.tensors.iter().map(|tensor| &tensor.name);
    for name in names.chain(further) {
        if !seen.insert(name) {
            return Err(format!(
                "two tensors are named {name}; save the weights again"
            ));
        }
    }
    if content.tensors.is_empty() {
        return Err("the file holds no tensor; save `model.state_dict()` into it".into());
    }
    Ok(content)
}

#[cfg(test)]
mod tests;
