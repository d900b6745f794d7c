//! Batch normalisation (arXiv 1502.03167): `y = gamma (x - mean) / sqrt(variance + epsilon) + beta`.

use serde::{Deserialize, Serialize};

use super::rules::{
    Backward, BatchGradient, Declared, Forward, Mismatch, Norm, Preparation, Prepared, Purpose,
    Rules, Saves, Tangent,
};
use crate::engine::Result;
use crate::engine::backend::{Backend, NormGradient};
use crate::engine::graph::{ParameterId, Parameters, Role, Shape, single};

/// Which statistics normalise, and whether they move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchNormMode {
    /// Running statistics: evaluation and analysis.
    Running,
    /// Statistics of the batch, which also move the running ones: training.
    Batch,
    /// Running statistics that stay as they are while gamma and beta are trained.
    Frozen,
}

/// Batch normalisation.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct BatchNorm {
    /// Channels.
    pub channels: usize,
    /// gamma; 1 where there is none.
    pub scale: Option<ParameterId>,
    /// beta; 0 where there is none.
    pub shift: Option<ParameterId>,
    /// Running mean.
    pub mean: ParameterId,
    /// Running variance.
    pub variance: ParameterId,
    /// Added to the variance.
    pub epsilon: f64,
}

/// Mean and (biased) variance of each channel over a batch.
#[derive(Debug, Clone)]
pub struct Statistics {
    /// Mean.
    pub mean: Vec<f64>,
    /// Biased variance.
    pub variance: Vec<f64>,
    /// Numbers behind each.
    pub count: f64,
}

impl Statistics {
    /// From sums of `x - pivot` and of its square.
    #[must_use]
    pub fn from_moments(pivot: &[f64], [sum, squares]: &[Vec<f64>; 2], count: f64) -> Self {
        let offset: Vec<f64> = sum.iter().map(|s| s / count).collect();
        let mean = pivot.iter().zip(&offset).map(|(p, o)| p + o).collect();
        let variance = squares
            .iter()
            .zip(&offset)
            .map(|(s, o)| (s / count - o * o).max(0.0))
            .collect();
        Self {
            mean,
            variance,
            count,
        }
    }
}

impl BatchNorm {
    /// Coefficients for these statistics.
    ///
    /// # Errors
    /// When the device fails.
    pub fn coefficients<B: Backend>(
        &self,
        with: &Preparation<B>,
        mean: &[f64],
        variance: &[f64],
    ) -> Result<Norm<B>> {
        let (gamma, beta) = self.gamma_and_beta(with.parameters);
        let inverse: Vec<f64> = variance
            .iter()
            .map(|v| 1.0 / (v + self.epsilon).sqrt())
            .collect();
        let scale: Vec<f64> = gamma.iter().zip(&inverse).map(|(g, i)| g * i).collect();
        let shift: Vec<f64> = beta
            .iter()
            .zip(mean)
            .zip(&scale)
            .map(|((b, m), s)| b - m * s)
            .collect();
        Ok(Norm {
            scale: with.backend.channels(&scale)?,
            shift: with.backend.channels(&shift)?,
            mean: with.backend.channels(mean)?,
            inverse,
            batch: None,
        })
    }

    /// gamma and beta of each channel.
    #[must_use]
    pub fn gamma_and_beta(&self, parameters: &Parameters) -> (Vec<f64>, Vec<f64>) {
        let values = |id: Option<ParameterId>, otherwise| {
            id.map_or_else(
                || vec![otherwise; self.channels],
                |id| parameters.get(id).to_vec(),
            )
        };
        (values(self.scale, 1.0), values(self.shift, 0.0))
    }

    /// Completes `norm` for the backward walk from the sums of `dy` and `dy * (x - mean)` over a
    /// batch of `count` numbers a channel.
    ///
    /// # Errors
    /// When the device fails.
    pub fn complete<B: Backend>(
        backend: &B,
        norm: &mut Norm<B>,
        [sum, products]: &[Vec<f64>; 2],
        count: f64,
    ) -> Result<()> {
        let offset: Vec<f64> = sum.iter().map(|s| s / count).collect();
        let slope: Vec<f64> = products
            .iter()
            .zip(&norm.inverse)
            .map(|(p, i)| p * i * i / count)
            .collect();
        norm.batch = Some(BatchGradient {
            offset: backend.channels(&offset)?,
            slope: backend.channels(&slope)?,
        });
        Ok(())
    }

