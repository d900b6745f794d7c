//! The numbers of a stored tensor, in every form in which ONNX keeps them. Claimed sizes are compared
//! with the bytes that are there before memory is taken.

use half::{bf16, f16};

use super::external::Beside;
use super::proto::{self, element};
use crate::engine::import::source::Read;
use crate::engine::import::tensor::{Element, Tensor, elements, ranked, spelled};

/// The tensor that is stored.
///
/// # Errors
/// A sentence without the tensor's name, when the type is not understood or the numbers are not there.
pub(super) fn tensor(stored: &proto::Tensor, beside: &Beside) -> Read<Tensor> {
    let shape = shape(&stored.dims)?;
    let count = elements(&shape).ok_or_else(|| too_large(&shape))?;
    let element = element_type(stored.data_type)?;
    let bytes = element.bytes(count).ok_or_else(|| too_large(&shape))?;
    if stored.segment.is_some() {
        return Err(
            "it is a part of a larger tensor, which is not supported; export the network \
                    again"
                .into(),
        );
    }
    let lengths = Lengths {
        shape: &shape,
        expected: bytes,
    };
    if stored.data_location == proto::EXTERNAL {
        let bytes = beside.bytes(&stored.external_data, bytes)?;
        return Ok(decoded(element, &bytes, shape));
    }
    if !stored.raw_data.is_empty() {
        lengths.check(stored.raw_data.len(), "bytes")?;
        return Ok(decoded(element, &stored.raw_data, shape));
    }
    typed(stored, element, count).map(|tensor| tensor.reshaped(shape.clone()))
}

/// What a length is compared with.
struct Lengths<'a> {
    shape: &'a [usize],
    expected: usize,
}

impl Lengths<'_> {
    fn check(&self, found: usize, what: &str) -> Read<()> {
        if found == self.expected {
            return Ok(());
        }
        let (shape, expected) = (spelled(self.shape), self.expected);
        Err(format!(
            "a shape of {shape} needs {expected} {what}, the file holds {found}; the file is damaged, \
             export the network again"
        ))
    }
}

fn decoded(element: Element, bytes: &[u8], shape: Vec<usize>) -> Tensor {
    let count = elements(&shape).unwrap_or(0);
    Tensor {
        values: element.decode(bytes, count),
        shape,
    }
}

fn shape(dims: &[i64]) -> Read<Vec<usize>> {
    ranked(dims.len())?;
    let extent = |&extent: &i64| {
        usize::try_from(extent)
            .map_err(|_| format!("its shape has an extent of {extent}; export the network again"))
    };
    dims.iter().map(extent).collect()
}

fn too_large(shape: &[usize]) -> String {
    let shape = spelled(shape);
    format!("a shape of {shape} is more than any file holds; export the network again")
}

/// How the elements of a data type are encoded.
fn element_type(data_type: i32) -> Read<Element> {
    Ok(match data_type {
        element::FLOAT => Element::F32,
        element::DOUBLE => Element::F64,
        element::FLOAT16 => Element::F16,
        element::BFLOAT16 => Element::Bf16,
        element::INT8 => Element::Signed(8),
        element::INT16 => Element::Signed(16),
        element::INT32 => Element::Signed(32),
        element::INT64 => Element::Signed(64),
        element::UINT8 => Element::Unsigned(8),
        element::UINT16 => Element::Unsigned(16),
        element::UINT32 => Element::Unsigned(32),
        element::UINT64 => Element::Unsigned(64),
        element::BOOL => Element::Bool,
        element::INT4 => Element::Signed(4),
        element::UINT4 => Element::Unsigned(4),
        element::INT2 => Element::Signed(2),
        element::UINT2 => Element::Unsigned(2),
        element::STRING => return Err("it holds texts; expected numbers".into()),
        other => {
            return Err(format!(
                "its elements are of type {other}, which is not supported; export the network in \
                 float32"
            ));
        }
    })
}

/// Elements in the list of their type.
fn typed(stored: &proto::Tensor, element: Element, count: usize) -> Read<Tensor> {
    let list = |found: usize, expected: usize| {
        let shape = [count];
        let lengths = Lengths {
            shape: &shape,
            expected,
        };
        lengths.check(found, "numbers")
    };
    let flat = vec![count];
    match element {
        Element::F32 => {
            list(stored.float_data.len(), count)?;
            Ok(Tensor::floats(flat, stored.float_data.clone()))
        }
        Element::F64 => {
            list(stored.double_data.len(), count)?;
            let values = stored.double_data.iter().map(|&value| value as f32);
            Ok(Tensor::floats(flat, values.collect()))
        }
        Element::Signed(64) => {
            list(stored.int64_data.len(), count)?;
            Ok(Tensor::integers(flat, stored.int64_data.clone()))
        }
        Element::Unsigned(32 | 64) => {
            list(stored.uint64_data.len(), count)?;
            let values = stored.uint64_data.iter().map(|&value| value as i64);
            Ok(Tensor::integers(flat, values.collect()))
        }
        Element::Signed(2 | 4) | Element::Unsigned(2 | 4) => {
            let bytes = element.bytes(count).unwrap_or(0);
            list(stored.int32_data.len(), bytes)?;
            let packed: Vec<u8> = stored.int32_data.iter().map(|&byte| byte as u8).collect();
            Ok(decoded(element, &packed, flat))
        }
        _ => {
            list(stored.int32_data.len(), count)?;
            narrow(&stored.int32_data, element, flat)
        }
    }
}

