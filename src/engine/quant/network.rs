//! A network whose layers are quantized to the bits of a plan.
//!
//! Master weights stay in floating point; every walk sees them on their grids (fake quantization).
//! Gradients pass straight through inside the range (arXiv 1308.3432), and step sizes are learned
//! as in LSQ (arXiv 1902.08153, section 2.1, gradients scaled by `1 / sqrt(n q)`).

use std::sync::Arc;

use rayon::prelude::*;

use super::insert::{Inserted, LayerBits, insert};
use super::{Grids, ScaleRule, weights};
use crate::engine::Result;
use crate::engine::autodiff::{Program, Workspaces, chunk_ranges, in_turns};
use crate::engine::backend::{Backend, Grid};
use crate::engine::data::Images;
use crate::engine::graph::operations::rules::Purpose;
use crate::engine::graph::operations::{BatchNormMode, Codes};
use crate::engine::graph::{Graph, Layer, Operation, ParameterId, Parameters, single};
use crate::engine::job::{Event, Observer, Phase, Verdict};

/// Activation values of a layer that its step size is fitted to, at most.
const VALUES: usize = 1 << 15;

/// Smallest share of its first value that a learned step size can shrink to.
const SMALLEST_STEP: f64 = 1e-3;

/// How a layer's weights are quantized.
#[derive(Debug, Clone, PartialEq)]
pub struct WeightQuantizer {
    /// The layer.
    pub layer: Arc<str>,
    /// Its weights.
    pub weight: ParameterId,
    /// Its grids.
    pub grids: Grids,
    /// The step sizes they started from, which keep learned ones from vanishing.
    pub first_steps: Vec<f64>,
}

/// A network whose layers are quantized.
#[derive(Debug, Clone, PartialEq)]
pub struct QuantizedNetwork {
    /// The graph, with fake quantization in front of layers.
    pub graph: Graph,
    /// Master weights, batch normalisation, biases, and step sizes of activations.
    pub parameters: Parameters,
    /// By layer; absent where weights stay as they are.
    pub quantizers: Vec<Option<WeightQuantizer>>,
    /// Bits, by layer.
    pub bits: Vec<LayerBits>,
    steps: Vec<Option<ParameterId>>,
    base_parameters: usize,
}

impl QuantizedNetwork {
    /// Quantizes the layers of `base` to `bits`, in order; weight step sizes by `rule`, activation
    /// step sizes still to be [calibrated](Self::calibrate).
    ///
    /// # Errors
    /// When there are not as many `bits` as layers, or a weight is not finite.
    pub fn new(
        base: &Graph,
        parameters: &Parameters,
        bits: &[LayerBits],
        rule: ScaleRule,
    ) -> Result<Self> {
        let Inserted { graph, steps } = insert(base, bits)?;
        let mut parameters = Parameters::new(parameters.all()[..base.parameters().len()].to_vec());
        for _ in steps.iter().flatten() {
            parameters.push(vec![1.0]);
        }
        let quantizers = graph
            .layers()
            .iter()
            .zip(bits)
            .map(|(layer, bits)| {
                let channels = graph.parameters()[layer.weight.index()].shape[0];
                quantizer((layer, channels), *bits, &parameters, rule)
            })
            .collect::<Result<_>>()?;
        let bits = bits.to_vec();
        let base_parameters = base.parameters().len();
        Ok(Self {
            graph,
            parameters,
            quantizers,
            bits,
            steps,
            base_parameters,
        })
    }

    /// Takes over the learned step sizes of `other` where both quantize the same layer alike.
    pub fn adopt_steps(&mut self, other: &Self) {
        for index in 0..self.bits.len() {
            if let (Some(mine), Some(theirs)) =
                (&mut self.quantizers[index], &other.quantizers[index])
                && mine.grids.codes == theirs.grids.codes
            {
                *mine = theirs.clone();
            }
            if let (Some(mine), Some(theirs)) = (self.steps[index], other.steps[index])
                && self.bits[index].activations == other.bits[index].activations
            {
                *self.parameters.get_mut(mine) = other.parameters.get(theirs).to_vec();
            }
        }
    }

    /// Step size of the activation that a layer reads, if it is quantized.
    #[must_use]
    pub fn activation_step(&self, layer: usize) -> Option<f64> {
        self.steps[layer].map(|step| self.parameters.get(step)[0])
    }

