//! A plan from a sensitivity file: budget, candidates, overrides, ties.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use super::budget::{Budget, Cost};
use super::frontier::{Point, frontier};
use super::harm::{Harm, harm};
use super::solve::{Choice, solve};
use crate::engine::complaint::listed;
use crate::engine::hessian::sensitivity::{LayerSensitivity, Sensitivity};
use crate::engine::hessian::{LayerWidth, Metric};
use crate::engine::plan::{LayerFacts, Override, Plan, PlannedLayer, Totals};
use crate::engine::quant::{Bits, ScaleRule};
use crate::engine::{Error, Result};

/// How activation bits are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ActivationBits {
    /// The same for every layer.
    Fixed(Bits),
    /// Those of the layer's weights.
    SameAsWeights,
}

impl FromStr for ActivationBits {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "same" => Ok(Self::SameAsWeights),
            _ => text.parse().map(Self::Fixed).map_err(|_| {
                Error::invalid(format!(
                    "activation bits {text:?}: expected 2 to 8, 32 for not quantized, or same"
                ))
            }),
        }
    }
}

impl fmt::Display for ActivationBits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(bits) => bits.fmt(f),
            Self::SameAsWeights => f.write_str("same"),
        }
    }
}

/// What a plan should be like.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// What it must fit; without one every layer gets the widest candidate.
    pub budget: Option<Budget>,
    /// Candidate weight bits.
    pub bits: Vec<Bits>,
    /// Activation bits; the image stays at 8.
    pub activation_bits: ActivationBits,
    /// What harm is predicted by.
    pub metric: Metric,
    /// How step sizes are chosen.
    pub scale: ScaleRule,
    /// Bits set by hand.
    pub overrides: Vec<Override>,
    /// Groups of layer names that must share bits, besides those of the sensitivity file.
    pub ties: Vec<Vec<String>>,
}

impl Default for Request {
    fn default() -> Self {
        let bits =
            [2, 3, 4, 8].map(|bits| Bits::new(bits).expect("invariant: a width that exists"));
        Self {
            budget: None,
            bits: bits.into(),
            activation_bits: ActivationBits::Fixed(Bits::MAX),
            metric: Metric::default(),
            scale: ScaleRule::default(),
            overrides: Vec::new(),
            ties: Vec::new(),
        }
    }
}

/// Candidates where nobody names any: the usual ones at which the harm of every layer is known, else all at
/// which it is, else the usual ones.
#[must_use]
pub fn usual_bits(sensitivity: &Sensitivity, metric: Metric, scale: ScaleRule) -> Vec<Bits> {
    let is_known = |bits: &Bits| {
        let mut layers = sensitivity.layers.iter();
        layers.all(|layer| harm(layer, *bits, metric, scale).is_ok())
    };
    let usual = Request::default().bits;
    let quantized = Bits::ALL.iter().filter(|bits| !bits.is_float());
    let known: Vec<Bits> = quantized.copied().filter(is_known).collect();
    let both: Vec<Bits> = usual.iter().copied().filter(is_known).collect();
    [both, known, usual]
        .into_iter()
        .find(|bits| !bits.is_empty())
        .unwrap_or_default()
}

/// A plan and what it adds up to.
#[derive(Debug, Clone, PartialEq)]
pub struct Allocated {
    /// The plan.
    pub plan: Plan,
    /// Sizes and BOPs.
    pub totals: Totals,
    /// Predicted harm; layers that lack the metric, pinned ones or all without a budget, are named.
    pub harm: Harm,
    /// Sum of latencies; absent when a layer's is unknown.
    pub latency_ms: Option<f64>,
}

/// Harm that is not known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lacking {
    /// Of candidates: without it there is nothing to choose by.
    pub to_choose: Vec<LayerWidth>,
    /// Of layers whose bits are not chosen: the sum is without them.
    pub of_fixed: Vec<LayerWidth>,
}

