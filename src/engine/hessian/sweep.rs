//! A sweep over layers: each one's Hessian block at hand, by the way that its size asks for.
//!
//! Where the rows of a layer's factor fit into memory, they are computed once, for as many layers at a
//! time as fit together. For layers beyond that (very many images, very large layers) products walk
//! through the network, and traces, if they are wanted, are summed piece by piece for all of them at
//! once.

use std::collections::BTreeMap;
use std::ops::Range;

use super::curvature::Curvature;
use super::factor::{Factor, RowSource};
use super::primal::Primal;
use super::rows::Rows;
use super::trace::{Squares, Trace};
use crate::engine::Result;
use crate::engine::backend::{Backend, WeightShape};
use crate::engine::job::{Event, Observer, Phase, Verdict};
use crate::engine::memory::Memory;

/// Pieces whose rows are computed between two reports, and rounds of them.
const WAVE: usize = 8;
const ROUNDS: usize = 64;

/// A layer's block of the Hessian.
#[derive(Debug)]
pub enum Block<'s, 'p, 'a, B: Backend> {
    /// By the rows of its factor.
    Rows(Factor<'p, B>),
    /// By walks over the images.
    Walks {
        /// Gives the products.
        curvature: &'s mut Curvature<'p, 'a, B>,
        /// Which layer.
        layer: usize,
        /// Sums of the squared rows; none where they were not wanted.
        squares: Option<Squares>,
    },
}

impl<B: Backend> Block<'_, '_, '_, B> {
    /// The Hessian-vector product of the block with `v`, both in the order of weights files.
    ///
    /// # Errors
    /// When the device fails.
    #[doc(alias = "HVP")]
    pub fn product(&mut self, v: &[f64]) -> Result<Vec<f64>> {
        match self {
            Self::Rows(factor) => Ok(factor.product(v)),
            Self::Walks {
                curvature, layer, ..
            } => curvature.product(*layer, v),
        }
    }

    /// Its trace; of a block by walks only where the sweep was asked for traces.
    #[must_use]
    pub fn trace(&self) -> Option<Trace> {
        match self {
            Self::Rows(factor) => Some(factor.squares().trace()),
            Self::Walks { squares, .. } => squares.as_ref().map(Squares::trace),
        }
    }
}

/// Layers that are measured together.
#[derive(Debug, PartialEq, Eq)]
enum Group {
    /// Their rows fit into memory.
    Rows(Vec<usize>),
    /// The rows of this one do not.
    Walks(usize),
}

/// What is done at each layer.
pub type Visit<'v, B> = dyn FnMut(usize, &mut Block<B>, &mut dyn Observer) -> Result<Verdict> + 'v;

/// Visits `layers`, given by their places in the network, in order; `traces` tells whether the visits
/// ask for them. The block of a layer does not depend on which others are visited.
///
/// # Errors
/// When the device fails, or the visit does.
pub fn sweep<B: Backend>(
    (primal, rows): (&Primal<B>, &Rows),
    (layers, traces): (&[usize], bool),
    visit: &mut Visit<B>,
    observer: &mut dyn Observer,
) -> Result<Verdict> {
    let size = |layer: usize| row_bytes(primal, &primal.layers()[layer].shape) * rows.count();
    let groups = groups(layers, &size, primal.program.memory());
    let walked = groups.iter().filter_map(Group::walked);
    let walked: Vec<usize> = walked.filter(|_| traces).collect();
    let by_rows = groups.iter().filter(|group| group.walked().is_none());
    let mut sweep = Sweep {
        primal,
        images: rows.certain_images(),
        source: RowSource::new(primal, rows),
        rows: rows.count(),
        done: 0,
        passes: by_rows.count() + usize::from(!walked.is_empty()),
    };
    let Some(mut squares) = sweep.squares(&walked, &size, observer)? else {
        return Ok(Verdict::Stop);
    };
    for group in groups {
        let verdict = match group {
            Group::Rows(layers) => sweep.by_rows(&layers, visit, observer)?,
            Group::Walks(layer) => {
                sweep.by_walks((layer, squares.remove(&layer)), visit, observer)?
            }
        };
        if verdict == Verdict::Stop {
            return Ok(Verdict::Stop);
        }
    }
    Ok(Verdict::Continue)
}

impl Group {
    /// The layer that is walked.
    const fn walked(&self) -> Option<usize> {
        match self {
            Self::Rows(_) => None,
            Self::Walks(layer) => Some(*layer),
        }
    }
}

fn row_bytes<B: Backend>(primal: &Primal<B>, shape: &WeightShape) -> usize {
    primal.program.backend().row_length(shape) * size_of::<f32>()
}

