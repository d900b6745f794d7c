//! The bit table: the plan being edited, its history, the rows selected together, the budget, and
//! what was measured or computed of plans.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::analysis::Sort;
use super::comparison::Other;
use super::planning;
pub use super::planning::{Allocation, BUDGETS, Frontier};
use crate::engine::allocate::ActivationBits;
use crate::engine::hessian::Metric;
use crate::engine::hessian::sensitivity::Sensitivity;
use crate::engine::job::Score;
use crate::engine::plan::Plan;
use crate::engine::quant::{Bits, ScaleRule};

/// Measured accuracies that are drawn at most.
const REMEMBERED: usize = 256;
/// Rows of plans that undoing keeps at most, so that memory has an end: some 50 MB.
const UNDO_ROWS: usize = 1_000_000;

/// Changes that can be undone on a plan of `layers` rows: more than anybody makes by hand.
#[must_use]
pub fn kept_changes(layers: usize) -> usize {
    UNDO_ROWS / layers.max(1)
}
/// Quiet time after an edit before the accuracy is measured.
pub const DEBOUNCE: Duration = Duration::from_millis(400);

/// Which bits are edited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Column {
    /// Of the weights.
    #[default]
    Weights,
    /// Of the activation the layer reads.
    Activations,
}

/// A change of bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// To the next wider width.
    More,
    /// To the next narrower width.
    Fewer,
    /// To this width.
    Set(Bits),
}

/// Bits of every layer, weights and activations: what the accuracy depends on.
pub type PlanKey = Vec<(u8, u8)>;

/// What identifies a plan's accuracy.
#[must_use]
pub fn key(plan: &Plan) -> PlanKey {
    let bits = |layer: &planning::Row| (layer.weight_bits.get(), layer.activation_bits.get());
    plan.layers.iter().map(bits).collect()
}

/// What the best plans depend on besides the measurements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Framework {
    metric: Metric,
    scale: ScaleRule,
    ties: Vec<Option<String>>,
}

/// Where measuring a plan stands.
#[derive(Debug, Clone, PartialEq)]
pub enum Accuracy {
    /// Not measured.
    Unknown,
    /// Waits for quiet, or for other work to end.
    Waiting,
    /// Being measured.
    Running,
    /// Measured.
    Done(Score),
    /// Not possible, with the reason.
    Failed(String),
}

/// The text of a plan in the user's editor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Draft {
    /// The editor has it.
    Given(String),
    /// It came back with a mistake, and can be edited again.
    Kept(String),
}

/// The bit table.
#[derive(Debug, Clone)]
pub struct BitsState {
    /// The plan; absent until the inputs are there.
    pub plan: Option<Arc<Plan>>,
    /// The last plan the allocator made.
    pub automatic: Option<Arc<Plan>>,
    /// Which bits are edited.
    pub column: Column,
    /// The order of the rows.
    pub sort: Sort,
    /// Where the visual selection began.
    pub anchor: Option<usize>,
    /// Rows selected by a pattern.
    pub marked: BTreeSet<usize>,
    /// Bits of the row that was copied: of weights, and of activations.
    pub copied: Option<(Bits, Bits)>,
    /// The metric that predicts harm.
    pub metric: Metric,
    /// How the allocator chooses activation bits.
    pub activations: ActivationBits,
    /// The budget texts typed last, by position in [`BUDGETS`].
    pub typed: BTreeMap<usize, String>,
    /// Cost in bytes of weights, and predicted harm, of the best plans.
    pub frontier: Option<Vec<(f64, f64)>>,
    /// What the frontier was, or is being, computed for.
    pub frontier_of: Option<Framework>,
    /// When the accuracy of the plan is measured.
    pub evaluate_at: Option<Duration>,
    /// The plan that is being measured.
    pub evaluating: Option<PlanKey>,
    /// An accuracy is wanted as soon as other work ends.
    pub waiting: bool,
    /// The plan that this one is compared with.
    pub other: Option<Other>,
    /// The plans of the project's runs, by name.
    pub run_plans: Vec<Other>,
    /// The path of a plan file that was typed last.
    pub other_path: String,
    /// The text that the editor was given last, or left with a mistake.
    pub draft: Option<Draft>,
    undo: VecDeque<(Arc<Plan>, String)>,
    redo: Vec<(Arc<Plan>, String)>,
    measured: BTreeMap<PlanKey, Score>,
    /// Accuracies in the order they were measured.
    history: VecDeque<f64>,
    refused: BTreeMap<PlanKey, String>,
}

impl Default for BitsState {
    fn default() -> Self {
        Self {
            plan: None,
            automatic: None,
            column: Column::default(),
            sort: Sort::default(),
            anchor: None,
            marked: BTreeSet::new(),
            copied: None,
            metric: Metric::default(),
            activations: planning::ACTIVATIONS[0],
            typed: BTreeMap::new(),
            frontier: None,
            frontier_of: None,
            evaluate_at: None,
            evaluating: None,
            waiting: false,
            other: None,
            run_plans: Vec::new(),
            other_path: String::new(),
            draft: None,
            undo: VecDeque::new(),
            redo: Vec::new(),
            measured: BTreeMap::new(),
            history: VecDeque::new(),
            refused: BTreeMap::new(),
        }
    }
}

