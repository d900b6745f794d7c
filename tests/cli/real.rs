//! ResNet20 on CIFAR-10, where it is at hand.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::{command, ended, shared};

fn real(shared: &Path) -> Vec<String> {
    let weights = shared.join("weights/resnet20-12fca82f.th");
    let data = shared.join("data/cifar-10-batches-bin");
    let data = format!("cifar10:{}", data.display());
    [
        "--model",
        "resnet20",
        "--weights",
        weights.to_str().unwrap(),
        "--data",
        &data,
    ]
    .map(str::to_owned)
    .into()
}

#[test]
fn resnet20_has_its_known_accuracy_and_eigenvalues() {
    let Some(shared) = shared() else { return };
    let real = real(&shared);
    let mut eval = command(&["eval", "--json"]);
    let score: Value = serde_json::from_str(&ended(eval.args(&real)).done().stdout).unwrap();
    assert!(
        score["correct"].as_u64().unwrap().abs_diff(9173) <= 2,
        "{score}"
    );

    let sample = [
        "analyze",
        "--samples",
        "128",
        "--order",
        "file",
        "--tolerance",
        "1e-5",
    ];
    let mut analyze = command(
        &[
            &sample[..],
            &["--scale", "max", "--metric", "eigenvalue,trace"],
        ]
        .concat(),
    );
    let found: Value = serde_json::from_str(&ended(analyze.args(&real)).done().stdout).unwrap();
    let reference = fs::read(shared.join("reference/resnet20-cifar10-128.json")).unwrap();
    let reference: Value = serde_json::from_slice(&reference).unwrap();
    let near = |found: &Value, expected: &Value, tolerance: f64| {
        let (found, expected) = (found.as_f64().unwrap(), expected.as_f64().unwrap());
        assert!(
            (found / expected - 1.0).abs() < tolerance,
            "{found} for {expected}"
        );
    };
    near(&found["loss"], &reference["loss"], 1e-5);
    for layer in found["layers"].as_array().unwrap() {
        let expected = &reference["layers"][format!("{}.weight", layer["layer"].as_str().unwrap())];
        near(&layer["eigenvalue"], &expected["top1"], 1e-4);
        near(&layer["trace"], &expected["trace_exact"], 1e-3);
        for bits in ["2", "3", "4", "8"] {
            near(
                &layer["perturbation"][bits],
                &expected["quant_err2"][bits],
                1e-4,
            );
        }
    }
}
