//! Measurements join an earlier sensitivity file: layers, metrics and bit-widths that it lacks are
//! added, what was measured again takes its place, everything else in it stays.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::sensitivity::{LayerSensitivity, PerBits, Sensitivity};
use crate::engine::counts::counted;
use crate::engine::{Error, Result};

/// Puts the measurements of `again` into `file`.
///
/// What was not measured again (traces, loss changes, latencies, ties) stays; a layer whose eigenvalue
/// was notes its tolerance where it is not that of the file. Layers that the file lacks come behind
/// those that precede them in `again`.
///
/// # Errors
/// When the two do not have the same [`Identity`](super::identity::Identity), or that of `file` is not
/// known.
pub fn merge(file: &mut Sensitivity, again: &Sensitivity) -> Result<()> {
    comparable(file, again)?;
    let tolerance = again
        .tolerance()
        .filter(|own| Some(*own) != file.tolerance());
    let mut place = 0;
    for measured in &again.layers {
        let mut layers = file.layers.iter();
        if let Some(found) = layers.position(|layer| layer.layer == measured.layer) {
            take(&mut file.layers[found], measured, tolerance);
            place = found + 1;
        } else {
            let tolerance = measured.eigenvalue.and(tolerance);
            let layer = LayerSensitivity {
                tolerance,
                ..measured.clone()
            };
            file.layers.insert(place, layer);
            place += 1;
        }
    }
    for key in ["metrics", "bits"] {
        unite(file, again, key);
    }
    if again.packed.is_some() {
        file.packed.clone_from(&again.packed);
    }
    Ok(())
}

/// Takes over what was measured.
fn take(layer: &mut LayerSensitivity, measured: &LayerSensitivity, tolerance: Option<f64>) {
    add(&mut layer.perturbation, &measured.perturbation);
    for (scale, errors) in &measured.perturbation_by_scale {
        add(
            layer.perturbation_by_scale.entry(*scale).or_default(),
            errors,
        );
    }
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
    if let Some(eigenvalue) = layer.eigenvalue {
        let errors = layer.perturbation.iter();
        layer.omega = errors
            .map(|(&bits, error)| (bits, eigenvalue * error))
            .collect();
    }
    if measured.trace.is_some() {
        layer.trace = measured.trace;
        layer.trace_stderr = measured.trace_stderr;
        layer.mean_trace = measured.mean_trace;
    }
    add(&mut layer.loss_change, &measured.loss_change);
}

fn add(values: &mut PerBits, more: &PerBits) {
    values.extend(more.iter().map(|(&bits, &value)| (bits, value)));
}

/// What either was asked for, in one list of the settings.
fn unite(file: &mut Sensitivity, again: &Sensitivity, key: &str) {
    let list = |of: &Sensitivity| of.settings.get(key).and_then(Value::as_array).cloned();
    let Some(more) = list(again) else { return };
    let mut all = list(file).unwrap_or_default();
    let known: BTreeSet<String> = all.iter().map(Value::to_string).collect();
    all.extend(
        more.into_iter()
            .filter(|value| !known.contains(&value.to_string())),
    );
    if key == "bits" {
        all.sort_by_key(Value::as_u64);
    }
    file.settings.insert(key.to_owned(), json!(all));
}

fn comparable(file: &Sensitivity, again: &Sensitivity) -> Result<()> {
    let refused = |reason: String| {
        Err(Error::invalid(format!(
            "the earlier measurements {reason}; measure all layers anew into another file"
        )))
    };
    let (Some(there), Some(here)) = (&file.identity, &again.identity) else {
        return refused("do not tell which network and images they are of".to_owned());
    };
    match there.difference(here) {
        None => Ok(()),
        Some(what) => {
            let sides = [(file, "there"), (again, "here")];
            let sides = sides.map(|(of, side)| format!("{} {side}", named(of, what)));
            refused(format!("are of another {what} ({})", sides.join(", ")))
        }
    }
}

