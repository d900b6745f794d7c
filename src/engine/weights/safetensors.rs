//! The safetensors format: an 8-byte length, a JSON header, then the tensors one after another.

use std::collections::BTreeMap;
use std::path::Path;

use ::safetensors::SafeTensorError;
use ::safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde_json::{Map, Value, json};

use super::element::ElementType;
use super::{Content, NamedTensor, Parsed};
use crate::engine::complaint::plainly;
use crate::engine::{Error, Result};
use crate::engine::{files, seal};

/// The header's length is padded to this many bytes, so that the data are aligned.
const HEADER_ALIGNMENT: usize = 8;

/// Tensors of a safetensors file in the order of their data.
pub(super) fn parse(bytes: &[u8]) -> Parsed<Content> {
    let file = SafeTensors::deserialize(bytes).map_err(|error| {
        let what = damage(&error);
        format!("damaged safetensors file ({what}); download or save it again")
    })?;
    seal::check(bytes, seal::safetensors_header(bytes))?;
    let mut views: Vec<_> = file.iter().collect();
    views.sort_by_key(|(name, view)| (view.data().as_ptr() as usize, *name));
    let tensors = views.into_iter().map(|(name, view)| {
        let element = element_type(view.dtype()).ok_or_else(|| {
            let found = view.dtype();
            format!("tensor {name} has type {found}, which is not supported; save it as F32")
        })?;
        Ok(NamedTensor {
            name: name.to_owned(),
            shape: view.shape().to_vec(),
            values: element.values(view.data()),
        })
    });
    let whole =
        |view: &TensorView<'_>| element_type(view.dtype()).is_some_and(ElementType::is_whole);
    let whole = file.iter().filter(|(_, view)| whole(view));
    Ok(Content {
        whole: whole.map(|(name, _)| name.to_owned()).collect(),
        tensors: tensors.collect::<Parsed<_>>()?,
        ..Content::default()
    })
}

/// What is wrong with a safetensors file, in words for a person.
#[must_use]
pub fn damage(error: &SafeTensorError) -> String {
    use SafeTensorError as E;
    let what = match error {
        E::InvalidHeader(_) => "its header is no text",
        E::InvalidHeaderDeserialization(error) | E::JsonError(error) => {
            let what = if error.is_data() {
                format!(": {}", plainly(error))
            } else {
                String::new()
            };
            return format!("its header is no description of tensors{what}");
        }
        E::HeaderTooLarge => "its header is larger than any file's",
        E::HeaderTooSmall | E::InvalidHeaderLength => "it ends within its header",
        E::TensorNotFound(name) => return format!("tensor {name} is missing"),
        E::InvalidOffset(name) => {
            return format!("tensor {name} does not begin where the one before it ends");
        }
        E::MetadataIncompleteBuffer => "the tensors end before the file, or behind it",
        E::TensorInvalidInfo | E::InvalidTensorView(..) | E::MisalignedSlice => {
            "the shape of a tensor does not fill its bytes"
        }
        E::ValidationOverflow => "a tensor in it is larger than any file",
        E::IoError(error) => return error.to_string(),
    };
    what.to_owned()
}

fn element_type(found: Dtype) -> Option<ElementType> {
    Some(match found {
        Dtype::F64 => ElementType::F64,
        Dtype::F32 => ElementType::F32,
        Dtype::F16 => ElementType::F16,
        Dtype::BF16 => ElementType::Bf16,
        Dtype::I64 => ElementType::I64,
        Dtype::I32 => ElementType::I32,
        Dtype::I16 => ElementType::I16,
        Dtype::I8 => ElementType::I8,
        Dtype::U8 => ElementType::U8,
        Dtype::BOOL => ElementType::Bool,
        _ => return None,
    })
}

/// A tensor to be written, already encoded.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry<'a> {
    /// Path in the file.
    pub name: &'a str,
    /// Encoding of the elements.
    pub element: ElementType,
    /// Extents, outermost first.
    pub shape: &'a [usize],
    /// The elements, little-endian.
    pub bytes: &'a [u8],
}

