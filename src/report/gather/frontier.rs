//! The frontier of the best plans beside the plan of a report, by every metric that was measured.

use crate::engine::allocate::Request;
use crate::engine::hessian::Metric;
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
    let bits = measured.widths(metric);
    if bits.is_empty() {
        return None;
    }
    let request = Request {
        bits,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::hessian::sensitivity::Sensitivity;

    #[test]
    fn only_what_was_measured_has_a_frontier() {
        let of = |json: &str| {
            let measured: Sensitivity = serde_json::from_str(json).unwrap();
            let plan = Request::default().start(&measured).unwrap();
            let planned = Planned {
                plan,
                facts: Vec::new(),
                measured: Some(measured),
                envelope: None,
            };
            let found = frontiers(&planned);
            found.iter().map(|f| f.metric).collect::<Vec<_>>()
        };
        let nothing = r#"{"layers": [{"layer": "a", "parameters": 9}]}"#;
        assert_eq!(of(nothing), []);
        let eigenvalue = r#"{"layers": [{"layer": "a", "parameters": 9, "eigenvalue": 1.0,
            "perturbation": {"2": 1.0, "8": 0.1}}]}"#;
        assert_eq!(of(eigenvalue), [Metric::Eigenvalue]);
    }
}