/// Elements of at most 32 bits, an entry of the list each.
fn narrow(list: &[i32], element: Element, flat: Vec<usize>) -> Read<Tensor> {
    let (lowest, highest) = match element {
        Element::Signed(bits) => (-(1_i64 << (bits - 1)), (1_i64 << (bits - 1)) - 1),
        Element::Bool => (0, 1),
        other => (0, (1_i64 << other.bits()) - 1),
    };
    let outside = |&&value: &&i32| !(lowest..=highest).contains(&i64::from(value));
    if let Some(value) = list.iter().find(outside) {
        return Err(format!(
            "it holds {value}, expected {lowest} to {highest} for its type; export the network again"
        ));
    }
    Ok(match element {
        Element::F16 => {
            let values = list
                .iter()
                .map(|&bits| f16::from_bits(bits as u16).to_f32());
            Tensor::floats(flat, values.collect())
        }
        Element::Bf16 => {
            let values = list
                .iter()
                .map(|&bits| bf16::from_bits(bits as u16).to_f32());
            Tensor::floats(flat, values.collect())
        }
        _ => Tensor::integers(flat, list.iter().map(|&value| value.into()).collect()),
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn read(stored: &proto::Tensor) -> Read<Tensor> {
        tensor(stored, &Beside::new(Path::new("none.onnx")))
    }

    fn stored(data_type: i32, dims: &[i64]) -> proto::Tensor {
        proto::Tensor {
            data_type,
            dims: dims.to_vec(),
            ..proto::Tensor::default()
        }
    }

    #[test]
    fn every_list_is_read() {
        let mut floats = stored(element::FLOAT, &[2]);
        floats.float_data = vec![0.5, -1.0];
        assert_eq!(*read(&floats).unwrap().to_floats(), [0.5, -1.0]);
        let mut halves = stored(element::FLOAT16, &[1]);
        halves.int32_data = vec![0x3c00];
        assert_eq!(*read(&halves).unwrap().to_floats(), [1.0]);
        let mut doubles = stored(element::DOUBLE, &[]);
        doubles.double_data = vec![0.25];
        assert_eq!(*read(&doubles).unwrap().to_floats(), [0.25]);
        let mut signed = stored(element::INT8, &[3]);
        signed.int32_data = vec![-128, 0, 127];
        assert_eq!(*read(&signed).unwrap().to_integers(), [-128, 0, 127]);
        let mut wide = stored(element::UINT64, &[1]);
        wide.uint64_data = vec![7];
        assert_eq!(*read(&wide).unwrap().to_integers(), [7]);
        let mut packed = stored(element::INT4, &[3]);
        packed.int32_data = vec![0x8f, 0x07];
        assert_eq!(*read(&packed).unwrap().to_integers(), [-1, -8, 7]);
        let mut raw = stored(element::BFLOAT16, &[1]);
        raw.raw_data = vec![0x80, 0x3f];
        assert_eq!(*read(&raw).unwrap().to_floats(), [1.0]);
        assert_eq!(read(&stored(element::FLOAT, &[0])).unwrap().len(), 0);
    }

    #[test]
    fn what_is_not_there_is_refused_before_memory_is_taken() {
        let huge = stored(element::FLOAT, &[50_000, 50_000]);
        let refused = read(&huge).unwrap_err();
        assert!(refused.contains("the file holds 0"), "{refused}");
        assert!(
            read(&stored(element::FLOAT, &[i64::MAX, 4]))
                .unwrap_err()
                .contains("any file")
        );
        assert!(
            read(&stored(element::FLOAT, &[-1]))
                .unwrap_err()
                .contains("extent of -1")
        );
        let mut overflow = stored(element::FLOAT16, &[1]);
        overflow.int32_data = vec![70_000];
        assert!(read(&overflow).unwrap_err().contains("70000"));
        let mut short = stored(element::INT64, &[2]);
        short.raw_data = vec![0; 9];
        assert!(
            read(&short)
                .unwrap_err()
                .contains("needs 16 bytes, the file holds 9")
        );
        assert!(
            read(&stored(element::STRING, &[1]))
                .unwrap_err()
                .contains("texts")
        );
        assert!(read(&stored(17, &[1])).unwrap_err().contains("type 17"));
    }
}
