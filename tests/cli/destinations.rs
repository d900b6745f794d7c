//! Where results may go: never over what is read, never over a run, and over what others wrote only when told.

use std::fs;
use std::path::Path;

use crate::support::{Ended, command, ended, hawqeye};
use crate::tune::{JOINT, planned, tune};

fn at(folder: &Path, arguments: &[&str]) -> Ended {
    ended(command(arguments).current_dir(folder))
}

#[test]
fn no_command_overwrites_what_it_reads() {
    let folder = planned();
    let folder = folder.path();
    tune(folder, &[&JOINT[..], &["1", "-o", "run"]].concat()).done();
    fs::write(
        folder.join("s.json"),
        r#"{"layers": [{"layer": "a", "parameters": 9, "eigenvalue": 1, "perturbation": {"8": 1}}]}"#,
    )
    .unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink("s.json", folder.join("link.json")).unwrap();
    let before = fs::read(folder.join("run/checkpoint.safetensors")).unwrap();

    let export = |to: &str| at(folder, &["export", "run", "-o", to, "--force"]);
    export("run/checkpoint.safetensors").refused(1, &["is a file of the run in"]);
    export("run/../run/best.safetensors").refused(1, &["is a file of the run in"]);
    for name in ["plan.toml", "events.jsonl", "settings.json"] {
        let to = format!("run/{name}");
        at(folder, &["report", "run", "-o", &to, "--force"]).refused(1, &["is a file of the run"]);
    }
    for to in ["s.json", "./s.json", "run/../s.json", "link.json"] {
        let plan = ["plan", "s.json", "--bits", "8", "--force", "-o", to];
        at(folder, &plan).refused(1, &["is the sensitivity file, which this command reads"]);
    }
    let weights = ["analyze", "--model", "resnet20", "--force"];
    let weights = [
        &weights[..],
        &[
            "--weights",
            "run/best.safetensors",
            "-o",
            "run/best.safetensors",
        ],
    ];
    at(folder, &weights.concat()).refused(1, &["run/best.safetensors is the weights"]);
    assert_eq!(
        fs::read(folder.join("run/checkpoint.safetensors")).unwrap(),
        before
    );
    at(folder, &["eval", "--run", "run"]).done();
}

#[test]
fn tables_of_a_report_do_not_land_on_the_measurements_it_reads() {
    let folder = planned();
    let folder = folder.path();
    tune(folder, &[&JOINT[..], &["1", "-o", "run"]].concat()).done();
    let measured =
        r#"{"layers": [{"layer": "conv1", "parameters": 9, "eigenvalue": 1, "perturbation": {}}]}"#;
    fs::write(folder.join("run/sensitivity.json"), measured).unwrap();
    let tables = ["report", "run", "-o", "r.html", "--csv", "run", "--force"];
    at(folder, &tables).refused(1, &["run is what is reported", "folder of their own"]);
    let tables = ["report", "run", "-o", "r.html", "--csv", "tables"];
    at(folder, &tables).done();
    at(folder, &tables).done();
    assert_eq!(
        fs::read_to_string(folder.join("run/sensitivity.json")).unwrap(),
        measured
    );
}

#[test]
fn a_file_that_others_wrote_is_overwritten_only_when_told() {
    let folder = planned();
    let folder = folder.path();
    tune(folder, &[&JOINT[..], &["1", "-o", "run"]].concat()).done();
    let thesis = folder.join("thesis");
    fs::write(&thesis, "chapter one").unwrap();
    for command in [
        &["export", "run", "-o", "thesis"][..],
        &["report", "run", "-o", "thesis"],
        &["config", "--print", "keymap", "-o", "thesis"],
        &["man", "-o", "thesis"],
        &["completions", "bash", "-o", "thesis"],
        &[
            "analyze",
            "--samples",
            "8",
            "--tolerance",
            "0.1",
            "-o",
            "thesis",
        ],
    ] {
        at(folder, command).refused(1, &["thesis exists", "--force"]);
        assert_eq!(fs::read_to_string(&thesis).unwrap(), "chapter one");
    }
    at(folder, &["export", "run", "-o", "thesis", "--force"]).done();
    // Our own file is made anew as often as one likes.
    at(folder, &["export", "run", "-o", "thesis"]).done();
    at(folder, &["man", "-o", "page"]).done();
    at(folder, &["man", "-o", "page"]).done();
}

