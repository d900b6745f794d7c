//! What is said of files that are damaged, empty or of another kind: what was expected, what came, and
//! the next step that fits, in words of this program.

use std::fs;

use crate::support::{Ended, Untrained, command, ended};
use crate::tune::{JOINT, planned, tune};

/// Words of the libraries that read files.
const FOREIGN: [&str; 12] = [
    "invalid type",
    "invalid length",
    "invalid value",
    "missing field",
    "unknown variant",
    "Protobuf",
    "wire type",
    "EOCD",
    "expected ident",
    "i128",
    "wanted string",
    "again; save",
];

/// One sentence with these words, and none of a library's.
#[track_caller]
fn told(ended: Ended, words: &[&str]) {
    let foreign = FOREIGN.iter().find(|word| ended.stderr.contains(*word));
    assert_eq!(foreign, None, "{ended:?}");
    ended.refused(1, words);
}

#[test]
fn a_damaged_sensitivity_file_is_to_be_measured_again() {
    let folder = tempfile::tempdir().unwrap();
    let layer = |rest: &str| format!("{{\"layers\":[{{\"layer\":\"a\",\"parameters\":5{rest}}}]}}");
    for (text, expected) in [
        (String::new(), "it is empty; measure again"),
        (
            "{\"layers\": [".to_owned(),
            "it ends too early; measure again",
        ),
        ("nonsense".to_owned(), "line 1: expected JSON, got nonsense"),
        ("[]".to_owned(), "expected a group of keys, got a list"),
        (
            layer(",\"eigenvalue\":NaN"),
            "a, eigenvalue is NaN: expected a finite number; measure again with hawqeye analyze",
        ),
        (
            layer(",\"iterations\":-1"),
            "a, iterations: expected a whole number, 0 or more, got -1; measure again",
        ),
        (
            layer("},{\"layer\":\"\",\"parameters\":5"),
            "the layer in entry 2 has no name; measure again",
        ),
        (
            layer("},{\"layer\":\"a\",\"parameters\":5"),
            "layer a is listed twice; measure again",
        ),
    ] {
        fs::write(folder.path().join("s.json"), &text).unwrap();
        fs::write(folder.path().join("s.json.partial"), text).unwrap();
        let plan = |file: &str| {
            let arguments = ["plan", file, "--budget", "average-bits=4"];
            ended(command(&arguments).current_dir(folder.path()))
        };
        told(plan("s.json"), &[expected]);
        told(plan("s.json.partial"), &["remove it, and measure again"]);
    }
}

#[test]
fn a_mistake_in_a_plan_is_told_with_its_line_and_key() {
    let untrained = Untrained::new();
    let layer = "[[layer]]\nname = \"conv1\"\nactivation_bits = 4\n";
    for (text, expected) in [
        (
            "scale = 3\n",
            "line 3: scale: expected a word in quotes, got 3",
        ),
        (
            "scale = mse\n",
            "line 3: expected key = value, with text in quotes, or [table], got",
        ),
        ("version = 1\n", "line 3: version is there twice"),
        (
            "layer = [[]]\n",
            "line 3: layer: expected a group of keys, got []",
        ),
        (
            &format!("{layer}weight_bits = -3\n"),
            "line 6: -3 bits: expected 2 to 8, or 32",
        ),
        (
            &format!("{layer}weight_bits = 1\n"),
            "line 6: 1 bit: expected 2 to 8",
        ),
        (
            "[[layer]]\nname = \"\"\nweight_bits = 4\nactivation_bits = 4",
            "without a name",
        ),
    ] {
        let text = format!("format = \"hawqeye/plan\"\nversion = 1\n{text}");
        fs::write(untrained.path("plan.toml"), text).unwrap();
        let plan = untrained.text("plan.toml");
        told(untrained.run(&["eval", "--plan", &plan]), &[expected]);
    }
}

#[test]
fn networks_that_are_empty_or_no_networks_are_told_plainly() {
    let folder = tempfile::tempdir().unwrap();
    for (name, content, expected) in [
        ("a.onnx", &b""[..], "but it is empty; export it again"),
        (
            "b.onnx",
            b"garbage of bytes",
            "it is cut off, damaged or another file",
        ),
        ("c.onnx", b"\x08\x07", "an ONNX file with a graph, got none"),
        ("d.pt2", b"PK\x03\x04garbage", "it is cut off or damaged"),
    ] {
        let path = folder.path().join(name);
        fs::write(&path, content).unwrap();
        told(
            ended(&mut command(&["inspect", path.to_str().unwrap()])),
            &[expected],
        );
    }
}

#[test]
fn what_torchvision_prints_is_read_as_a_preprocessing() {
    let untrained = Untrained::new();
    let file = untrained.text("compose.txt");
    let eval = |text: &str| {
        fs::write(&file, text).unwrap();
        untrained.run(&["eval", "--json", "-q", "--preprocess", &file])
    };
    let normalize = "ToTensor()\n    Normalize(mean=(0.3,), std=(0.35,))";
    let plain = untrained.run(&["eval", "--json", "-q", "--mean", "0.3", "--std", "0.35"]);
    let compose = eval(&format!("Compose(\n    {normalize}\n)\n")).done();
    assert_eq!(compose.stdout, plain.done().stdout);
    told(
        eval(&format!("Compose(Pad(3) {normalize})")),
        &["Pad in Compose: not read here"],
    );
    told(
        eval("SemanticSegmentation(a=3)"),
        &["Compose(...) as printed"],
    );
    told(
        eval("{\"image_mean\": [NaN]}"),
        &["expected a finite number; write it again"],
    );
    let three = "[input]\nmean = [0.5]\nstd = [0.5, 0.5, 0.5]";
    eval(three).refused(
        2,
        &["an image of demo has 1 channel: give one value for all"],
    );
}

