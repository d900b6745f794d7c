//! The channels of several maps, or the features of several vectors, one after another.

use serde::{Deserialize, Serialize};

use super::rules::{Backward, Forward, Mismatch, Rules, Tangent};
use crate::engine::Result;
use crate::engine::backend::{Backend, Parts, Region, Span};
use crate::engine::graph::Shape;

/// Channels one after another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Concat {
    parts: Vec<Shape>,
    whole: Shape,
}

impl Concat {
    /// Of wires of these shapes.
    ///
    /// # Errors
    /// Unless they are maps of one size, or vectors of features only.
    pub fn of(parts: &[Shape]) -> std::result::Result<Self, Mismatch> {
        let mut each = parts.iter().copied();
        let whole = each
            .next()
            .and_then(|first| each.try_fold(first, after_each_other));
        match whole {
            Some(whole) => Ok(Self {
                parts: parts.to_vec(),
                whole,
            }),
            None => Err(Mismatch::new("maps of one size, or features only", parts)),
        }
    }

    fn array<B: Backend>(
        &self,
        backend: &B,
        workspace: &mut B::Workspace,
        parts: &[Option<&B::Array>],
    ) -> Result<B::Array> {
        let parts = Parts {
            whole: self.whole,
            parts: self
                .parts
                .iter()
                .copied()
                .zip(parts.iter().copied())
                .collect(),
        };
        backend.concat(workspace, &parts)
    }
}

/// The shape of both.
fn after_each_other(a: Shape, b: Shape) -> Option<Shape> {
    match (a, b) {
        (Shape::Features(a), Shape::Features(b)) => Some(Shape::Features(a.checked_add(b)?)),
        (
            Shape::Map {
                channels,
                height,
                width,
            },
            Shape::Map {
                channels: more,
                height: other_height,
                width: other_width,
            },
        ) if [height, width] == [other_height, other_width] => {
            Some(Shape::map(channels.checked_add(more)?, height, width))
        }
        _ => None,
    }
}

impl Rules for Concat {
    const NAME: &'static str = "concat";

    fn shape(&self, inputs: &[Shape]) -> std::result::Result<Shape, Mismatch> {
        if inputs == self.parts && Self::of(inputs)? == *self {
            Ok(self.whole)
        } else {
            let expected: Vec<String> = self.parts.iter().map(Shape::to_string).collect();
            Err(Mismatch::new(expected.join(", "), inputs))
        }
    }

    fn is_nonnegative(&self, inputs: &[bool]) -> bool {
        inputs.iter().all(|&input| input)
    }

    fn forward<B: Backend>(&self, step: &mut Forward<B>) -> Result<B::Array> {
        let (backend, workspace, inputs) = step.inputs();
        self.array(backend, workspace, &inputs)
    }

    fn tangent<B: Backend>(&self, step: &mut Tangent<B>) -> Result<B::Array> {
        let (backend, workspace, inputs) = step.inputs();
        self.array(backend, workspace, &inputs)
    }

    fn backward<B: Backend>(&self, step: &mut Backward<B>, gradient: B::Array) -> Result<()> {
        let mut start = 0;
        for (k, part) in self.parts.iter().enumerate() {
            let channels = Span::run(start, part.channels());
            start += part.channels();
            if step.wants_input(k) {
                let region = Region::of_channels(self.whole, channels);
                let backend = step.backend;
                let dx = backend.slice(step.workspace, &region, &gradient)?;
                step.send(k, dx)?;
            }
        }
        step.backend.recycle(step.workspace, gradient);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_of_one_size_are_put_after_each_other() {
        let concat = Concat::of(&[Shape::map(3, 4, 5), Shape::map(2, 4, 5)]).unwrap();
        assert_eq!(concat.whole, Shape::map(5, 4, 5));
        for parts in [
            &[][..],
            &[Shape::map(3, 4, 5), Shape::map(3, 5, 4)],
            &[Shape::map(3, 1, 1), Shape::Features(3)],
        ] {
            assert!(Concat::of(parts).is_err(), "{parts:?}");
        }
    }
}
