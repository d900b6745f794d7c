//! What measurements must share to stand beside each other in one file.
//!
//! A layer's numbers depend on the network, the images and how they become numbers, the seed and, for
//! perturbations and loss changes, on how step sizes are chosen; on nothing else that an analysis can be
//! asked for. Which layers and metrics were measured, how well, and at which bits may differ.

use serde_json::{Map, Value, json};

use super::analysis::Subject;
use crate::engine::backend::Backend;
use crate::engine::files;
use crate::engine::import::Normalization;
use crate::engine::quant::ScaleRule;
pub use crate::engine::sensitivity::Identity;
use crate::engine::sensitivity::{ModelFacts, Sensitivity};

/// What is measured of which network on which images, before any settings.
#[derive(Debug, Clone)]
pub struct Ground {
    facts: ModelFacts,
    /// Identity of the graph; nothing for a preset, whose name says as much.
    graph: Option<String>,
    normalization: Normalization,
    sample: Value,
}

impl Ground {
    /// Of a network on its sample.
    #[must_use]
    pub fn of<B: Backend>(subject: &Subject<B>) -> Self {
        let model = subject.model;
        Self {
            facts: ModelFacts {
                name: model.name.clone(),
                weights_sha256: Some(model.weights_sha256.clone()),
                parameters: Some(model.graph.trainable_count()),
            },
            graph: model.imported.as_ref().map(|_| model.graph.identity()),
            normalization: model.normalization(),
            sample: subject.images.identity(),
        }
    }

    /// What became of batch normalisation in the network.
    #[must_use]
    pub const fn normalization(&self) -> Normalization {
        self.normalization
    }

    /// What tells the network from others.
    fn network(&self) -> Value {
        match &self.graph {
            None => json!(self.facts),
            Some(graph) => json!([graph, self.facts.weights_sha256]),
        }
    }

    /// What a sensitivity file tells of the network.
    #[must_use]
    pub fn facts(&self) -> ModelFacts {
        self.facts.clone()
    }

    /// The identity of measurements made with this seed and rule of step sizes.
    #[must_use]
    pub fn identity(&self, seed: u64, scale: ScaleRule) -> Identity {
        let [content, images, normalization] =
            ["content", "images", "normalization"].map(|key| &self.sample[key]);
        Identity {
            network: hash(&self.network()),
            sample: hash(&json!([content, images])),
            preprocessing: hash(normalization),
            seed,
            scale,
        }
    }

    /// Guards a resume: a hash of the network, the images and every setting.
    #[must_use]
    pub fn fingerprint(&self, settings: &Map<String, Value>) -> String {
        hash(&json!([self.network(), self.sample, settings]))
    }

    /// Gives a file that was written before identities were stored its own, if its fingerprint proves
    /// that it was measured on this ground.
    pub fn recognise(&self, file: &mut Sensitivity) {
        if file.identity.is_some() || file.fingerprint != Some(self.fingerprint(&file.settings)) {
            return;
        }
        let setting = |key: &str| file.settings.get(key).cloned().unwrap_or_default();
        let seed = setting("seed").as_u64();
        let scale = serde_json::from_value(setting("scale")).ok();
        file.identity = seed
            .zip(scale)
            .map(|(seed, scale)| self.identity(seed, scale));
    }
}

fn hash(value: &Value) -> String {
    files::sha256_hex(value.to_string().as_bytes())
}
