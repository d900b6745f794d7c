//! Chunks of images side by side: as many at a time as the memory of the device allows.

use rayon::prelude::*;

use crate::engine::backend::{Backend, Memory};
use crate::engine::counts::counted;
use crate::engine::graph::operations::rules::{Lifetimes, Purpose};
use crate::engine::graph::{Graph, NodeId};
use crate::engine::{Error, Result};

/// Bytes of the program itself, from experience.
const PROGRAM: u64 = 48 << 20;
/// Bytes that kernels work in beside the wires, for a chunk.
const SCRATCH: u64 = 8 << 20;
/// Bytes of a parameter: as it was read, and as the device arranges it.
const PARAMETER: u64 = 16;
/// Bytes of a number of an image on its way to the device: as decoded, and in float64.
const LOADED: u64 = 12;

/// What walks of a network need of memory, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Need {
    /// The program and the parameters.
    pub base: u64,
    /// One chunk of images at most.
    pub chunk: u64,
}

impl Need {
    /// Of a network that is walked for `purpose` in chunks of `images` images.
    #[must_use]
    pub fn of<B: Backend>(
        graph: &Graph,
        backend: &B,
        lifetimes: &Lifetimes,
        purpose: Purpose,
    ) -> Self {
        let (images, number) = (backend.chunk() as u64, backend.bytes_per_number() as u64);
        let parameters = graph.parameters().iter().map(|spec| spec.elements() as u64);
        let parameters = parameters.sum::<u64>();
        // Gradients of the kept wires come and go beside them.
        let walks = match purpose {
            Purpose::Evaluate | Purpose::Distill => 1,
            Purpose::Analyse => 2,
            // And what the quantizers make of them.
            Purpose::Train => 3,
        };
        let wires = walks * number * peak(graph, lifetimes);
        let image = LOADED * graph.input_shape().elements() as u64;
        // In training every chunk sums its own gradients, and the optimizer remembers some.
        let gradients = if purpose == Purpose::Train {
            (number + 8) * parameters
        } else {
            0
        };
        Self {
            base: PROGRAM + PARAMETER * parameters,
            chunk: SCRATCH + gradients + images.saturating_mul(wires.saturating_add(image)),
        }
    }

    /// Chunks that are walked at the same time.
    ///
    /// # Errors
    /// When not even one fits.
    pub fn at_once(self, memory: Memory) -> Result<usize> {
        let Some(bound) = memory.bound() else {
            return Ok(usize::MAX);
        };
        let left = bound.saturating_sub(self.base);
        match left / self.chunk.max(1) {
            0 => Err(Error::invalid(format!(
                "expected at least {} of memory for this network and one chunk of images, got {}; give \
                 more with --memory",
                mebibytes(self.base + self.chunk),
                mebibytes(bound)
            ))),
            fit => Ok(usize::try_from(fit).unwrap_or(usize::MAX)),
        }
    }
}

/// Refuses batches that do not fit into the memory of a device: they are trained on as a whole.
///
/// # Errors
/// With how many images would.
pub fn check_batch<B: Backend>(graph: &Graph, backend: &B, images: usize) -> Result<()> {
    let kept = super::kept(graph, Purpose::Train, |_| true);
    let lifetimes = Lifetimes::new(graph.nodes(), kept);
    let need = Need::of(graph, backend, &lifetimes, Purpose::Train);
    let fit = need.at_once(backend.memory())?;
    if images.div_ceil(backend.chunk()) <= fit {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "a batch of {} does not fit into the memory that --memory gives, {} would: give more, or take \
         smaller batches with --batch-size",
        counted(images, "image"),
        fit * backend.chunk()
    )))
}

/// As `--memory` takes it, rounded up.
fn mebibytes(bytes: u64) -> String {
    format!("{}MB", bytes.div_ceil(1 << 20))
}

/// The most numbers of one image that a forward walk holds at a time.
fn peak(graph: &Graph, lifetimes: &Lifetimes) -> u64 {
    let size = |id: NodeId| graph.node(id).shape.elements() as u64;
    let (mut held, mut most) = (0, 0);
    for id in graph.ids() {
        held += size(id);
        most = most.max(held);
        let mut inputs = graph.node(id).inputs.clone();
        inputs.sort_unstable();
        inputs.dedup();
        let over = inputs
            .into_iter()
            .filter(|&input| lifetimes.ends(input, id));
        held -= over.map(size).sum::<u64>();
    }
    most
}

/// Does `work` on every item, `at_once` of them at the same time; the results are in order.
///
/// # Errors
/// The first of those of `work`.
pub fn in_turns<T: Sync, R: Send>(
    items: &[T],
    at_once: usize,
    work: impl Fn(&T) -> Result<R> + Sync,
) -> Result<Vec<R>> {
    let mut done = Vec::with_capacity(items.len());
    for some in items.chunks(at_once.max(1)) {
        done.extend(some.par_iter().map(&work).collect::<Result<Vec<R>>>()?);
    }
    Ok(done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_fit_into_what_the_network_leaves() {
        let need = Need {
            base: 100 << 20,
            chunk: 10 << 20,
        };
        let at_once = |bytes: u64| need.at_once(Memory::within(bytes));
        assert_eq!(need.at_once(Memory::USUAL).unwrap(), usize::MAX);
        assert_eq!(at_once(145 << 20).unwrap(), 4);
        let refused = at_once(109 << 20).unwrap_err().to_string();
        assert!(
            refused.contains("at least 110MB") && refused.contains("got 109MB"),
            "{refused}"
        );
    }

    #[test]
    fn turns_keep_the_order_and_end_with_the_first_failure() {
        let items: Vec<usize> = (0..10).collect();
        let doubled = in_turns(&items, 3, |&item| Ok(2 * item)).unwrap();
        assert_eq!(doubled, (0..20).step_by(2).collect::<Vec<_>>());
        let failed = in_turns(&items, 3, |&item| match item {
            4.. => Err(Error::invalid(item.to_string())),
            _ => Ok(item),
        });
        assert_eq!(failed.unwrap_err().to_string(), "4");
    }
}
