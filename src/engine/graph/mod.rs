//! The static graph of a network: nodes and typed wires.

pub mod shape;

pub use shape::Shape;
