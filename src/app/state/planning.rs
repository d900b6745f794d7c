//! What the bit table asks of the engine's plans and allocator.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::State;
use super::bits::{Change, Column};
use crate::app::jobs::Inputs;
use crate::engine::Result;
use crate::engine::allocate::harm::harm as harm_at;
use crate::engine::allocate::{ActivationBits, Budget, Harm, Request};
use crate::engine::export;
use crate::engine::hessian::Metric;
use crate::engine::hessian::sensitivity::{LayerSensitivity, Sensitivity};
use crate::engine::model::may_be_of;
use crate::engine::plan::edit::Width;
use crate::engine::plan::{LayerFacts, Plan, Totals, file};
use crate::engine::quant::{Bits, ScaleRule};

/// A row of the plan.
pub type Row = crate::engine::plan::PlannedLayer;

/// A kind of budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BudgetKind {
    /// The name on the command line.
    pub name: &'static str,
    /// What is typed before anything else was.
    pub example: &'static str,
    /// What it means.
    pub doc: &'static str,
}

/// The budgets, in the order of the window.
pub const BUDGETS: [BudgetKind; 4] = [
    BudgetKind {
        name: "compression",
        example: "10x",
        doc: "times smaller than 32-bit weights",
    },
    BudgetKind {
        name: "size",
        example: "100KB",
        doc: "bytes of weights; B, KB, MB",
    },
    BudgetKind {
        name: "average-bits",
        example: "3",
        doc: "mean bits of a weight",
    },
    BudgetKind {
        name: "bops",
        example: "1G",
        doc: "bit operations for an image; K, M, G",
    },
];

/// How activation bits can be chosen in the window, in order.
pub const ACTIVATIONS: [ActivationBits; 9] = [
    ActivationBits::Fixed(Bits::ALL[6]),
    ActivationBits::Fixed(Bits::ALL[5]),
    ActivationBits::Fixed(Bits::ALL[4]),
    ActivationBits::Fixed(Bits::ALL[3]),
    ActivationBits::Fixed(Bits::ALL[2]),
    ActivationBits::Fixed(Bits::ALL[1]),
    ActivationBits::Fixed(Bits::ALL[0]),
    ActivationBits::SameAsWeights,
    ActivationBits::Fixed(Bits::FLOAT),
];

/// A question to the allocator about the plan on screen.
#[derive(Debug, Clone, PartialEq)]
pub struct Subject {
    /// What was measured.
    pub sensitivity: Arc<Sensitivity>,
    /// Pins and ties to keep.
    pub plan: Arc<Plan>,
    /// What predicts harm.
    pub metric: Metric,
    /// How the activation bits of unpinned layers are chosen.
    pub activations: ActivationBits,
}

impl Subject {
    /// The request, with the bit-widths that were measured as candidates.
    fn request(&self) -> Request {
        Request {
            bits: self.sensitivity.widths(self.metric),
            activation_bits: self.activations,
            metric: self.metric,
            scale: self.plan.scale,
            ..Request::default()
        }
    }

    /// The smallest and the largest reachable budget of the kind of `budget`.
    fn range(&self, budget: Budget) -> Result<(Budget, Budget)> {
        let request = self.request();
        let (a, b) = request.reachable(&self.plan, &self.sensitivity, budget)?;
        Ok(if a.value() <= b.value() {
            (a, b)
        } else {
            (b, a)
        })
    }

    /// Refuses a budget that no plan fits.
    ///
    /// # Errors
    /// A sentence, when it is out of reach.
    pub fn check(&self, budget: Budget) -> std::result::Result<(), String> {
        let (low, high) = self.range(budget).map_err(|error| error.to_string())?;
        let out_of_reach = match budget {
            Budget::Compression(factor) => factor > high.value(),
            other => other.value() < low.value(),
        };
        if out_of_reach {
            return Err("No plan fits this: stay within reach, or unpin layers first.".to_owned());
        }
        Ok(())
    }

