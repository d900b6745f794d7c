//! Images and labels: where they come from, which of them are used, and how they become numbers.
//!
//! ```text
//! DataSpec --load--> Dataset (u8, CHW) --sample/split_train--> indices --normalized--> f32, CHW
//! ```
//! Every choice by chance takes a seed and gives the same result on every platform, in every
//! batch order and on any number of threads.

pub mod array;
mod cifar;
mod dataset;
pub mod demo;
mod idx;
mod images;
mod label;
mod nearby;
mod noise;
mod normalization;
pub mod picture;
pub mod preprocessing;
mod samples;
mod sampling;
mod source;

pub use dataset::Dataset;
pub use images::{Images, Selection, image_shape};
pub use label::Label;
pub use noise::{Noise, noise};
pub use normalization::{Augmentation, Normalization, Preparation, USUAL_SCALE};
pub use samples::{Held, Sample, Samples, Subset};
pub use sampling::{Order, sample, shuffle, split_train, validation_size};
pub use source::{DataSource, DataSpec, Part};
