//! `export`, and `eval --packed`.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::{Ended, command, ended, names};
use crate::tune::{JOINT, planned, tune};

fn hawqeye(folder: &Path, arguments: &[&str]) -> Ended {
    let mut command = command(arguments);
    ended(command.current_dir(folder))
}

fn score(folder: &Path, arguments: &[&str]) -> Value {
    let ended = hawqeye(folder, &[&["eval", "--json"], arguments].concat()).done();
    serde_json::from_str(&ended.stdout).unwrap()
}

#[test]
fn a_run_is_exported_and_its_packed_file_runs_alone() {
    let folder = planned();
    let folder = folder.path();
    tune(folder, &[&JOINT[..], &["1", "-o", "run"]].concat()).done();
    let files = folder.join("files");
    fs::create_dir(&files).unwrap();
    for (format, name) in [
        ("packed", "p"),
        ("qonnx", "q.onnx"),
        ("safetensors", "s.weights"),
    ] {
        let path = format!("files/{name}");
        let said = hawqeye(folder, &["export", "run", "--format", format, "-o", &path]).done();
        assert!(said.stdout.contains("0 other predictions"), "{said:?}");
        let bytes = fs::metadata(files.join(name)).unwrap().len();
        assert!(said.stdout.contains(&format!("{bytes} bytes")), "{said:?}");
    }
    // Bits and scales lie beside the dequantized weights, and nothing else is left behind.
    assert_eq!(names(&files), ["p", "q.onnx", "s.json", "s.weights"]);
    let beside = fs::read(files.join("s.json")).unwrap();
    let beside: Value = serde_json::from_slice(&beside).unwrap();
    assert_eq!(beside["layers"][3]["weight_bits"], 4);
    assert_eq!(
        score(folder, &["--packed", "files/p"]),
        score(folder, &["--run", "run"])
    );

    // The QONNX file is a network like any other.
    let said = hawqeye(folder, &["inspect", "files/q.onnx"]).done().stdout;
    assert!(said.contains("kept as ranges"), "{said}");
    let data = ["--mean", "0.286", "--std", "0.353"];
    let again = score(folder, &[&["--model", "files/q.onnx"][..], &data].concat());
    let run = score(folder, &["--run", "run"]);
    let correct = |score: &Value| score["correct"].as_i64().unwrap();
    // Activations of 4 bits or more are not rounded again.
    let apart = correct(&again) - correct(&run);
    assert!(apart.abs() * 50 < correct(&run), "{again}, {run}");

    // The size was known before there was a run.
    let sensitivity = folder.join("s.json");
    let analyze = [
        "analyze",
        "--samples",
        "8",
        "--tolerance",
        "0.1",
        "-o",
        "s.json",
    ];
    hawqeye(folder, &analyze).done();
    assert!(sensitivity.exists());
    let plan = [
        "plan",
        "s.json",
        "--set",
        "*=4/4",
        "--set",
        "conv1=4/8",
        "--dry-run",
    ];
    let said = hawqeye(folder, &plan).done().stdout;
    let bytes = fs::metadata(files.join("p")).unwrap().len();
    let line = said.lines().find(|line| line.starts_with("packed file"));
    let predicted: u64 = line
        .unwrap()
        .split_whitespace()
        .nth(2)
        .unwrap()
        .parse()
        .unwrap();
    assert_eq!(bytes, predicted);
}

#[test]
fn what_cannot_be_exported_or_run_is_one_sentence() {
    let folder = planned();
    let folder = folder.path();
    let no_run = hawqeye(folder, &["export", "none", "-o", "x"]);
    no_run.refused(1, &["none holds no run", "hawqeye tune"]);
    let format = hawqeye(folder, &["export", "none", "--format", "gguf", "-o", "x"]);
    assert_eq!(format.code, 2);
    hawqeye(folder, &["eval", "--packed", "p.toml"]).refused(1, &["p.toml", "packed file"]);
    hawqeye(folder, &["eval", "--packed", "none"]).refused(1, &["cannot read none"]);
    assert_eq!(names(folder), ["p.toml"]);
}
