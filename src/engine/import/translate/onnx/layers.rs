//! Convolutions, products with matrices, normalisation.

use super::super::layer::{Convolution, Product, scaled, turned};
use super::super::norm::Norm;
use super::super::pooling::Placing;
use super::super::{Parsed, Translator};
use crate::engine::import::evaluate;
use crate::engine::import::source::Node;

pub(super) fn conv<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    let call = of.call(node);
    let weights = call.constant(1)?.clone();
    let kernel = call.integers("kernel_shape")?.unwrap_or_default();
    let here = weights
        .tensor
        .shape
        .iter()
        .skip(2)
        .map(|&extent| extent as i64);
    if !kernel.is_empty() && !here.eq(kernel.iter().copied()) {
        return Err(format!(
            "its kernel_shape is {kernel:?}, that of its weights another"
        ));
    }
    let convolution = Convolution {
        input: of.wire(node, 0)?,
        bias: call.optional(2)?.cloned(),
        placing: Placing::of(&call)?,
        groups: usize::try_from(call.integer("group", 1)?).unwrap_or(0),
        weights,
    };
    of.convolution(node, convolution)
}

pub(super) fn gemm<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    let call = of.call(node);
    if call.flag("transA", false)? {
        return Err("it turns what it reads (transA)".into());
    }
    let (alpha, beta) = (call.float("alpha", 1.0)?, call.float("beta", 1.0)?);
    let matrix = call.constant(1)?;
    let weights = if call.flag("transB", false)? {
        matrix.clone()
    } else {
        turned(matrix, of)?
    };
    let weights = scaled(&weights, alpha as f32);
    let outputs = weights.tensor.shape.first().copied().unwrap_or(0);
    let bias = call.optional(2)?.map(|bias| scaled(bias, beta as f32));
    let bias = match bias {
        Some(mut bias) if bias.tensor.len() == 1 && outputs > 1 => {
            bias.tensor = evaluate::between(&bias.tensor, &[1, outputs], &of.budget)?;
            Some(bias)
        }
        other => other,
    };
    let product = Product {
        input: of.wire(node, 0)?,
        weights,
        bias,
    };
    of.product(node, product)
}

pub(super) fn batch_norm<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    let call = of.call(node);
    let written = node
        .outputs
        .iter()
        .skip(1)
        .filter(|name| of.links.is_read(name));
    if call.flag("training_mode", false)? || written.count() > 0 {
        return Err("it is in training mode; export the network in evaluation mode".into());
    }
    let norm = Norm {
        gamma: call.optional(1)?.cloned(),
        beta: call.optional(2)?.cloned(),
        mean: call.constant(3)?.clone(),
        variance: call.constant(4)?.clone(),
        epsilon: call.float("epsilon", 1e-5)?,
    };
    of.batch_norm(node, &norm)
}
