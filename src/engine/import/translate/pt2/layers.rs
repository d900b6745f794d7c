//! Convolutions, products with matrices, normalisation.

use super::super::layer::{Convolution, Product, scaled, turned};
use super::super::norm::Norm;
use super::super::pooling::{Around, Placing};
use super::super::{Parsed, Translator};
use crate::engine::import::call::{Call, Constant, Value};
use crate::engine::import::source::{Node, Read};

/// A constant argument that must be there.
pub(super) fn needed<'a>(call: &Call<'a>, name: &str) -> Read<&'a Constant> {
    call.named(name)?
        .ok_or_else(|| format!("its {name} is missing"))
}

pub(super) fn conv<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    let call = of.call(node);
    if call.flag("transposed", false)? {
        return Err("it is transposed".into());
    }
    let around = match call.text("padding") {
        "same" => Around::SameUpper,
        "valid" => Around::Pads([0; 4]),
        _ => {
            let [rows, columns] = call.pair("padding", 0)?;
            Around::Pads([rows, columns, rows, columns])
        }
    };
    let convolution = Convolution {
        input: of.wire(node, 0)?,
        weights: needed(&call, "weight")?.clone(),
        bias: call.named("bias")?.cloned(),
        placing: Placing {
            strides: call.pair("stride", 1)?,
            around,
            dilations: call.pair("dilation", 1)?,
            ceil_mode: false,
        },
        groups: usize::try_from(call.integer("groups", 1)?).unwrap_or(0),
    };
    of.convolution(node, convolution)
}

pub(super) fn linear<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    let call = of.call(node);
    let product = Product {
        input: of.wire(node, 0)?,
        weights: needed(&call, "weight")?.clone(),
        bias: call.named("bias")?.cloned(),
    };
    of.product(node, product)
}

pub(super) fn addmm<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    let call = of.call(node);
    let (alpha, beta) = (call.float("alpha", 1.0)?, call.float("beta", 1.0)?);
    let input = match call.argument("mat1") {
        Some(Value::Wire(wire)) => wire.clone(),
        _ => return Err("its first matrix is constant: expected what an image gives".into()),
    };
    let product = Product {
        input,
        weights: scaled(&turned(needed(&call, "mat2")?, of)?, alpha as f32),
        bias: Some(scaled(needed(&call, "self")?, beta as f32)),
    };
    of.product(node, product)
}

pub(super) fn batch_norm<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    let call = of.call(node);
    if call.flag("training", false)? {
        return Err("it is in training mode; export model.eval()".into());
    }
    let norm = Norm {
        gamma: call.named("weight")?.cloned(),
        beta: call.named("bias")?.cloned(),
        mean: needed(&call, "running_mean")?.clone(),
        variance: needed(&call, "running_var")?.clone(),
        epsilon: call.float("eps", 1e-5)?,
    };
    of.batch_norm(node, &norm)
}
