//! `completions SHELL`.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::cli::args::Arguments;
use crate::cli::destination::ToFile;
use crate::cli::failure::Failure;

const EXAMPLES: &str = "\
Examples:
  hawqeye completions bash > ~/.local/share/bash-completion/completions/hawqeye
  hawqeye completions zsh > ~/.zfunc/_hawqeye
  hawqeye completions fish > ~/.config/fish/completions/hawqeye.fish";

/// Options of `completions`.
#[derive(Debug, Clone, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Args {
    /// The shell
    pub shell: Shell,
    /// Where it is written to.
    #[command(flatten)]
    pub file: ToFile,
}

/// Prints the completions.
///
/// # Errors
/// When stdout cannot be written.
pub fn run(args: &Args) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(
        args.shell,
        &mut Arguments::command(),
        "hawqeye",
        &mut script,
    );
    args.file.deliver(&String::from_utf8_lossy(&script), &[])
}
