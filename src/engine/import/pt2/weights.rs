//! The numbers of an archive. Types, shapes and strides are compared with the bytes that are there
//! before memory is taken.

use std::collections::HashMap;
use std::path::Path;

use super::Places;
use super::schema::{Meta, Weight, Weights, integer};
use crate::engine::archive::Archive;
use crate::engine::import::source::Read;
use crate::engine::import::tensor::{Element, Tensor, elements, ranked, spelled};

/// Tensors by their names in the network.
pub(super) type Named = HashMap<String, Tensor>;

/// Every weight and constant of an archive.
pub(super) fn read(archive: &mut Archive, places: &Places) -> Read<Named> {
    let mut named = Named::new();
    let Some(model) = &places.model else {
        let weights = archive.unpack("serialized_state_dict.pt")?;
        named.extend(of_checkpoint(&weights)?);
        // Most networks have no constants, and then there is nothing in it that can be read; one that
        // is missed is told by its name.
        let constants = archive.unpack_if_present("serialized_constants.pt")?;
        let constants = constants.and_then(|bytes| of_checkpoint(&bytes).ok());
        named.extend(constants.unwrap_or_default());
        return Ok(named);
    };
    for kind in ["weights", "constants"] {
        let folder = format!("{}data/{kind}/", places.root);
        let config = format!("{folder}{model}_{kind}_config.json");
        named.extend(of_config(archive, &folder, &config)?);
    }
    Ok(named)
}

/// A checkpoint in an old archive; one without tensors is empty.
fn of_checkpoint(bytes: &[u8]) -> Read<Vec<(String, Tensor)>> {
    let file = crate::engine::weights::from_bytes(bytes, Path::new("checkpoint"))
        .map_err(|error| error.to_string())?;
    let tensors = file.tensors.into_iter();
    Ok(tensors
        .map(|t| (t.name, Tensor::floats(t.shape, t.values)))
        .collect())
}

fn of_config(archive: &mut Archive, folder: &str, config: &str) -> Read<Named> {
    let Some(text) = archive.unpack_if_present(config)? else {
        return Ok(Named::new());
    };
    let text =
        String::from_utf8(text).map_err(|_| format!("{config} in it is no text; save it again"))?;
    let weights: Weights = crate::engine::text::from_json(&text)
        .map_err(|reason| format!("{config} in it: {reason}; save it again"))?;
    let mut unpacked = Unpacked {
        contents: HashMap::new(),
        left: archive.size(),
    };
    let mut named = Named::new();
    for (name, weight) in weights.config {
        let tensor = unpacked
            .tensor(archive, folder, &weight)
            .map_err(|reason| format!("tensor {name}: {reason}"))?;
        named.extend(tensor.map(|tensor| (name, tensor)));
    }
    Ok(named)
}

/// Files of an archive by name: several weights may lie in one.
struct Unpacked {
    contents: HashMap<String, Vec<u8>>,
    /// Elements that may still be made: as many as the file has bytes.
    left: usize,
}

impl Unpacked {
    /// A weight; nothing for a constant that is no tensor.
    fn tensor(
        &mut self,
        archive: &mut Archive,
        folder: &str,
        weight: &Weight,
    ) -> Read<Option<Tensor>> {
        let path = &weight.path_name;
        let Some(meta) = &weight.tensor_meta else {
            return Ok(None);
        };
        if weight.use_pickle {
            return Err(format!(
                "{path} is a pickle, which is never executed here; save it with contiguous tensors"
            ));
        }
        let view = View::of(meta)?;
        self.left = self.left.checked_sub(view.count).ok_or_else(|| {
            format!(
                "a shape of {} is more than the file holds; save it again",
                spelled(&view.shape)
            )
        })?;
        if !self.contents.contains_key(path) {
            let content = archive.unpack(&format!("{folder}{path}"))?;
            self.contents.insert(path.clone(), content);
        }
        view.read(&self.contents[path]).map(Some)
    }
}

/// A tensor in the elements of a file.
struct View {
    element: Element,
    shape: Vec<usize>,
    strides: Vec<usize>,
    offset: usize,
    count: usize,
}

