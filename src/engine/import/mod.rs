//! Networks from files: `.onnx` of any exporter, and `.pt2` of `torch.export.save`.
//!
//! ```text
//! file -> onnx/read.rs | pt2/          values by name, nodes, constants     source.rs
//!      -> translate/ (table.rs)        constants evaluated (evaluate/),     call.rs
//!                                      layouts as tags                      view.rs
//!      -> Network                      few plain operations, parameters
//!                                      with their origin, one list of       lowered.rs
//!                                      everything that is refused
//! ```
//! What a batch of images was written for is ignored: everything here is about one image.

#![allow(
    clippy::float_cmp,
    clippy::unnecessary_wraps,
    reason = "ones and zeros are exact; parsers share a type"
)]

mod call;
pub mod document;
mod evaluate;
mod lower;
mod lowered;
mod names;
pub(crate) mod onnx;
mod origin;
mod pt2;
mod source;
mod tensor;
#[cfg(test)]
mod tests;
mod translate;
mod view;

use std::path::Path;

pub use lower::Lowered;
pub use lowered::{
    Axis, Form, Layout, Network, Normalization, Operation, Output, Parameter, ParameterId, Refused,
    Step, Window,
};
pub use origin::{Origin, Restored, Turn, Values};
pub use source::Container;
pub use translate::{Supported, supported};

use super::{Error, Result, files};

/// Largest file that is read, in bytes; weights may lie in others beside it.
const LIMIT: u64 = 4 << 30;
/// How zip files begin.
const ZIP: &[u8] = b"PK";

/// What a file leaves open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options {
    /// Rows and columns of the image, where the file does not say.
    pub size: Option<[usize; 2]>,
}

/// The network of a `.onnx` or `.pt2` file, which are told apart by their content. Operations that are
/// not supported are no error: they are listed in [`Network::refused`].
///
/// # Errors
/// [`Error::File`] when it cannot be read, [`Error::Format`] when it is neither, or is damaged.
pub fn read(path: &Path, options: Options) -> Result<Network> {
    let bytes = files::read_limited(path, LIMIT)?;
    let sha256 = files::sha256_hex(&bytes);
    let is_pt2 = path.extension().is_some_and(|ending| ending == "pt2");
    let graph = if bytes.starts_with(ZIP) {
        pt2::read(&bytes)
    } else if is_pt2 {
        Err(
            "expected a .pt2 file as torch.export.save writes it, which is a zip archive; it is \
             another file, or damaged: export the network again"
                .to_owned(),
        )
    } else {
        onnx::read(&bytes, path)
    };
    drop(bytes);
    let network = graph
        .and_then(source::ordered)
        .and_then(|graph| translate::network(&graph, options));
    let mut network = network.map_err(|reason| Error::format(path, reason))?;
    network.sha256 = sha256;
    Ok(network)
}
