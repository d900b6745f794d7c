//! The factor `G` of a layer's Hessian block, `H_i = G^T G`, row by row.
//!
//! One backward walk from a direction in the logits of some images gives a row of every layer for
//! each of them (see [`rows`](super::rows) for which rows). Once they are at hand, a product costs one
//! pass over them instead of two walks through the network, and the trace is the sum of their squares.

use std::ops::Range;

use rayon::prelude::*;

use super::primal::{Pieces, Primal};
use super::rows::{ImageRows, Rows};
use super::trace::Squares;
use crate::engine::Result;
use crate::engine::autodiff::{Chunk, wanted};
use crate::engine::backend::Backend;
use crate::engine::graph::Layer;
use crate::engine::graph::operations::rules::{Collected, Wanted};

/// Blocks whose products are summed in float32 before they are added up in float64.
const BLOCKS: usize = 4;

/// Sums kept side by side in a product of two rows.
const LANES: usize = 8;

/// Computes rows: the images that have any, with their values at hand.
pub struct RowSource<'p, 'a, B: Backend> {
    primal: &'p Primal<'a, B>,
    rows: &'p Rows,
    pieces: Pieces<B>,
}

/// Some rows of one layer.
#[derive(Debug)]
pub struct Factor<'p, B: Backend> {
    backend: &'p B,
    layer: &'p Layer,
    blocks: Vec<Block>,
}

/// Rows from one backward walk.
#[derive(Debug)]
struct Block {
    /// The numbers, row after row, in the order of the device.
    values: Vec<f32>,
    /// For each row, how often it was drawn to stand for others.
    draws: Vec<usize>,
}

/// One backward walk: a direction for some of the first images of a piece, none for the rest.
struct Round {
    seed: Vec<f64>,
    draws: Vec<usize>,
}

/// The layers whose rows are asked for.
struct Group<'p> {
    layers: Vec<&'p Layer>,
    wanted: Wanted,
}

impl<'p, 'a, B: Backend> RowSource<'p, 'a, B> {
    /// Nothing is computed yet.
    #[must_use]
    pub fn new(primal: &'p Primal<'a, B>, rows: &'p Rows) -> Self {
        let images: Vec<usize> = rows.images.iter().map(|image| image.image).collect();
        Self {
            primal,
            rows,
            pieces: Pieces::new(primal, &images, primal.program.kept().to_vec()),
        }
    }

    /// Pieces that the images are cut into.
    #[must_use]
    pub fn pieces(&self) -> usize {
        self.pieces.spans().count()
    }

    /// No rows of a layer yet.
    #[must_use]
    pub fn empty(&self, layer: usize) -> Factor<'p, B> {
        Factor {
            backend: self.primal.program.backend(),
            layer: &self.primal.layers()[layer],
            blocks: Vec::new(),
        }
    }

    /// Backward walks that give all rows of some pieces, which are walked side by side.
    #[must_use]
    pub fn rounds(&self, pieces: Range<usize>) -> usize {
        let spans = self.pieces.spans().skip(pieces.start).take(pieces.len());
        // The images with the most rows are first.
        let rounds = spans.map(|span| self.rows.images[span.first].rows.len());
        rounds.max().unwrap_or(0)
    }

    /// The rows of some layers in some pieces, one factor a layer: those that some of their
    /// [rounds](Self::rounds) give.
    ///
    /// # Errors
    /// When the device fails.
    pub fn factors(
        &mut self,
        layers: &[usize],
        (pieces, which): (Range<usize>, Range<usize>),
    ) -> Result<Vec<Factor<'p, B>>> {
        let (primal, rows) = (self.primal, self.rows);
        let group = Group::new(primal, layers);
        let blocks = self.pieces.work(primal, pieces, |span, chunk| {
            let images = &rows.images[span.first..][..span.images.len()];
            rounds(primal, rows, (images, which.clone()))
                .into_iter()
                .map(|round| group.blocks(primal, chunk, &round))
                .collect::<Result<Vec<_>>>()
        })?;
        let mut factors: Vec<_> = layers.iter().map(|&layer| self.empty(layer)).collect();
        for blocks in blocks.into_iter().flatten() {
            for (factor, block) in factors.iter_mut().zip(blocks) {
                factor.blocks.push(block);
            }
        }
        Ok(factors)
    }
}

/// Some of the walks that give all rows of some images, those with the most rows first.
fn rounds<B: Backend>(
    primal: &Primal<B>,
    rows: &Rows,
    (images, which): (&[ImageRows], Range<usize>),
) -> Vec<Round> {
    let classes = primal.classes();
    let scale = (primal.len() as f64).sqrt().recip();
    let walks = images.first().map_or(0, |image| image.rows.len());
    let which = which.start.min(walks)..which.end.min(walks);
    let mut rounds: Vec<Round> = which
        .clone()
        .map(|_| Round {
            seed: vec![0.0; images.len() * classes],
            draws: Vec::new(),
        })
        .collect();
    for (place, image) in images.iter().enumerate() {
        let directions = rows.directions(primal.probabilities_of(image.image));
        for (row, round) in image.rows.iter().skip(which.start).zip(&mut rounds) {
            let seed = &mut round.seed[place * classes..][..classes];
            directions.write(row.direction, row.weight * scale, seed);
            round.draws.push(row.draws);
        }
    }
    rounds
}

