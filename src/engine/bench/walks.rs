//! Walks over a network.

use std::sync::Arc;

use crate::engine::Result;
use crate::engine::autodiff::batch_step::{Batch, BatchStep};
use crate::engine::autodiff::{Program, Workspaces, trainable};
use crate::engine::backend::Backend;
use crate::engine::data::Images;
use crate::engine::evaluation;
use crate::engine::finetune::{Settings, Taken, Trainer, Update, Velocities};
use crate::engine::graph::Graph;
use crate::engine::graph::operations::BatchNormMode;
use crate::engine::graph::operations::rules::{Purpose, Wanted};
use crate::engine::hessian::Analysis;
use crate::engine::hessian::analysis::{self, Subject};
use crate::engine::hessian::curvature::Curvature;
use crate::engine::hessian::primal::Primal;
use crate::engine::hessian::sensitivity::Sensitivity;
use crate::engine::job::{Observer, Outcome, Silent, Verdict};
use crate::engine::model::Model;
use crate::engine::plan::{LayerFacts, Plan};
use crate::engine::quant::{Bits, QuantizedNetwork};

/// The logits of a batch, as an evaluation computes them.
pub struct Forward<'a, B: Backend> {
    program: Program<'a, B>,
    workspaces: Workspaces<B>,
}

impl<'a, B: Backend> Forward<'a, B> {
    /// Of a network.
    ///
    /// # Errors
    /// When the device fails.
    pub fn new(model: &'a Model, backend: &'a B) -> Result<Self> {
        let walk = (BatchNormMode::Running, Purpose::Evaluate);
        Ok(Self {
            program: Program::new(&model.graph, backend, &model.parameters, walk)?,
            workspaces: Workspaces::default(),
        })
    }

    /// Does it once.
    ///
    /// # Errors
    /// When the device fails.
    pub fn once(&mut self, batch: &Batch) -> Result<()> {
        let within = (&self.program, &self.workspaces);
        evaluation::logits_in(within, batch, &mut |_, _| Verdict::Continue)
    }
}

/// The loss of a batch and the gradients of all parameters, batch normalisation on its running
/// statistics.
pub struct ForwardBackward<'a, B: Backend> {
    model: &'a Model,
    program: Program<'a, B>,
    wanted: Wanted,
    memory: BatchStep<B>,
}

impl<'a, B: Backend> ForwardBackward<'a, B> {
    /// Of a network.
    ///
    /// # Errors
    /// When the device fails.
    pub fn new(model: &'a Model, backend: &'a B) -> Result<Self> {
        let graph = &model.graph;
        let walk = (BatchNormMode::Running, Purpose::Train);
        Ok(Self {
            model,
            program: Program::new(graph, backend, &model.parameters, walk)?,
            wanted: trainable(graph),
            memory: BatchStep::default(),
        })
    }

    /// Does it once.
    ///
    /// # Errors
    /// When the device fails.
    pub fn once(&mut self, batch: &Batch) -> Result<()> {
        let parameters = &self.model.parameters;
        let with = (&self.wanted, None);
        self.memory
            .run(&mut self.program, parameters, batch, with)?;
        Ok(())
    }
}

/// Training steps with batch statistics, as fine-tuning takes them.
pub struct Training<'a, B: Backend> {
    network: QuantizedNetwork,
    velocities: Velocities,
    trainer: Trainer<'a, B>,
    steps: u64,
}

impl<'a, B: Backend> Training<'a, B> {
    /// The network that is trained: weights and activations at `bits`, the image at 8 bits.
    ///
    /// # Errors
    /// When the device fails or a weight is not finite.
    pub fn network(
        (model, bits): (&Model, Bits),
        backend: &B,
        images: &dyn Images,
    ) -> Result<QuantizedNetwork> {
        let facts = LayerFacts::of(&model.graph);
        let mut plan = Plan::uniform("", &facts, bits, bits);
        for layer in plan.layers.iter_mut().filter(|_| bits.is_float()) {
            layer.activation_bits = bits;
        }
        let (graph, parameters) = (&model.graph, &model.parameters);
        let mut network = QuantizedNetwork::new(graph, parameters, &plan.bits(), plan.scale)?;
        network.calibrate(backend, images, &|_| true, &mut Silent)?;
        Ok(network)
    }

