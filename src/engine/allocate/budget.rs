//! What a plan must fit, in the words of `--budget`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::engine::{Error, Result};

/// What a plan must fit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Budget {
    /// At most this many bytes of weights.
    Size(f64),
    /// At least this W-comp.
    Compression(f64),
    /// At most this many bits a weight, on average.
    AverageBits(f64),
    /// At most this many BOPs.
    Bops(f64),
    /// At most this many milliseconds.
    Latency(f64),
}

/// What adds up over layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cost {
    /// `bits * weights`.
    WeightBits,
    /// `MACs * weight bits * activation bits`.
    Bops,
    /// Milliseconds.
    Latency,
}

impl Budget {
    /// What the budget counts.
    #[must_use]
    pub const fn cost(self) -> Cost {
        match self {
            Self::Size(_) | Self::Compression(_) | Self::AverageBits(_) => Cost::WeightBits,
            Self::Bops(_) => Cost::Bops,
            Self::Latency(_) => Cost::Latency,
        }
    }

    /// The largest cost that fits, for a network of `weights` weights.
    #[must_use]
    pub fn limit(self, weights: u64) -> f64 {
        match self {
            Self::Size(bytes) => bytes * 8.0,
            Self::Compression(factor) => 32.0 * weights as f64 / factor,
            Self::AverageBits(bits) => bits * weights as f64,
            Self::Bops(limit) | Self::Latency(limit) => limit,
        }
    }

    /// The budget that a cost would just fit.
    #[must_use]
    pub fn reaching(self, cost: f64, weights: u64) -> Self {
        match self {
            Self::Size(_) => Self::Size(cost / 8.0),
            Self::Compression(_) => Self::Compression(32.0 * weights as f64 / cost),
            Self::AverageBits(_) => Self::AverageBits(cost / weights as f64),
            Self::Bops(_) => Self::Bops(cost),
            Self::Latency(_) => Self::Latency(cost),
        }
    }

    /// The number, in the budget's unit (bytes, factor, bits, BOPs, milliseconds).
    #[must_use]
    pub const fn value(self) -> f64 {
        match self {
            Self::Size(v)
            | Self::Compression(v)
            | Self::AverageBits(v)
            | Self::Bops(v)
            | Self::Latency(v) => v,
        }
    }
}

/// Decimals of a budget beside others.
const USUAL_DIGITS: usize = 3;
/// Decimals with which any two numbers read differently.
const MOST_DIGITS: usize = 17;

/// Numbers from here on, and below, are written with an exponent.
const LARGEST: f64 = 1e15;
const SMALLEST: f64 = 5e-4;

const EXPECTED: &str = "expected a number above 0, as in compression=13x, size=100KB, average-bits=3, bops=1.2G or \
                        latency=3.1ms";

impl FromStr for Budget {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let refuse = || Error::invalid(format!("budget {text:?}: {EXPECTED}"));
        let (kind, amount) = text.split_once('=').ok_or_else(refuse)?;
        let units: &[(&str, f64)] = match kind.trim() {
            "size" => &[
                ("KB", 1024.0),
                ("MB", 1024.0 * 1024.0),
                ("B", 1.0),
                ("", 1.0),
            ],
            "compression" => &[("x", 1.0), ("", 1.0)],
            "average-bits" => &[("", 1.0)],
            "bops" => &[("K", 1e3), ("M", 1e6), ("G", 1e9), ("T", 1e12), ("", 1.0)],
            "latency" => &[("ms", 1.0), ("", 1.0)],
            _ => return Err(refuse()),
        };
        let value = quantity(amount.trim(), units).ok_or_else(refuse)?;
        Ok(match kind.trim() {
            "size" => Self::Size(value),
            "compression" => Self::Compression(value),
            "average-bits" => Self::AverageBits(value),
            "bops" => Self::Bops(value),
            _ => Self::Latency(value),
        })
    }
}

