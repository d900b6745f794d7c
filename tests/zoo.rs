//! Networks of other people's exporters against exact values (float64 automatic differentiation). Needs
//! `../shared/zoo`; skips itself visibly without it.

#![allow(clippy::unwrap_used, clippy::print_stderr, missing_docs)]

use std::path::{Path, PathBuf};
use std::process::Command;

use hawqeye::engine::autodiff::Program;
use hawqeye::engine::backend::cpu::{Cpu, Isa};
use hawqeye::engine::data::preprocessing::Preprocessing;
use hawqeye::engine::data::{DataSource, DataSpec, Normalization, Part, Reading, Selection};
use hawqeye::engine::evaluation::evaluate;
use hawqeye::engine::graph::operations::BatchNormMode;
use hawqeye::engine::graph::operations::rules::Purpose;
use hawqeye::engine::hessian::analysis::{Subject, prepare, run};
use hawqeye::engine::hessian::sensitivity::Sensitivity;
use hawqeye::engine::hessian::{Analysis, Metric};
use hawqeye::engine::job::Silent;
use hawqeye::engine::model::weights::{self, Source};
use hawqeye::engine::model::{Model, ModelSource, Opened, Wanted};
use hawqeye::engine::quant::ScaleRule;
use serde_json::Value;

fn shared(path: &str) -> Option<PathBuf> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../shared")
        .join(path);
    if path.exists() {
        return Some(path);
    }
    eprintln!("skipped: {} is missing", path.display());
    None
}

/// How the images of a network become numbers.
enum Pixels {
    /// They are numbers.
    Numbers,
    /// Bytes times a factor, less a mean, by a deviation.
    Bytes(f32, [f32; 3], [f32; 3]),
}

struct Case {
    folder: &'static str,
    data: DataSpec,
    pixels: Pixels,
    /// Test images that are told right.
    correct: usize,
    /// By how many that may differ: rounding decides ties.
    within: usize,
}

/// A network with the images that it was trained for.
struct Ready {
    model: Model,
    source: DataSource,
    normalization: Normalization,
}

impl Case {
    fn open(&self, file: &str, weights: Option<&str>) -> Ready {
        let path = |name: &str| shared(&format!("zoo/{}/{name}", self.folder)).unwrap();
        let preprocessing = match self.pixels {
            Pixels::Numbers => Preprocessing::default(),
            Pixels::Bytes(scale, mean, std) => Preprocessing {
                pixel_scale: Some(scale),
                mean: Some(mean.into()),
                std: Some(std.into()),
                ..Preprocessing::default()
            },
        };
        let weights = weights.map(path);
        let wanted = Wanted {
            model: ModelSource::File(path(file)),
            weights: weights.as_ref().map(Source::from),
            data: self.data.clone(),
            reading: Reading {
                preprocessing,
                ..Reading::default()
            },
        };
        let Opened { source, model } = wanted.open(Part::Test).unwrap();
        let normalization = wanted.normalization(source.part(Part::Test).unwrap());
        Ready {
            model,
            normalization: normalization.unwrap(),
            source,
        }
    }

    fn counts(&self, file: &str, weights: Option<&str>) {
        let ready = self.open(file, weights);
        let test = ready.source.part(Part::Test).unwrap();
        let images = Selection::all(test, &ready.normalization).unwrap();
        let backend = Cpu::new(Isa::detect());
        let walk = (BatchNormMode::Running, Purpose::Evaluate);
        let (graph, parameters) = (&ready.model.graph, &ready.model.parameters);
        let program = Program::new(graph, &backend, parameters, walk).unwrap();
        let score = evaluate(&program, &images, &mut Silent).unwrap().unwrap();
        let off = score.correct.abs_diff(self.correct);
        assert!(off <= self.within, "{file}: {score:?}");
    }

    fn measured(&self, file: &str, weights: Option<&str>) -> (Model, Sensitivity) {
        let ready = self.open(file, weights);
        let train = ready.source.part(Part::Train).unwrap();
        let images = Selection::new(train, &ready.normalization, (0..128).collect()).unwrap();
        let backend = Cpu::new(Isa::detect());
        let subject = Subject {
            model: &ready.model,
            backend: &backend,
            images: &images,
        };
        let settings = Analysis {
            metrics: vec![Metric::Eigenvalue, Metric::Trace],
            tolerance: 1e-5,
            scale: ScaleRule::Max,
            ..Analysis::default()
        };
        let mut state = prepare(&subject, &settings).unwrap();
        let mut keep_nothing = |_: &Sensitivity| Ok(());
        run(
            &subject,
            &settings,
            &mut state,
            &mut keep_nothing,
            &mut Silent,
        )
        .unwrap();
        (ready.model, state)
    }

