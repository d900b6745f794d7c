//! The stages of a run: from a sensitivity file, or from an analysis made for it.

use super::Tuning;
use crate::cli::failure::Failure;
use crate::cli::output;
use crate::engine::backend::Backend;
use crate::engine::data::{Order, Part, Selection, sample};
use crate::engine::finetune::{self, Schedule, Stage};
use crate::engine::hessian::Analysis;
use crate::engine::hessian::analysis::{self, Subject};
use crate::engine::hessian::sensitivity::Sensitivity;
use crate::engine::job::Outcome;
use crate::engine::quant::Bits;

/// Where an analysis made for the run is kept, in its folder.
const FILE: &str = "sensitivity.json";

/// Training images of that analysis, at most.
const SAMPLES: usize = 512;

impl Tuning<'_> {
    /// Which layers are quantized when; a run that goes on knows it already.
    ///
    /// # Errors
    /// When the order cannot be told, or measuring it fails.
    pub(super) fn stages<B: Backend>(&mut self, backend: &B) -> Result<Vec<Stage>, Failure> {
        if let (Some(record), None) = (self.started, &self.args.training.sensitivity) {
            return Ok(record.stage_layers()?);
        }
        let sensitivity = match self.settings.schedule {
            Schedule::Joint => None,
            Schedule::Staged => Some(self.sensitivity(backend)?),
        };
        let sensitivity = sensitivity.map(|read| read.completed(&self.inputs.model));
        let sensitivity = sensitivity.transpose()?;
        let stages = finetune::stages(self.plan, self.settings, sensitivity.as_ref())?;
        Ok(stages)
    }

    /// The file that was given, that of the run, or a new analysis.
    fn sensitivity<B: Backend>(&mut self, backend: &B) -> Result<Sensitivity, Failure> {
        if let Some(path) = &self.args.training.sensitivity {
            return Ok(Sensitivity::read(path)?);
        }
        let path = self.args.output.join(FILE);
        if path.exists() {
            return Ok(Sensitivity::read(&path)?);
        }
        let measured = self.measure(backend)?;
        output::make_folder(&self.args.output)?;
        measured.write(&path)?;
        Ok(measured)
    }

    fn measure<B: Backend>(&mut self, backend: &B) -> Result<Sensitivity, Failure> {
        self.reporter
            .note("no --sensitivity: the eigenvalues that order the stages are measured first");
        let dataset = self.inputs.source.part(Part::Train)?;
        let samples = SAMPLES.min(dataset.len());
        let indices = sample(Order::Random, samples, self.settings.seed, dataset.len())?;
        let images = Selection::new(dataset, &self.inputs.normalization, indices)?;
        let subject = Subject {
            model: &self.inputs.model,
            backend,
            images: &images,
        };
        let settings = Analysis {
            bits: self.bits(),
            scale: self.plan.scale,
            seed: self.settings.seed,
            ..Analysis::default()
        };
        let mut state = analysis::prepare(&subject, &settings)?;
        let mut keep_nothing = |_: &Sensitivity| Ok(());
        let progress = (&mut keep_nothing, &mut self.reporter);
        match analysis::run(&subject, &settings, &mut state, progress.0, progress.1)? {
            Outcome::Done => Ok(state),
            Outcome::Stopped => Err(Failure::interrupted(
                "the run had not begun and nothing is kept",
            )),
        }
    }

    /// The bits of weights that the plan uses.
    fn bits(&self) -> Vec<Bits> {
        let layers = self.plan.layers.iter();
        let mut bits: Vec<Bits> = layers
            .map(|layer| layer.weight_bits)
            .filter(|bits| !bits.is_float())
            .collect();
        bits.sort_unstable();
        bits.dedup();
        if bits.is_empty() {
            bits.push(Bits::MAX);
        }
        bits
    }
}
