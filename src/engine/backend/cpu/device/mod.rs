//! The CPU as a [`Backend`](crate::engine::backend::Backend): arrays are rows of channels, the
//! kernels beside this folder do the work.

mod elementwise;
mod pooling;
mod products;
mod quantization;

use std::ops::Range;
use std::sync::OnceLock;

use super::convolution::{Convolution, FrequencyWeights, PackedWeights};
use super::{Array, Isa, Workspace, layout};
use crate::engine::Result;
use crate::engine::backend::{Arrays, WeightShape};
use crate::engine::memory::Memory;
use crate::engine::shape::Shape;

/// Images in a chunk: its activations stay in a core's cache.
const CHUNK: usize = 16;

/// The CPU, with one of its instruction sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cpu {
    isa: Isa,
    memory: Memory,
}

impl Cpu {
    /// The CPU with the instructions of `isa`.
    #[must_use]
    pub const fn new(isa: Isa) -> Self {
        Self {
            isa,
            memory: Memory::USUAL,
        }
    }

    /// The same with so much memory.
    #[must_use]
    pub const fn with_memory(self, memory: Memory) -> Self {
        Self { memory, ..self }
    }
}

/// Weights arranged for products; every arrangement but the first is made when it is first needed.
#[derive(Debug)]
pub struct Weights {
    shape: WeightShape,
    values: Vec<f32>,
    forward: PackedWeights,
    grad_input: OnceLock<PackedWeights>,
    fast_forward: OnceLock<FrequencyWeights>,
    fast_grad_input: OnceLock<FrequencyWeights>,
}

impl Weights {
    fn grad_input(&self, kernel: &Convolution) -> &PackedWeights {
        self.grad_input.get_or_init(|| {
            let mut packed = PackedWeights::new();
            kernel.pack_grad_input(&self.values, &mut packed);
            packed
        })
    }
}

/// A sum of weight gradients, in the kernels' order.
#[derive(Debug)]
pub struct Gradient {
    shape: WeightShape,
    values: Vec<f32>,
}

fn narrow(values: &[f64]) -> Vec<f32> {
    values.iter().map(|&v| v as f32).collect()
}

impl Arrays for Cpu {
    type Array = Array;
    type Channels = Vec<f32>;
    type Weights = Weights;
    type Gradient = Gradient;
    type Workspace = Workspace;

    fn describe(&self) -> String {
        format!("cpu ({})", self.isa)
    }

    fn chunk(&self) -> usize {
        CHUNK
    }

    fn memory(&self) -> Memory {
        self.memory
    }

    fn bytes_per_number(&self) -> usize {
        size_of::<f32>()
    }

    fn upload(&self, ws: &mut Workspace, shape: Shape, images: &[f64]) -> Result<Array> {
        let mut x = ws.array(shape, images.len() / shape.elements());
        let [pixels, channels] = x.pixels();
        if pixels == 1 || channels == 1 {
            x.values
                .iter_mut()
                .zip(images)
                .for_each(|(x, &image)| *x = image as f32);
        } else {
            layout::nchw_to_nhwc([pixels, channels], &narrow(images), &mut x.values);
        }
        Ok(x)
    }

    fn download(&self, x: &Array) -> Result<Vec<f64>> {
        let [pixels, channels] = x.pixels();
        let mut values = vec![0.0; x.values.len()];
        layout::nhwc_to_nchw([pixels, channels], &x.values, &mut values);
        Ok(values.into_iter().map(f64::from).collect())
    }

    fn copy(&self, ws: &mut Workspace, x: &Array) -> Result<Array> {
        let mut y = ws.array(x.shape, x.images);
        y.values.copy_from_slice(&x.values);
        Ok(y)
    }

    fn images(&self, ws: &mut Workspace, x: &Array, range: Range<usize>) -> Result<Array> {
        let size = x.shape.elements();
        let mut y = ws.array(x.shape, range.len());
        y.values
            .copy_from_slice(&x.values[range.start * size..range.end * size]);
        Ok(y)
    }

    fn recycle(&self, ws: &mut Workspace, x: Array) {
        ws.recycle(x);
    }

    fn image_count(&self, x: &Array) -> usize {
        x.images
    }

    fn channels(&self, values: &[f64]) -> Result<Vec<f32>> {
        Ok(narrow(values))
    }

    fn weights(&self, shape: &WeightShape, values: &[f64]) -> Result<Weights> {
        let values = narrow(values);
        let mut forward = PackedWeights::new();
        if let WeightShape::Convolution(shape) = shape {
            self.convolution(shape).pack_forward(&values, &mut forward);
        }
        Ok(Weights {
            shape: *shape,
            values,
            forward,
            grad_input: OnceLock::new(),
            fast_forward: OnceLock::new(),
            fast_grad_input: OnceLock::new(),
        })
    }
}
