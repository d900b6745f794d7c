//! Element types of stored tensors and their conversion to float32.

use half::{bf16, f16};

/// How the elements of a stored tensor are encoded, little-endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ElementType {
    /// IEEE 754 double precision.
    F64,
    /// IEEE 754 single precision.
    F32,
    /// IEEE 754 half precision.
    F16,
    /// The upper half of a single.
    Bf16,
    /// Signed, 64 bits.
    I64,
    /// Signed, 32 bits.
    I32,
    /// Signed, 16 bits.
    I16,
    /// Signed, 8 bits.
    I8,
    /// Unsigned, 8 bits.
    U8,
    /// One byte, 0 or 1.
    Bool,
}

impl ElementType {
    /// Bytes an element takes.
    #[must_use]
    pub fn size(self) -> usize {
        match self {
            Self::F64 | Self::I64 => 8,
            Self::F32 | Self::I32 => 4,
            Self::F16 | Self::Bf16 | Self::I16 => 2,
            Self::I8 | Self::U8 | Self::Bool => 1,
        }
    }

    /// Whether its values are whole numbers.
    #[must_use]
    pub const fn is_whole(self) -> bool {
        !matches!(self, Self::F64 | Self::F32 | Self::F16 | Self::Bf16)
    }

    /// The name in a safetensors header.
    #[must_use]
    pub fn safetensors_name(self) -> &'static str {
        match self {
            Self::F64 => "F64",
            Self::F32 => "F32",
            Self::F16 => "F16",
            Self::Bf16 => "BF16",
            Self::I64 => "I64",
            Self::I32 => "I32",
            Self::I16 => "I16",
            Self::I8 => "I8",
            Self::U8 => "U8",
            Self::Bool => "BOOL",
        }
    }

    /// The element at `index` of `bytes`, rounded to float32; `None` outside.
    #[must_use]
    pub(super) fn value(self, bytes: &[u8], index: usize) -> Option<f32> {
        let start = index.checked_mul(self.size())?;
        let element = bytes.get(start..start.checked_add(self.size())?)?;
        Some(self.decode(element))
    }

    /// All elements of `bytes`, whose length is a multiple of the size.
    #[must_use]
    pub(super) fn values(self, bytes: &[u8]) -> Vec<f32> {
        bytes
            .chunks_exact(self.size())
            .map(|element| self.decode(element))
            .collect()
    }

    /// One element; `element` has exactly [`Self::size`] bytes.
    fn decode(self, element: &[u8]) -> f32 {
        match self {
            Self::F64 => f64::from_le_bytes(exact(element)) as f32,
            Self::F32 => f32::from_le_bytes(exact(element)),
            Self::F16 => f16::from_le_bytes(exact(element)).to_f32(),
            Self::Bf16 => bf16::from_le_bytes(exact(element)).to_f32(),
            Self::I64 => i64::from_le_bytes(exact(element)) as f32,
            Self::I32 => i32::from_le_bytes(exact(element)) as f32,
            Self::I16 => f32::from(i16::from_le_bytes(exact(element))),
            Self::I8 => f32::from(i8::from_le_bytes(exact(element))),
            Self::U8 | Self::Bool => f32::from(element[0]),
        }
    }
}

fn exact<const N: usize>(element: &[u8]) -> [u8; N] {
    element
        .try_into()
        .expect("invariant: elements are cut to the size of their type")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_decodes_its_own_encoding() {
        assert_eq!(ElementType::F64.values(&(-0.5_f64).to_le_bytes()), [-0.5]);
        assert_eq!(ElementType::F32.values(&1.25_f32.to_le_bytes()), [1.25]);
        assert_eq!(
            ElementType::F16.values(&f16::from_f32(-2.25).to_le_bytes()),
            [-2.25]
        );
        assert_eq!(
            ElementType::Bf16.values(&bf16::from_f32(1.5).to_le_bytes()),
            [1.5]
        );
        assert_eq!(ElementType::I64.values(&(-7_i64).to_le_bytes()), [-7.0]);
        assert_eq!(
            ElementType::I32.values(&70_000_i32.to_le_bytes()),
            [70_000.0]
        );
        assert_eq!(ElementType::I16.values(&(-3_i16).to_le_bytes()), [-3.0]);
        assert_eq!(ElementType::I8.values(&[0xff, 2]), [-1.0, 2.0]);
        assert_eq!(ElementType::U8.values(&[0xff, 2]), [255.0, 2.0]);
        assert_eq!(ElementType::Bool.values(&[0, 1]), [0.0, 1.0]);
    }

    #[test]
    fn an_index_outside_is_nothing() {
        assert_eq!(ElementType::F32.value(&[0; 8], 2), None);
        assert_eq!(ElementType::F64.value(&[0; 8], usize::MAX), None);
    }
}
