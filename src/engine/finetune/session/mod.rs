//! A run from its first event to its last: what comes next is a function of the [`State`] alone, so
//! that a run read back from disk goes on as if nothing had happened.

mod closing;

use std::sync::mpsc::Receiver;

use super::checkpoint::{self, State};
use super::folder::RunFolder;
use super::inputs::{Inputs, prepare};
use super::journal::{Journal, Reporter};
use super::optimizer::Update;
use super::record::Record;
use super::reopen::{Opened, concluded, reopen};
use super::trainer::{Taken, Trainer};
use super::{Report, Request, Start, Subject};
use crate::engine::autodiff::Program;
use crate::engine::autodiff::batch_step::{Batch, BatchStep, LossGradient};
use crate::engine::backend::Backend;
use crate::engine::data::{Label, Selection};
use crate::engine::evaluation;
use crate::engine::graph::operations::BatchNormMode;
use crate::engine::graph::operations::rules::Purpose;
use crate::engine::graph::{Graph, Parameters};
use crate::engine::job::{Event, Observer, Outcome, Score, Split, Verdict};
use crate::engine::quant::QuantizedNetwork;
use crate::engine::{Error, Result};

/// A run under way.
struct Session<'s, 'a, B: Backend> {
    inputs: &'s Inputs<'a, B>,
    folder: &'s RunFolder,
    reporter: Reporter<'s>,
    state: State,
    /// The whole plan after calibration, as the beginning of a run left it.
    calibrated: Option<QuantizedNetwork>,
    memory: BatchStep<B>,
}

/// What comes next.
enum Next {
    Evaluate,
    Checkpoint,
    EnterStage,
    /// Training up to this many steps.
    Train(u64),
    Renormalize,
    Finish,
}

/// Carries out a request; see [`tune`](super::tune).
pub(super) fn run<B: Backend>(
    (backend, subject, request): (&B, &Subject, &Request),
    observer: &mut dyn Observer,
) -> Result<Report> {
    let record = Record::new(subject, request, backend.describe())?;
    let (mut inputs, batches) = prepare(backend, subject, request)?;
    let Opened {
        folder,
        state: last,
        notes,
    } = match request.start {
        Start::Fresh => Opened {
            folder: RunFolder::create(
                request.folder,
                &record,
                (request.plan, &subject.structure()),
            )?,
            state: None,
            notes: Vec::new(),
        },
        _ => reopen(&mut inputs, &record)?,
    };
    let begun = last.is_some();
    let state = match (last, request.start) {
        (Some(last), Start::Conclude(kept)) => concluded(&inputs, (&folder, last), kept)?,
        (None, Start::Conclude(_)) => return Err(nothing_kept(&folder)),
        (Some(last), _) => last,
        (None, _) => inputs.beginning()?,
    };
    let (journal, changed) = Journal::open(&folder.events(), state.position.journal)?;
    let mut session = Session {
        inputs: &inputs,
        folder: &folder,
        reporter: Reporter::new(journal, observer, folder.presence()),
        state,
        calibrated: None,
        memory: BatchStep::default(),
    };
    for message in notes.into_iter().chain(changed) {
        session.reporter.record(Event::Warning { message })?;
    }
    if !begun && session.begin()? == Verdict::Stop {
        return session.end(Outcome::Stopped);
    }
    if session.state.position.test.is_some() {
        return Ok(session.report(Outcome::Done));
    }
    if matches!(request.start, Start::Conclude(_)) {
        return session.conclude();
    }
    std::thread::scope(|scope| {
        let steps = session.state.position.step..inputs.calendar.total() + closing::REESTIMATION;
        let ahead = batches.ahead(scope, steps)?;
        session.go(&ahead)
    })
}

impl<B: Backend> Session<'_, '_, B> {
    /// Measures the float network and the plan without training: the lines that training starts
    /// between.
    fn begin(&mut self) -> Result<Verdict> {
        let subject = self.inputs.subject;
        let images = &self.inputs.validation;
        let Some(score) = self.score((subject.graph, subject.parameters), images)? else {
            return Ok(Verdict::Stop);
        };
        self.tell_score(Split::Validation, "float".to_owned(), score)?;
        let bits = self.inputs.bits(self.inputs.request.stages.len());
        let mut network = self.inputs.quantized(subject.parameters, &bits)?;
        if !self.calibrate(&mut network, &|_| true)? {
            return Ok(Verdict::Stop);
        }
        let (graph, effective) = (network.graph.clone(), network.effective());
        let Some(score) = self.score((&graph, &effective), images)? else {
            return Ok(Verdict::Stop);
        };
        self.tell_score(Split::Validation, "post-training".to_owned(), score)?;
        self.calibrated = Some(network);
        Ok(Verdict::Continue)
    }

