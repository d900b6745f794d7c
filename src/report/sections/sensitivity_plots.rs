//! Bars of the eigenvalue and of the trace of every layer.

use crate::engine::hessian::sensitivity::{LayerSensitivity, Sensitivity};
use crate::numbers::{counted, number};
use crate::report::curve::is_drawable;
use crate::report::svg::About;
use crate::report::svg::axis::Scale;
use crate::report::svg::bars::{Bar, Bars, Look};

/// A measurement of a layer.
type Value = fn(&LayerSensitivity) -> Option<f64>;

pub(super) fn figures(measured: &Sensitivity) -> Vec<String> {
    let metrics: [(&str, &str, Value); 2] = [
        (
            "eigenvalue",
            "Largest eigenvalue of each layer's block",
            |layer| layer.eigenvalue,
        ),
        ("trace", "Trace of each layer's block", |layer| layer.trace),
    ];
    let measurements = metrics
        .into_iter()
        .filter(|(_, _, value)| measured.layers.iter().any(|layer| value(layer).is_some()));
    measurements
        .map(|(id, title, value)| figure(measured, (id, title), value))
        .collect()
}

fn figure(measured: &Sensitivity, (id, title): (&str, &str), value: Value) -> String {
    let layers = &measured.layers;
    let is_eigenvalue = id == "eigenvalue";
    let bars = Bars {
        about: About {
            id: format!("sensitivity-{id}"),
            title: format!("{title}, log10 axis"),
            description: described(layers, id, value),
        },
        scale: Scale::decades(layers.iter().filter_map(value)),
        rows: layers
            .iter()
            .map(|layer| bar(layer, value(layer), is_eigenvalue))
            .collect(),
        marks: None,
        looks: vec![
            (Look::Filled, format!("{id}, positive")),
            (Look::Hatched, "negative (-): its size".to_owned()),
            (Look::Open, "not converged (n.c.)".to_owned()),
        ],
    };
    bars.html()
}

fn bar(layer: &LayerSensitivity, value: Option<f64>, is_eigenvalue: bool) -> Bar {
    let open = is_eigenvalue && layer.converged == Some(false);
    let look = match value {
        _ if open => Look::Open,
        Some(value) if value < 0.0 => Look::Hatched,
        _ => Look::Filled,
    };
    let figures = value.map_or_else(|| "-".to_owned(), number);
    Bar {
        name: layer.layer.to_string(),
        value: value.filter(|value| is_drawable(*value) && *value != 0.0),
        mark: None,
        figures: figures + if open { " n.c." } else { "" },
        look,
    }
}

/// The extremes in a sentence.
fn described(layers: &[LayerSensitivity], name: &str, value: Value) -> String {
    let known = layers
        .iter()
        .filter_map(|layer| Some((layer, value(layer)?)));
    let mut known: Vec<_> = known.filter(|(_, value)| value.is_finite()).collect();
    known.sort_by(|a, b| a.1.abs().total_cmp(&b.1.abs()));
    let (Some(least), Some(most)) = (known.first(), known.last()) else {
        return format!("No {name} is known.");
    };
    let (count, all) = (known.len(), layers.len());
    format!(
        "A bar for each of {}, {count} of them measured: the smallest {name} is {} of \
         {}, the largest {} of {}.",
        counted(all, "layer"),
        number(least.1),
        least.0.layer,
        number(most.1),
        most.0.layer
    )
}
