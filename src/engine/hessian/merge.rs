//! Layers measured again take their places in an earlier sensitivity file; everything else in it stays.

use serde_json::Value;

use super::sensitivity::{LayerSensitivity, Sensitivity};
use crate::engine::{Error, Result};

/// Settings that must be the same for measurements to stand beside each other.
const SHARED: [&str; 2] = ["seed", "scale"];

/// Puts the measured layers of `again` into `file`.
///
/// What was not measured again (latencies, ties, loss changes at other bits) stays; each such layer
/// notes its tolerance where it is not that of the file.
///
/// # Errors
/// When the two are not of the same network, images, seed and step sizes, or a layer of `again`
/// is not in `file`.
pub fn merge(file: &mut Sensitivity, again: &Sensitivity) -> Result<()> {
    comparable(file, again)?;
    let tolerance = again
        .tolerance()
        .filter(|own| Some(*own) != file.tolerance());
    for measured in &again.layers {
        let mut layers = file.layers.iter_mut();
        let layer = layers.find(|layer| layer.layer == measured.layer);
        let layer = layer.ok_or_else(|| {
            let name = &measured.layer;
            Error::invalid(format!("the earlier measurements have no layer {name}"))
        })?;
        take(layer, measured, tolerance);
    }
    Ok(())
}

/// Takes over what was measured.
fn take(layer: &mut LayerSensitivity, measured: &LayerSensitivity, tolerance: Option<f64>) {
    if measured.eigenvalue.is_some() {
        layer.eigenvalue = measured.eigenvalue;
        layer.iterations = measured.iterations;
        layer.residual = measured.residual;
        layer.converged = measured.converged;
        layer.sensitivity = measured.sensitivity;
        layer.history.clone_from(&measured.history);
        layer.verified = measured.verified;
        layer.tolerance = tolerance;
    }
    if measured.trace.is_some() {
        layer.trace = measured.trace;
        layer.trace_stderr = measured.trace_stderr;
        layer.mean_trace = measured.mean_trace;
    }
    layer.loss_change.extend(&measured.loss_change);
    layer.perturbation.extend(&measured.perturbation);
    for (rule, errors) in &measured.perturbation_by_scale {
        let known = layer.perturbation_by_scale.entry(*rule).or_default();
        known.extend(errors);
    }
    // What was known before is of the same weights, so all widths follow the eigenvalue.
    if let Some(eigenvalue) = layer.eigenvalue {
        let errors = layer.perturbation.iter();
        layer.omega = errors.map(|(&bits, e)| (bits, eigenvalue * e)).collect();
    }
}

fn comparable(file: &Sensitivity, again: &Sensitivity) -> Result<()> {
    let differs = |key: &&str| file.settings.get(*key) != again.settings.get(*key);
    let different = if file.model != again.model {
        Some("network")
    } else if file.data != again.data {
        Some("sample")
    } else {
        SHARED.into_iter().find(differs)
    };
    match different {
        None => Ok(()),
        Some(what) => Err(Error::invalid(format!(
            "the earlier measurements are of another {what} ({}); measure all layers anew",
            [file, again].map(|of| named(of, what)).join(" there, ") + " here"
        ))),
    }
}

/// What a file says of something, for messages.
fn named(file: &Sensitivity, what: &str) -> String {
    let unknown = || "unknown".to_owned();
    match what {
        "network" => file.model.as_ref().map_or_else(unknown, |model| {
            let sum: String = model.weights_sha256.chars().take(8).collect();
            format!("{} {sum}", model.name)
        }),
        "sample" => file.data.as_ref().map_or_else(unknown, |data| {
            format!("{} images of {}", data.samples, data.name)
        }),
        key => file
            .settings
            .get(key)
            .map_or_else(unknown, Value::to_string),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn file(tolerance: f64, layers: &Value) -> Sensitivity {
        serde_json::from_value(json!({
            "model": {"name": "resnet20", "weights_sha256": "0123456789", "parameters": 9},
            "data": {"name": "demo", "split": "train", "samples": 8},
            "settings": {"tolerance": tolerance, "seed": 0, "bits": [2, 4], "scale": "mse"},
            "layers": layers,
        }))
        .unwrap()
    }

    fn two() -> Sensitivity {
        file(
            1e-3,
            &json!([
                {"layer": "a", "parameters": 9, "eigenvalue": 1.0, "trace": 3.0, "loss_change": {"2": 0.5}},
                {"layer": "b", "parameters": 9, "eigenvalue": 2.0, "trace": 4.0, "loss_change": {"2": 0.6}},
            ]),
        )
    }

    #[test]
    fn one_layer_changes_and_the_others_stay() {
        let (before, mut after) = (two(), two());
        let again = json!([{"layer": "b", "parameters": 9, "eigenvalue": 2.5, "residual": 1e-5}]);
        merge(&mut after, &file(1e-4, &again)).unwrap();
        assert_eq!(after.layers[0], before.layers[0]);
        let layer = &after.layers[1];
        assert_eq!((layer.eigenvalue, layer.tolerance), (Some(2.5), Some(1e-4)));
        assert_eq!((layer.trace, layer.loss_change[&2]), (Some(4.0), 0.6));
        merge(&mut after, &file(1e-3, &again)).unwrap();
        assert_eq!(after.layers[1].tolerance, None);
    }

    #[test]
    fn what_cannot_stand_beside_each_other_is_refused_with_the_reason() {
        let none = json!([]);
        let refused = |again: &Sensitivity| merge(&mut two(), again).unwrap_err().to_string();
        let mut other = file(1e-4, &none);
        other.data.as_mut().unwrap().samples = 16;
        assert!(refused(&other).contains("another sample (8 images of demo there, 16 images"));
        let mut other = file(1e-4, &none);
        other.settings["seed"] = json!(3);
        assert!(refused(&other).contains("another seed (0 there, 3 here)"));
        let mut other = file(1e-4, &none);
        other.model = None;
        assert!(
            refused(&other).contains("another network (resnet20 01234567 there, unknown here)")
        );
        let stranger = file(1e-4, &json!([{"layer": "c", "parameters": 9}]));
        assert!(refused(&stranger).contains("have no layer c"));
    }
}