    fn go(&mut self, batches: &Receiver<Result<Batch>>) -> Result<Report> {
        loop {
            if self.reporter.stopping() {
                return self.stopped();
            }
            match self.next() {
                Next::Evaluate => self.evaluate()?,
                Next::Checkpoint => self.checkpoint()?,
                Next::EnterStage => self.enter_stage()?,
                Next::Train(until) => self.train(until, batches)?,
                Next::Renormalize => self.renormalize(batches)?,
                Next::Finish => {
                    self.finish()?;
                    if self.state.position.test.is_some() {
                        return Ok(self.report(Outcome::Done));
                    }
                }
            }
        }
    }

    fn next(&self) -> Next {
        let (calendar, distance) = (&self.inputs.calendar, self.inputs.distance);
        let position = &self.state.position;
        let (step, total) = (position.step, calendar.total());
        let epoch_end = calendar.end_of_epochs(position.epochs + 1);
        let stage = calendar.stage(position.stages);
        let scheduled = step % distance == 0 || step == total;
        if step >= epoch_end {
            Next::Evaluate
        } else if scheduled && position.told != Some(step) {
            Next::Checkpoint
        } else if step == total && self.is_to_be_renormalized() {
            Next::Renormalize
        } else if step == total {
            Next::Finish
        } else if position.stages < calendar.stages && step >= stage.start {
            Next::EnterStage
        } else {
            let next_stage = if position.stages < calendar.stages {
                stage.start
            } else {
                total
            };
            let next_checkpoint = (step / distance + 1) * distance;
            Next::Train(next_checkpoint.min(epoch_end).min(next_stage).min(total))
        }
    }

    /// Scores the epoch that ended: its training steps, and the validation images.
    fn evaluate(&mut self) -> Result<()> {
        let network = &self.state.network;
        let (graph, effective) = (network.graph.clone(), network.effective());
        let images = &self.inputs.validation;
        let Some(score) = self.score((&graph, &effective), images)? else {
            return Ok(());
        };
        self.state.position.epochs += 1;
        let running = std::mem::take(&mut self.state.position.running);
        let label = format!("epoch {}", self.state.position.epochs);
        self.tell_score(Split::Train, label.clone(), running.score())?;
        self.tell_score(Split::Validation, label, score)?;
        self.keep_if_best(score)
    }

    fn checkpoint(&mut self) -> Result<()> {
        self.save()?;
        let step = self.state.position.step;
        self.state.position.told = Some(step);
        self.reporter.record(Event::Checkpoint { step })
    }

    fn save(&mut self) -> Result<()> {
        self.folder.presence().check()?;
        self.reporter.journal().sync()?;
        self.state.position.journal = self.reporter.journal().bytes();
        checkpoint::write(&self.folder.checkpoint(), &self.state)
    }

    /// Quantizes the next stage's layers from where training has brought them.
    fn enter_stage(&mut self) -> Result<()> {
        let index = self.state.position.stages;
        let stages = self.inputs.request.stages;
        let network = match self.calibrated.take() {
            Some(network) if stages.len() == 1 => network,
            _ => {
                let bits = self.inputs.bits(index + 1);
                let trained = &self.state.network;
                let mut network = self.inputs.quantized(&trained.parameters, &bits)?;
                network.adopt_steps(trained);
                if !self.calibrate(&mut network, &|layer| stages[index].contains(&layer))? {
                    return Ok(());
                }
                network
            }
        };
        self.state.network = network;
        self.memory = BatchStep::default();
        self.state.position.stages += 1;
        let layers = self.inputs.subject.graph.layers();
        let name = |&layer: &usize| layers[layer].name.clone();
        self.reporter.record(Event::Stage {
            index,
            total: stages.len(),
            layers: stages[index].iter().map(name).collect(),
        })
    }

