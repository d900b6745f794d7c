//! Layers, and what follows them channel by channel.

use super::{Builder, ConvolutionOptions, LinearOptions, NormOptions};
use crate::engine::Result;
use crate::engine::backend::LinearShape;
use crate::engine::graph::operations::{BatchNorm, Convolution, Linear, Scale};
use crate::engine::graph::{NodeId, Role};

impl Builder {
    /// A convolution layer with its parameters `name.weight` and, if asked, `name.bias`.
    ///
    /// # Errors
    /// When the wire is not a map that the kernel fits.
    pub fn convolution(
        &mut self,
        name: &str,
        input: NodeId,
        options: &ConvolutionOptions,
    ) -> Result<NodeId> {
        let shape = Convolution::geometry(self.shape(input), options)
            .map_err(|mismatch| mismatch.at("convolution", name))?;
        let [rows, columns] = shape.kernel;
        let dimensions = [shape.out_channels, shape.group_inputs(), rows, columns];
        let weight = self.parameter(format!("{name}.weight"), &dimensions, Role::Weight)?;
        let biases = (&[shape.out_channels][..], Role::Bias);
        let bias = self.optional(options.bias, format!("{name}.bias"), biases)?;
        self.insert(
            name,
            Convolution {
                shape,
                weight,
                bias,
            },
            &[input],
        )
    }

    /// A linear layer with its parameters `name.weight` and `name.bias`.
    ///
    /// # Errors
    /// When the wire is neither a vector of features nor a map of one row and column.
    pub fn linear(&mut self, name: &str, input: NodeId, outputs: usize) -> Result<NodeId> {
        let bias = true;
        self.linear_layer(name, input, LinearOptions { outputs, bias })
    }

    /// A linear layer with its parameters `name.weight` and, if asked, `name.bias`.
    ///
    /// # Errors
    /// When the wire is neither a vector of features nor a map of one row and column.
    pub fn linear_layer(
        &mut self,
        name: &str,
        input: NodeId,
        options: LinearOptions,
    ) -> Result<NodeId> {
        let LinearOptions { outputs, bias } = options;
        let inputs = self.shape(input).channels();
        let shape = [outputs, inputs];
        let weight = self.parameter(format!("{name}.weight"), &shape, Role::Weight)?;
        let bias = self.optional(bias, format!("{name}.bias"), (&[outputs], Role::Bias))?;
        let shape = LinearShape { inputs, outputs };
        self.insert(
            name,
            Linear {
                shape,
                weight,
                bias,
            },
            &[input],
        )
    }

    /// Batch normalisation with its four parameters under `name`.
    ///
    /// # Errors
    /// Never for a wire of this graph and a new name.
    pub fn batch_norm(&mut self, name: &str, input: NodeId) -> Result<NodeId> {
        self.normalization(name, input, &NormOptions::default())
    }

    /// Batch normalisation with its parameters under `name`: `running_mean`, `running_var` and, if asked,
    /// `weight` (gamma) and `bias` (beta).
    ///
    /// # Errors
    /// When the epsilon is negative, or not a number.
    pub fn normalization(
        &mut self,
        name: &str,
        input: NodeId,
        options: &NormOptions,
    ) -> Result<NodeId> {
        let channels = self.shape(input).channels();
        let mut declare = |is_there, suffix: &str, role| {
            self.optional(is_there, format!("{name}.{suffix}"), (&[channels], role))
        };
        let (scale, shift) = (
            declare(options.scale, "weight", Role::Scale)?,
            declare(options.shift, "bias", Role::Shift)?,
        );
        let shape = [channels];
        let operation = BatchNorm {
            channels,
            scale,
            shift,
            mean: self.parameter(format!("{name}.running_mean"), &shape, Role::RunningMean)?,
            variance: self.parameter(
                format!("{name}.running_var"),
                &shape,
                Role::RunningVariance,
            )?,
            epsilon: options.epsilon,
        };
        self.insert(name, operation, &[input])
    }

    /// A factor `name.weight` and a summand `name.bias` for each channel, either of which may be missing.
    ///
    /// # Errors
    /// When another node has this name.
    pub fn scale(
        &mut self,
        name: &str,
        input: NodeId,
        [factor, shift]: [bool; 2],
    ) -> Result<NodeId> {
        let channels = self.shape(input).channels();
        let factors = (&[channels][..], Role::Scale);
        let shifts = (&[channels][..], Role::Shift);
        let operation = Scale {
            channels,
            factor: self.optional(factor, format!("{name}.weight"), factors)?,
            shift: self.optional(shift, format!("{name}.bias"), shifts)?,
        };
        self.insert(name, operation, &[input])
    }
}
