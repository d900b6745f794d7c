//! Loss and all gradients over a batch of images: one training step less the optimizer.
//!
//! The batch is cut into chunks that run in parallel. Batch normalisation on batch statistics needs
//! numbers of the whole batch, so the walks stop at every such node: forward for the moments of
//! what it reads, backward for the sums that its input gradient needs. Everything is reduced in
//! chunk order.

use std::ops::Range;

use rayon::prelude::*;

use super::fusion::norm_of;
use super::loss::{self, Tally};
use super::{Chunk, Program, Workspaces, chunk_ranges};
use crate::engine::Result;
use crate::engine::backend::Backend;
use crate::engine::data::Label;
use crate::engine::graph::operations::batch_norm::{BatchNorm, BatchNormMode, Statistics};
use crate::engine::graph::operations::rules::{Collected, Preparation, Prepared, Wanted};
use crate::engine::graph::{Graph, NodeId, Operation, Parameters, Role};

/// Labelled images, normalised, one after another in channel, row, column order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Batch {
    /// The images.
    pub images: Vec<f64>,
    /// Their labels.
    pub labels: Vec<Label>,
}

/// What a step learned about a batch.
#[derive(Debug, Clone)]
pub struct Measured {
    /// Loss and correct images.
    pub tally: Tally,
    /// Gradient of the mean loss, by parameter, where asked for.
    pub gradients: Vec<Option<Vec<f64>>>,
    /// Statistics of the batch at each batch normalisation, when it ran on them.
    pub statistics: Vec<(BatchNorm, Statistics)>,
}

/// Gradient of the batch's loss at the logits of some of its images, from their places in the batch,
/// their logits and their labels.
pub type LossGradient<'a> = dyn Fn(Range<usize>, &[f64], &[Label]) -> Vec<f64> + Sync + 'a;

/// Memory of a step, reused from batch to batch.
#[derive(Debug)]
pub struct BatchStep<B: Backend> {
    workspaces: Workspaces<B>,
    spare: Vec<Vec<Collected<B>>>,
}

impl<B: Backend> Default for BatchStep<B> {
    fn default() -> Self {
        Self {
            workspaces: Workspaces::default(),
            spare: Vec::new(),
        }
    }
}

/// One chunk on its way through a step.
#[derive(Debug)]
struct Worker<B: Backend> {
    images: Range<usize>,
    chunk: Chunk<B>,
    collected: Vec<Collected<B>>,
}

/// A step under way.
struct Walk<'p, 'a, B: Backend> {
    program: &'p mut Program<'a, B>,
    parameters: &'p Parameters,
    workspaces: &'p Workspaces<B>,
    wanted: &'p Wanted,
    workers: Vec<Worker<B>>,
    total: usize,
}

impl<B: Backend> BatchStep<B> {
    /// Loss of the program on `batch`, and the gradients of the wanted parameters.
    ///
    /// `parameters` are those the program was last [updated](Program::update) with. The gradient
    /// at the logits is that of cross-entropy unless `loss_gradient` gives another.
    ///
    /// # Errors
    /// When the device fails.
    pub fn run(
        &mut self,
        program: &mut Program<B>,
        parameters: &Parameters,
        batch: &Batch,
        (wanted, loss_gradient): (&Wanted, Option<&LossGradient>),
    ) -> Result<Measured> {
        let workers = self.load(program, batch, wanted)?;
        let total = batch.labels.len();
        let workspaces = &self.workspaces;
        let mut walk = Walk {
            program,
            parameters,
            workspaces,
            wanted,
            workers,
            total,
        };
        let statistics = walk.forward()?;
        let tally = walk.loss(batch, loss_gradient)?;
        let mut gradients = walk.backward()?;
        let Walk {
            program, workers, ..
        } = walk;
        let collected = self.finish(program, workers);
        let (emptied, sums): (Vec<_>, Vec<_>) =
            reduce(program, collected, wanted)?.into_iter().unzip();
        self.keep(emptied);
        for (gradient, sum) in gradients.iter_mut().zip(sums) {
            *gradient = gradient.take().or(sum);
        }
        Ok(Measured {
            tally,
            gradients,
            statistics,
        })
    }