    /// Compares with exact values, whose layers are found by their name or by that of their tensor.
    fn agrees(&self, (file, weights): (&str, Option<&str>), reference: &str) {
        let path = shared(&format!("zoo/{}/{reference}", self.folder)).unwrap();
        let exact: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let (model, state) = self.measured(file, weights);
        let origins = &model.imported.as_ref().unwrap().origins;
        assert_eq!(
            state.layers.len(),
            exact["layers"].as_object().unwrap().len()
        );
        for (layer, facts) in state.layers.iter().zip(model.graph.layers()) {
            let tensor = origins[facts.weight.index()].as_ref();
            let tensor = tensor.map_or("", |origin| &*origin.tensor);
            let variants = exact["onnx_variants"][file]["map"].as_object();
            let named = variants
                .into_iter()
                .flatten()
                .find(|(_, of)| of["weight"] == tensor);
            let name = named.map_or(&*layer.layer, |(name, _)| &**name);
            let want = &exact["layers"][name];
            let close = |got: f64, want: &Value, tolerance: f64| {
                let want = want.as_f64().unwrap();
                let off = (got / want - 1.0).abs();
                assert!(off < tolerance, "{file} {name}: {got} against {want}");
            };
            close(layer.eigenvalue.unwrap(), &want["top1"], 1e-4);
            close(layer.trace.unwrap(), &want["trace_exact"], 1e-3);
            for (bits, error) in &layer.perturbation {
                close(*error, &want["quant_err2"][bits.to_string()], 1e-4);
            }
        }
    }
}

fn cifar10() -> Option<DataSpec> {
    Some(DataSpec::Cifar10(shared("data/cifar-10-batches-bin")?))
}

fn resnet8() -> Option<Case> {
    shared("zoo/resnet8-mlperf")?;
    Some(Case {
        folder: "resnet8-mlperf",
        data: cifar10()?,
        pixels: Pixels::Bytes(1.0, [0.0; 3], [1.0; 3]),
        correct: 8719,
        within: 0,
    })
}

fn dscnn() -> Option<Case> {
    Some(Case {
        folder: "dscnn-kws",
        data: DataSpec::Npz(shared("zoo/dscnn-kws/kws01.npz")?),
        pixels: Pixels::Numbers,
        correct: 913,
        within: 0,
    })
}

fn akamaster(data: DataSpec) -> Case {
    let usual = [[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]];
    Case {
        folder: "resnet20-akamaster",
        data,
        pixels: Pixels::Bytes(1.0 / 255.0, usual[0], usual[1]),
        correct: 9173,
        within: 2,
    }
}

#[test]
fn resnet8_counts_are_those_of_its_runtime() {
    let Some(case) = resnet8() else { return };
    case.counts("model.pt2", None);
    case.counts("model-tf2onnx-keras3.onnx", None);
    case.counts("model-torch-dynamo.onnx", None);
}

#[test]
fn resnet8_measures_as_exact_values_say() {
    let Some(case) = resnet8() else { return };
    case.agrees(("model.pt2", None), "reference.json");
    case.agrees(("model-tf2onnx-keras3.onnx", None), "reference.json");
    case.agrees(("model-torch-dynamo.onnx", None), "reference-folded.json");
}

#[test]
fn dscnn_counts_are_those_of_its_runtime() {
    let Some(case) = dscnn() else { return };
    case.counts("model.pt2", None);
    case.counts("model-torch-dynamo.onnx", None);
    case.counts("model-torch-legacy-bn.onnx", None);
    case.counts("model.pt2", Some("weights.safetensors"));
}

#[test]
fn dscnn_measures_as_exact_values_say() {
    let Some(case) = dscnn() else { return };
    case.agrees(("model.pt2", None), "reference.json");
    case.agrees(("model-torch-legacy-bn.onnx", None), "reference.json");
}

#[test]
fn both_resnet20_count_as_their_runtimes_do() {
    let (Some(data), Some(_)) = (cifar10(), shared("zoo/resnet20-bsq")) else {
        return;
    };
    let case = akamaster(data.clone());
    // The other two are folded; see the test of unfolding.
    case.counts("model.pt2", None);
    case.counts("model-torch-legacy.onnx", None);
    let case = Case {
        folder: "resnet20-bsq",
        data,
        pixels: Pixels::Bytes(
            1.0 / 255.0,
            [0.4914, 0.4822, 0.4465],
            [0.2023, 0.1994, 0.2010],
        ),
        correct: 9255,
        within: 0,
    };
    case.counts("model.pt2", None);
    case.counts("model.pt2", Some("model_best.pth.tar"));
}

