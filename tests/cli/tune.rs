//! `tune`: run folders, interrupted and killed; `eval --run`.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Ended, command, ended, hawqeye, uniform_plan};

/// A folder with a plan for the demo's network.
pub fn planned() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("p.toml"), uniform_plan()).unwrap();
    folder
}

pub const JOINT: [&str; 5] = ["--plan", "p.toml", "--schedule", "joint", "--epochs"];

fn tuning(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = command(&[&["tune"], arguments].concat());
    command.current_dir(folder);
    command
}

pub fn tune(folder: &Path, arguments: &[&str]) -> Ended {
    ended(&mut tuning(folder, arguments))
}

/// Starts a run that shows its events, and waits until `word` is among them.
fn until(folder: &Path, arguments: &[&str], word: &str) -> Child {
    let mut command = tuning(folder, &[&["--progress", "json"], arguments].concat());
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut events = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(events.any(|line| line.unwrap().contains(word)));
    std::thread::spawn(move || events.for_each(drop));
    child
}

fn checkpoint(folder: &Path, run: &str) -> Vec<u8> {
    fs::read(folder.join(run).join("checkpoint.safetensors")).unwrap()
}

/// The events of a run, without the evaluations that a resumed run repeats none of.
fn events(folder: &Path, run: &str) -> String {
    fs::read_to_string(folder.join(run).join("events.jsonl")).unwrap()
}

#[test]
fn a_run_is_told_as_it_goes_and_its_network_is_evaluated() {
    let folder = planned();
    let folder = folder.path();
    let done = tune(folder, &[&JOINT[..], &["1", "-o", "run"]].concat()).done();
    assert_eq!(done.stdout.lines().count(), 1);
    assert!(done.stdout.starts_with("accuracy "), "{done:?}");
    for words in ["float, validation", "post-training, validation", "epoch 1"] {
        assert!(done.stderr.contains(words), "{words}: {done:?}");
    }
    let mut eval = command(&["eval", "--run", "run"]);
    let score = ended(eval.current_dir(folder)).done().stdout;
    assert_eq!(score, done.stdout);
    let last = events(folder, "run").lines().last().unwrap().to_owned();
    let last: Value = serde_json::from_str(&last).unwrap();
    assert_eq!(
        (&last["event"], &last["outcome"]),
        (&"finished".into(), &"done".into())
    );
}

#[cfg(unix)]
#[test]
fn an_interrupted_or_killed_run_goes_on_to_the_same_network() {
    let folder = planned();
    let folder = folder.path();
    let run = |name: &'static str| [&JOINT[..], &["1", "-o", name]].concat();
    tune(folder, &run("whole")).done();
    for (signal, code, name) in [("INT", Some(130), "int"), ("KILL", None, "kill")] {
        let mut child = until(folder, &run(name), r#""event":"step""#);
        let id = child.id().to_string();
        let sent = Command::new("kill").args(["-s", signal, &id]).status();
        assert!(sent.unwrap().success());
        assert_eq!(child.wait().unwrap().code(), code);
        tune(folder, &run(name)).refused(1, &["already holds a run", "--resume"]);
        let other = [&JOINT[..], &["1", "--lr", "0.5", "-o", name, "--resume"]].concat();
        tune(folder, &other).refused(1, &["another run", "learning rate 0.01 there, 0.5 now"]);
        tune(folder, &["-o", name, "--resume"]).done();
        assert!(
            checkpoint(folder, name) == checkpoint(folder, "whole"),
            "{signal}"
        );
        assert_eq!(events(folder, name), events(folder, "whole"), "{signal}");
        // A run that is done tells its result again.
        tune(folder, &["-o", name, "--resume"]).done();
    }
}

#[test]
fn without_a_sensitivity_file_the_order_is_measured_and_kept() {
    let folder = planned();
    let folder = folder.path();
    let staged = [
        "--plan",
        "p.toml",
        "--epochs",
        "1",
        "--batch-size",
        "1024",
        "-o",
        "run",
    ];
    let done = tune(folder, &staged).done();
    assert!(done.stderr.contains("measured first"), "{done:?}");
    assert!(done.stderr.contains("stage 20 of 20"), "{done:?}");
    assert!(folder.join("run/sensitivity.json").exists());
}

#[test]
fn what_cannot_be_tuned_is_one_sentence() {
    let folder = planned();
    let folder = folder.path();
    assert_eq!(hawqeye(&["tune", "-o", "run"]).code, 2);
    tune(folder, &["--resume", "-o", "none"]).refused(1, &["holds no run", "--plan"]);
    tune(
        folder,
        &[&JOINT[..], &["1", "--lr", "0", "-o", "run"]].concat(),
    )
    .refused(2, &["learning rate 0"]);
    let refused = [&JOINT[..], &["1", "-o", "/proc/run"]].concat();
    tune(folder, &refused).refused(1, &["cannot create /proc/run"]);
    hawqeye(&["eval", "--run", "none"]).refused(1, &["none holds no run"]);
    assert_eq!(
        hawqeye(&["eval", "--run", "run", "--model", "resnet20"]).code,
        2
    );
}
