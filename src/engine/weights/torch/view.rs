//! Strided views of storages made into tensors of their own, after all bounds are checked.

use std::collections::BTreeMap;

use crate::engine::counts::counted;
use crate::engine::weights::pickle::Tensor;
use crate::engine::weights::{NamedTensor, Parsed};

/// The bytes of each storage by key.
pub(super) type Storages<'a> = BTreeMap<&'a str, &'a [u8]>;

/// Tensors with names, in the order of the pickle.
pub(super) type Named<'p, 'a> = [(String, &'p Tensor<'a>)];

/// Copies every tensor out of its storage. Tensors may share storages; together they may not have
/// more elements than the file has bytes, which keeps a hostile file from filling the memory.
pub(super) fn materialise(
    found: &Named<'_, '_>,
    storages: &Storages<'_>,
    file_length: usize,
) -> Parsed<Vec<NamedTensor>> {
    let mut left = file_length;
    let mut tensors = Vec::with_capacity(found.len());
    for (name, tensor) in found {
        let shape = extents(tensor, name)?;
        let bytes = storages.get(tensor.storage.key).copied().ok_or_else(|| {
            format!("the storage of tensor {name} is missing; download or save the file again")
        })?;
        check_bounds(tensor, bytes, name)?;
        let count: usize = shape.iter().product();
        left = left.checked_sub(count).ok_or_else(|| {
            format!("up to tensor {name} there are more values than the file can hold; save again")
        })?;
        tensors.push(NamedTensor {
            name: name.clone(),
            values: gather(tensor, &shape, bytes),
            shape,
        });
    }
    Ok(tensors)
}

/// Names of the tensors that hold whole numbers.
pub(super) fn whole(found: &Named<'_, '_>) -> Vec<String> {
    let whole = found
        .iter()
        .filter(|(_, tensor)| tensor.storage.element.is_whole());
    whole.map(|(name, _)| name.clone()).collect()
}

/// The shape; its product fits the machine, and is at most the storage's element count.
fn extents(tensor: &Tensor<'_>, name: &str) -> Parsed<Vec<usize>> {
    let product = tensor
        .shape
        .iter()
        .try_fold(1_u64, |product, &extent| product.checked_mul(extent));
    if product.is_none_or(|product| product > tensor.storage.count) {
        let (shape, elements) = (
            &tensor.shape,
            counted(tensor.storage.count as usize, "element"),
        );
        return Err(format!(
            "tensor {name} has shape {shape:?}, but its storage has {elements}; save it \
             again, contiguous"
        ));
    }
    let extent = |&extent: &u64| usize::try_from(extent).ok();
    tensor
        .shape
        .iter()
        .map(extent)
        .collect::<Option<_>>()
        .ok_or_else(|| too_large(name))
}

fn too_large(name: &str) -> String {
    format!("tensor {name} does not fit the memory of this machine")
}

/// The declared element count is really there, and the last element of the view is inside.
fn check_bounds(tensor: &Tensor<'_>, bytes: &[u8], name: &str) -> Parsed<()> {
    let storage = tensor.storage;
    let real = (bytes.len() / storage.element.size()) as u64;
    if real < storage.count {
        let (real, declared) = (counted(real as usize, "element"), storage.count);
        return Err(format!(
            "the storage of tensor {name} has {real} instead of {declared}; the file is \
             truncated: download or save it again"
        ));
    }
    if tensor.shape.contains(&0) {
        return Ok(());
    }
    let first = storage.view_offset.checked_add(tensor.offset);
    let last = tensor
        .shape
        .iter()
        .zip(&tensor.strides)
        .try_fold(first, |end, (extent, stride)| {
            Some(end?.checked_add((extent - 1).checked_mul(*stride)?))
        });
    match last.flatten() {
        Some(last) if last < real => Ok(()),
        _ => Err(format!(
            "tensor {name} reaches beyond its storage of {}; download or save the file again",
            counted(real as usize, "element")
        )),
    }
}

/// The elements in row-major order, once [`check_bounds`] has passed.
fn gather(tensor: &Tensor<'_>, shape: &[usize], bytes: &[u8]) -> Vec<f32> {
    let element = tensor.storage.element;
    let count: usize = shape.iter().product();
    if count == 0 {
        return Vec::new();
    }
    let first = (tensor.storage.view_offset + tensor.offset) as usize;
    if is_contiguous(shape, &tensor.strides) {
        let size = element.size();
        return element.values(&bytes[first * size..][..count * size]);
    }
    let mut values = Vec::with_capacity(count);
    let mut index = vec![0_usize; shape.len()];
    for _ in 0..count {
        let strided = index.iter().zip(&tensor.strides);
        let at = first
            + strided
                .map(|(&at, &stride)| at * stride as usize)
                .sum::<usize>();
        let value = element.value(bytes, at);
        values.push(value.expect("invariant: the bounds of the view were checked"));
        advance(&mut index, shape);
    }
    values
}

/// The next index in row-major order.
fn advance(index: &mut [usize], shape: &[usize]) {
    for (at, &extent) in index.iter_mut().zip(shape).rev() {
        *at += 1;
        if *at < extent {
            return;
        }
        *at = 0;
    }
}

fn is_contiguous(shape: &[usize], strides: &[u64]) -> bool {
    let mut expected = 1_u64;
    for (&extent, &stride) in shape.iter().zip(strides).rev() {
        if extent != 1 && stride != expected {
            return false;
        }
        expected *= extent as u64;
    }
    true
}
