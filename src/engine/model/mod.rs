//! model

pub mod weights;
