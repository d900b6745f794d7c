//! `analyze`, interrupted and killed.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::support::{Untrained, names};

const FEW: [&str; 4] = ["--samples", "64", "--tolerance", "1e-3"];

#[test]
fn analyze_writes_the_schema_and_warns_of_an_untrained_network() {
    let untrained = Untrained::new();
    let metrics = [
        "--metric",
        "trace,eigenvalue",
        "--layers",
        "layer3.*",
        "--bits",
        "4,2",
    ];
    let path = untrained.text("s.json");
    let arguments = [&["analyze", "-o", &path], &FEW[..], &metrics].concat();
    let ended = untrained.run(&arguments).done();
    assert_eq!(ended.stdout, "");
    assert!(
        ended
            .stderr
            .contains("warning: the network looks untrained"),
        "{ended:?}"
    );
    let found = untrained.sensitivity("s.json");
    assert_eq!(found["format"], "hawqeye/sensitivity");
    assert_eq!(found["model"]["name"], "resnet20");
    assert_eq!(found["data"]["samples"], 64);
    assert_eq!(
        found["settings"]["metrics"],
        serde_json::json!(["eigenvalue", "trace"])
    );
    assert!(found["seconds"].as_f64().unwrap() > 0.0);
    let layers = found["layers"].as_array().unwrap();
    assert_eq!(layers.len(), 6);
    for layer in layers {
        let number = |key: &str| layer[key].as_f64().unwrap();
        assert!(number("eigenvalue") > 0.0 && number("trace") >= number("eigenvalue"));
        assert!(number("residual") <= 1e-3 && layer["converged"] == true);
        let shares = number("sensitivity") * number("parameters") / number("eigenvalue");
        assert!((shares - 1.0).abs() < 1e-12);
        assert!(layer["perturbation"]["2"].as_f64() > layer["perturbation"]["4"].as_f64());
        assert_eq!(
            (&layer["latency_ms"], &layer["tie"]),
            (&serde_json::json!({}), &Value::Null)
        );
    }
    assert_eq!(names(untrained.folder.path()), ["s.json", "w.safetensors"]);
}

