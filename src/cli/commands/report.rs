//! `report`: every plot and table of a project or of a run, as one HTML page.

use std::path::{Path, PathBuf};

use crate::cli::args::Shared;
use crate::cli::destination::{self, Destination, Input, Kind};
use crate::cli::failure::Failure;
use crate::cli::output;
use crate::engine::files::write_atomically;
use crate::folders::Folders;
use crate::report::{self, Report, Source, csv, table::Table};

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
    /// The page, or - for stdout [default: stdout]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<Destination>,
    /// Write each table as NAME.csv and NAME.json into this folder too
    #[arg(long, value_name = "DIR")]
    pub csv: Option<PathBuf>,
    /// Overwrite files that hawqeye did not write
    #[arg(long)]
    pub force: bool,
}

/// Reports.
///
/// # Errors
/// See [`Failure`].
pub fn run(args: &Args, shared: &Shared) -> Result<(), Failure> {
    let output = Destination::file(args.output.as_ref());
    if let Some(path) = output {
        output::probe(path)?;
    }
    if let Some(folder) = &args.csv {
        output::probe_new_folder(folder)?;
    }
    let folders = Folders::find();
    let data = folders.as_ref().map(|folders| folders.data.as_path());
    let source = Source::find(&args.source, data)?;
    if let Some(path) = output {
        args.refuse(path, &source)?;
    }
    if let Some(folder) = &args.csv
        && destination::is_same(folder, &source.folder)
    {
        return Err(Failure::failed(format!(
            "{} is what is reported; tables go into a folder of their own",
            folder.display()
        )));
    }
    let report = report::gather(&source)?;
    if let Some(folder) = args.csv.as_ref().filter(|_| !args.force) {
        refuse_foreign(folder, &report)?;
    }
    for problem in report.problems() {
        shared.warn(&problem);
    }
    if let Some(folder) = &args.csv {
        Args::write_tables(folder, &report)?;
    }
    output::deliver(output, &report::page(&report))
}

/// Refuses to write tables over files that are no such tables.
fn refuse_foreign(folder: &Path, report: &Report) -> Result<(), Failure> {
    for table in report::tables(report) {
        for (end, is_table) in [
            ("csv", csv::is_csv as fn(&Table, &str) -> bool),
            ("json", csv::is_json),
        ] {
            let path = folder.join(format!("{}.{end}", table.name));
            let there = std::fs::read(&path).unwrap_or_default();
            if !there.is_empty() && !is_table(&table, &String::from_utf8_lossy(&there)) {
                return Err(Failure::failed(format!(
                    "{} exists and was not written by hawqeye: choose another folder for --csv, or overwrite it \
                     with --force",
                    path.display()
                )));
            }
        }
    }
    Ok(())
}

impl Args {
    /// Refuses to write over what the report is made from, or over what somebody else wrote.
    fn refuse(&self, path: &Path, source: &Source) -> Result<(), Failure> {
        let what = "a file of what is reported";
        let measurements = source.folder.join("sensitivity.json");
        let inputs = [&source.folder, &measurements].map(|path| Input { path, what });
        destination::refuse_input(path, &inputs)?;
        destination::refuse_others(path, Kind::Report, self.force)
    }

    /// Writes every table twice.
    fn write_tables(folder: &Path, report: &Report) -> Result<(), Failure> {
        let tables = report::tables(report);
        let file = |table: &Table, end: &str| folder.join(format!("{}.{end}", table.name));
        output::make_folder(folder)?;
        for table in &tables {
            write_atomically(&file(table, "csv"), csv::csv(table).as_bytes())?;
            write_atomically(&file(table, "json"), csv::json(table).as_bytes())?;
        }
        Ok(())
    }
}
