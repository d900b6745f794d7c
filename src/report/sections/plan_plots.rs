//! The bits of every layer as bars, and the frontier with the plan on it.

use crate::engine::hessian::Metric;
use crate::engine::plan::{PlannedLayer, Totals};
use crate::numbers::{counted, number};
use crate::report::model::{Frontier, Planned};
use crate::report::svg::About;
use crate::report::svg::axis::Scale;
use crate::report::svg::bars::{Bar, Bars, Look};
use crate::report::svg::chart::{Axis, Chart, Look as Drawn, Series};

/// Bits that the axis ends at; 32, not quantized, goes on beyond it.
const WIDEST: f64 = 8.0;

/// How many times smaller than 32-bit weights.
pub(super) fn compression(planned: &Planned, bytes: f64) -> f64 {
    let weights: usize = planned.facts.iter().map(|facts| facts.parameters).sum();
    4.0 * weights as f64 / bytes.max(f64::MIN_POSITIVE)
}

pub(super) fn bits(planned: &Planned) -> String {
    let layers = &planned.plan.layers;
    let widths = layers.iter().map(|layer| layer.weight_bits);
    let (low, high) = (widths.clone().min(), widths.max());
    let range = low
        .zip(high)
        .map(|(low, high)| format!(", from {low} to {high} bits of weights"));
    let bars = Bars {
        about: About {
            id: "plan-bits".to_owned(),
            title: "Bits of each layer: weights / activations".to_owned(),
            description: format!(
                "A bar for each of {}{}.",
                counted(layers.len(), "layer"),
                range.unwrap_or_default()
            ),
        },
        scale: Scale::between(0.0, WIDEST),
        rows: layers.iter().map(row).collect(),
        marks: Some("bits of activations".to_owned()),
        looks: vec![
            (Look::Filled, "bits of weights".to_owned()),
            (Look::Open, "weights not quantized (32)".to_owned()),
        ],
    };
    bars.html()
}

fn row(layer: &PlannedLayer) -> Bar {
    let is_float = layer.weight_bits.is_float();
    let pinned = if layer.pinned { " pinned" } else { "" };
    Bar {
        name: layer.name.to_string(),
        value: Some(f64::from(layer.weight_bits.get())),
        mark: Some(f64::from(layer.activation_bits.get())),
        figures: format!("{} / {}{pinned}", layer.weight_bits, layer.activation_bits),
        look: if is_float { Look::Open } else { Look::Filled },
    }
}

pub(super) fn frontier(frontier: &Frontier, planned: &Planned) -> String {
    let place = |(bytes, harm): &(f64, f64)| (compression(planned, *bytes), *harm);
    let points: Vec<_> = frontier.points.iter().map(place).collect();
    let totals = Totals::of(&planned.facts, &planned.plan);
    let own = frontier
        .harm
        .whole()
        .map(|harm| (totals.weight_compression(), harm));
    let all = || points.iter().copied().chain(own);
    let metric = frontier.metric;
    let chart = Chart {
        about: About {
            id: format!("frontier-{metric}"),
            title: format!("Frontier by {}", spoken(metric)),
            description: described(frontier, own),
        },
        x: Axis {
            name: "W-comp, times smaller than 32-bit weights".to_owned(),
            scale: Scale::linear(all().map(|point| point.0)),
        },
        y: Axis {
            name: "harm".to_owned(),
            scale: heights(all().map(|point| point.1)),
        },
        series: vec![
            Series {
                name: format!("best plans: {} over W-comp", harm_name(metric)),
                points: points.clone(),
                look: Drawn::Dotted,
            },
            Series {
                name: "this plan".to_owned(),
                points: own.into_iter().collect(),
                look: Drawn::Mark,
            },
        ],
    };
    chart.html()
}

/// By decades where every harm is above zero; measured loss changes can be below.
fn heights(harms: impl Iterator<Item = f64> + Clone) -> Scale {
    if harms.clone().all(|harm| harm > 0.0) {
        Scale::decades(harms)
    } else {
        Scale::linear(harms)
    }
}

/// A metric in words.
pub(super) fn spoken(metric: Metric) -> String {
    metric.to_string().replace('-', " ")
}

const fn harm_name(metric: Metric) -> &'static str {
    match metric {
        Metric::Eigenvalue => "omega, log10 axis,",
        Metric::Trace => "trace harm, log10 axis,",
        Metric::LossChange => "sum of loss changes",
    }
}

fn described(frontier: &Frontier, own: Option<(f64, f64)>) -> String {
    let metric = spoken(frontier.metric);
    let count = frontier.points.len();
    let here = own.map_or_else(
        || "this plan has bits that were not measured".to_owned(),
        |(times, harm)| {
            format!(
                "this plan is {times:.2} times smaller at a harm of {}",
                number(harm)
            )
        },
    );
    format!("Predicted harm by {metric} of the {count} best plans, over their compression; {here}.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn harms_below_zero_are_not_drawn_by_decades() {
        assert!(matches!(
            heights([0.1, 2.0].into_iter()),
            Scale::Decades { .. }
        ));
        assert!(matches!(
            heights([-0.1, 2.0].into_iter()),
            Scale::Linear { .. }
        ));
        assert_eq!(spoken(Metric::LossChange), "loss change");
    }
}
