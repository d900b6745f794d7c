//! Walks over a graph: forward, tangent and backward, each one loop over the rules that the
//! operations bring along.
//!
//! A walk works on one [`Chunk`] of images. Callers run chunks in parallel and reduce their results
//! in chunk order.

pub mod batch_step;
pub mod loss;
mod program;

pub use program::{Chunk, Program, Workspaces, trainable, wanted};
