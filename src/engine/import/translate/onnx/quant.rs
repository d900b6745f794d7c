//! `Quant` nodes of QONNX (arXiv 2206.07527): `(clamp(round(x / scale + zero)) - zero) * scale`.

use super::super::{Parsed, Translator};
use crate::engine::import::call::Call;
use crate::engine::import::evaluate;
use crate::engine::import::source::{Node, Read};
use crate::engine::import::tensor::Tensor;

/// What a node asks for, besides what it reads.
struct Quantizer<'a> {
    scale: &'a Tensor,
    zero: &'a Tensor,
    bits: f32,
    is_signed: bool,
    is_narrow: bool,
    round: fn(f32) -> f32,
}

impl<'a> Quantizer<'a> {
    fn of(call: &Call<'a>) -> Read<Self> {
        const WIDEST: f32 = 32.0;
        let bits = match call.tensor(3)?.to_floats()[..] {
            [bits] if (1.0..=WIDEST).contains(&bits) && bits.fract() == 0.0 => bits,
            ref other => return Err(format!("expected one bit-width of 1 to 32, got {other:?}")),
        };
        let scale = call.tensor(1)?;
        let steps = scale.to_floats();
        if steps.is_empty() || !steps.iter().all(|&step| step.is_finite() && step > 0.0) {
            return Err("expected scales above 0".into());
        }
        Ok(Self {
            scale,
            zero: call.tensor(2)?,
            bits,
            is_signed: call.flag("signed", true)?,
            is_narrow: call.flag("narrow", false)?,
            round: rounding(call.text("rounding_mode"))?,
        })
    }

    /// The least and the largest code.
    fn codes(&self) -> [f32; 2] {
        let most = (self.bits - f32::from(u8::from(self.is_signed))).exp2() - 1.0;
        let narrow = f32::from(u8::from(self.is_narrow));
        if self.is_signed {
            [narrow - most - 1.0, most]
        } else {
            [0.0, most - narrow]
        }
    }
}

fn rounding(mode: &str) -> Read<fn(f32) -> f32> {
    Ok(match mode.to_ascii_uppercase().as_str() {
        "" | "ROUND" | "HALF_EVEN" => f32::round_ties_even,
        "CEIL" => f32::ceil,
        "FLOOR" => f32::floor,
        "ROUND_TO_ZERO" | "DOWN" => f32::trunc,
        _ => {
            return Err(format!(
                "rounding {mode:?}: expected ROUND, CEIL, FLOOR or ROUND_TO_ZERO"
            ));
        }
    })
}

/// Constants on their grids.
pub(super) fn constants(call: &Call) -> Read<Vec<Tensor>> {
    let quantizer = Quantizer::of(call)?;
    let Quantizer { scale, zero, .. } = quantizer;
    let [least, most] = quantizer.codes();
    let on_grid = |value: f32, [scale, zero]: [f32; 2]| {
        let code = (quantizer.round)(value / scale + zero).clamp(least, most);
        (code - zero) * scale
    };
    let weights = evaluate::with_two(call.tensor(0)?, [scale, zero], on_grid, call.budget)?;
    Ok(vec![weights])
}

/// What the image gives keeps the range of the grid, but not its steps: networks from files are not
/// quantized.
pub(super) fn range<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    let wire = of.wire(node, 0)?;
    let call = of.call(node);
    let quantizer = Quantizer::of(&call)?;
    let single = |tensor: &Tensor| match tensor.to_floats()[..] {
        [one] => Ok(one),
        _ => Err("expected one scale and one zero point for all that the image gives".to_owned()),
    };
    let (scale, zero) = (single(quantizer.scale)?, single(quantizer.zero)?);
    let bounds = quantizer.codes().map(|code| (code - zero) * scale);
    of.quantizers += 1;
    of.clip(node, &wire, bounds)
}
