//! What is measured, and how well: what was given, else what the file that is gone on with tells, else what
//! is usual.

use std::num::NonZeroUsize;
use std::str::FromStr;
use std::sync::Arc;

use clap::ValueEnum;
use serde_json::Value;

use crate::cli::args::count;
use crate::cli::failure::Failure;
use crate::cli::inputs::{Inputs, usual_images};
use crate::cli::report::Reporter;
use crate::engine::data::{Order, Part, Selection, sample};
use crate::engine::hessian::sensitivity::Sensitivity;
use crate::engine::hessian::{Analysis, Method, Metric};
use crate::engine::model::Model;
use crate::engine::plan::pattern;
use crate::engine::quant::{Bits, ScaleRule};

/// Images of a sample, where nobody says how many.
pub const USUAL_SAMPLES: usize = 512;

/// What is measured, and how well.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Analysis")]
pub struct Measure {
    /// Training images in the sample [default: 512, or all where there are fewer]
    #[arg(long, value_name = "N", value_parser = count, allow_negative_numbers = true)]
    pub samples: Option<NonZeroUsize>,
    /// Images that a GPU walks at once; the CPU takes as many as its cache holds
    #[arg(long, value_name = "N", default_value = "128", value_parser = count, allow_negative_numbers = true)]
    pub batch_size: NonZeroUsize,
    /// eigenvalue, trace, loss-change: one or several [default: eigenvalue]
    #[arg(long, value_name = "METRICS", value_delimiter = ',')]
    pub metric: Vec<Metric>,
    /// Relative residual of an eigenvalue that counts as converged [default: 0.001]
    #[arg(long, value_name = "R", allow_negative_numbers = true)]
    pub tolerance: Option<f64>,
    /// How eigenvalues are found: lanczos, or power as in the paper [default: lanczos]
    #[arg(long, value_name = "METHOD")]
    pub method: Option<Method>,
    /// Hessian products a layer at most [default: 100]
    #[arg(long, value_name = "N", value_parser = count, allow_negative_numbers = true)]
    pub max_iterations: Option<NonZeroUsize>,
    /// Only the layers that match a glob such as 'layer3.*' (repeatable)
    #[arg(long, value_name = "PATTERN")]
    pub layers: Vec<String>,
    /// Candidate bit-widths [default: 2,3,4,8]
    #[arg(long, value_name = "BITS", value_delimiter = ',')]
    pub bits: Vec<Bits>,
    /// Step sizes of weights: max (nothing clipped) or mse (least squared error) for each layer,
    /// max-channel or mse-channel for each output channel [default: mse]
    #[arg(long, value_name = "RULE")]
    pub scale: Option<ScaleRule>,
    /// How the sample is taken
    #[arg(long, value_enum, default_value_t)]
    pub order: SampleOrder,
    /// Measure the three largest eigenvalues again in float64
    #[arg(long)]
    pub verify: bool,
}

/// How the sample is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum SampleOrder {
    /// The first training images in file order
    File,
    /// By chance, from `--seed`
    #[default]
    Random,
}

impl From<SampleOrder> for Order {
    fn from(order: SampleOrder) -> Self {
        match order {
            SampleOrder::File => Self::File,
            SampleOrder::Random => Self::Random,
        }
    }
}

/// What an earlier file was made with.
#[derive(Debug, Clone, Copy)]
pub struct Earlier<'a>(pub &'a Sensitivity);

