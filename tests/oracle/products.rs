//! Hessian products: symmetric on every device, the same on all of them.

use std::ops::Range;

use hawqeye::engine::Result;
use hawqeye::engine::backend::Backend;
use hawqeye::engine::backend::candle::Candle;
use hawqeye::engine::backend::cpu::{Cpu, Isa};
use hawqeye::engine::data::{Images, Label};
use hawqeye::engine::graph::{Graph, Shape};
use hawqeye::engine::hessian::curvature::Curvature;
use hawqeye::engine::hessian::primal::Primal;
use hawqeye::engine::hessian::rows::Rows;
use hawqeye::engine::hessian::sweep::{Block, sweep};
use hawqeye::engine::job::{Observer, Silent, Verdict};

use crate::cases::{Random, flat, parameters, residual, uneven, wide};

/// Images in memory.
pub struct Plain {
    pub shape: Shape,
    pub values: Vec<f64>,
    pub labels: Vec<Label>,
}

impl Images for Plain {
    fn len(&self) -> usize {
        self.labels.len()
    }

    fn load(&self, range: Range<usize>) -> Result<Vec<f64>> {
        let size = self.shape.elements();
        Ok(self.values[range.start * size..range.end * size].to_vec())
    }

    fn labels(&self, range: Range<usize>) -> Vec<Label> {
        self.labels[range].to_vec()
    }
}

/// Two directions in a layer's weights, their products by walks, and one of them by rows.
struct Pair {
    u: Vec<f64>,
    v: Vec<f64>,
    hu: Vec<f64>,
    hv: Vec<f64>,
    hv_by_rows: Vec<f64>,
}

/// Products and traces of every layer, from the same random numbers on every device.
struct Found {
    products: Vec<Pair>,
    traces: Vec<f64>,
}

/// Calls `visit` at the block of every layer, with rows that leave out nothing.
fn visit_blocks<B: Backend>(primal: &Primal<B>, mut visit: impl FnMut(usize, &mut Block<B>)) {
    let rows = Rows::choose(primal.probabilities(), primal.classes(), 0.0, 0);
    let layers: Vec<usize> = (0..primal.layers().len()).collect();
    let mut visit = |layer: usize, block: &mut Block<B>, _: &mut dyn Observer| {
        visit(layer, block);
        Ok(Verdict::Continue)
    };
    sweep((primal, &rows), (&layers, true), &mut visit, &mut Silent).unwrap();
}

fn found<B: Backend>(backend: &B, graph: &Graph) -> Found {
    let mut random = Random::new(13);
    let at = parameters(graph, &mut random);
    let images = Plain {
        shape: graph.input_shape(),
        values: random.numbers(21 * graph.input_shape().elements()),
        labels: (0..21)
            .map(|i| Label((i % graph.classes()) as u32))
            .collect(),
    };
    let primal = Primal::new(graph, &at, backend, &images, &mut Silent);
    let primal = primal.unwrap().unwrap();
    let mut curvature = Curvature::new(&primal);
    let (mut products, mut traces) = (Vec::new(), Vec::new());
    visit_blocks(&primal, |place, block| {
        let count = graph.layers()[place].parameters();
        let (u, v) = (random.numbers(count), random.numbers(count));
        let (hu, hv) = (
            curvature.product(place, &u).unwrap(),
            curvature.product(place, &v).unwrap(),
        );
        // What a layer's own walks keep serves every product after the first, and changes no bit.
        let all: Vec<usize> = (0..primal.len()).collect();
        let mut of_layer = Curvature::of_layer(&primal, place, &all);
        assert_eq!(of_layer.product(place, &u).unwrap(), hu);
        assert_eq!(of_layer.product(place, &v).unwrap(), hv);
        let hv_by_rows = block.product(&v).unwrap();
        products.push(Pair {
            u,
            v,
            hu,
            hv,
            hv_by_rows,
        });
        traces.push(block.trace().unwrap().value);
    });
    Found { products, traces }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Relative to the size of `b`.
fn distance(a: &[f64], b: &[f64]) -> f64 {
    let difference: Vec<f64> = a.iter().zip(b).map(|(a, b)| a - b).collect();
    (dot(&difference, &difference) / dot(b, b)).sqrt()
}

fn check_symmetry(found: &Found, tolerance: f64, what: &str) {
    for Pair { u, v, hu, hv, .. } in &found.products {
        let (left, right) = (dot(u, hv), dot(v, hu));
        let size = (dot(hu, hu) * dot(v, v)).sqrt();
        assert!(
            (left - right).abs() / size < tolerance,
            "{what}: {left}, {right}"
        );
    }
}

#[test]
fn products_are_symmetric_and_the_same_on_every_device() {
    for (name, graph) in [
        ("residual", residual()),
        ("flat", flat()),
        ("wide", wide()),
        ("uneven", uneven()),
    ] {
        let exact = found(&Candle::float64_cpu().with_chunk(4), &graph);
        check_symmetry(&exact, 1e-13, name);
        for pair in &exact.products {
            // Rows are float32 numbers, whatever the device computes in.
            assert!(distance(&pair.hv_by_rows, &pair.hv) < 1e-6, "{name}");
        }
        for isa in Isa::available() {
            let fast = found(&Cpu::new(isa), &graph);
            let what = format!("{name} on {isa}");
            check_symmetry(&fast, 1e-5, &what);
            for (fast, exact) in fast.products.iter().zip(&exact.products) {
                for found in [&fast.hv, &fast.hv_by_rows] {
                    let error = distance(found, &exact.hv);
                    assert!(error < 1e-5, "{what}: {error}");
                }
            }
            for (fast, exact) in fast.traces.iter().zip(&exact.traces) {
                assert!(
                    (fast / exact - 1.0).abs() < 1e-5,
                    "{what}: trace {fast}, {exact}"
                );
            }
        }
    }
}

#[test]
fn a_trace_is_the_sum_over_unit_directions() {
    let graph = flat();
    let device = Candle::float64_cpu();
    let mut random = Random::new(13);
    let at = parameters(&graph, &mut random);
    let images = Plain {
        shape: graph.input_shape(),
        values: random.numbers(6 * graph.input_shape().elements()),
        labels: [0, 1, 2, 3, 0, 1].map(Label).to_vec(),
    };
    let primal = Primal::new(&graph, &at, &device, &images, &mut Silent);
    let primal = primal.unwrap().unwrap();
    let mut curvature = Curvature::new(&primal);
    let mut traces = Vec::new();
    visit_blocks(&primal, |_, block| traces.push(block.trace().unwrap()));
    for (place, layer) in graph.layers().iter().enumerate() {
        let count = layer.parameters();
        let unit = |k: usize| {
            (0..count)
                .map(|i| f64::from(u8::from(i == k)))
                .collect::<Vec<_>>()
        };
        let sum: f64 = (0..count)
            .map(|k| curvature.product(place, &unit(k)).unwrap()[k])
            .sum();
        assert!((traces[place].value / sum - 1.0).abs() < 1e-6);
    }
}