    /// Statistics of a batch at each batch normalisation of a program that normalises with them,
    /// without loss and gradients.
    ///
    /// # Errors
    /// When the device fails.
    pub fn statistics(
        program: &mut Program<B>,
        parameters: &Parameters,
        batch: &Batch,
    ) -> Result<Vec<(BatchNorm, Statistics)>> {
        let nothing = super::wanted(program.graph(), |_| false);
        let mut step = Self::default();
        let workers = step.load(program, batch, &nothing)?;
        let mut walk = Walk {
            program,
            parameters,
            workspaces: &step.workspaces,
            wanted: &nothing,
            workers,
            total: batch.labels.len(),
        };
        walk.forward()
    }

    fn load(
        &mut self,
        program: &Program<B>,
        batch: &Batch,
        wanted: &Wanted,
    ) -> Result<Vec<Worker<B>>> {
        let ranges = chunk_ranges(batch.labels.len(), program.backend().chunk());
        while self.spare.len() < ranges.len() {
            self.spare.push(collectors(program, wanted)?);
        }
        let collected = self.spare.split_off(self.spare.len() - ranges.len());
        let image = program.graph().input_shape().elements();
        let work: Vec<_> = ranges.into_iter().zip(collected).collect();
        work.into_par_iter()
            .map(|(images, collected)| {
                let values = &batch.images[images.start * image..images.end * image];
                let chunk = self.workspaces.with(|ws| program.load(ws, values))?;
                Ok(Worker {
                    images,
                    chunk,
                    collected,
                })
            })
            .collect()
    }

    /// Takes the chunks' memory back; what they collected, by chunk.
    fn finish(&self, program: &Program<B>, workers: Vec<Worker<B>>) -> Vec<Vec<Collected<B>>> {
        let release = |worker: Worker<B>| {
            self.workspaces.with(|ws| program.recycle(ws, worker.chunk));
            worker.collected
        };
        workers.into_iter().map(release).collect()
    }

    /// Takes back what was collected, by parameter, for the next batch.
    fn keep(&mut self, by_parameter: Vec<Vec<Collected<B>>>) {
        let chunks = by_parameter.first().map_or(0, Vec::len);
        let mut by_chunk: Vec<Vec<Collected<B>>> = (0..chunks).map(|_| Vec::new()).collect();
        for parameter in by_parameter {
            for (chunk, collected) in by_chunk.iter_mut().zip(parameter) {
                chunk.push(collected);
            }
        }
        self.spare.extend(by_chunk);
    }
}

/// Empty sums for the wanted parameters.
fn collectors<B: Backend>(program: &Program<B>, wanted: &Wanted) -> Result<Vec<Collected<B>>> {
    let graph = program.graph();
    let layers = graph.layers();
    graph
        .parameter_ids()
        .map(|id| {
            let spec = &graph.parameters()[id.index()];
            match spec.role {
                _ if !wanted.parameters[id.index()] => Ok(Collected::Nothing),
                Role::Weight => {
                    let layer = layers.iter().find(|layer| layer.weight == id);
                    let layer = layer.expect("invariant: weights belong to a layer");
                    Ok(Collected::Sum(program.backend().gradient(&layer.shape)?))
                }
                _ => Ok(Collected::Vector(vec![0.0; spec.elements()])),
            }
        })
        .collect()
}

type Reduced<B> = (Vec<Collected<B>>, Option<Vec<f64>>);

/// Sums over chunks, in order; what was collected is emptied and handed back.
fn reduce<B: Backend>(
    program: &Program<B>,
    by_chunk: Vec<Vec<Collected<B>>>,
    wanted: &Wanted,
) -> Result<Vec<Reduced<B>>> {
    let specs = program.graph().parameters();
    let mut by_parameter: Vec<Vec<Collected<B>>> = specs.iter().map(|_| Vec::new()).collect();
    for chunk in by_chunk {
        for (parameter, collected) in by_parameter.iter_mut().zip(chunk) {
            parameter.push(collected);
        }
    }
    by_parameter
        .into_par_iter()
        .enumerate()
        .map(|(index, mut chunks)| {
            if !wanted.parameters[index] {
                return Ok((chunks, None));
            }
            let mut total = vec![0.0; specs[index].elements()];
            drain(program.backend(), &mut chunks, &mut total)?;
            Ok((chunks, Some(total)))
        })
        .collect()
}