/// Neighbours whose rows are held together.
fn groups(layers: &[usize], size: &dyn Fn(usize) -> usize, memory: Memory) -> Vec<Group> {
    let mut groups = Vec::new();
    let (mut together, mut bytes) = (Vec::new(), 0);
    for &layer in layers {
        let own = size(layer);
        if bytes + own > memory.of_group() && !together.is_empty() {
            groups.push(Group::Rows(std::mem::take(&mut together)));
            bytes = 0;
        }
        if own > memory.of_rows() {
            groups.push(Group::Walks(layer));
        } else {
            together.push(layer);
            bytes += own;
        }
    }
    if !together.is_empty() {
        groups.push(Group::Rows(together));
    }
    groups
}

/// A sweep under way.
struct Sweep<'p, 'a, B: Backend> {
    source: RowSource<'p, 'a, B>,
    primal: &'p Primal<'a, B>,
    /// Images that products by walks go over.
    images: Vec<usize>,
    /// Rows of every pass.
    rows: usize,
    /// Rows that were computed, over all passes.
    done: usize,
    /// Passes over all pieces.
    passes: usize,
}

impl<'p, B: Backend> Sweep<'p, '_, B> {
    fn by_rows(
        &mut self,
        layers: &[usize],
        visit: &mut Visit<B>,
        observer: &mut dyn Observer,
    ) -> Result<Verdict> {
        let mut factors: Vec<Factor<'p, B>> = layers
            .iter()
            .map(|&layer| self.source.empty(layer))
            .collect();
        let mut take = |new: Vec<Factor<'p, B>>| {
            for (factor, new) in factors.iter_mut().zip(new) {
                factor.append(new);
            }
        };
        if self.rows(layers, WAVE, &mut take, observer)? == Verdict::Stop {
            return Ok(Verdict::Stop);
        }
        for (&layer, factor) in layers.iter().zip(factors) {
            if visit(layer, &mut Block::Rows(factor), observer)? == Verdict::Stop {
                return Ok(Verdict::Stop);
            }
        }
        Ok(Verdict::Continue)
    }

    /// The squared rows of layers whose rows are not held, in one pass. `None` when the observer asked
    /// to stop.
    fn squares(
        &mut self,
        layers: &[usize],
        size: &dyn Fn(usize) -> usize,
        observer: &mut dyn Observer,
    ) -> Result<Option<BTreeMap<usize, Squares>>> {
        let mut squares = vec![Squares::default(); layers.len()];
        let mut take = |factors: Vec<Factor<'p, B>>| {
            for (squares, factor) in squares.iter_mut().zip(factors) {
                squares.merge(&factor.squares());
            }
        };
        let bytes: usize = layers.iter().map(|&layer| size(layer)).sum();
        let of_piece = bytes / self.source.pieces().max(1);
        let wave = (self.primal.program.memory().of_rows() / of_piece.max(1)).clamp(1, WAVE);
        if !layers.is_empty() && self.rows(layers, wave, &mut take, observer)? == Verdict::Stop {
            return Ok(None);
        }
        Ok(Some(layers.iter().copied().zip(squares).collect()))
    }

    fn by_walks(
        &mut self,
        (layer, squares): (usize, Option<Squares>),
        visit: &mut Visit<B>,
        observer: &mut dyn Observer,
    ) -> Result<Verdict> {
        let mut curvature = Curvature::of_layer(self.primal, layer, &self.images);
        let mut block = Block::Walks {
            curvature: &mut curvature,
            layer,
            squares,
        };
        visit(layer, &mut block, observer)
    }

    /// Computes the rows of some layers, a few pieces at a time.
    fn rows(
        &mut self,
        layers: &[usize],
        wave: usize,
        take: &mut dyn FnMut(Vec<Factor<'p, B>>),
        observer: &mut dyn Observer,
    ) -> Result<Verdict> {
        let pieces = self.source.pieces();
        for start in (0..pieces).step_by(wave) {
            let range: Range<usize> = start..(start + wave).min(pieces);
            let rounds = self.source.rounds(range.clone());
            for first in (0..rounds).step_by(ROUNDS) {
                let which = first..(first + ROUNDS).min(rounds);
                let rows = self.source.factors(layers, (range.clone(), which))?;
                self.done += rows.first().map_or(0, Factor::len);
                take(rows);
                let event = Event::Progress {
                    phase: Phase::Rows,
                    done: self.done as u64,
                    total: (self.rows * self.passes) as u64,
                };
                if observer.on(event) == Verdict::Stop {
                    return Ok(Verdict::Stop);
                }
            }
        }
        Ok(Verdict::Continue)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_that_fit_are_measured_together() {
        let size = |layer: usize| [100, 150, 300, 600, 100][layer] << 20;
        let groups = |layers: &[usize]| groups(layers, &size, Memory::USUAL);
        assert_eq!(
            groups(&[0, 1, 2, 3, 4]),
            [
                Group::Rows(vec![0, 1]),
                Group::Rows(vec![2]),
                Group::Walks(3),
                Group::Rows(vec![4])
            ]
        );
        assert_eq!(groups(&[1, 4]), [Group::Rows(vec![1, 4])]);
        assert_eq!(groups(&[]), []);
    }
}
