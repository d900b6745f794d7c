//! The real program, driven from outside: results, exit codes, messages, interruption.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    missing_docs,
    reason = "a test"
)]

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use hawqeye::engine::data::{DataSpec, Part, image_shape};
use hawqeye::engine::model::Model;
use hawqeye::engine::model::weights::{NamedTensor, write_safetensors};
use hawqeye::engine::plan;
use serde_json::Value;
use tempfile::TempDir;

/// How a run of the program ended.
#[derive(Debug)]
struct Ended {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Ended {
    /// The run succeeded.
    #[track_caller]
    fn done(self) -> Self {
        assert_eq!(self.code, 0, "{self:?}");
        self
    }

    /// The run failed with this exit code and one sentence that holds `words`.
    #[track_caller]
    fn refused(self, code: i32, words: &[&str]) {
        assert_eq!(self.code, code, "{self:?}");
        assert_eq!(self.stdout, "", "{self:?}");
        let lines: Vec<&str> = self.stderr.lines().collect();
        assert!(
            lines.len() == 1 && lines[0].starts_with("error: "),
            "{self:?}"
        );
        for word in words {
            assert!(self.stderr.contains(word), "{word:?} in {:?}", self.stderr);
        }
    }
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hawqeye"));
    command.args(arguments).stdin(Stdio::null());
    for name in ["HAWQEYE_LOG", "COLUMNS", "NO_COLOR"] {
        command.env_remove(name);
    }
    command.env(
        "HAWQEYE_HOME",
        std::env::temp_dir().join("hawqeye-test-no-such-folder"),
    );
    command
}

fn ended(command: &mut Command) -> Ended {
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ended {
        code: output.status.code().unwrap_or(-1),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}

fn hawqeye(arguments: &[&str]) -> Ended {
    ended(&mut command(arguments))
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// A folder with the weights of an untrained ResNet20 for the demo's images.
struct Untrained {
    folder: TempDir,
}

impl Untrained {
    fn new() -> Self {
        Self::spoiled(|_, _| {})
    }

    fn spoiled(spoil: impl Fn(&str, &mut Vec<f32>)) -> Self {
        let dataset = DataSpec::Demo.load(Part::Test).unwrap();
        let fit = (image_shape(&dataset), dataset.classes);
        let model = Model::untrained("resnet20".parse().unwrap(), fit, 1).unwrap();
        let graph = &model.graph;
        let mut tensors = Vec::new();
        for (spec, id) in graph.parameters().iter().zip(graph.parameter_ids()) {
            let mut values: Vec<f32> = model.parameters.get(id).iter().map(|&v| v as f32).collect();
            spoil(&spec.name, &mut values);
            if spec.role.is_in_weights_files() {
                tensors.push(NamedTensor {
                    name: spec.name.to_string(),
                    shape: spec.shape.clone(),
                    values,
                });
            }
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.safetensors");
        write_safetensors(&path, &tensors, &BTreeMap::new()).unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    /// `arguments` with model, weights and data.
    fn run(&self, arguments: &[&str]) -> Ended {
        ended(&mut self.command(arguments))
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let weights = self.text("w.safetensors");
        let mut command = command(arguments);
        command.args([
            "--model",
            "resnet20",
            "--data",
            "demo",
            "--weights",
            &weights,
        ]);
        command
    }

    fn sensitivity(&self, name: &str) -> Value {
        serde_json::from_slice(&fs::read(self.path(name)).unwrap()).unwrap()
    }
}

/// `../shared`, or nothing, said aloud.
fn shared() -> Option<PathBuf> {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    if shared.is_dir() {
        return Some(shared);
    }
    eprintln!("skipped: ../shared is not there");
    None
}

// --- help and usage -----------------------------------------------------------------------------

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
    for word in ["version", "instructions", "portable", "TERM", "projects"] {
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
    let cifar = ["eval", "--data", "cifar10:x"];
    hawqeye(&cifar).refused(2, &["--model ARCH", "resnet56"]);
    let untrained = Untrained::new();
    untrained
        .run(&["analyze", "--tolerance", "5"])
        .refused(2, &["tolerance"]);
    untrained
        .run(&["analyze", "--samples", "9999"])
        .refused(2, &["2048 images"]);
    untrained
        .run(&["analyze", "--layers", "liner"])
        .refused(2, &["did you mean linear?"]);
    untrained
        .run(&["eval", "--mean", "0.1,0.2,0.3"])
        .refused(2, &["3 values", "1 channels"]);
    untrained
        .run(&["eval", "--mean", "0.1", "--std", "0"])
        .refused(2, &["--std"]);
}

// --- eval ---------------------------------------------------------------------------------------

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
    eval(&on_cifar).refused(1, &["test_batch.bin", "5000"]);
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
    eval("format = 3").refused(1, &["line 1"]);
    eval("").refused(1, &["p.toml"]);
}

fn uniform_plan() -> String {
    let dataset = DataSpec::Demo.load(Part::Test).unwrap();
    let fit = (image_shape(&dataset), dataset.classes);
    let model = Model::untrained("resnet20".parse().unwrap(), fit, 1).unwrap();
    let facts = plan::LayerFacts::of(&model.graph);
    let bits = "4".parse().unwrap();
    plan::file::to_toml(&plan::Plan::uniform("resnet20", &facts, bits, bits))
}

// --- plan ---------------------------------------------------------------------------------------

const SENSITIVITY: &str = r#"{"layers": [
  {"layer": "a", "parameters": 100, "macs": 1000, "eigenvalue": 4.0,
   "perturbation": {"2": 4.0, "4": 0.5, "8": 0.01}},
  {"layer": "b", "parameters": 300, "macs": 1000, "eigenvalue": 0.1,
   "perturbation": {"2": 4.0, "4": 0.5, "8": 0.01}}]}"#;

fn planned(arguments: &[&str]) -> (TempDir, Ended) {
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
    hawqeye(&["plan", "none.json"]).refused(1, &["none.json"]);
}

// --- output -------------------------------------------------------------------------------------

#[test]
fn an_output_that_cannot_be_written_is_refused_before_the_work() {
    let untrained = Untrained::new();
    let refused = |path: &str| untrained.run(&["analyze", "-o", path]);
    refused(&untrained.text("none/s.json")).refused(1, &["cannot write", "none/s.json"]);
    refused(untrained.folder.path().to_str().unwrap()).refused(1, &["cannot write"]);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let locked = untrained.path("locked");
        fs::create_dir(&locked).unwrap();
        fs::set_permissions(&locked, fs::Permissions::from_mode(0o555)).unwrap();
        if fs::write(locked.join("probe"), "x").is_ok() {
            eprintln!("skipped: this user may write to read-only folders");
            return;
        }
        refused(&untrained.text("locked/s.json")).refused(1, &["cannot write", "ermission"]);
        assert!(names(&locked).is_empty());
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_one_sentence() {
    let (_folder, ended) = planned(&["-o", "/dev/full"]);
    ended.refused(1, &["/dev/full", "No space left"]);
    let full = fs::File::create("/dev/full").unwrap();
    let ended = ended_with_stdout(&["doctor"], full.into());
    assert_eq!(ended.0, 1);
    assert!(
        ended.1.starts_with("error: cannot write to stdout"),
        "{ended:?}"
    );
}

#[cfg(target_os = "linux")]
fn ended_with_stdout(arguments: &[&str], stdout: Stdio) -> (i32, String) {
    let mut command = command(arguments);
    let child = command
        .stdout(stdout)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    (output.status.code().unwrap_or(-1), stderr)
}

#[cfg(target_os = "linux")]
#[test]
fn a_reader_that_goes_away_is_not_an_error() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let (code, stderr) = ended_with_stdout(&["completions", "bash"], writer.into());
    assert_eq!((code, stderr.as_str()), (0, ""));
}

// --- analyze ------------------------------------------------------------------------------------

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
    assert!(ended.stderr.contains("already complete"), "{ended:?}");
}

// --- the real network ---------------------------------------------------------------------------

fn real(shared: &Path) -> Vec<String> {
    let weights = shared.join("weights/resnet20-12fca82f.th");
    let data = shared.join("data/cifar-10-batches-bin");
    let data = format!("cifar10:{}", data.display());
    [
        "--model",
        "resnet20",
        "--weights",
        weights.to_str().unwrap(),
        "--data",
        &data,
    ]
    .map(str::to_owned)
    .into()
}

#[test]
fn resnet20_has_its_known_accuracy_and_eigenvalues() {
    let Some(shared) = shared() else { return };
    let real = real(&shared);
    let mut eval = command(&["eval", "--json"]);
    let score: Value = serde_json::from_str(&ended(eval.args(&real)).done().stdout).unwrap();
    assert!(
        score["correct"].as_u64().unwrap().abs_diff(9173) <= 2,
        "{score}"
    );

    let sample = [
        "analyze",
        "--samples",
        "128",
        "--order",
        "file",
        "--tolerance",
        "1e-5",
    ];
    let mut analyze = command(
        &[
            &sample[..],
            &["--scale", "max", "--metric", "eigenvalue,trace"],
        ]
        .concat(),
    );
    let found: Value = serde_json::from_str(&ended(analyze.args(&real)).done().stdout).unwrap();
    let reference = fs::read(shared.join("reference/resnet20-cifar10-128.json")).unwrap();
    let reference: Value = serde_json::from_slice(&reference).unwrap();
    let near = |found: &Value, expected: &Value, tolerance: f64| {
        let (found, expected) = (found.as_f64().unwrap(), expected.as_f64().unwrap());
        assert!(
            (found / expected - 1.0).abs() < tolerance,
            "{found} for {expected}"
        );
    };
    near(&found["loss"], &reference["loss"], 1e-5);
    for layer in found["layers"].as_array().unwrap() {
        let expected = &reference["layers"][format!("{}.weight", layer["layer"].as_str().unwrap())];
        near(&layer["eigenvalue"], &expected["top1"], 1e-4);
        near(&layer["trace"], &expected["trace_exact"], 1e-3);
        for bits in ["2", "3", "4", "8"] {
            near(
                &layer["perturbation"][bits],
                &expected["quant_err2"][bits],
                1e-4,
            );
        }
    }
}
