//! Cheap repairs of a quantized network, without training: what everyone applies before judging a plan.
//!
//! ```text
//! QuantizedNetwork -rounding-> weights on their grids, each column making up for those before it
//!                  -bias-----> what quantization moved the mean of each output by is taken back
//!                  -norms----> batch normalisation with the statistics of the quantized network
//! ```
//! All three look at a few images; none needs labels. What they change are numbers, never bits or sizes.

mod bias;
mod factor;
mod moments;
mod norms;
mod patches;
mod rounding;
mod walk;

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use self::moments::Moments;
use self::walk::Walk;
use super::backend::Backend;
use super::data::Images;
use super::graph::Parameters;
use super::job::{Event, Observer, Phase, Verdict};
use super::quant::QuantizedNetwork;
use super::{Error, Result};

/// A repair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Boost {
    /// Weights rounded column by column against the second moments of the layer's input (arXiv 2210.17323).
    Rounding,
    /// The mean of every output of a layer, moved back (arXiv 1906.04721, section 4.2).
    Bias,
    /// Running statistics of batch normalisation, measured anew.
    Norms,
}

impl Boost {
    /// Every repair, in the order in which they are applied.
    pub const ALL: [Self; 3] = [Self::Rounding, Self::Bias, Self::Norms];

    /// The name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rounding => "rounding",
            Self::Bias => "bias",
            Self::Norms => "norms",
        }
    }
}

impl fmt::Display for Boost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Boost {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|boost| boost.name() == text);
        found.ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            Error::invalid(format!("boost {text:?}: expected some of {names}"))
        })
    }
}

/// Repairs `network`, whose activations are calibrated and whose weights are still those that were trained,
/// on `images`. `false` when the observer asked to stop: the network is then half repaired.
///
/// # Errors
/// When a number is not finite, or the device fails.
pub fn boost<B: Backend>(
    network: &mut QuantizedNetwork,
    boosts: &BTreeSet<Boost>,
    (backend, images): (&B, &dyn Images),
    observer: &mut dyn Observer,
) -> Result<bool> {
    let has = |boost| boosts.contains(&boost);
    if (has(Boost::Rounding) || has(Boost::Bias))
        && !layer_by_layer(network, boosts, (backend, images), observer)?
    {
        return Ok(false);
    }
    if has(Boost::Norms) {
        return norms::reestimate(network, (backend, images), observer);
    }
    Ok(true)
}

/// Rounds and corrects the layers in their order. `false` when the observer asked to stop.
fn layer_by_layer<B: Backend>(
    network: &mut QuantizedNetwork,
    boosts: &BTreeSet<Boost>,
    (backend, images): (&B, &dyn Images),
    observer: &mut dyn Observer,
) -> Result<bool> {
    let has = |boost| boosts.contains(&boost);
    let trained = network.parameters.clone();
    let (float, graph) = (network.without_quantizers()?, network.graph.clone());
    let of_float = Parameters::new(trained.all()[..float.parameters().len()].to_vec());
    let mut exact = Walk::new(&float, &of_float, (backend, images))?;
    let mut walk = Walk::new(&graph, &network.parameters, (backend, images))?;
    let total = graph.layers().len() as u64;
    for (layer, (of_float, of)) in float.layers().iter().zip(graph.layers()).enumerate() {
        let (phase, done) = (Phase::Boost, layer as u64);
        if observer.on(Event::Progress { phase, done, total }) == Verdict::Stop {
            return Ok(false);
        }
        exact.reach(of_float.node)?;
        walk.reach(of.node)?;
        if network.quantizers[layer].is_none() {
            continue;
        }
        let fits = moments::bytes(of) <= backend.memory().of_values();
        let moments = Moments::of(of, [&exact, &walk], has(Boost::Rounding) && fits)?;
        if has(Boost::Rounding) {
            rounding::round(network, layer, (&trained, &moments));
        }
        if has(Boost::Bias) {
            bias::correct(network, layer, (&trained, &moments));
        }
        walk.update(&on_grid(network, layer))?;
    }
    Ok(true)
}

/// The parameters with the weights of the layers up to this one on their grids.
fn on_grid(network: &QuantizedNetwork, last: usize) -> Parameters {
    let mut parameters = network.parameters.clone();
    for quantizer in network.quantizers[..=last].iter().flatten() {
        *parameters.get_mut(quantizer.weight) = network.values_on_grid(quantizer.weight);
    }
    parameters
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::autodiff::Program;
    use crate::engine::backend::cpu::{Cpu, Isa};
    use crate::engine::data::{DataSpec, Normalization, Part, Selection};
    use crate::engine::evaluation::logits;
    use crate::engine::graph::Graph;
    use crate::engine::graph::operations::BatchNormMode;
    use crate::engine::graph::operations::rules::Purpose;
    use crate::engine::job::Silent;
    use crate::engine::model::demo;
    use crate::engine::quant::{Bits, LayerBits, ScaleRule};

    fn answers(
        cpu: &Cpu,
        (graph, parameters): (&Graph, &Parameters),
        images: &Selection,
    ) -> Vec<f64> {
        let walk = (BatchNormMode::Running, Purpose::Evaluate);
        let program = Program::new(graph, cpu, parameters, walk).unwrap();
        let mut all = Vec::new();
        let mut take = |found: &[f64], _: &[_]| {
            all.extend_from_slice(found);
            Verdict::Continue
        };
        logits(&program, images, &mut take).unwrap();
        all
    }

    #[test]
    fn each_repair_brings_the_answers_nearer_to_those_of_the_float_network() {
        let (model, cpu) = (demo::load().unwrap(), Cpu::new(Isa::detect()));
        let normalization = Normalization::new(vec![0.286], vec![0.353]).unwrap();
        let of = |part| DataSpec::Demo.load(part).unwrap();
        let (train, test) = (of(Part::Train), of(Part::Test));
        let looked_at = Selection::new(&train, &normalization, (0..96).collect()).unwrap();
        let seen = Selection::new(&test, &normalization, (0..96).collect()).unwrap();
        let right = answers(&cpu, (&model.graph, &model.parameters), &seen);
        let bits = LayerBits {
            weights: Bits::new(4).unwrap(),
            activations: Bits::new(4).unwrap(),
        };
        let bits = vec![bits; model.graph.layers().len()];
        let error = |boosts: &[Boost]| {
            let (graph, parameters) = (&model.graph, &model.parameters);
            let mut network =
                QuantizedNetwork::new(graph, parameters, &bits, ScaleRule::Mse).unwrap();
            network
                .calibrate(&cpu, &looked_at, &|_| true, &mut Silent)
                .unwrap();
            let boosts = boosts.iter().copied().collect();
            let with = (&cpu, &looked_at as &dyn Images);
            assert!(boost(&mut network, &boosts, with, &mut Silent).unwrap());
            let found = answers(&cpu, (&network.graph, &network.effective()), &seen);
            let pairs = found.iter().zip(&right);
            pairs
                .map(|(found, right)| (found - right).powi(2))
                .sum::<f64>()
        };
        let none = error(&[]);
        for (boosts, share) in [
            (&[Boost::Rounding][..], 0.5),
            (&[Boost::Bias], 1.0),
            (&[Boost::Norms], 1.0),
            (&[Boost::Rounding, Boost::Bias], 0.5),
        ] {
            let left = error(boosts);
            assert!(left < share * none, "{boosts:?}: {left} of {none}");
        }
    }
}
