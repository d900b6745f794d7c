//! Windows over maps: where they stand, and what they take.

use super::super::call::{Call, Value};
use super::super::lowered::{Form, Operation, Window};
use super::super::source::{Node, Read};
use super::super::tensor::spelled;
use super::{Parsed, Translator, checked};

/// Zeros around a map, as files ask for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Around {
    /// Top, left, bottom, right.
    Pads([usize; 4]),
    /// As many that `ceil(extent / stride)` places come out, the odd one below and right.
    SameUpper,
    /// The same, the odd one above and left.
    SameLower,
}

/// Where a window goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Placing {
    /// Steps down and right.
    pub strides: [usize; 2],
    /// What is around the map.
    pub around: Around,
    /// Distance between the places of the window.
    pub dilations: [usize; 2],
    /// Whether a window may hang over the end.
    pub ceil_mode: bool,
}

impl Default for Placing {
    fn default() -> Self {
        Self {
            strides: [1, 1],
            around: Around::Pads([0; 4]),
            dilations: [1, 1],
            ceil_mode: false,
        }
    }
}

impl Placing {
    /// The settings of an ONNX operator.
    pub(super) fn of(call: &Call) -> Read<Self> {
        let around = match call.text("auto_pad") {
            "SAME_UPPER" => Around::SameUpper,
            "SAME_LOWER" => Around::SameLower,
            "VALID" => Around::Pads([0; 4]),
            "" | "NOTSET" => match call.integers("pads")? {
                None => Around::Pads([0; 4]),
                Some(pads) => Around::Pads(four(&pads)?),
            },
            other => return Err(format!("its auto_pad is {other}")),
        };
        Ok(Self {
            strides: call.pair("strides", 1)?,
            around,
            dilations: call.pair("dilations", 1)?,
            ceil_mode: call.flag("ceil_mode", false)?,
        })
    }

    /// The window of a kernel over a map.
    pub(super) fn window(&self, kernel: [usize; 2], map: Form) -> Read<Window> {
        let extents = map.extents();
        let positive =
            |numbers: [usize; 2]| numbers.iter().all(|&n| (1..=super::EXTENT).contains(&n));
        if !positive(kernel) || !positive(self.strides) || !positive(self.dilations) {
            return Err(format!(
                "a kernel of {kernel:?} with strides of {:?} and dilations of {:?}: expected numbers from \
                 1 on",
                self.strides, self.dilations
            ));
        }
        let needed = |at: usize| {
            let (extent, stride) = (extents[1 + at], self.strides[at]);
            let reach = (kernel[at] - 1) * self.dilations[at] + 1;
            ((extent.div_ceil(stride) - 1) * stride + reach).saturating_sub(extent)
        };
        let pads = match self.around {
            Around::Pads(pads) => pads,
            Around::SameUpper => {
                let [rows, columns] = [needed(0), needed(1)];
                [rows / 2, columns / 2, rows.div_ceil(2), columns.div_ceil(2)]
            }
            Around::SameLower => {
                let [rows, columns] = [needed(0), needed(1)];
                [rows.div_ceil(2), columns.div_ceil(2), rows / 2, columns / 2]
            }
        };
        Ok(Window {
            kernel,
            strides: self.strides,
            pads,
            dilations: self.dilations,
            ceil_mode: self.ceil_mode,
        })
    }
}

/// Top, left, bottom and right of as many numbers from 0 on.
pub(super) fn four(pads: &[i64]) -> Read<[usize; 4]> {
    let whole: Option<Vec<usize>> = pads
        .iter()
        .map(|&pad| {
            usize::try_from(pad)
                .ok()
                .filter(|pad| *pad <= super::EXTENT)
        })
        .collect();
    whole
        .and_then(|pads| <[usize; 4]>::try_from(pads).ok())
        .ok_or_else(|| match pads.len() {
            4 => format!(
                "its pads are {pads:?}: expected numbers from 0 to {}",
                super::EXTENT
            ),
            2 => "it works along one dimension: expected rows and columns".to_owned(),
            _ => format!("its pads are {pads:?}: expected four numbers"),
        })
}

