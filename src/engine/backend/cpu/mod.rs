//! Our own float32 kernels for the CPU: the hot routines of the backend.
//!
//! Activations are NHWC, preallocated by the caller; weights come and go as in `PyTorch` (OIHW, and
//! `[out][in]` for linear layers). Every routine is serial and works on a chunk of images: the
//! executor above runs chunks on several threads. Scratch memory is passed in and reused. What is
//! per image does not depend on how images are split into chunks, bit for bit; weight gradients
//! are added image by image, in order.
//!
//! Each kernel is written once over the small set of operations in `vector`, and compiled for
//! AVX-512, for AVX2 with FMA, and for any processor; [`Isa`] says at run time which is used.
//!
//! Slices whose lengths do not fit are a bug of the caller and panic at once, before any work:
//! shapes were checked when the graph was built.
//!
//! [`Cpu`] puts them behind the [`Backend`](super::Backend) trait. This folder must not know of graphs,
//! layers or files.

#![allow(
    unsafe_code,
    reason = "vector instructions and unchecked inner loops; the only such folder"
)]
#![allow(
    clippy::inline_always,
    reason = "kernels must be inlined into the function that enables the instructions"
)]
#![cfg_attr(
    test,
    allow(clippy::float_cmp, reason = "many facts of these tests are exact")
)]

mod device;
mod isa;
mod rows;
mod scratch;
mod workspace;
#[macro_use]
mod vector;

pub mod activation;
pub mod convolution;
pub mod elementwise;
pub mod fake_quantize;
pub mod functions;
pub mod layout;
pub mod linear;
pub mod normalization;
pub mod outer;
pub mod peak;
pub mod pooling;

#[cfg(test)]
mod check;

pub use device::Cpu;
pub use isa::Isa;
pub use scratch::Scratch;
pub use workspace::{Array, Workspace};
