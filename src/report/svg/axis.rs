//! Axes: from a value to a place between 0 and 1, and where its ticks are.

use crate::numbers::number;
use crate::report::curve::bounds;

/// Ticks of a linear axis, about.
const TICKS: f64 = 6.0;
/// Share of the range that is left free at both ends.
const ROOM: f64 = 0.05;
/// An axis whose smallest value is below this share of its largest begins at 0.
const NEAR_ZERO: f64 = 0.3;
/// Decades with a label each, at most.
const LABELLED: i32 = 7;
/// Places between two decades that get a mark: 2 to 9.
const MINOR: std::ops::Range<i32> = 2..10;

/// How values are spaced.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scale {
    /// Evenly.
    Linear {
        /// The value at 0.
        low: f64,
        /// The value at 1.
        high: f64,
    },
    /// By decades.
    Decades {
        /// The exponent at 0.
        low: i32,
        /// The exponent at 1.
        high: i32,
    },
}

/// A mark on an axis.
#[derive(Debug, Clone, PartialEq)]
pub struct Tick {
    /// Where it is, 0 to 1.
    pub place: f64,
    /// What is written there; marks in between have nothing.
    pub label: Option<String>,
}

impl Scale {
    /// Evenly spaced around values with a little room, from 0 on where that is near; 0 to 1 when
    /// there is none.
    #[must_use]
    pub fn linear(values: impl IntoIterator<Item = f64>) -> Self {
        let [low, high] = bounds(values).unwrap_or([0.0, 1.0]);
        let room = ROOM * (high - low);
        let near_zero = low >= 0.0 && low < NEAR_ZERO * high;
        Self::Linear {
            low: if near_zero { 0.0 } else { low - room },
            high: high + room,
        }
    }

    /// The same, ending at `most` at the latest.
    #[must_use]
    pub fn capped(self, most: f64) -> Self {
        match self {
            Self::Linear { low, high } if low < most => Self::Linear {
                low,
                high: high.min(most),
            },
            scale => scale,
        }
    }

    /// Evenly spaced from one value to another.
    #[must_use]
    pub const fn between(low: f64, high: f64) -> Self {
        Self::Linear { low, high }
    }

    /// Whole decades around the sizes of values other than zero.
    #[must_use]
    pub fn decades(values: impl IntoIterator<Item = f64>) -> Self {
        let sizes = values.into_iter().map(|value| value.abs().log10());
        let [low, high] = bounds(sizes).unwrap_or([0.0, 1.0]);
        let low = low.floor() as i32;
        Self::Decades {
            low,
            high: (high.ceil() as i32).max(low + 1),
        }
    }

    /// Where a value is, 0 to 1; outside of it for values outside.
    #[must_use]
    pub fn place(self, value: f64) -> f64 {
        match self {
            Self::Linear { low, high } => (value - low) / (high - low),
            Self::Decades { low, high } => {
                (value.abs().log10() - f64::from(low)) / f64::from(high - low)
            }
        }
    }

    /// Its marks, in order.
    #[must_use]
    pub fn ticks(self) -> Vec<Tick> {
        match self {
            Self::Linear { low, high } => linear_ticks(low, high),
            Self::Decades { low, high } => decade_ticks(low, high),
        }
    }
}

fn linear_ticks(low: f64, high: f64) -> Vec<Tick> {
    let step = nice((high - low) / TICKS);
    let (first, last) = ((low / step - 1e-6).ceil(), (high / step + 1e-6).floor());
    let count = (last - first).clamp(0.0, 100.0) as u32;
    let digits = (-step.log10().floor()).clamp(0.0, 12.0) as usize;
    let label = |value: f64| {
        let size = value.abs();
        if size > 0.0 && !(1e-4..1e6).contains(&size) {
            return number(value);
        }
        format!("{value:.digits$}")
    };
    let values = (0..=count).map(|at| (first + f64::from(at)) * step);
    values
        .map(|value| Tick {
            place: Scale::Linear { low, high }.place(value),
            label: Some(label(if value == 0.0 { 0.0 } else { value })),
        })
        .collect()
}

/// A label at each decade, or at every second or third of many, and marks in between of few.
fn decade_ticks(low: i32, high: i32) -> Vec<Tick> {
    let every = (high - low + LABELLED - 1) / LABELLED;
    let place = |exponent: f64| (exponent - f64::from(low)) / f64::from(high - low);
    let mut ticks = Vec::new();
    for exponent in low..=high {
        ticks.push(Tick {
            place: place(exponent.into()),
            label: ((exponent - low) % every == 0).then(|| decade(exponent)),
        });
        if every == 1 && exponent < high {
            ticks.extend(MINOR.map(|times| Tick {
                place: place(f64::from(exponent) + f64::from(times).log10()),
                label: None,
            }));
        }
    }
    ticks
}

/// A power of ten.
fn decade(exponent: i32) -> String {
    match exponent {
        -3..0 => format!(
            "{:.*}",
            exponent.unsigned_abs() as usize,
            10_f64.powi(exponent)
        ),
        0..5 => format!("{:.0}", 10_f64.powi(exponent)),
        _ => format!("1e{exponent}"),
    }
}

/// The next of 1, 2, 5, 10, ... from a size on.
fn nice(size: f64) -> f64 {
    let decade = 10_f64.powf(size.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * decade);
    let fits = steps.into_iter().find(|step| *step >= size * (1.0 - 1e-9));
    fits.filter(|step| step.is_normal()).unwrap_or(1.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn labels(scale: Scale) -> Vec<String> {
        scale
            .ticks()
            .into_iter()
            .filter_map(|tick| tick.label)
            .collect()
    }

    #[test]
    fn linear_ticks_are_round_numbers() {
        let scale = Scale::linear([0.13, 0.98]);
        assert_eq!(labels(scale), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(
            labels(Scale::between(0.0, 21_060.0)),
            ["0", "5000", "10000", "15000", "20000"]
        );
        assert_eq!(labels(Scale::linear([f64::NAN])).len(), 6);
    }

    #[test]
    fn decades_are_labelled() {
        let scale = Scale::decades([0.003, -0.97, 0.0, f64::NAN]);
        assert_eq!(scale, Scale::Decades { low: -3, high: 0 });
        assert_eq!(labels(scale), ["0.001", "0.01", "0.1", "1"]);
        assert!((scale.place(-0.1) - 2.0 / 3.0).abs() < 1e-12);
        assert_eq!(labels(Scale::decades([1e-30, 1e6])).len(), 7);
        assert_eq!(Scale::decades([1.0]), Scale::Decades { low: -1, high: 1 });
    }

    proptest! {
        #[test]
        fn ticks_are_few_and_inside(values in prop::collection::vec(any::<f64>(), 0..9)) {
            for scale in [Scale::linear(values.iter().copied()), Scale::decades(values.iter().copied())] {
                let ticks = scale.ticks();
                let labelled = ticks.iter().filter(|tick| tick.label.is_some()).count();
                prop_assert!((1..=12).contains(&labelled), "{scale:?}");
                prop_assert!(ticks.iter().all(|tick| (-1e-6..=1.0 + 1e-6).contains(&tick.place)), "{scale:?}");
            }
        }
    }
}