    /// Where the step size of the activation that a layer reads is kept, if it is quantized.
    #[must_use]
    pub fn activation_step_id(&self, layer: usize) -> Option<ParameterId> {
        self.steps[layer]
    }

    /// How many of the parameters the float network has, too.
    #[must_use]
    pub const fn base_parameters(&self) -> usize {
        self.base_parameters
    }

    /// The parameters as walks see them: weights on their grids.
    #[must_use]
    pub fn effective(&self) -> Parameters {
        let mut effective = self.parameters.clone();
        for quantizer in self.quantizers.iter().flatten() {
            let values = effective.get_mut(quantizer.weight);
            *values = quantizer.grids.quantize(values);
        }
        effective
    }

    /// One parameter as walks see it: weights on their grid.
    #[must_use]
    pub fn values_on_grid(&self, id: ParameterId) -> Vec<f64> {
        let values = self.parameters.get(id);
        let mut quantizers = self.quantizers.iter().flatten();
        match quantizers.find(|quantizer| quantizer.weight == id) {
            Some(quantizer) => quantizer.grids.quantize(values),
            None => values.to_vec(),
        }
    }

    /// Turns gradients in the quantized weights into gradients in the master weights, in place, and
    /// returns the gradients of each layer's weight step sizes.
    #[must_use]
    pub fn straight_through(&self, gradients: &mut [Option<Vec<f64>>]) -> Vec<Option<Vec<f64>>> {
        let take = |quantizer: &Option<WeightQuantizer>| {
            let weight = quantizer.as_ref()?.weight;
            gradients[weight.index()].take()
        };
        let mut taken: Vec<_> = self.quantizers.iter().map(take).collect();
        let layers = self.quantizers.par_iter().zip(&mut taken);
        let slope = |(quantizer, gradient): (&Option<WeightQuantizer>, &mut Option<Vec<f64>>)| {
            let (quantizer, gradient) = (quantizer.as_ref()?, gradient.as_mut()?);
            let values = self.parameters.get(quantizer.weight);
            let places = quantizer.grids.places(values.len());
            let slope = |(grid, place): (Grid, std::ops::Range<usize>)| {
                pass_through(grid, &values[place.clone()], &mut gradient[place])
            };
            Some(places.map(slope).collect())
        };
        let slopes = layers.map(slope).collect();
        for (quantizer, gradient) in self.quantizers.iter().zip(taken) {
            if let Some(quantizer) = quantizer {
                gradients[quantizer.weight.index()] = gradient;
            }
        }
        slopes
    }

    /// LSQ's scale of the gradient of a layer's activation step size, `1 / sqrt(elements * Qp)` with the
    /// largest code `Qp` of what the layer reads, signed or not (arXiv 1902.08153, section 2.2).
    #[must_use]
    pub fn activation_gradient_scale(&self, layer: usize) -> f64 {
        let (_, high) = self.activation_codes(layer).range();
        let size = self.graph.layers()[layer].activation_size;
        1.0 / (size as f64 * high).sqrt()
    }

    /// Moves a layer's weight step sizes, which stay positive.
    pub fn set_weight_steps(&mut self, layer: usize, moved: &[f64]) {
        if let Some(quantizer) = &mut self.quantizers[layer] {
            let steps = quantizer.grids.steps.iter_mut().zip(&quantizer.first_steps);
            for ((step, first), moved) in steps.zip(moved) {
                *step = single(moved.max(first * SMALLEST_STEP));
            }
        }
    }

    /// Fits the activation step sizes of the layers named by `which` to what they read when the
    /// weights are quantized and activations are not. `false` when the observer asked to stop.
    ///
    /// # Errors
    /// When the device fails or an activation is not finite.
    pub fn calibrate<B: Backend>(
        &mut self,
        backend: &B,
        images: &dyn Images,
        which: &(dyn Fn(usize) -> bool + Sync),
        observer: &mut dyn Observer,
    ) -> Result<bool> {
        let base = self.without_quantizers()?;
        let effective = Parameters::new(self.effective().all()[..self.base_parameters].to_vec());
        let walk = (BatchNormMode::Running, Purpose::Analyse);
        let program = Program::new(&base, backend, &effective, walk)?;
        let Some(values) = layer_inputs(&program, images, observer)? else {
            return Ok(false);
        };
        let fit = |(layer, values): (usize, &Vec<f64>)| {
            let step = self.steps[layer].filter(|_| which(layer))?;
            let grid = weights::fit(self.activation_codes(layer), ScaleRule::Mse, values);
            Some(grid.map(|grid| (step, grid.step)))
        };
        let fitted: Vec<_> = values.par_iter().enumerate().filter_map(fit).collect();
        for fitted in fitted {
            let (id, step) = fitted?;
            *self.parameters.get_mut(id) = vec![step];
        }
        Ok(true)
    }

