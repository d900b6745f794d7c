//! Shapes, and elements that change places.

use super::super::call::{Budget, places};
use super::super::source::Read;
use super::super::tensor::{Tensor, Values, elements, ranked, spelled};
use super::arithmetic::{between, broadcast_shape};

/// The shape that a request asks for: -1 stands for what is left, 0 for the extent at its place unless
/// zeros mean themselves.
pub(crate) fn resized(shape: &[usize], request: &[i64], zeros_count: bool) -> Read<Vec<usize>> {
    ranked(request.len())?;
    let told = || format!("a shape of {} does not become {request:?}", spelled(shape));
    let count = elements(shape).ok_or_else(told)?;
    let mut extents = Vec::with_capacity(request.len());
    let mut open = None;
    for (at, &asked) in request.iter().enumerate() {
        extents.push(match asked {
            -1 if open.is_none() => {
                open = Some(at);
                1
            }
            0 if !zeros_count => *shape.get(at).ok_or_else(told)?,
            asked => usize::try_from(asked).map_err(|_| told())?,
        });
    }
    let known = elements(&extents).ok_or_else(told)?;
    if let Some(at) = open {
        if known == 0 || count % known != 0 {
            return Err(told());
        }
        extents[at] = count / known;
    } else if known != count {
        return Err(told());
    }
    Ok(extents)
}

/// The order of extents that is asked for; reversed when nothing is.
pub(crate) fn order(asked: Option<Vec<i64>>, rank: usize) -> Read<Vec<usize>> {
    let Some(asked) = asked else {
        return Ok((0..rank).rev().collect());
    };
    let order = places(&asked, rank)?;
    let mut sorted = order.clone();
    sorted.sort_unstable();
    if sorted.iter().copied().eq(0..rank) {
        Ok(order)
    } else {
        Err(format!("{asked:?} is no order of {rank} extents"))
    }
}

/// The extents in another order.
pub(crate) fn permuted(tensor: &Tensor, order: &[usize], budget: &Budget) -> Read<Tensor> {
    budget.take(&tensor.shape)?;
    let mut strides = vec![1; tensor.shape.len()];
    for at in (1..tensor.shape.len()).rev() {
        strides[at - 1] = strides[at] * tensor.shape[at];
    }
    let shape: Vec<usize> = order.iter().map(|&at| tensor.shape[at]).collect();
    let place = |mut index: usize| {
        let mut place = 0;
        for (&extent, &from) in shape.iter().zip(order).rev() {
            place += index % extent * strides[from];
            index /= extent;
        }
        place
    };
    Ok(Tensor {
        values: tensor.values.gather((0..tensor.len()).map(place)),
        shape: shape.clone(),
    })
}

/// Without these extents, or without all that are 1.
pub(crate) fn squeezed(shape: &[usize], axes: Option<&[i64]>) -> Read<Vec<usize>> {
    let Some(axes) = axes else {
        return Ok(shape
            .iter()
            .copied()
            .filter(|&extent| extent != 1)
            .collect());
    };
    let axes = places(axes, shape.len())?;
    if let Some(&axis) = axes.iter().find(|&&axis| shape[axis] != 1) {
        return Err(format!("extent {axis} of {} is not 1", spelled(shape)));
    }
    let kept = shape
        .iter()
        .enumerate()
        .filter(|(at, _)| !axes.contains(at));
    Ok(kept.map(|(_, &extent)| extent).collect())
}

/// With extents of 1 at these places of the result.
pub(crate) fn unsqueezed(shape: &[usize], axes: &[i64]) -> Read<Vec<usize>> {
    let rank = shape.len() + axes.len();
    ranked(rank)?;
    let axes = places(axes, rank)?;
    let mut extents = shape.iter().copied();
    let each = (0..rank).map(|at| {
        if axes.contains(&at) {
            Some(1)
        } else {
            extents.next()
        }
    });
    each.collect::<Option<Vec<usize>>>()
        .ok_or_else(|| "an extent is named twice".into())
}

/// Stretched to a shape, as in a sum with it.
pub(crate) fn expand(tensor: &Tensor, request: &[i64], budget: &Budget) -> Read<Tensor> {
    ranked(request.len())?;
    let shift = request.len().saturating_sub(tensor.shape.len());
    let extent = |(at, &asked): (usize, &i64)| match asked {
        -1 => Ok(at.checked_sub(shift).map_or(1, |at| tensor.shape[at])),
        asked => usize::try_from(asked).map_err(|_| format!("an extent of {asked}")),
    };
    let shape = request
        .iter()
        .enumerate()
        .map(extent)
        .collect::<Read<Vec<_>>>()?;
    between(tensor, &broadcast_shape(&tensor.shape, &shape)?, budget)
}

