//! A factor and a summand for each channel: what is left of a normalisation whose statistics are gone.

use serde::{Deserialize, Serialize};

use super::rules::{
    Backward, Declared, Forward, Mismatch, Preparation, Prepared, Purpose, Rules, Saves, Tangent,
};
use crate::engine::Result;
use crate::engine::backend::Backend;
use crate::engine::graph::{ParameterId, Role, Shape};

/// `x * factor + shift`, by channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scale {
    /// Channels, or features.
    pub channels: usize,
    /// One factor per channel; 1 where there is none.
    pub factor: Option<ParameterId>,
    /// One summand per channel; 0 where there is none.
    pub shift: Option<ParameterId>,
}

fn coefficients<B: Backend>(prepared: &Prepared<B>) -> (&B::Channels, &B::Channels, &B::Channels) {
    match prepared {
        Prepared::Scale {
            factor,
            shift,
            zero,
        } => (factor, shift, zero),
        _ => unreachable!("invariant: a scale is prepared as one"),
    }
}

impl Rules for Scale {
    const NAME: &'static str = "scale";

    fn shape(&self, inputs: &[Shape]) -> std::result::Result<Shape, Mismatch> {
        match *inputs {
            [shape] if shape.channels() == self.channels => Ok(shape),
            _ => {
                let expected = format!("a map of {0} channels, or {0} features", self.channels);
                Err(Mismatch::new(expected, inputs))
            }
        }
    }

    fn parameters(&self) -> Vec<Declared> {
        let all = [(self.factor, Role::Scale), (self.shift, Role::Shift)];
        let there = all.into_iter().filter_map(|(id, role)| Some((id?, role)));
        there
            .map(|(id, role)| Declared::new(id, role, &[self.channels]))
            .collect()
    }

    fn saves(&self, purpose: Purpose) -> Saves {
        match purpose {
            Purpose::Evaluate | Purpose::Distill | Purpose::Analyse => Saves::NOTHING,
            Purpose::Train => Saves::INPUTS,
        }
    }

    fn prepare<B: Backend>(&self, with: &Preparation<B>) -> Result<Prepared<B>> {
        let values = |id: Option<ParameterId>, otherwise| match id {
            Some(id) => with.backend.channels(with.parameters.get(id)),
            None => with.backend.channels(&vec![otherwise; self.channels]),
        };
        Ok(Prepared::Scale {
            factor: values(self.factor, 1.0)?,
            shift: values(self.shift, 0.0)?,
            zero: values(None, 0.0)?,
        })
    }

    fn forward<B: Backend>(&self, step: &mut Forward<B>) -> Result<B::Array> {
        let (backend, (factor, shift, _)) = (step.backend, coefficients(step.prepared));
        let (workspace, x) = step.input(0);
        backend.scale_shift(workspace, x, factor, Some(shift))
    }

    fn tangent<B: Backend>(&self, step: &mut Tangent<B>) -> Result<B::Array> {
        let (backend, (factor, _, _)) = (step.backend, coefficients(step.prepared));
        let (workspace, dx) = step.input(0);
        backend.scale_shift(workspace, dx, factor, None)
    }

    fn backward<B: Backend>(&self, step: &mut Backward<B>, gradient: B::Array) -> Result<()> {
        let (factor, _, zero) = coefficients(step.prepared);
        let mut trained = [self.factor, self.shift].into_iter().flatten();
        if trained.any(|id| step.wants(id)) {
            let x = step.primal_input(0);
            let [sums, products] = step.backend.channel_products(x, zero, &gradient)?;
            for (id, gradient) in [(self.shift, sums), (self.factor, products)] {
                if let Some(id) = id {
                    step.collect_vector(id, &gradient);
                }
            }
        }
        if !step.wants_input(0) {
            step.backend.recycle(step.workspace, gradient);
            return Ok(());
        }
        let (backend, workspace) = (step.backend, &mut *step.workspace);
        let dx = backend.scale_shift(workspace, &gradient, factor, None)?;
        backend.recycle(workspace, gradient);
        step.send(0, dx)
    }
}