#[test]
fn folded_networks_are_unfolded_with_their_checkpoint() {
    let (Some(case), Some(data)) = (dscnn(), cifar10()) else {
        return;
    };
    let weights = Some("weights.safetensors");
    case.counts("model-torch-dynamo.onnx", weights);
    case.agrees(("model-torch-dynamo.onnx", weights), "reference.json");
    let case = akamaster(data);
    let checkpoint = Some("../../weights/resnet20-12fca82f.th");
    let exact = shared("reference/resnet20-cifar10-128.json").unwrap();
    let exact: Value = serde_json::from_slice(&std::fs::read(exact).unwrap()).unwrap();
    for file in ["model-torch-dynamo.onnx", "model-torch-legacy.onnx"] {
        let (model, state) = case.measured(file, checkpoint);
        assert_eq!(model.normalization().word(), "kept");
        for layer in &state.layers {
            let want = &exact["layers"][format!("{}.weight", layer.layer)]["top1"];
            let want = want.as_f64().expect("the layer has the name of its module");
            let got = layer.eigenvalue.unwrap();
            assert!(
                (got / want - 1.0).abs() < 1e-4,
                "{}: {got}, {want}",
                layer.layer
            );
        }
    }
}

/// Runs a command of the program to its end; what it prints.
fn hawqeye(folder: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hawqeye"));
    let ran = command
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{arguments:?}: {said}");
    String::from_utf8_lossy(&ran.stdout).into_owned()
}

#[test]
fn a_network_from_a_file_goes_the_whole_way() {
    let (Some(model), Some(data)) = (
        shared("zoo/dscnn-kws/model.pt2"),
        shared("zoo/dscnn-kws/kws01.npz"),
    ) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let data = format!("npz:{}", data.display());
    let model = model.display().to_string();
    let (model, data) = (["--model", &model], ["--data", &data]);
    let analyze = ["analyze", "--samples", "64", "-o", "s.json"];
    hawqeye(folder, &[&analyze[..], &model, &data].concat());
    let budget = ["plan", "s.json", "--budget", "compression=8x"];
    let plan = [&budget[..], &["--activation-bits", "8", "-o", "p.toml"]].concat();
    let planned = hawqeye(folder, &plan);
    let tune = ["tune", "--plan", "p.toml", "--epochs", "1", "-o", "run"];
    hawqeye(folder, &[&tune[..], &model, &data].concat());
    let mut answers = Vec::new();
    for format in ["packed", "qonnx", "safetensors"] {
        let export = ["export", "run", "--format", format, "-o", format];
        let said = hawqeye(folder, &[&export[..], &data].concat());
        assert!(said.contains("0 other predictions"), "{said}");
        answers.push(said);
    }
    answers.push(hawqeye(
        folder,
        &[&["eval", "--run", "run"][..], &data].concat(),
    ));
    // `accuracy 90.00 % (180 of 200)` of the images that the run kept, whichever file it is.
    let counted = |said: &String| {
        let line = said.lines().find(|line| line.contains("accuracy "));
        let line = line.unwrap_or_else(|| panic!("no accuracy in {said:?}"));
        let (_, from) = line.split_once("accuracy ").unwrap();
        from.split(',').next().unwrap().to_owned()
    };
    let counts: Vec<String> = answers.iter().map(counted).collect();
    assert!(
        counts.iter().all(|count| *count == counts[0]),
        "{answers:?}"
    );
    let whole = [&["eval", "--packed", "packed"][..], &data].concat();
    let whole = counted(&hawqeye(folder, &whole));
    assert!(whole.ends_with("of 1000)"), "{whole}");
    let [packed, float] = ["packed", "safetensors"].map(|name| {
        let found = std::fs::metadata(folder.join(name));
        found.unwrap().len()
    });
    assert!(5 * packed < float, "{packed} of {float} bytes");
    // As predicted, to the byte.
    let predicted = format!("{packed} bytes");
    let line = planned.lines().find(|line| line.starts_with("packed file"));
    assert!(line.unwrap().contains(&predicted), "{packed}: {planned}");
    // The names and shapes of the module, counters included, so that it takes them.
    let there = weights::read(&shared("zoo/dscnn-kws/weights.safetensors").unwrap()).unwrap();
    let written = weights::read(&folder.join("safetensors")).unwrap();
    for (name, tensor) in there.names() {
        let own = written.tensor(name).unwrap();
        assert_eq!(own.shape, tensor.shape, "{name}");
    }
    let counters = written
        .names()
        .filter(|(name, _)| name.ends_with("num_batches_tracked"));
    let (counters, tensors) = (counters.count(), written.names().count());
    assert!(
        counters > 0 && tensors == there.names().count() + counters,
        "{counters} of {tensors}"
    );
    taken_by_pytorch(&folder.join("safetensors"), tensors);
}

/// `PyTorch` takes the file into the network that it exported, with strict=True. Needs a Python with
/// torch, which `HAWQEYE_TORCH` names.
fn taken_by_pytorch(file: &Path, tensors: usize) {
    let Some(python) = std::env::var_os("HAWQEYE_TORCH") else {
        eprintln!("skipped: HAWQEYE_TORCH names no Python with torch");
        return;
    };
    let check = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/strict_check.py");
    let model = shared("zoo/dscnn-kws/model.pt2").unwrap();
    let ran = Command::new(python)
        .args([&check, &model])
        .arg(file)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{said}");
    let taken = String::from_utf8_lossy(&ran.stdout);
    assert_eq!(taken.trim(), tensors.to_string());
}
