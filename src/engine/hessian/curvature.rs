//! Hessian products and traces of each layer's own block, over a fixed sample of images.
//!
//! A network of convolutions, linear layers, batch normalisation on running statistics, rectifiers,
//! pooling and sums is piecewise linear in any one weight tensor, so the layer's diagonal block of
//! the Hessian of the mean loss *is* its Gauss-Newton block
//!
//! ```text
//! H_i = 1/N sum_n J_n^T (diag(p_n) - p_n p_n^T) J_n ,
//! ```
//!
//! with `J_n` the derivative of image n's logits in the layer's weights and `p_n` its class
//! probabilities. One product is a tangent walk from the layer on, the softmax Hessian at the
//! logits, and a backward walk down to the layer; the values behind them are computed once.

use std::ops::Range;

use rayon::prelude::*;

use crate::engine::autodiff::loss::{self, Tally};
use crate::engine::autodiff::{Chunk, Program, Workspaces, wanted};
use crate::engine::backend::{Backend, WeightShape};
use crate::engine::data::Images;
use crate::engine::graph::operations::rules::{Collected, Purpose, Wanted};
use crate::engine::graph::operations::{BatchNormMode, Operation};
use crate::engine::graph::{Graph, Layer, Parameters};
use crate::engine::job::{Event, Observer, Phase, Score, Verdict};
use crate::engine::{Error, Result};

/// Gradient at the logits of some images, from their places in the sample and their probabilities.
pub type Factor<'a> = dyn Fn(Range<usize>, &[f64]) -> Vec<f64> + Sync + 'a;

/// Bytes of kept values above which they are computed anew for every product.
pub const KEPT_BYTES: usize = 1 << 30;

/// Images whose values are at hand for products.
#[derive(Debug)]
struct Piece<B: Backend> {
    range: Range<usize>,
    probabilities: Vec<f64>,
    /// The kept values, unless memory is short.
    kept: Option<Chunk<B>>,
}

/// A network at a fixed point, over a fixed sample: what every product reuses.
pub struct Curvature<'a, B: Backend> {
    program: Program<'a, B>,
    images: &'a dyn Images,
    pieces: Vec<Piece<B>>,
    workspaces: Workspaces<B>,
    layers: Vec<Layer>,
    tally: Tally,
}

/// Refuses networks whose layer blocks are not Gauss-Newton blocks.
///
/// # Errors
/// When an operation is not piecewise linear.
pub fn check_piecewise_linear(graph: &Graph) -> Result<()> {
    let curved = |op: &Operation| !op.is_piecewise_linear();
    match graph.nodes().iter().find(|node| curved(&node.operation)) {
        None => Ok(()),
        Some(node) => Err(Error::invalid(format!(
            "{} ({}) is not piecewise linear: the analysis needs a network of convolutions, \
             linear layers, batch normalisation, rectifiers, pooling and sums",
            node.name,
            node.operation.name()
        ))),
    }
}

impl<'a, B: Backend> Curvature<'a, B> {
    /// Walks the sample forward once. `None` when the observer asked to stop.
    ///
    /// # Errors
    /// When the network is not piecewise linear, its logits are not finite, or the device fails.
    pub fn new(
        graph: &'a Graph,
        parameters: &Parameters,
        backend: &'a B,
        images: &'a dyn Images,
        observer: &mut dyn Observer,
    ) -> Result<Option<Self>> {
        check_piecewise_linear(graph)?;
        let purpose = (BatchNormMode::Running, Purpose::Analyse);
        let program = Program::new(graph, backend, parameters, purpose)?;
        let mut curvature = Self {
            program,
            images,
            pieces: Vec::new(),
            workspaces: Workspaces::default(),
            layers: graph.layers(),
            tally: Tally::default(),
        };
        let outcome = curvature.prime(observer)?;
        Ok((outcome == Verdict::Continue).then_some(curvature))
    }

    /// The layers, in order.
    #[must_use]
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// Loss and accuracy over the sample.
    #[must_use]
    pub fn score(&self) -> Score {
        self.tally.score()
    }

    fn prime(&mut self, observer: &mut dyn Observer) -> Result<Verdict> {
        const WAVE: usize = 16;
        let total = self.images.len();
        let ranges = chunk_ranges(total, self.program.backend().chunk());
        let bytes = self.program.kept_elements() * self.program.backend().bytes_per_number();
        let keep = bytes.saturating_mul(total) <= KEPT_BYTES;
        for wave in ranges.chunks(WAVE) {
            let walked: Vec<_> = wave
                .par_iter()
                .map(|range| self.piece(range, keep))
                .collect::<Result<_>>()?;
            for (piece, tally) in walked {
                self.tally.add(&tally);
                self.pieces.push(piece);
            }
            let done = self.tally.total as u64;
            let event = Event::Progress {
                phase: Phase::Primal,
                done,
                total: total as u64,
            };
            if observer.on(event) == Verdict::Stop {
                return Ok(Verdict::Stop);
            }
        }
        if self.tally.loss.is_finite() {
            Ok(Verdict::Continue)
        } else {
            Err(Error::NotFinite("the loss over the sample".to_owned()))
        }
    }

    fn piece(&self, range: &Range<usize>, keep: bool) -> Result<(Piece<B>, Tally)> {
        let (chunk, logits) = self.walk(range)?;
        let labels = self.images.labels(range.clone());
        let tally = Tally::of(&logits, &labels);
        let classes = self.program.graph().classes();
        let mut probabilities = logits;
        probabilities
            .chunks_exact_mut(classes)
            .for_each(loss::softmax);
        let mut piece = Piece {
            range: range.clone(),
            probabilities,
            kept: Some(chunk),
        };
        if !keep {
            self.release(piece.kept.take());
        }
        Ok((piece, tally))
    }

