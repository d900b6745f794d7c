//! Parts of tensors, and tensors of parts.

use std::sync::Arc;

use super::super::call::{Budget, place};
use super::super::source::Read;
use super::super::tensor::{Tensor, Values, elements, ranked, spelled};

/// Which places of an extent are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cut {
    /// The extent.
    pub axis: usize,
    /// The first place; counted from the end when negative.
    pub start: i64,
    /// The place that is not reached.
    pub end: i64,
    /// From place to place.
    pub step: i64,
}

/// The first place that a cut keeps of an extent, and how many.
pub(crate) fn cut_places(cut: &Cut, extent: usize) -> Read<(usize, usize)> {
    let extent = i128::try_from(extent).unwrap_or(i128::MAX);
    let step = i128::from(cut.step);
    let from_start = |place: i64| {
        let place = i128::from(place);
        if place < 0 { place + extent } else { place }
    };
    let (start, end) = (from_start(cut.start), from_start(cut.end));
    let (start, count) = match step {
        0 => return Err("expected a step, got 0".into()),
        1.. => {
            let (start, end) = (start.clamp(0, extent), end.clamp(0, extent));
            (start, (end - start + step - 1).div_euclid(step))
        }
        _ => {
            let (start, end) = (start.clamp(-1, extent - 1), end.clamp(-1, extent - 1));
            (start, (start - end - step - 1).div_euclid(-step))
        }
    };
    Ok((start.max(0) as usize, count.max(0) as usize))
}

/// The part of a tensor that a cut keeps.
pub(crate) fn slice(tensor: &Tensor, cut: &Cut, budget: &Budget) -> Read<Tensor> {
    let extent = tensor.shape[cut.axis];
    let (start, count) = cut_places(cut, extent)?;
    let at = |index: usize| (start as i128 + index as i128 * i128::from(cut.step)) as usize;
    let places: Vec<usize> = (0..count).map(at).collect();
    taken(tensor, cut.axis, &places, budget)
}

/// The parts of a tensor at these places of an extent.
fn taken(tensor: &Tensor, axis: usize, places: &[usize], budget: &Budget) -> Read<Tensor> {
    let mut shape = tensor.shape.clone();
    let extent = std::mem::replace(&mut shape[axis], places.len());
    budget.take(&shape)?;
    let inner = elements(&shape[axis + 1..]).unwrap_or(0);
    let outer = elements(&shape[..axis]).unwrap_or(0);
    let block = |outer: usize| {
        let of_place = move |&place: &usize| {
            let start = (outer * extent + place) * inner;
            start..start + inner
        };
        places.iter().flat_map(of_place)
    };
    Ok(Tensor {
        values: tensor.values.gather((0..outer).flat_map(block)),
        shape,
    })
}

/// The parts of a tensor that indices name, which may count from the end.
pub(crate) fn gather(
    tensor: &Tensor,
    indices: &Tensor,
    axis: i64,
    budget: &Budget,
) -> Read<Tensor> {
    let axis = place(axis, tensor.shape.len())?;
    ranked(tensor.shape.len() + indices.shape.len() - 1)?;
    let extent = tensor.shape[axis];
    let places = indices.to_integers();
    let places = places.iter().map(|&index| place(index, extent));
    let places = places.collect::<Read<Vec<_>>>()?;
    let mut gathered = taken(tensor, axis, &places, budget)?;
    gathered
        .shape
        .splice(axis..=axis, indices.shape.iter().copied());
    Ok(gathered)
}