impl<'p> Group<'p> {
    fn new<B: Backend>(primal: &'p Primal<B>, layers: &[usize]) -> Self {
        let layers: Vec<_> = layers
            .iter()
            .map(|&index| &primal.layers()[index])
            .collect();
        let weights: Vec<_> = layers.iter().map(|layer| layer.weight).collect();
        let wanted = wanted(primal.program.graph(), |id| weights.contains(&id));
        Self { layers, wanted }
    }

    /// Walks back once; a block of rows a layer.
    fn blocks<B: Backend>(
        &self,
        primal: &Primal<B>,
        chunk: &mut Chunk<B>,
        round: &Round,
    ) -> Result<Vec<Block>> {
        let program = &primal.program;
        let mut collected = primal.collect_nothing();
        for layer in &self.layers {
            let length = program.backend().row_length(&layer.shape);
            collected[layer.weight.index()] =
                Collected::Rows(vec![0.0; length * round.draws.len()]);
        }
        primal
            .workspaces
            .with(|ws| program.backward(ws, chunk, &round.seed, (&self.wanted, &mut collected)))?;
        let mut block = |layer: &&Layer| match std::mem::replace(
            &mut collected[layer.weight.index()],
            Collected::Nothing,
        ) {
            Collected::Rows(values) => Block {
                values,
                draws: round.draws.clone(),
            },
            _ => unreachable!("invariant: rows were asked for"),
        };
        Ok(self.layers.iter().map(&mut block).collect())
    }
}

impl<B: Backend> Factor<'_, B> {
    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.blocks.iter().map(|block| block.draws.len()).sum()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes in more rows of the same layer.
    pub fn append(&mut self, mut more: Self) {
        self.blocks.append(&mut more.blocks);
    }

    /// `G^T G v`, with `v` and the product in the order of weights files.
    #[must_use]
    pub fn product(&self, v: &[f64]) -> Vec<f64> {
        let (backend, shape) = (self.backend, &self.layer.shape);
        let v = backend.row_from_weights(shape, v);
        let sums: Vec<Vec<f32>> = self
            .blocks
            .par_chunks(BLOCKS)
            .map(|blocks| {
                let mut sum = vec![0.0; v.len()];
                for block in blocks {
                    backend.add_outer_products(&block.values, &v, &mut sum);
                }
                sum
            })
            .collect();
        let mut total = vec![0.0; v.len()];
        for sum in sums {
            let sum = sum.into_iter().map(f64::from);
            total
                .iter_mut()
                .zip(sum)
                .for_each(|(total, sum)| *total += sum);
        }
        backend.weights_from_row(shape, &total)
    }

    /// Number of rows.
    #[must_use]
    pub fn count(&self) -> usize {
        self.blocks.iter().map(|block| block.draws.len()).sum()
    }

    /// The products of all rows with all rows, `G G^T`, row after row.
    #[must_use]
    pub fn gram(&self) -> Vec<f64> {
        let length = self.backend.row_length(&self.layer.shape);
        let blocks = self.blocks.iter();
        let rows: Vec<&[f32]> = blocks
            .flat_map(|block| block.values.chunks_exact(length))
            .collect();
        let of_row = |place: usize| -> Vec<f64> {
            let others = rows[..=place].iter();
            others.map(|other| dot(rows[place], other)).collect()
        };
        let half: Vec<Vec<f64>> = (0..rows.len()).into_par_iter().map(of_row).collect();
        let entry = |i: usize, j: usize| half[i.max(j)][i.min(j)];
        let places = (0..rows.len()).flat_map(|i| (0..rows.len()).map(move |j| (i, j)));
        places.map(|(i, j)| entry(i, j)).collect()
    }

    /// The squared norms of the rows.
    #[must_use]
    pub fn squares(&self) -> Squares {
        let length = self.backend.row_length(&self.layer.shape);
        let of_block = |block: &Block| {
            let mut squares = Squares::default();
            for (row, &draws) in block.values.chunks_exact(length).zip(&block.draws) {
                squares.add(self.backend.squared_norm(row), draws);
            }
            squares
        };
        let blocks: Vec<Squares> = self.blocks.par_iter().map(of_block).collect();
        let mut total = Squares::default();
        blocks.iter().for_each(|squares| total.merge(squares));
        total
    }
}

/// The product of two rows, summed in float64.
fn dot(a: &[f32], b: &[f32]) -> f64 {
    let mut sums = [0.0; LANES];
    let (a_lanes, b_lanes) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest = a_lanes.remainder().iter().zip(b_lanes.remainder());
    let rest: f64 = rest.map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
    for (a, b) in a_lanes.zip(b_lanes) {
        for lane in 0..LANES {
            sums[lane] += f64::from(a[lane]) * f64::from(b[lane]);
        }
    }
    rest + sums.iter().sum::<f64>()
}
