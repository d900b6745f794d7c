//! hawqeye shows where a neural network can afford fewer bits, lets you decide, and carries the
//! decision out: Hessian-aware mixed-precision quantization (HAWQ, arXiv 1905.03696) in a terminal.
//!
//! The engine works without a terminal. The largest eigenvalue of a layer of the embedded network, over
//! 16 images:
//! ```
//! use hawqeye::engine::backend::cpu::{Cpu, Isa};
//! use hawqeye::engine::data::{DataSpec, Part, Reading, Selection};
//! use hawqeye::engine::hessian::Analysis;
//! use hawqeye::engine::hessian::analysis::{Subject, prepare, run};
//! use hawqeye::engine::job::Silent;
//! use hawqeye::engine::model::{ModelSource, Opened, Wanted};
//!
//! let wanted = Wanted {
//!     model: ModelSource::Preset("resnet20".parse()?),
//!     weights: None,
//!     data: DataSpec::Demo,
//!     reading: Reading::default(),
//! };
//! let Opened { source, model } = wanted.open(Part::Train)?;
//! let train = source.part(Part::Train)?;
//! let normalization = wanted.normalization(train)?;
//! let images = Selection::new(train, &normalization, (0..16).collect())?;
//! let backend = Cpu::new(Isa::detect());
//! let subject = Subject { model: &model, backend: &backend, images: &images };
//! let settings = Analysis { layers: vec!["layer3.2.conv2".into()], ..Analysis::default() };
//!
//! let mut measured = prepare(&subject, &settings)?;
//! run(&subject, &settings, &mut measured, &mut |_| Ok(()), &mut Silent)?;
//! assert!(measured.layers[0].eigenvalue > Some(0.0));
//! # Ok::<(), hawqeye::engine::Error>(())
//! ```

#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)
)]

#[cfg(feature = "tui")]
pub mod app;
#[cfg(feature = "cli")]
pub mod cli;
pub mod engine;
#[cfg(feature = "cli")]
pub mod folders;
#[cfg(feature = "cli")]
pub mod numbers;
#[cfg(feature = "cli")]
pub mod overwriting;
#[cfg(feature = "cli")]
pub mod pace;
#[cfg(feature = "cli")]
pub mod project;
#[cfg(feature = "cli")]
pub mod report;
