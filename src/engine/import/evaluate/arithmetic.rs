//! Element by element.

use std::sync::Arc;

use half::{bf16, f16};

use super::super::call::Budget;
use super::super::source::Read;
use super::super::tensor::{Tensor, Values, elements, spelled};

/// The shape that two shapes are stretched to.
pub(crate) fn broadcast_shape(a: &[usize], b: &[usize]) -> Read<Vec<usize>> {
    let rank = a.len().max(b.len());
    let extent = |shape: &[usize], at: usize| match (at + shape.len()).checked_sub(rank) {
        Some(place) => shape[place],
        None => 1,
    };
    let both = |at| match (extent(a, at), extent(b, at)) {
        (1, other) | (other, 1) => Ok(other),
        (one, other) if one == other => Ok(one),
        _ => Err(format!(
            "shapes {} and {} do not go together",
            spelled(a),
            spelled(b)
        )),
    };
    (0..rank).map(both).collect()
}

/// For every element of `shape`, the place of the element of `of` that is stretched to it.
fn stretched(of: &[usize], shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![0; shape.len()];
    let mut stride = 1;
    let shift = shape.len() - of.len();
    for (at, &extent) in of.iter().enumerate().rev() {
        strides[at + shift] = if extent == 1 { 0 } else { stride };
        stride *= extent;
    }
    let count = elements(shape).unwrap_or(0);
    let place = |mut index: usize| {
        let mut place = 0;
        for (&extent, stride) in shape.iter().zip(&strides).rev() {
            place += index % extent * stride;
            index /= extent;
        }
        place
    };
    (0..count).map(place).collect()
}

/// A tensor in a shape that it is stretched to.
pub(crate) fn between(tensor: &Tensor, shape: &[usize], budget: &Budget) -> Read<Tensor> {
    if tensor.shape == shape {
        return Ok(tensor.clone());
    }
    if broadcast_shape(&tensor.shape, shape)? != shape {
        let (from, to) = (spelled(&tensor.shape), spelled(shape));
        return Err(format!("a shape of {from} does not stretch to {to}"));
    }
    budget.take(shape)?;
    Ok(Tensor {
        values: tensor
            .values
            .gather(stretched(&tensor.shape, shape).into_iter()),
        shape: shape.to_vec(),
    })
}

/// Every number of a tensor with those of two others, which are stretched to its shape.
pub(crate) fn with_two(
    tensor: &Tensor,
    others: [&Tensor; 2],
    each: impl Fn(f32, [f32; 2]) -> f32,
    budget: &Budget,
) -> Read<Tensor> {
    let shape = &tensor.shape;
    budget.take(shape)?;
    for other in others {
        if broadcast_shape(shape, &other.shape)? != *shape {
            let (own, other) = (spelled(shape), spelled(&other.shape));
            return Err(format!("shape {other} is more than {own}"));
        }
    }
    let places = others.map(|other| stretched(&other.shape, shape));
    let [first, second] = others.map(Tensor::to_floats);
    let values = tensor.to_floats();
    let values = values.iter().enumerate();
    let values = values.map(|(at, &value)| {
        let pair = [first[places[0][at]], second[places[1][at]]];
        each(value, pair)
    });
    Ok(Tensor::floats(shape.clone(), values.collect()))
}

/// Two operands in one shape.
fn aligned(a: &Tensor, b: &Tensor, budget: &Budget) -> Read<(Tensor, Tensor)> {
    let shape = broadcast_shape(&a.shape, &b.shape)?;
    budget.take(&shape)?;
    Ok((between(a, &shape, budget)?, between(b, &shape, budget)?))
}

/// `+`, `-` and others, by the name of the operator.
pub(crate) fn binary(operation: &str, a: &Tensor, b: &Tensor, budget: &Budget) -> Read<Tensor> {
    let (a, b) = aligned(a, b, budget)?;
    let values = if let (Values::Integers(x), Values::Integers(y)) = (&a.values, &b.values) {
        let each = x.iter().zip(y.iter());
        let each = each.map(|(&x, &y)| integers(operation, x, y));
        Values::Integers(Arc::new(each.collect::<Read<_>>()?))
    } else {
        let (x, y) = (a.to_floats(), b.to_floats());
        let each = x.iter().zip(y.iter());
        let each = each.map(|(&x, &y)| floats(operation, x, y));
        Values::Floats(Arc::new(each.collect::<Read<_>>()?))
    };
    Ok(Tensor {
        shape: a.shape,
        values,
    })
}

