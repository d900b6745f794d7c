//! `export`: writes the network of a run as a file, reads it back and compares.

use std::path::{Path, PathBuf};

use crate::cli::args::Shared;
use crate::cli::destination::{self, Destination, Input, Kind};
use crate::cli::device::{DeviceArgs, Work};
use crate::cli::failure::Failure;
use crate::cli::inputs::{images, images_of, tell_divided};
use crate::cli::output;
use crate::cli::preprocess::LabelArgs;
use crate::cli::report::{Reporter, sentence};
use crate::engine::backend::Backend;
use crate::engine::data::preprocessing::Preprocessing;
use crate::engine::data::{DataSpec, Images, Noise, Part, Selection};
use crate::engine::export::{self, About, Format, Request, Written};
use crate::engine::finetune::{self, Run};
use crate::engine::model::check_fit;
use crate::numbers::counted;

const EXAMPLES: &str = "\
Examples:
  hawqeye export run --data cifar10:cifar-10-batches-bin -o small.safetensors
  hawqeye export run --format qonnx -o network.onnx
  hawqeye eval --packed small.safetensors --data demo

The file is read back and run on the test images beside the network of the run; without --data, on
those of the demo if the run was trained on them, else on noise.";

/// Options of `export`.
#[derive(Debug, Clone, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Args {
    /// Run folder, as tune writes it
    #[arg(value_name = "RUN")]
    pub run: PathBuf,
    /// Format of the file: packed (weights at 2 to 8 bits each, really small), qonnx (ONNX with
    /// Quant nodes, exact, holds floats) or safetensors (dequantized, for PyTorch; bits and scales
    /// as JSON beside it)
    #[arg(long, value_name = "FORMAT", default_value_t)]
    pub format: Format,
    /// The file
    #[arg(short, long, value_name = "FILE")]
    pub output: Destination,
    /// Overwrite a file that hawqeye did not write
    #[arg(long)]
    pub force: bool,
    /// Images to compare on: demo, cifar10:DIR, fashion-mnist:DIR, mnist:DIR, idx:DIR, npz:FILE,
    /// npy:X,Y or folder:DIR
    #[arg(long, value_name = "DATA")]
    pub data: Option<DataSpec>,
    /// Which label means what.
    #[command(flatten)]
    pub lists: LabelArgs,
    /// Which device.
    #[command(flatten)]
    pub device: DeviceArgs,
}

/// Images of nothing that are compared on when there are no others.
const NOISE: usize = 512;

/// Exports.
///
/// # Errors
/// See [`Failure`].
pub fn run(args: &Args, shared: &Shared) -> Result<(), Failure> {
    args.probe()?;
    let run = finetune::load_run(&args.run)?;
    destination::refuse_origin(args.file()?, &run.record.model.weights_sha256)?;
    let mut reporter = shared.reporter()?;
    for doubt in &run.doubts {
        reporter.warn(doubt);
    }
    if !run.is_done() && !run.is_replaced {
        let step = run.position.step;
        reporter.warn(format!(
            "the run is not done: this is its network after {}",
            counted(step as usize, "step")
        ));
    }
    let trained_on = &run.record.data.name;
    let Ok(source) = images_of(args.data.as_ref(), trained_on, &args.run) else {
        let noise = Noise {
            shape: run.network.graph.input_shape(),
            count: NOISE,
            seed: shared.seed(),
        };
        let written = args.write((&run, &noise), reporter)?;
        return output::print(&report(&written, None));
    };
    let memory = args.device.memory();
    let lists = args.lists.reading(Preprocessing::default(), memory);
    let source = source.read_as(run.record.reading(lists));
    let source = source.holding_out(run.record.settings.seed);
    let dataset = source.part(Part::Test)?;
    check_fit(dataset, &run.network.graph)?;
    tell_divided(dataset, &reporter);
    let over = Selection::all(dataset, &run.record.data.normalization)?;
    let written = args.write((&run, &over), reporter)?;
    output::print(&report(&written, Some(&dataset.name)))
}

impl Args {
    /// The file; refuses one that must not be written, before anything is read.
    fn file(&self) -> Result<&Path, Failure> {
        Destination::file(Some(&self.output)).ok_or_else(|| {
            Failure::usage("an export is read back, so it needs a file: give -o FILE")
        })
    }

    fn probe(&self) -> Result<(), Failure> {
        let file = self.file()?;
        let inputs: Vec<Input> = images(self.data.as_ref())
            .chain(self.lists.files())
            .collect();
        let beside =
            (self.format == Format::Safetensors).then(|| export::path_beside(file, "json"));
        let written = [
            Some((file, Kind::Export)),
            beside.as_deref().map(|beside| (beside, Kind::Description)),
        ];
        for (written, own) in written.into_iter().flatten() {
            destination::refuse_input(written, &inputs)?;
            destination::refuse_others(written, own, self.force)?;
        }
        output::probe(file)
    }

    fn write(&self, what: (&Run, &dyn Images), reporter: Reporter) -> Result<Written, Failure> {
        self.device.run(Exporting {
            args: self,
            run: what.0,
            images: what.1,
            reporter,
        })
    }
}

struct Exporting<'a> {
    args: &'a Args,
    run: &'a Run,
    images: &'a dyn Images,
    reporter: Reporter,
}

impl Work for Exporting<'_> {
    type Output = Written;

    fn run<B: Backend>(mut self, backend: &B) -> Result<Written, Failure> {
        let request = Request {
            about: &About::of(self.run),
            network: &self.run.network,
            format: self.args.format,
            path: self.args.file()?,
        };
        let written = export::export(backend, &request, self.images, &mut self.reporter)?;
        written.ok_or_else(|| Failure::interrupted("nothing was written"))
    }
}

/// What was written, and how it compares; `images` names them unless they were noise.
fn report(written: &Written, images: Option<&str>) -> String {
    let Written {
        bytes, comparison, ..
    } = written;
    let ratio = *bytes as f64 / written.theoretical_bytes;
    let weights = written.theoretical_bytes;
    let mut lines = vec![
        ("file", written.path.display().to_string()),
        (
            "on disk",
            format!(
                "{bytes} bytes, {ratio:.3} times the {weights:.0} of the weights at their bits"
            ),
        ),
    ];
    if let Some(beside) = &written.beside {
        lines.push(("beside it", beside.display().to_string()));
    }
    let (difference, different) = (comparison.largest_difference, comparison.different);
    let total = comparison.network.total;
    let over = images.map_or_else(
        || {
            format!(
                "{} of noise (name others with --data)",
                counted(total, "image")
            )
        },
        |name| format!("the {} of {name}", counted(total, "test image")),
    );
    lines.push((
        "read back",
        format!(
            "{different} other predictions, largest logit difference {difference:.2e}, over {over}"
        ),
    ));
    if images.is_some() {
        lines.push(("result", sentence(comparison.file)));
    }
    lines.push(("sha-256", written.sha256.clone()));
    let lines = lines
        .iter()
        .map(|(name, value)| format!("{name:<10} {value}\n"));
    lines.collect()
}
