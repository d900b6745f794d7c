//! Zeros around a map, or around features.

use serde::{Deserialize, Serialize};

use super::rules::{Backward, Forward, Mismatch, Rules, Tangent};
use crate::engine::Result;
use crate::engine::backend::{Backend, Pads, Region, Span};
use crate::engine::graph::Shape;

/// Zeros before and after the channels, the rows and the columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pad {
    /// Channels (or features) of zeros before and after.
    pub channels: [usize; 2],
    /// Rows and columns of zeros; none of features.
    pub places: Pads,
}

impl Pad {
    /// What is written around a wire of this shape.
    fn whole(&self, input: Shape) -> Option<Shape> {
        let between = |count: usize, [before, after]: [usize; 2]| {
            count.checked_add(before)?.checked_add(after)
        };
        let channels = between(input.channels(), self.channels)?;
        match input {
            Shape::Map { height, width, .. } => {
                let Pads {
                    top,
                    left,
                    bottom,
                    right,
                } = self.places;
                let rows = between(height, [top, bottom])?;
                Some(Shape::map(channels, rows, between(width, [left, right])?))
            }
            Shape::Features(_) if self.places == Pads::NONE => Some(Shape::Features(channels)),
            Shape::Features(_) => None,
        }
    }

    /// Where the input lies in what is written.
    const fn region(&self, input: Shape) -> Region {
        let inner = Region::whole(input);
        Region {
            channels: Span::run(self.channels[0], inner.channels.count),
            rows: Span::run(self.places.top, inner.rows.count),
            columns: Span::run(self.places.left, inner.columns.count),
        }
    }

    fn around<B: Backend>(
        &self,
        (backend, workspace): (&B, &mut B::Workspace),
        input: Shape,
        x: &B::Array,
    ) -> Result<B::Array> {
        let whole = self.whole(input);
        let whole = whole.expect("invariant: the shape was checked on insertion");
        backend.embed(workspace, &self.region(input), whole, x)
    }
}

impl Rules for Pad {
    const NAME: &'static str = "pad";

    fn shape(&self, inputs: &[Shape]) -> std::result::Result<Shape, Mismatch> {
        let whole = match *inputs {
            [input] => self.whole(input),
            _ => None,
        };
        let expected = "a map, or features without rows and columns of zeros";
        whole.ok_or_else(|| Mismatch::new(expected, inputs))
    }

    fn is_nonnegative(&self, inputs: &[bool]) -> bool {
        inputs.iter().all(|&input| input)
    }

    fn only_moves(&self) -> bool {
        true
    }

    fn forward<B: Backend>(&self, step: &mut Forward<B>) -> Result<B::Array> {
        let (backend, input) = (step.backend, step.input_shape(0));
        let (workspace, x) = step.input(0);
        self.around((backend, workspace), input, x)
    }

    fn tangent<B: Backend>(&self, step: &mut Tangent<B>) -> Result<B::Array> {
        let (backend, input) = (step.backend, step.input_shape(0));
        let (workspace, dx) = step.input(0);
        self.around((backend, workspace), input, dx)
    }

    fn backward<B: Backend>(&self, step: &mut Backward<B>, gradient: B::Array) -> Result<()> {
        let region = self.region(step.input_shape(0));
        let dx = step.backend.slice(step.workspace, &region, &gradient)?;
        step.backend.recycle(step.workspace, gradient);
        step.send(0, dx)
    }
}
