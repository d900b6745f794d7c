//! `plan`: bits for every layer under a budget.

use std::path::{Path, PathBuf};

use crate::cli::args::Shared;
use crate::cli::destination::{self, Destination, Input, Kind, holds_something, refuse_others};
use crate::cli::failure::Failure;
use crate::cli::lacking::{self, Source};
use crate::cli::output;
use crate::cli::table::{Align, Table};
use crate::engine::allocate::{
    ActivationBits, Allocated, Budget, Request, harm, latency, usual_bits,
};
use crate::engine::complaint;
use crate::engine::export::predicted_bytes;
use crate::engine::hessian::Metric;
use crate::engine::hessian::sensitivity::Sensitivity;
use crate::engine::plan::file::{self, to_toml};
use crate::engine::plan::{LayerFacts, Override, Plan, PlannedLayer};
use crate::engine::quant::{Bits, ScaleRule};

const EXAMPLES: &str = "\
Examples:
  hawqeye plan s.json --budget compression=10x -o p.toml
  hawqeye plan s.json --budget size=100KB --set 'layer3.*=4' --set conv1=8/8 --dry-run
  hawqeye plan s.json --budget bops=1.2G --activation-bits same --metric trace
  hawqeye plan s.json --budget latency=3.1ms --latency measured.csv

A budget nothing fits ends with exit code 3 and names what can be reached.";

/// Options of `plan`.
#[derive(Debug, Clone, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Args {
    /// Sensitivity file, as analyze writes it
    #[arg(value_name = "SENSITIVITY")]
    pub sensitivity: PathBuf,
    /// compression=13x, size=100KB, average-bits=3, bops=1.2G or latency=3.1ms [default: none,
    /// every layer gets the widest of --bits]
    #[arg(long, value_name = "BUDGET")]
    pub budget: Option<Budget>,
    /// Candidate bits of weights [default: 2,3,4,8, those of them that the file knows]
    #[arg(long, value_name = "BITS", value_delimiter = ',')]
    pub bits: Vec<Bits>,
    /// Bits of activations: 2 to 8, 32 for not quantized, or same as the weights
    #[arg(long, value_name = "BITS", default_value = "8")]
    pub activation_bits: ActivationBits,
    /// What harm is predicted by: eigenvalue, trace or loss-change
    #[arg(long, value_name = "METRIC", default_value_t)]
    pub metric: Metric,
    /// Step sizes of weights: max (nothing clipped) or mse (least squared error) for each layer,
    /// max-channel or mse-channel for each output channel [default: mse, or the only rule that the file
    /// knows]
    #[arg(long, value_name = "RULE")]
    pub scale: Option<ScaleRule>,
    /// Bits set by hand: a glob and bits of weights, or of weights/activations (repeatable)
    #[arg(long, value_name = "PATTERN=BITS")]
    pub set: Vec<Override>,
    /// Measured latencies: CSV of layer,bits,ms
    #[arg(long, value_name = "FILE")]
    pub latency: Option<PathBuf>,
    /// Layers that must share bits: a,b (repeatable)
    #[arg(long, value_name = "LAYERS")]
    pub tie: Vec<String>,
    /// Show the plan, write nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Plan file, or - for stdout [default: stdout]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<Destination>,
    /// Overwrite a plan with bits that were set by hand, or a file that is no plan
    #[arg(long)]
    pub force: bool,
}

impl Args {
    /// The files that are read.
    fn files(&self) -> Vec<Input<'_>> {
        let measurements = Input {
            path: &self.sensitivity,
            what: "the sensitivity file",
        };
        let latencies = self.latency.as_deref().map(|path| Input {
            path,
            what: "the file of latencies",
        });
        [measurements].into_iter().chain(latencies).collect()
    }

    fn request(&self, sensitivity: &Sensitivity) -> Request {
        let names = |tie: &String| tie.split(',').map(|name| name.trim().to_owned()).collect();
        let scale = self.scale.unwrap_or_else(|| sensitivity.usual_rule());
        Request {
            budget: self.budget,
            bits: if self.bits.is_empty() {
                usual_bits(sensitivity, self.metric, scale)
            } else {
                self.bits.clone()
            },
            activation_bits: self.activation_bits,
            metric: self.metric,
            scale,
            overrides: self.set.clone(),
            ties: self.tie.iter().map(names).collect(),
        }
    }
}

