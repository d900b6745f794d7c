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

/// What `assets/results/README.md` says of the file beside it.
const RIGHT: u64 = 9183;

#[test]
fn the_shipped_file_is_small_and_right_as_often_as_told() {
    let Some(shared) = shared() else { return };
    let file =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/results/resnet20-13x.safetensors");
    let weights_at_their_bits = 81_840.0;
    let bytes = fs::metadata(&file).unwrap().len() as f64;
    assert!(
        bytes < 100_000.0 && bytes <= 1.12 * weights_at_their_bits,
        "{bytes}"
    );
    let data = format!(
        "cifar10:{}",
        shared.join("data/cifar-10-batches-bin").display()
    );
    let mut eval = command(&["eval", "--json", "--data", &data]);
    let score = ended(eval.arg("--packed").arg(&file)).done().stdout;
    let score: Value = serde_json::from_str(&score).unwrap();
    // Another instruction set may turn a rounding tie.
    assert!(
        score["correct"].as_u64().unwrap().abs_diff(RIGHT) <= 3,
        "{score}"
    );
}