/// A safetensors file with `entries` in the given order; equal input gives equal bytes.
///
/// # Errors
/// [`Error::Invalid`] when an entry's bytes do not fill its shape, or a name comes twice.
pub fn serialize_safetensors(
    entries: &[Entry<'_>],
    metadata: &BTreeMap<String, String>,
) -> Result<Vec<u8>> {
    entries.iter().try_for_each(check_entry)?;
    let described: Vec<_> = entries
        .iter()
        .map(|entry| (entry.name, entry.element, entry.shape))
        .collect();
    let mut bytes = safetensors_header(&described, metadata)?;
    for entry in entries {
        bytes.extend_from_slice(entry.bytes);
    }
    Ok(bytes)
}

/// The beginning of a safetensors file, up to the first tensor's first byte; tensors are described
/// by name, encoding and shape.
///
/// # Errors
/// [`Error::Invalid`] when a name comes twice.
pub fn safetensors_header(
    tensors: &[(&str, ElementType, &[usize])],
    metadata: &BTreeMap<String, String>,
) -> Result<Vec<u8>> {
    let mut header = Map::new();
    if !metadata.is_empty() {
        header.insert("__metadata__".into(), json!(metadata));
    }
    let mut end = 0;
    for &(name, element, shape) in tensors {
        let start = end;
        end += shape.iter().product::<usize>() * element.size();
        let described = json!({
            "dtype": element.safetensors_name(),
            "shape": shape,
            "data_offsets": [start, end],
        });
        if header.insert(name.to_owned(), described).is_some() {
            return Err(Error::invalid(format!("two tensors are named {name}")));
        }
    }
    let mut text = Value::Object(header).to_string().into_bytes();
    text.resize(text.len().next_multiple_of(HEADER_ALIGNMENT), b' ');
    let mut bytes = (text.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(&text);
    Ok(bytes)
}

fn check_entry(entry: &Entry<'_>) -> Result<()> {
    let expected = entry.shape.iter().product::<usize>() * entry.element.size();
    if entry.bytes.len() == expected {
        return Ok(());
    }
    let (name, shape, found) = (entry.name, entry.shape, entry.bytes.len());
    Err(Error::invalid(format!(
        "tensor {name} of shape {shape:?} takes {expected} bytes, got {found}"
    )))
}

/// Writes float32 tensors as a safetensors file, atomically, in the given order.
///
/// # Errors
/// [`Error::Invalid`] when a tensor's values do not fill its shape, [`Error::File`] when the file
/// cannot be written.
pub fn write_safetensors(
    path: &Path,
    tensors: &[NamedTensor],
    metadata: &BTreeMap<String, String>,
) -> Result<()> {
    files::write_atomically(path, &encode_safetensors(tensors, [], metadata)?)
}

/// Float32 tensors, and behind them single whole numbers, as the bytes of a safetensors file, in the given
/// order.
///
/// # Errors
/// [`Error::Invalid`] when a tensor's values do not fill its shape.
pub fn encode_safetensors<'a>(
    tensors: &[NamedTensor],
    numbers: impl IntoIterator<Item = (&'a str, i64)>,
    metadata: &BTreeMap<String, String>,
) -> Result<Vec<u8>> {
    let encode = |tensor: &NamedTensor| -> Vec<u8> {
        let values = tensor.values.iter();
        values.flat_map(|value| value.to_le_bytes()).collect()
    };
    let encoded: Vec<Vec<u8>> = tensors.iter().map(encode).collect();
    let numbers: Vec<(&str, [u8; 8])> = numbers
        .into_iter()
        .map(|(name, number)| (name, number.to_le_bytes()))
        .collect();
    let tensors = tensors.iter().zip(&encoded).map(|(tensor, bytes)| Entry {
        name: &tensor.name,
        element: ElementType::F32,
        shape: &tensor.shape,
        bytes,
    });
    let numbers = numbers.iter().map(|(name, bytes)| Entry {
        name,
        element: ElementType::I64,
        shape: &[],
        bytes,
    });
    let entries: Vec<Entry<'_>> = tensors.chain(numbers).collect();
    serialize_safetensors(&entries, metadata)
}
