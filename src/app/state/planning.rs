//! What the bit table does to a plan, in terms of the engine's plan and allocator.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::bits::{Change, Column};
use crate::app::jobs::Inputs;
use crate::engine::hessian::Metric;
use crate::engine::hessian::sensitivity::{LayerSensitivity, Sensitivity};
use crate::engine::plan::Plan;
use crate::engine::quant::Bits;
use crate::engine::{Error, Result};

/// A row of the plan.
pub type Row = crate::engine::plan::LayerPlan;

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
    BudgetKind { name: "compression", example: "10x", doc: "times smaller than 32-bit weights" },
    BudgetKind { name: "size", example: "100KB", doc: "bytes of weights; B, KB, MB" },
    BudgetKind { name: "average-bits", example: "3", doc: "mean bits of a weight" },
    BudgetKind { name: "bops", example: "1G", doc: "bit operations for an image; K, M, G" },
];

/// An allocation to be solved.
#[derive(Debug, Clone, PartialEq)]
pub struct Allocation {
    /// What was measured.
    pub sensitivity: Arc<Sensitivity>,
    /// Pins, ties and activation bits to keep.
    pub plan: Arc<Plan>,
    /// What the plan must fit.
    pub budget: String,
    /// What predicts harm.
    pub metric: Metric,
}

impl Allocation {
    /// The plan of least harm within the budget.
    ///
    /// # Errors
    /// When no plan fits; names the reachable range.
    pub fn solve(&self) -> Result<Plan> {
        Err(Error::invalid("later"))
    }
}

/// A frontier to be computed.
#[derive(Debug, Clone, PartialEq)]
pub struct Frontier {
    /// What was measured.
    pub sensitivity: Arc<Sensitivity>,
    /// Pins, ties and activation bits to keep.
    pub plan: Arc<Plan>,
    /// What predicts harm.
    pub metric: Metric,
}

impl Frontier {
    /// Bytes of weights and predicted harm of the best plans.
    ///
    /// # Errors
    /// When the metric was not measured.
    pub fn solve(&self) -> Result<Vec<(f64, f64)>> {
        Ok(Vec::new())
    }
}

/// Every layer at 8 bits.
#[must_use]
pub fn default_plan(inputs: &Inputs) -> Plan {
    let row = |layer: &LayerSensitivity| Row {
        name: layer.layer.clone(),
        weight_bits: Bits::MAX,
        activation_bits: Bits::MAX,
        pinned: false,
        tie: layer.tie.clone(),
    };
    Plan {
        model: Some(inputs.architecture.clone()),
        fingerprint: Some(inputs.fingerprint.clone()),
        layers: inputs.layers.iter().map(row).collect(),
    }
}

/// Reads a plan file for these inputs.
///
/// # Errors
/// One sentence with the line.
pub fn read(_text: &str, _inputs: &Inputs) -> std::result::Result<Plan, String> {
    Err("later".into())
}

/// Adds every layer tied to one of `rows`.
fn with_tied(plan: &Plan, rows: &BTreeSet<usize>) -> BTreeSet<usize> {
    let ties: BTreeSet<&String> =
        rows.iter().filter_map(|row| plan.layers[*row].tie.as_ref()).collect();
    let tied = |(_, row): &(usize, &Row)| row.tie.as_ref().is_some_and(|tie| ties.contains(tie));
    let tied = plan.layers.iter().enumerate().filter(tied).map(|(index, _)| index);
    rows.iter().copied().chain(tied).collect()
}

/// The plan with other bits in `rows` and whatever is tied to them; and a sentence about what could
/// not be changed.
#[must_use]
pub fn with_bits(
    plan: &Plan,
    layers: &[LayerSensitivity],
    rows: &BTreeSet<usize>,
    (column, by): (Column, Change),
) -> (Plan, Option<String>) {
    let mut next = plan.clone();
    let mut refused = None;
    for index in with_tied(plan, rows) {
        let row = &mut next.layers[index];
        match column {
            Column::Weights => row.weight_bits = by.apply(row.weight_bits),
            Column::Activations if layers[index].reads_image => {
                refused = Some(format!("{} reads the image, which stays at 8 bits", row.name));
            }
            Column::Activations => row.activation_bits = by.apply(row.activation_bits),
        }
    }
    (next, refused)
}

