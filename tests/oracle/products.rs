//! Hessian products: symmetric on every device, the same on all of them.

use std::ops::Range;

use hawqeye::engine::Result;
use hawqeye::engine::backend::Backend;
use hawqeye::engine::backend::candle::Candle;
use hawqeye::engine::backend::cpu::{Cpu, Isa};
use hawqeye::engine::data::Images;
use hawqeye::engine::graph::{Graph, Shape};
use hawqeye::engine::hessian::curvature::Curvature;
use hawqeye::engine::hessian::trace::traces;
use hawqeye::engine::job::Silent;

use crate::cases::{Random, flat, parameters, residual};

/// Images in memory.
pub struct Plain {
    pub shape: Shape,
    pub values: Vec<f64>,
    pub labels: Vec<u8>,
}

impl Images for Plain {
    fn len(&self) -> usize {
        self.labels.len()
    }

    fn load(&self, range: Range<usize>) -> Result<Vec<f64>> {
        let size = self.shape.elements();
        Ok(self.values[range.start * size..range.end * size].to_vec())
    }

    fn labels(&self, range: Range<usize>) -> Vec<u8> {
        self.labels[range].to_vec()
    }
}

/// Two directions in a layer's weights, and their products.
struct Pair {
    u: Vec<f64>,
    v: Vec<f64>,
    hu: Vec<f64>,
    hv: Vec<f64>,
}

/// Products and traces of every layer, from the same random numbers on every device.
struct Found {
    products: Vec<Pair>,
    traces: Vec<f64>,
}

fn found<B: Backend>(backend: &B, graph: &Graph) -> Found {
    let mut random = Random::new(13);
    let at = parameters(graph, &mut random);
    let images = Plain {
        shape: graph.input_shape(),
        values: random.numbers(21 * graph.input_shape().elements()),
        labels: (0..21).map(|i| (i % graph.classes()) as u8).collect(),
    };
    let curvature = Curvature::new(graph, &at, backend, &images, &mut Silent);
    let mut curvature = curvature.unwrap().unwrap();
    let mut products = Vec::new();
    for (place, layer) in graph.layers().iter().enumerate() {
        let (u, v) = (
            random.numbers(layer.parameters()),
            random.numbers(layer.parameters()),
        );
        let (hu, hv) = (
            curvature.product(place, &u).unwrap(),
            curvature.product(place, &v).unwrap(),
        );
        products.push(Pair { u, v, hu, hv });
    }
    let traces = traces(&mut curvature, 0, &mut Silent).unwrap().unwrap();
    Found {
        products,
        traces: traces.iter().map(|trace| trace.value).collect(),
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn check_symmetry(found: &Found, tolerance: f64, what: &str) {
    for Pair { u, v, hu, hv } in &found.products {
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
    for (name, graph) in [("residual", residual()), ("flat", flat())] {
        let exact = found(&Candle::float64_cpu().with_chunk(4), &graph);
        check_symmetry(&exact, 1e-13, name);
        for isa in Isa::available() {
            let fast = found(&Cpu::new(isa), &graph);
            let what = format!("{name} on {isa}");
            check_symmetry(&fast, 1e-5, &what);
            for (fast, exact) in fast.products.iter().zip(&exact.products) {
                let difference: Vec<f64> =
                    fast.hv.iter().zip(&exact.hv).map(|(a, b)| a - b).collect();
                let error = (dot(&difference, &difference) / dot(&exact.hv, &exact.hv)).sqrt();
                assert!(error < 1e-5, "{what}: {error}");
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
        labels: vec![0, 1, 2, 3, 0, 1],
    };
    let curvature = Curvature::new(&graph, &at, &device, &images, &mut Silent);
    let mut curvature = curvature.unwrap().unwrap();
    let traces = traces(&mut curvature, 0, &mut Silent).unwrap().unwrap();
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
        assert!((traces[place].value / sum - 1.0).abs() < 1e-10);
    }
}
