//! ONNX files, of any exporter, opset 9 to 25.

mod external;
pub mod proto;
mod read;
mod tensor;

pub(crate) use read::read;
