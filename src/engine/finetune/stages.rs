//! Which layers are quantized when: the fine-tuning order of HAWQ (arXiv 1905.03696 section 3.3),
//! layers in descending omega, tied layers together.

use super::settings::{Schedule, Settings, StageOrder};
use crate::engine::allocate::harm::harm;
use crate::engine::data::shuffle;
use crate::engine::hessian::Metric;
use crate::engine::hessian::sensitivity::Sensitivity;
use crate::engine::plan::{Plan, PlannedLayer};
use crate::engine::{Error, Result};

/// Layers, by position, that are quantized together.
pub type Stage = Vec<usize>;

/// The stages that settings ask for. `sensitivity` is needed for [`Schedule::Staged`] only.
///
/// # Errors
/// When the order cannot be told: an eigenvalue or a perturbation of a quantized layer is missing.
pub fn stages(
    plan: &Plan,
    settings: &Settings,
    sensitivity: Option<&Sensitivity>,
) -> Result<Vec<Stage>> {
    let groups = groups(plan);
    match (settings.schedule, sensitivity) {
        (Schedule::Joint, _) => Ok(vec![groups.concat()]),
        (Schedule::Staged, None) => Err(Error::invalid(
            "staged fine-tuning orders layers by omega: give a sensitivity file, or use the joint \
             schedule",
        )),
        (Schedule::Staged, Some(sensitivity)) => {
            let omegas = omegas(plan, sensitivity)?;
            let weigh = |group: &Stage| group.iter().map(|&layer| omegas[layer]).sum::<f64>();
            let mut weighed: Vec<(f64, Stage)> = groups
                .into_iter()
                .map(|group| (weigh(&group), group))
                .collect();
            weighed.sort_by(|a, b| b.0.total_cmp(&a.0));
            let mut stages: Vec<Stage> = weighed.into_iter().map(|(_, group)| group).collect();
            match settings.stage_order {
                StageOrder::Descending => {}
                StageOrder::Ascending => stages.reverse(),
                StageOrder::Random => stages = drawn(&stages, settings.seed),
            }
            Ok(if stages.is_empty() {
                vec![Vec::new()]
            } else {
                stages
            })
        }
    }
}

/// The same stages in an order by chance.
fn drawn(stages: &[Stage], seed: u64) -> Vec<Stage> {
    let mut order: Vec<usize> = (0..stages.len()).collect();
    // An epoch that no run reaches.
    shuffle(&mut order, seed, u64::MAX);
    order
        .into_iter()
        .map(|place| stages[place].clone())
        .collect()
}

/// Layers with anything to quantize, tied ones together, in the order of the network.
fn groups(plan: &Plan) -> Vec<Stage> {
    let mut groups: Vec<(Option<&str>, Stage)> = Vec::new();
    for (index, layer) in plan.layers.iter().enumerate() {
        if layer.weight_bits.is_float() && layer.activation_bits.is_float() {
            continue;
        }
        let tie = layer.tie.as_deref();
        match groups
            .iter_mut()
            .find(|(other, _)| tie.is_some() && *other == tie)
        {
            Some((_, group)) => group.push(index),
            None => groups.push((tie, vec![index])),
        }
    }
    groups.into_iter().map(|(_, group)| group).collect()
}

