//! Closer looks at layers against dense blocks of the Hessian, built column by column by candle's own
//! double backward in float64, whose eigenvalues Jacobi's rotations find.

use std::process::Command;

use hawqeye::engine::autodiff::Program;
use hawqeye::engine::backend::candle::Candle;
use hawqeye::engine::data::{Dataset, Held, Images, Label, Normalization, Origin, Selection};
use hawqeye::engine::evaluation::evaluate;
use hawqeye::engine::graph::operations::BatchNormMode;
use hawqeye::engine::graph::operations::rules::Purpose;
use hawqeye::engine::graph::{Graph, Shape};
use hawqeye::engine::hessian::Analysis;
use hawqeye::engine::hessian::analysis::Subject;
use hawqeye::engine::hessian::landscape::{Landscape, POINTS, landscape};
use hawqeye::engine::hessian::spectrum::{Source, Spectrum, spectrum};
use hawqeye::engine::job::Silent;
use hawqeye::engine::model::Model;

use crate::cases::{Random, flat, parameters, residual};
use crate::double_backward::{IMAGES, SWITCH, reference};
use crate::products::Plain;

const CHILD: &str = "closer::spectra_and_landscapes_are_those_of_dense_blocks";

#[test]
fn spectra_and_landscapes_are_those_of_dense_blocks() {
    if std::env::var_os(SWITCH).is_some() {
        check("residual", residual());
        check("flat", flat());
        return;
    }
    let program = std::env::current_exe().unwrap();
    let ran = Command::new(program)
        .args(["--exact", CHILD, "--nocapture"])
        .env(SWITCH, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    let errors = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{said}{errors}");
    assert!(said.contains("1 passed"), "the child ran no test: {said}");
}

/// Images of bytes that look random.
fn dataset(graph: &Graph, random: &mut Random) -> Dataset {
    let Shape::Map {
        channels,
        height,
        width,
    } = graph.input_shape()
    else {
        unreachable!("the networks here read maps");
    };
    let size = IMAGES * channels * height * width;
    let byte = |value: f64| (127.5 * (value + 1.0)) as u8;
    Dataset {
        name: "made".into(),
        classes: graph.classes(),
        class_names: Vec::new(),
        channels,
        height,
        width,
        images: Held::of(
            random.numbers(size).into_iter().map(byte).collect(),
            size / IMAGES,
        ),
        labels: (0..IMAGES)
            .map(|i| Label((i % graph.classes()) as u32))
            .collect(),
        origin: Origin::default(),
    }
}

fn check(name: &str, graph: Graph) {
    let mut random = Random::new(11);
    let dataset = dataset(&graph, &mut random);
    let channels = dataset.channels;
    let normalization = Normalization::new(vec![0.5; channels], vec![0.3; channels]).unwrap();
    let images = Selection::new(&dataset, &normalization, (0..IMAGES).collect()).unwrap();
    let parameters = parameters(&graph, &mut random);
    let model = Model {
        name: "resnet20".into(),
        imported: None,
        graph,
        parameters,
        weights_sha256: String::new(),
        notes: Vec::new(),
    };
    let device = Candle::float64_cpu().with_chunk(2);
    let subject = Subject {
        model: &model,
        backend: &device,
        images: &images,
    };
    let settings = Analysis {
        tolerance: 1e-6,
        ..Analysis::default()
    };
    for layer in model.graph.layers() {
        let block = dense(&model, &images, layer.weight.index());
        let place = format!("{name}, {}", layer.name);
        let found = spectrum(&subject, &settings, &layer.name, &mut Silent).unwrap();
        compare(&place, &found.unwrap(), block);
        // Far less than to the next kink of a rectifier.
        let line = (&*layer.name, 1e-3);
        let found = landscape(&subject, &settings, line, &mut Silent).unwrap();
        bends(&place, &found.unwrap(), &subject);
    }
}

/// The block of a layer, a row for each weight.
fn dense(model: &Model, images: &Selection, parameter: usize) -> Vec<Vec<f64>> {
    let plain = Plain {
        shape: model.graph.input_shape(),
        values: images.load(0..IMAGES).unwrap(),
        labels: images.labels(0..IMAGES),
    };
    let size = model.parameters.all()[parameter].len();
    let column = |place: usize| {
        let mut unit = vec![0.0; size];
        unit[place] = 1.0;
        reference(&model.graph, &model.parameters, &plain, (parameter, &unit))
    };
    (0..size).map(column).collect()
}

fn compare(place: &str, found: &Spectrum, block: Vec<Vec<f64>>) {
    assert!(matches!(found.source, Source::Exact { .. }), "{place}");
    let size = block.len();
    let trace: f64 = (0..size).map(|i| block[i][i]).sum();
    let mut expected = jacobi(block);
    expected.sort_unstable_by(|a, b| b.total_cmp(a));
    let top = expected[0];
    // Rows are float32 numbers, and up to 2.5e-7 of the curvature at the logits is left to drawn ones.
    assert!((found.trace - trace).abs() < 2e-6 * trace, "{place}: trace");
    assert!(
        (found.largest().unwrap() - top).abs() < 2e-6 * top,
        "{place}: top"
    );
    let values = found.values.iter().rev().map(|(value, _)| *value);
    let padded = values.chain(std::iter::repeat(0.0)).take(size);
    for (found, expected) in padded.zip(&expected) {
        assert!(
            (found - expected).abs() < 3e-6 * top,
            "{place}: {found}, expected {expected}"
        );
    }
    let counted = found.values.len() as f64;
    assert!(
        (found.zeros + counted - size as f64).abs() < 1e-9,
        "{place}"
    );
}

fn bends(place: &str, found: &Landscape, subject: &Subject<Candle>) {
    assert!(found.is_complete() && found.points.len() == POINTS);
    let at = |step: isize| {
        let middle = (POINTS / 2) as isize;
        found.points[(middle + step) as usize]
    };
    let model = subject.model;
    let walk = (BatchNormMode::Running, Purpose::Evaluate);
    let program = Program::new(&model.graph, subject.backend, &model.parameters, walk).unwrap();
    let score = evaluate(&program, subject.images, &mut Silent)
        .unwrap()
        .unwrap();
    assert!(
        at(0).0.abs() < 1e-15 && (at(0).1 - score.loss).abs() < 1e-12,
        "{place}"
    );
    assert!((found.loss - score.loss).abs() < 1e-12, "{place}");
    let step = at(1).0;
    let second = (at(1).1 - 2.0 * at(0).1 + at(-1).1) / (step * step);
    let first = (at(1).1 - at(-1).1) / (2.0 * step);
    let eigenvalue = found.eigenvalue;
    assert!(
        (second / eigenvalue - 1.0).abs() < 1e-4,
        "{place}: {second}, {eigenvalue}"
    );
    let slope = found.slope;
    assert!(
        (first - slope).abs() < 1e-7 * (1.0 + slope.abs()),
        "{place}: {first}, {slope}"
    );
    for (t, loss) in &found.points {
        assert!((found.predicted(*t) - loss).abs() < 1e-8, "{place}, {t}");
    }
}

/// All eigenvalues of a symmetric matrix, by cyclic Jacobi rotations.
fn jacobi(mut a: Vec<Vec<f64>>) -> Vec<f64> {
    let n = a.len();
    for _ in 0..30 {
        let mut rest = 0.0f64;
        for p in 0..n {
            for q in p + 1..n {
                rest = rest.max(a[p][q].abs());
                rotate(&mut a, p, q);
            }
        }
        if rest < 1e-15 {
            break;
        }
    }
    (0..n).map(|i| a[i][i]).collect()
}

fn rotate(a: &mut [Vec<f64>], p: usize, q: usize) {
    if a[p][q] == 0.0 {
        return;
    }
    let half = (a[q][q] - a[p][p]) / (2.0 * a[p][q]);
    let tangent = half.signum() / (half.abs() + half.hypot(1.0));
    let tangent = if half == 0.0 { 1.0 } else { tangent };
    let cosine = 1.0 / tangent.hypot(1.0);
    let sine = tangent * cosine;
    for row in a.iter_mut() {
        let (x, y) = (row[p], row[q]);
        (row[p], row[q]) = (cosine * x - sine * y, sine * x + cosine * y);
    }
    let (head, tail) = a.split_at_mut(q);
    for (x, y) in head[p].iter_mut().zip(&mut tail[0]) {
        (*x, *y) = (cosine * *x - sine * *y, sine * *x + cosine * *y);
    }
}
