//! Weights files as named tensors: safetensors, and `PyTorch`'s zip and legacy files, recognised by
//! content. Pickles are parsed, never executed: a closed set of opcodes builds inert values, and
//! no name found in a file is ever called.
//!
//! Sizes, shapes and offsets are checked against the file's real size before memory is taken.
//! What a network needs of these tensors is the business of [`match_tensors`] and its caller.

mod element;
mod matching;
mod pickle;
mod safetensors;
mod torch;

use std::collections::BTreeSet;
use std::path::Path;

pub use element::ElementType;
pub use matching::{Expected, match_tensors};
pub use safetensors::{
    Entry, encode_safetensors, safetensors_header, serialize_safetensors, write_safetensors,
};

use crate::engine::files;
use crate::engine::{Error, Result};

/// The largest weights file that is read, in bytes.
const MAX_FILE_BYTES: u64 = 4 << 30;
/// Written before every name by `torch.nn.DataParallel`.
const PARALLEL_PREFIX: &str = "module.";

/// A tensor of a weights file, converted to float32.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedTensor {
    /// Path as in the weights file, without a leading `module.`: `layer1.0.conv1.weight`.
    pub name: String,
    /// Extents, outermost first; empty for a scalar.
    pub shape: Vec<usize>,
    /// Values in row-major order.
    pub values: Vec<f32>,
}

/// Everything read from a weights file.
#[derive(Debug, Clone, PartialEq)]
pub struct WeightsFile {
    /// The tensors in file order.
    pub tensors: Vec<NamedTensor>,
    /// SHA-256 of the file in lower-case hexadecimal.
    pub sha256: String,
}

impl WeightsFile {
    /// The tensor called `name`.
    #[must_use]
    pub fn tensor(&self, name: &str) -> Option<&NamedTensor> {
        self.tensors.iter().find(|tensor| tensor.name == name)
    }

    /// The first tensor, in file order, that holds a NaN or an infinity.
    #[must_use]
    pub fn first_not_finite(&self) -> Option<&str> {
        let broken = |tensor: &&NamedTensor| tensor.values.iter().any(|value| !value.is_finite());
        self.tensors
            .iter()
            .find(broken)
            .map(|tensor| tensor.name.as_str())
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
    let tensors = parse(bytes).map_err(|reason| Error::format(path, reason))?;
    let tensors = without_prefix(tensors).map_err(|reason| Error::format(path, reason))?;
    Ok(WeightsFile {
        tensors,
        sha256: files::sha256_hex(bytes),
    })
}

/// Tensors in file order, or the reason why there are none as a sentence without the path.
type Parsed<T> = std::result::Result<T, String>;

fn parse(bytes: &[u8]) -> Parsed<Vec<NamedTensor>> {
    if bytes.is_empty() {
        return Err("the file is empty; download or save it again".into());
    }
    if bytes.starts_with(b"PK\x03\x04") {
        torch::read_zip(bytes)
    } else if bytes.first() == Some(&0x80) {
        torch::read_legacy(bytes)
    } else if bytes.get(8) == Some(&b'{') {
        safetensors::parse(bytes)
    } else if bytes.starts_with(b"version https://git-lfs") {
        Err("this is a Git LFS pointer, not the weights; run `git lfs pull` first".into())
    } else {
        Err(
            "expected safetensors or a PyTorch file (.pth, .th, .pkl), but the content is \
             neither; check the path, or save the weights again"
                .into(),
        )
    }
}

/// Drops a leading `module.` of each name; two tensors of the same name are an error.
fn without_prefix(mut tensors: Vec<NamedTensor>) -> Parsed<Vec<NamedTensor>> {
    let mut seen = BTreeSet::new();
    for tensor in &mut tensors {
        if let Some(rest) = tensor.name.strip_prefix(PARALLEL_PREFIX) {
            tensor.name = rest.to_owned();
        }
        if !seen.insert(tensor.name.clone()) {
            let name = &tensor.name;
            return Err(format!(
                "two tensors are named {name}; save the weights again"
            ));
        }
    }
    if tensors.is_empty() {
        return Err("the file holds no tensor; save `model.state_dict()` into it".into());
    }
    Ok(tensors)
}

#[cfg(test)]
mod tests;