    /// The smallest and the largest reachable budget of a kind, in words.
    #[must_use]
    pub fn reachable(&self, kind: usize) -> String {
        let name = BUDGETS[kind].name;
        let budget: Result<Budget> = format!("{name}={}", BUDGETS[kind].example).parse();
        match budget.and_then(|budget| self.range(budget)) {
            Ok((a, b)) => {
                format!("reachable: {} to {}", bare(a, name), bare(b, name))
            }
            Err(error) => error.to_string(),
        }
    }
}

/// A budget as it is typed after its name, without zeros that say nothing: `16x`.
fn bare(budget: Budget, name: &str) -> String {
    let text = budget.to_string().replace(&format!("{name}="), "");
    let unit = text.find(|c: char| !c.is_ascii_digit() && c != '.');
    let (number, unit) = text.split_at(unit.unwrap_or(text.len()));
    let number = if number.contains('.') {
        number.trim_end_matches('0').trim_end_matches('.')
    } else {
        number
    };
    format!("{number}{unit}")
}

/// An allocation to be solved.
#[derive(Debug, Clone, PartialEq)]
pub struct Allocation {
    /// Of which plan.
    pub subject: Subject,
    /// What it must fit.
    pub budget: Budget,
}

impl Allocation {
    /// The plan of least harm within the budget.
    ///
    /// # Errors
    /// When no plan fits; names the reachable range.
    pub fn solve(&self) -> Result<Plan> {
        let mut plan = (*self.subject.plan).clone();
        let request = self.subject.request();
        request.fit(&mut plan, &self.subject.sensitivity, self.budget)?;
        plan.fingerprint
            .clone_from(&self.subject.sensitivity.fingerprint);
        Ok(plan)
    }
}

/// A frontier to be computed.
#[derive(Debug, Clone, PartialEq)]
pub struct Frontier {
    /// Of which plan.
    pub subject: Subject,
}

impl Frontier {
    /// Bytes of weights and predicted harm of the best plans, whatever is pinned.
    ///
    /// # Errors
    /// When the metric was not measured.
    pub fn solve(&self) -> Result<Vec<(f64, f64)>> {
        let mut plan = (*self.subject.plan).clone();
        plan.layers.iter_mut().for_each(|row| row.pinned = false);
        let request = self.subject.request();
        let found = request.frontier(&plan, &self.subject.sensitivity)?;
        Ok(found
            .into_iter()
            .map(|(point, _)| (point.cost / 8.0, point.harm))
            .collect())
    }
}

/// What the engine must know of the layers.
fn facts(layers: &[LayerSensitivity]) -> Vec<LayerFacts> {
    layers.iter().map(LayerFacts::from).collect()
}

/// Every layer at 8 bits.
#[must_use]
pub fn default_plan(inputs: &Inputs) -> Plan {
    Plan::uniform(
        &inputs.architecture,
        &facts(&inputs.layers),
        Bits::MAX,
        Bits::MAX,
    )
}

/// Reads a plan file for these inputs.
///
/// # Errors
/// One sentence with the line.
pub fn read(text: &str, inputs: &Inputs) -> std::result::Result<Plan, String> {
    let names: Vec<Arc<str>> = inputs
        .layers
        .iter()
        .map(|layer| layer.layer.clone())
        .collect();
    file::parse(text, Some(&names))
}

/// Reads a plan file that may be of another network, which is refused.
///
/// # Errors
/// One sentence with the line.
pub fn read_foreign(text: &str, inputs: &Inputs) -> std::result::Result<Plan, String> {
    let network = &inputs.architecture;
    let plan = read(text, inputs)?;
    if may_be_of(&plan.model, network) {
        Ok(plan)
    } else {
        Err(format!(
            "this is a plan of {}, not of {network}",
            plan.model
        ))
    }
}