impl Request {
    /// The plan of least harm.
    ///
    /// # Errors
    /// [`Error::Infeasible`] when nothing fits the budget, with the reachable range;
    /// [`Error::Invalid`] when a measurement, a candidate or a named layer is missing.
    pub fn allocate(&self, sensitivity: &Sensitivity) -> Result<Allocated> {
        let mut plan = self.start(sensitivity)?;
        if let Some(budget) = self.budget {
            self.fit(&mut plan, sensitivity, budget)?;
        }
        Ok(self.describe(plan, sensitivity))
    }

    /// Gives the unpinned layers of `plan` the bits of least harm within `budget`.
    ///
    /// # Errors
    /// See [`allocate`](Self::allocate).
    pub fn fit(&self, plan: &mut Plan, sensitivity: &Sensitivity, budget: Budget) -> Result<()> {
        let groups = self.groups(plan, sensitivity, budget.cost())?;
        let choices: Vec<Vec<Choice>> = groups.iter().map(|g| g.choices.clone()).collect();
        let weights = sensitivity
            .layers
            .iter()
            .map(|layer| layer.parameters as u64)
            .sum();
        match solve(&choices, budget.limit(weights)) {
            Some(solution) => self.adopt(plan, sensitivity, (&groups, &solution.chosen)),
            None => return Err(infeasible(&choices, budget, weights)),
        }
        Ok(())
    }

    /// The smallest and the largest budget that plans with these pins and candidates reach.
    ///
    /// # Errors
    /// When a measurement is missing.
    pub fn reachable(
        &self,
        plan: &Plan,
        sensitivity: &Sensitivity,
        budget: Budget,
    ) -> Result<(Budget, Budget)> {
        let groups = self.groups(plan, sensitivity, budget.cost())?;
        let choices: Vec<Vec<Choice>> = groups.into_iter().map(|group| group.choices).collect();
        let weights = sensitivity
            .layers
            .iter()
            .map(|layer| layer.parameters as u64)
            .sum();
        let (least, most) = range(&choices);
        Ok((
            budget.reaching(least, weights),
            budget.reaching(most, weights),
        ))
    }

    /// The best plans between the cheapest and the dearest: cost in weight bits against harm.
    ///
    /// # Errors
    /// When a measurement is missing.
    pub fn frontier(&self, plan: &Plan, sensitivity: &Sensitivity) -> Result<Vec<(Point, Plan)>> {
        let groups = self.groups(plan, sensitivity, Cost::WeightBits)?;
        let choices: Vec<Vec<Choice>> = groups.iter().map(|g| g.choices.clone()).collect();
        let points = frontier(&choices).into_iter().map(|point| {
            let mut plan = plan.clone();
            self.adopt(&mut plan, sensitivity, (&groups, &point.chosen));
            (point, plan)
        });
        Ok(points.collect())
    }

    /// Harm of a plan by this request's metric.
    #[must_use]
    pub fn harm_of(&self, plan: &Plan, sensitivity: &Sensitivity) -> Harm {
        Harm::of(plan, &sensitivity.layers, self.metric)
    }

    /// What predicting harm lacks.
    #[must_use]
    pub fn lacking(&self, plan: &Plan, sensitivity: &Sensitivity) -> Lacking {
        let mut lacking = Lacking::default();
        for (planned, layer) in plan.layers.iter().zip(&sensitivity.layers) {
            let fixed = self.budget.is_none() || plan.is_held(planned);
            let own = [planned.weight_bits];
            let (widths, place) = if fixed {
                (&own[..], &mut lacking.of_fixed)
            } else {
                (&self.bits[..], &mut lacking.to_choose)
            };
            let unknown = |bits: &&Bits| harm(layer, **bits, self.metric, self.scale).is_err();
            place.extend(widths.iter().filter(unknown).map(|&bits| LayerWidth {
                layer: layer.layer.clone(),
                bits,
            }));
        }
        lacking
    }