#[test]
fn weights_that_overflow_are_named() {
    for (value, expected) in [
        (
            f32::NAN,
            "layer1.0.conv1.weight, channel 0: NaN is not finite",
        ),
        (
            f32::INFINITY,
            "layer1.0.conv1.weight, channel 0: inf is not finite",
        ),
        (
            3e38,
            "numbers first overflow in what layer1.0.conv2 reads (the largest of its weights is \
             3.0e38, in layer1.0.conv1.weight)",
        ),
    ] {
        let untrained = Untrained::spoiled(|name, values| {
            if name == "layer1.0.conv1.weight" {
                values.iter_mut().for_each(|v| *v = value);
            }
        });
        told(untrained.run(&["eval", "-q"]), &[expected]);
    }
}

#[test]
fn a_run_without_a_whole_checkpoint_says_what_to_do() {
    let folder = planned();
    let folder = folder.path();
    tune(folder, &[&JOINT[..], &["1", "-o", "run"]].concat()).done();
    let file = |name: &str| folder.join("run").join(name);
    let export = || {
        let arguments = ["export", "run", "-o", "e.st", "-q", "--force"];
        ended(command(&arguments).current_dir(folder))
    };
    let reported = || {
        ended(command(&["report", "run"]).current_dir(folder))
            .done()
            .stderr
    };
    assert_eq!(reported(), "");
    let whole = fs::read(file("checkpoint.safetensors")).unwrap();
    fs::remove_file(file("checkpoint.safetensors")).unwrap();
    let taken = ended(command(&["export", "run", "-o", "e.st"]).current_dir(folder)).done();
    assert!(
        taken
            .stderr
            .contains("checkpoint.safetensors is gone: the network of the best epoch"),
        "{taken:?}"
    );
    let said = reported();
    assert!(
        said.contains("checkpoint.safetensors is gone; the network of its best"),
        "{said}"
    );
    for name in ["checkpoint.safetensors", "best.safetensors"] {
        fs::write(file(name), &whole[..whole.len() / 2]).unwrap();
    }
    told(
        export(),
        &["put back one of them, or start a new run in another folder"],
    );
    let said = reported();
    let damaged = said.matches("the checkpoint is damaged");
    assert_eq!(damaged.count(), 2, "{said}");
    let again = tune(folder, &["-o", "run", "--resume"]);
    told(again, &["put back one of them, or start a new run"]);
    fs::write(file("checkpoint.safetensors"), &whole).unwrap();
    fs::write(file("events.jsonl"), "damaged\n").unwrap();
    let said = reported();
    assert!(
        said.contains("8 bytes") && said.contains("not fully known"),
        "{said}"
    );
    let exported = ended(command(&["export", "run", "-o", "f.st"]).current_dir(folder)).done();
    assert!(
        exported
            .stderr
            .contains("what the run warned of is not known"),
        "{exported:?}"
    );
    let on = tune(folder, &["-o", "run", "--resume"]).done();
    assert!(
        on.stderr.contains("kept as run/events-left-aside.jsonl"),
        "{on:?}"
    );
    let kept = fs::read_to_string(file("events-left-aside.jsonl")).unwrap();
    assert_eq!(kept, "damaged\n");
}

#[test]
fn a_run_whose_plan_or_settings_are_damaged_or_gone_says_what_to_do() {
    let folder = planned();
    let folder = folder.path();
    tune(folder, &[&JOINT[..], &["1", "-o", "run"]].concat()).done();
    let file = |name: &str| folder.join("run").join(name);
    let export = || {
        let arguments = ["export", "run", "-o", "e.st", "-q", "--force"];
        ended(command(&arguments).current_dir(folder))
    };
    let reported = || {
        ended(command(&["report", "run"]).current_dir(folder))
            .done()
            .stderr
    };
    let planned = fs::read_to_string(file("plan.toml")).unwrap();
    for (text, words) in [
        ("", "plan.toml: it is empty; put back the plan.toml"),
        (
            "[layer]\n[[layer]]",
            "expected [[layer]], as the others, got [layer]; put back",
        ),
    ] {
        fs::write(file("plan.toml"), text).unwrap();
        told(export(), &[words]);
    }
    fs::remove_file(file("plan.toml")).unwrap();
    assert!(reported().contains("plan.toml is gone: the bits are those that settings.json tells"));
    export().done();
    tune(folder, &["-o", "run", "--resume"]).done();
    let again = fs::read_to_string(file("plan.toml")).unwrap();
    assert_eq!(
        again.matches("weight_bits = 4").count(),
        planned.matches("weight_bits = 4").count()
    );
    let other = planned.replacen("weight_bits = 4", "weight_bits = 3", 1);
    fs::write(file("plan.toml"), other).unwrap();
    told(
        export(),
        &["3/", "in the settings.json beside it", "one of the two"],
    );
    let settings = fs::read_to_string(file("settings.json")).unwrap();
    fs::remove_file(file("settings.json")).unwrap();
    for arguments in [&["report", "run"][..], &["eval", "--run", "run"]] {
        let lost = ended(command(arguments).current_dir(folder));
        told(
            lost,
            &["run/settings.json is gone", "put back the settings.json"],
        );
    }
    fs::write(file("settings.json"), settings).unwrap();
    fs::write(file("settings.json"), "{\"format\": 3}").unwrap();
    told(
        export(),
        &["put back the settings.json that the run was started with"],
    );
}
