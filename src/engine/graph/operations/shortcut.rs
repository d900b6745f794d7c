//! The parameter-free shortcut of CIFAR residual networks (option A, arXiv 1512.03385 section 4.2).

use super::rules::{Backward, Forward, Mismatch, Rules, Tangent};
use crate::engine::Result;
use crate::engine::backend::{Backend, ShortcutShape};
use crate::engine::graph::Shape;

/// Every `stride`-th place, channels padded with zeros on both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shortcut {
    /// Geometry.
    pub shape: ShortcutShape,
}

impl Rules for Shortcut {
    const NAME: &'static str = "shortcut";

    fn shape(&self, inputs: &[Shape]) -> std::result::Result<Shape, Mismatch> {
        let ShortcutShape {
            stride,
            out_channels,
        } = self.shape;
        match *inputs {
            [
                Shape::Map {
                    channels,
                    height,
                    width,
                },
            ] if channels <= out_channels && stride > 0 => Ok(Shape::map(
                out_channels,
                height.div_ceil(stride),
                width.div_ceil(stride),
            )),
            _ => Err(Mismatch::new(
                format!("a map of at most {out_channels} channels"),
                inputs,
            )),
        }
    }

    fn forward<B: Backend>(&self, step: &mut Forward<B>) -> Result<B::Array> {
        let backend = step.backend;
        let (workspace, x) = step.input(0);
        backend.shortcut(workspace, &self.shape, x)
    }

    fn tangent<B: Backend>(&self, step: &mut Tangent<B>) -> Result<B::Array> {
        let backend = step.backend;
        let (workspace, dx) = step.input(0);
        backend.shortcut(workspace, &self.shape, dx)
    }

    fn backward<B: Backend>(&self, step: &mut Backward<B>, gradient: B::Array) -> Result<()> {
        let input = step.input_shape(0);
        let dx = step
            .backend
            .shortcut_backward(step.workspace, &self.shape, input, &gradient)?;
        step.backend.recycle(step.workspace, gradient);
        step.send(0, dx)
    }
}