fn integers(operation: &str, x: i64, y: i64) -> Read<i64> {
    let divisible = || "it divides by zero".to_owned();
    Ok(match operation {
        "Add" => x.wrapping_add(y),
        "Sub" => x.wrapping_sub(y),
        "Mul" => x.wrapping_mul(y),
        "Div" => x.checked_div(y).ok_or_else(divisible)?,
        "FloorDiv" => {
            let whole = x.checked_div(y).ok_or_else(divisible)?;
            whole - i64::from(x.wrapping_rem(y) != 0 && (x < 0) != (y < 0))
        }
        "Mod" => {
            let rest = x.checked_rem(y).ok_or_else(divisible)?;
            if rest != 0 && (rest < 0) != (y < 0) {
                rest + y
            } else {
                rest
            }
        }
        "FMod" => x.checked_rem(y).ok_or_else(divisible)?,
        "Pow" => x.wrapping_pow(u32::try_from(y).map_err(|_| "a negative exponent".to_owned())?),
        "Min" => x.min(y),
        "Max" => x.max(y),
        "And" => i64::from(x != 0 && y != 0),
        "Or" => i64::from(x != 0 || y != 0),
        other => return Err(format!("{other} of whole numbers is not known")),
    })
}

fn floats(operation: &str, x: f32, y: f32) -> Read<f32> {
    Ok(match operation {
        "Add" => x + y,
        "Sub" => x - y,
        "Mul" => x * y,
        "Div" => x / y,
        "FloorDiv" => (x / y).floor(),
        "Mod" if x % y != 0.0 && (x < 0.0) != (y < 0.0) => x % y + y,
        "Mod" | "FMod" => x % y,
        "Pow" => x.powf(y),
        "Min" => x.min(y),
        "Max" => x.max(y),
        other => return Err(format!("{other} of floats is not known")),
    })
}

/// How numbers are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compare {
    /// `=`
    Equal,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

/// Whether numbers are equal, less, ...: 0 or 1.
pub(crate) fn compare(how: Compare, a: &Tensor, b: &Tensor, budget: &Budget) -> Read<Tensor> {
    let (a, b) = aligned(a, b, budget)?;
    let holds = |order: Option<std::cmp::Ordering>| {
        let holds = match how {
            Compare::Equal => order.is_some_and(std::cmp::Ordering::is_eq),
            Compare::Less => order.is_some_and(std::cmp::Ordering::is_lt),
            Compare::LessOrEqual => order.is_some_and(std::cmp::Ordering::is_le),
            Compare::Greater => order.is_some_and(std::cmp::Ordering::is_gt),
            Compare::GreaterOrEqual => order.is_some_and(std::cmp::Ordering::is_ge),
        };
        i64::from(holds)
    };
    let values = if let (Values::Integers(x), Values::Integers(y)) = (&a.values, &b.values) {
        let each = x.iter().zip(y.iter());
        each.map(|(x, y)| holds(Some(x.cmp(y)))).collect()
    } else {
        let (x, y) = (a.to_floats(), b.to_floats());
        let each = x.iter().zip(y.iter());
        each.map(|(x, y)| holds(x.partial_cmp(y))).collect()
    };
    Ok(Tensor::integers(a.shape, values))
}

/// Elements of one tensor where a condition holds, else of another.
pub(crate) fn select(condition: &Tensor, [yes, no]: [&Tensor; 2], budget: &Budget) -> Read<Tensor> {
    let shape = broadcast_shape(&broadcast_shape(&condition.shape, &yes.shape)?, &no.shape)?;
    budget.take(&shape)?;
    let condition = between(condition, &shape, budget)?.to_integers();
    let (yes, no) = (between(yes, &shape, budget)?, between(no, &shape, budget)?);
    if let (Values::Integers(yes), Values::Integers(no)) = (&yes.values, &no.values) {
        let each = condition.iter().zip(yes.iter().zip(no.iter()));
        let each = each.map(|(&holds, (&yes, &no))| if holds == 0 { no } else { yes });
        return Ok(Tensor::integers(shape, each.collect()));
    }
    let (yes, no) = (yes.to_floats(), no.to_floats());
    let each = condition.iter().zip(yes.iter().zip(no.iter()));
    let each = each.map(|(&holds, (&yes, &no))| if holds == 0 { no } else { yes });
    Ok(Tensor::floats(shape, each.collect()))
}