fn drain<B: Backend>(backend: &B, chunks: &mut [Collected<B>], total: &mut [f64]) -> Result<()> {
    let mut sums = Vec::new();
    for collected in chunks {
        match collected {
            Collected::Sum(sum) => sums.push(sum),
            Collected::Vector(sum) => {
                for (total, sum) in total.iter_mut().zip(sum) {
                    *total += std::mem::take(sum);
                }
            }
            Collected::Nothing | Collected::Rows(_) => {}
        }
    }
    backend.drain_gradients(&mut sums, total)
}

/// The nodes at which chunks wait for each other.
fn barriers(graph: &Graph, mode: BatchNormMode) -> Vec<(NodeId, BatchNorm)> {
    if mode != BatchNormMode::Batch {
        return Vec::new();
    }
    let norm = |id: NodeId| match &graph.node(id).operation {
        Operation::BatchNorm(norm) => Some((id, *norm)),
        _ => None,
    };
    graph.ids().filter_map(norm).collect()
}

/// Sums of two kinds per channel, over chunks in order.
fn add_sums(sums: Vec<[Vec<f64>; 2]>) -> [Vec<f64>; 2] {
    let add = |mut total: [Vec<f64>; 2], sum: [Vec<f64>; 2]| {
        for (total, sum) in total.iter_mut().zip(&sum) {
            total
                .iter_mut()
                .zip(sum)
                .for_each(|(total, sum)| *total += sum);
        }
        total
    };
    sums.into_iter().reduce(add).unwrap_or_default()
}

impl<B: Backend> Walk<'_, '_, B> {
    fn forward(&mut self) -> Result<Vec<(BatchNorm, Statistics)>> {
        let mut statistics = Vec::new();
        let mut start = 1;
        for (id, norm) in barriers(self.program.graph(), self.program.mode()) {
            let batch = self.forward_to(start..id.index(), (id, &norm))?;
            let backend = self.program.backend();
            let mode = self.program.mode();
            let with = Preparation {
                backend,
                parameters: self.parameters,
                mode,
            };
            let coefficients = norm.coefficients(&with, &batch.mean, &batch.variance)?;
            *self.program.prepared_mut(id) = Prepared::Norm(coefficients);
            statistics.push((norm, batch));
            start = id.index();
        }
        self.forward_nodes(start..self.program.graph().nodes().len())?;
        Ok(statistics)
    }

    fn forward_nodes(&mut self, range: Range<usize>) -> Result<()> {
        let (program, workspaces) = (&*self.program, self.workspaces);
        self.workers.par_iter_mut().try_for_each(|worker| {
            workspaces.with(|ws| program.forward_nodes(ws, &mut worker.chunk, range.clone()))
        })
    }

    /// Walks the nodes before a barrier; the statistics of what the barrier normalises. Each chunk
    /// takes its moments while it is still in the cache.
    fn forward_to(
        &mut self,
        nodes: Range<usize>,
        (id, norm): (NodeId, &BatchNorm),
    ) -> Result<Statistics> {
        let (program, workspaces) = (&*self.program, self.workspaces);
        let (backend, graph) = (program.backend(), program.graph());
        let input = graph.node(id).inputs[0];
        let pivot_values = self.parameters.get(norm.mean);
        let pivot = backend.channels(pivot_values)?;
        let sums = self.workers.par_iter_mut().map(|worker| {
            let chunk = &mut worker.chunk;
            workspaces.with(|ws| program.forward_nodes(ws, chunk, nodes.clone()))?;
            let x = chunk.primal[input.index()].as_ref();
            backend.channel_moments(x.expect("invariant: what is normalised is kept"), &pivot)
        });
        let sums = add_sums(sums.collect::<Result<_>>()?);
        let places = graph.node(id).shape.elements() / norm.channels;
        Ok(Statistics::from_moments(
            pivot_values,
            &sums,
            (places * self.total) as f64,
        ))
    }

