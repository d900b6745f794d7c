//! Comparing the plan on screen with another one: which plans there are, and where they differ.

use std::sync::Arc;

use super::{State, planning};
use crate::engine::plan::{Plan, Totals};

/// Earlier plans of the history that are offered.
const EARLIER: usize = 12;

/// A plan to compare with.
#[derive(Debug, Clone, PartialEq)]
pub struct Other {
    /// What it is, in a few words.
    pub name: String,
    /// Its bits.
    pub plan: Arc<Plan>,
}

/// What can be chosen to compare with.
#[derive(Debug, Clone, PartialEq)]
pub enum Choice {
    /// A plan that is there.
    Plan(Other),
    /// A file whose path is asked for.
    File,
}

impl Other {
    fn new(name: impl Into<String>, plan: &Arc<Plan>) -> Self {
        Self {
            name: name.into(),
            plan: plan.clone(),
        }
    }

    /// Whether the bits of a row are others than in `plan`.
    #[must_use]
    pub fn differs(&self, plan: &Plan, row: usize) -> bool {
        let bits = |plan: &Plan| {
            let row = plan.layers.get(row);
            row.map(|row| (row.weight_bits, row.activation_bits))
        };
        bits(&self.plan) != bits(plan)
    }

    /// Rows whose bits are others than in `plan`.
    #[must_use]
    pub fn differences(&self, plan: &Plan) -> usize {
        let rows = 0..plan.layers.len();
        rows.filter(|row| self.differs(plan, *row)).count()
    }
}

impl State {
    /// Every plan that the one on screen can be compared with: the automatic one, earlier ones, those
    /// of the project's runs; and a file.
    #[must_use]
    pub fn comparable(&self) -> Vec<Choice> {
        let automatic = self.bits.automatic.as_ref();
        let automatic = automatic.map(|plan| Other::new("the automatic plan", plan));
        let runs = self.bits.run_plans.iter().rev();
        let plans = automatic.into_iter().chain(self.earlier());
        plans
            .chain(runs.cloned())
            .map(Choice::Plan)
            .chain([Choice::File])
            .collect()
    }

    /// Plans of the history, the one as it was opened first, then the newest.
    fn earlier(&self) -> Vec<Other> {
        let named =
            |(plan, what): (&Arc<Plan>, &str)| Other::new(format!("the plan before: {what}"), plan);
        let mut earlier: Vec<Other> = self.bits.past().map(named).collect();
        if let Some(mut opened) = earlier.pop() {
            "the plan as opened".clone_into(&mut opened.name);
            earlier.insert(0, opened);
        }
        earlier.truncate(EARLIER);
        earlier
    }

    /// Rows on screen, in order, whose bits are others than in the plan compared with.
    #[must_use]
    pub fn differing(&self) -> Vec<usize> {
        let (Some(other), Some(plan)) = (&self.bits.other, &self.bits.plan) else {
            return Vec::new();
        };
        let visible = self.visible_layers().into_iter();
        visible.filter(|row| other.differs(plan, *row)).collect()
    }
}

/// A sum of two plans side by side.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sum {
    /// What it is.
    pub kind: SumKind,
    /// Of the plan on screen.
    pub this: Option<f64>,
    /// Of the other plan.
    pub other: Option<f64>,
}

/// What is summed up of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SumKind {
    /// Bytes of the weights.
    Weights,
    /// W-comp.
    WeightCompression,
    /// BOPs.
    Bops,
    /// Predicted harm.
    Harm,
    /// A-comp.
    ActivationCompression,
    /// Bytes of the packed file.
    File,
}

impl SumKind {
    /// The most telling ones first.
    pub const ALL: [Self; 6] = [
        Self::Weights,
        Self::WeightCompression,
        Self::Bops,
        Self::Harm,
        Self::ActivationCompression,
        Self::File,
    ];

    fn of(self, (plan, totals): (&Plan, &Totals), state: &State) -> Option<f64> {
        let layers = &state.analysis.layers;
        match self {
            Self::Weights => Some(totals.weight_bytes()),
            Self::WeightCompression => Some(totals.weight_compression()),
            Self::Bops => totals.bops.map(|bops| bops as f64),
            Self::Harm => planning::harm_of(plan, layers, state.bits.metric).whole(),
            Self::ActivationCompression => totals.activation_compression(),
            Self::File => planning::predicted_bytes(state, plan).map(|bytes| bytes as f64),
        }
    }
}

impl Sum {
    /// Every sum of both plans.
    #[must_use]
    pub fn both(state: &State, plan: &Plan, other: &Plan) -> [Self; 6] {
        let [mine, others] =
            [plan, other].map(|plan| planning::totals(plan, &state.analysis.layers));
        SumKind::ALL.map(|kind| Self {
            kind,
            this: kind.of((plan, &mine), state),
            other: kind.of((other, &others), state),
        })
    }

    /// What the other plan would change, in words: `-12.5 %`, `=`, or `x 40`.
    #[must_use]
    pub fn change(&self) -> String {
        let (Some(this), Some(other)) = (self.this, self.other) else {
            return "-".to_owned();
        };
        let ratio = other / this;
        if this.total_cmp(&other).is_eq() {
            "=".to_owned()
        } else if !ratio.is_finite() {
            "-".to_owned()
        } else if ratio >= 10.0 {
            format!("x {ratio:.0}")
        } else if ratio >= 2.0 {
            format!("{:+.0} %", 100.0 * (ratio - 1.0))
        } else {
            format!("{:+.1} %", 100.0 * (ratio - 1.0))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_told_in_the_words_that_fit_it() {
        let change = |this, other| {
            let (kind, this, other) = (SumKind::Harm, this, other);
            Sum { kind, this, other }.change()
        };
        assert_eq!(change(Some(8.0), Some(7.0)), "-12.5 %");
        assert_eq!(change(Some(2.0), Some(2.0)), "=");
        assert_eq!(change(Some(2.0), Some(5.0)), "+150 %");
        assert_eq!(change(Some(2.0), Some(80.0)), "x 40");
        assert_eq!(change(Some(0.0), Some(1.0)), "-");
        assert_eq!(change(None, Some(1.0)), "-");
    }
}
