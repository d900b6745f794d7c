//! The engine against exact values of a trained ResNet20 on CIFAR-10. Needs `../shared`; skips itself
//! visibly without it.

#![allow(clippy::unwrap_used, clippy::print_stderr, missing_docs)]

use std::path::PathBuf;

use hawqeye::engine::autodiff::Program;
use hawqeye::engine::backend::cpu::{Cpu, Isa};
use hawqeye::engine::data::{DataSpec, Part, Selection, image_shape};
use hawqeye::engine::evaluation::evaluate;
use hawqeye::engine::graph::operations::BatchNormMode;
use hawqeye::engine::graph::operations::rules::Purpose;
use hawqeye::engine::hessian::analysis::{Subject, prepare, run};
use hawqeye::engine::hessian::{Analysis, Metric};
use hawqeye::engine::job::{Outcome, Silent};
use hawqeye::engine::model::{Architecture, Model};
use hawqeye::engine::quant::{Bits, LayerBits, QuantizedNetwork, ScaleRule};

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

/// The network of all of them.
const ARCHITECTURE: Architecture = Architecture::ResNet { depth: 20 };

fn resnet20(weights: &str) -> Option<(Model, DataSpec)> {
    let weights = shared(weights)?;
    let data = DataSpec::Cifar10(shared("data/cifar-10-batches-bin")?);
    let test = data.load(Part::Test).unwrap();
    let model = Model::load(ARCHITECTURE, (image_shape(&test), 10), &weights).unwrap();
    Some((model, data))
}

#[test]
fn the_float_network_classifies_9173_test_images() {
    let Some((model, data)) = resnet20("weights/resnet20-12fca82f.th") else {
        return;
    };
    let test = data.load(Part::Test).unwrap();
    let normalization = ARCHITECTURE.normalization(3);
    let images = Selection::all(&test, &normalization).unwrap();
    for isa in Isa::available() {
        let backend = Cpu::new(isa);
        let walk = (BatchNormMode::Running, Purpose::Evaluate);
        let program = Program::new(&model.graph, &backend, &model.parameters, walk).unwrap();
        let score = evaluate(&program, &images, &mut Silent).unwrap().unwrap();
        assert!(score.correct.abs_diff(9173) <= 2, "{isa}: {score:?}");
        assert!((score.loss - 0.372_661).abs() < 1e-5, "{isa}: {score:?}");
    }
}

#[test]
fn eigenvalues_traces_and_perturbations_match_the_exact_ones() {
    let Some((model, data)) = resnet20("weights/resnet20-cifar10.safetensors") else {
        return;
    };
    let Some(reference) = shared("reference/resnet20-cifar10-128.json") else {
        return;
    };
    let exact: serde_json::Value =
        serde_json::from_slice(&std::fs::read(reference).unwrap()).unwrap();
    let train = data.load(Part::Train).unwrap();
    let normalization = ARCHITECTURE.normalization(3);
    let images = Selection::new(&train, &normalization, (0..128).collect()).unwrap();
    let backend = Cpu::new(Isa::detect());
    let subject = Subject {
        model: &model,
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
    let outcome = run(
        &subject,
        &settings,
        &mut state,
        &mut |_| Ok(()),
        &mut Silent,
    )
    .unwrap();
    assert_eq!(outcome, Outcome::Done);
    let close = |got: f64, want: &serde_json::Value, tolerance: f64, what: &str| {
        let want = want.as_f64().unwrap();
        assert!(
            (got / want - 1.0).abs() < tolerance,
            "{what}: {got} against {want}"
        );
    };
    close(state.loss.unwrap(), &exact["loss"], 1e-5, "loss");
    for layer in &state.layers {
        let name = &layer.layer;
        let want = &exact["layers"][format!("{name}.weight")];
        close(layer.eigenvalue.unwrap(), &want["top1"], 1e-4, name);
        close(layer.trace.unwrap(), &want["trace_exact"], 1e-3, name);
        for (bits, error) in &layer.perturbation {
            close(*error, &want["quant_err2"][bits.to_string()], 1e-4, name);
        }
    }
}

#[test]
fn eight_bits_after_training_cost_next_to_nothing() {
    let Some((model, data)) = resnet20("weights/resnet20-cifar10.safetensors") else {
        return;
    };
    let test = data.load(Part::Test).unwrap();
    let train = data.load(Part::Train).unwrap();
    let normalization = ARCHITECTURE.normalization(3);
    let calibration = Selection::new(&train, &normalization, (0..512).collect()).unwrap();
    let images = Selection::all(&test, &normalization).unwrap();
    let backend = Cpu::new(Isa::detect());
    let mut correct = Vec::new();
    for width in [8, 4] {
        let bits = Bits::new(width).unwrap();
        let bits = vec![
            LayerBits {
                weights: bits,
                activations: bits
            };
            20
        ];
        let rule = ScaleRule::Mse;
        let mut network =
            QuantizedNetwork::new(&model.graph, &model.parameters, &bits, rule).unwrap();
        assert!(
            network
                .calibrate(&backend, &calibration, &|_| true, &mut Silent)
                .unwrap()
        );
        let walk = (BatchNormMode::Running, Purpose::Evaluate);
        let program = Program::new(&network.graph, &backend, &network.effective(), walk).unwrap();
        correct.push(
            evaluate(&program, &images, &mut Silent)
                .unwrap()
                .unwrap()
                .correct,
        );
    }
    eprintln!("8 bits: {}, 4 bits: {} of 10000", correct[0], correct[1]);
    assert!(correct[0] >= 9130 && correct[1] > 7000, "{correct:?}");
}
