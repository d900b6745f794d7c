//! The commands, one file each: its options, and what it does with the engine.

pub mod analyze;
pub mod application;
pub mod bench;
pub mod completions;
pub mod config;
pub mod demo_images;
pub mod demo_weights;
pub mod doctor;
pub mod eval;
pub mod export;
pub mod inspect;
pub mod man;
pub mod plan;
pub mod report;
pub mod tune;
pub mod worker;
