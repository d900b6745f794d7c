//! Images and labels: where they come from, which of them are used, and how they become numbers.
//!
//! ```text
//! DataSpec --read--> Dataset (Samples, CHW) --sample/split_train--> indices --normalized--> f32, CHW
//! ```
//! Images lie in memory or are read when they are needed ([`Samples`]); training batches are
//! prepared ahead of their step on threads of their own, all others on the threads that walk them.
//! Every choice by chance takes a seed and gives the same result on every platform, in every
//! batch order and on any number of threads.

pub mod array;
mod arrays;
mod cifar;
mod dataset;
pub mod demo;
mod folder;
mod idx;
mod images;
mod label;
mod mnist;
mod nearby;
mod noise;
mod normalization;
pub mod picture;
pub mod preprocessing;
mod reading;
mod samples;
mod sampling;
mod shaped;
mod source;

pub use arrays::inputs;
pub use dataset::{ClassSource, Dataset, Origin, divided};
pub use images::{Images, Selection, image_shape};
pub use label::Label;
pub use noise::{Noise, noise};
pub use normalization::{Augmentation, Normalization, Preparation, USUAL_SCALE};
pub use reading::Reading;
pub use samples::{Held, Sample, Samples, Subset};
pub use sampling::{Order, sample, shuffle, split_train, validation_size};
pub use source::{DataSource, DataSpec, Part};