    /// Every layer at the widest candidate, ties and overrides applied.
    ///
    /// # Errors
    /// When a tie or a pattern names no layer, or nothing can be chosen from.
    pub fn start(&self, sensitivity: &Sensitivity) -> Result<Plan> {
        let widest = *self.bits.iter().max().ok_or_else(|| {
            Error::invalid("no candidate bits: give at least one, such as --bits 2,3,4,8")
        })?;
        let layers = sensitivity.layers.iter().map(|layer| PlannedLayer {
            name: layer.layer.clone(),
            weight_bits: widest,
            activation_bits: self.activations(layer, widest),
            pinned: false,
            tie: layer.tie.clone(),
        });
        let mut plan = Plan {
            model: sensitivity
                .model
                .as_ref()
                .map_or_else(String::new, |model| model.name.clone()),
            fingerprint: sensitivity.fingerprint.clone(),
            scale: self.scale,
            layers: layers.collect(),
        };
        for names in &self.ties {
            let layers = names
                .iter()
                .map(|name| named(&plan, name))
                .collect::<Result<Vec<_>>>()?;
            plan.tie(&layers);
        }
        plan.apply(&self.overrides)?;
        Ok(plan)
    }

    fn activations(&self, layer: &LayerSensitivity, weights: Bits) -> Bits {
        match self.activation_bits {
            _ if layer.reads_image => Bits::MAX,
            ActivationBits::Fixed(bits) => bits,
            ActivationBits::SameAsWeights => weights,
        }
    }

    fn describe(&self, plan: Plan, sensitivity: &Sensitivity) -> Allocated {
        let facts: Vec<LayerFacts> = sensitivity.layers.iter().map(LayerFacts::from).collect();
        let totals = Totals::of(&facts, &plan);
        let harm = self.harm_of(&plan, sensitivity);
        let layers = plan.layers.iter().zip(&sensitivity.layers);
        let latency_ms = layers
            .map(|(planned, layer)| layer.latency_ms.get(&planned.weight_bits.get()).copied())
            .sum();
        Allocated {
            plan,
            totals,
            harm,
            latency_ms,
        }
    }

    /// Layers that are decided together, and what they can be.
    fn groups(&self, plan: &Plan, sensitivity: &Sensitivity, cost: Cost) -> Result<Vec<Group>> {
        if matches!(cost, Cost::Bops) {
            check_macs(sensitivity)?;
        }
        let mut by_tie: BTreeMap<&str, usize> = BTreeMap::new();
        let mut members: Vec<Vec<usize>> = Vec::new();
        for (index, layer) in plan.layers.iter().enumerate() {
            let tie = layer.tie.as_deref();
            if let Some(&group) = tie.and_then(|tie| by_tie.get(tie)) {
                members[group].push(index);
            } else {
                by_tie.extend(tie.map(|tie| (tie, members.len())));
                members.push(vec![index]);
            }
        }
        let group = |layers: Vec<usize>| self.group(plan, sensitivity, layers, cost);
        members.into_iter().map(group).collect()
    }

    fn group(
        &self,
        plan: &Plan,
        sensitivity: &Sensitivity,
        layers: Vec<usize>,
        cost: Cost,
    ) -> Result<Group> {
        let pin = layers
            .iter()
            .map(|&l| &plan.layers[l])
            .find(|layer| layer.pinned);
        let mut bits = pin.map_or_else(|| self.bits.clone(), |pin| vec![pin.weight_bits]);
        bits.sort_unstable();
        bits.dedup();
        let choice = |&bits: &Bits| {
            let mut sum = Choice {
                cost: 0.0,
                harm: 0.0,
            };
            for &index in &layers {
                let (planned, measured) = (&plan.layers[index], &sensitivity.layers[index]);
                sum.harm += match harm(measured, bits, self.metric, self.scale) {
                    Ok(harm) => harm,
                    // The same whatever is chosen for the others, so it does not matter.
                    Err(_) if pin.is_some() => 0.0,
                    Err(lacking) => return Err(lacking),
                };
                sum.cost += self.cost((planned, measured), bits, cost)?;
            }
            Ok(sum)
        };
        let choices = bits.iter().map(choice).collect::<Result<_>>()?;
        Ok(Group {
            layers,
            bits,
            choices,
        })
    }

