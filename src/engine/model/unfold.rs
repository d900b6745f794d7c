//! Batch normalisation that an exporter folded into layers, taken out again with the checkpoint.
//!
//! A folded layer has `W'_c = r_c W_c` and `b'_c = beta_c + (b_c - mean_c) r_c` with
//! `r_c = gamma_c / sqrt(variance_c + epsilon)`, channel by channel. The layer of the checkpoint is the
//! one whose filters are parallel to the folded ones; its normalisation the one that gives both `r` and
//! `b'`. Names do not matter, so files that lost them are unfolded too; nothing is accepted that does not
//! fit to [`CLOSE`].

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::weights::{NamedTensor, WeightsFile};
use crate::engine::import::{
    Network, Normalization, Operation, Origin, Parameter, ParameterId, Step, Values,
};
use crate::engine::{Error, Result};

/// Relative distance below which numbers are the same.
const CLOSE: f64 = 1e-5;
/// What is usually added to variances; other numbers are computed from the folded ones.
const EPSILONS: [f64; 5] = [1e-5, 1e-3, 1e-6, 1e-4, 1e-2];

/// A layer of the checkpoint with the normalisation behind it.
struct Pair<'a> {
    /// Path of the layer.
    layer: &'a str,
    weight: &'a NamedTensor,
    bias: Option<&'a NamedTensor>,
    /// Path of the normalisation.
    norm: &'a str,
    statistics: Statistics<'a>,
    epsilon: f64,
}

/// The tensors of a normalisation.
#[derive(Clone, Copy)]
struct Statistics<'a> {
    gamma: Option<&'a NamedTensor>,
    beta: Option<&'a NamedTensor>,
    mean: &'a NamedTensor,
    variance: &'a NamedTensor,
}

/// Takes the normalisation out of every layer that it was folded into; of how many is answered. What
/// the checkpoint has under another name is called as it is there.
///
/// # Errors
/// When the checkpoint does not have a layer and a normalisation for one of them; it is named.
pub(super) fn unfold(network: &mut Network, file: &WeightsFile) -> Result<usize> {
    let checkpoint = Checkpoint::of(file);
    let mut pairs: HashMap<usize, Pair> = HashMap::new();
    let mut lost = Vec::new();
    for (place, step) in network.steps.iter().enumerate() {
        let Some((weights, bias)) = layer_of(&step.operation) else {
            continue;
        };
        let origin = network.parameter(weights).origin.as_ref();
        if origin.is_none_or(|origin| origin.values != Values::Folded) {
            continue;
        }
        match checkpoint.pair(network, (weights, bias)) {
            Some(pair) => {
                pairs.insert(place, pair);
            }
            None => lost.push(step.name.clone()),
        }
    }
    if !lost.is_empty() {
        return Err(Error::invalid(format!(
            "no layer with batch normalisation in it gives the folded {}: is it the checkpoint that the \
             network was exported from? Leave --weights out to take the folded weights, or export with \
             optimize=False",
            lost.join(", ")
        )));
    }
    let found = pairs.len();
    let prefix = prefix(network, &pairs);
    checkpoint.rename(network, &prefix);
    insert(network, pairs, &prefix);
    network.normalization = Normalization::Kept;
    Ok(found)
}

/// Weights and bias of a layer.
const fn layer_of(operation: &Operation) -> Option<(ParameterId, Option<ParameterId>)> {
    match operation {
        Operation::Conv { weights, bias, .. } | Operation::Linear { weights, bias } => {
            Some((*weights, *bias))
        }
        _ => None,
    }
}

/// The tensors of a checkpoint by name.
struct Checkpoint<'a> {
    tensors: HashMap<&'a str, &'a NamedTensor>,
    all: &'a [NamedTensor],
    /// In the order of the file.
    weights: Vec<(&'a str, &'a NamedTensor)>,
    norms: Vec<(&'a str, Statistics<'a>)>,
}

impl<'a> Checkpoint<'a> {
    fn of(file: &'a WeightsFile) -> Self {
        let tensors: HashMap<&str, &NamedTensor> = file.names().collect();
        let weights = file.names().filter_map(|(name, tensor)| {
            let path = name.strip_suffix(".weight")?;
            (tensor.shape.len() >= 2).then_some((path, tensor))
        });
        let norms = file.names().filter_map(|(name, mean)| {
            let path = name.strip_suffix(".running_mean")?;
            let of = |what: &str| tensors.get(&*format!("{path}.{what}")).copied();
            let statistics = Statistics {
                gamma: of("weight"),
                beta: of("bias"),
                mean,
                variance: of("running_var")?,
            };
            let channels = mean.values.len();
            let all = [statistics.gamma, statistics.beta, Some(statistics.variance)];
            let fit = all.into_iter().flatten();
            fit.into_iter()
                .all(|tensor| tensor.values.len() == channels)
                .then_some((path, statistics))
        });
        Self {
            weights: weights.collect(),
            norms: norms.collect(),
            all: &file.tensors,
            tensors,
        }
    }

