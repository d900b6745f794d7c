//! Numbers from a file: floats as float32, everything else as 64-bit integers.

use std::sync::Arc;

use half::{bf16, f16};

/// How the elements of a stored tensor are encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Element {
    /// IEEE 754 double precision, rounded to single when read.
    F64,
    /// IEEE 754 single precision.
    F32,
    /// IEEE 754 half precision.
    F16,
    /// The upper half of a single.
    Bf16,
    /// Signed, so many bits.
    Signed(u8),
    /// Unsigned, so many bits.
    Unsigned(u8),
    /// A byte, 0 or 1.
    Bool,
}

impl Element {
    /// Bits an element takes.
    pub(crate) const fn bits(self) -> usize {
        match self {
            Self::F64 => 64,
            Self::F32 => 32,
            Self::F16 | Self::Bf16 => 16,
            Self::Signed(bits) | Self::Unsigned(bits) => bits as usize,
            Self::Bool => 8,
        }
    }

    /// Bytes that so many elements take; `None` when no file can hold them.
    pub(crate) fn bytes(self, elements: usize) -> Option<usize> {
        Some(elements.checked_mul(self.bits())?.div_ceil(8))
    }

    /// `elements` of them from little-endian bytes that hold as many.
    pub(crate) fn decode(self, bytes: &[u8], elements: usize) -> Values {
        fn cut<const N: usize>(bytes: &[u8]) -> impl Iterator<Item = [u8; N]> {
            bytes
                .chunks_exact(N)
                .map(|chunk| chunk.try_into().unwrap_or([0; N]))
        }
        let integers = |values: Vec<i64>| Values::Integers(Arc::new(values));
        let floats = |values: Vec<f32>| Values::Floats(Arc::new(values));
        match self {
            Self::F64 => floats(cut(bytes).map(|b| f64::from_le_bytes(b) as f32).collect()),
            Self::F32 => floats(cut(bytes).map(f32::from_le_bytes).collect()),
            Self::F16 => floats(cut(bytes).map(|b| f16::from_le_bytes(b).to_f32()).collect()),
            Self::Bf16 => floats(
                cut(bytes)
                    .map(|b| bf16::from_le_bytes(b).to_f32())
                    .collect(),
            ),
            Self::Signed(64) | Self::Unsigned(64) => {
                integers(cut(bytes).map(i64::from_le_bytes).collect())
            }
            Self::Signed(32) => {
                integers(cut(bytes).map(|b| i32::from_le_bytes(b).into()).collect())
            }
            Self::Unsigned(32) => {
                integers(cut(bytes).map(|b| u32::from_le_bytes(b).into()).collect())
            }
            Self::Signed(16) => {
                integers(cut(bytes).map(|b| i16::from_le_bytes(b).into()).collect())
            }
            Self::Unsigned(16) => {
                integers(cut(bytes).map(|b| u16::from_le_bytes(b).into()).collect())
            }
            Self::Signed(8) => integers(cut(bytes).map(|b| i8::from_le_bytes(b).into()).collect()),
            Self::Unsigned(8) | Self::Bool => integers(bytes.iter().map(|&b| b.into()).collect()),
            Self::Signed(bits) | Self::Unsigned(bits) => {
                integers(small(bytes, bits, self == Self::Signed(bits), elements))
            }
        }
    }
}

/// Integers of less than a byte, the lowest bits first.
fn small(bytes: &[u8], bits: u8, signed: bool, elements: usize) -> Vec<i64> {
    let each = usize::from(8 / bits);
    let element = |at: usize| {
        let byte = bytes.get(at / each).copied().unwrap_or(0);
        let code = i64::from(byte >> (usize::from(bits) * (at % each))) & ((1 << bits) - 1);
        let negative = signed && code >> (bits - 1) == 1;
        code - if negative { 1 << bits } else { 0 }
    };
    (0..elements).map(element).collect()
}

/// The elements of a tensor, the last extent running fastest.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// Floats.
    Floats(Arc<Vec<f32>>),
    /// Integers and truth values.
    Integers(Arc<Vec<i64>>),
}

impl Values {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Floats(values) => values.len(),
            Self::Integers(values) => values.len(),
        }
    }

    /// Those at these places, in this order; every place lies inside.
    pub(crate) fn gather(&self, places: impl Iterator<Item = usize>) -> Self {
        match self {
            Self::Floats(values) => Self::Floats(Arc::new(places.map(|at| values[at]).collect())),
            Self::Integers(values) => {
                Self::Integers(Arc::new(places.map(|at| values[at]).collect()))
            }
        }
    }
}

/// Numbers in a shape.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    /// Its extents; none for a single number.
    pub shape: Vec<usize>,
    /// As many elements as the extents multiply to.
    pub values: Values,
}

impl Tensor {
    /// Floats in a shape of as many elements.
    pub(crate) fn floats(shape: Vec<usize>, values: Vec<f32>) -> Self {
        Self {
            shape,
            values: Values::Floats(Arc::new(values)),
        }
    }

    /// Integers in a shape of as many elements.
    pub(crate) fn integers(shape: Vec<usize>, values: Vec<i64>) -> Self {
        Self {
            shape,
            values: Values::Integers(Arc::new(values)),
        }
    }

