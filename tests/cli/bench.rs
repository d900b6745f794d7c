//! `bench`: what it prints, never how long it took.

use std::fs;

use serde_json::Value;

use crate::support::hawqeye;

const SMALL: [&str; 5] = ["bench", "--repeats", "1", "--batch-size", "16"];

fn bench(arguments: &[&str]) -> Value {
    let ended = hawqeye(&[&SMALL[..], &["--json"], arguments].concat()).done();
    serde_json::from_str(&ended.stdout).unwrap()
}

#[test]
fn one_work_as_json_names_what_was_timed_on_what() {
    let found = bench(&["--only", "forward"]);
    for key in [
        "format",
        "version",
        "program",
        "device",
        "isa",
        "threads",
        "processor",
        "model",
        "weights",
        "data",
        "image",
        "batch_size",
        "samples",
        "repeats",
        "works",
        "convolutions",
        "peak_memory_bytes",
    ] {
        assert!(found.get(key).is_some(), "{key} in {found}");
    }
    assert_eq!(found["format"], "hawqeye/bench");
    assert!(found["weights"].as_str().unwrap().starts_with("untrained"));
    assert!(found["data"].as_str().unwrap().starts_with("noise"));
    let works = found["works"].as_array().unwrap();
    assert_eq!(works.len(), 1);
    assert_eq!(works[0]["name"], "forward");
    assert_eq!(works[0]["images"], 16);
    let all = works[0]["all_s"].as_array().unwrap();
    assert_eq!(all.len(), 1);
    assert!(all[0].as_f64().unwrap() > 0.0);
    assert_eq!(works[0]["median_s"], all[0]);
}

#[test]
fn every_work_on_the_network_runs_on_the_demo() {
    let works = "qat-step,train-step,sweep-traces,sweep,product,forward-backward";
    let samples = ["--samples", "16", "--data", "demo", "--only", works];
    let found = bench(&samples);
    assert_eq!(found["weights"], "those of the demo");
    let works = found["works"].as_array().unwrap();
    let names: Vec<&str> = works.iter().map(|w| w["name"].as_str().unwrap()).collect();
    let expected = [
        "forward-backward",
        "product",
        "sweep",
        "sweep-traces",
        "train-step",
        "qat-step",
    ];
    assert_eq!(names, expected);
    assert_eq!(works[1]["layers"].as_array().unwrap().len(), 20);
    let sweep = &works[2]["found"][0];
    assert_eq!(sweep["layer"], "conv1");
    assert!(sweep["eigenvalue"].as_f64().unwrap() > 0.0);
    assert!(sweep.get("trace").is_none());
    let traces = &works[3]["found"][0];
    assert!(traces["trace"].as_f64() >= traces["eigenvalue"].as_f64());
}

#[test]
fn without_json_it_is_a_table_and_a_file_on_request() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bench.txt");
    let to_file = ["--only", "forward", "-o", path.to_str().unwrap()];
    let ended = hawqeye(&[&SMALL[..], &to_file].concat()).done();
    assert_eq!(ended.stdout, "");
    let text = fs::read_to_string(&path).unwrap();
    for word in ["resnet20", "untrained", "noise", "forward", "median"] {
        assert!(text.contains(word), "{word}: {text}");
    }
}

#[test]
fn an_unknown_work_is_refused_with_the_known_ones() {
    let ended = hawqeye(&["bench", "--only", "forward,backwards"]);
    assert_eq!(ended.code, 2);
    assert_eq!(ended.stdout, "");
    for word in ["backwards", "forward", "sweep-traces", "qat-step"] {
        assert!(ended.stderr.contains(word), "{word}: {ended:?}");
    }
    hawqeye(&["bench", "--data", "demo", "--samples", "9999"]).refused(2, &["at most 2048"]);
}
