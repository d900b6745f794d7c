//! `man`.

use clap::CommandFactory;
use clap_mangen::Man;

use crate::cli::args::Arguments;
use crate::cli::destination::ToFile;
use crate::cli::failure::Failure;
use crate::engine::complaint::hint;

const EXAMPLES: &str = "\
Examples:
  hawqeye man > ~/.local/share/man/man1/hawqeye.1
  hawqeye man analyze | man -l -";

/// Options of `man`.
#[derive(Debug, Clone, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Args {
    /// The page of this command instead of the overview
    #[arg(value_name = "COMMAND")]
    pub command: Option<String>,
    /// Where it is written to.
    #[command(flatten)]
    pub file: ToFile,
}

/// Prints a manual page in roff.
///
/// # Errors
/// When there is no such command, or stdout cannot be written.
pub fn run(args: &Args) -> Result<(), Failure> {
    let mut command = Arguments::command();
    command.build();
    if let Some(name) = &args.command {
        command = page(&command, name)?;
    }
    let mut text = Vec::new();
    Man::new(command)
        .render(&mut text)
        .map_err(|refused| Failure::failed(format!("cannot write the page: {refused}")))?;
    args.file.deliver(&String::from_utf8_lossy(&text), &[])
}

fn page(root: &clap::Command, name: &str) -> Result<clap::Command, Failure> {
    let found = root.find_subcommand(name).cloned();
    found.ok_or_else(|| {
        let shown = root
            .get_subcommands()
            .filter(|command| !command.is_hide_set());
        let names: Vec<&str> = shown.map(clap::Command::get_name).collect();
        let hint = hint(name, names.into_iter());
        Failure::usage(format!("no command {name}{hint}"))
    })
}