/// What a file says of something, for messages.
fn named(file: &Sensitivity, what: &str) -> String {
    let short = |hash: &str| hash.get(..8).unwrap_or(hash).to_owned();
    let identity = file.identity.as_ref();
    let hash = identity.map(|identity| match what {
        "network" => short(&identity.network),
        "sample" => short(&identity.sample),
        "preprocessing" => short(&identity.preprocessing),
        "seed" => identity.seed.to_string(),
        _ => identity.scale.to_string(),
    });
    let hash = hash.unwrap_or_else(|| "unknown".to_owned());
    match (what, &file.model, &file.data) {
        ("network", Some(model), _) if !model.name.is_empty() => format!("{} {hash}", model.name),
        ("sample", _, Some(data)) => match data.samples {
            Some(samples) => format!("{} of {}, {hash}", counted(samples, "image"), data.name),
            None => hash,
        },
        _ => hash,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::hessian::identity::Identity;
    use crate::engine::quant::ScaleRule;

    fn file(tolerance: f64, layers: &Value) -> Sensitivity {
        serde_json::from_value(json!({
            "model": {"name": "resnet20", "weights_sha256": "0123456789", "parameters": 9},
            "data": {"name": "demo", "split": "train", "samples": 8},
            "settings": {"tolerance": tolerance, "metrics": ["eigenvalue"], "bits": [2, 4]},
            "identity": {"network": "0123456789", "sample": "5a", "preprocessing": "66", "seed": 0,
                "scale": "mse"},
            "layers": layers,
        }))
        .unwrap()
    }

    fn two() -> Sensitivity {
        file(
            1e-3,
            &json!([
                {"layer": "a", "parameters": 9, "eigenvalue": 1.0, "trace": 3.0, "loss_change": {"2": 0.5}},
                {"layer": "b", "parameters": 9, "eigenvalue": 2.0, "trace": 4.0, "loss_change": {"2": 0.6},
                    "perturbation": {"2": 0.5}},
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
        assert_eq!(layer.omega, [(2, 1.25)].into());
        merge(&mut after, &file(1e-3, &again)).unwrap();
        assert_eq!(after.layers[1].tolerance, None);
    }

    #[test]
    fn layers_metrics_and_widths_are_added_where_they_belong() {
        let mut joined = two();
        let mut again = file(
            1e-3,
            &json!([
                {"layer": "a", "parameters": 9, "loss_change": {"6": 0.1}, "perturbation": {"6": 0.2}},
                {"layer": "between", "parameters": 4, "eigenvalue": 7.0},
                {"layer": "b", "parameters": 9},
            ]),
        );
        again
            .settings
            .insert("metrics".into(), json!(["loss-change"]));
        again.settings.insert("bits".into(), json!([6, 3]));
        merge(&mut joined, &again).unwrap();
        let names: Vec<&str> = joined.layers.iter().map(|layer| &*layer.layer).collect();
        assert_eq!(names, ["a", "between", "b"]);
        let first = &joined.layers[0];
        assert_eq!(first.loss_change, [(2, 0.5), (6, 0.1)].into());
        assert_eq!(first.omega, [(6, 0.2)].into());
        assert_eq!(
            joined.settings["metrics"],
            json!(["eigenvalue", "loss-change"])
        );
        assert_eq!(joined.settings["bits"], json!([2, 3, 4, 6]));
    }

    #[test]
    fn what_cannot_stand_beside_each_other_is_refused_with_the_reason() {
        let refused = |again: &Sensitivity| merge(&mut two(), again).unwrap_err().to_string();
        let other = |change: &dyn Fn(&mut Identity)| {
            let mut other = file(1e-4, &json!([]));
            change(other.identity.as_mut().unwrap());
            refused(&other)
        };
        let of = |part: &str, there: &str, here: &str| {
            format!("of another {part} ({there} there, {here} here)")
        };
        for (told, expected) in [
            (
                other(&|identity| identity.sample = "9e".into()),
                of("sample", "8 images of demo, 5a", "8 images of demo, 9e"),
            ),
            (other(&|identity| identity.seed = 3), of("seed", "0", "3")),
            (
                other(&|identity| identity.preprocessing = "77".into()),
                of("preprocessing", "66", "77"),
            ),
            (
                other(&|identity| identity.scale = ScaleRule::Max),
                of("scale", "mse", "max"),
            ),
            (
                other(&|identity| identity.network = "aa".into()),
                of("network", "resnet20 01234567", "resnet20 aa"),
            ),
        ] {
            assert!(told.contains(&expected), "{told}");
        }
        let mut unknown = file(1e-4, &json!([]));
        unknown.identity = None;
        assert!(refused(&unknown).contains("do not tell which network"));
    }
}
