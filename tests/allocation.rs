//! The allocator against the published settings of HAWQ-V3. Needs `../shared`; skips itself visibly
//! without it.

#![allow(clippy::unwrap_used, clippy::print_stderr, missing_docs)]

use std::path::Path;

use hawqeye::engine::Error;
use hawqeye::engine::allocate::{ActivationBits, Budget, Request};
use hawqeye::engine::hessian::Metric;
use hawqeye::engine::hessian::sensitivity::Sensitivity;
use hawqeye::engine::quant::Bits;
use serde_json::Value;

/// HAWQ-V3's inputs in the sensitivity schema.
fn published() -> Option<(Sensitivity, Value)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../shared/reference/hawq-v3-resnet18-allocation.json");
    let Ok(bytes) = std::fs::read(&path) else {
        eprintln!("skipped: {} is missing", path.display());
        return None;
    };
    let value: Value = serde_json::from_slice(&bytes).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sensitivity.json");
    let layers = value["layers"].clone();
    std::fs::write(&file, serde_json::json!({ "layers": layers }).to_string()).unwrap();
    let sensitivity = Sensitivity::read(&file).unwrap();
    Some((sensitivity, value["settings"].clone()))
}

fn bits() -> Vec<Bits> {
    [4, 8].map(|bits| Bits::new(bits).unwrap()).into()
}

/// Cost of every layer at the same bits.
fn uniform(sensitivity: &Sensitivity, kind: &str, bits: u8) -> f64 {
    let width = f64::from(bits);
    let layers = sensitivity.layers.iter();
    layers
        .map(|layer| match kind {
            "size" => layer.parameters as f64 * width / 8.0,
            "bops" => layer.macs.unwrap() as f64 * width * width,
            _ => layer.latency_ms[&bits],
        })
        .sum()
}

#[test]
fn all_nine_published_settings_are_reproduced() {
    let Some((sensitivity, settings)) = published() else {
        return;
    };
    let mut checked = 0;
    for (setting, expected) in settings.as_object().unwrap() {
        let (kind, fraction) = setting.split_once(' ').unwrap();
        let fraction: f64 = fraction.parse().unwrap();
        let (low, high) = (
            uniform(&sensitivity, kind, 4),
            uniform(&sensitivity, kind, 8),
        );
        let limit = low + fraction * (high - low);
        let budget = match kind {
            "size" => Budget::Size(limit),
            "bops" => Budget::Bops(limit),
            _ => Budget::Latency(limit),
        };
        let request = Request {
            budget: Some(budget),
            bits: bits(),
            activation_bits: ActivationBits::SameAsWeights,
            metric: Metric::Trace,
            ..Request::default()
        };
        let plan = request.allocate(&sensitivity).unwrap().plan;
        let found: Vec<u64> = plan
            .layers
            .iter()
            .map(|layer| u64::from(layer.weight_bits.get()))
            .collect();
        let expected: Vec<u64> = expected
            .as_array()
            .unwrap()
            .iter()
            .map(|bits| bits.as_u64().unwrap())
            .collect();
        assert_eq!(found, expected, "{setting}");
        checked += 1;
    }
    assert_eq!(checked, 9);
}

#[test]
fn an_impossible_budget_names_the_reachable_range() {
    let Some((sensitivity, _)) = published() else {
        return;
    };
    let request = Request {
        budget: Some("compression=20x".parse().unwrap()),
        bits: bits(),
        metric: Metric::Trace,
        ..Request::default()
    };
    match request.allocate(&sensitivity) {
        Err(Error::Infeasible(reason)) => {
            assert!(
                reason.contains("4.000x") && reason.contains("8.000x"),
                "{reason}"
            );
        }
        other => panic!("{other:?}"),
    }
}
