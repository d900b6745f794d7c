//! The end of a run: the best epoch kept, running statistics measured anew, and the test images seen.

use std::sync::mpsc::Receiver;

use super::Session;
use crate::engine::Result;
use crate::engine::autodiff::Program;
use crate::engine::autodiff::batch_step::{Batch, BatchStep};
use crate::engine::backend::Backend;
use crate::engine::events::History;
use crate::engine::finetune::checkpoint::{self, Best, State};
use crate::engine::finetune::optimizer::Velocities;
use crate::engine::finetune::settings::Norms;
use crate::engine::finetune::{Report, doubts};
use crate::engine::graph::operations::BatchNormMode;
use crate::engine::graph::operations::rules::Purpose;
use crate::engine::job::{Event, Outcome, Score, Split};

/// Batches that running statistics are measured anew on.
pub(super) const REESTIMATION: u64 = 50;

impl<B: Backend> Session<'_, '_, B> {
    /// Keeps the network of the epoch that ended if it is the best since every stage entered.
    pub(super) fn keep_if_best(&mut self, score: Score) -> Result<()> {
        let position = &mut self.state.position;
        let whole = position.stages == self.inputs.calendar.stages;
        let better = position
            .best
            .is_none_or(|best| score.correct > best.score.correct);
        if !whole || !better || score.total == 0 {
            return Ok(());
        }
        self.folder.presence().check()?;
        let step = position.step;
        position.best = Some(Best { step, score });
        let state = State {
            network: self.state.network.clone(),
            velocities: Velocities::new(),
            position: self.state.position.clone(),
        };
        checkpoint::write(&self.folder.best(), &state)
    }

    pub(super) fn is_to_be_renormalized(&self) -> bool {
        let wanted = self.inputs.request.settings.norms == Norms::Reestimated;
        wanted && !self.state.position.renormalized
    }

    /// Sets the running statistics to the mean of those of the next batches, with the weights as they
    /// are (arXiv 2203.11086), and scores the validation images with them.
    pub(super) fn renormalize(&mut self, batches: &Receiver<Result<Batch>>) -> Result<()> {
        let network = &mut self.state.network;
        let (graph, effective) = (network.graph.clone(), network.effective());
        let walk = (BatchNormMode::Batch, Purpose::Train);
        let mut program = Program::new(&graph, self.inputs.backend, &effective, walk)?;
        for behind in 0..REESTIMATION {
            if self.reporter.stopping() {
                return Ok(());
            }
            let batch = batches.recv();
            let batch =
                batch.expect("invariant: batches for this follow those of the last step")?;
            let statistics = BatchStep::statistics(&mut program, &effective, &batch)?;
            for (norm, statistics) in &statistics {
                norm.track(
                    &mut network.parameters,
                    statistics,
                    1.0 / (behind + 1) as f64,
                );
            }
        }
        self.state.position.renormalized = true;
        let effective = self.state.network.effective();
        let images = &self.inputs.validation;
        let Some(score) = self.score((&graph, &effective), images)? else {
            return Ok(());
        };
        self.tell_score(Split::Validation, "reestimated".to_owned(), score)
    }

    /// Sees the test images, once.
    pub(super) fn finish(&mut self) -> Result<()> {
        let network = &self.state.network;
        let (graph, effective) = (network.graph.clone(), network.effective());
        let images = &self.inputs.test;
        let Some(score) = self.score((&graph, &effective), images)? else {
            return Ok(());
        };
        self.tell_score(Split::Test, "final".to_owned(), score)?;
        self.doubt()?;
        let outcome = Outcome::Done;
        self.reporter.record(Event::Finished { outcome })?;
        self.state.position.test = Some(score);
        self.save()
    }

    /// Says when training made the network worse.
    fn doubt(&mut self) -> Result<()> {
        let history = History::read(&self.folder.events())?;
        let classes = self.inputs.subject.graph.classes();
        match doubts::of_training(&history, classes) {
            Some(message) => self.reporter.record(Event::Warning { message }),
            None => Ok(()),
        }
    }

    /// Ends the run with the network as it is.
    pub(super) fn conclude(&mut self) -> Result<Report> {
        self.finish()?;
        let done = self.state.position.test.is_some();
        Ok(self.report(if done {
            Outcome::Done
        } else {
            Outcome::Stopped
        }))
    }
}
