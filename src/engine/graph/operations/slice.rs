//! Some channels of some rows and columns of a map, or some features.

use serde::{Deserialize, Serialize};

use super::rules::{Backward, Forward, Mismatch, Rules, Tangent};
use crate::engine::Result;
use crate::engine::backend::{Backend, Region};
use crate::engine::graph::Shape;

/// A region of a map, or of features.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slice {
    /// The region.
    pub region: Region,
}

impl Rules for Slice {
    const NAME: &'static str = "slice";

    fn shape(&self, inputs: &[Shape]) -> std::result::Result<Shape, Mismatch> {
        let part = match *inputs {
            [input] => self.region.of(input),
            _ => None,
        };
        part.ok_or_else(|| {
            let Region {
                channels,
                rows,
                columns,
            } = self.region;
            let [c, h, w] = [channels, rows, columns].map(|span| {
                let (start, step, count) = (span.start, span.step, span.count);
                format!("{count} from {start} in steps of {step}")
            });
            let expected = format!("a map with channels {c}, rows {h} and columns {w}");
            Mismatch::new(expected, inputs)
        })
    }

    fn is_nonnegative(&self, inputs: &[bool]) -> bool {
        inputs.iter().all(|&input| input)
    }

    fn only_moves(&self) -> bool {
        true
    }

    fn forward<B: Backend>(&self, step: &mut Forward<B>) -> Result<B::Array> {
        let backend = step.backend;
        let (workspace, x) = step.input(0);
        backend.slice(workspace, &self.region, x)
    }

    fn tangent<B: Backend>(&self, step: &mut Tangent<B>) -> Result<B::Array> {
        let backend = step.backend;
        let (workspace, dx) = step.input(0);
        backend.slice(workspace, &self.region, dx)
    }

    fn backward<B: Backend>(&self, step: &mut Backward<B>, gradient: B::Array) -> Result<()> {
        let input = step.input_shape(0);
        let (backend, workspace) = (step.backend, &mut *step.workspace);
        let dx = backend.embed(workspace, &self.region, input, &gradient)?;
        backend.recycle(step.workspace, gradient);
        step.send(0, dx)
    }
}
