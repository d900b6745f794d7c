//! The frontier of the best plans beside the plan of a report, by every metric that was measured.

use crate::engine::allocate::Request;
use crate::engine::hessian::Metric;
use crate::engine::quant::Bits;
use crate::report::model::{Frontier, Planned};

/// The frontiers of a plan's layers, whatever is pinned; ties are kept.
pub fn frontiers(planned: &Planned) -> Vec<Frontier> {
    let metrics = Metric::ALL.into_iter();
    metrics
        .filter_map(|metric| frontier(planned, metric))
        .collect()
}

/// Nothing when a layer lacks a measurement.
fn frontier(planned: &Planned, metric: Metric) -> Option<Frontier> {
    let measured = planned.measured.as_ref()?;
    let first = measured.layers.first()?;
    let candidates = match metric {
        Metric::LossChange => first.loss_change.keys(),
        _ => first.perturbation.keys(),
    };
    let candidates = candidates.filter_map(|bits| Bits::new((*bits).into()).ok());
    let request = Request {
        bits: candidates.collect(),
        metric,
        scale: planned.plan.scale,
        ..Request::default()
    };
    let mut free = planned.plan.clone();
    free.layers
        .iter_mut()
        .for_each(|layer| layer.pinned = false);
    let points = request.frontier(&free, measured).ok()?;
    let points: Vec<(f64, f64)> = points
        .iter()
        .map(|(point, _)| (point.cost / 8.0, point.harm))
        .collect();
    (!points.is_empty()).then(|| Frontier {
        metric,
        points,
        harm: request.harm_of(&planned.plan, measured),
    })
}