    /// One integer without a shape.
    pub(crate) fn integer(value: i64) -> Self {
        Self::integers(Vec::new(), vec![value])
    }

    /// One float without a shape.
    pub(crate) fn float(value: f32) -> Self {
        Self::floats(Vec::new(), vec![value])
    }

    /// A list of integers.
    pub(crate) fn list(values: Vec<i64>) -> Self {
        Self::integers(vec![values.len()], values)
    }

    /// Number of elements.
    #[must_use]
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Its elements as floats.
    pub(crate) fn to_floats(&self) -> Arc<Vec<f32>> {
        match &self.values {
            Values::Floats(values) => values.clone(),
            Values::Integers(values) => Arc::new(values.iter().map(|&v| v as f32).collect()),
        }
    }

    /// The number of a tensor that is a single whole one, without extents.
    pub(crate) fn whole_number(&self) -> Option<i64> {
        match &self.values {
            Values::Integers(values) if self.shape.is_empty() => values.first().copied(),
            _ => None,
        }
    }

    /// Its elements as integers; floats are cut off.
    pub(crate) fn to_integers(&self) -> Arc<Vec<i64>> {
        match &self.values {
            Values::Integers(values) => values.clone(),
            Values::Floats(values) => Arc::new(values.iter().map(|&v| v as i64).collect()),
        }
    }

    /// The same elements in another shape of as many.
    pub(crate) fn reshaped(&self, shape: Vec<usize>) -> Self {
        Self {
            shape,
            values: self.values.clone(),
        }
    }
}

/// Most extents of a tensor.
const RANK: usize = 64;

/// Refuses shapes of more extents than any network has.
pub(crate) fn ranked(rank: usize) -> Result<(), String> {
    if rank <= RANK {
        return Ok(());
    }
    Err(format!(
        "a shape of {rank} extents: expected at most {RANK}; export the network again"
    ))
}

/// The product of extents; `None` when no memory can hold as much.
pub(crate) fn elements(shape: &[usize]) -> Option<usize> {
    const MOST: usize = 1 << 40;
    let product = shape
        .iter()
        .try_fold(1_usize, |product, &extent| product.checked_mul(extent))?;
    (product <= MOST).then_some(product)
}

/// `16x3x3x3`.
pub(crate) fn spelled(shape: &[usize]) -> String {
    let extents: Vec<String> = shape.iter().map(ToString::to_string).collect();
    if extents.is_empty() {
        return "a single number".into();
    }
    extents.join("x")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn integers(element: Element, bytes: &[u8], elements: usize) -> Vec<i64> {
        match element.decode(bytes, elements) {
            Values::Integers(values) => values.to_vec(),
            Values::Floats(_) => panic!("expected integers"),
        }
    }

    fn floats(element: Element, bytes: &[u8]) -> Vec<f32> {
        match element.decode(bytes, 1) {
            Values::Floats(values) => values.to_vec(),
            Values::Integers(_) => panic!("expected floats"),
        }
    }

    #[test]
    fn every_type_decodes_its_own_encoding() {
        assert_eq!(floats(Element::F64, &(-0.5_f64).to_le_bytes()), [-0.5]);
        assert_eq!(floats(Element::F32, &1.25_f32.to_le_bytes()), [1.25]);
        assert_eq!(
            floats(Element::F16, &f16::from_f32(-2.25).to_le_bytes()),
            [-2.25]
        );
        assert_eq!(
            floats(Element::Bf16, &bf16::from_f32(1.5).to_le_bytes()),
            [1.5]
        );
        assert_eq!(
            integers(Element::Signed(64), &(-7_i64).to_le_bytes(), 1),
            [-7]
        );
        assert_eq!(
            integers(Element::Signed(32), &(-70_000_i32).to_le_bytes(), 1),
            [-70_000]
        );
        assert_eq!(
            integers(Element::Unsigned(32), &u32::MAX.to_le_bytes(), 1),
            [0xffff_ffff]
        );
        assert_eq!(
            integers(Element::Signed(16), &(-3_i16).to_le_bytes(), 1),
            [-3]
        );
        assert_eq!(
            integers(Element::Unsigned(16), &65_535_u16.to_le_bytes(), 1),
            [65_535]
        );
        assert_eq!(integers(Element::Signed(8), &[0xff, 2], 2), [-1, 2]);
        assert_eq!(integers(Element::Unsigned(8), &[0xff, 2], 2), [255, 2]);
        assert_eq!(integers(Element::Bool, &[0, 1], 2), [0, 1]);
        assert_eq!(integers(Element::Signed(4), &[0x8f, 0x07], 3), [-1, -8, 7]);
        assert_eq!(integers(Element::Unsigned(4), &[0x8f], 2), [15, 8]);
        assert_eq!(
            integers(Element::Signed(2), &[0b1110_0100], 4),
            [0, 1, -2, -1]
        );
    }

    #[test]
    fn sizes_that_no_memory_holds_are_none() {
        assert_eq!(elements(&[2, 3]), Some(6));
        assert_eq!(elements(&[]), Some(1));
        assert_eq!(elements(&[usize::MAX, 2]), None);
        assert_eq!(elements(&[1 << 30, 1 << 30]), None);
        assert_eq!(Element::Signed(4).bytes(3), Some(2));
        assert_eq!(Element::F64.bytes(usize::MAX), None);
    }
}
