//! What operators of either kind of file do alike.

use super::layer::{Product, turned};
use super::{Parsed, Translator};
use crate::engine::import::call::{Call, Value};
use crate::engine::import::evaluate::{self, Number};
use crate::engine::import::source::{Node, Read};
use crate::engine::import::tensor::Tensor;

/// Nothing.
pub(super) fn keep<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    Ok(vec![Value::Wire(of.wire(node, 0)?)])
}

/// Nothing, to constants.
pub(super) fn same(call: &Call) -> Read<Vec<Tensor>> {
    Ok(vec![call.tensor(0)?.clone()])
}

/// A function of each number of a constant.
pub(super) fn one(call: &Call, operation: &str) -> Read<Vec<Tensor>> {
    Ok(vec![evaluate::unary(
        operation,
        call.tensor(0)?,
        call.budget,
    )?])
}

/// A product with a matrix.
pub(super) fn matmul<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    let input = of.wire(node, 0)?;
    let Some(matrix) = of.constant(node, 1) else {
        return Err("both of its operands are computed from the image".into());
    };
    let product = Product {
        input,
        weights: turned(&matrix, of)?,
        bias: None,
    };
    of.product(node, product)
}

/// Numbers of another kind, which a wire has only as floats.
pub(super) fn cast<'g>(of: &mut Translator<'g>, node: &'g Node, to: Number) -> Parsed {
    if to.is_float() {
        return keep(of, node);
    }
    Err("it makes whole numbers of what the image gives".into())
}

/// Constants as numbers of another kind.
pub(super) fn cast_constants(call: &Call, to: Number) -> Read<Vec<Tensor>> {
    Ok(vec![evaluate::cast(call.tensor(0)?, to, call.budget)?])
}