impl BitsState {
    /// Before there is a plan, with the rows in this order.
    #[must_use]
    pub fn by(sort: Sort) -> Self {
        Self {
            sort,
            ..Self::default()
        }
    }

    /// What the best plans beside the one on screen depend on.
    #[must_use]
    pub fn framework(&self) -> Option<Framework> {
        let plan = self.plan.as_ref()?;
        Some(Framework {
            metric: self.metric,
            scale: plan.scale,
            ties: plan.layers.iter().map(|row| row.tie.clone()).collect(),
        })
    }

    /// Replaces the plan, remembering what was done to undo it.
    pub fn change(&mut self, plan: Plan, what: impl Into<String>) -> bool {
        let Some(before) = &self.plan else {
            return false;
        };
        if **before == plan {
            return false;
        }
        if self.undo.len() == kept_changes(plan.layers.len()) {
            self.undo.pop_front();
        }
        self.undo.push_back((before.clone(), what.into()));
        self.redo.clear();
        self.plan = Some(Arc::new(plan));
        true
    }

    /// Takes the last change back; says what it was.
    pub fn undo(&mut self) -> Option<String> {
        let (before, what) = self.undo.pop_back()?;
        let now = self.plan.replace(before)?;
        self.redo.push((now, what.clone()));
        Some(what)
    }

    /// Does the change again that was taken back; says what it was.
    pub fn redo(&mut self) -> Option<String> {
        let (after, what) = self.redo.pop()?;
        let now = self.plan.replace(after)?;
        self.undo.push_back((now, what.clone()));
        Some(what)
    }

    /// The plans before each change that can be undone, with that change, the newest first.
    pub fn past(&self) -> impl Iterator<Item = (&Arc<Plan>, &str)> {
        let undo = self.undo.iter().rev();
        undo.map(|(plan, what)| (plan, what.as_str()))
    }

    /// Whether there is a change to take back.
    #[must_use]
    pub fn can_undo(&self) -> bool {
        !self.undo.is_empty()
    }

    /// Whether there is a change to do again.
    #[must_use]
    pub const fn can_redo(&self) -> bool {
        !self.redo.is_empty()
    }

    /// The rows an edit concerns: the marked ones, else the visual selection, else the row at
    /// `cursor`. `visible` are the rows on screen, in order.
    #[must_use]
    pub fn selection(&self, cursor: usize, visible: &[usize]) -> BTreeSet<usize> {
        if !self.marked.is_empty() {
            return self.marked.clone();
        }
        let place = |layer| visible.iter().position(|index| *index == layer);
        match self.anchor.and_then(place).zip(place(cursor)) {
            Some((a, b)) => visible[a.min(b)..=a.max(b)].iter().copied().collect(),
            None => BTreeSet::from([cursor]),
        }
    }

    /// What the allocator is asked about.
    #[must_use]
    pub fn subject(&self, sensitivity: Arc<Sensitivity>) -> Option<planning::Subject> {
        Some(planning::Subject {
            sensitivity,
            plan: self.plan.clone()?,
            metric: self.metric,
            activations: self.activations,
        })
    }

    /// Whether more than the row at the cursor is selected.
    #[must_use]
    pub fn has_selection(&self) -> bool {
        self.anchor.is_some() || !self.marked.is_empty()
    }

    /// Forgets which rows are selected together.
    pub fn clear_selection(&mut self) {
        self.anchor = None;
        self.marked.clear();
    }

    /// What is known of the accuracy of the plan on screen.
    #[must_use]
    pub fn accuracy(&self) -> Accuracy {
        let Some(plan) = &self.plan else {
            return Accuracy::Unknown;
        };
        let key = key(plan);
        if let Some(score) = self.measured.get(&key) {
            Accuracy::Done(*score)
        } else if self.evaluating.as_ref() == Some(&key) {
            Accuracy::Running
        } else if let Some(reason) = self.refused.get(&key) {
            Accuracy::Failed(reason.clone())
        } else if self.waiting || self.evaluate_at.is_some() {
            Accuracy::Waiting
        } else {
            Accuracy::Unknown
        }
    }

    /// The accuracy of any plan, if it was measured.
    #[must_use]
    pub fn score_of(&self, plan: &Plan) -> Option<Score> {
        self.measured.get(&key(plan)).copied()
    }

    /// The accuracies of the plans measured last, the newest at the end.
    #[must_use]
    pub fn history(&self) -> impl ExactSizeIterator<Item = f64> + DoubleEndedIterator {
        self.history.iter().copied()
    }

    /// A plan was measured, or could not be.
    pub fn evaluated(&mut self, key: PlanKey, result: Result<Score, String>) {
        match result {
            Ok(score) => {
                self.refused.remove(&key);
                self.measured.insert(key, score);
                if self.history.len() == REMEMBERED {
                    self.history.pop_front();
                }
                self.history.push_back(score.accuracy());
            }
            Err(reason) => {
                self.refused.insert(key, reason);
            }
        }
    }

    /// Forgets what was measured: the network is another one.
    pub fn forget_measurements(&mut self) {
        self.measured.clear();
        self.history.clear();
        self.refused.clear();
        self.frontier = None;
        self.other = None;
        self.run_plans.clear();
    }
}
