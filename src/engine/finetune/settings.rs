//! How a plan is fine-tuned: everything that changes the result, recorded in the run folder.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::engine::graph::operations::BatchNormMode;
use crate::engine::graph::{Graph, Layer};
use crate::engine::words::words;
use crate::engine::{Error, Result};

/// Weight of the float network's answers when distillation is asked for without a weight.
pub const DISTILLATION_WEIGHT: f64 = 0.5;

/// Multiply-accumulates between two checkpoints when their distance is not given: those of 50 steps
/// of ResNet20 on 128 CIFAR images, some ten seconds on two cores.
const CHECKPOINT_MACS: u64 = 50 * 128 * 40_551_040;

/// Order of quantizing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Schedule {
    /// Layer by layer in descending omega (HAWQ, arXiv 1905.03696 section 3.3).
    #[default]
    Staged,
    /// All layers at once.
    Joint,
}

words! { Schedule as "schedule": Staged "staged", Joint "joint" }

/// In which order stages come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StageOrder {
    /// In descending omega (HAWQ, arXiv 1905.03696 section 3.3).
    #[default]
    Descending,
    /// In ascending omega: the reverse, to compare with.
    Ascending,
    /// By chance, from the seed: to compare with.
    Random,
}

words! { StageOrder as "stage order":
Descending "descending", Ascending "ascending", Random "random" }

/// How the learning rate falls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decay {
    /// Along half a cosine to zero (arXiv 1608.03983 without restarts).
    #[default]
    Cosine,
    /// To a tenth after half of the steps, and again after three quarters.
    Step,
    /// Not at all.
    Constant,
}

words! { Decay as "decay": Cosine "cosine", Step "step", Constant "constant" }

/// Statistics that batch normalisation uses in training.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Norms {
    /// Those of the batch, which move the running ones.
    #[default]
    Batch,
    /// The running ones, which stay as they are.
    Frozen,
    /// Those of the batch; when training ends, the running ones are measured anew with the trained
    /// weights (arXiv 2203.11086).
    Reestimated,
}

words! { Norms as "norms":
Batch "batch", Frozen "frozen", Reestimated "reestimated" }

/// What becomes of the layers of earlier stages while later ones enter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EarlierStages {
    /// They are trained on.
    #[default]
    Trained,
    /// Their weights, biases and step sizes rest until the stages have had their share of the steps.
    Frozen,
}

words! { EarlierStages as "earlier stages": Trained "trained", Frozen "frozen" }

/// Another learning rate for the rest of a run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateChange {
    /// Steps done before it.
    pub step: u64,
    /// Learning rate of the next step; from there on it falls in the proportion it would have.
    pub learning_rate: f64,
}

impl Norms {
    pub(super) const fn mode(self) -> BatchNormMode {
        match self {
            Self::Batch | Self::Reestimated => BatchNormMode::Batch,
            Self::Frozen => BatchNormMode::Frozen,
        }
    }
}

/// How training images are varied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Variation {
    /// Not at all.
    #[default]
    None,
    /// The usual one of CIFAR: padded by 4, cropped at a random place, flipped half of the time.
    CropAndFlip,
}

impl Variation {
    /// What is usual for a data set.
    #[must_use]
    pub fn usual(data: &str) -> Self {
        if data == "cifar10" {
            Self::CropAndFlip
        } else {
            Self::None
        }
    }
}

/// How a plan is fine-tuned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Passes over the training images.
    pub epochs: usize,
    /// Order of quantizing.
    pub schedule: Schedule,
    /// In which order stages come.
    pub stage_order: StageOrder,
    /// Share of the steps in which they enter.
    pub staging: f64,
    /// What becomes of the layers of earlier stages meanwhile.
    pub earlier_stages: EarlierStages,
    /// Learning rate at the start.
    pub learning_rate: f64,
    /// Other ones from some steps on, in their order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rates: Vec<RateChange>,
    /// How it falls.
    pub decay: Decay,
    /// Share of the last update that is repeated.
    pub momentum: f64,
    /// Whether the gradient is taken ahead of the repeated update.
    pub nesterov: bool,
    /// Pull of every parameter towards zero, step sizes excepted (as `weight_decay` of `PyTorch`'s
    /// SGD over weights, biases, gamma and beta).
    pub weight_decay: f64,
    /// Images of a step; what is left over at the end of an epoch waits for the next one's order.
    pub batch_size: usize,
    /// Seed of everything left to chance.
    pub seed: u64,
    /// Share of the training images held out for validation.
    pub validation: f64,
    /// Training images that activation step sizes are fitted to.
    pub calibration: usize,
    /// Weight of the float network's answers in the loss; 0 is none.
    pub distill: f64,
    /// Temperature of those answers (arXiv 1503.02531).
    pub temperature: f64,
    /// Statistics of batch normalisation.
    pub norms: Norms,
    /// Variation of the training images.
    pub variation: Variation,
    /// Steps between two checkpoints; some ten seconds of work when absent.
    pub checkpoint_every: Option<u64>,
}

/// Largest number of epochs, images and steps: their products can be counted.
const MOST: u64 = 1_000_000_000;

