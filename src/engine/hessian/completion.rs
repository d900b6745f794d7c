//! Perturbations need no measurement, only the weights: those of every width and every rule of
//! choosing step sizes are computed wherever the network is at hand, so that whatever bits a plan
//! has, everything that depends on them can be told.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::Metric;
use super::sensitivity::{LayerSensitivity, PerBits, Sensitivity};
use crate::engine::graph::Layer;
use crate::engine::model::Model;
use crate::engine::quant::grids::perturbations;
use crate::engine::quant::{Bits, ScaleRule};
use crate::engine::{Error, Result};

/// Squared error of the weights by rule of choosing step sizes and by bit-width.
pub type ByScale = BTreeMap<ScaleRule, PerBits>;

/// The perturbations of a layer of `model`, 2 to 8 bits by every rule of choosing step sizes.
///
/// # Errors
/// When a weight is not finite; names the layer.
pub fn of_weights(model: &Model, layer: &Layer) -> Result<ByScale> {
    let values = model.parameters.get(layer.weight);
    let channels = model.graph.parameters()[layer.weight.index()].shape[0];
    let of_rule = |rule: ScaleRule| {
        let errors = perturbations((values, channels), rule, &Bits::ALL)
            .map_err(|_| Error::NotFinite(format!("a weight of {}", layer.name)))?;
        let errors = errors.into_iter().map(|(bits, error)| (bits.get(), error));
        Ok((rule, errors.collect()))
    };
    ScaleRule::ALL.into_iter().map(of_rule).collect()
}

impl Sensitivity {
    /// Adds the perturbations that are lacking and follow from the weights of `model`, the network
    /// that was measured. What is there stays.
    ///
    /// # Errors
    /// When a weight is not finite; names the layer.
    pub fn complete(&mut self, model: &Model) -> Result<()> {
        let layers = model.graph.layers();
        let lacking = |layer: &&Layer| {
            let mut entries = self.layers.iter();
            entries.any(|entry| entry.layer == layer.name && entry.lacks_perturbations())
        };
        let computed: Vec<LayerSensitivity> = layers
            .iter()
            .filter(lacking)
            .collect::<Vec<_>>()
            .into_par_iter()
            .map(|layer| {
                Ok(LayerSensitivity {
                    layer: layer.name.clone(),
                    parameters: layer.parameters(),
                    perturbation_by_scale: of_weights(model, layer)?,
                    ..LayerSensitivity::default()
                })
            })
            .collect::<Result<_>>()?;
        self.complete_from(&computed);
        Ok(())
    }

    /// With those perturbations.
    ///
    /// # Errors
    /// See [`complete`](Self::complete).
    pub fn completed(mut self, model: &Model) -> Result<Self> {
        self.complete(model)?;
        Ok(self)
    }

    /// The same from layers whose perturbations were computed, matched by name and size.
    pub fn complete_from(&mut self, computed: &[LayerSensitivity]) {
        let rule = self.scale();
        for entry in &mut self.layers {
            let found = computed.iter().find(|computed| {
                computed.layer == entry.layer && computed.parameters == entry.parameters
            });
            if let Some(computed) = found {
                entry.complete_from(&computed.perturbation_by_scale, rule);
            }
        }
    }

    /// The rule that `perturbation` was measured with; absent in files that do not tell.
    #[must_use]
    pub fn scale(&self) -> Option<ScaleRule> {
        self.settings.get("scale")?.as_str()?.parse().ok()
    }

    /// The bit-widths, narrow to wide, at which every layer has what `metric` needs: what an
    /// allocator can choose from. Those that were asked for when it was measured; for perturbations,
    /// which are known of every width, that is a choice and not a limit.
    #[must_use]
    pub fn widths(&self, metric: Metric) -> Vec<Bits> {
        let known = |layer: &LayerSensitivity, bits: Bits| {
            let by_bits = match metric {
                Metric::LossChange => &layer.loss_change,
                Metric::Eigenvalue | Metric::Trace => &layer.perturbation,
            };
            by_bits.contains_key(&bits.get())
        };
        let everywhere = |bits: &Bits| self.layers.iter().all(|layer| known(layer, *bits));
        let quantized = Bits::ALL.into_iter().filter(|bits| !bits.is_float());
        quantized.filter(everywhere).collect()
    }
}

