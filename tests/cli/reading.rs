//! Files as other programs write them, damaged ones and hostile ones: what comes of them, from outside.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use hawqeye::engine::model::weights::{self, NamedTensor, write_safetensors};
use hawqeye::engine::shown::is_unseen;

use crate::support::{Ended, Untrained, command, ended, hawqeye};
use crate::tune::{JOINT, planned, tune};

const SENSITIVITY: &str = include_str!("../data/demo/sensitivity.json");

/// The weights of an untrained network under other names, written to `changed`.
fn renamed(untrained: &Untrained, rename: impl Fn(&str) -> Vec<String>) {
    let file = weights::read(&untrained.path("w.safetensors")).unwrap();
    let tensors: Vec<NamedTensor> = file
        .tensors
        .iter()
        .flat_map(|tensor| {
            let names = rename(&tensor.name).into_iter().enumerate();
            names.map(|(place, name)| NamedTensor {
                name,
                shape: tensor.shape.clone(),
                values: tensor
                    .values
                    .iter()
                    .map(|v| v * (1.0 + place as f32))
                    .collect(),
            })
        })
        .collect();
    write_safetensors(&untrained.path("changed"), &tensors, &BTreeMap::new()).unwrap();
}

/// `eval` of the weights called `changed`.
fn eval(untrained: &Untrained, arguments: &[&str]) -> Ended {
    let weights = untrained.text("changed");
    let subject = [
        "eval",
        "--model=resnet20",
        "--data=demo",
        "--json",
        "--weights",
        &weights,
    ];
    hawqeye(&[&subject, arguments].concat())
}

#[test]
fn a_text_before_all_names_changes_nothing_and_is_told() {
    let untrained = Untrained::new();
    let plain = untrained.run(&["eval", "--json"]).done().stdout;
    renamed(&untrained, |name| vec![format!("net._orig_mod.{name}")]);
    let found = eval(&untrained, &[]).done();
    assert_eq!(found.stdout, plain);
    assert!(
        found.stderr.contains("begin with net._orig_mod."),
        "{found:?}"
    );
    assert_eq!(eval(&untrained, &["-q"]).done().stderr, "");
}

#[test]
fn of_two_sets_of_weights_one_is_chosen_by_its_key() {
    let untrained = Untrained::new();
    let plain = untrained.run(&["eval", "--json"]).done().stdout;
    renamed(&untrained, |name| {
        vec![format!("model.{name}"), format!("ema.{name}")]
    });
    eval(&untrained, &[]).refused(1, &["differ: choose one with --weights-key ema or model"]);
    let model = eval(&untrained, &["--weights-key", "model", "-q"]).done();
    assert_eq!(model.stdout, plain);
    assert_ne!(
        eval(&untrained, &["--weights-key=ema"]).done().stdout,
        plain
    );
    eval(&untrained, &["--weights-key=x"]).refused(1, &["there is ema or model"]);
    eval(&untrained, &["--weights-key=modle"]).refused(1, &["did you mean model?"]);
}

#[test]
fn a_variance_that_cannot_be_is_named_by_tensor_and_channel() {
    let spoiled = Untrained::spoiled(|name, values| {
        if name == "layer1.0.bn1.running_var" {
            values[2] = -1e-4;
        }
    });
    let words = [
        "layer1.0.bn1.running_var, channel 2",
        "-1e-4",
        "w.safetensors",
    ];
    spoiled.run(&["eval"]).refused(1, &words);
}

/// A folder with the measurements of the demo, changed.
fn measured(change: impl Fn(&str) -> String) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("s.json"), change(SENSITIVITY)).unwrap();
    folder
}

fn plan(folder: &Path, arguments: &[&str]) -> Ended {
    let mut command = command(&[&["plan", "s.json"], arguments].concat());
    ended(command.current_dir(folder))
}

const TENFOLD: [&str; 2] = ["--budget", "compression=10x"];

/// The measurements with another eigenvalue of `layer1.1.conv1`.
fn with_eigenvalue(text: &str, value: &str) -> String {
    let layer = text.find("\"layer1.1.conv1\"").unwrap();
    let key = "\"eigenvalue\":";
    let start = layer + text[layer..].find(key).unwrap() + key.len();
    let end = start + text[start..].find(',').unwrap();
    [&text[..start], value, &text[end..]].concat()
}

#[test]
fn a_number_that_is_none_is_named_by_layer_and_key() {
    for number in ["NaN", "Infinity", "-Infinity", "1e999"] {
        let folder = measured(|text| with_eigenvalue(text, number));
        let words = ["layer1.1.conv1", "eigenvalue", number, "s.json"];
        plan(folder.path(), &TENFOLD).refused(1, &words);
    }
}

