//! `inspect`: what is in a network file.

use std::fs;

use serde_json::Value;

use crate::support::{hawqeye, shared};

#[test]
fn the_operations_that_are_listed_are_those_that_are_supported() {
    let table = hawqeye(&["inspect", "--operations"]).done().stdout;
    assert!(table.contains("BatchNormalization"), "{table}");
    assert!(table.contains("aten.conv2d.default"), "{table}");
    assert!(!table.contains("Sigmoid"), "{table}");
}

#[test]
fn what_is_no_network_is_refused_in_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("net.onnx");
    fs::write(&path, b"no network").unwrap();
    let path = path.to_str().unwrap();
    hawqeye(&["inspect", path]).refused(1, &["expected an ONNX file", "export the network again"]);
    let ended = hawqeye(&["inspect", path, "--size", "0"]);
    assert_eq!(ended.code, 2);
    assert!(
        ended.stderr.contains("expected rows and columns"),
        "{ended:?}"
    );
}

#[test]
fn layers_of_every_exporter_have_the_names_of_their_modules() {
    let Some(shared) = shared() else { return };
    let layers = |file: &str| -> Vec<String> {
        let path = shared.join("zoo").join(file);
        let shown = hawqeye(&["inspect", path.to_str().unwrap(), "--json"])
            .done()
            .stdout;
        let document: Value = serde_json::from_str(&shown).unwrap();
        let layers = document["layers"].as_array().unwrap().iter();
        layers
            .map(|layer| layer["layer"].as_str().unwrap().to_owned())
            .collect()
    };
    let kept = layers("resnet20-akamaster/model.pt2");
    assert_eq!(kept.len(), 20);
    assert_eq!(kept[7], "layer2.0.conv1");
    for exporter in ["torch-dynamo", "torch-legacy", "torch-legacy-bn"] {
        assert_eq!(
            layers(&format!("resnet20-akamaster/model-{exporter}.onnx")),
            kept
        );
    }
}

#[test]
fn everything_that_is_not_supported_is_told_at_once() {
    let Some(shared) = shared() else { return };
    let path = shared.join("zoo/silu-se-fashion/model.pt2");
    let ended = hawqeye(&["inspect", path.to_str().unwrap(), "--json"]);
    assert_eq!(ended.code, 1);
    let document: Value = serde_json::from_str(&ended.stdout).unwrap();
    let counts: Vec<u64> = document["unsupported"]
        .as_array()
        .unwrap()
        .iter()
        .map(|refused| refused["count"].as_u64().unwrap())
        .collect();
    assert_eq!(counts, [13, 3, 3]);
    assert_eq!(document["layers"].as_array().unwrap().len(), 21);
}
