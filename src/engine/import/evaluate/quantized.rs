//! Weights that are kept as integers: `(code - zero point) * step`.

use super::super::call::{Budget, place};
use super::super::source::Read;
use super::super::tensor::{Tensor, elements, spelled};

/// How codes are turned into numbers.
pub(crate) struct Steps<'a> {
    /// Step sizes: one, one for each place along an extent, or one for each block of it.
    pub sizes: &'a Tensor,
    /// Codes of zero, as many.
    pub zeros: Option<&'a Tensor>,
    /// The extent.
    pub axis: i64,
    /// Places a step is for; 0 for one each.
    pub block: i64,
}

/// The numbers that codes stand for.
pub(crate) fn dequantized(codes: &Tensor, of: &Steps, budget: &Budget) -> Read<Tensor> {
    budget.take(&codes.shape)?;
    let steps = of.sizes.to_floats();
    let zeros = of.zeros.map(Tensor::to_integers);
    if zeros
        .as_ref()
        .is_some_and(|zeros| zeros.len() != steps.len())
    {
        return Err("expected a zero point for every step size".into());
    }
    let pick = places(codes, of)?;
    let value = |(index, &code): (usize, &i64)| {
        let at = pick(index);
        let zero = zeros.as_ref().map_or(0, |zeros| zeros[at]);
        code.wrapping_sub(zero) as f32 * steps[at]
    };
    let codes_in_order = codes.to_integers();
    let values = codes_in_order.iter().enumerate().map(value).collect();
    Ok(Tensor::floats(codes.shape.clone(), values))
}

/// The place of the step of every code.
fn places<'a>(codes: &'a Tensor, of: &Steps) -> Read<Box<dyn Fn(usize) -> usize + 'a>> {
    let count = of.sizes.len();
    if count == 1 {
        return Ok(Box::new(|_| 0));
    }
    let refused = || {
        let (steps, codes) = (spelled(&of.sizes.shape), spelled(&codes.shape));
        format!("step sizes of shape {steps} do not go with codes of shape {codes}")
    };
    let axis = place(of.axis, codes.shape.len())?;
    let extent = codes.shape[axis];
    let inner = elements(&codes.shape[axis + 1..]).unwrap_or(0).max(1);
    if of.block <= 0 {
        if count != extent {
            return Err(refused());
        }
        return Ok(Box::new(move |index| index / inner % extent));
    }
    let block = usize::try_from(of.block).map_err(|_| refused())?;
    let mut shape = codes.shape.clone();
    shape[axis] = extent.div_ceil(block);
    if of.sizes.shape != shape {
        return Err(refused());
    }
    let blocks = shape[axis];
    Ok(Box::new(move |index| {
        let (outer, rest) = (index / (inner * extent), index % (inner * extent));
        (outer * blocks + rest / inner / block) * inner + rest % inner
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget() -> Budget {
        Budget::new(1000)
    }

    fn of(codes: &Tensor, steps: &Tensor, zeros: Option<&Tensor>, block: i64) -> Read<Vec<f32>> {
        let steps = Steps {
            sizes: steps,
            zeros,
            axis: 0,
            block,
        };
        dequantized(codes, &steps, &budget()).map(|tensor| tensor.to_floats().to_vec())
    }

    #[test]
    fn steps_are_for_all_for_channels_or_for_blocks() {
        let codes = Tensor::integers(vec![2, 2], vec![1, 2, 3, 4]);
        assert_eq!(
            of(&codes, &Tensor::float(0.5), None, 0).unwrap(),
            [0.5, 1.0, 1.5, 2.0]
        );
        let channels = Tensor::floats(vec![2], vec![1.0, 10.0]);
        let zeros = Tensor::list(vec![1, 2]);
        assert_eq!(
            of(&codes, &channels, Some(&zeros), 0).unwrap(),
            [0.0, 1.0, 10.0, 20.0]
        );
        let blocks = Tensor::floats(vec![1, 2], vec![1.0, 10.0]);
        assert_eq!(
            of(&codes, &blocks, None, 2).unwrap(),
            [1.0, 20.0, 3.0, 40.0]
        );
        let three = Tensor::floats(vec![3], vec![1.0; 3]);
        assert!(of(&codes, &three, None, 0).is_err());
        assert!(of(&codes, &channels, Some(&Tensor::integer(0)), 0).is_err());
    }
}