    fn get(&self, path: &str, what: &str) -> Option<&'a NamedTensor> {
        self.tensors.get(&*format!("{path}.{what}")).copied()
    }

    /// The layer and the normalisation that were folded into a layer of the network.
    fn pair(
        &self,
        network: &Network,
        (weights, bias): (ParameterId, Option<ParameterId>),
    ) -> Option<Pair<'a>> {
        let folded = network.parameter(weights);
        let channels = *folded.shape.first()?;
        let zeros = vec![0.0; channels];
        let shift = bias.map_or(&zeros[..], |bias| &network.parameter(bias).values[..]);
        let alike = self
            .weights
            .iter()
            .filter(|(_, tensor)| tensor.shape == folded.shape);
        alike.into_iter().find_map(|&(layer, weight)| {
            let ratios = ratios(&folded.values, &weight.values, channels)?;
            let bias = self.get(layer, "bias");
            self.norms.iter().find_map(|&(norm, statistics)| {
                let epsilon = statistics.explains(&ratios, shift, bias)?;
                Some(Pair {
                    layer,
                    weight,
                    bias,
                    norm,
                    statistics,
                    epsilon,
                })
            })
        })
    }

    /// Calls parameters that are tensors of the checkpoint, whole and unchanged, as they are called there.
    fn rename(&self, network: &mut Network, prefix: &str) {
        for parameter in &mut network.parameters {
            let named = parameter.origin.as_ref().is_some_and(|origin| {
                let path = format!("{prefix}{}", origin.tensor);
                origin.values == Values::Folded || self.tensors.contains_key(&*path)
            });
            if named {
                continue;
            }
            let same = |tensor: &&NamedTensor| {
                tensor.shape == parameter.shape && tensor.values == *parameter.values
            };
            if let Some(tensor) = self.all.iter().find(|tensor| same(tensor)) {
                let name = without(&tensor.name, prefix).to_owned();
                parameter.origin = Some(Origin::of(name, Values::Original));
            }
        }
    }
}

/// By which number each filter was multiplied; nothing unless every one was multiplied by one number.
fn ratios(folded: &[f32], plain: &[f32], channels: usize) -> Option<Vec<f64>> {
    let filter = plain.len().checked_div(channels)?;
    let pairs = folded.chunks(filter).zip(plain.chunks(filter));
    pairs
        .map(|(folded, plain)| {
            let pairs = || {
                let wide = plain.iter().zip(folded);
                wide.map(|(&w, &f)| (f64::from(w), f64::from(f)))
            };
            let square: f64 = pairs().map(|(w, _)| w * w).sum();
            if square == 0.0 {
                return folded.iter().all(|&f| f == 0.0).then_some(f64::NAN);
            }
            let ratio = pairs().map(|(w, f)| w * f).sum::<f64>() / square;
            let off: f64 = pairs().map(|(w, f)| (f - ratio * w).powi(2)).sum();
            let all: f64 = pairs().map(|(_, f)| f * f).sum();
            (off.sqrt() <= CLOSE * all.sqrt()).then_some(ratio)
        })
        .collect()
}

impl Statistics<'_> {
    /// What is added to the variances, if this normalisation made these ratios and biases.
    fn explains(&self, ratios: &[f64], shift: &[f32], own: Option<&NamedTensor>) -> Option<f64> {
        if self.mean.values.len() != ratios.len() {
            return None;
        }
        let epsilons = EPSILONS.into_iter().chain(self.epsilon(ratios));
        let mut epsilons = epsilons.filter(|&epsilon| {
            let factors: Vec<f64> = (0..ratios.len()).map(|c| self.factor(c, epsilon)).collect();
            Self::gives(&factors, ratios) && self.shifts(&factors, shift, own)
        });
        epsilons.next()
    }

    fn factor(&self, channel: usize, epsilon: f64) -> f64 {
        let at = |tensor: &NamedTensor| f64::from(tensor.values[channel]);
        self.gamma.map_or(1.0, at) / (at(self.variance) + epsilon).sqrt()
    }

    /// The epsilon that the channel of the smallest variance asks for.
    fn epsilon(&self, ratios: &[f64]) -> Option<f64> {
        let variances = self.variance.values.iter().enumerate();
        let (channel, &variance) = variances.min_by(|a, b| a.1.total_cmp(b.1))?;
        let gamma = self.gamma.map_or(1.0, |gamma| gamma.values[channel]);
        let epsilon = (f64::from(gamma) / ratios[channel]).powi(2) - f64::from(variance);
        (epsilon.is_finite() && epsilon > 0.0).then_some(epsilon)
    }

    fn gives(factors: &[f64], ratios: &[f64]) -> bool {
        let pairs = factors.iter().zip(ratios);
        // The filter of a channel may be zero: then its bias alone tells.
        pairs
            .filter(|(_, ratio)| !ratio.is_nan())
            .all(|(factor, ratio)| (factor - ratio).abs() <= CLOSE * ratio.abs())
    }

    fn shifts(&self, factors: &[f64], shift: &[f32], own: Option<&NamedTensor>) -> bool {
        let at = |tensor: Option<&NamedTensor>, channel: usize| {
            tensor.map_or(0.0, |tensor| f64::from(tensor.values[channel]))
        };
        (0..factors.len()).all(|c| {
            let terms = [
                at(self.beta, c),
                at(own, c) * factors[c],
                -f64::from(self.mean.values[c]) * factors[c],
            ];
            let size: f64 = terms.iter().map(|term| term.abs()).sum();
            (terms.iter().sum::<f64>() - f64::from(shift[c])).abs()
                <= CLOSE * size.max(f64::MIN_POSITIVE)
        })
    }
}

