//! One file, computed by the judge and by the engine.

use std::path::{Path, PathBuf};

use hawqeye::engine::autodiff::Program;
use hawqeye::engine::backend::Backend;
use hawqeye::engine::backend::candle::Candle;
use hawqeye::engine::backend::cpu::{Cpu, Isa};
use hawqeye::engine::graph::operations::BatchNormMode;
use hawqeye::engine::graph::operations::rules::Purpose;
use hawqeye::engine::import::{Layout, Options, read};
use hawqeye::engine::model::Model;
use rten::{ModelOptions, Value};
use rten_tensor::Tensor;
use rten_tensor::prelude::*;

use crate::onnx::File;
use crate::random::Random;

/// Sets of images that are compared.
const ROUNDS: usize = 3;
/// Images of a set where the file leaves their number open.
const IMAGES: usize = 3;
/// Largest difference, by the largest number of the answer.
const TOLERANCE: f64 = 1e-5;

/// What one image becomes.
type Loop = Box<dyn Fn(&[f64]) -> Vec<f64>>;

/// Who says what is right.
pub enum Judge {
    /// The runtime, of the file itself.
    Runtime,
    /// The runtime, of a file that says the same in words that it knows: it lacks an operation, a setting or a
    /// number format of the file.
    Twin(Box<File>),
    /// A float64 loop over one image in the file's order.
    Loop(Loop),
}

/// A file and its judge.
pub struct Case {
    pub name: &'static str,
    pub file: File,
    pub judge: Judge,
    /// Rows and columns, where the file leaves them open.
    pub size: Option<[usize; 2]>,
    /// Files beside it.
    pub beside: Vec<(&'static str, Vec<u8>)>,
}

/// A file that the runtime reads itself.
pub fn case(name: &'static str, file: File) -> Case {
    Case {
        name,
        file,
        judge: Judge::Runtime,
        size: None,
        beside: Vec::new(),
    }
}

impl Case {
    pub fn twin(mut self, file: File) -> Self {
        self.judge = Judge::Twin(Box::new(file));
        self
    }

