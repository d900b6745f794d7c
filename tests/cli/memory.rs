//! `--memory`: the same results from less, and one sentence where it is too little.

use std::fs;

use crate::support::{Ended, command, ended};
use crate::tune::{JOINT, planned};

fn demo(arguments: &[&str]) -> Ended {
    ended(&mut command(
        &[arguments, &["--data", "demo", "-q"]].concat(),
    ))
}

/// The least memory that some work can be done in, as the refusal of less tells it.
fn least(arguments: &[&str]) -> String {
    let refused = demo(&[arguments, &["--memory", "1MB"]].concat());
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(
        refused.stderr.contains("got 1MB; give more with --memory"),
        "{refused:?}"
    );
    let wanted = refused.stderr.split("expected at least ").nth(1);
    let wanted = wanted.and_then(|rest| rest.split(' ').next());
    wanted.unwrap().to_owned()
}

#[test]
fn less_memory_gives_the_same_accuracy_and_too_little_says_how_much_is_needed() {
    let usual = demo(&["eval"]).done().stdout;
    let wanted = least(&["eval"]);
    assert_eq!(demo(&["eval", "--memory", &wanted]).done().stdout, usual);
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
    let file = folder.path().join("s.json");
    let analyze = [
        "analyze",
        "--samples",
        "32",
        "--layers",
        "layer3.2.conv2",
        "-o",
        file.to_str().unwrap(),
        "--force",
    ];
    let eigenvalue = |memory: &[&str]| {
        demo(&[&analyze[..], memory].concat()).done();
        let read: serde_json::Value =
            serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
        read["layers"][0]["eigenvalue"].as_f64().unwrap()
    };
    let (usual, small) = (eigenvalue(&[]), eigenvalue(&["--memory", &least(&analyze)]));
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