/// A function of each element, by the name of the operator.
pub(crate) fn unary(operation: &str, tensor: &Tensor, budget: &Budget) -> Read<Tensor> {
    budget.take(&tensor.shape)?;
    if let Values::Integers(values) = &tensor.values {
        let of = |&x: &i64| {
            Ok(match operation {
                "Neg" => x.wrapping_neg(),
                "Abs" => x.wrapping_abs(),
                "Sign" => x.signum(),
                "Not" => i64::from(x == 0),
                "Ceil" | "Floor" | "Round" => x,
                other => return Err(format!("{other} of whole numbers is not known")),
            })
        };
        let values = values.iter().map(of).collect::<Read<_>>()?;
        return Ok(Tensor::integers(tensor.shape.clone(), values));
    }
    let of = |&x: &f32| {
        Ok(match operation {
            "Neg" => -x,
            "Abs" => x.abs(),
            "Sign" if x == 0.0 => 0.0,
            "Sign" => x.signum(),
            "Sqrt" => x.sqrt(),
            "Rsqrt" => x.sqrt().recip(),
            "Reciprocal" => x.recip(),
            "Exp" => x.exp(),
            "Log" => x.ln(),
            "Ceil" => x.ceil(),
            "Floor" => x.floor(),
            "Round" => x.round_ties_even(),
            other => return Err(format!("{other} of floats is not known")),
        })
    };
    let values = tensor.to_floats().iter().map(of).collect::<Read<_>>()?;
    Ok(Tensor::floats(tensor.shape.clone(), values))
}

/// What numbers are cast to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Number {
    /// Floats of 32 bits or more.
    Float,
    /// Floats of 16 bits: larger ones become infinite.
    Half,
    /// Floats of 8 significant bits.
    Brain,
    /// Whole numbers; floats are cut off.
    Whole,
    /// 0, and 1 for everything else.
    Truth,
}

impl Number {
    /// The kind of a tensor's numbers.
    pub(crate) const fn of(tensor: &Tensor) -> Self {
        match tensor.values {
            Values::Floats(_) => Self::Float,
            Values::Integers(_) => Self::Whole,
        }
    }

    /// Whether it is one of floats.
    pub(crate) const fn is_float(self) -> bool {
        matches!(self, Self::Float | Self::Half | Self::Brain)
    }
}

/// As numbers of another kind.
pub(crate) fn cast(tensor: &Tensor, to: Number, budget: &Budget) -> Read<Tensor> {
    if to == Number::of(tensor) {
        return Ok(tensor.clone());
    }
    budget.take(&tensor.shape)?;
    let floats = |of: fn(f32) -> f32| {
        let values = tensor.to_floats();
        Values::Floats(Arc::new(values.iter().map(|&value| of(value)).collect()))
    };
    let values = match (to, &tensor.values) {
        (Number::Float, _) => Values::Floats(tensor.to_floats()),
        (Number::Half, _) => floats(|value| f16::from_f32(value).to_f32()),
        (Number::Brain, _) => floats(|value| bf16::from_f32(value).to_f32()),
        (Number::Whole, _) => Values::Integers(tensor.to_integers()),
        (Number::Truth, Values::Floats(values)) => Values::Integers(Arc::new(
            values.iter().map(|&v| (v != 0.0).into()).collect(),
        )),
        (Number::Truth, Values::Integers(values)) => {
            Values::Integers(Arc::new(values.iter().map(|&v| (v != 0).into()).collect()))
        }
    };
    Ok(Tensor {
        shape: tensor.shape.clone(),
        values,
    })
}

/// `start, start + step, ...` below `limit`.
pub(crate) fn range([start, limit, step]: [&Tensor; 3], budget: &Budget) -> Read<Tensor> {
    let all = [start, limit, step];
    if all.iter().any(|tensor| tensor.len() != 1) {
        return Err("expected single numbers".into());
    }
    if let (Values::Integers(a), Values::Integers(b), Values::Integers(c)) =
        (&start.values, &limit.values, &step.values)
    {
        let (start, limit, step) = (i128::from(a[0]), i128::from(b[0]), i128::from(c[0]));
        if step == 0 {
            return Err("expected a step, got 0".into());
        }
        let length = (limit - start + step - step.signum())
            .div_euclid(step)
            .max(0);
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        budget.take(&[length])?;
        let each = (0..length).map(|at| (start + at as i128 * step) as i64);
        return Ok(Tensor::list(each.collect()));
    }
    let [start, limit, step] = all.map(|tensor| f64::from(tensor.to_floats()[0]));
    let length = ((limit - start) / step).ceil().max(0.0) as usize;
    budget.take(&[length])?;
    let each = (0..length).map(|at| (start + at as f64 * step) as f32);
    Ok(Tensor::floats(vec![length], each.collect()))
}

/// How several elements become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reduction {
    /// Their sum.
    Sum,
    /// Their mean.
    Mean,
    /// Their product.
    Product,
    /// The largest.
    Max,
    /// The smallest.
    Min,
}