    fn walk(&self, range: &Range<usize>) -> Result<(Chunk<B>, Vec<f64>)> {
        let images = self.images.load(range.clone())?;
        self.workspaces.with(|workspace| {
            let mut chunk = self.program.load(workspace, &images)?;
            let logits = self.program.forward(workspace, &mut chunk)?;
            Ok((chunk, logits))
        })
    }

    fn release(&self, chunk: Option<Chunk<B>>) {
        if let Some(chunk) = chunk {
            self.workspaces
                .with(|workspace| self.program.recycle(workspace, chunk));
        }
    }

    /// `H_i v`, with `v` and the product in the order of weights files.
    ///
    /// # Errors
    /// When the device fails.
    pub fn product(&mut self, layer: usize, v: &[f64]) -> Result<Vec<f64>> {
        let layer = self.layers[layer].clone();
        let direction = self.program.backend().weights(&layer.shape, v)?;
        let downstream = self.program.graph().downstream(layer.node);
        let wanted = wanted(self.program.graph(), |id| id == layer.weight);
        let mut pieces = std::mem::take(&mut self.pieces);
        let products: Result<Vec<B::Gradient>> = pieces
            .par_iter_mut()
            .map(|piece| self.piece_product(piece, (&layer, &downstream), &direction, &wanted))
            .collect();
        self.pieces = pieces;
        let mut total = vec![0.0; layer.parameters()];
        for mut product in products? {
            self.program
                .backend()
                .drain_gradient(&mut product, &mut total)?;
        }
        Ok(total)
    }

    fn piece_product(
        &self,
        piece: &mut Piece<B>,
        (layer, downstream): (&Layer, &[bool]),
        direction: &B::Weights,
        wanted: &Wanted,
    ) -> Result<B::Gradient> {
        let kept = piece.kept.is_some();
        let mut chunk = match piece.kept.take() {
            Some(chunk) => chunk,
            None => self.walk(&piece.range)?.0,
        };
        let (program, classes) = (&self.program, self.program.graph().classes());
        let mut collected = self.collect_nothing();
        collected[layer.weight.index()] = Collected::Sum(program.backend().gradient(&layer.shape)?);
        self.workspaces.with(|workspace| {
            let mut dz = program.tangent(workspace, &chunk, (layer, downstream), direction)?;
            loss::hessian_product(&piece.probabilities, classes, self.tally.total, &mut dz);
            program.backward(workspace, &mut chunk, &dz, (wanted, &mut collected))
        })?;
        if kept {
            piece.kept = Some(chunk);
        } else {
            self.release(Some(chunk));
        }
        match collected.swap_remove(layer.weight.index()) {
            Collected::Sum(sum) => Ok(sum),
            _ => unreachable!("invariant: a sum was asked for"),
        }
    }

    fn collect_nothing(&self) -> Vec<Collected<B>> {
        self.program
            .graph()
            .parameters()
            .iter()
            .map(|_| Collected::Nothing)
            .collect()
    }

    /// For each layer, the mean over images of the squared norm of its weight gradient when the
    /// gradient at the logits is `factor(probabilities)`.
    ///
    /// # Errors
    /// When the device fails.
    pub fn squared_norms(&mut self, factor: &Factor) -> Result<Vec<f64>> {
        let weights: Vec<_> = self.layers.iter().map(|layer| layer.weight).collect();
        let wanted = wanted(self.program.graph(), |id| weights.contains(&id));
        let mut pieces = std::mem::take(&mut self.pieces);
        let norms: Result<Vec<Vec<f64>>> = pieces
            .par_iter_mut()
            .map(|piece| self.piece_norms(piece, &wanted, factor))
            .collect();
        self.pieces = pieces;
        let mut totals = vec![0.0; self.layers.len()];
        for norms in norms? {
            totals
                .iter_mut()
                .zip(norms)
                .for_each(|(total, norm)| *total += norm);
        }
        totals
            .iter_mut()
            .for_each(|total| *total /= self.tally.total as f64);
        Ok(totals)
    }

    fn piece_norms(
        &self,
        piece: &mut Piece<B>,
        wanted: &Wanted,
        factor: &Factor,
    ) -> Result<Vec<f64>> {
        let kept = piece.kept.is_some();
        let mut chunk = match piece.kept.take() {
            Some(chunk) => chunk,
            None => self.walk(&piece.range)?.0,
        };
        let mut collected = self.collect_nothing();
        for layer in &self.layers {
            collected[layer.weight.index()] = Collected::SquaredNorms(0.0);
        }
        let seed = factor(piece.range.clone(), &piece.probabilities);
        self.workspaces.with(|workspace| {
            self.program
                .backward(workspace, &mut chunk, &seed, (wanted, &mut collected))
        })?;
        if kept {
            piece.kept = Some(chunk);
        } else {
            self.release(Some(chunk));
        }
        let norm = |layer: &Layer| match collected[layer.weight.index()] {
            Collected::SquaredNorms(norm) => norm,
            _ => unreachable!("invariant: squared norms were asked for"),
        };
        Ok(self.layers.iter().map(norm).collect())
    }

    /// Classes of the network.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.program.graph().classes()
    }

    /// Number of weights of a layer.
    #[must_use]
    pub fn weights(&self, layer: usize) -> usize {
        let shape: &WeightShape = &self.layers[layer].shape;
        shape.weights()
    }
}

/// `0..total` in consecutive ranges of `chunk`, the last one shorter.
#[must_use]
pub fn chunk_ranges(total: usize, chunk: usize) -> Vec<Range<usize>> {
    (0..total)
        .step_by(chunk.max(1))
        .map(|start| start..(start + chunk).min(total))
        .collect()
}
