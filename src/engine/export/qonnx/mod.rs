//! The QONNX format (arXiv 2206.07527): an ONNX file whose weights and activations pass through
//! `Quant` nodes of domain `qonnx.custom_op.general`.
//!
//! ```text
//! image (normalised, 1 x channels x rows x columns, float32)
//!   -> Quant -> Conv (weights through their own Quant) -> BatchNormalization -> Relu -> ...
//!   -> GlobalAveragePool -> Flatten -> Quant -> Gemm -> logits
//! ```
//! It holds floats: exact for other tools, not small. Batch normalisation stays a node of its own,
//! the zero point is 0, rounding is `ROUND` (half to even), weights and signed activations are
//! narrow. Mean and deviation of the normalisation are in the metadata.

mod read;
mod write;

pub use read::network;

use super::{Encoded, Request};
use crate::engine::import::onnx::proto;

/// Domain of the `Quant` nodes.
const DOMAIN: &str = "qonnx.custom_op.general";
/// Version of the ONNX operators.
const OPSET: i64 = 13;
/// The first version that has dilated average pooling.
const DILATED_MEANS: i64 = 19;
/// Version of the file format.
const IR_VERSION: i64 = 8;

pub(super) fn encoded<'a>(request: &Request<'a>) -> Encoded<'a> {
    Encoded {
        bytes: write::file(request.about, request.network),
        beside: None,
        read: Box::new(read::network),
    }
}