/// Tensors one after another.
pub(crate) fn concat(tensors: &[&Tensor], axis: i64, budget: &Budget) -> Read<Tensor> {
    let first = tensors.first().ok_or("there is nothing to join")?;
    let axis = place(axis, first.shape.len())?;
    let mut shape = first.shape.clone();
    shape[axis] = 0;
    for tensor in tensors {
        let fits = tensor.shape.len() == shape.len();
        let mut others = tensor.shape.iter().zip(&shape).enumerate();
        if !fits || others.any(|(at, (a, b))| at != axis && a != b) {
            let (a, b) = (spelled(&first.shape), spelled(&tensor.shape));
            return Err(format!("shapes {a} and {b} do not go together"));
        }
        shape[axis] = shape[axis]
            .checked_add(tensor.shape[axis])
            .ok_or("an extent is too large")?;
    }
    budget.take(&shape)?;
    let outer = elements(&shape[..axis]).unwrap_or(0);
    let is_whole = |tensor: &&Tensor| matches!(tensor.values, Values::Integers(_));
    let values = if tensors.iter().all(is_whole) {
        let parts: Vec<_> = tensors.iter().map(|tensor| tensor.to_integers()).collect();
        Values::Integers(Arc::new(joined(&parts, outer)))
    } else {
        let parts: Vec<_> = tensors.iter().map(|tensor| tensor.to_floats()).collect();
        Values::Floats(Arc::new(joined(&parts, outer)))
    };
    Ok(Tensor { shape, values })
}

fn joined<T: Copy>(parts: &[Arc<Vec<T>>], outer: usize) -> Vec<T> {
    let block = |at: usize| {
        parts.iter().flat_map(move |part| {
            let length = part.len().checked_div(outer).unwrap_or(0);
            part[at * length..(at + 1) * length].iter().copied()
        })
    };
    (0..outer).flat_map(block).collect()
}

/// A tensor in parts of these lengths.
pub(crate) fn split(
    tensor: &Tensor,
    axis: usize,
    lengths: &[usize],
    budget: &Budget,
) -> Read<Vec<Tensor>> {
    let mut start = 0;
    let mut parts = Vec::with_capacity(lengths.len());
    for &length in lengths {
        let places: Vec<usize> = (start..start + length).collect();
        parts.push(taken(tensor, axis, &places, budget)?);
        start += length;
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget() -> Budget {
        Budget::new(1000)
    }

    fn kept(start: i64, end: i64, step: i64) -> Vec<i64> {
        let cut = Cut {
            axis: 0,
            start,
            end,
            step,
        };
        let tensor = Tensor::list(vec![0, 1, 2, 3, 4]);
        slice(&tensor, &cut, &budget())
            .unwrap()
            .to_integers()
            .to_vec()
    }

    #[test]
    fn cuts_count_from_either_end_and_backwards() {
        assert_eq!(kept(1, 3, 1), [1, 2]);
        assert_eq!(kept(0, i64::MAX, 2), [0, 2, 4]);
        assert_eq!(kept(-2, i64::MAX, 1), [3, 4]);
        assert_eq!(kept(-1, -i64::MAX, -1), [4, 3, 2, 1, 0]);
        assert_eq!(kept(-1, i64::MIN, -2), [4, 2, 0]);
        assert_eq!(kept(4, 1, 1), [0_i64; 0]);
        assert_eq!(kept(9, 0, -1), [4, 3, 2, 1]);
    }

    #[test]
    fn parts_are_gathered_and_joined_along_any_extent() {
        let tensor = Tensor::integers(vec![2, 2], vec![1, 2, 3, 4]);
        let gathered = gather(&tensor, &Tensor::integer(-1), 1, &budget()).unwrap();
        assert_eq!(
            (gathered.shape.as_slice(), &**gathered.to_integers()),
            (&[2][..], &[2, 4][..])
        );
        let joined = concat(&[&tensor, &tensor], 1, &budget()).unwrap();
        assert_eq!(*joined.to_integers(), [1, 2, 1, 2, 3, 4, 3, 4]);
        let parts = split(&tensor, 0, &[1, 1], &budget()).unwrap();
        assert_eq!(*parts[1].to_integers(), [3, 4]);
        assert!(gather(&tensor, &Tensor::integer(2), 1, &budget()).is_err());
        assert!(concat(&[&tensor, &Tensor::list(vec![1])], 0, &budget()).is_err());
    }
}
