//! Numbers on a device: arrays of images, numbers per channel, weights.

use std::fmt::Debug;
use std::ops::Range;

use super::WeightShape;
use crate::engine::Result;
use crate::engine::memory::Memory;
use crate::engine::shape::Shape;

/// An array is reused for one that is at most so many times smaller.
pub const ROOMIEST: usize = 2;

/// Memory reused from call to call.
pub trait Reuse: Debug + Default + Send {
    /// The same for another thread: what one of them takes back, the others may hand out.
    #[must_use]
    fn beside(&self) -> Self;
}

/// Of a device that keeps its own memory.
impl Reuse for () {
    fn beside(&self) {}
}

/// A device, what it keeps numbers in, and the ways there and back.
pub trait Arrays: Debug + Send + Sync + Sized + 'static {
    /// The numbers of one wire for the images of a chunk.
    type Array: Debug + Send + Sync;
    /// One number per channel (or feature).
    type Channels: Debug + Send + Sync;
    /// Weights arranged for products.
    type Weights: Debug + Send + Sync;
    /// A sum of weight gradients.
    type Gradient: Debug + Send + Sync;
    /// Memory reused from call to call; one per thread of work.
    type Workspace: Reuse;

    /// The device in words, such as `cpu (AVX-512)`.
    fn describe(&self) -> String;

    /// Images in a chunk.
    fn chunk(&self) -> usize;

    /// Bytes of one number.
    fn bytes_per_number(&self) -> usize;

    /// How much memory work on it may take.
    fn memory(&self) -> Memory;

    /// Takes `images` images, `shape` numbers each, in channel, row, column order.
    ///
    /// # Errors
    /// When the device fails.
    fn upload(&self, ws: &mut Self::Workspace, shape: Shape, images: &[f64])
    -> Result<Self::Array>;
    /// The numbers in channel, row, column order, image by image.
    ///
    /// # Errors
    /// When the device fails.
    fn download(&self, x: &Self::Array) -> Result<Vec<f64>>;
    /// A copy.
    ///
    /// # Errors
    /// When the device fails.
    fn copy(&self, ws: &mut Self::Workspace, x: &Self::Array) -> Result<Self::Array>;
    /// Some images of an array.
    ///
    /// # Errors
    /// When the device fails.
    fn images(
        &self,
        ws: &mut Self::Workspace,
        x: &Self::Array,
        range: Range<usize>,
    ) -> Result<Self::Array>;
    /// Takes an array back for reuse.
    fn recycle(&self, ws: &mut Self::Workspace, x: Self::Array);
    /// Images in an array.
    fn image_count(&self, x: &Self::Array) -> usize;

    /// Takes one number per channel.
    ///
    /// # Errors
    /// When the device fails.
    fn channels(&self, values: &[f64]) -> Result<Self::Channels>;
    /// Takes weights, in the order of weights files.
    ///
    /// # Errors
    /// When the device fails.
    fn weights(&self, shape: &WeightShape, values: &[f64]) -> Result<Self::Weights>;
}
