//! Gradients and tangents of every operation against central finite differences and adjoint
//! identities, in float64. An operation without a row fails the test.

use hawqeye::engine::autodiff::batch_step::{Batch, BatchStep};
use hawqeye::engine::autodiff::{Program, wanted};
use hawqeye::engine::backend::candle::Candle;
use hawqeye::engine::backend::{Arrays, Products, WeightShape};
use hawqeye::engine::data::Label;
use hawqeye::engine::graph::operations::BatchNormMode;
use hawqeye::engine::graph::operations::rules::{Collected, Purpose};
use hawqeye::engine::graph::{Graph, Layer, Operation, Parameters};

use crate::cases::{MORE, Random, network, parameters};

/// More than one chunk, and a part of one.
const IMAGES: usize = 5;
const CHUNK: usize = 2;
/// Step of the finite differences.
const STEP: f64 = 1e-6;
/// Error relative to the size of what is compared.
const TOLERANCE: f64 = 1e-6;

fn device() -> Candle {
    Candle::float64_cpu().with_chunk(CHUNK)
}

fn batch(graph: &Graph, random: &mut Random) -> Batch {
    let classes = graph.classes();
    Batch {
        images: random.numbers(IMAGES * graph.input_shape().elements()),
        labels: (0..IMAGES)
            .map(|image| Label((image * 3 % classes) as u32))
            .collect(),
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[track_caller]
fn near(found: f64, expected: f64, size: f64, what: &str) {
    let error = (found - expected).abs() / size.max(1e-3);
    assert!(error < TOLERANCE, "{what}: {found}, expected {expected}");
}

/// Mean loss and its gradients.
fn measure(
    graph: &Graph,
    mode: BatchNormMode,
    parameters: &Parameters,
    batch: &Batch,
) -> (f64, Vec<Option<Vec<f64>>>) {
    let device = device();
    let mut program = Program::new(graph, &device, parameters, (mode, Purpose::Train)).unwrap();
    let all = wanted(graph, |id| {
        graph.parameters()[id.index()].role.is_trainable()
    });
    let mut step = BatchStep::default();
    let found = step
        .run(&mut program, parameters, batch, (&all, None))
        .unwrap();
    (found.tally.loss / found.tally.total as f64, found.gradients)
}

fn moved(parameters: &Parameters, place: usize, direction: &[f64], by: f64) -> Parameters {
    let mut values = parameters.all().to_vec();
    for (value, direction) in values[place].iter_mut().zip(direction) {
        *value += by * direction;
    }
    Parameters::new(values)
}

/// Every parameter's gradient along random directions.
fn check_gradients(name: &str, graph: &Graph, mode: BatchNormMode) {
    let mut random = Random::new(7);
    let (batch, at) = (batch(graph, &mut random), parameters(graph, &mut random));
    let (_, gradients) = measure(graph, mode, &at, &batch);
    for (place, spec) in graph.parameters().iter().enumerate() {
        if !spec.role.is_trainable() {
            continue;
        }
        let gradient = gradients[place].as_ref().unwrap();
        for _ in 0..3 {
            let direction = random.numbers(spec.elements());
            let loss = |by| measure(graph, mode, &moved(&at, place, &direction, by), &batch).0;
            let expected = (loss(STEP) - loss(-STEP)) / (2.0 * STEP);
            let size = dot(gradient, gradient).sqrt() * dot(&direction, &direction).sqrt();
            let what = format!("{name}, {mode:?}, {}", spec.name);
            near(dot(gradient, &direction), expected, size, &what);
        }
    }
}

/// Logits of all images.
fn logits(graph: &Graph, parameters: &Parameters, images: &[f64]) -> Vec<f64> {
    let device = device();
    let walk = (BatchNormMode::Running, Purpose::Analyse);
    let program = Program::new(graph, &device, parameters, walk).unwrap();
    let mut chunk = program.load(&mut (), images).unwrap();
    program.forward(&mut (), &mut chunk).unwrap()
}

/// `J d`, and `J^T u`, of the logits in a layer's weights.
fn both_ways(
    graph: &Graph,
    (layer, parameters, images): (&Layer, &Parameters, &[f64]),
    (direction, at_logits): (&[f64], &[f64]),
) -> (Vec<f64>, Vec<f64>) {
    let device = device();
    let walk = (BatchNormMode::Running, Purpose::Analyse);
    let program = Program::new(graph, &device, parameters, walk).unwrap();
    let mut chunk = program.load(&mut (), images).unwrap();
    program.forward(&mut (), &mut chunk).unwrap();
    let downstream = graph.downstream(layer.node);
    let moved = device.weights(&layer.shape, direction).unwrap();
    let forward = program.tangent(&mut (), &chunk, (layer, &downstream), &moved);
    let asked = wanted(graph, |id| id == layer.weight);
    let mut collected: Vec<Collected<Candle>> = graph
        .parameters()
        .iter()
        .map(|_| Collected::Nothing)
        .collect();
    let shape: &WeightShape = &layer.shape;
    collected[layer.weight.index()] = Collected::Sum(device.gradient(shape).unwrap());
    program
        .backward(&mut (), &mut chunk, at_logits, (&asked, &mut collected))
        .unwrap();
    let mut backward = vec![0.0; shape.weights()];
    if let Collected::Sum(sum) = &mut collected[layer.weight.index()] {
        device.drain_gradients(&mut [sum], &mut backward).unwrap();
    }
    (forward.unwrap(), backward)
}

/// Tangents against finite differences, and `<u, J d> = <J^T u, d>`.
fn check_tangents(name: &str, graph: &Graph) {
    let mut random = Random::new(11);
    let images = random.numbers(IMAGES * graph.input_shape().elements());
    let at = parameters(graph, &mut random);
    for layer in graph.layers() {
        let direction = random.numbers(layer.parameters());
        let u = random.numbers(IMAGES * graph.classes());
        let with = (layer, &at, &images[..]);
        let (forward, backward) = both_ways(graph, with, (&direction, &u));
        let place = layer.weight.index();
        let there = logits(graph, &moved(&at, place, &direction, STEP), &images);
        let back = logits(graph, &moved(&at, place, &direction, -STEP), &images);
        let size = dot(&forward, &forward).sqrt();
        let what = format!("{name}, tangent of {}", layer.name);
        for ((there, back), found) in there.iter().zip(&back).zip(&forward) {
            near(*found, (there - back) / (2.0 * STEP), size, &what);
        }
        let (left, right) = (dot(&u, &forward), dot(&backward, &direction));
        let error = (left - right).abs() / left.abs().max(1e-3);
        assert!(
            error < 1e-12,
            "{name}, adjoint of {}: {left}, {right}",
            layer.name
        );
    }
}

#[test]
fn every_operation_has_the_gradients_and_tangents_of_finite_differences() {
    for &name in Operation::NAMES.iter().chain(&MORE) {
        if name == "fake quantization" {
            // Its gradient is a definition, not a derivative: see the quantizer's own tests.
            continue;
        }
        let Some(graph) = network(name) else {
            panic!("{name} has no row in the gradient-check table");
        };
        let holds = |node: &hawqeye::engine::graph::Node| name.starts_with(node.operation.name());
        assert!(
            graph.nodes().iter().any(holds),
            "the row of {name} lacks it"
        );
        check_tangents(name, &graph);
        for mode in [
            BatchNormMode::Running,
            BatchNormMode::Batch,
            BatchNormMode::Frozen,
        ] {
            check_gradients(name, &graph, mode);
        }
    }
}
