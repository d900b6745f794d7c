//! What a run reads, made from what was asked for: images held out, images to calibrate on, batches, and
//! the calendar.

use super::batches::Batches;
use super::checkpoint::{Position, State};
use super::distillation::Answers;
use super::load::bits_after;
use super::optimizer::Velocities;
use super::schedule::Calendar;
use super::settings::EarlierStages;
use super::{Request, Subject};
use crate::engine::autodiff::batch_step::Batch;
use crate::engine::autodiff::{Program, Workspaces, beside_training};
use crate::engine::backend::Backend;
use crate::engine::data::{Order, Selection, sample, split_train};
use crate::engine::evaluation;
use crate::engine::graph::operations::BatchNormMode;
use crate::engine::graph::operations::rules::Purpose;
use crate::engine::graph::{ParameterId, Parameters};
use crate::engine::job::Verdict;
use crate::engine::quant::{LayerBits, QuantizedNetwork};
use crate::engine::{Error, Result};

/// What a run reads.
pub(super) struct Inputs<'a, B: Backend> {
    pub backend: &'a B,
    /// Chunks that are evaluated at the same time.
    pub at_once: usize,
    pub subject: &'a Subject<'a>,
    pub request: &'a Request<'a>,
    pub calendar: Calendar,
    pub distance: u64,
    pub validation: Selection<'a>,
    pub calibration: Selection<'a>,
    pub test: Selection<'a>,
    /// The float network, when it is learned from, and the memory it computes in.
    pub teacher: Option<(Program<'a, B>, Workspaces<B>)>,
}

/// What the run reads, and its batches.
pub(super) fn prepare<'a, B: Backend>(
    backend: &'a B,
    subject: &'a Subject<'a>,
    request: &'a Request<'a>,
) -> Result<(Inputs<'a, B>, Batches<'a>)> {
    let settings = request.settings;
    let images = (subject.train, subject.normalization);
    let held_out = (subject.train.len() as f64 * settings.validation) as usize;
    let (train, validation) = split_train(subject.train.len(), held_out, settings.seed)?;
    let fitted = settings.calibration.min(train.len());
    let fitted = sample(Order::Random, fitted, settings.seed, train.len())?;
    let fitted = fitted.into_iter().map(|place| train[place]).collect();
    let batch = settings.batch_size.min(train.len());
    let at_once = beside_training(subject.graph, backend, batch)?;
    let batches = Batches::new(images, train, settings);
    let calendar = Calendar {
        steps_per_epoch: batches.per_epoch(),
        epochs: settings.epochs,
        stages: request.stages.len(),
        staging: settings.staging,
        learning_rate: settings.learning_rate,
        rates: settings.rates.clone(),
        decay: settings.decay,
    };
    let teacher = (settings.distill > 0.0).then(|| {
        let walk = (BatchNormMode::Running, Purpose::Distill);
        let program = Program::new(subject.graph, backend, subject.parameters, walk)?;
        Ok::<_, Error>((program, Workspaces::default()))
    });
    let inputs = Inputs {
        backend,
        at_once,
        subject,
        request,
        calendar,
        distance: settings.checkpoint_distance(subject.graph),
        validation: Selection::new(images.0, images.1, validation)?,
        calibration: Selection::new(images.0, images.1, fitted)?,
        test: Selection::all(subject.test, subject.normalization)?,
        teacher: teacher.transpose()?,
    };
    Ok((inputs, batches))
}

impl<B: Backend> Inputs<'_, B> {
    /// What does not move at a 0-based step: weights, biases and step sizes of the stages before the
    /// one that `entered` last, where they are to rest while stages enter.
    pub fn resting(
        &self,
        step: u64,
        (network, entered): (&QuantizedNetwork, usize),
    ) -> Vec<ParameterId> {
        let rests = self.request.settings.earlier_stages == EarlierStages::Frozen;
        if !rests || !self.calendar.is_staging(step) {
            return Vec::new();
        }
        let layers = network.graph.layers();
        let earlier = self.request.stages.iter().take(entered.saturating_sub(1));
        let of_layer = |&layer: &usize| {
            let operation = &network.graph.node(layers[layer].node).operation;
            let step = network.activation_step_id(layer);
            operation.parameters().into_iter().chain(step)
        };
        earlier.flatten().flat_map(of_layer).collect()
    }

    /// Bits of each layer after this many stages.
    pub fn bits(&self, entered: usize) -> Vec<LayerBits> {
        bits_after(self.request.plan, self.request.stages, entered)
    }

    /// The network with these bits, its layers' weights as in `parameters`.
    pub fn quantized(
        &self,
        parameters: &Parameters,
        bits: &[LayerBits],
    ) -> Result<QuantizedNetwork> {
        QuantizedNetwork::new(
            self.subject.graph,
            parameters,
            bits,
            self.request.plan.scale,
        )
    }

    /// What the float network says of a batch, if it is learned from.
    pub fn answers(&self, batch: &Batch) -> Result<Option<Answers>> {
        let Some((program, workspaces)) = &self.teacher else {
            return Ok(None);
        };
        let settings = self.request.settings;
        let mut logits = Vec::new();
        evaluation::logits_in((program, workspaces), batch, &mut |some, _| {
            logits.extend_from_slice(some);
            Verdict::Continue
        })?;
        Ok(Some(Answers {
            logits,
            total: batch.labels.len(),
            weight: settings.distill,
            temperature: settings.temperature,
        }))
    }

    pub fn beginning(&self) -> Result<State> {
        Ok(State {
            network: self.quantized(self.subject.parameters, &self.bits(0))?,
            velocities: Velocities::new(),
            position: Position::default(),
        })
    }
}