/// Starts an analysis that shows its events, and waits until a layer is measured.
fn measuring(untrained: &Untrained, arguments: &[&str]) -> Child {
    let mut command = untrained.command(&[&["analyze", "--progress", "json"], arguments].concat());
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut events = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(events.any(|line| line.unwrap().contains(r#""event":"layer""#)));
    // The rest is read, too: a full pipe would hold the program up.
    std::thread::spawn(move || events.for_each(drop));
    child
}

/// What a sensitivity file says, without the wall time.
fn measured(untrained: &Untrained, name: &str) -> Value {
    let mut found = untrained.sensitivity(name);
    found["seconds"] = Value::Null;
    found
}

#[cfg(unix)]
#[test]
fn an_interrupted_or_killed_analysis_goes_on_to_the_same_numbers() {
    let untrained = Untrained::new();
    let analyze = |name: &str, more: &[&str]| -> Vec<String> {
        let path = untrained.text(name);
        let all = [&["--samples", "64", "-o", &path][..], more].concat();
        all.iter().map(ToString::to_string).collect()
    };
    let borrowed = |arguments: &[String]| -> Vec<&'static str> {
        let leak = |text: &String| -> &'static str { text.clone().leak() };
        arguments.iter().map(leak).collect()
    };
    let whole = borrowed(&analyze("whole.json", &[]));
    untrained.run(&[&["analyze"][..], &whole].concat()).done();
    for (signal, code) in [("INT", Some(130)), ("TERM", Some(130)), ("KILL", None)] {
        let arguments = borrowed(&analyze("s.json", &[]));
        let mut child = measuring(&untrained, &arguments);
        let id = child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-s", signal, &id])
                .status()
                .unwrap()
                .success()
        );
        assert_eq!(child.wait().unwrap().code(), code);
        assert!(untrained.path("s.json.partial").exists());
        assert!(!untrained.path("s.json").exists());

        let again = borrowed(&analyze("s.json", &["--resume"]));
        let other = [&["analyze"][..], &again, &["--tolerance", "1e-2"]].concat();
        untrained
            .run(&other)
            .refused(1, &["tolerance 0.001 there, 0.01 here"]);
        untrained.run(&[&["analyze"][..], &again].concat()).done();
        assert_eq!(
            measured(&untrained, "s.json"),
            measured(&untrained, "whole.json")
        );
        assert!(!untrained.path("s.json.partial").exists());
        fs::remove_file(untrained.path("s.json")).unwrap();
    }
}

#[test]
fn a_state_that_nobody_asked_for_is_replaced_with_a_warning() {
    let untrained = Untrained::new();
    fs::write(untrained.path("s.json.partial"), "broken").unwrap();
    let path = untrained.text("s.json");
    let analyze = [&["analyze", "--layers", "linear", "-o", &path], &FEW[..]].concat();
    let resume = [&analyze[..], &["--resume"]].concat();
    untrained.run(&resume).refused(1, &["s.json.partial"]);
    let ended = untrained.run(&analyze).done();
    assert!(ended.stderr.contains("is replaced"), "{ended:?}");
    let ended = untrained.run(&resume).done();
    assert!(
        ended
            .stderr
            .contains("s.json is complete (eigenvalue of 1 layer); nothing was measured"),
        "{ended:?}"
    );
}

#[test]
fn a_finished_analysis_gets_the_metrics_widths_and_layers_it_lacks_and_loses_nothing() {
    let untrained = Untrained::new();
    let path = untrained.text("s.json");
    let of = |more: &[&str]| {
        let analyze = [&["analyze", "-o", &path][..], more].concat();
        untrained.run(&analyze).done()
    };
    of(&["--samples", "32", "--layers", "linear", "--bits", "4"]);
    let before = untrained.sensitivity("s.json");
    let more = ["--resume", "--metric", "trace,loss-change", "--bits", "3,4"];
    of(&[&more[..], &["--layers", "linear"]].concat());
    let after = untrained.sensitivity("s.json");
    let layer = &after["layers"][0];
    for kept in ["eigenvalue", "residual", "history"] {
        assert_eq!(layer[kept], before["layers"][0][kept], "{kept}");
    }
    assert!(layer["trace"].is_f64());
    for bits in ["3", "4"] {
        assert!(layer["loss_change"][bits].is_f64() && layer["omega"][bits].is_f64());
    }
    let metrics = ["eigenvalue", "trace", "loss-change"];
    assert_eq!(after["settings"]["metrics"], serde_json::json!(metrics));
    assert_eq!(after["settings"]["bits"], serde_json::json!([3, 4]));
    assert_eq!(after["data"]["samples"], 32, "as in the file");

    let again = of(&["--resume", "--layers", "linear"]);
    assert!(again.stderr.contains("nothing was measured"), "{again:?}");
    assert_eq!(untrained.sensitivity("s.json"), after);

    of(&[
        "--resume",
        "--layers",
        "layer3.2.conv2",
        "--metric",
        "trace",
    ]);
    let names = untrained.sensitivity("s.json");
    let names = names["layers"].as_array().unwrap().iter();
    let names: Vec<&str> = names
        .map(|layer| layer["layer"].as_str().unwrap())
        .collect();
    assert_eq!(names.len(), 2);
    assert!(names.contains(&"linear") && names.contains(&"layer3.2.conv2"));
}

#[test]
fn finished_measurements_are_overwritten_only_when_told() {
    let untrained = Untrained::new();
    let path = untrained.text("s.json");
    let analyze = [
        "analyze",
        "--samples",
        "8",
        "--tolerance",
        "0.1",
        "-o",
        &path,
    ];
    untrained
        .run(&[&analyze[..], &["--layers", "linear"]].concat())
        .done();
    let before = untrained.sensitivity("s.json");
    // A forgotten --merge.
    let one = [&analyze[..], &["--layers", "conv1"]].concat();
    untrained.run(&one).refused(
        1,
        &[
            "finished measurements (eigenvalue of 1 layer)",
            "--merge",
            "--force",
        ],
    );
    assert_eq!(untrained.sensitivity("s.json"), before);
    untrained.run(&[&one[..], &["--force"]].concat()).done();
    assert_eq!(
        untrained.sensitivity("s.json")["layers"][0]["layer"],
        "conv1"
    );
}

#[test]
fn a_sample_nobody_asked_for_is_never_too_large() {
    let untrained = Untrained::new();
    let few = &["--layers", "linear", "--tolerance", "0.1", "-o", "-"];
    let all = untrained.run(&[&["analyze"][..], few].concat()).done();
    let found: Value = serde_json::from_str(&all.stdout).unwrap();
    assert_eq!(found["data"]["samples"], 512);
    let asked = [&["analyze", "--samples", "4096"][..], few].concat();
    untrained.run(&asked).refused(2, &["4096", "2048"]);
}

#[test]
fn eigenvalues_that_did_not_converge_are_told_and_an_error_when_strict() {
    let untrained = Untrained::new();
    let path = untrained.text("s.json");
    let few = [
        "analyze",
        "--samples",
        "32",
        "--max-iterations",
        "2",
        "-o",
        &path,
    ];
    let told = untrained.run(&few).done();
    let expected = "of 20 eigenvalues did not reach the tolerance (worst: ";
    assert!(told.stderr.contains(expected), "{told:?}");
    assert!(told.stderr.contains("--max-iterations"), "{told:?}");

    let plan = ["plan", &path, "--dry-run"];
    let planned = crate::support::hawqeye(&plan).done();
    assert!(planned.stderr.contains(expected), "{planned:?}");
    let strict = crate::support::hawqeye(&[&plan[..], &["--strict", "-q"]].concat());
    assert_eq!(strict.code, 1, "{strict:?}");
    assert!(strict.stderr.contains(expected), "{strict:?}");
}

#[test]
fn a_layer_measured_again_takes_its_place_and_the_others_stay() {
    let untrained = Untrained::new();
    let path = untrained.text("s.json");
    let two = ["--layers", "linear", "--layers", "layer3.2.conv2"];
    let first = [
        "analyze",
        "--samples",
        "32",
        "--tolerance",
        "1e-2",
        "-o",
        &path,
    ];
    untrained.run(&[&first[..], &two].concat()).done();
    let before = measured(&untrained, "s.json");
    let again = [
        "analyze",
        "--samples",
        "32",
        "--tolerance",
        "1e-4",
        "-o",
        &path,
        "--merge",
    ];
    untrained.run(&[&again[..], &two[..2]].concat()).done();
    let after = measured(&untrained, "s.json");
    assert_eq!(after["settings"], before["settings"]);
    assert_eq!(after["layers"][0], before["layers"][0]);
    let layer = &after["layers"][1];
    assert_eq!(layer["tolerance"], 1e-4);
    assert!(layer["residual"].as_f64().unwrap() <= 1e-4);
    let other = [
        "analyze",
        "--samples",
        "16",
        "-o",
        &path,
        "--merge",
        "--layers",
        "linear",
    ];
    let reason = "another sample (32 images of demo";
    untrained.run(&other).refused(1, &[reason]);
    let otherwise = [
        &other[..1],
        &["--samples", "32", "--mean", "0", "--std", "1"],
        &other[3..],
    ];
    untrained
        .run(&otherwise.concat())
        .refused(1, &["another preprocessing"]);
    assert_eq!(measured(&untrained, "s.json"), after);
}