impl Default for Settings {
    fn default() -> Self {
        Self {
            epochs: 10,
            schedule: Schedule::default(),
            stage_order: StageOrder::default(),
            staging: 0.5,
            earlier_stages: EarlierStages::default(),
            learning_rate: 0.01,
            rates: Vec::new(),
            decay: Decay::default(),
            momentum: 0.9,
            nesterov: false,
            weight_decay: 1e-4,
            batch_size: 128,
            seed: 0,
            validation: 0.1,
            calibration: 512,
            distill: 0.0,
            temperature: 4.0,
            norms: Norms::default(),
            variation: Variation::default(),
            checkpoint_every: None,
        }
    }
}

impl Settings {
    /// Refuses settings that cannot be trained with.
    ///
    /// # Errors
    /// A sentence naming the setting, what was given and what is possible.
    pub fn check(&self) -> Result<()> {
        let share = |value: f64| (0.0..1.0).contains(&value);
        check_rate(self.learning_rate)?;
        require(
            share(self.momentum),
            "momentum",
            self.momentum,
            "0 to below 1",
        )?;
        let decays = self.weight_decay.is_finite() && self.weight_decay >= 0.0;
        require(decays, "weight decay", self.weight_decay, "0 or more")?;
        require(
            share(self.validation),
            "share of validation images",
            self.validation,
            "0 to below 1",
        )?;
        let enters = self.staging > 0.0 && self.staging <= 1.0;
        let expected = "above 0 and at most 1";
        require(
            enters,
            "share of the steps for stages",
            self.staging,
            expected,
        )?;
        let weighs = (0.0..=1.0).contains(&self.distill);
        require(weighs, "weight of distillation", self.distill, "0 to 1")?;
        require(
            positive(self.temperature),
            "temperature of distillation",
            self.temperature,
            "above 0",
        )?;
        for (name, count) in [
            ("epochs", self.epochs as u64),
            ("batch size", self.batch_size as u64),
            ("calibration images", self.calibration as u64),
            (
                "steps between checkpoints",
                self.checkpoint_every.unwrap_or(1),
            ),
        ] {
            require(count > 0, name, count, "1 or more")?;
            let most = format!("at most {MOST}");
            require(count <= MOST, name, count, &most)?;
        }
        for change in &self.rates {
            check_rate(change.learning_rate)?;
        }
        Ok(())
    }

    /// Steps between two checkpoints of a network.
    #[must_use]
    pub fn checkpoint_distance(&self, graph: &Graph) -> u64 {
        let macs: u64 = graph.layers().iter().map(Layer::macs).sum();
        let work = macs.saturating_mul(self.batch_size as u64).max(1);
        let distance = (CHECKPOINT_MACS / work).clamp(1, 500);
        self.checkpoint_every.unwrap_or(distance)
    }
}

/// Refuses what is no learning rate.
///
/// # Errors
/// A sentence naming it.
pub fn check_rate(rate: f64) -> Result<()> {
    require(positive(rate), "learning rate", rate, "above 0")
}

fn positive(value: f64) -> bool {
    value.is_finite() && value > 0.0
}

fn require(holds: bool, name: &str, value: impl fmt::Display, expected: &str) -> Result<()> {
    if holds {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "{name} {value}: expected {expected}"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::graph::Shape;
    use crate::engine::model::resnet;

    #[test]
    fn the_defaults_are_possible_and_survive_a_round_trip() {
        let settings = Settings::default();
        settings.check().unwrap();
        let text = serde_json::to_string(&settings).unwrap();
        assert_eq!(serde_json::from_str::<Settings>(&text).unwrap(), settings);
    }

    #[test]
    fn impossible_settings_are_refused_by_name() {
        let refused = |change: fn(&mut Settings)| {
            let mut settings = Settings::default();
            change(&mut settings);
            settings.check().unwrap_err().to_string()
        };
        assert_eq!(
            refused(|s| s.learning_rate = -1.0),
            "learning rate -1: expected above 0"
        );
        assert!(refused(|s| s.learning_rate = f64::NAN).contains("learning rate NaN"));
        assert!(refused(|s| s.epochs = 0).contains("epochs 0"));
        assert!(refused(|s| s.batch_size = 0).contains("batch size 0"));
        assert!(refused(|s| s.validation = 1.0).contains("validation"));
        assert!(refused(|s| s.staging = 0.0).contains("for stages 0: expected above 0"));
        assert!(refused(|s| s.staging = f64::NAN).contains("for stages NaN"));
        assert!(refused(|s| s.distill = 1.5).contains("distillation 1.5"));
        assert!(refused(|s| s.checkpoint_every = Some(0)).contains("checkpoints 0: expected 1"));
    }

    #[test]
    fn checkpoints_are_closer_for_larger_networks() {
        let settings = Settings::default();
        let distance = |blocks| {
            let graph = resnet::graph(blocks, Shape::map(3, 32, 32), 10).unwrap();
            settings.checkpoint_distance(&graph)
        };
        assert_eq!((distance(3), distance(9)), (50, 16));
    }
}
