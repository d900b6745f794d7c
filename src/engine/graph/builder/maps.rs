//! Pooling, parts of maps, and changes of shape.

use super::{Builder, OptionA};
use crate::engine::backend::{AverageWindow, Pads, Region, Span, Window};
use crate::engine::graph::operations::{
    AveragePool, Flatten, GlobalAveragePool, MaxPool, Pad, Slice, Unflatten,
};
use crate::engine::graph::{NodeId, Shape};
use crate::engine::{Error, Result};

impl Builder {
    /// Maximum pooling.
    ///
    /// # Errors
    /// When the window does not fit.
    pub fn max_pool(&mut self, name: &str, input: NodeId, window: Window) -> Result<NodeId> {
        self.insert(name, MaxPool { window }, &[input])
    }

    /// Average pooling.
    ///
    /// # Errors
    /// When the window does not fit.
    pub fn average_pool(
        &mut self,
        name: &str,
        input: NodeId,
        average: AverageWindow,
    ) -> Result<NodeId> {
        self.insert(name, AveragePool { average }, &[input])
    }

    /// Average pooling to a map of this many rows and columns, which must divide those that are read. One
    /// row and column are [`global_average_pool`](Self::global_average_pool); as many as are read are the
    /// wire itself.
    ///
    /// # Errors
    /// When they do not divide.
    pub fn adaptive_average_pool(
        &mut self,
        name: &str,
        input: NodeId,
        [rows, columns]: [usize; 2],
    ) -> Result<NodeId> {
        let kernel = match self.shape(input) {
            Shape::Map { height, width, .. } => {
                let divided = |size: usize, by: usize| {
                    size.is_multiple_of(by)
                        .then(|| size.checked_div(by))
                        .flatten()
                };
                divided(height, rows).zip(divided(width, columns))
            }
            Shape::Features(_) => None,
        };
        match kernel {
            Some(_) if [rows, columns] == [1, 1] => self.global_average_pool(name, input),
            Some((1, 1)) => Ok(input),
            Some((down, right)) => {
                let average = AverageWindow {
                    window: Window::new([down, right], [down, right]),
                    counts_padding: true,
                };
                self.average_pool(name, input, average)
            }
            None => Err(Error::Shape {
                operation: "adaptive average pooling",
                node: name.to_owned(),
                expected: format!("a map whose rows and columns {rows} and {columns} divide"),
                got: self.shape(input).to_string(),
            }),
        }
    }

    /// Zeros around a map or features.
    ///
    /// # Errors
    /// When features are given rows or columns.
    pub fn pad(&mut self, name: &str, input: NodeId, pad: Pad) -> Result<NodeId> {
        self.insert(name, pad, &[input])
    }

    /// A region of a map or of features.
    ///
    /// # Errors
    /// When the region leaves it.
    pub fn slice(&mut self, name: &str, input: NodeId, region: Region) -> Result<NodeId> {
        self.insert(name, Slice { region }, &[input])
    }

    /// Mean of each channel, as a map of one row and column.
    ///
    /// # Errors
    /// When the wire is not a map.
    pub fn global_average_pool(&mut self, name: &str, input: NodeId) -> Result<NodeId> {
        self.insert(name, GlobalAveragePool, &[input])
    }

    /// A map as features.
    ///
    /// # Errors
    /// When the wire is not a map.
    pub fn flatten(&mut self, name: &str, input: NodeId) -> Result<NodeId> {
        self.insert(name, Flatten, &[input])
    }

    /// Features as a map of one row and column.
    ///
    /// # Errors
    /// When the wire is a map.
    pub fn unflatten(&mut self, name: &str, input: NodeId) -> Result<NodeId> {
        self.insert(name, Unflatten, &[input])
    }

    /// The option A shortcut: a slice called `name.sliced`, and zeros around its channels.
    ///
    /// # Errors
    /// When the wire is not a map, or channels would shrink.
    pub fn option_a(&mut self, name: &str, input: NodeId, option: OptionA) -> Result<NodeId> {
        let OptionA {
            stride,
            out_channels,
        } = option;
        let read = self.shape(input);
        let region = || {
            let all = Region::whole(read);
            let every = |span: Span| Span::stepped(0, span.count, stride);
            let (rows, columns) = (every(all.rows)?, every(all.columns)?);
            Some(Region {
                channels: all.channels,
                rows,
                columns,
            })
        };
        let more = out_channels.checked_sub(read.channels());
        let (Shape::Map { .. }, Some(region), Some(more)) = (read, region(), more) else {
            return Err(Error::Shape {
                operation: "option A shortcut",
                node: name.to_owned(),
                expected: format!("a map of at most {out_channels} channels"),
                got: read.to_string(),
            });
        };
        let sliced = self.slice(&format!("{name}.sliced"), input, region)?;
        let pad = Pad {
            channels: [more / 2, more - more / 2],
            places: Pads::NONE,
        };
        self.pad(name, sliced, pad)
    }
}