    /// Steps of `network`, whose graph is `graph`.
    ///
    /// # Errors
    /// When the device fails.
    pub fn new(graph: &'a Graph, network: QuantizedNetwork, backend: &'a B) -> Result<Self> {
        let (norms, memory) = (BatchNormMode::Batch, BatchStep::default());
        Ok(Self {
            trainer: Trainer::new((graph, &network), backend, norms, memory)?,
            network,
            velocities: Velocities::new(),
            steps: 0,
        })
    }

    /// Takes one step.
    ///
    /// # Errors
    /// When the device fails, or the loss is not finite.
    pub fn once(&mut self, batch: &Batch) -> Result<()> {
        self.steps += 1;
        let settings = Settings::default();
        let update = Update::new(&settings, settings.learning_rate);
        let how = Taken {
            update,
            number: self.steps,
            resting: &[],
        };
        let trained = (&mut self.network, &mut self.velocities);
        self.trainer.step(trained, (batch, None), how)?;
        Ok(())
    }
}

/// Hessian products of each layer over all images, by a tangent and a backward walk.
pub struct Products<'p, 'a, B: Backend> {
    primal: &'p Primal<'a, B>,
    curvature: Curvature<'p, 'a, B>,
}

impl<'p, 'a, B: Backend> Products<'p, 'a, B> {
    /// Walks the images forward: what all products reuse.
    ///
    /// # Errors
    /// When the device fails or the loss is not finite.
    pub fn primal(
        model: &'a Model,
        backend: &'a B,
        images: &'a dyn Images,
    ) -> Result<Primal<'a, B>> {
        let (graph, parameters) = (&model.graph, &model.parameters);
        let primal = Primal::new(graph, parameters, backend, images, &mut Silent)?;
        Ok(primal.expect("invariant: a silent observer does not stop"))
    }

    /// Products over the images of `primal`.
    #[must_use]
    pub fn new(primal: &'p Primal<'a, B>) -> Self {
        let curvature = Curvature::new(primal);
        Self { primal, curvature }
    }

    /// The layers' names.
    #[must_use]
    pub fn layers(&self) -> Vec<Arc<str>> {
        let layers = self.primal.layers().iter();
        layers.map(|layer| layer.name.clone()).collect()
    }

    /// A direction for a layer's product.
    #[must_use]
    pub fn direction(&self, layer: usize) -> Vec<f64> {
        let size = self.primal.layers()[layer].parameters();
        let value = |k: usize| ((k + 1) as f64 * 0.618_034).fract() - 0.5;
        (0..size).map(value).collect()
    }

    /// One product.
    ///
    /// # Errors
    /// When the device fails.
    pub fn once(&mut self, layer: usize, direction: &[f64]) -> Result<()> {
        self.curvature.product(layer, direction)?;
        Ok(())
    }
}

/// The measurement of all layers, as `analyze` makes it. Perturbations, which need no network walk, are
/// made before and not part of it.
pub struct Sweep<'a, B: Backend> {
    subject: Subject<'a, B>,
    settings: Analysis,
    prepared: Sensitivity,
}

impl<'a, B: Backend> Sweep<'a, B> {
    /// Of a subject.
    ///
    /// # Errors
    /// When a setting makes no sense or a weight is not finite.
    pub fn new(subject: Subject<'a, B>, settings: Analysis) -> Result<Self> {
        let prepared = analysis::prepare(&subject, &settings)?;
        Ok(Self {
            subject,
            settings,
            prepared,
        })
    }

    /// Measures everything; `None` when the observer asked to stop.
    ///
    /// # Errors
    /// See [`analysis::run`].
    pub fn once(&mut self, observer: &mut dyn Observer) -> Result<Option<Sensitivity>> {
        let mut state = self.prepared.clone();
        let mut save = |_: &Sensitivity| Ok(());
        let with = (&self.subject, &self.settings);
        let outcome = analysis::run(with.0, with.1, &mut state, &mut save, observer)?;
        Ok((outcome == Outcome::Done).then_some(state))
    }
}
