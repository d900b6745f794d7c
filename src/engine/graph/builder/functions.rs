//! Functions of every number, and of several wires.

use super::Builder;
use crate::engine::Result;
use crate::engine::graph::operations::{Activate, Add, Concat, Function};
use crate::engine::graph::{NodeId, Role, Shape};

impl Builder {
    /// Rectifier: `max(x, 0)`.
    ///
    /// # Errors
    /// When another node has this name.
    pub fn relu(&mut self, name: &str, input: NodeId) -> Result<NodeId> {
        self.insert(name, Activate::RELU, &[input])
    }

    /// `min(max(x, low), high)`; either bound may be infinite.
    ///
    /// # Errors
    /// When a bound is not a number, or the lower one lies above the upper one.
    pub fn clip(&mut self, name: &str, input: NodeId, [low, high]: [f64; 2]) -> Result<NodeId> {
        let function = Function::Clip { low, high };
        self.insert(name, Activate { function }, &[input])
    }

    /// `x` above 0, else `x * slope`.
    ///
    /// # Errors
    /// When the slope is not finite.
    pub fn leaky_relu(&mut self, name: &str, input: NodeId, slope: f64) -> Result<NodeId> {
        let function = Function::LeakyRelu { slope };
        self.insert(name, Activate { function }, &[input])
    }

    /// `x` above 0, else `x` times one of `slopes` slopes, which are the parameter `name.weight`: one for
    /// all, or one per channel.
    ///
    /// # Errors
    /// When there are neither one slope nor as many as channels.
    pub fn prelu(&mut self, name: &str, input: NodeId, slopes: usize) -> Result<NodeId> {
        let function = Function::PRelu {
            slope: self.parameter(format!("{name}.weight"), &[slopes], Role::Slope)?,
            slopes,
            channels: self.shape(input).channels(),
        };
        self.insert(name, Activate { function }, &[input])
    }

    /// Sum of two wires.
    ///
    /// # Errors
    /// When their shapes differ.
    pub fn add(&mut self, name: &str, a: NodeId, b: NodeId) -> Result<NodeId> {
        self.insert(name, Add, &[a, b])
    }

    /// The channels of several maps of one size, or the features of several vectors, one after
    /// another.
    ///
    /// # Errors
    /// When their shapes do not fit.
    pub fn concat(&mut self, name: &str, inputs: &[NodeId]) -> Result<NodeId> {
        let shapes: Vec<Shape> = inputs.iter().map(|&id| self.shape(id)).collect();
        let concat = Concat::of(&shapes).map_err(|mismatch| mismatch.at("concat", name))?;
        self.insert(name, concat, inputs)
    }
}
