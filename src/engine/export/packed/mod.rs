//! The packed format: a safetensors file that is really small.
//!
//! One tensor of type `U8` for each layer, named like the layer, whose bytes are
//!
//! | part | bytes | content |
//! |---|---|---|
//! | weights | `ceil(n * b / 8)` | codes of `b` = 2..8 bits in the order `out, in, row, column`, dense, least significant bit first, two's complement; `4 n` bytes of float32 when `b` is 32 |
//! | weight step | 8 | float64; 1 when `b` is 32; or, where the metadata say `weight-steps` `channel` and `b` is not 32, `4 * out`: float32, one per output channel |
//! | activation step | 8 | float64; 0 when the activation that is read is not quantized |
//! | scale | `4 * out` | float32, one per output channel |
//! | bias | `4 * out` | float32, one per output channel |
//!
//! all little-endian. With batch normalisation folded in, a layer computes
//! `y_c = scale_c * sum(weight step_c * code * x) + bias_c` from its activation `x`, which is first
//! moved to
//! `clamp(round_half_even(x / step), low, high) * step`: `0 ..= 2^b - 1` where it cannot be negative,
//! `-(2^(b-1) - 1) ..= 2^(b-1) - 1` elsewhere.
//!
//! The metadata hold `format` (`hawqeye/packed`), `version` (`1`; `2` where the last tensor below is
//! there), `model` (the architecture, which
//! says how layers are connected), `image` (channels, rows, columns), `classes`, `data`, `mean` and
//! `std` of the normalisation, `bits`: `weights/activations` of every layer, in the order of the
//! tensors, and `hawqeye/sha256`: the SHA-256 of the file's bytes with its own 64 digits taken as
//! zeros. Files of older programs lack the last.
//!
//! A network that is no preset has its graph in one more tensor, `hawqeye/network`: zlib-compressed JSON.
//! Where operations besides layers have parameters that cannot be folded into one (normalisation in
//! front of a layer or behind a sum, scales, trained slopes), a tensor `hawqeye/parameters` holds them
//! as float32, in the order of the graph's nodes; of normalisation gamma, beta, mean and variance, as
//! far as it has them.

mod decode;
mod embedded;
mod entry;
mod envelope;
mod extent;
mod further;
mod packing;

use std::path::Path;

use super::folded::fold;
use super::{About, Encoded, Request};
use crate::engine::graph::{Graph, Parameters};
use crate::engine::model::Envelope;
use crate::engine::model::weights::{ElementType, Entry, serialize_safetensors};
use crate::engine::plan::{LayerFacts, Plan};
use crate::engine::quant::LayerBits;
use crate::engine::{Error, Result, files, seal};

pub(super) use envelope::{of as envelope, usual};
#[cfg(test)]
pub(super) use extent::bits_of;

/// Value of the `format` key.
const FORMAT: &str = "hawqeye/packed";
/// Value of the `version` key where parameters besides those of layers are held.
const VERSION: &str = "2";
/// Value of the `version` key elsewhere, which older programs read too.
const OLDER: &str = "1";
/// Largest file that is read.
const LIMIT: u64 = 1 << 30;
/// Key of the metadata for step sizes per channel, and its value.
const WEIGHT_STEPS: (&str, &str) = ("weight-steps", "channel");

/// What a byte is multiplied by, where that is not 1/255.
pub(super) const PIXEL_SCALE: &str = "pixel-scale";
/// How pictures are resized, cut and turned, as JSON, where anything is done.
pub(super) const PREPROCESSING: &str = "preprocessing";

/// Every key of the metadata.
const KEYS: [&str; 13] = [
    "format",
    "version",
    "model",
    "data",
    "image",
    "classes",
    "mean",
    "std",
    PIXEL_SCALE,
    PREPROCESSING,
    "bits",
    WEIGHT_STEPS.0,
    seal::KEY,
];

/// A network read from a packed file.
#[derive(Debug, Clone, PartialEq)]
pub struct Packed {
    /// What it is.
    pub about: About,
    /// Bits of every layer.
    pub bits: Vec<LayerBits>,
    /// Its graph, with fake quantization of activations.
    pub graph: Graph,
    /// Its parameters; weights lie on their grids.
    pub parameters: Parameters,
}

/// Size of the packed file of a plan, in bytes. Nothing when the shape of a layer is not known.
pub(super) fn size(facts: &[LayerFacts], plan: &Plan, envelope: &Envelope) -> Option<u64> {
    let layers = extent::of_plan(facts, plan)?;
    // Layers of one name would be refused long before there is a file.
    envelope::size(envelope, &layers).ok()
}

pub(super) fn encoded<'a>(request: &Request<'a>) -> Result<Encoded<'a>> {
    let network = request.network;
    let extents = extent::of_network(network);
    let folded = fold(network);
    let layers = folded.iter().zip(&extents);
    let mut blobs: Vec<(&str, Vec<u8>)> = layers
        .map(|(layer, extent)| (&*layer.name, entry::encode(layer, extent)))
        .collect();
    if let Some(structure) = &request.about.structure {
        blobs.push((embedded::NAME, embedded::encode(structure)));
    }
    let further = further::encode(&network.graph, &network.parameters);
    if !further.is_empty() {
        blobs.push((further::NAME, further));
    }
    let shapes: Vec<[usize; 1]> = blobs.iter().map(|(_, blob)| [blob.len()]).collect();
    let entries: Vec<Entry> = blobs
        .iter()
        .zip(&shapes)
        .map(|((name, bytes), shape)| Entry {
            name,
            element: ElementType::U8,
            shape,
            bytes,
        })
        .collect();
    let envelope = envelope::of(request.about, &network.graph);
    let metadata = envelope::metadata(&envelope, &extents);
    let mut bytes = serialize_safetensors(&entries, &metadata)?;
    seal::seal(&mut bytes);
    Ok(Encoded {
        bytes,
        beside: None,
        read: Box::new(|path| read(path).map(|packed| (packed.graph, packed.parameters))),
    })
}

/// Reads a packed file.
///
/// # Errors
/// When it cannot be read, is no packed file, or does not hold what its metadata promise.
pub fn read(path: &Path) -> Result<Packed> {
    let bytes = files::read_limited(path, LIMIT)?;
    let whole = seal::check(&bytes, seal::safetensors_header(&bytes));
    let whole = whole.and_then(|()| decode::decode(&bytes));
    whole.map_err(|reason| Error::format(path, reason))
}
