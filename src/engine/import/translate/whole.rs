//! The mean and the largest of whole maps, or of all their rows or columns.

use super::pooling::{Placing, Pool, placed};
use super::{Parsed, Translator};
use crate::engine::import::call::{Value, places};
use crate::engine::import::lowered::{Axis, Form, Operation};
use crate::engine::import::source::Node;
use crate::engine::import::tensor::spelled;
use crate::engine::import::view::Wire;

impl<'g> Translator<'g> {
    /// The largest of each channel.
    pub(super) fn global_max(&mut self, node: &'g Node) -> Parsed {
        let wire = self.wire(node, 0)?;
        let kernel = [wire.extent(Axis::Row), wire.extent(Axis::Column)];
        self.pool(node, Pool::Max, kernel, &Placing::default())
    }

    /// The mean, or the largest, of each channel, seen as `seen` sees it.
    fn global(
        &mut self,
        node: &'g Node,
        (wire, pool): (&Wire, Pool),
        seen: Vec<Vec<Axis>>,
    ) -> Parsed {
        let Form::Map {
            channels,
            rows,
            columns,
        } = wire.form
        else {
            return Ok(vec![Value::Wire(Wire {
                axes: seen,
                ..wire.clone()
            })]);
        };
        let form = Form::Map {
            channels,
            rows: 1,
            columns: 1,
        };
        let operation = match pool {
            Pool::Average(_) => Operation::GlobalAveragePool,
            Pool::Max => Operation::MaxPool {
                window: Placing::default().window([rows, columns], wire.form)?,
            },
        };
        let step = if form == wire.form {
            wire.step
        } else {
            self.step(node, operation, &[wire.step], form)
        };
        Ok(vec![Value::Wire(Wire {
            step,
            form,
            batch: self.batch,
            axes: seen,
        })])
    }

    /// The mean, or the largest, over some axes of the file, which must be the rows and columns of a map.
    pub(super) fn reduced(
        &mut self,
        node: &'g Node,
        pool: Pool,
        (axes, keep): (Option<&[i64]>, bool),
    ) -> Parsed {
        let wire = self.wire(node, 0)?;
        let rank = wire.axes.len();
        let all: Vec<i64> = (0..rank as i64).collect();
        let reduced = places(axes.unwrap_or(&all), rank)?;
        let mut taken: Vec<Axis> = reduced
            .iter()
            .flat_map(|&at| wire.axes[at].clone())
            .collect();
        taken.sort_unstable();
        let is_wide = |axis: &Axis| wire.extent(*axis) > 1;
        let wanted: Vec<Axis> = [Axis::Row, Axis::Column]
            .into_iter()
            .filter(is_wide)
            .collect();
        let is_part = !taken.is_empty() && taken.iter().all(|axis| wanted.contains(axis));
        if taken != wanted && !is_part {
            return Err(format!(
                "it is the {} over axes {reduced:?} of {}: expected the rows and columns of a map",
                if pool == Pool::Max { "largest" } else { "mean" },
                spelled(&wire.shape())
            ));
        }
        let mut seen = Vec::new();
        for (at, axes) in wire.axes.iter().enumerate() {
            match reduced.contains(&at) {
                true if keep => seen.push(Vec::new()),
                true => {}
                false => seen.push(axes.clone()),
            }
        }
        if taken != wanted {
            let seen = Wire { axes: seen, ..wire };
            return self.along(node, (&seen, pool), taken[0]);
        }
        self.global(node, (&wire, pool), seen)
    }

    /// The mean, or the largest, over the rows, or over the columns, of a map that is seen without them.
    fn along(&mut self, node: &'g Node, (wire, pool): (&Wire, Pool), axis: Axis) -> Parsed {
        let kernel = match axis {
            Axis::Row => [wire.extent(Axis::Row), 1],
            _ => [1, wire.extent(Axis::Column)],
        };
        let window = Placing::default().window(kernel, wire.form)?;
        let form = placed(&window, wire.form, wire.form.channels())?;
        let operation = pool.over(window);
        let step = self.step(node, operation, &[wire.step], form);
        Ok(vec![Value::Wire(Wire {
            step,
            form,
            ..wire.clone()
        })])
    }

    /// The mean of as many equal parts of a map as are asked for.
    pub(super) fn adaptive_average(&mut self, node: &'g Node, asked: [usize; 2]) -> Parsed {
        let wire = self.wire(node, 0)?;
        let input = self.as_images(node, &wire)?;
        let extents = [input.extent(Axis::Row), input.extent(Axis::Column)];
        if asked == [1, 1] {
            let seen = input.axes.iter().map(|axes| {
                axes.iter()
                    .copied()
                    .filter(|axis| matches!(axis, Axis::Batch | Axis::Channel))
                    .collect()
            });
            let seen = seen.collect();
            return self.global(node, (&input, Pool::Average(true)), seen);
        }
        let divides = |at: usize| asked[at] > 0 && extents[at] % asked[at] == 0;
        if !divides(0) || !divides(1) {
            return Err(format!(
                "{} places of {} are not equal parts",
                spelled(&asked),
                spelled(&extents)
            ));
        }
        let kernel = [extents[0] / asked[0], extents[1] / asked[1]];
        let placing = Placing {
            strides: kernel,
            ..Placing::default()
        };
        self.pool(node, Pool::Average(true), kernel, &placing)
    }
}