/// A positive number with one of these units.
fn quantity(text: &str, units: &[(&str, f64)]) -> Option<f64> {
    units.iter().find_map(|(unit, factor)| {
        let number = strip_unit(text, unit)?.trim();
        let plain = number
            .bytes()
            .all(|b| b.is_ascii_digit() || b".eE+-".contains(&b));
        let value = number.parse::<f64>().ok().filter(|_| plain)? * factor;
        (value.is_finite() && value > 0.0).then_some(value)
    })
}

/// The text before a unit, whatever its case.
fn strip_unit<'a>(text: &'a str, unit: &str) -> Option<&'a str> {
    let (number, tail) = text.split_at_checked(text.len().checked_sub(unit.len())?)?;
    tail.eq_ignore_ascii_case(unit).then_some(number)
}

/// The number with so many decimals, or the fewest that are usual.
impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, size, unit, usual) = self.units();
        let value = self.value() / size;
        let digits = f.precision().unwrap_or(usual);
        if value != 0.0 && !(SMALLEST..LARGEST).contains(&value.abs()) {
            return write!(f, "{kind}={value:e}{unit}");
        }
        write!(f, "{kind}={value:.digits$}{unit}")
    }
}

impl Budget {
    /// What it is called, the size and the name of the unit that it is shown in, and the usual decimals.
    fn units(self) -> (&'static str, f64, &'static str, usize) {
        match self {
            Self::Size(bytes) if bytes >= 1024.0 * 1024.0 => ("size", 1024.0 * 1024.0, "MB", 2),
            Self::Size(bytes) if bytes >= 1024.0 => ("size", 1024.0, "KB", 2),
            Self::Size(_) => ("size", 1.0, "B", 0),
            Self::Compression(_) => ("compression", 1.0, "x", 3),
            Self::AverageBits(_) => ("average-bits", 1.0, "", 3),
            Self::Bops(bops) if bops >= 1e9 => ("bops", 1e9, "G", 3),
            Self::Bops(bops) if bops >= 1e6 => ("bops", 1e6, "M", 3),
            Self::Bops(_) => ("bops", 1.0, "", 0),
            Self::Latency(_) => ("latency", 1.0, "ms", 3),
        }
    }

    /// Decimals with which this budget and others that are not equal to it do not read the same.
    #[must_use]
    pub fn digits_apart(self, others: &[Self]) -> usize {
        let reads_the_same = |digits: usize| {
            let own = format!("{self:.digits$}");
            let mut different = others.iter().filter(|other| **other != self);
            different.any(|other| format!("{other:.digits$}") == own)
        };
        (USUAL_DIGITS..MOST_DIGITS)
            .find(|&digits| !reads_the_same(digits))
            .unwrap_or(MOST_DIGITS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_is_read() {
        for (text, budget) in [
            ("compression=13x", Budget::Compression(13.0)),
            ("compression=13.5", Budget::Compression(13.5)),
            ("size=100KB", Budget::Size(102_400.0)),
            ("size=1.5MB", Budget::Size(1_572_864.0)),
            ("size=800B", Budget::Size(800.0)),
            ("size=800", Budget::Size(800.0)),
            ("average-bits=3", Budget::AverageBits(3.0)),
            ("bops=1.2G", Budget::Bops(1.2e9)),
            ("bops=1e9", Budget::Bops(1e9)),
            ("latency=3.1ms", Budget::Latency(3.1)),
        ] {
            assert_eq!(text.parse::<Budget>().unwrap(), budget, "{text}");
        }
    }

    #[test]
    fn what_few_digits_do_not_show_has_an_exponent() {
        for text in [
            "average-bits=1e-320",
            "compression=1e300x",
            "size=1e-300B",
            "latency=4e-5ms",
            "average-bits=3.000",
        ] {
            assert_eq!(text.parse::<Budget>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "",
            "size",
            "size=",
            "size=-1KB",
            "size=0",
            "bops=NaN",
            "compression=inf",
            "speed=3",
            "size=1GBs",
            "latency=3s",
            "average-bits=three",
        ] {
            let error = text.parse::<Budget>().unwrap_err().to_string();
            assert!(
                error.contains("expected a number above 0, as in compression=13x"),
                "{text}: {error}"
            );
        }
    }
}