    /// Codes of the activation that a quantized layer reads.
    #[must_use]
    pub fn activation_codes(&self, layer: usize) -> Codes {
        let layers = self.graph.layers();
        let read = self
            .graph
            .node(self.graph.node(layers[layer].node).inputs[0]);
        match &read.operation {
            Operation::Quantize(quantize) => quantize.codes,
            _ => Codes::Signed(self.bits[layer].activations),
        }
    }

    /// The float network's graph.
    ///
    /// # Errors
    /// When the graph is none with quantizers in front of layers.
    pub fn without_quantizers(&self) -> Result<Graph> {
        self.graph.without_quantizers(self.base_parameters)
    }
}

fn quantizer(
    (layer, channels): (&Layer, usize),
    bits: LayerBits,
    parameters: &Parameters,
    rule: ScaleRule,
) -> Result<Option<WeightQuantizer>> {
    if bits.weights.is_float() {
        return Ok(None);
    }
    let codes = Codes::Signed(bits.weights);
    let values = parameters.get(layer.weight);
    let grids = Grids::fit(codes, rule, (values, channels))?;
    let (layer, weight) = (layer.name.clone(), layer.weight);
    Ok(Some(WeightQuantizer {
        layer,
        weight,
        first_steps: grids.steps.clone(),
        grids,
    }))
}

/// Straight-through rule on `gradient`, in place; returns the scaled gradient of the step size.
fn pass_through(grid: Grid, values: &[f64], gradient: &mut [f64]) -> f64 {
    let Grid { step, low, high } = grid;
    let mut slope = 0.0;
    for (value, gradient) in values.iter().zip(gradient.iter_mut()) {
        let scaled = value / step;
        if scaled < low {
            slope += *gradient * low;
            *gradient = 0.0;
        } else if scaled > high {
            slope += *gradient * high;
            *gradient = 0.0;
        } else {
            slope += *gradient * (scaled.round_ties_even() - scaled);
        }
    }
    slope / (values.len() as f64 * high).sqrt()
}

/// An even selection of the values that each layer reads. `None` when the observer asked to stop.
fn layer_inputs<B: Backend>(
    program: &Program<B>,
    images: &dyn Images,
    observer: &mut dyn Observer,
) -> Result<Option<Vec<Vec<f64>>>> {
    const WAVE: usize = 8;
    let graph = program.graph();
    let wires: Vec<_> = graph
        .layers()
        .iter()
        .map(|layer| graph.node(layer.node).inputs[0])
        .collect();
    let strides: Vec<usize> = wires
        .iter()
        .map(|&wire| (graph.node(wire).shape.elements() * images.len()).div_ceil(VALUES))
        .collect();
    let workspaces = Workspaces::<B>::default();
    let mut values: Vec<Vec<f64>> = vec![Vec::new(); wires.len()];
    for wave in chunk_ranges(images.len(), program.backend().chunk()).chunks(WAVE) {
        let read: Vec<Vec<Vec<f64>>> = in_turns(wave, program.at_once(), |range| {
            let loaded = images.load(range.clone())?;
            workspaces.with(|workspace| {
                let mut chunk = program.load(workspace, &loaded)?;
                program.forward(workspace, &mut chunk)?;
                let read = wires.iter().zip(&strides).map(|(wire, &stride)| {
                    let array = chunk.primal[wire.index()].as_ref();
                    let array = array.expect("invariant: what a layer reads is kept");
                    let values = program.backend().download(array)?;
                    Ok(values.into_iter().step_by(stride.max(1)).collect())
                });
                let read = read.collect::<Result<_>>()?;
                program.recycle(workspace, chunk);
                Ok(read)
            })
        })?;
        for read in read {
            values
                .iter_mut()
                .zip(read)
                .for_each(|(all, some)| all.extend(some));
        }
        let done = wave[wave.len() - 1].end as u64;
        let event = Event::Progress {
            phase: Phase::Calibrate,
            done,
            total: images.len() as u64,
        };
        if observer.on(event) == Verdict::Stop {
            return Ok(None);
        }
    }
    Ok(Some(values))
}
