//! A function of every number: value and slope. All functions here are straight lines in pieces.

use serde::{Deserialize, Serialize};

use super::rules::{
    Backward, Declared, Forward, Mismatch, Preparation, Prepared, Purpose, Rules, Saves, Tangent,
};
use crate::engine::Result;
use crate::engine::backend::{Backend, Unary};
use crate::engine::graph::{ParameterId, Role, Shape};

/// Which function.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Function {
    /// `max(x, 0)`.
    #[doc(alias = "ReLU")]
    #[doc(alias = "rectifier")]
    Relu,
    /// `min(max(x, low), high)`; ReLU6 is the clip to 0 and 6. Infinite bounds are written as none.
    #[doc(alias = "ReLU6")]
    Clip {
        /// The smallest value.
        #[serde(with = "bound::low", default = "bound::low::none")]
        low: f64,
        /// The largest value.
        #[serde(with = "bound::high", default = "bound::high::none")]
        high: f64,
    },
    /// `x` above 0, else `x` times a slope.
    LeakyRelu {
        /// The slope below 0.
        slope: f64,
    },
    /// `x` above 0, else `x` times a slope that is trained (arXiv 1502.01852).
    #[serde(rename = "prelu")]
    PRelu {
        /// One slope, or one per channel.
        slope: ParameterId,
        /// How many slopes.
        slopes: usize,
        /// Channels, or features.
        channels: usize,
    },
}

/// A bound of a clip in a file, where no number is infinite.
mod bound {
    macro_rules! bound {
        ($name:ident, $infinite:expr) => {
            pub mod $name {
                use serde::{Deserialize, Deserializer, Serialize, Serializer};

                pub const fn none() -> f64 {
                    $infinite
                }

                #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
                pub fn serialize<S: Serializer>(
                    value: &f64,
                    serializer: S,
                ) -> Result<S::Ok, S::Error> {
                    value.is_finite().then_some(*value).serialize(serializer)
                }

                pub fn deserialize<'de, D: Deserializer<'de>>(
                    deserializer: D,
                ) -> Result<f64, D::Error> {
                    let value = Option::<f64>::deserialize(deserializer)?;
                    Ok(value.unwrap_or_else(none))
                }
            }
        };
    }
    bound!(low, f64::NEG_INFINITY);
    bound!(high, f64::INFINITY);
}

/// A function of every number.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Activate {
    /// The function.
    pub function: Function,
}

impl Activate {
    /// `max(x, 0)`.
    pub const RELU: Self = Self {
        function: Function::Relu,
    };

    /// Whether its slope is known from its output, so that it can be computed together with what
    /// surrounds it and nothing but its output is kept.
    #[must_use]
    pub fn is_seen_behind(&self) -> bool {
        match self.function {
            Function::Relu | Function::Clip { .. } => true,
            Function::LeakyRelu { slope } => slope >= 0.0,
            Function::PRelu { .. } => false,
        }
    }

    /// The function on a device.
    pub(crate) fn on_device<'a, B: Backend>(&self, prepared: &'a Prepared<B>) -> Unary<'a, B> {
        match (self.function, prepared) {
            (Function::Relu, _) => Unary::Relu,
            (Function::Clip { low, high }, _) => Unary::Clip { low, high },
            (Function::LeakyRelu { slope }, _) => Unary::LeakyRelu(slope),
            (Function::PRelu { .. }, Prepared::Slopes(slopes)) => Unary::PRelu(slopes),
            (Function::PRelu { .. }, _) => {
                unreachable!("invariant: slopes are prepared before they are used")
            }
        }
    }

    /// What the function must be, if it is not.
    fn fault(&self, input: Shape) -> Option<String> {
        match self.function {
            Function::Clip { low, high } if low.is_nan() || high.is_nan() || low > high => {
                Some(format!(
                    "a clip whose lower bound is not above the upper one, not {low} and {high}"
                ))
            }
            Function::LeakyRelu { slope } if !slope.is_finite() => {
                Some(format!("a finite slope, not {slope}"))
            }
            Function::PRelu {
                slopes, channels, ..
            } if channels != input.channels() || ![1, channels].contains(&slopes) => {
                Some(format!("{slopes} channels, for as many slopes"))
            }
            _ => None,
        }
    }
}

impl Rules for Activate {
    const NAME: &'static str = "activation function";

    fn shape(&self, inputs: &[Shape]) -> std::result::Result<Shape, Mismatch> {
        let [shape] = *inputs else {
            return Err(Mismatch::new("one input", inputs));
        };
        match self.fault(shape) {
            None => Ok(shape),
            Some(expected) => Err(Mismatch::new(expected, inputs)),
        }
    }

    fn parameters(&self) -> Vec<Declared> {
        match self.function {
            Function::PRelu { slope, slopes, .. } => {
                vec![Declared::new(slope, Role::Slope, &[slopes])]
            }
            _ => Vec::new(),
        }
    }

    fn is_nonnegative(&self, inputs: &[bool]) -> bool {
        let reads = inputs.iter().all(|&input| input);
        match self.function {
            Function::Relu => true,
            Function::Clip { low, high } => low >= 0.0 || reads && high >= 0.0,
            Function::LeakyRelu { slope } => slope <= 0.0 || reads,
            Function::PRelu { .. } => reads,
        }
    }

    fn saves(&self, purpose: Purpose) -> Saves {
        match purpose {
            Purpose::Evaluate | Purpose::Distill => Saves::NOTHING,
            Purpose::Analyse | Purpose::Train if self.is_seen_behind() => Saves::OUTPUT,
            Purpose::Analyse | Purpose::Train => Saves::INPUTS,
        }
    }

    fn prepare<B: Backend>(&self, with: &Preparation<B>) -> Result<Prepared<B>> {
        let Function::PRelu {
            slope, channels, ..
        } = self.function
        else {
            return Ok(Prepared::Nothing);
        };
        let slopes = with.parameters.get(slope).iter().cycle();
        let each: Vec<f64> = slopes.take(channels).copied().collect();
        Ok(Prepared::Slopes(with.backend.channels(&each)?))
    }

    fn forward<B: Backend>(&self, step: &mut Forward<B>) -> Result<B::Array> {
        let x = step.take_input(0)?;
        let function = self.on_device(step.prepared);
        step.backend.activate(step.workspace, &function, x)
    }

    fn tangent<B: Backend>(&self, step: &mut Tangent<B>) -> Result<B::Array> {
        let dx = step.take_input(0)?;
        let function = self.on_device(step.prepared);
        let at = if self.is_seen_behind() {
            step.primal_output()
        } else {
            step.primal_input(0)
        };
        let backend = step.backend;
        backend.activate_slope(step.workspace, &function, at, dx)
    }

    fn backward<B: Backend>(&self, step: &mut Backward<B>, gradient: B::Array) -> Result<()> {
        if let Function::PRelu { slope, slopes, .. } = self.function
            && step.wants(slope)
        {
            let x = step.primal_input(0);
            let each = step.backend.negative_products(x, &gradient)?;
            let sums = if slopes == 1 {
                vec![each.iter().sum()]
            } else {
                each
            };
            step.collect_vector(slope, &sums);
        }
        if !step.wants_input(0) {
            step.backend.recycle(step.workspace, gradient);
            return Ok(());
        }
        let function = self.on_device(step.prepared);
        let at = if self.is_seen_behind() {
            step.primal_output()
        } else {
            step.primal_input(0)
        };
        let backend = step.backend;
        let dx = backend.activate_slope(step.workspace, &function, at, gradient)?;
        step.send(0, dx)
    }
}