/// Makes a plan.
///
/// # Errors
/// See [`Failure`]; exit code 3 when no plan fits the budget.
pub fn run(args: &Args, shared: &Shared) -> Result<(), Failure> {
    let output = Destination::file(args.output.as_ref()).filter(|_| !args.dry_run);
    if let Some(path) = output {
        destination::refuse_input(path, &args.files())?;
        refuse_others(path, Kind::Plan, args.force)?;
        output::probe(path)?;
    }
    let mut sensitivity = Sensitivity::read(&args.sensitivity)?;
    if let Some(path) = &args.latency {
        latency::join(&latency::read(path)?, &mut sensitivity)?;
    }
    let request = args.request(&sensitivity);
    // Patterns and ties that name no layer are mistakes on the command line.
    let start = request.start(&sensitivity).map_err(Failure::usage)?;
    let source = Source {
        path: &args.sensitivity,
        sensitivity: &sensitivity,
    };
    let lacking = request.lacking(&start, &sensitivity);
    if let Some(sentence) = lacking::sentence(&request, &lacking.to_choose, source) {
        return Err(Failure::failed(sentence));
    }
    let allocated = request.allocate(&sensitivity)?;
    if let Some(path) = output.filter(|_| !args.force) {
        refuse_losing_pins(path, &allocated.plan)?;
    }
    for doubt in sensitivity.doubts() {
        shared.warn(&doubt.to_string());
    }
    let unknown = lacking::sentence(&request, &lacking.of_fixed, source);
    let unknown = unknown.map_or_else(String::new, |sentence| format!("\n{sentence}\n"));
    let shown = describe(&request, &allocated, &sensitivity) + &unknown;
    if args.dry_run {
        return output::print(&shown);
    }
    let toml = to_toml(&allocated.plan);
    if output.is_some() {
        output::deliver(output, &toml)?;
        return output::print(&shown);
    }
    if !shared.quiet {
        output::tell(&shown);
    }
    output::print(&toml)
}

/// Refuses to overwrite bits that somebody set by hand and `plan` does not have.
fn refuse_losing_pins(path: &Path, plan: &Plan) -> Result<(), Failure> {
    if !holds_something(path) {
        return Ok(());
    }
    let Ok(there) = file::read(path, None) else {
        return Err(Failure::failed(format!(
            "{} exists and is not a plan that can be read; choose another file, or overwrite it with \
             --force",
            path.display()
        )));
    };
    let is_kept = |pinned: &PlannedLayer| plan.layers.contains(pinned);
    let pinned = there.layers.iter().filter(|layer| layer.pinned);
    let lost: Vec<&str> = pinned
        .filter(|layer| !is_kept(layer))
        .map(|layer| &*layer.name)
        .collect();
    if lost.is_empty() {
        return Ok(());
    }
    Err(Failure::failed(format!(
        "{} holds bits that were set by hand ({}), which this plan has not; choose another file, set \
         them with --set, or overwrite it with --force",
        path.display(),
        complaint::listed(lost.iter().copied())
    )))
}

/// The plan as a table, and what it adds up to.
fn describe(request: &Request, allocated: &Allocated, sensitivity: &Sensitivity) -> String {
    let mut table = Table::new(&[
        ("layer", Align::Left),
        ("weights", Align::Right),
        ("bits", Align::Right),
        ("activations", Align::Right),
        ("harm", Align::Right),
        ("", Align::Left),
    ]);
    for (planned, layer) in allocated.plan.layers.iter().zip(&sensitivity.layers) {
        let harm = harm::harm(layer, planned.weight_bits, request.metric, request.scale);
        table.push(vec![
            planned.name.to_string(),
            layer.parameters.to_string(),
            planned.weight_bits.to_string(),
            planned.activation_bits.to_string(),
            harm.map_or_else(|_| "unknown".to_owned(), |harm| format!("{harm:.3e}")),
            marks(planned),
        ]);
    }
    let totals = totals(request, allocated, sensitivity);
    let width = totals.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let lines = totals
        .iter()
        .map(|(name, value)| format!("{name:<width$}  {value}\n"));
    table.text() + "\n" + &lines.collect::<String>()
}

fn marks(planned: &PlannedLayer) -> String {
    let pinned = planned.pinned.then(|| "pinned".to_owned());
    let tied = planned.tie.as_ref().map(|tie| format!("tied to {tie}"));
    let marks: Vec<String> = pinned.into_iter().chain(tied).collect();
    marks.join(", ")
}

fn totals(
    request: &Request,
    allocated: &Allocated,
    sensitivity: &Sensitivity,
) -> Vec<(&'static str, String)> {
    let facts: Vec<LayerFacts> = sensitivity.layers.iter().map(LayerFacts::from).collect();
    let totals = &allocated.totals;
    let mut lines = vec![
        ("W-comp", format!("{:.2}x", totals.weight_compression())),
        (
            "A-comp",
            totals
                .activation_compression()
                .map_or_else(|| "unknown".to_owned(), |factor| format!("{factor:.2}x")),
        ),
        ("weights", bytes(totals.weight_bytes())),
        ("average bits", format!("{:.3}", totals.average_bits())),
        (
            "BOPs",
            totals.bops.map_or_else(
                || "unknown".to_owned(),
                |bops| format!("{:.4} G", bops as f64 / 1e9),
            ),
        ),
    ];
    let predicted = predicted_bytes(&facts, &allocated.plan, sensitivity.packed.as_ref());
    if let Some(predicted) = predicted {
        lines.push((
            "packed file",
            format!("{}, predicted", bytes(predicted as f64)),
        ));
    }
    let harm = &allocated.harm;
    let known = format!("{:.4e} by {}", harm.known, request.metric);
    lines.push((
        "harm",
        match harm.lacking() {
            None => known,
            Some(_) if harm.without.len() == allocated.plan.layers.len() => "unknown".to_owned(),
            Some(without) => format!("{known}, {without}"),
        },
    ));
    if let Some(latency) = allocated.latency_ms {
        lines.push(("latency", format!("{latency:.3} ms")));
    }
    lines
}

fn bytes(bytes: f64) -> String {
    format!("{bytes:.0} bytes ({:.2} KB)", bytes / 1024.0)
}
