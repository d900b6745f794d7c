//! `plan`.

use std::fs;

use hawqeye::engine::plan;
use tempfile::TempDir;

use crate::support::{Ended, command, ended, hawqeye, names};

const SENSITIVITY: &str = r#"{"layers": [
  {"layer": "a", "parameters": 100, "macs": 1000, "eigenvalue": 4.0,
   "perturbation": {"2": 4.0, "4": 0.5, "8": 0.01}},
  {"layer": "b", "parameters": 300, "macs": 1000, "eigenvalue": 0.1,
   "perturbation": {"2": 4.0, "4": 0.5, "8": 0.01}}]}"#;

pub fn planned(arguments: &[&str]) -> (TempDir, Ended) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.json");
    fs::write(&path, SENSITIVITY).unwrap();
    let first = ["plan", path.to_str().unwrap(), "--bits", "2,4,8"];
    let mut command = command(&[&first[..], arguments].concat());
    let ended = ended(command.current_dir(folder.path()));
    (folder, ended)
}

#[test]
fn a_plan_goes_to_stdout_or_to_a_file_with_its_table_beside_it() {
    let (_folder, ended) = planned(&["--budget", "average-bits=3.5"]);
    let ended = ended.done();
    let read = plan::file::parse(&ended.stdout, None).unwrap();
    let bits: Vec<u8> = read
        .layers
        .iter()
        .map(|layer| layer.weight_bits.get())
        .collect();
    assert_eq!(bits, [8, 2]);
    assert!(ended.stderr.contains("W-comp        9.14x"), "{ended:?}");

    let (folder, ended) = planned(&["--budget", "average-bits=3.5", "-o", "p.toml"]);
    assert!(ended.done().stdout.contains("W-comp"));
    assert_eq!(
        plan::file::read(&folder.path().join("p.toml"), None).unwrap(),
        read
    );

    let (folder, ended) = planned(&["--budget", "average-bits=3.5", "--dry-run", "-o", "p.toml"]);
    assert!(ended.done().stdout.contains("W-comp"));
    assert_eq!(names(folder.path()), ["s.json"]);
}

#[test]
fn an_impossible_budget_exits_with_3_and_names_what_can_be_reached() {
    let (folder, ended) = planned(&["--budget", "compression=20x", "-o", "p.toml"]);
    ended.refused(3, &["compression=4.000x", "compression=16.000x"]);
    assert_eq!(names(folder.path()), ["s.json"]);
}

#[test]
fn overrides_and_ties_are_checked_and_kept() {
    let (_folder, ended) = planned(&["--set", "*=4", "--set", "b=2/4"]);
    let read = plan::file::parse(&ended.done().stdout, None).unwrap();
    let bits = |layer: &plan::PlannedLayer| (layer.weight_bits.get(), layer.activation_bits.get());
    assert_eq!(
        read.layers.iter().map(bits).collect::<Vec<_>>(),
        [(4, 8), (2, 4)]
    );
    planned(&["--set", "c*=4"])
        .1
        .refused(2, &["no layer matches"]);
    planned(&["--tie", "a,c"]).1.refused(2, &["\"c\""]);
    planned(&["--budget", "latency=1ms"])
        .1
        .refused(1, &["a has no latency", "--latency FILE"]);
    planned(&["--metric", "trace", "--budget", "size=100"])
        .1
        .refused(1, &["trace"]);
}

#[test]
fn what_is_not_known_is_not_zero() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.json");
    let unknown = SENSITIVITY.replacen(" \"macs\": 1000,", "", 1);
    fs::write(
        &path,
        unknown.replacen('{', r#"{"model": {"name": "mine"}, "data": {},"#, 1),
    )
    .unwrap();
    let plan =
        |more: &[&str]| hawqeye(&[&["plan", path.to_str().unwrap(), "--dry-run"], more].concat());
    let reason = "no multiply-accumulates (macs) are known of a, so BOPs cannot be counted";
    plan(&["--budget", "bops=1M"]).refused(1, &[reason]);
    let shown = plan(&["--budget", "average-bits=4"]).done().stdout;
    let bops = shown.lines().find(|line| line.starts_with("BOPs")).unwrap();
    assert!(bops.ends_with("unknown"), "{shown}");
}

#[test]
fn a_budget_out_of_reach_by_a_hair_reads_differently_from_what_is_reached() {
    let three = SENSITIVITY.replace("\"2\":", "\"3\":");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.json");
    fs::write(&path, three).unwrap();
    let of = |budget: &str| {
        let plan = ["plan", path.to_str().unwrap(), "--bits", "3", "--budget"];
        hawqeye(&[&plan[..], &[budget]].concat())
    };
    of("compression=10.667x").refused(3, &["compression=10.6670x", "compression=10.6667x"]);
    of("average-bits=2.9999999")
        .refused(3, &["average-bits=2.9999999:", "average-bits=3.0000000;"]);
    of("compression=10.666x").done();
}

#[test]
fn bits_set_by_hand_and_what_others_wrote_are_overwritten_only_when_told() {
    let (folder, ended) = planned(&["--set", "a=4", "-o", "p.toml"]);
    ended.done();
    let plan = |more: &[&str]| {
        let mut command = command(&[&["plan", "s.json", "-o", "p.toml"], more].concat());
        super::support::ended(command.current_dir(folder.path()))
    };
    let before = fs::read(folder.path().join("p.toml")).unwrap();
    plan(&[]).refused(
        1,
        &["p.toml holds bits that were set by hand (a)", "--force"],
    );
    assert_eq!(fs::read(folder.path().join("p.toml")).unwrap(), before);
    plan(&["--set", "a=4", "--set", "b=8"]).done();
    plan(&["--force"]).done();
    plan(&[]).done();
    fs::write(folder.path().join("p.toml"), "chapter one").unwrap();
    plan(&[]).refused(1, &["p.toml exists and was not written by hawqeye"]);
    plan(&["--dry-run"]).done();
}

#[test]
fn what_is_not_a_sensitivity_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.json");
    let plan = |text: &str| {
        fs::write(&path, text).unwrap();
        hawqeye(&["plan", path.to_str().unwrap()])
    };
    plan("{").refused(1, &["s.json"]);
    plan("[1, 2]").refused(1, &["s.json"]);
    plan(r#"{"layers": []}"#).refused(1, &["no layer"]);
    plan(r#"{"format": "else", "layers": []}"#).refused(1, &["else"]);
    let huge = SENSITIVITY.replace("\"macs\": 1000", "\"macs\": 10000000000000000000");
    plan(&huge).refused(1, &["s.json", "MACs", "at most"]);
    hawqeye(&["plan", "none.json"]).refused(1, &["none.json", "not found"]);
    let nowhere = [
        "plan",
        path.to_str().unwrap(),
        "-o",
        "no/such/folder/p.toml",
    ];
    fs::write(&path, SENSITIVITY).unwrap();
    hawqeye(&nowhere).refused(1, &["p.toml", "not found"]);
}