impl View {
    fn of(meta: &Meta) -> Read<Self> {
        let element = element(meta.dtype)?;
        let whole = |value: &serde_json::Value| {
            integer(value).and_then(|number| usize::try_from(number).ok())
        };
        let list = |values: &[serde_json::Value], what: &str| {
            let list: Option<Vec<usize>> = values.iter().map(whole).collect();
            list.ok_or_else(|| format!("expected {what} of whole numbers; save it again"))
        };
        let (shape, strides) = (
            list(&meta.sizes, "a shape")?,
            list(&meta.strides, "strides")?,
        );
        let offset = match &meta.storage_offset {
            None => 0,
            Some(value) => whole(value).ok_or("expected an offset of a whole number")?,
        };
        if shape.len() != strides.len() {
            return Err("expected a stride for every extent; save it again".into());
        }
        ranked(shape.len())?;
        let count = elements(&shape)
            .ok_or_else(|| format!("a shape of {} is more than any file holds", spelled(&shape)))?;
        Ok(Self {
            element,
            shape,
            strides,
            offset,
            count,
        })
    }

    fn read(self, bytes: &[u8]) -> Read<Tensor> {
        let stored = bytes.len() * 8 / self.element.bits();
        let mut last = self.shape.iter().zip(&self.strides);
        let last = last.try_fold(self.offset, |last, (&extent, stride)| {
            last.checked_add(extent.saturating_sub(1).checked_mul(*stride)?)
        });
        if self.count > 0 && last.is_none_or(|last| last >= stored) {
            return Err(format!(
                "a shape of {} does not fit into its {} bytes; the file is damaged, save it again",
                spelled(&self.shape),
                bytes.len()
            ));
        }
        let values = self.element.decode(bytes, stored);
        let is_plain = self.offset == 0 && stored == self.count && self.is_contiguous();
        let values = if is_plain {
            values
        } else {
            values.gather(self.places())
        };
        Ok(Tensor {
            shape: self.shape,
            values,
        })
    }

    fn is_contiguous(&self) -> bool {
        let mut expected = 1;
        let mut extents = self.shape.iter().zip(&self.strides).rev();
        extents.all(|(&extent, &stride)| {
            let fits = extent == 1 || stride == expected;
            expected *= extent;
            fits
        })
    }

    /// Where each element is.
    fn places(&self) -> impl Iterator<Item = usize> {
        (0..self.count).map(|mut index| {
            let mut place = self.offset;
            for (&extent, &stride) in self.shape.iter().zip(&self.strides).rev() {
                place += index % extent * stride;
                index /= extent;
            }
            place
        })
    }
}

/// The element type of a number of `torch/_export/serde/schema.py`, `ScalarType`.
fn element(dtype: i64) -> Read<Element> {
    Ok(match dtype {
        1 => Element::Unsigned(8),
        2 => Element::Signed(8),
        3 => Element::Signed(16),
        4 => Element::Signed(32),
        5 => Element::Signed(64),
        6 => Element::F16,
        7 => Element::F32,
        8 => Element::F64,
        12 => Element::Bool,
        13 => Element::Bf16,
        28 => Element::Unsigned(16),
        other => {
            return Err(format!(
                "its elements are of type {other}, which is not supported; save the network in float32"
            ));
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meta(sizes: &[i64], strides: &[i64], offset: i64) -> Meta {
        let list = |numbers: &[i64]| {
            numbers
                .iter()
                .map(|n| serde_json::json!({"as_int": n}))
                .collect()
        };
        Meta {
            dtype: 2,
            sizes: list(sizes),
            strides: list(strides),
            storage_offset: Some(serde_json::json!({"as_int": offset})),
        }
    }

    #[test]
    fn strides_and_offsets_are_honoured() {
        let bytes = [0, 1, 2, 3, 4, 5, 6];
        let read = |meta: &Meta| View::of(meta)?.read(&bytes);
        let turned = read(&meta(&[3, 2], &[1, 3], 1)).unwrap();
        assert_eq!(*turned.to_integers(), [1, 4, 2, 5, 3, 6]);
        let plain = read(&meta(&[7], &[1], 0)).unwrap();
        assert_eq!(*plain.to_integers(), [0, 1, 2, 3, 4, 5, 6]);
        assert!(
            read(&meta(&[8], &[1], 0))
                .unwrap_err()
                .contains("does not fit into its 7 bytes")
        );
        assert!(
            read(&meta(&[2], &[i64::MAX], 0))
                .unwrap_err()
                .contains("does not fit")
        );
        assert!(read(&meta(&[1 << 40, 1 << 40], &[1, 1], 0)).is_err());
        assert!(read(&meta(&[2], &[], 0)).is_err());
    }
}