    fn cost(
        &self,
        (planned, layer): (&PlannedLayer, &LayerSensitivity),
        bits: Bits,
        cost: Cost,
    ) -> Result<f64> {
        let width = f64::from(bits.get());
        match cost {
            Cost::WeightBits => Ok(width * layer.parameters as f64),
            Cost::Bops => {
                let activations = if planned.pinned {
                    planned.activation_bits
                } else {
                    self.activations(layer, bits)
                };
                let macs = layer.macs.ok_or_else(|| unknown_macs(&layer.layer))?;
                Ok(macs as f64 * width * f64::from(activations.get()))
            }
            Cost::Latency => layer.latency_ms.get(&bits.get()).copied().ok_or_else(|| {
                Error::invalid(format!(
                    "{} has no latency at {bits} bits; give measurements with --latency FILE",
                    layer.layer
                ))
            }),
        }
    }

    fn adopt(
        &self,
        plan: &mut Plan,
        sensitivity: &Sensitivity,
        (groups, chosen): (&[Group], &[usize]),
    ) {
        for (group, &choice) in groups.iter().zip(chosen) {
            for &index in &group.layers {
                let layer = &mut plan.layers[index];
                layer.weight_bits = group.bits[choice];
                if !layer.pinned {
                    let measured = &sensitivity.layers[index];
                    layer.activation_bits = self.activations(measured, group.bits[choice]);
                }
            }
        }
    }
}

/// Layers that are decided together.
struct Group {
    layers: Vec<usize>,
    bits: Vec<Bits>,
    choices: Vec<Choice>,
}

/// BOPs can be counted only where the multiply-accumulates of every layer are known.
fn check_macs(sensitivity: &Sensitivity) -> Result<()> {
    let unknown = |layer: &&LayerSensitivity| layer.macs.is_none();
    let names: Vec<&str> = sensitivity
        .layers
        .iter()
        .filter(unknown)
        .map(|layer| &*layer.layer)
        .collect();
    if names.is_empty() {
        return Ok(());
    }
    Err(unknown_macs(&listed(names.into_iter())))
}

fn unknown_macs(layers: &str) -> Error {
    Error::invalid(format!(
        "no multiply-accumulates (macs) are known of {layers}, so BOPs cannot be counted; add them \
         to the file, or give a budget of another kind"
    ))
}

fn named(plan: &Plan, name: &str) -> Result<usize> {
    let layers = crate::engine::plan::pattern::matching(name, &plan.names())?;
    match layers[..] {
        [layer] => Ok(layer),
        _ => Err(Error::invalid(format!(
            "tie member {name:?} matches several layers; name one"
        ))),
    }
}

fn range(groups: &[Vec<Choice>]) -> (f64, f64) {
    let cost = |c: &Choice| c.cost;
    let least = groups
        .iter()
        .map(|g| g.iter().map(cost).fold(f64::INFINITY, f64::min))
        .sum();
    let most = groups
        .iter()
        .map(|g| g.iter().map(cost).fold(0.0, f64::max))
        .sum();
    (least, most)
}

fn infeasible(groups: &[Vec<Choice>], budget: Budget, weights: u64) -> Error {
    let (least, most) = range(groups);
    let (tightest, loosest) = (
        budget.reaching(least, weights),
        budget.reaching(most, weights),
    );
    let (smallest, largest) = if tightest.value() <= loosest.value() {
        (tightest, loosest)
    } else {
        (loosest, tightest)
    };
    let digits = budget.digits_apart(&[smallest, largest]);
    let reach = if smallest == largest {
        format!("all plans are {smallest:.digits$}")
    } else {
        format!("plans reach {smallest:.digits$} (smallest) to {largest:.digits$} (largest)")
    };
    Error::Infeasible(format!(
        "no plan fits {budget:.digits$}: with these bits and pins {reach}; relax the budget, allow other \
         --bits, or unpin layers"
    ))
}
