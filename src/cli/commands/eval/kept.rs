//! Networks that are kept ready for use, with everything but the images.

use std::path::Path;

use super::Args;
use crate::cli::failure::Failure;
use crate::cli::inputs::{images_of, tell_divided, tell_whole};
use crate::cli::report::Reporter;
use crate::engine::data::preprocessing::Preprocessing;
use crate::engine::data::{DataSource, Normalization, Part, Reading};
use crate::engine::export::packed::{self, Packed};
use crate::engine::finetune::{self, Run};
use crate::engine::graph::{Graph, Parameters};
use crate::engine::model::check_fit;

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
    /// The network of `--run` or `--packed`, and the images it suits.
    ///
    /// # Errors
    /// When it cannot be read, or the images do not suit it.
    pub(super) fn kept(
        &self,
        part: Part,
        reporter: &mut Reporter,
    ) -> Result<Option<Kept>, Failure> {
        let kept = match (&self.run, &self.packed) {
            (Some(folder), _) => self.of_run(folder, reporter)?,
            (None, Some(path)) => self.of_packed(path)?,
            (None, None) => return Ok(None),
        };
        let dataset = kept.source.part(part)?;
        check_fit(dataset, &kept.graph)?;
        tell_whole(dataset, reporter);
        if part == Part::Test {
            tell_divided(dataset, reporter);
        }
        if self.packed.is_some() && dataset.origin.whole {
            reporter.warn(
                "the packed network was trained on most of these images, which flatters it: name others \
                 with --data, or score its run with eval --run",
            );
        }
        Ok(Some(kept))
    }

    /// How the images are read, as far as options tell.
    fn lists(&self, preprocessing: Preprocessing) -> Reading {
        let memory = self.device.memory();
        self.inputs.lists.reading(preprocessing, memory)
    }

    fn of_run(&self, folder: &Path, reporter: &mut Reporter) -> Result<Kept, Failure> {
        let Run {
            record,
            network,
            doubts,
            ..
        } = finetune::load_run(folder)?;
        for doubt in doubts {
            reporter.warn(doubt);
        }
        let source = images_of(self.inputs.data.as_ref(), &record.data.name, folder)?;
        let source = source.read_as(record.reading(self.lists(Preprocessing::default())));
        Ok(Kept {
            source: source.holding_out(record.settings.seed),
            normalization: record.data.normalization,
            seed: record.settings.seed,
            parameters: network.effective(),
            graph: network.graph,
        })
    }

    fn of_packed(&self, path: &Path) -> Result<Kept, Failure> {
        let Packed {
            about,
            graph,
            parameters,
            ..
        } = packed::read(path)?;
        let source = images_of(self.inputs.data.as_ref(), &about.data, path)?;
        let reading = Reading {
            expected: Some(graph.input_shape()),
            ..self.lists(about.preprocessing)
        };
        Ok(Kept {
            source: source.read_as(reading),
            normalization: about.normalization,
            seed: 0,
            graph,
            parameters,
        })
    }
}
