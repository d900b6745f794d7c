//! Chunks of images side by side: as many at a time as the memory of the device allows.

use rayon::prelude::*;

use crate::engine::backend::{Backend, ROOMIEST};
use crate::engine::counts::counted;
use crate::engine::graph::Graph;
use crate::engine::graph::operations::rules::{Lifetimes, Purpose};
use crate::engine::memory::Memory;
use crate::engine::{Error, Result};

/// Bytes of the program itself, from experience.
const PROGRAM: u64 = 24 << 20;
/// Bytes that kernels work in beside the wires, for a chunk.
const SCRATCH: u64 = 8 << 20;
/// Bytes of a parameter: as it was read, and as the device arranges it.
const PARAMETER: u64 = 16;
/// More of them in training: quantized, what the optimizer remembers, the gradient, the best so far.
const TRAINED: u64 = 40;
/// Bytes of a number of an image on its way to the device, in float64.
const LOADED: u64 = 8;
/// Batches in memory: waiting, prepared and trained on.
const BATCHES: u64 = 4;

/// What walks of a network need of memory, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Need {
    /// The program and the parameters.
    pub base: u64,
    /// One chunk of images at most.
    pub chunk: u64,
    /// What they are for.
    pub purpose: Purpose,
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
        let wires = walks * number * room(graph, lifetimes);
        let image = LOADED * graph.input_shape().elements() as u64;
        // In training every chunk sums its own gradients.
        let (gradients, trained) = match purpose {
            Purpose::Train => ((number + 8) * parameters, TRAINED),
            Purpose::Evaluate | Purpose::Distill | Purpose::Analyse => (0, 0),
        };
        Self {
            base: PROGRAM + (PARAMETER + trained) * parameters,
            chunk: SCRATCH + gradients + images.saturating_mul(wires.saturating_add(image)),
            purpose,
        }
    }

    /// The same where batches of so many images are in memory too.
    fn beside_batches(self, graph: &Graph, images: usize) -> Self {
        let batch = LOADED * (images * graph.input_shape().elements()) as u64;
        Self {
            base: self.base + BATCHES * batch,
            ..self
        }
    }

    /// Chunks that are walked at the same time.
    ///
    /// # Errors
    /// When not even one fits.
    pub fn at_once(self, memory: Memory) -> Result<usize> {
        let (Some(bound), Some(left)) = (memory.bound(), memory.beside_images()) else {
            return Ok(usize::MAX);
        };
        let Some(more) = left.checked_sub(self.base + self.chunk) else {
            return Err(Error::invalid(format!(
                "expected at least {} of memory for this network and one chunk of images, got {}; give \
                 more with --memory",
                self.least(1),
                mebibytes(bound)
            )));
        };
        let kept = match self.purpose {
            Purpose::Analyse => memory.kept(),
            Purpose::Evaluate | Purpose::Distill | Purpose::Train => 0,
        };
        let chunks = more.saturating_sub(kept) / self.chunk.max(1);
        Ok(usize::try_from(chunks).map_or(usize::MAX, |chunks| chunks.saturating_add(1)))
    }

    /// The least bound in which so many chunks can be walked at the same time.
    fn least(self, chunks: usize) -> String {
        let walks = self.chunk.saturating_mul(chunks as u64);
        // An eighth is for images.
        mebibytes(
            self.base
                .saturating_add(walks)
                .saturating_mul(8)
                .div_ceil(7),
        )
    }

    /// What is left of memory for what is kept beside so many chunks.
    pub fn beside(self, chunks: usize, memory: Memory) -> Memory {
        let chunks = self.chunk.saturating_mul(chunks as u64);
        memory.beside_walks(self.base.saturating_add(chunks))
    }
}