/// Repeated so often along each extent.
pub(crate) fn tiled(tensor: &Tensor, repeats: &[i64], budget: &Budget) -> Read<Tensor> {
    if repeats.len() != tensor.shape.len() {
        return Err("expected a number of repeats for each extent".into());
    }
    let extent = |(&extent, &repeats): (&usize, &i64)| {
        usize::try_from(repeats)
            .ok()
            .and_then(|repeats| extent.checked_mul(repeats))
    };
    let shape: Option<Vec<usize>> = tensor.shape.iter().zip(repeats).map(extent).collect();
    let shape = shape.ok_or("an extent is too large")?;
    budget.take(&shape)?;
    let place = |mut index: usize| {
        let (mut place, mut stride) = (0, 1);
        for (&extent, &source) in shape.iter().zip(&tensor.shape).rev() {
            place += index % extent % source * stride;
            index /= extent;
            stride *= source;
        }
        place
    };
    let count = elements(&shape).unwrap_or(0);
    Ok(Tensor {
        values: tensor.values.gather((0..count).map(place)),
        shape,
    })
}

/// One number in every place of a shape.
pub(crate) fn filled(request: &[i64], value: &Tensor, budget: &Budget) -> Read<Tensor> {
    ranked(request.len())?;
    let extent = |&asked: &i64| usize::try_from(asked).map_err(|_| format!("an extent of {asked}"));
    let shape = request.iter().map(extent).collect::<Read<Vec<_>>>()?;
    budget.take(&shape)?;
    let count = elements(&shape).unwrap_or(0);
    if value.len() != 1 {
        return Err("expected one value".into());
    }
    Ok(match &value.values {
        Values::Floats(values) => Tensor::floats(shape, vec![values[0]; count]),
        Values::Integers(values) => Tensor::integers(shape, vec![values[0]; count]),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget() -> Budget {
        Budget::new(1000)
    }

    #[test]
    fn shapes_are_asked_for_with_what_is_left_and_what_was() {
        assert_eq!(resized(&[2, 3, 4], &[0, -1], false).unwrap(), [2, 12]);
        assert_eq!(resized(&[2, 3], &[6], false).unwrap(), [6]);
        assert_eq!(resized(&[], &[-1, 1], false).unwrap(), [1, 1]);
        assert!(resized(&[2, 3], &[4, -1], false).is_err());
        assert!(resized(&[2, 3], &[-1, -1], false).is_err());
        assert!(resized(&[2, 3], &[0, 6], true).is_err());
        assert!(resized(&[2, 3], &[i64::MAX, i64::MAX], false).is_err());
    }

    #[test]
    fn extents_change_places() {
        let tensor = Tensor::integers(vec![2, 3], vec![1, 2, 3, 4, 5, 6]);
        let turned = permuted(&tensor, &order(None, 2).unwrap(), &budget()).unwrap();
        assert_eq!(turned.shape, [3, 2]);
        assert_eq!(*turned.to_integers(), [1, 4, 2, 5, 3, 6]);
        assert!(order(Some(vec![0, 0]), 2).is_err());
    }

    #[test]
    fn extents_of_one_come_and_go() {
        assert_eq!(squeezed(&[1, 2, 1], None).unwrap(), [2]);
        assert_eq!(squeezed(&[1, 2, 1], Some(&[-1])).unwrap(), [1, 2]);
        assert!(squeezed(&[1, 2], Some(&[1])).is_err());
        assert_eq!(unsqueezed(&[2, 3], &[0, -1]).unwrap(), [1, 2, 3, 1]);
        assert!(unsqueezed(&[2], &[0, 0]).is_err());
    }

    #[test]
    fn numbers_are_repeated() {
        let tensor = Tensor::list(vec![1, 2]);
        assert_eq!(
            *tiled(&tensor, &[2], &budget()).unwrap().to_integers(),
            [1, 2, 1, 2]
        );
        let wide = expand(&tensor, &[2, -1], &budget()).unwrap();
        assert_eq!(*wide.to_integers(), [1, 2, 1, 2]);
        let filled = filled(&[3], &Tensor::float(0.5), &budget()).unwrap();
        assert_eq!(*filled.to_floats(), [0.5; 3]);
        assert!(super::filled(&[1 << 40], &Tensor::float(0.5), &budget()).is_err());
    }
}