impl LayerSensitivity {
    fn lacks_perturbations(&self) -> bool {
        let quantized = || Bits::ALL.into_iter().filter(|bits| !bits.is_float());
        let lacks = |rule: &ScaleRule| {
            let known = self.perturbation_by_scale.get(rule);
            known.is_none_or(|known| quantized().any(|bits| !known.contains_key(&bits.get())))
        };
        ScaleRule::ALL.iter().any(lacks)
    }

    /// Adds what is lacking; `rule` is that of `perturbation`, where it is told.
    fn complete_from(&mut self, computed: &ByScale, rule: Option<ScaleRule>) {
        // A file without rules means its perturbations for whichever a plan has.
        let plain = self.perturbation_by_scale.is_empty();
        for (&scale, errors) in computed {
            let own = plain && rule.is_none_or(|rule| rule == scale);
            let known = self.perturbation_by_scale.entry(scale).or_default();
            if own {
                known.extend(&self.perturbation);
            }
            for (&bits, &error) in errors {
                known.entry(bits).or_insert(error);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::model::demo;

    /// The demo's layers as a file from elsewhere might list them: sizes, and one width.
    fn foreign(model: &Model, perturbation: f64) -> Sensitivity {
        let layers = model.graph.layers();
        let entry = |layer: &Layer| {
            serde_json::json!({"layer": layer.name, "parameters": layer.parameters(),
                "perturbation": {"4": perturbation}})
        };
        let layers: Vec<_> = layers.iter().map(entry).collect();
        serde_json::from_value(serde_json::json!({ "layers": layers })).unwrap()
    }

    #[test]
    fn every_width_and_rule_follows_from_the_weights() {
        let model = demo::load().unwrap();
        let mut file = foreign(&model, 5.0);
        file.complete(&model).unwrap();
        for (entry, layer) in file.layers.iter().zip(model.graph.layers()) {
            let computed = of_weights(&model, layer).unwrap();
            for rule in ScaleRule::ALL {
                for bits in Bits::ALL.into_iter().filter(|bits| !bits.is_float()) {
                    let expected = match bits.get() {
                        4 => 5.0,
                        width => computed[&rule][&width],
                    };
                    let told = entry.perturbation_at(bits, rule).unwrap();
                    assert_eq!(told.to_bits(), expected.to_bits(), "{bits} by {rule}");
                }
            }
            assert_eq!(entry.perturbation.len(), 1);
        }
    }

    #[test]
    fn a_layer_of_another_size_is_left_as_it_is() {
        let model = demo::load().unwrap();
        let mut file = foreign(&model, 5.0);
        file.layers[0].parameters += 1;
        file.complete(&model).unwrap();
        assert!(file.layers[0].perturbation_by_scale.is_empty());
        assert_eq!(file.layers[1].perturbation_by_scale.len(), 4);
    }

    #[test]
    fn perturbations_of_a_rule_that_is_told_are_not_taken_for_another() {
        let model = demo::load().unwrap();
        let mut file = foreign(&model, 5.0);
        file.settings.insert("scale".into(), "max".into());
        file.complete(&model).unwrap();
        let four = Bits::new(4).unwrap();
        let at = |rule| file.layers[0].perturbation_at(four, rule).unwrap();
        assert!((at(ScaleRule::Max) - 5.0).abs() < 1e-12);
        assert!((at(ScaleRule::Mse) - 5.0).abs() > 1.0);
    }

    #[test]
    fn an_allocator_can_choose_from_what_every_layer_has() {
        let mut file = foreign(&demo::load().unwrap(), 5.0);
        file.layers[0].loss_change = [(2, 0.5), (4, 0.2), (6, 0.1)].into();
        assert!(file.widths(Metric::LossChange).is_empty());
        for layer in &mut file.layers[1..] {
            layer.loss_change = [(2, 0.5), (4, 0.2)].into();
        }
        let told = |metric| {
            file.widths(metric)
                .iter()
                .map(|b| b.get())
                .collect::<Vec<_>>()
        };
        assert_eq!(told(Metric::LossChange), [2, 4]);
        assert_eq!(told(Metric::Eigenvalue), [4]);
    }
}
