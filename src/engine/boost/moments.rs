//! First and second moments of what a layer reads, over images and places.

use candle_core::{Device, Tensor};

use super::patches::{Patches, sizes};
use super::walk::Walk;
use crate::engine::backend::{Backend, WeightShape};
use crate::engine::graph::Layer;
use crate::engine::{Error, Result};

/// Moments of what the weights of an output are multiplied with, in the quantized network, and how it goes
/// together with what they are multiplied with in the trained one.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Moments {
    /// Weights of an output.
    pub size: usize,
    /// By group of channels.
    pub groups: Vec<OfGroup>,
    /// Images times places.
    pub places: f64,
}

/// Moments of a group of channels.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct OfGroup {
    /// Means in the quantized network.
    pub means: Vec<f64>,
    /// Sums of products, `size x size`: trained with quantized, and quantized with itself; nothing where they
    /// are not wanted.
    pub products: Option<[Vec<f64>; 2]>,
}

/// Places for each weight of an output that moments are measured on, where there are more.
const ENOUGH: usize = 128;

/// Bytes of the second moments of a layer.
pub(super) fn bytes(layer: &Layer) -> usize {
    let [groups, size] = sizes(&layer.shape);
    let elements = size.saturating_mul(size).saturating_mul(groups);
    elements.saturating_mul(2 * size_of::<f64>())
}

/// Every how many places of a map are enough for the moments: neighbours tell much the same.
fn every(layer: &Layer, images: usize) -> usize {
    let [_, size] = sizes(&layer.shape);
    let [rows, columns] = match &layer.shape {
        WeightShape::Convolution(of) => [of.out_height(), of.out_width()],
        WeightShape::Linear(_) => [1, 1],
    };
    let every = (images * rows * columns / (ENOUGH * size)).clamp(1, rows * columns);
    // Without a common divisor, so that every column has its turn.
    let mut none = (1..=every)
        .rev()
        .filter(|every| common_divisor(*every, columns) == 1);
    none.next().unwrap_or(1)
}

fn common_divisor(a: usize, b: usize) -> usize {
    if b == 0 { a } else { common_divisor(b, a % b) }
}

impl Moments {
    /// Of a layer that both walks have come to; with second moments where they are wanted.
    ///
    /// # Errors
    /// When a number is not finite, or the device fails.
    pub fn of<B: Backend>(
        layer: &Layer,
        [trained, quantized]: [&Walk<B>; 2],
        wants_products: bool,
    ) -> Result<Self> {
        let [groups, size] = sizes(&layer.shape);
        let of_group = OfGroup {
            means: vec![0.0; size],
            products: wants_products.then(|| [vec![0.0; size * size], vec![0.0; size * size]]),
        };
        let mut moments = Self {
            size,
            groups: vec![of_group; groups],
            places: 0.0,
        };
        let every = every(layer, quantized.images());
        for chunk in 0..quantized.chunks() {
            let read = [trained.read(chunk)?, quantized.read(chunk)?];
            moments.add(read.map(|images| Patches::of(&layer.shape, &images, every)))?;
        }
        moments.finish()
    }

    /// Adds the patches of some images in both networks.
    fn add(&mut self, both: [Patches; 2]) -> Result<()> {
        let (groups, places, size) = (both[0].groups, both[0].places, both[0].size);
        self.places += places as f64;
        let of_groups = both[1].values.chunks_exact(places * size);
        for (group, values) in self.groups.iter_mut().zip(of_groups) {
            for patch in values.chunks_exact(size) {
                let pairs = group.means.iter_mut().zip(patch);
                pairs.for_each(|(mean, value)| *mean += f64::from(*value));
            }
        }
        if self.groups[0].products.is_none() {
            return Ok(());
        }
        let read = |patches: Patches| {
            Tensor::from_vec(patches.values, (groups, places, size), &Device::Cpu)
        };
        let [trained, quantized] = both;
        let (trained, quantized) = (read(trained)?, read(quantized)?);
        for (which, with) in [trained, quantized.clone()].into_iter().enumerate() {
            let found = with.transpose(1, 2)?.contiguous()?.matmul(&quantized)?;
            let found = found.flatten_all()?.to_vec1::<f32>()?;
            let found = found.chunks_exact(size * size);
            for (group, found) in self.groups.iter_mut().zip(found) {
                let sums = group.products.iter_mut().flat_map(|both| &mut both[which]);
                sums.zip(found)
                    .for_each(|(sum, value)| *sum += f64::from(*value));
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Self> {
        let mut finite = true;
        for group in &mut self.groups {
            for mean in &mut group.means {
                *mean /= self.places;
                finite &= mean.is_finite();
            }
            let products = group.products.iter().flatten().flatten();
            finite &= products.into_iter().all(|value| value.is_finite());
        }
        if finite {
            Ok(self)
        } else {
            Err(Error::NotFinite("what a layer reads".to_owned()))
        }
    }
}