impl<'a> Earlier<'a> {
    fn setting(self, key: &str) -> Option<&'a Value> {
        self.0.settings.get(key)
    }

    fn word<T: FromStr>(self, key: &str) -> Option<T> {
        self.setting(key)?.as_str()?.parse().ok()
    }

    fn list<T>(self, key: &str, read: fn(&Value) -> Option<T>) -> Option<Vec<T>> {
        let list = self.setting(key)?.as_array()?;
        Some(list.iter().filter_map(read).collect())
    }

    /// The seed of its sample and directions.
    #[must_use]
    pub fn seed(self) -> Option<u64> {
        self.setting("seed")?.as_u64()
    }

    fn metrics(self) -> Option<Vec<Metric>> {
        self.list("metrics", |word| word.as_str()?.parse().ok())
    }

    fn bits(self) -> Option<Vec<Bits>> {
        self.list("bits", |bits| Bits::new(bits.as_u64()?).ok())
    }

    fn samples(self) -> Option<usize> {
        self.0.data.as_ref()?.samples
    }
}

impl Measure {
    /// The engine's settings for this network; what is not given is as in `earlier`.
    ///
    /// # Errors
    /// When a pattern matches no layer, or a setting makes no sense.
    pub fn settings(
        &self,
        model: &Model,
        seed: u64,
        earlier: Option<Earlier>,
    ) -> Result<Analysis, Failure> {
        let usual = Analysis::default();
        let tolerance = || earlier.and_then(|earlier| earlier.0.tolerance());
        let method = || earlier.and_then(|earlier| earlier.word("method"));
        let most = || earlier.and_then(|earlier| earlier.setting("max_iterations")?.as_u64());
        let scale = || earlier.and_then(|earlier| earlier.word("scale"));
        let settings = Analysis {
            metrics: given(&self.metric)
                .or_else(|| earlier.and_then(Earlier::metrics))
                .unwrap_or(usual.metrics),
            tolerance: self.tolerance.or_else(tolerance).unwrap_or(usual.tolerance),
            method: self.method.or_else(method).unwrap_or(usual.method),
            max_iterations: self
                .max_iterations
                .map(NonZeroUsize::get)
                .or_else(|| most().map(|most| most as usize))
                .unwrap_or(usual.max_iterations),
            layers: self.layers(model)?,
            bits: given(&self.bits)
                .or_else(|| earlier.and_then(Earlier::bits))
                .unwrap_or(usual.bits),
            scale: self.scale.or_else(scale).unwrap_or(usual.scale),
            seed,
        };
        settings.check().map_err(Failure::usage)?;
        Ok(settings)
    }

    fn layers(&self, model: &Model) -> Result<Vec<Arc<str>>, Failure> {
        let layers = model.graph.layers();
        let names: Vec<Arc<str>> = layers.iter().map(|layer| layer.name.clone()).collect();
        let mut chosen = Vec::new();
        for pattern in &self.layers {
            chosen.extend(pattern::matching(pattern, &names).map_err(Failure::usage)?);
        }
        Ok(sorted(&chosen)
            .into_iter()
            .map(|index| names[index].clone())
            .collect())
    }

    /// The sample; where nobody says how many images and there are fewer than usual, all of them.
    ///
    /// # Errors
    /// When the set has fewer images than were asked for, or cannot be read.
    pub fn sample<'a>(
        &self,
        inputs: &'a Inputs,
        seed: u64,
        earlier: Option<Earlier>,
        reporter: &Reporter,
    ) -> Result<Selection<'a>, Failure> {
        let dataset = inputs.source.part(Part::Train)?;
        let asked = self.samples.map(NonZeroUsize::get);
        let asked = asked.or_else(|| earlier.and_then(Earlier::samples));
        let samples = asked.unwrap_or_else(|| usual_images(USUAL_SAMPLES, dataset, reporter));
        let order = self.order.into();
        let indices = sample(order, samples, seed, dataset.len()).map_err(Failure::usage)?;
        Ok(Selection::new(dataset, &inputs.normalization, indices)?)
    }
}

/// What was given, in order, if anything was.
fn given<T: Ord + Clone>(values: &[T]) -> Option<Vec<T>> {
    (!values.is_empty()).then(|| sorted(values))
}

fn sorted<T: Ord + Clone>(values: &[T]) -> Vec<T> {
    let mut values = values.to_vec();
    values.sort_unstable();
    values.dedup();
    values
}
