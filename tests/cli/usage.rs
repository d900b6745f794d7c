//! Help, completions, and mistakes on the command line.

use crate::support::{Untrained, hawqeye};

#[test]
fn without_a_terminal_the_application_says_how_to_go_on() {
    hawqeye(&[]).refused(2, &["terminal", "hawqeye --help"]);
}

#[test]
fn version_help_completions_and_manual_go_to_stdout() {
    assert!(
        hawqeye(&["--version"])
            .done()
            .stdout
            .starts_with("hawqeye ")
    );
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = hawqeye(&["completions", shell]).done().stdout;
        assert!(script.contains("max-iterations"), "{shell}");
    }
    assert!(hawqeye(&["man"]).done().stdout.contains(".TH hawqeye 1"));
    assert!(
        hawqeye(&["man", "analyze"])
            .done()
            .stdout
            .contains("tolerance")
    );
    hawqeye(&["man", "analyse"]).refused(2, &["did you mean analyze?"]);
    let keymap = hawqeye(&["config", "--print", "keymap"]).done().stdout;
    assert!(keymap.contains("[global]"));
    let settings = hawqeye(&["config", "--print", "config"]).done().stdout;
    assert!(settings.contains("\nreduced-motion = false\n"));
    assert!(
        hawqeye(&["config", "--print", "theme"])
            .done()
            .stdout
            .contains("[style]")
    );
    assert!(
        hawqeye(&["config"])
            .done()
            .stdout
            .contains("keymap.toml (defaults in use)")
    );
    let doctor = hawqeye(&["doctor"]).done().stdout;
    for word in [
        "version",
        "portable",
        "TERM",
        "projects",
        "50000 images",
        "by rows",
    ] {
        assert!(doctor.contains(word), "{word}: {doctor}");
    }
}

#[test]
fn help_is_as_reviewed() {
    insta::assert_snapshot!("short", hawqeye(&["-h"]).done().stdout);
    insta::assert_snapshot!("long", hawqeye(&["--help"]).done().stdout);
    for name in [
        "analyze",
        "plan",
        "eval",
        "tune",
        "export",
        "report",
        "bench",
        "inspect",
        "doctor",
        "config",
        "completions",
        "man",
    ] {
        insta::assert_snapshot!(name, hawqeye(&[name, "--help"]).done().stdout);
    }
}

#[test]
fn mistakes_on_the_command_line_exit_with_2() {
    for arguments in [
        &["fly"][..],
        &["plan"],
        &["plan", "s.json", "--budget", "speed=3"],
        &["plan", "s.json", "--bits", "9"],
        &["plan", "s.json", "--set", "conv1"],
        &["analyze", "--samples", "0"],
        &["analyze", "--metric", "norm"],
        &["analyze", "--isa", "neon"],
        &["analyze", "--data", "cifar10"],
        &["analyze", "--resume"],
        &["eval", "--threads", "0"],
        &["eval", "--split", "all"],
        &["eval", "--model", "vgg"],
    ] {
        let ended = hawqeye(arguments);
        assert_eq!(ended.code, 2, "{arguments:?}: {ended:?}");
        assert!(ended.stderr.starts_with("error: "), "{ended:?}");
        assert_eq!(ended.stdout, "");
    }
    for (arguments, expected) in [
        (["eval", "--threads", "99999999"], "1 to 1024"),
        (["eval", "--calibration", "-1"], "whole number from 1 on"),
        (["eval", "--seed", "-1"], "whole number from 0"),
        (["analyze", "--samples", "NaN"], "whole number from 1 on"),
        (["analyze", "--samples", "-1"], "whole number from 1 on"),
        (["analyze", "--tolerance", "-1"], "between 0 and 1"),
        (["tune", "--epochs", "0"], "whole number from 1 on"),
    ] {
        let ended = hawqeye(&arguments);
        assert_eq!(ended.code, 2, "{ended:?}");
        assert!(ended.stderr.contains(expected), "{ended:?}");
    }
    let cifar = ["eval", "--data", "cifar10:x"];
    hawqeye(&cifar).refused(2, &["--model FILE.pt2", "resnet56"]);
    let untrained = Untrained::new();
    untrained
        .run(&["analyze", "--tolerance", "5"])
        .refused(2, &["tolerance"]);
    untrained
        .run(&["analyze", "--samples", "9999"])
        .refused(2, &["at most 2048"]);
    untrained
        .run(&["analyze", "--layers", "liner"])
        .refused(2, &["did you mean linear?"]);
    untrained
        .run(&["eval", "--mean", "0.1,0.2,0.3"])
        .refused(2, &["3", "1 channel"]);
    untrained
        .run(&["eval", "--mean", "0.1", "--std", "0"])
        .refused(2, &["std 0: expected positive"]);
}
