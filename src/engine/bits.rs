//! A bit-width that exists: 2 to 8, or 32 for "not quantized".

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::engine::{Error, Result};

/// 2 to 8 bits, or 32: not quantized.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u8")]
pub struct Bits(u8);

impl Bits {
    /// Not quantized.
    pub const FLOAT: Self = Self(32);
    /// The smallest width.
    pub const MIN: Self = Self(2);
    /// The largest quantized width.
    pub const MAX: Self = Self(8);
    /// Every width, narrow to wide, 32 last.
    pub const ALL: [Self; 8] = [
        Self(2),
        Self(3),
        Self(4),
        Self(5),
        Self(6),
        Self(7),
        Self(8),
        Self(32),
    ];

    /// The width of `bits`.
    ///
    /// # Errors
    /// When `bits` is neither 2 to 8 nor 32.
    pub fn new(bits: u64) -> Result<Self> {
        Self::of_signed(i64::try_from(bits).unwrap_or(i64::MAX))
    }

    /// The same of a number that may be negative.
    ///
    /// # Errors
    /// See [`Self::new`].
    pub fn of_signed(bits: i64) -> Result<Self> {
        match bits {
            2..=8 | 32 => Ok(Self(bits as u8)),
            _ => Err(Error::invalid(format!(
                "{} {}: expected 2 to 8, or 32 for not quantized",
                bits,
                if bits == 1 { "bit" } else { "bits" }
            ))),
        }
    }

    /// The number of bits.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }

    /// Whether values are left as they are.
    #[must_use]
    pub const fn is_float(self) -> bool {
        self.0 == 32
    }
}

impl fmt::Display for Bits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Bits {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if ["f", "float", "fp32"].contains(&text.trim()) {
            return Self::new(32);
        }
        let bits = text.trim().parse::<u64>().map_err(|_| {
            Error::invalid(format!(
                "{text:?}: expected a bit-width, 2 to 8, or 32 or float for not quantized"
            ))
        })?;
        Self::new(bits)
    }
}

impl TryFrom<u64> for Bits {
    type Error = Error;

    fn try_from(bits: u64) -> Result<Self> {
        Self::new(bits)
    }
}

impl From<Bits> for u8 {
    fn from(bits: Bits) -> Self {
        bits.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_2_to_8_and_32_exist() {
        let accepted: Vec<u64> = (0..100).filter(|&b| Bits::new(b).is_ok()).collect();
        assert_eq!(accepted, [2, 3, 4, 5, 6, 7, 8, 32]);
    }
}