/// The plan with other bits in `rows`; weight bits of tied layers move along. Bits set by hand
/// become pinned. Also a sentence about what could not be changed.
#[must_use]
pub fn with_bits(
    plan: &Plan,
    layers: &[LayerSensitivity],
    rows: &BTreeSet<usize>,
    (column, by): (Column, Change),
) -> (Plan, Option<String>) {
    let mut next = plan.clone();
    let fixed = |row: &&usize| column == Column::Activations && layers[**row].reads_image;
    let refused = rows.iter().find(fixed).map(|row| {
        format!(
            "{} reads the image, which stays at 8 bits",
            layers[*row].layer
        )
    });
    let width = match column {
        Column::Weights => Width::Weights,
        Column::Activations => Width::Activations,
    };
    let moved: BTreeSet<usize> = rows.iter().filter(|row| !fixed(row)).copied().collect();
    // Of layers that are tied, one moves all.
    let mut seen = BTreeSet::new();
    for row in moved {
        let tie = plan.layers[row].tie.as_deref();
        if column == Column::Activations || tie.is_none_or(|tie| seen.insert(tie)) {
            match by {
                Change::More => next.step(&[row], width, 1, &Bits::ALL),
                Change::Fewer => next.step(&[row], width, -1, &Bits::ALL),
                Change::Set(bits) => next.set(&[row], width, bits),
            }
        }
    }
    (next, refused)
}

/// The plan after an edit of `rows`.
#[must_use]
pub fn edited(plan: &Plan, rows: &BTreeSet<usize>, edit: impl FnOnce(&mut Plan, &[usize])) -> Plan {
    let mut next = plan.clone();
    let rows: Vec<usize> = rows.iter().copied().collect();
    edit(&mut next, &rows);
    next
}

/// Whether a metric is known of every layer.
#[must_use]
pub fn is_measured(layers: &[LayerSensitivity], metric: Metric) -> bool {
    layers.iter().all(|layer| match metric {
        Metric::Eigenvalue => layer.eigenvalue.is_some(),
        Metric::Trace => layer.mean_trace.is_some(),
        Metric::LossChange => !layer.loss_change.is_empty(),
    })
}

/// A budget as typed.
///
/// # Errors
/// When it is none.
pub fn parse_budget(kind: usize, text: &str) -> std::result::Result<Budget, String> {
    let BudgetKind { name, example, .. } = BUDGETS[kind];
    let budget = format!("{name}={}", text.trim()).parse();
    budget.map_err(|_: crate::engine::Error| {
        format!("`{}` is no {name}; type one such as {example}", text.trim())
    })
}

/// What a plan adds up to.
#[must_use]
pub fn totals(plan: &Plan, layers: &[LayerSensitivity]) -> Totals {
    Totals::of(&facts(layers), plan)
}

/// The size of the packed file of a plan of what is on screen, before there is one; `None` when a shape
/// is unknown.
#[must_use]
pub fn predicted_bytes(state: &State, plan: &Plan) -> Option<u64> {
    let envelope = state.loaded().map(|inputs| &inputs.packed);
    export::predicted_bytes(&facts(&state.analysis.layers), plan, envelope)
}

/// The predicted harm of a row; `None` when it was not measured.
#[must_use]
pub fn harm(
    layer: &LayerSensitivity,
    row: &Row,
    (metric, scale): (Metric, ScaleRule),
) -> Option<f64> {
    harm_at(layer, row.weight_bits, metric, scale).ok()
}

/// The predicted harm of a plan.
#[must_use]
pub fn harm_of(plan: &Plan, layers: &[LayerSensitivity], metric: Metric) -> Harm {
    Harm::of(plan, layers, metric)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_told_without_zeros_that_say_nothing() {
        for (budget, text) in [
            (Budget::Compression(16.0), "16x"),
            (Budget::Compression(9.9994), "9.999x"),
            (Budget::Bops(2.0e9), "2G"),
            (Budget::Bops(100.0), "100"),
        ] {
            let name = if text.ends_with('x') {
                "compression"
            } else {
                "bops"
            };
            assert_eq!(bare(budget, name), text);
        }
    }
}
