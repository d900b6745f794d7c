//! The QONNX file of a fine-tuned network, run by the Python package qonnx: the same predictions, and
//! where one differs, a rounding that fell the other way at a tie. `HAWQEYE_PYTHON` names a Python
//! interpreter that has the package.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    missing_docs,
    reason = "a test"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use hawqeye::engine::autodiff::Program;
use hawqeye::engine::backend::cpu::{Cpu, Isa};
use hawqeye::engine::data::{DataSpec, Dataset, Images, Normalization, Part, Selection};
use hawqeye::engine::evaluation;
use hawqeye::engine::export::{About, Format, Request, export};
use hawqeye::engine::finetune::{self, Schedule, Settings, Start, Subject, load_run};
use hawqeye::engine::graph::operations::rules::Purpose;
use hawqeye::engine::graph::operations::{BatchNormMode, Operation};
use hawqeye::engine::graph::{Builder, Graph, NodeId, Parameters};
use hawqeye::engine::job::{Silent, Verdict};
use hawqeye::engine::model::demo;
use hawqeye::engine::plan::{LayerFacts, Plan, Totals};
use hawqeye::engine::quant::{Bits, QuantizedNetwork, weights};
use serde_json::Value;

/// Images that are compared.
const IMAGES: usize = 200;
/// Predictions that may differ, each at a tie.
const DIFFERENT: usize = 1;
/// Distance from the middle between two codes, in steps, that counts as a tie.
const TIE: f64 = 1e-3;

fn python() -> Option<PathBuf> {
    let named = std::env::var_os("HAWQEYE_PYTHON").map(PathBuf::from);
    if named.is_none() {
        eprintln!("skipped: HAWQEYE_PYTHON names no Python with the package qonnx");
    }
    named
}

fn backend() -> Cpu {
    Cpu::new(Isa::detect())
}

/// Bits of 2 to 8 in turn, activations at 4.
fn plan(graph: &Graph) -> Plan {
    let facts = LayerFacts::of(graph);
    let four = Bits::new(4).unwrap();
    let mut plan = Plan::uniform("resnet20", &facts, four, four);
    let widths = [8, 3, 4, 2, 4, 3, 5, 6];
    for (layer, width) in plan.layers.iter_mut().zip(widths.iter().cycle()) {
        layer.weight_bits = Bits::new(*width).unwrap();
    }
    plan
}

struct Case {
    network: QuantizedNetwork,
    about: About,
    plan: Plan,
    test: Dataset,
}

/// The demo, fine-tuned for an epoch.
fn tuned(folder: &Path) -> Case {
    let model = demo::load().unwrap();
    let (train, test) = (
        DataSpec::Demo.load(Part::Train).unwrap(),
        DataSpec::Demo.load(Part::Test).unwrap(),
    );
    let normalization = demo::ARCHITECTURE.normalization(1);
    let plan = plan(&model.graph);
    let settings = Settings {
        epochs: 1,
        schedule: Schedule::Joint,
        ..Settings::default()
    };
    let request = finetune::Request {
        plan: &plan,
        stages: &finetune::stages(&plan, &settings, None).unwrap(),
        settings: &settings,
        folder,
        start: Start::Fresh,
    };
    let subject = Subject::new(&model, &normalization, (&train, &test));
    finetune::tune(&backend(), &subject, &request, &mut Silent).unwrap();
    let run = load_run(folder).unwrap();
    Case {
        about: About::of(&run),
        network: run.network,
        plan,
        test,
    }
}

/// Runs a command of the program to its end.
fn hawqeye(arguments: &[&str]) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hawqeye"));
    let ran = command.args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{arguments:?}: {said}");
}

/// CIFAR-10 with the first images of every file: enough to train on for a test.
fn part_of(data: &Path, folder: &Path) -> DataSpec {
    const IMAGES: usize = 2000;
    const RECORD: usize = 1 + 3 * 32 * 32;
    fs::create_dir(folder).unwrap();
    for entry in fs::read_dir(data).unwrap() {
        let path = entry.unwrap().path();
        let content = fs::read(&path).unwrap();
        let kept = content.len().min(IMAGES * RECORD);
        fs::write(folder.join(path.file_name().unwrap()), &content[..kept]).unwrap();
    }
    DataSpec::Cifar10(folder.to_owned())
}

/// ResNet20 on CIFAR-10 as a user gets there: analysed, planned at a tenth of its size, and fine-tuned
/// for an epoch.
fn run(shared: &Path, folder: &Path) -> Case {
    let at = |name: &str| folder.join(name).display().to_string();
    let weights = shared.join("weights/resnet20-cifar10.safetensors");
    let data = part_of(
        &shared.join("data/cifar-10-batches-bin"),
        &folder.join("data"),
    );
    let (sensitivity, plan, run) = (at("s.json"), at("p.toml"), at("run"));
    let subject = [
        "--model=resnet20",
        &format!("--weights={}", weights.display()),
        &format!("--data={data}"),
    ];
    let with = |arguments: &[&str]| hawqeye(&[arguments, &subject].concat());
    with(&["analyze", "--samples=128", "-o", &sensitivity]);
    let asked = ["--bits=2,3,4,8", "--activation-bits=4", "-o", &plan];
    hawqeye(
        &[
            &["plan", &sensitivity, "--budget=compression=10x"],
            &asked[..],
        ]
        .concat(),
    );
    let asked = ["--epochs=1", "--schedule=joint", "-o", &run];
    with(&[&["tune", "--plan", &plan], &asked[..]].concat());
    let loaded = load_run(Path::new(&run)).unwrap();
    Case {
        about: About::of(&loaded),
        plan: loaded.plan,
        network: loaded.network,
        test: data.load(Part::Test).unwrap(),
    }
}

