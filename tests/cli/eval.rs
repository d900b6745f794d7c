//! `eval`.

use std::fs;

use serde_json::Value;

use crate::support::{Untrained, hawqeye, uniform_plan};

#[test]
fn eval_prints_one_line_or_json() {
    let untrained = Untrained::new();
    let line = untrained.run(&["eval"]).done();
    assert_eq!(line.stdout.lines().count(), 1);
    assert!(line.stdout.starts_with("accuracy "), "{line:?}");
    let json = untrained
        .run(&["eval", "--json", "--quiet", "--split", "validation"])
        .done();
    let score: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(score["total"], 204);
    assert!(score["loss"].as_f64().unwrap() > 0.0);
    assert!(score["correct"].as_u64() <= score["correct_top5"].as_u64());
    assert_eq!(json.stderr, "");
}

#[test]
fn progress_as_json_is_one_event_a_line() {
    let ended = Untrained::new().run(&["eval", "--progress", "json"]).done();
    let events: Vec<Value> = ended
        .stderr
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let last = events.last().unwrap();
    assert_eq!(
        (&last["event"], &last["phase"]),
        (&"progress".into(), &"evaluate".into())
    );
    assert_eq!(
        (&last["done"], &last["total"]),
        (&1024.into(), &1024.into())
    );
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let untrained = Untrained::new();
    let one = untrained.run(&["eval", "--json", "--threads", "1"]).done();
    let three = untrained.run(&["eval", "--json", "--threads", "3"]).done();
    assert_eq!(one.stdout, three.stdout);
}

#[test]
fn bad_inputs_are_one_sentence_each() {
    let untrained = Untrained::new();
    let weights = untrained.text("w.safetensors");
    let eval = |arguments: &[&str]| hawqeye(&[&["eval"], arguments].concat());
    let demo = ["--data", "demo", "--model", "resnet20", "--weights"];
    eval(&[&demo[..], &["none.th"]].concat()).refused(1, &["none.th"]);
    let other = [
        "--data",
        "demo",
        "--model",
        "resnet32",
        "--weights",
        &weights,
    ];
    eval(&other).refused(1, &["missing", "layer1.3.conv1.weight", "--model"]);
    fs::write(untrained.path("text.th"), "not weights").unwrap();
    eval(&[&demo[..], &[&untrained.text("text.th")]].concat()).refused(1, &["text.th"]);
    let cifar = format!("cifar10:{}", untrained.folder.path().display());
    let on_cifar = [
        "--model",
        "resnet20",
        "--weights",
        &weights,
        "--data",
        &cifar,
    ];
    eval(&on_cifar).refused(1, &["test_batch.bin"]);
    fs::write(untrained.path("test_batch.bin"), [0; 5000]).unwrap();
    eval(&on_cifar).refused(1, &["test_batch.bin", "5,000 bytes"]);
    fs::write(untrained.path("test_batch.bin"), []).unwrap();
    eval(&on_cifar).refused(1, &["test_batch.bin", "empty"]);
}

#[test]
fn a_weight_that_is_not_a_number_is_named() {
    let spoiled = Untrained::spoiled(|name, values| {
        if name == "layer2.1.conv2.weight" {
            values[7] = f32::NAN;
        }
    });
    spoiled
        .run(&["eval"])
        .refused(1, &["layer2.1.conv2.weight"]);
    spoiled
        .run(&["analyze"])
        .refused(1, &["layer2.1.conv2.weight"]);
}

#[test]
fn a_plan_with_a_mistake_is_refused_with_its_line() {
    let untrained = Untrained::new();
    let uniform = uniform_plan();
    let path = untrained.text("p.toml");
    let eval = |toml: &str| {
        fs::write(&path, toml).unwrap();
        untrained.run(&["eval", "--plan", &path, "--calibration", "32"])
    };
    eval(&uniform).done();
    let nine = uniform.replacen("weight_bits = 4", "weight_bits = 9", 1);
    eval(&nine).refused(1, &["line 8", "9 bits"]);
    let unknown = uniform.replacen("layer1.0.conv1", "layer9.0.conv1", 1);
    eval(&unknown).refused(1, &["layer9.0.conv1", "did you mean"]);
    let other = uniform.replacen("resnet20", "resnet32", 1);
    eval(&other).refused(1, &["the plan is of resnet32", "resnet20"]);
    eval("format = 3").refused(1, &["line 1"]);
    eval("").refused(1, &["p.toml"]);
}

#[test]
fn repairs_make_a_plan_worth_more_without_training() {
    let folder = tempfile::tempdir().unwrap();
    let plan = folder.path().join("p.toml");
    fs::write(
        &plan,
        uniform_plan().replace("weight_bits = 4", "weight_bits = 2"),
    )
    .unwrap();
    let plan = plan.to_str().unwrap();
    let eval = |more: &[&str]| {
        let given = ["eval", "-q", "--json", "--data", "demo", "--plan", plan];
        hawqeye(&[&given[..], more].concat())
    };
    let correct = |ended: crate::support::Ended| {
        let score: Value = serde_json::from_str(&ended.done().stdout).unwrap();
        score["correct"].as_u64().unwrap()
    };
    let none = correct(eval(&[]));
    for boosts in ["rounding", "norms", "norms,rounding"] {
        let boosted = correct(eval(&["--boost", boosts]));
        assert!(boosted > 2 * none, "{boosts}: {boosted}, {none} without");
    }
    let unknown = eval(&["--boost", "round"]);
    assert_eq!(unknown.code, 2);
    assert!(
        unknown.stderr.contains("rounding, bias, norms"),
        "{unknown:?}"
    );
    let alone = hawqeye(&["eval", "--data", "demo", "--boost", "bias"]);
    assert_eq!(alone.code, 2);
    assert!(alone.stderr.contains("--plan"), "{alone:?}");
}
