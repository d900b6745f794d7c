//! Networks of one's own by the commands: files that are made here, on arrays that are made here.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::data::npy;
use crate::onnx::File;
use crate::random::Random;
use crate::support::{Ended, hawqeye, names};

/// Numbers of an image: one channel of 3x3.
const IMAGE: [i64; 4] = [0, 1, 3, 3];
const SIZE: usize = 9;
const IMAGES: usize = 10;

/// A folder with a network, and images that are all the same.
struct Own(tempfile::TempDir);

impl Own {
    fn new(network: &File) -> Self {
        let own = Self(tempfile::tempdir().unwrap());
        let image: Vec<u8> = image().iter().flat_map(|it| it.to_le_bytes()).collect();
        let labels = (0..IMAGES).flat_map(|at| (at as i64 % 8).to_le_bytes());
        let labels: Vec<u8> = labels.collect();
        let write = |name: &str, bytes: &[u8]| fs::write(own.0.path().join(name), bytes).unwrap();
        write("net.onnx", &network.bytes());
        write(
            "x.npy",
            &npy("<f4", &[IMAGES, 1, 3, 3], &image.repeat(IMAGES)),
        );
        write("y.npy", &npy("<i8", &[IMAGES], &labels));
        own
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn text(&self, name: &str) -> String {
        self.path().join(name).display().to_string()
    }

    fn data(&self) -> String {
        format!("npy:{},{}", self.text("x.npy"), self.text("y.npy"))
    }

    /// A command on the network and the images.
    fn run(&self, arguments: &[&str]) -> Ended {
        let (network, data) = (self.text("net.onnx"), self.data());
        let (command, rest) = arguments.split_first().unwrap();
        let inputs = ["--model", &network, "--data", &data];
        hawqeye(&[&[*command], &inputs[..], rest].concat())
    }
}

fn image() -> Vec<f32> {
    Random::of("image").floats(SIZE)
}

/// A linear layer to so many classes.
fn linear(classes: usize) -> File {
    File::of(&IMAGE)
        .weights("w", &[SIZE as i64, classes as i64])
        .node("Flatten x -> f")
        .node("Gemm f w -> y")
}

/// What the softmax Hessian of the logits makes of a vector: `(diag(p) - p p^T) v`.
fn curved(p: &[f64], v: &[f64]) -> Vec<f64> {
    let mean: f64 = p.iter().zip(v).map(|(p, v)| p * v).sum();
    p.iter().zip(v).map(|(p, v)| p * (v - mean)).collect()
}

/// Its largest eigenvalue.
fn largest(p: &[f64]) -> f64 {
    let mut v: Vec<f64> = Random::of("start")
        .floats(p.len())
        .into_iter()
        .map(f64::from)
        .collect();
    let mut length = 0.0;
    for _ in 0..10_000 {
        v = curved(p, &v);
        length = v.iter().map(|v| v * v).sum::<f64>().sqrt();
        v.iter_mut().for_each(|v| *v /= length);
    }
    length
}

#[test]
fn a_layer_before_many_classes_has_the_curvature_of_its_formula() {
    // With a linear layer, the block is the Kronecker product of the softmax Hessian and `x x^T`.
    let classes = 80;
    let network = linear(classes);
    let (weights, x) = (Random::of("w").floats(SIZE * classes), image());
    let logit = |class: usize| -> f64 {
        let products = x.iter().zip(weights[class..].iter().step_by(classes));
        products.map(|(&x, &w)| f64::from(x) * f64::from(w)).sum()
    };
    let exponentials: Vec<f64> = (0..classes).map(|class| logit(class).exp()).collect();
    let total: f64 = exponentials.iter().sum();
    let p: Vec<f64> = exponentials.iter().map(|it| it / total).collect();
    let square: f64 = x.iter().map(|&x| f64::from(x).powi(2)).sum();
    let own = Own::new(&network);
    let file = own.text("s.json");
    own.run(&[
        "analyze",
        "--tolerance",
        "1e-6",
        "--metric",
        "eigenvalue,trace",
        "-o",
        &file,
    ])
    .done();
    let found: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    let value = |name: &str| found["layers"][0][name].as_f64().unwrap();
    let eigenvalue = square * largest(&p);
    assert!(
        (value("eigenvalue") / eigenvalue - 1.0).abs() < 1e-5,
        "{found} {eigenvalue}"
    );
    let trace = square * p.iter().map(|p| p * (1.0 - p)).sum::<f64>();
    assert!(
        (value("trace") / trace - 1.0).abs() < 1e-3,
        "{found} {trace}"
    );
}

#[test]
fn a_network_without_a_layer_is_evaluated_but_not_measured() {
    let own = Own::new(&File::of(&IMAGE).flat("x"));
    let before = names(own.path());
    own.run(&["eval", "-q"]).done();
    let file = own.text("s.json");
    own.run(&["analyze", "-q", "-o", &file])
        .refused(1, &["no convolution and no linear layer"]);
    assert_eq!(names(own.path()), before, "nothing is begun");
}

#[test]
fn inspect_ends_as_every_command_would() {
    let map = File::of(&IMAGE)
        .weights("w", &[4, 1, 1, 1])
        .node("Conv x w -> y");
    let own = Own::new(&map);
    let shown = hawqeye(&["inspect", &own.text("net.onnx")]);
    let refused = own.run(&["eval", "-q"]);
    assert_eq!((shown.code, refused.code), (1, 1), "{shown:?} {refused:?}");
    let last = |ended: &Ended| ended.stderr.lines().last().unwrap().to_owned();
    assert_eq!(last(&shown), last(&refused));
}

#[test]
fn what_a_run_on_images_in_one_part_is_scored_on_is_said() {
    let own = Own::new(&linear(10));
    let (plan, run) = (own.text("p.toml"), own.text("run"));
    let file = own.text("s.json");
    own.run(&["analyze", "-q", "-o", &file]).done();
    hawqeye(&["plan", &file, "-q", "--bits", "4", "-o", &plan]).done();
    own.run(&[
        "tune",
        "-q",
        "--plan",
        &plan,
        "--schedule",
        "joint",
        "--epochs",
        "1",
        "-o",
        &run,
    ])
    .done();
    let told = hawqeye(&["eval", "--run", &run, "--data", &own.data()]).done();
    let (score, told) = (told.stdout, told.stderr);
    assert!(
        told.contains("comes in one part: scored are 2 images"),
        "{told}"
    );
    let file = own.text("small");
    let exported = hawqeye(&["export", &run, "--data", &own.data(), "-o", &file]).done();
    assert!(
        exported.stdout.contains("over the 2 test images"),
        "{exported:?}"
    );
    let right = score.split(['(', ')']).nth(1).unwrap();
    assert!(exported.stdout.contains(right), "{score} {exported:?}");
    let packed = hawqeye(&["eval", "--packed", &file, "--data", &own.data()]).done();
    assert!(packed.stderr.contains("which flatters it"), "{packed:?}");
}

#[test]
fn an_export_never_takes_the_place_of_the_network_of_its_run() {
    let own = Own::new(&linear(10));
    let (sensitivity, plan, run) = (own.text("s.json"), own.text("p.toml"), own.text("run"));
    own.run(&["analyze", "-q", "-o", &sensitivity]).done();
    hawqeye(&["plan", &sensitivity, "-q", "--bits", "4", "-o", &plan]).done();
    own.run(&[
        "tune",
        "-q",
        "--plan",
        &plan,
        "--schedule",
        "joint",
        "--epochs",
        "1",
        "-o",
        &run,
    ])
    .done();
    let network = own.text("net.onnx");
    let before = fs::read(&network).unwrap();
    let export = ["export", &run, "-q", "--data", &own.data(), "-o", &network];
    hawqeye(&export).refused(1, &["net.onnx", "was not written by hawqeye"]);
    hawqeye(&[&export[..], &["--force"]].concat()).refused(1, &["that the run was trained from"]);
    assert_eq!(fs::read(&network).unwrap(), before);
}