    /// Moves the running statistics towards those of a batch, the variance unbiased.
    pub fn track(&self, parameters: &mut Parameters, batch: &Statistics, momentum: f64) {
        let unbiased = batch.count / (batch.count - 1.0).max(1.0);
        for (running, new) in parameters.get_mut(self.mean).iter_mut().zip(&batch.mean) {
            *running = single(*running + momentum * (new - *running));
        }
        for (running, new) in parameters
            .get_mut(self.variance)
            .iter_mut()
            .zip(&batch.variance)
        {
            *running = single(*running + momentum * (new * unbiased - *running));
        }
    }
}

fn norm<B: Backend>(prepared: &Prepared<B>) -> &Norm<B> {
    match prepared {
        Prepared::Norm(norm) => norm,
        _ => unreachable!("invariant: the walk prepares statistics before normalising"),
    }
}

impl Rules for BatchNorm {
    const NAME: &'static str = "batch normalisation";

    fn shape(&self, inputs: &[Shape]) -> std::result::Result<Shape, Mismatch> {
        match *inputs {
            _ if !(self.epsilon.is_finite() && self.epsilon >= 0.0) => {
                let expected = format!("an epsilon of 0 or more, not {}", self.epsilon);
                Err(Mismatch::new(expected, inputs))
            }
            [shape] if shape.channels() == self.channels => Ok(shape),
            _ => {
                let expected = format!("a map of {0} channels, or {0} features", self.channels);
                Err(Mismatch::new(expected, inputs))
            }
        }
    }

    fn parameters(&self) -> Vec<Declared> {
        let all = [
            (self.scale, Role::Scale),
            (self.shift, Role::Shift),
            (Some(self.mean), Role::RunningMean),
            (Some(self.variance), Role::RunningVariance),
        ];
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
        if with.mode == BatchNormMode::Batch {
            return Ok(Prepared::Nothing);
        }
        let mean = with.parameters.get(self.mean);
        let variance = with.parameters.get(self.variance);
        Ok(Prepared::Norm(self.coefficients(with, mean, variance)?))
    }

    fn forward<B: Backend>(&self, step: &mut Forward<B>) -> Result<B::Array> {
        let (backend, norm) = (step.backend, norm(step.prepared));
        let (workspace, x) = step.input(0);
        backend.scale_shift(workspace, x, &norm.scale, Some(&norm.shift))
    }

    fn tangent<B: Backend>(&self, step: &mut Tangent<B>) -> Result<B::Array> {
        let (backend, norm) = (step.backend, norm(step.prepared));
        let (workspace, dx) = step.input(0);
        backend.scale_shift(workspace, dx, &norm.scale, None)
    }

    fn backward<B: Backend>(&self, step: &mut Backward<B>, gradient: B::Array) -> Result<()> {
        let norm = norm(step.prepared);
        let constant_statistics = norm.batch.is_none();
        let mut trained = [self.scale, self.shift].into_iter().flatten();
        if constant_statistics && trained.any(|id| step.wants(id)) {
            let x = step.primal_input(0);
            let [sums, products] = step.backend.channel_products(x, &norm.mean, &gradient)?;
            let slopes: Vec<f64> = products
                .iter()
                .zip(&norm.inverse)
                .map(|(p, i)| p * i)
                .collect();
            for (id, gradient) in [(self.shift, sums), (self.scale, slopes)] {
                if let Some(id) = id {
                    step.collect_vector(id, &gradient);
                }
            }
        }
        if !step.wants_input(0) {
            step.backend.recycle(step.workspace, gradient);
            return Ok(());
        }
        let dx = match &norm.batch {
            None => {
                let (backend, workspace) = (step.backend, &mut *step.workspace);
                let dx = backend.scale_shift(workspace, &gradient, &norm.scale, None)?;
                backend.recycle(workspace, gradient);
                dx
            }
            Some(batch) => {
                let coefficients = NormGradient {
                    scale: &norm.scale,
                    offset: &batch.offset,
                    mean: &norm.mean,
                    slope: &batch.slope,
                };
                let x = step.primal_input(0);
                step.backend
                    .norm_grad_input(step.workspace, x, gradient, &coefficients)?
            }
        };
        step.send(0, dx)
    }
}