fn floats(path: &Path, values: &[f64]) {
    let bytes: Vec<u8> = values
        .iter()
        .flat_map(|&v| (v as f32).to_le_bytes())
        .collect();
    fs::write(path, bytes).unwrap();
}

fn read_floats(path: &Path) -> Vec<f64> {
    let bytes = fs::read(path).unwrap();
    let floats = bytes.chunks_exact(4);
    floats
        .map(|b| f64::from(f32::from_le_bytes(b.try_into().unwrap())))
        .collect()
}

/// What the last node of a graph writes for images.
fn output(graph: &Graph, parameters: &Parameters, images: &dyn Images) -> Vec<f64> {
    let backend = backend();
    let walk = (BatchNormMode::Running, Purpose::Evaluate);
    let program = Program::new(graph, &backend, parameters, walk).unwrap();
    let mut all = Vec::new();
    evaluation::logits(&program, images, &mut |some, _| {
        all.extend_from_slice(some);
        Verdict::Continue
    })
    .unwrap();
    all
}

/// The graph up to a node.
fn until(graph: &Graph, last: NodeId) -> Graph {
    let mut builder = Builder::continuing(graph);
    let mut moved = vec![builder.image()];
    for id in graph.ids().skip(1).take_while(|&id| id <= last) {
        let node = graph.node(id);
        let inputs: Vec<NodeId> = node
            .inputs
            .iter()
            .map(|input| moved[input.index()])
            .collect();
        moved.push(
            builder
                .insert(&node.name, node.operation.clone(), &inputs)
                .unwrap(),
        );
    }
    builder.finish()
}

/// Whether the first activation code that differs, if any, differs at a tie.
fn differs_at_a_tie(
    network: &QuantizedNetwork,
    image: &Selection,
    trace: &dyn Fn(&str) -> PathBuf,
) {
    let (graph, effective) = (&network.graph, network.effective());
    for id in graph.ids() {
        let Operation::Quantize(quantize) = &graph.node(id).operation else {
            continue;
        };
        let grid = quantize
            .codes
            .grid(network.parameters.get(quantize.step)[0]);
        let theirs = read_floats(&trace(&graph.node(id).name));
        let ours = output(&until(graph, graph.node(id).inputs[0]), &effective, image);
        assert_eq!(ours.len(), theirs.len());
        let differing = ours.iter().zip(&theirs);
        let code = |value: f64| weights::code(grid, value) as i64;
        let differing = differing.filter(|(a, b)| code(**a) != code(**b));
        let distances: Vec<f64> = differing
            .map(|(a, _)| ((a / grid.step).rem_euclid(1.0) - 0.5).abs())
            .collect();
        if !distances.is_empty() {
            assert!(distances.iter().all(|d| *d < TIE), "{distances:?}");
            return;
        }
    }
    let mut logits = output(graph, &effective, image);
    logits.sort_by(f64::total_cmp);
    let margin = logits[logits.len() - 1] - logits[logits.len() - 2];
    assert!(margin < TIE, "no code differs, and the margin is {margin}");
}

fn check(python: &Path, case: &Case) {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let Case {
        network,
        about,
        plan,
        test,
    } = case;
    let normalization: &Normalization = &about.normalization;
    let images = Selection::new(test, normalization, (0..IMAGES).collect()).unwrap();
    let path = at("network.onnx");
    let request = Request {
        about,
        network,
        format: Format::Qonnx,
        path: &path,
    };
    export(&backend(), &request, &images, &mut Silent)
        .unwrap()
        .unwrap();
    floats(&at("images"), &images.load(0..IMAGES).unwrap());
    floats(
        &at("logits"),
        &output(&network.graph, &network.effective(), &images),
    );
    let base = network
        .graph
        .without_quantizers(network.base_parameters())
        .unwrap();
    let totals = Totals::of(&LayerFacts::of(&base), plan);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/qonnx_check.py");
    let ran = Command::new(python)
        .arg(script)
        .args([&path, &at("images"), &at("logits"), folder.path()])
        .args(["--bops", &totals.bops.unwrap().to_string()])
        .args(["--weight-bits", &totals.weight_bits.to_string()])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{said}");
    let line = String::from_utf8(ran.stdout).unwrap();
    let found: Value = serde_json::from_str(line.lines().last().unwrap()).unwrap();
    eprintln!("{found}");
    for report in ["bops", "weight_bits"] {
        let pair = &found[report];
        assert_eq!(pair[0].as_f64(), pair[1].as_f64(), "{report}");
    }
    assert_eq!(found["images"], IMAGES);
    let different = found["different"].as_array().unwrap();
    for image in different {
        let place = image.as_u64().unwrap() as usize;
        let image = Selection::new(test, normalization, vec![place]).unwrap();
        let trace = |node: &str| at(&format!("{place}.{node}.f32"));
        differs_at_a_tie(network, &image, &trace);
    }
    assert!(different.len() <= DIFFERENT, "{found}");
}

#[test]
fn python_runs_the_demo_as_we_do() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    check(&python, &tuned(&folder.path().join("run")));
}

#[test]
fn python_runs_a_fine_tuned_resnet20_as_we_do() {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    if !shared.is_dir() {
        eprintln!("skipped: ../shared is not there");
        return;
    }
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    check(&python, &run(&shared, folder.path()));
}