/// The plan with `rows` and whatever is tied to them pinned or not.
#[must_use]
pub fn with_pins(plan: &Plan, rows: &BTreeSet<usize>, pinned: bool) -> Plan {
    let mut next = plan.clone();
    for index in with_tied(plan, rows) {
        next.layers[index].pinned = pinned;
    }
    next
}

/// The plan with `rows` sharing the widest of their bits.
#[must_use]
pub fn tied(plan: &Plan, rows: &BTreeSet<usize>) -> Plan {
    let mut next = plan.clone();
    let taken = |name: &str| plan.layers.iter().any(|row| row.tie.as_deref() == Some(name));
    let name = (1..).map(|number| format!("tie{number}")).find(|name| !taken(name));
    let name = name.expect("invariant: there are more names than layers");
    let widest = rows.iter().map(|row| plan.layers[*row].weight_bits).max();
    for index in rows {
        let row = &mut next.layers[*index];
        row.tie = Some(name.clone());
        row.weight_bits = widest.unwrap_or(row.weight_bits);
    }
    next
}

/// The plan with `rows` free of ties.
#[must_use]
pub fn untied(plan: &Plan, rows: &BTreeSet<usize>) -> Plan {
    let mut next = plan.clone();
    for index in rows {
        next.layers[*index].tie = None;
    }
    next
}

/// The plan with `rows` as in `automatic`, unpinned.
#[must_use]
pub fn reset(plan: &Plan, automatic: &Plan, rows: &BTreeSet<usize>) -> Plan {
    let mut next = plan.clone();
    for index in with_tied(plan, rows) {
        let (row, from) = (&mut next.layers[index], &automatic.layers[index]);
        (row.weight_bits, row.activation_bits) = (from.weight_bits, from.activation_bits);
        row.pinned = false;
    }
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
pub fn parse_budget(kind: usize, text: &str) -> std::result::Result<String, String> {
    Ok(format!("{}={}", BUDGETS[kind].name, text.trim()))
}

/// What a plan comes to.
#[derive(Debug, Clone, PartialEq)]
pub struct Totals {
    /// Bytes of the weights at their bits.
    pub weight_bytes: f64,
    /// Predicted bytes of the packed file.
    pub file_bytes: Option<f64>,
    /// 32-bit weights over these.
    pub weight_compression: f64,
    /// 32-bit activations over these.
    pub activation_compression: Option<f64>,
    /// Bit operations for an image.
    pub bops: f64,
    /// Mean bits of a weight.
    pub average_bits: f64,
    /// Predicted harm, when the metric is known of every layer.
    pub harm: Option<f64>,
}

/// What a plan comes to.
#[must_use]
pub fn totals(plan: &Plan, layers: &[LayerSensitivity], metric: Metric) -> Totals {
    let pairs = || plan.layers.iter().zip(layers);
    let bits: f64 = pairs().map(|(r, l)| f64::from(r.weight_bits.get()) * l.parameters as f64).sum();
    let all: f64 = layers.iter().map(|l| l.parameters as f64).sum();
    Totals { weight_bytes: bits / 8.0, file_bytes: None, weight_compression: 32.0 * all / bits, activation_compression: None, bops: 0.0, average_bits: bits / all,
      harm: pairs().map(|(r, l)| harm(l, r, metric)).sum() }
}

/// The predicted harm of a row.
#[must_use]
pub fn harm(_layer: &LayerSensitivity, _row: &Row, _metric: Metric) -> Option<f64> { None }

/// The reachable range of a budget, in words.
#[must_use]
pub fn reachable(_state: &super::State, _kind: usize) -> String { String::new() }