#[test]
fn a_dash_is_stdout_where_a_text_is_written() {
    let text = hawqeye(&["config", "--print", "keymap"]).done().stdout;
    let dash = hawqeye(&["config", "--print", "keymap", "-o", "-"]).done();
    assert_eq!(dash.stdout, text);
    hawqeye(&["export", "run", "-o", "-"]).refused(2, &["needs a file"]);
}

#[test]
fn a_result_is_no_place_for_one_of_another_kind() {
    let folder = planned();
    let folder = folder.path();
    tune(folder, &[&JOINT[..], &["1", "-o", "run"]].concat()).done();
    let measured = r#"{"format": "hawqeye/sensitivity", "layers": []}"#;
    for name in ["s.json", "net.json"] {
        fs::write(folder.join(name), measured).unwrap();
    }
    let kept = |name: &str| fs::read(folder.join(name)).unwrap();
    let plan = kept("p.toml");
    let refused = |arguments: &[&str], words: &[&str]| at(folder, arguments).refused(1, words);
    refused(
        &["export", "run", "-o", "s.json"],
        &["s.json holds measurements"],
    );
    refused(
        &["report", "run", "-o", "s.json"],
        &["s.json holds measurements"],
    );
    let qonnx = ["export", "run", "--format", "qonnx", "-o", "p.toml"];
    refused(&qonnx, &["p.toml is a plan"]);
    let beside = [
        "export",
        "run",
        "--format",
        "safetensors",
        "-o",
        "net.safetensors",
    ];
    refused(&beside, &["net.json holds measurements"]);
    at(folder, &["export", "run", "-o", "net.packed"]).done();
    at(folder, &["export", "run", "-o", "net.packed"]).done();
    refused(
        &["report", "run", "-o", "net.packed"],
        &["net.packed is an exported network"],
    );
    assert!(kept("s.json") == measured.as_bytes() && kept("p.toml") == plan);
}

#[test]
fn no_command_writes_over_a_file_of_a_run_whatever_was_told() {
    let folder = planned();
    let folder = folder.path();
    tune(folder, &[&JOINT[..], &["1", "-o", "run"]].concat()).done();
    for (command, name) in [
        (&["config", "--print", "theme"][..], "settings.json"),
        (&["completions", "bash"], "events.jsonl"),
        (&["man"], "plan.toml"),
        (&["inspect", "--operations"], "network.json"),
        (&["bench", "--only", "forward"], "best.safetensors"),
    ] {
        let to = format!("run/{name}");
        let before = fs::read(folder.join(&to)).unwrap();
        let arguments = [command, &["-o", &to, "--force"]].concat();
        at(folder, &arguments).refused(1, &["is a file of the run in"]);
        assert!(fs::read(folder.join(&to)).unwrap() == before, "{name}");
    }
}

#[test]
fn a_new_run_writes_over_nothing_that_is_there() {
    let folder = planned();
    let folder = folder.path();
    tune(folder, &[&JOINT[..], &["1", "-o", "run"]].concat()).done();
    fs::create_dir(folder.join("own")).unwrap();
    fs::write(folder.join("own/best.safetensors"), "precious").unwrap();
    let own = tune(folder, &[&JOINT[..], &["1", "-o", "own"]].concat());
    own.refused(1, &["own holds best.safetensors but no settings.json"]);
    let best = fs::read(folder.join("own/best.safetensors")).unwrap();
    assert_eq!(best, b"precious");
    fs::remove_file(folder.join("run/settings.json")).unwrap();
    let before = fs::read(folder.join("run/checkpoint.safetensors")).unwrap();
    for more in [&[][..], &["--resume"]] {
        let again = tune(folder, &[&JOINT[..], &["1", "-o", "run"], more].concat());
        again.refused(1, &["but no settings.json"]);
    }
    assert!(fs::read(folder.join("run/checkpoint.safetensors")).unwrap() == before);
}