/// Omega of every layer at the plan's bits: `|lambda| * norm(Q(w) - w)^2`, by layer. A layer whose
/// weights stay as they are has none and counts as 0.
///
/// # Errors
/// When the eigenvalue or the perturbation of a quantized layer is not in the file.
pub fn omegas(plan: &Plan, sensitivity: &Sensitivity) -> Result<Vec<f64>> {
    let omega = |layer: &PlannedLayer| {
        let mut measured = sensitivity.layers.iter();
        let measured = measured.find(|measured| measured.layer == layer.name);
        let measured = measured.ok_or_else(|| {
            Error::invalid(format!(
                "the sensitivity file has no layer {}, which staged fine-tuning orders layers by; \
                 analyse this network, or use the joint schedule",
                layer.name
            ))
        })?;
        harm(measured, layer.weight_bits, Metric::Eigenvalue, plan.scale)
    };
    let layers = plan.layers.iter();
    layers
        .map(|layer| match layer.weight_bits {
            bits if bits.is_float() => Ok(0.0),
            _ => omega(layer),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::hessian::sensitivity::LayerSensitivity;
    use crate::engine::quant::{Bits, ScaleRule};

    fn plan(layers: &[(&str, u64, Option<&str>)]) -> Plan {
        let layer = |&(name, bits, tie): &(&str, u64, Option<&str>)| PlannedLayer {
            name: name.into(),
            weight_bits: Bits::new(bits).unwrap(),
            activation_bits: Bits::new(bits).unwrap(),
            pinned: false,
            tie: tie.map(str::to_owned),
        };
        Plan {
            model: String::new(),
            fingerprint: None,
            scale: ScaleRule::Mse,
            layers: layers.iter().map(layer).collect(),
        }
    }

    fn sensitivity(layers: &[(&str, f64, f64)]) -> Sensitivity {
        let layers: Vec<LayerSensitivity> = layers
            .iter()
            .map(|&(name, eigenvalue, perturbation)| LayerSensitivity {
                layer: name.into(),
                eigenvalue: Some(eigenvalue),
                perturbation: [(2, perturbation), (4, perturbation / 16.0)].into(),
                ..LayerSensitivity::default()
            })
            .collect();
        serde_json::from_value(serde_json::json!({ "layers": layers })).unwrap()
    }

    fn staged() -> Settings {
        Settings::default()
    }

    fn joint() -> Settings {
        Settings {
            schedule: Schedule::Joint,
            ..Settings::default()
        }
    }

    #[test]
    fn stages_can_come_in_the_reverse_order_or_in_one_by_chance() {
        let plan = plan(&["a", "b", "c", "d", "e", "f"].map(|name| (name, 2, None)));
        let measured = ["a", "b", "c", "d", "e", "f"];
        let measured: Vec<_> = measured
            .iter()
            .zip(1..)
            .map(|(&n, k)| (n, f64::from(k), 1.0))
            .collect();
        let measured = sensitivity(&measured);
        let order = |stage_order, seed| {
            let settings = Settings {
                stage_order,
                seed,
                ..Settings::default()
            };
            stages(&plan, &settings, Some(&measured)).unwrap().concat()
        };
        assert_eq!(order(StageOrder::Descending, 0), [5, 4, 3, 2, 1, 0]);
        assert_eq!(order(StageOrder::Ascending, 0), [0, 1, 2, 3, 4, 5]);
        let [one, other] = [1, 2].map(|seed| order(StageOrder::Random, seed));
        assert_ne!(one, other);
        assert_eq!(one, order(StageOrder::Random, 1));
        let mut sorted = one.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, [0, 1, 2, 3, 4, 5]);
    }

    #[test]
    fn layers_come_in_descending_omega_at_their_bits() {
        let plan = plan(&[
            ("a", 2, None),
            ("b", 4, None),
            ("c", 2, None),
            ("d", 32, None),
        ]);
        let measured = sensitivity(&[("a", 1.0, 1.0), ("b", 8.0, 1.0), ("c", -2.0, 1.0)]);
        let stages = stages(&plan, &staged(), Some(&measured)).unwrap();
        assert_eq!(stages, [vec![2], vec![0], vec![1]]);
    }

    #[test]
    fn tied_layers_enter_together_with_the_sum_of_their_omegas() {
        let plan = plan(&[("a", 2, Some("t")), ("b", 2, None), ("c", 2, Some("t"))]);
        let measured = sensitivity(&[("a", 2.0, 1.0), ("b", 3.0, 1.0), ("c", 2.0, 1.0)]);
        let staged = stages(&plan, &staged(), Some(&measured)).unwrap();
        assert_eq!(staged, [vec![0, 2], vec![1]]);
        assert_eq!(stages(&plan, &joint(), None).unwrap(), [vec![0, 2, 1]]);
    }

    #[test]
    fn what_the_order_lacks_is_named() {
        let plan = plan(&[("a", 3, None)]);
        let refused = |sensitivity: Option<&Sensitivity>| {
            let error = stages(&plan, &staged(), sensitivity).unwrap_err();
            error.to_string()
        };
        assert!(refused(None).contains("joint schedule"));
        let measured = sensitivity(&[("a", 1.0, 1.0)]);
        assert!(refused(Some(&measured)).contains("a has no perturbation at 3 bits"));
        assert!(refused(Some(&sensitivity(&[]))).contains("has no layer a"));
    }
}