/// What names in the checkpoint begin with, and paths in the network do not: what most layers say, of
/// which the network knows the path; else what all of them begin with.
fn prefix(network: &Network, pairs: &HashMap<usize, Pair>) -> String {
    // In order, so that equal counts are not decided by chance.
    let mut votes: BTreeMap<&str, usize> = BTreeMap::new();
    for (place, pair) in pairs {
        let name = &*network.steps[*place].name;
        if let Some(before) = pair.layer.strip_suffix(name)
            && (before.is_empty() || before.ends_with('.'))
        {
            *votes.entry(before).or_default() += 1;
        }
    }
    let most = votes.into_iter().max_by_key(|(_, count)| *count);
    most.map_or_else(String::new, |(prefix, _)| prefix.to_owned())
}

fn without<'a>(name: &'a str, prefix: &str) -> &'a str {
    name.strip_prefix(prefix).unwrap_or(name)
}

/// Puts the layers of the checkpoint, and their normalisation behind them, in the place of folded ones.
fn insert(network: &mut Network, mut pairs: HashMap<usize, Pair>, prefix: &str) {
    let mut names: HashSet<String> = HashSet::new();
    let before = std::mem::take(&mut network.steps);
    let mut places = Vec::with_capacity(before.len());
    for (place, mut step) in before.into_iter().enumerate() {
        step.inputs
            .iter_mut()
            .for_each(|input| *input = places[*input]);
        let Some(pair) = pairs.remove(&place) else {
            names.insert(step.name.clone());
            places.push(network.steps.len());
            network.steps.push(step);
            continue;
        };
        let (form, source, layer) = (step.form, step.source.clone(), network.steps.len());
        let own = step.name.clone();
        step.name = unused(&mut names, [without(pair.layer, prefix), &own]);
        replace(&mut step.operation, &pair, &mut Adding { network, prefix });
        network.steps.push(step);
        let operation = normalization(&pair, &mut Adding { network, prefix });
        let name = unused(
            &mut names,
            [without(pair.norm, prefix), &format!("{own}.norm")],
        );
        places.push(network.steps.len());
        network.steps.push(Step {
            name,
            source,
            operation,
            inputs: vec![layer],
            form,
        });
    }
    for output in &mut network.outputs {
        output.step = output.step.map(|step| places[step]);
    }
}

/// The first of some names that no step has.
fn unused(names: &mut HashSet<String>, wanted: [&str; 2]) -> String {
    let numbered = (2..).map(|number| format!("{}#{number}", wanted[0]));
    let mut all = wanted.into_iter().map(str::to_owned).chain(numbered);
    let free = all.find(|name| names.insert(name.clone()));
    free.expect("invariant: there is always a further number")
}

/// Adds parameters to a network.
struct Adding<'n> {
    network: &'n mut Network,
    prefix: &'n str,
}

impl Adding<'_> {
    fn add(&mut self, tensor: &NamedTensor) -> ParameterId {
        self.network.parameters.push(Parameter {
            shape: tensor.shape.clone(),
            values: Arc::new(tensor.values.clone()),
            origin: Some(Origin::of(
                without(&tensor.name, self.prefix).to_owned(),
                Values::Unfolded,
            )),
        });
        ParameterId(self.network.parameters.len() - 1)
    }
}

fn replace(operation: &mut Operation, pair: &Pair, adding: &mut Adding) {
    if let Operation::Conv { weights, bias, .. } | Operation::Linear { weights, bias } = operation {
        *weights = adding.add(pair.weight);
        *bias = pair.bias.map(|bias| adding.add(bias));
    }
}

fn normalization(pair: &Pair, adding: &mut Adding) -> Operation {
    let Statistics {
        gamma,
        beta,
        mean,
        variance,
    } = pair.statistics;
    Operation::BatchNorm {
        gamma: gamma.map(|gamma| adding.add(gamma)),
        beta: beta.map(|beta| adding.add(beta)),
        mean: adding.add(mean),
        variance: adding.add(variance),
        epsilon: pair.epsilon,
    }
}
