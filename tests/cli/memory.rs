//! `--memory`: the same results from less, and one sentence where it is too little.

use std::fs;

use crate::support::{Ended, command, ended};
use crate::tune::{JOINT, planned};

fn demo(arguments: &[&str]) -> Ended {
    ended(&mut command(
        &[arguments, &["--data", "demo", "-q"]].concat(),
    ))
}

#[test]
fn less_memory_gives_the_same_accuracy_and_too_little_says_how_much_is_needed() {
    let usual = demo(&["eval"]).done().stdout;
    let least = demo(&["eval", "--memory", "1MB"]);
    assert_eq!(least.code, 1, "{least:?}");
    let wanted = least.stderr.split("expected at least ").nth(1);
    let wanted = wanted.and_then(|rest| rest.split(' ').next()).unwrap();
    assert!(
        least.stderr.contains("got 1MB; give more with --memory"),
        "{least:?}"
    );
    assert_eq!(demo(&["eval", "--memory", wanted]).done().stdout, usual);
    let unclear = demo(&["eval", "--memory", "much"]);
    assert_eq!(unclear.code, 2, "{unclear:?}");
    assert!(
        unclear.stderr.contains("such as 4GB or 500MB"),
        "{unclear:?}"
    );
}

#[test]
fn an_analysis_in_little_memory_walks_where_rows_do_not_fit() {
    let folder = tempfile::tempdir().unwrap();
    let eigenvalue = |memory: &[&str]| {
        let file = folder.path().join("s.json");
        let name = file.to_str().unwrap();
        let common = [
            "analyze",
            "--samples",
            "32",
            "--layers",
            "layer3.2.conv2",
            "-o",
            name,
            "--force",
        ];
        demo(&[&common[..], memory].concat()).done();
        let read: serde_json::Value =
            serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
        read["layers"][0]["eigenvalue"].as_f64().unwrap()
    };
    let (usual, small) = (eigenvalue(&[]), eigenvalue(&["--memory", "80MB"]));
    assert!((usual / small - 1.0).abs() < 1e-3, "{usual} {small}");
}

#[test]
fn a_batch_that_does_not_fit_is_refused_with_what_would() {
    let folder = planned();
    let arguments = [
        &["tune"][..],
        &JOINT,
        &["1", "-o", "run", "--memory", "200MB"],
    ]
    .concat();
    let refused =
        ended(command(&[&arguments[..], &["--data", "demo"]].concat()).current_dir(&folder));
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(!folder.path().join("run").exists(), "nothing is begun");
    assert!(
        refused.stderr.contains("smaller batches with --batch-size"),
        "{refused:?}"
    );
}
