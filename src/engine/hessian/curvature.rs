//! Hessian products of each layer's own block, by walks over the images.
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

use super::primal::{Pieces, Primal};
use crate::engine::Result;
use crate::engine::autodiff::{Chunk, loss, wanted};
use crate::engine::backend::Backend;
use crate::engine::graph::Layer;
use crate::engine::graph::operations::rules::{Collected, Wanted};

/// Products of every layer's block over some images of a sample.
#[derive(Debug)]
pub struct Curvature<'p, 'a, B: Backend> {
    primal: &'p Primal<'a, B>,
    pieces: Pieces<B>,
    /// The one layer that the kept values serve.
    only: Option<usize>,
}

/// A layer and the direction its weights move in.
struct Move<'l, B: Backend> {
    layer: &'l Layer,
    downstream: &'l [bool],
    direction: &'l B::Weights,
    wanted: &'l Wanted,
}

impl<'p, 'a, B: Backend> Curvature<'p, 'a, B> {
    /// Of any layer, over the whole sample.
    #[must_use]
    pub fn new(primal: &'p Primal<'a, B>) -> Self {
        let images: Vec<usize> = (0..primal.len()).collect();
        Self {
            primal,
            pieces: Pieces::new(primal, &images, primal.program.kept().to_vec()),
            only: None,
        }
    }

    /// Of one layer, over some images; the others count as if they had no curvature. Only what its
    /// walks read is kept.
    #[must_use]
    pub fn of_layer(primal: &'p Primal<'a, B>, layer: usize, images: &[usize]) -> Self {
        let wires = primal.program.kept_for(primal.layers()[layer].node);
        Self {
            primal,
            pieces: Pieces::new(primal, images, wires),
            only: Some(layer),
        }
    }

    /// `H_i v`, with `v` and the product in the order of weights files.
    ///
    /// # Errors
    /// When the device fails.
    ///
    /// # Panics
    /// When another layer's values were kept.
    pub fn product(&mut self, layer: usize, v: &[f64]) -> Result<Vec<f64>> {
        assert!(
            self.only.is_none_or(|only| only == layer),
            "a product of layer {layer} with the values of {:?}",
            self.only
        );
        let (primal, layer) = (self.primal, &self.primal.layers()[layer]);
        let (graph, backend) = (primal.program.graph(), primal.program.backend());
        let step = Move {
            layer,
            downstream: &graph.downstream(layer.node),
            direction: &backend.weights(&layer.shape, v)?,
            wanted: &wanted(graph, |id| id == layer.weight),
        };
        let all = 0..self.pieces.spans().count();
        let products = self.pieces.work(primal, all, |span, chunk| {
            product_of_piece(primal, &step, &span.images, chunk)
        })?;
        let mut total = vec![0.0; layer.parameters()];
        for mut product in products {
            backend.drain_gradients(&mut [&mut product], &mut total)?;
        }
        Ok(total)
    }
}

fn product_of_piece<B: Backend>(
    primal: &Primal<B>,
    step: &Move<B>,
    images: &[usize],
    chunk: &mut Chunk<B>,
) -> Result<B::Gradient> {
    let (program, layer) = (&primal.program, step.layer);
    let classes = primal.classes();
    let probabilities = images.iter().map(|&image| primal.probabilities_of(image));
    let probabilities: Vec<f64> = probabilities.flatten().copied().collect();
    let mut collected = primal.collect_nothing();
    collected[layer.weight.index()] = Collected::Sum(program.backend().gradient(&layer.shape)?);
    primal.workspaces.with(|ws| {
        let moved = (layer, step.downstream);
        let mut dz = program.tangent(ws, chunk, moved, step.direction)?;
        loss::hessian_product(&probabilities, classes, primal.len(), &mut dz);
        program.backward(ws, chunk, &dz, (step.wanted, &mut collected))
    })?;
    match collected.swap_remove(layer.weight.index()) {
        Collected::Sum(sum) => Ok(sum),
        _ => unreachable!("invariant: a sum was asked for"),
    }
}
