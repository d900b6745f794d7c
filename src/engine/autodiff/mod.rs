//! Walks over a graph: forward, tangent and backward, each one loop over the rules that the
//! operations bring along.
//!
//! A walk works on one [`Chunk`] of images. Callers run chunks in parallel and reduce their results
//! in chunk order.

pub mod batch_step;
mod fusion;
pub mod loss;
pub mod overflow;
mod program;
mod turns;

use std::ops::Range;

pub use program::{Chunk, Program, Workspaces, kept, trainable, wanted};
pub use turns::{beside_training, in_turns};

/// `0..total` in consecutive ranges of `chunk`, the last one shorter.
#[must_use]
pub fn chunk_ranges(total: usize, chunk: usize) -> Vec<Range<usize>> {
    (0..total)
        .step_by(chunk.max(1))
        .map(|start| start..(start + chunk).min(total))
        .collect()
}
