//! The numerical engine. It knows nothing of terminals, clocks, printing or conventional paths.

pub mod agreement;
pub mod allocate;
pub(crate) mod archive;
pub mod autodiff;
pub mod backend;
pub mod bench;
pub(crate) mod complaint;
pub mod counts;
pub mod data;
pub mod error;
pub mod evaluation;
pub mod events;
pub mod export;
pub mod files;
pub mod finetune;
pub mod graph;
pub mod hessian;
pub mod import;
pub mod job;
pub mod model;
pub mod plan;
pub mod presence;
pub mod quant;
pub(crate) mod seal;
pub mod shown;
pub mod text;
mod words;

pub use error::{Error, Result};
