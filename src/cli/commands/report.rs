//! `report`: every plot and table of a project or of a run, as one HTML page.

use std::path::{Path, PathBuf};

use crate::cli::args::Shared;
use crate::cli::failure::Failure;
use crate::cli::output;
use crate::engine::files::write_atomically;
use crate::folders::Folders;
use crate::report::{self, Report, Source, csv};

const EXAMPLES: &str = "\
Examples:
  hawqeye report demo -o report.html               the project of that name
  hawqeye report run -o run.html --csv tables      a run folder, and its tables as files
  hawqeye report run > run.html

The page needs nothing beside it: plots are drawn in it, it runs no scripts and fetches nothing. It
is light or dark as the reader's system is, and the same files give the same bytes. What a project
lacks is said in its section. Measurements of a run are read from sensitivity.json in its folder.";

/// Options of `report`.
#[derive(Debug, Clone, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Args {
    /// Folder of a project or its name, or run folder, as tune writes it
    #[arg(value_name = "PROJECT|RUN")]
    pub source: PathBuf,
    /// The page [default: stdout]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Write each table as NAME.csv and NAME.json into this folder too
    #[arg(long, value_name = "DIR")]
    pub csv: Option<PathBuf>,
}

/// Reports.
///
/// # Errors
/// See [`Failure`].
pub fn run(args: &Args, shared: &Shared) -> Result<(), Failure> {
    if let Some(path) = &args.output {
        output::probe(path)?;
    }
    if let Some(folder) = &args.csv {
        output::probe_new_folder(folder)?;
    }
    let folders = Folders::find();
    let data = folders.as_ref().map(|folders| folders.data.as_path());
    let report = report::gather(&Source::find(&args.source, data)?)?;
    if !shared.quiet {
        for problem in report.problems() {
            output::tell(&format!("warning: {problem}\n"));
        }
    }
    if let Some(folder) = &args.csv {
        write_tables(folder, &report)?;
    }
    output::deliver(args.output.as_deref(), &report::page(&report))
}

/// Writes every table twice.
fn write_tables(folder: &Path, report: &Report) -> Result<(), Failure> {
    output::make_folder(folder)?;
    for table in report::tables(report) {
        let file = |end: &str| folder.join(format!("{}.{end}", table.name));
        write_atomically(&file("csv"), csv::csv(&table).as_bytes())?;
        write_atomically(&file("json"), csv::json(&table).as_bytes())?;
    }
    Ok(())
}
