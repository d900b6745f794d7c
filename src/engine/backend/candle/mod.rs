//! candle as a [`Backend`](super::Backend): plain tensor operations on arrays of (images, channels,
//! rows, columns), or (images, features). In float64 on the CPU it is the yardstick of every other path; with the
//! cargo feature `cuda` it runs on an NVIDIA GPU in float32.
//!
//! Nothing here uses candle's own gradients, so the tests can hold them against ours.

mod elementwise;
mod pooling;
mod products;
mod quantization;
mod taps;

use std::ops::Range;

use candle_core::{DType, Device, Tensor};

use super::{Arrays, WeightShape};
use crate::engine::Result;
use crate::engine::memory::Memory;
use crate::engine::shape::Shape;

/// Images in a chunk, unless asked otherwise.
const CHUNK: usize = 16;

/// A device of candle's, and the numbers it works with.
#[derive(Debug, Clone)]
pub struct Candle {
    device: Device,
    dtype: DType,
    chunk: usize,
    memory: Memory,
}

/// Weights as a matrix: output channels by everything that one of them reads.
#[derive(Debug)]
pub struct Weights {
    matrix: Tensor,
    shape: WeightShape,
}

/// A sum of weight gradients, as a matrix; nothing yet at first.
#[derive(Debug)]
pub struct Gradient {
    sum: Option<Tensor>,
    shape: WeightShape,
}

impl Candle {
    /// Float64 on the CPU.
    #[must_use]
    pub const fn float64_cpu() -> Self {
        Self {
            device: Device::Cpu,
            dtype: DType::F64,
            chunk: CHUNK,
            memory: Memory::USUAL,
        }
    }

    /// Float32 on an NVIDIA GPU.
    ///
    /// # Errors
    /// When the program was built without the feature `cuda`, or there is no such GPU.
    pub fn cuda(ordinal: usize) -> Result<Self> {
        Ok(Self {
            device: Device::new_cuda(ordinal)?,
            dtype: DType::F32,
            chunk: CHUNK,
            memory: Memory::USUAL,
        })
    }

    /// Walks this many images at once.
    #[must_use]
    pub fn with_chunk(self, chunk: usize) -> Self {
        Self { chunk, ..self }
    }

    /// The same with so much memory.
    #[must_use]
    pub fn with_memory(self, memory: Memory) -> Self {
        Self { memory, ..self }
    }

    fn tensor(&self, values: &[f64], dims: &[usize]) -> Result<Tensor> {
        Ok(Tensor::from_slice(values, dims, &self.device)?.to_dtype(self.dtype)?)
    }
}

fn host(x: &Tensor) -> Result<Vec<f64>> {
    Ok(x.to_dtype(DType::F64)?.flatten_all()?.to_vec1()?)
}

fn extents(shape: Shape, images: usize) -> Vec<usize> {
    match shape {
        Shape::Map {
            channels,
            height,
            width,
        } => vec![images, channels, height, width],
        Shape::Features(features) => vec![images, features],
    }
}

/// One number per channel, ready to meet `like`.
fn per_channel(values: &Tensor, like: &Tensor) -> Result<Tensor> {
    let channels = values.elem_count();
    Ok(match like.rank() {
        4 => values.reshape((1, channels, 1, 1))?,
        _ => values.reshape((1, channels))?,
    })
}

impl Arrays for Candle {
    type Array = Tensor;
    type Channels = Tensor;
    type Weights = Weights;
    type Gradient = Gradient;
    type Workspace = ();

    fn describe(&self) -> String {
        let kind = if self.device.is_cpu() { "cpu" } else { "cuda" };
        let numbers = match self.dtype {
            DType::F64 => "float64",
            _ => "float32",
        };
        format!("candle {kind} {numbers}")
    }

    fn chunk(&self) -> usize {
        self.chunk
    }

    fn memory(&self) -> Memory {
        self.memory
    }

    fn bytes_per_number(&self) -> usize {
        self.dtype.size_in_bytes()
    }

    fn upload(&self, (): &mut (), shape: Shape, images: &[f64]) -> Result<Tensor> {
        self.tensor(
            images,
            &extents(shape, images.len() / shape.elements().max(1)),
        )
    }

    fn download(&self, x: &Tensor) -> Result<Vec<f64>> {
        host(x)
    }

    fn copy(&self, (): &mut (), x: &Tensor) -> Result<Tensor> {
        Ok(x.clone())
    }

    fn images(&self, (): &mut (), x: &Tensor, range: Range<usize>) -> Result<Tensor> {
        Ok(x.narrow(0, range.start, range.len())?.contiguous()?)
    }

    fn recycle(&self, (): &mut (), _: Tensor) {}

    fn image_count(&self, x: &Tensor) -> usize {
        x.dims()[0]
    }

    fn channels(&self, values: &[f64]) -> Result<Tensor> {
        self.tensor(values, &[values.len()])
    }

    fn weights(&self, shape: &WeightShape, values: &[f64]) -> Result<Weights> {
        let outputs = shape.output_channels();
        let matrix = self.tensor(values, &[outputs, values.len() / outputs.max(1)])?;
        let shape = *shape;
        Ok(Weights { matrix, shape })
    }
}