/// The elements along some extents as one; those extents become 1.
pub(crate) fn reduce(
    how: Reduction,
    tensor: &Tensor,
    axes: &[usize],
    budget: &Budget,
) -> Read<Tensor> {
    let mut kept = tensor.shape.clone();
    axes.iter().for_each(|&axis| kept[axis] = 1);
    let count = elements(&kept).unwrap_or(0);
    budget.take(&tensor.shape)?;
    budget.take(&kept)?;
    let each = tensor.len().checked_div(count).unwrap_or(0);
    if each == 0 {
        return Err("there is nothing to reduce".into());
    }
    let values: Vec<f64> = match &tensor.values {
        Values::Floats(values) => values.iter().map(|&value| value.into()).collect(),
        Values::Integers(values) => values.iter().map(|&value| value as f64).collect(),
    };
    let first = if how == Reduction::Product { 1.0 } else { 0.0 };
    let mut reduced = vec![first; count];
    let mut seen = vec![false; count];
    for (&value, place) in values.iter().zip(stretched(&kept, &tensor.shape)) {
        let old = &mut reduced[place];
        *old = match how {
            Reduction::Sum | Reduction::Mean => *old + value,
            Reduction::Product => *old * value,
            _ if !std::mem::replace(&mut seen[place], true) => value,
            Reduction::Max => old.max(value),
            Reduction::Min => old.min(value),
        };
    }
    if how == Reduction::Mean {
        reduced.iter_mut().for_each(|value| *value /= each as f64);
    }
    Ok(match &tensor.values {
        Values::Integers(_) => Tensor::integers(kept, reduced.iter().map(|&v| v as i64).collect()),
        Values::Floats(_) => Tensor::floats(kept, reduced.iter().map(|&v| v as f32).collect()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget() -> Budget {
        Budget::new(1000)
    }

    fn list(values: &[i64]) -> Tensor {
        Tensor::list(values.to_vec())
    }

    #[test]
    fn operands_are_stretched_to_each_other() {
        let rows = Tensor::integers(vec![2, 1], vec![10, 20]);
        let sum = binary("Add", &rows, &list(&[1, 2, 3]), &budget()).unwrap();
        assert_eq!(sum.shape, [2, 3]);
        assert_eq!(*sum.to_integers(), [11, 12, 13, 21, 22, 23]);
        assert!(binary("Add", &list(&[1, 2]), &list(&[1, 2, 3]), &budget()).is_err());
    }

    #[test]
    fn whole_numbers_divide_towards_zero_and_their_rest_has_the_sign_of_the_divisor() {
        let of = |operation, a: i64, b: i64| {
            let result = binary(
                operation,
                &Tensor::integer(a),
                &Tensor::integer(b),
                &budget(),
            );
            result.map(|tensor| tensor.to_integers()[0])
        };
        assert_eq!(of("Div", -7, 2), Ok(-3));
        assert_eq!(of("FloorDiv", -7, 2), Ok(-4));
        assert_eq!(of("Mod", -7, 2), Ok(1));
        assert!(of("Div", 1, 0).is_err());
        assert!(of("Div", i64::MIN, -1).is_err());
    }

    #[test]
    fn ranges_end_before_their_limit() {
        let of = |start, limit, step| {
            let [start, limit, step] = [start, limit, step].map(Tensor::integer);
            range([&start, &limit, &step], &budget()).map(|tensor| tensor.to_integers().to_vec())
        };
        assert_eq!(of(1, 6, 2).unwrap(), [1, 3, 5]);
        assert_eq!(of(3, 0, -1).unwrap(), [3, 2, 1]);
        assert_eq!(of(0, -3, 1).unwrap(), [0_i64; 0]);
        assert!(
            of(0, i64::MAX, 1)
                .unwrap_err()
                .contains("larger than the file")
        );
        assert!(of(0, 3, 0).is_err());
    }

    #[test]
    fn a_small_file_cannot_ask_for_much() {
        let wide = Tensor::integers(vec![100, 1], vec![0; 100]);
        assert!(binary("Add", &wide, &list(&[0; 100]), &budget()).is_err());
    }

    #[test]
    fn reductions_keep_the_other_extents() {
        let tensor = Tensor::integers(vec![2, 2], vec![1, 2, 3, 4]);
        let of = |how, axes: &[usize]| reduce(how, &tensor, axes, &budget()).unwrap();
        assert_eq!(*of(Reduction::Sum, &[0]).to_integers(), [4, 6]);
        assert_eq!(of(Reduction::Product, &[0, 1]).shape, [1, 1]);
        assert_eq!(*of(Reduction::Product, &[0, 1]).to_integers(), [24]);
        assert_eq!(*of(Reduction::Max, &[1]).to_integers(), [2, 4]);
    }
}