/// Chunks that evaluations in the course of a training may walk at the same time. Batches of `images`
/// images, which are trained on as a whole, are refused where they do not fit into the memory of a device.
///
/// # Errors
/// With how many images would fit.
pub fn beside_training<B: Backend>(graph: &Graph, backend: &B, images: usize) -> Result<usize> {
    let need = |purpose: Purpose| {
        let lifetimes = Lifetimes::new(graph.nodes(), super::kept(graph, purpose, |_| true));
        Need::of(graph, backend, &lifetimes, purpose)
    };
    let (train, memory, chunk) = (need(Purpose::Train), backend.memory(), backend.chunk());
    let walks = |images: usize| train.beside_batches(graph, images).at_once(memory);
    let fits = |images: usize| walks(images).is_ok_and(|fit| images.div_ceil(chunk) <= fit);
    if !fits(images) {
        let least = |images: usize| {
            let need = train.beside_batches(graph, images);
            need.least(images.div_ceil(chunk))
        };
        let (all, least_of_all) = (counted(images, "image"), least(images));
        let mut whole = (1..=images / chunk).rev().map(|chunks| chunks * chunk);
        return Err(Error::invalid(match whole.find(|&images| fits(images)) {
            Some(fit) => format!(
                "training on batches of {all} takes {least_of_all} of memory: give that with --memory, or \
                 take smaller batches with --batch-size, of which {fit} would fit"
            ),
            None if images <= chunk => format!(
                "training on batches of {all} takes {least_of_all} of memory: give that with --memory"
            ),
            None => format!(
                "training on batches of {all} takes {least_of_all} of memory, on batches of {chunk} it \
                 takes {}: give that with --memory, and smaller batches with --batch-size",
                least(chunk)
            ),
        }));
    }
    let evaluate = Need {
        base: train.base,
        ..need(Purpose::Evaluate)
    };
    evaluate.beside_batches(graph, images).at_once(memory)
}

/// As `--memory` takes it, rounded up.
fn mebibytes(bytes: u64) -> String {
    format!("{}MB", bytes.div_ceil(1 << 20))
}

/// Numbers of one image that the arrays of forward walks have room for: what a wire lay in is reused, but
/// not for one that is much smaller, nor for a larger one.
fn room(graph: &Graph, lifetimes: &Lifetimes) -> u64 {
    let mut spare: Vec<usize> = Vec::new();
    let mut places: Vec<usize> = Vec::with_capacity(graph.nodes().len());
    let mut room = 0;
    for id in graph.ids() {
        let size = graph.node(id).shape.elements();
        let suits = |&(_, place): &(usize, &usize)| (size..=ROOMIEST * size).contains(place);
        let found = spare.iter().enumerate().filter(suits);
        let tightest = found.min_by_key(|(_, place)| **place).map(|(at, _)| at);
        places.push(tightest.map_or_else(
            || {
                room += size as u64;
                size
            },
            |at| spare.swap_remove(at),
        ));
        let mut inputs = graph.node(id).inputs.clone();
        inputs.sort_unstable();
        inputs.dedup();
        let over = inputs.into_iter().filter(|&it| lifetimes.ends(it, id));
        spare.extend(over.map(|it| places[it.index()]));
    }
    room
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
            purpose: Purpose::Evaluate,
        };
        let at_once = |bytes: u64| need.at_once(Memory::within(bytes));
        assert_eq!(need.at_once(Memory::USUAL).unwrap(), usize::MAX);
        // An eighth is for images.
        assert_eq!(at_once(160 << 20).unwrap(), 4);
        assert_eq!(at_once(126 << 20).unwrap(), 1);
        let refused = at_once(125 << 20).unwrap_err().to_string();
        assert!(
            refused.contains("at least 126MB") && refused.contains("got 125MB"),
            "{refused}"
        );
        let analysis = Need {
            purpose: Purpose::Analyse,
            ..need
        };
        let memory = Memory::within(128 << 20);
        assert_eq!(
            analysis.at_once(memory).unwrap(),
            1,
            "two megabytes are left"
        );
        assert_eq!(analysis.beside(1, memory).kept(), 2 << 20);
        let memory = Memory::within(240 << 20);
        assert_eq!(analysis.at_once(memory).unwrap(), 2);
        assert_eq!(analysis.beside(2, memory), memory);
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