#[test]
fn a_number_beyond_all_measure_is_refused_before_the_plan_is_made() {
    for number in ["1e308", "-1e308"] {
        let folder = measured(|text| with_eigenvalue(text, number));
        plan(folder.path(), &TENFOLD).refused(1, &["layer1.1.conv1", "its harm is not finite"]);
    }
}

#[test]
fn tables_and_plans_may_begin_with_a_byte_order_mark() {
    let folder = measured(|text| format!("\u{feff}{text}"));
    let folder = folder.path();
    let layers = serde_json::from_str::<serde_json::Value>(SENSITIVITY).unwrap();
    let layers = layers["layers"].as_array().unwrap();
    let rows = |separator: &str, number: &str| -> String {
        let row = |bits: &str| {
            let each = layers.iter().map(|layer| layer["layer"].as_str().unwrap());
            let row = move |layer| [layer, bits, number].join(separator) + "\r\n";
            each.map(row).collect::<String>()
        };
        ["2", "3", "4", "8"].map(row).concat()
    };
    let tables = [
        format!("\u{feff}layer,bits,ms\r\n{}", rows(",", "0.01")),
        format!("\u{feff}{}", rows(",", "0.01")),
        format!("\"layer\";\"bits\";\"ms\"\r\n{}", rows(";", "0,01")),
    ];
    let budget = [
        "--budget",
        "latency=0.4ms",
        "--latency",
        "l.csv",
        "-o",
        "p.toml",
    ];
    for table in tables {
        fs::write(folder.join("l.csv"), table).unwrap();
        let _ = fs::remove_file(folder.join("p.toml"));
        assert!(plan(folder, &budget).done().stdout.contains("latency"));
    }
    let text = fs::read_to_string(folder.join("p.toml")).unwrap();
    fs::write(folder.join("p.toml"), format!("\u{feff}{text}")).unwrap();
    let mut eval = command(&["eval", "--plan", "p.toml", "--calibration", "32"]);
    ended(eval.current_dir(folder)).done();
    fs::write(folder.join("l.csv"), b"\xff\xfel\0").unwrap();
    plan(folder, &budget).refused(1, &["l.csv", "UTF-16"]);
}

#[test]
fn a_home_folder_behind_the_name_of_a_data_set_is_found() {
    let home = tempfile::tempdir().unwrap();
    let raw = home.path().join("data/FashionMNIST/raw");
    fs::create_dir_all(&raw).unwrap();
    let header = |numbers: &[u32]| -> Vec<u8> {
        numbers
            .iter()
            .flat_map(|number| number.to_be_bytes())
            .collect()
    };
    let images = [header(&[0x803, 4, 28, 28]), vec![9; 4 * 28 * 28]].concat();
    fs::write(raw.join("t10k-images.idx3-ubyte"), images).unwrap();
    let labels = [header(&[0x801, 4]), vec![1, 2, 3, 4]].concat();
    fs::write(raw.join("t10k-labels.idx1-ubyte"), labels).unwrap();
    let untrained = Untrained::new();
    let weights = untrained.text("w.safetensors");
    for data in [
        "--data=fashion-mnist:~/data",
        "--data=fashion-mnist:~/data/FashionMNIST",
    ] {
        let arguments = [
            "eval",
            "--model=resnet20",
            "--weights",
            &weights,
            data,
            "--json",
        ];
        let found = ended(command(&arguments).env("HOME", home.path())).done();
        assert!(found.stdout.contains("\"total\":4"), "{found:?}");
    }
}

#[test]
fn settings_of_a_run_are_checked_wherever_they_are_read() {
    let folder = planned();
    let folder = folder.path();
    tune(folder, &[&JOINT[..], &["1", "-o", "run", "-q"]].concat()).done();
    let path = folder.join("run/settings.json");
    let sound: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let check = |pointer: &str, value: serde_json::Value, words: &[&str]| {
        let mut changed = sound.clone();
        *changed.pointer_mut(pointer).unwrap() = value;
        fs::write(&path, changed.to_string()).unwrap();
        let words = [&["settings.json"], words].concat();
        for arguments in [&["eval", "--run", "run"][..], &["export", "run", "-o", "x"]] {
            ended(command(arguments).current_dir(folder)).refused(1, &words);
        }
        let again = [&JOINT[..], &["1", "-o", "run", "--resume"]].concat();
        assert_eq!(tune(folder, &again).code, 1);
    };
    let list = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    check(
        "/stages",
        list("[]"),
        &["layer conv1 is in 0 stages: expected one"],
    );
    check("/stages", list("[[]]"), &["layer conv1 is in 0 stages"]);
    check(
        "/data/normalization/std",
        list("[0.0]"),
        &["std 0: expected positive"],
    );
    check(
        "/data/normalization/std",
        list("[]"),
        &["1 value of mean but 0 of std"],
    );
    check(
        "/model/classes",
        list("4611686018427387914"),
        &["4611686018427387914 classes"],
    );
    check(
        "/model/image",
        list("[1, 18446744073709551615, 1]"),
        &["images of 1x1844"],
    );
    check(
        "/settings/epochs",
        list("18446744073709551615"),
        &["epochs", "at most"],
    );
    check("/settings/learning_rate", list("-1"), &["learning rate -1"]);
    check(
        "/settings/momentum",
        list("\"much\""),
        &["settings, momentum", "expected a number"],
    );
}

