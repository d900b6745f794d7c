//! Imported networks against an independent runtime of ONNX files: small files, made here, that hold every
//! operation and setting that is supported and the habits of exporters, on random images, in float64 on plain
//! tensor operations and on the CPU's kernels. What the runtime cannot read is judged by a twin, a file that says
//! the same in words that it knows, or by a float64 loop; `compare.rs` has the three.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test")]

mod compare;
mod constants;
mod coverage;
mod elementwise;
mod expect;
mod exporters;
mod layers;
mod loops;
mod onnx;
mod originals;
mod pooling;
mod quant;
mod random;
mod refusals;
mod shapes;
