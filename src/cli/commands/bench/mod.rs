//! `bench`: times what the other commands do.

mod clock;
mod document;
mod name;
mod subject;
mod table;
mod works;

use std::num::NonZeroUsize;
use std::path::PathBuf;

use crate::cli::args::Shared;
use crate::cli::destination::{self, holds_something};
use crate::cli::device::{Device, DeviceArgs, Work};
use crate::cli::failure::Failure;
use crate::cli::inputs::InputArgs;
use crate::cli::report::Reporter;
use crate::cli::{machine, output};
use crate::engine::backend::Backend;

use clock::Clock;
use document::Document;
use name::Name;
use subject::{Needed, Subject};
use works::Works;

const EXAMPLES: &str = "\
Examples:
  hawqeye bench                                    everything, on an untrained network and noise
  hawqeye bench --only sweep --samples 512 --json  one work, and the memory it alone needs
  hawqeye bench --only convolutions --isa avx2
  hawqeye bench --model resnet20 --weights resnet20.th --data cifar10:cifar-10-batches-bin

Every work is done once to warm up, and then --repeats times.";

/// Options of `bench`.
#[derive(Debug, Clone, clap::Args)]
#[command(
    after_long_help = EXAMPLES,
    mut_arg("model", |model| model.help(
        "Network: FILE.pt2, FILE.onnx, or resnet20, resnet32, resnet44 or resnet56 [default: resnet20]"
    )),
    mut_arg("weights", |weights| weights.help(
        "Trained weights: .safetensors, .pth, .th or .pkl [default: untrained ones]"
    )),
    mut_arg("data", |data| data.help(
        "Images: demo, cifar10:DIR, fashion-mnist:DIR, mnist:DIR, idx:DIR, npz:FILE, npy:X,Y or \
         folder:DIR [default: noise]"
    ))
)]
pub struct Args {
    /// Which network, and which images.
    #[command(flatten)]
    pub inputs: InputArgs,
    /// Which device.
    #[command(flatten)]
    pub device: DeviceArgs,
    /// Only these works [default: all]
    #[arg(
        long,
        value_name = "WORKS",
        value_enum,
        value_delimiter = ',',
        help_heading = "Benchmark"
    )]
    pub only: Vec<Name>,
    /// Times that each work is timed
    #[arg(
        long,
        value_name = "N",
        default_value = "5",
        help_heading = "Benchmark"
    )]
    pub repeats: NonZeroUsize,
    /// Images of a batch: of everything but sweeps and convolutions
    #[arg(
        long,
        value_name = "N",
        default_value = "128",
        help_heading = "Benchmark"
    )]
    pub batch_size: NonZeroUsize,
    /// Images of a sweep
    #[arg(
        long,
        value_name = "N",
        default_value = "128",
        help_heading = "Benchmark"
    )]
    pub samples: NonZeroUsize,
    /// Print JSON: all times, and the eigenvalues of the sweep
    #[arg(long, help_heading = "Result")]
    pub json: bool,
    /// File of the result [default: stdout]
    #[arg(short, long, value_name = "FILE", help_heading = "Result")]
    pub output: Option<PathBuf>,
    /// Overwrite a file
    #[arg(long, help_heading = "Result")]
    pub force: bool,
}

impl Args {
    /// Images that are needed.
    fn images(&self) -> usize {
        self.samples.max(self.batch_size).get()
    }
}

/// Times.
///
/// # Errors
/// See [`Failure`].
pub fn run(args: &Args, shared: &Shared) -> Result<(), Failure> {
    if let Some(path) = &args.output {
        destination::refuse_input(path, &args.inputs.files())?;
        if !args.force && holds_something(path) {
            return Err(Failure::failed(format!(
                "{} exists; choose another file, or overwrite it with --force",
                path.display()
            )));
        }
        output::probe(path)?;
    }
    let mut reporter = shared.reporter()?;
    let needed = Needed {
        images: args.images(),
        seed: shared.seed(),
        memory: args.device.memory(),
    };
    let subject = Subject::load(&args.inputs, needed)?;
    subject.first(args.images())?;
    for note in &subject.model.notes {
        reporter.note(&format!("weights: {note}"));
    }
    let document = args.device.run_in_chunks(
        args.batch_size.get(),
        Timing {
            args,
            subject,
            reporter: &reporter,
        },
    )?;
    reporter.finish();
    let text = if args.json {
        document.to_json()
    } else {
        table::text(&document)
    };
    output::deliver(args.output.as_deref(), &text)
}

struct Timing<'a> {
    args: &'a Args,
    subject: Subject,
    reporter: &'a Reporter,
}

impl Work for Timing<'_> {
    type Output = Document;

    fn run<B: Backend>(mut self, backend: &B) -> Result<Document, Failure> {
        let Args {
            device,
            repeats,
            batch_size,
            samples,
            ..
        } = self.args;
        self.subject.settle(backend, batch_size.get())?;
        let works = Works {
            backend,
            subject: &self.subject,
            reporter: self.reporter,
            clock: Clock::new(repeats.get(), self.reporter),
            batch_size: batch_size.get(),
            samples: samples.get(),
        };
        let (mut measured, mut convolutions) = (Vec::new(), None);
        for name in Name::selected(&self.args.only) {
            self.reporter.note(&format!("timing {name}"));
            match name {
                Name::Convolutions => convolutions = Some(works.convolutions(device.device)?),
                _ => measured.push(works.measure(name)?),
            }
        }
        let is_cpu = device.device == Device::Cpu;
        Ok(Document {
            device: backend.describe(),
            isa: is_cpu.then(|| device.isa.to_string()),
            threads: rayon::current_num_threads(),
            processor: machine::processor(),
            model: self.subject.model.name.clone(),
            weights: self.subject.weights.clone(),
            data: self.subject.data.clone(),
            image: self.subject.model.graph.input_shape().to_string(),
            batch_size: batch_size.get(),
            samples: samples.get(),
            repeats: repeats.get(),
            works: measured,
            convolutions,
            peak_memory_bytes: machine::peak_memory(),
            ..Document::default()
        })
    }
}