/// The header of a packed file without its checksum.
fn unsealed(header: &str) -> String {
    let key = "\"hawqeye/sha256\":\"";
    let (before, behind) = header.split_once(key).unwrap();
    let behind = behind.split_once('"').unwrap().1;
    match behind.strip_prefix(',') {
        Some(behind) => format!("{before}{behind}"),
        None => format!("{}{behind}", before.trim_end_matches(',')),
    }
}

#[test]
fn a_packed_file_with_impossible_classes_is_refused() {
    let folder = planned();
    let folder = folder.path();
    tune(folder, &[&JOINT[..], &["1", "-o", "run", "-q"]].concat()).done();
    let export = ["export", "run", "-o", "p", "-q", "--format", "packed"];
    ended(command(&export).current_dir(folder)).done();
    let bytes = fs::read(folder.join("p")).unwrap();
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let sealed = String::from_utf8(bytes[8..8 + length].to_vec()).unwrap();
    // As an older version wrote it: without a checksum that would refuse every change.
    let header = unsealed(&sealed);
    for classes in [
        "4611686018427387914",
        "2305843009213693962",
        "1000000000",
        "0",
    ] {
        let changed = header.replace("\"classes\":\"10\"", &format!("\"classes\":\"{classes}\""));
        assert_ne!(changed, header);
        let length = (changed.len() as u64).to_le_bytes();
        let file = [&length[..], changed.as_bytes(), &bytes[8 + sealed.len()..]].concat();
        fs::write(folder.join("q"), file).unwrap();
        let eval = ["eval", "--packed", "q", "--data", "demo"];
        ended(command(&eval).current_dir(folder)).refused(1, &[classes, "classes"]);
    }
}

#[test]
fn more_epochs_than_can_be_counted_are_refused() {
    let folder = planned();
    for epochs in ["18446744073709551615", "1000000001"] {
        let refused = tune(
            folder.path(),
            &[&JOINT[..], &[epochs, "-o", "run"]].concat(),
        );
        refused.refused(2, &[epochs, "at most"]);
    }
}

#[test]
fn names_from_files_reach_no_terminal_raw() {
    const HOSTILE: &str = "\u{1b}]0;title\u{7}\u{1b}[2J\u{9b}\u{202e}\u{2067}";
    let untrained = Untrained::new();
    renamed(&untrained, |name| {
        vec![name.to_owned(), format!("{name}{HOSTILE}")]
    });
    let clean = |ended: &Ended| {
        let text = [&*ended.stdout, &ended.stderr].concat();
        let raw = |c: char| is_unseen(c) && c != '\n';
        assert!(!text.contains(raw), "{text:?}");
        assert!(
            text.contains('\u{fffd}') || text.contains("\\u"),
            "{text:?}"
        );
    };
    clean(&eval(&untrained, &[]));
    let json = serde_json::to_string(&format!("conv1{HOSTILE}")).unwrap();
    let folder = measured(|text| text.replace("\"conv1\"", &json));
    for arguments in [&["--dry-run"][..], &["--budget=compression=10x"], &[]] {
        clean(&plan(folder.path(), arguments));
    }
    let name = toml::Value::from(format!("conv1{HOSTILE}")).to_string();
    for (key, text) in [("name", &name), ("model", &name), ("unknown", &name)] {
        let changed = match key {
            "unknown" => format!("{text} = 1\n{}", crate::support::uniform_plan()),
            _ => crate::support::uniform_plan().replacen(
                &format!(
                    "{key} = \"{}\"",
                    if key == "name" { "conv1" } else { "resnet20" }
                ),
                &format!("{key} = {text}"),
                1,
            ),
        };
        fs::write(folder.path().join("p.toml"), changed).unwrap();
        let mut eval = command(&["eval", "--plan", "p.toml"]);
        clean(&ended(eval.current_dir(folder.path())));
    }
    clean(&hawqeye(&[
        "eval",
        "--weights",
        &format!("/nowhere/{HOSTILE}"),
    ]));
    clean(&hawqeye(&[&format!("--{HOSTILE}")]));
}
