//! Networks that are kept ready for use, with everything but the images.

use std::path::Path;

use super::Args;
use crate::cli::failure::Failure;
use crate::engine::data::{DataSource, DataSpec, Normalization, Part, image_shape};
use crate::engine::finetune::{self, Run};
use crate::engine::graph::{Graph, Parameters};

/// A network as it is run, and the images it is run on.
pub(super) struct Kept {
    pub graph: Graph,
    pub parameters: Parameters,
    pub normalization: Normalization,
    pub source: DataSource,
    /// The seed that held images out of training.
    pub seed: u64,
}

impl Args {
    /// The network of `--run`, and the images it suits.
    ///
    /// # Errors
    /// When it cannot be read, or the images do not suit it.
    pub(super) fn kept(&self, part: Part) -> Result<Option<Kept>, Failure> {
        let kept = match &self.run {
            Some(folder) => self.of_run(folder)?,
            None => return Ok(None),
        };
        kept.check(part)?;
        Ok(Some(kept))
    }

    fn of_run(&self, folder: &Path) -> Result<Kept, Failure> {
        let Run {
            record, network, ..
        } = finetune::load_run(folder)?;
        Ok(Kept {
            source: self.images(&record.data.name, folder)?,
            normalization: record.data.normalization,
            seed: record.settings.seed,
            parameters: network.effective(),
            graph: network.graph,
        })
    }

    /// The images asked for; those of the demo need not be named where they were trained on.
    fn images(&self, trained_on: &str, path: &Path) -> Result<DataSource, Failure> {
        match &self.inputs.data {
            Some(spec) => Ok(DataSource::new(spec.clone())),
            None if trained_on == DataSpec::Demo.name() => Ok(DataSource::new(DataSpec::Demo)),
            None => Err(Failure::usage(format!(
                "{} was trained on {trained_on}: say where its images are with --data \
                 {trained_on}:DIR",
                path.display()
            ))),
        }
    }
}

impl Kept {
    fn check(&self, part: Part) -> Result<(), Failure> {
        let dataset = self.source.part(part)?;
        let found = (image_shape(dataset), dataset.classes);
        let expected = (self.graph.input_shape(), self.graph.classes());
        if found == expected {
            return Ok(());
        }
        let name = &dataset.name;
        Err(Failure::failed(format!(
            "the network takes images of {} in {} classes, but those of {name} are {} in {}; \
             choose other images with --data",
            expected.0, expected.1, found.0, found.1
        )))
    }
}