/// What a window over a map writes, with so many channels.
pub(super) fn placed(window: &Window, map: Form, channels: usize) -> Read<Form> {
    let extents = map.extents();
    let along = |at: usize| -> Read<usize> {
        let (before, after) = (window.pads[at], window.pads[at + 2]);
        let (extent, stride) = (extents[1 + at], window.strides[at]);
        let reach = (window.kernel[at] - 1) * window.dilations[at] + 1;
        let room = (extent + before + after).checked_sub(reach);
        let room = room.ok_or_else(|| {
            format!(
                "a window of {} does not fit into {extent} places and {} around them",
                spelled(&window.kernel),
                before + after
            )
        })?;
        if !window.ceil_mode {
            return Ok(room / stride + 1);
        }
        let places = room.div_ceil(stride) + 1;
        // A window that begins behind the map is none.
        let begins_inside = (places - 1) * stride < extent + before;
        Ok(if begins_inside { places } else { places - 1 })
    };
    let (rows, columns) = (along(0)?, along(1)?);
    checked(Form::Map {
        channels,
        rows,
        columns,
    })
}

/// Whether every place of a window over a map, which writes `out`, holds something of the map.
fn covers(window: &Window, map: Form, out: Form) -> bool {
    let (extents, places) = (map.extents(), out.extents());
    let along = |at: usize| {
        let (extent, before) = (extents[1 + at], window.pads[at]);
        let inside = |place: usize| {
            // The first of the kernel's places that is not before the map.
            let start = place * window.strides[at];
            let steps = before.saturating_sub(start).div_ceil(window.dilations[at]);
            let first = start + steps * window.dilations[at];
            steps < window.kernel[at] && first < before + extent
        };
        (0..places[1 + at]).all(inside)
    };
    along(0) && along(1)
}

/// What is taken of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pool {
    /// The largest.
    Max,
    /// The mean; whether the zeros around the map count.
    Average(bool),
}

impl Pool {
    /// The operation over a window.
    pub(super) const fn over(self, window: Window) -> Operation {
        match self {
            Self::Max => Operation::MaxPool { window },
            Self::Average(count_include_pad) => Operation::AveragePool {
                window,
                count_include_pad,
            },
        }
    }
}

impl<'g> Translator<'g> {
    pub(super) fn pool(
        &mut self,
        node: &'g Node,
        pool: Pool,
        kernel: [usize; 2],
        placing: &Placing,
    ) -> Parsed {
        let wire = self.wire(node, 0)?;
        let input = self.as_images(node, &wire)?;
        let window = placing.window(kernel, input.form)?;
        let out = placed(&window, input.form, input.form.channels())?;
        if !covers(&window, input.form, out) {
            return Err("its window may lie outside of the map altogether".into());
        }
        if kernel == [1, 1] && out == input.form && window.pads == [0; 4] {
            return Ok(vec![Value::Wire(input)]);
        }
        let operation = pool.over(window);
        let step = self.step(node, operation, &[input.step], out);
        Ok(vec![Value::Wire(input.like(step, out))])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAP: Form = Form::Map {
        channels: 3,
        rows: 7,
        columns: 8,
    };

    fn size(kernel: usize, stride: usize, pads: [usize; 4], ceil_mode: bool) -> Vec<usize> {
        let window = Window {
            kernel: [kernel; 2],
            strides: [stride; 2],
            pads,
            dilations: [1, 1],
            ceil_mode,
        };
        placed(&window, MAP, 3).unwrap().extents()
    }

    #[test]
    fn windows_are_counted_as_the_exporters_do() {
        assert_eq!(size(3, 2, [0; 4], false), [3, 3, 3]);
        assert_eq!(size(3, 2, [0; 4], true), [3, 3, 4]);
        assert_eq!(size(2, 2, [1, 1, 1, 1], true), [3, 4, 5]);
        assert_eq!(size(1, 2, [0; 4], true), [3, 4, 4]);
        assert_eq!(size(3, 2, [0, 0, 1, 1], false), [3, 3, 4]);
    }

    #[test]
    fn same_puts_the_odd_one_where_it_says() {
        let pads = |around| {
            let placing = Placing {
                around,
                strides: [2, 2],
                ..Placing::default()
            };
            placing.window([3, 3], MAP).unwrap().pads
        };
        assert_eq!(pads(Around::SameUpper), [1, 0, 1, 1]);
        assert_eq!(pads(Around::SameLower), [1, 1, 1, 0]);
    }

    #[test]
    fn windows_that_do_not_fit_are_refused() {
        let window = Placing::default().window([9, 1], MAP).unwrap();
        assert!(
            placed(&window, MAP, 3)
                .unwrap_err()
                .contains("does not fit")
        );
        assert!(Placing::default().window([0, 1], MAP).is_err());
        assert!(four(&[0, 0, -1, 0]).is_err());
        assert!(four(&[0, 0]).is_err());
    }
}