    /// Places the gradient of the mean loss at the logits.
    fn loss(&mut self, batch: &Batch, gradient: Option<&LossGradient>) -> Result<Tally> {
        let (program, workspaces, total) = (&*self.program, self.workspaces, self.total);
        let tallies = self.workers.par_iter_mut().map(|worker| {
            workspaces.with(|ws| {
                let logits = program.logits(ws, &mut worker.chunk)?;
                let labels = &batch.labels[worker.images.clone()];
                let seed = match gradient {
                    None => loss::gradient(&logits, labels, total),
                    Some(gradient) => gradient(worker.images.clone(), &logits, labels),
                };
                program.seed(ws, &mut worker.chunk, &seed)?;
                Ok(Tally::of(&logits, labels))
            })
        });
        let mut tally = Tally::default();
        for chunk in tallies.collect::<Result<Vec<_>>>()? {
            tally.add(&chunk);
        }
        Ok(tally)
    }

    /// Walks back; the gradients that are known at the barriers, by parameter.
    fn backward(&mut self) -> Result<Vec<Option<Vec<f64>>>> {
        let graph = self.program.graph();
        let mut gradients = vec![None; graph.parameters().len()];
        let mut end = graph.nodes().len();
        for (id, norm) in barriers(graph, self.program.mode()).into_iter().rev() {
            let [scale, shift] = self.backward_to(id.index() + 1..end, (id, &norm))?;
            for (parameter, gradient) in [(norm.scale, scale), (norm.shift, shift)] {
                let asked = parameter.filter(|id| self.wanted.parameters[id.index()]);
                if let Some(parameter) = asked {
                    gradients[parameter.index()] = Some(gradient);
                }
            }
            end = id.index() + 1;
        }
        self.backward_nodes(1..end)?;
        Ok(gradients)
    }

    fn backward_nodes(&mut self, range: Range<usize>) -> Result<()> {
        let (program, workspaces, wanted) = (&*self.program, self.workspaces, self.wanted);
        self.workers.par_iter_mut().try_for_each(|worker| {
            let Worker {
                chunk, collected, ..
            } = worker;
            workspaces
                .with(|ws| program.backward_nodes(ws, chunk, range.clone(), (wanted, collected)))
        })
    }

    /// Walks back over the nodes behind a barrier and completes its batch normalisation for the
    /// backward walk; gradients of gamma and beta.
    fn backward_to(
        &mut self,
        nodes: Range<usize>,
        (id, norm): (NodeId, &BatchNorm),
    ) -> Result<[Vec<f64>; 2]> {
        let (program, workspaces, wanted) = (&*self.program, self.workspaces, self.wanted);
        let (backend, graph) = (program.backend(), program.graph());
        let input = graph.node(id).inputs[0];
        let places = graph.node(id).shape.elements() / norm.channels;
        let coefficients = norm_of(program.prepared(id));
        let sums = self.workers.par_iter_mut().map(|worker| {
            let Worker {
                chunk, collected, ..
            } = worker;
            workspaces
                .with(|ws| program.backward_nodes(ws, chunk, nodes.clone(), (wanted, collected)))?;
            let x = chunk.primal[input.index()].as_ref();
            let x = x.expect("invariant: what is normalised is kept");
            let dy = chunk.gradients[id.index()].as_ref();
            let dy = dy.expect("invariant: every normalised wire reaches the loss");
            backend.channel_products(x, &coefficients.mean, dy)
        });
        let sums = add_sums(sums.collect::<Result<_>>()?);
        let slopes: Vec<f64> = sums[1]
            .iter()
            .zip(&coefficients.inverse)
            .map(|(p, inverse)| p * inverse)
            .collect();
        let count = (places * self.total) as f64;
        if let Prepared::Norm(coefficients) = self.program.prepared_mut(id) {
            BatchNorm::complete(backend, coefficients, &sums, count)?;
        }
        let [shifts, _] = sums;
        Ok([slopes, shifts])
    }
}