    fn calibrate(
        &mut self,
        network: &mut QuantizedNetwork,
        which: &(dyn Fn(usize) -> bool + Sync),
    ) -> Result<bool> {
        let images = &self.inputs.calibration;
        network.calibrate(self.inputs.backend, images, which, &mut self.reporter)
    }

    /// Trains up to `until` steps, or until asked to stop.
    fn train(&mut self, until: u64, batches: &Receiver<Result<Batch>>) -> Result<()> {
        let graph = self.state.network.graph.clone();
        let (backend, norms) = (self.inputs.backend, self.inputs.request.settings.norms);
        let memory = std::mem::take(&mut self.memory);
        let network = (&graph, &self.state.network);
        let mut trainer = Trainer::new(network, backend, norms.mode(), memory)?;
        while self.state.position.step < until && !self.reporter.stopping() {
            let batch = batches.recv();
            let batch = batch.expect("invariant: a batch is prepared for every step")?;
            self.step(&mut trainer, &batch)?;
        }
        self.memory = trainer.into_memory();
        Ok(())
    }

    fn step(&mut self, trainer: &mut Trainer<B>, batch: &Batch) -> Result<()> {
        let Inputs {
            calendar, request, ..
        } = self.inputs;
        let before = self.state.position.step;
        let (step, rate) = (before + 1, calendar.rate(before));
        let (network, entered) = (&self.state.network, self.state.position.stages);
        let resting = self.inputs.resting(before, (network, entered));
        let answers = self.inputs.answers(batch)?;
        let gradient = answers.map(|answers| {
            move |images, logits: &[f64], labels: &[Label]| answers.gradient(images, logits, labels)
        });
        let gradient = gradient.as_ref().map(|gradient| gradient as &LossGradient);
        let state = &mut self.state;
        let trained = (&mut state.network, &mut state.velocities);
        let how = Taken {
            update: Update::new(request.settings, rate),
            number: step,
            resting: &resting,
        };
        let tally = trainer.step(trained, (batch, gradient), how)?;
        state.position.running.add(&tally);
        state.position.step = step;
        let score = tally.score();
        self.reporter.record(Event::Step {
            step,
            total: calendar.total(),
            epoch: calendar.epoch(before),
            stage: self.state.position.stages.saturating_sub(1),
            loss: score.loss,
            accuracy: score.accuracy(),
            learning_rate: rate,
            images: batch.labels.len(),
        })
    }

    /// Saves the state of a run that was asked to stop. This checkpoint is not part of its story, which
    /// goes on as if it had not been stopped.
    fn stopped(&mut self) -> Result<Report> {
        self.save()?;
        let step = self.state.position.step;
        self.reporter.tell(Event::Checkpoint { step });
        self.end(Outcome::Stopped)
    }

    fn end(&mut self, outcome: Outcome) -> Result<Report> {
        self.reporter.record(Event::Finished { outcome })?;
        Ok(self.report(outcome))
    }

    /// `None` when asked to stop; over no images, a score of none.
    fn score(
        &mut self,
        (graph, parameters): (&Graph, &Parameters),
        images: &Selection,
    ) -> Result<Option<Score>> {
        let walk = (BatchNormMode::Running, Purpose::Evaluate);
        if self.inputs.backend.memory().bound().is_some() {
            // What training computes in does not fit beside it.
            self.memory = BatchStep::default();
        }
        let program = Program::new(graph, self.inputs.backend, parameters, walk)?;
        let program = program.at_most(self.inputs.at_once);
        evaluation::evaluate(&program, images, &mut self.reporter)
    }

    /// Reports a score, unless it is over no images.
    fn tell_score(&mut self, split: Split, label: String, score: Score) -> Result<()> {
        if score.total == 0 {
            return Ok(());
        }
        let step = self.state.position.step;
        self.reporter.record(Event::Evaluated {
            split,
            label,
            step,
            score,
        })
    }

    fn report(&self, outcome: Outcome) -> Report {
        Report {
            outcome,
            test: self.state.position.test,
        }
    }
}

fn nothing_kept(folder: &RunFolder) -> Error {
    Error::invalid(format!(
        "the run in {} has no checkpoint yet: there is nothing to keep",
        folder.path().display()
    ))
}