    pub fn by(mut self, each: impl Fn(&[f64]) -> Vec<f64> + 'static) -> Self {
        self.judge = Judge::Loop(Box::new(each));
        self
    }
}

/// Compares every case, and names all that disagree.
pub fn judged(cases: &[Case]) {
    let wrong: Vec<String> = cases
        .iter()
        .filter_map(|case| {
            let reason = judge(case).err()?;
            Some(format!("{}: {reason}", case.name))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn judge(case: &Case) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("net.onnx");
    std::fs::write(&path, case.file.bytes()).unwrap();
    for (name, bytes) in &case.beside {
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    let options = Options { size: case.size };
    let model = Model::import(&path, options, None);
    let model = model.map_err(|error| format!("refused: {error}"))?;
    let layout = read(&path, options).unwrap().layout;
    let extents = case.file.image.iter().map(|&extent| extent as usize);
    let mut extents: Vec<usize> = extents.collect();
    if let Some(size) = case.size {
        extents[2..].copy_from_slice(&size);
    }
    let batch = if extents[0] == 0 { IMAGES } else { extents[0] };
    let elements: usize = extents[1..].iter().product();
    let mut random = Random::of(case.name);
    for _ in 0..ROUNDS {
        let images = random.floats(batch * elements);
        let mut shape = extents.clone();
        shape[0] = batch;
        let right = match &case.judge {
            Judge::Runtime => runtime(&told_outright(case, folder.path()), &shape, &images)?,
            Judge::Twin(twin) => {
                let path = folder.path().join("twin.onnx");
                std::fs::write(&path, twin.bytes()).unwrap();
                runtime(&path, &shape, &images)?
            }
            Judge::Loop(each) => {
                let images: Vec<f64> = images.iter().map(|&value| value.into()).collect();
                images.chunks_exact(elements).flat_map(each).collect()
            }
        };
        let ours: Vec<f64> = images
            .chunks_exact(elements)
            .flat_map(|image| channels_first(image, &extents[1..], layout))
            .collect();
        let found = answers(&Candle::float64_cpu(), &model, &ours);
        close(&found, &right).map_err(|reason| format!("candle, {reason}"))?;
        for isa in Isa::available() {
            let found = answers(&Cpu::new(isa), &model, &ours);
            close(&found, &right).map_err(|reason| format!("{isa}, {reason}"))?;
        }
    }
    Ok(())
}

/// The file in the words of the runtime, which wants what the standard leaves out: that windows over maps go by
/// steps of one.
fn told_outright(case: &Case, folder: &Path) -> PathBuf {
    let mut file = case.file.clone();
    let windows = file.nodes.iter_mut();
    for node in windows.filter(|node| ["MaxPool", "AveragePool"].contains(&&*node.operation)) {
        if !node.settings.iter().any(|(name, _)| *name == "strides") {
            node.settings.push(("strides", [1, 1].into()));
        }
    }
    let path = folder.join("told.onnx");
    std::fs::write(&path, file.bytes()).unwrap();
    path
}

/// The answer of the runtime.
pub fn runtime(path: &Path, shape: &[usize], images: &[f32]) -> Result<Vec<f64>, String> {
    let failed = |error: &dyn std::fmt::Display| format!("the runtime: {error}");
    let mut options = ModelOptions::with_all_ops();
    // As the file says it, without the runtime's own rewriting.
    options.enable_optimization(false);
    let model = options.load_file(path).map_err(|error| failed(&error))?;
    let images = Tensor::from_data(shape, images.to_vec());
    let answer = model.run_one(images.view().into(), None);
    let answer: Value = answer.map_err(|error| failed(&error))?;
    let answer: Tensor<f32> = answer.try_into().map_err(|error| failed(&error))?;
    Ok(answer.iter().map(|&value| value.into()).collect())
}

/// An image of the file in channel, row, column order.
fn channels_first(image: &[f32], extents: &[usize], layout: Layout) -> Vec<f64> {
    let &[rows, columns, channels] = extents else {
        return image.iter().map(|&value| value.into()).collect();
    };
    if layout == Layout::ChannelsFirst {
        return image.iter().map(|&value| value.into()).collect();
    }
    let places = rows * columns;
    let at = |index: usize| image[index % places * channels + index / places];
    (0..image.len()).map(|index| at(index).into()).collect()
}

/// What the engine answers, with the softmax that the importer took off.
fn answers<B: Backend>(backend: &B, model: &Model, images: &[f64]) -> Vec<f64> {
    let walk = (BatchNormMode::Running, Purpose::Evaluate);
    let program = Program::new(&model.graph, backend, &model.parameters, walk).unwrap();
    let mut workspace = B::Workspace::default();
    let mut chunk = program.load(&mut workspace, images).unwrap();
    let logits = program.forward(&mut workspace, &mut chunk).unwrap();
    let softmax = model.imported.as_ref().unwrap().softmax.as_deref();
    let each = logits.chunks_exact(model.graph.classes());
    each.flat_map(|logits| {
        let sum: f64 = logits.iter().map(|logit| logit.exp()).sum();
        let of = |&logit: &f64| match softmax {
            None => logit,
            Some("LogSoftmax") => logit - sum.ln(),
            Some(_) => logit.exp() / sum,
        };
        logits.iter().map(of).collect::<Vec<f64>>()
    })
    .collect()
}

fn close(found: &[f64], right: &[f64]) -> Result<(), String> {
    if found.len() != right.len() {
        return Err(format!("{} numbers, expected {}", found.len(), right.len()));
    }
    let size = right
        .iter()
        .fold(1e-3_f64, |size, value| size.max(value.abs()));
    let off = |(found, right): &(&f64, &f64)| {
        let error = (*found - *right).abs() / size;
        error.is_nan() || error >= TOLERANCE
    };
    let mut pairs = found.iter().zip(right).enumerate();
    match pairs.find(|(_, pair)| off(pair)) {
        None => Ok(()),
        Some((at, (found, right))) => Err(format!("number {at} is {found}, expected {right}")),
    }
}
