//! No command: the terminal application.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::cli::args::Shared;
use crate::cli::failure::Failure;
use crate::cli::inputs::InputArgs;

/// What the terminal application is opened on.
#[derive(Debug, Clone, PartialEq, clap::Args)]
pub struct Args {
    /// Which network, and which images.
    #[command(flatten)]
    pub inputs: InputArgs,
    /// Project to open or to make [default: the last one, or the demo]
    ///
    /// With a network or images of your own it is named after them.
    #[arg(long, value_name = "NAME", help_heading = "Application")]
    pub project: Option<String>,
    /// Colours: terminal, dark, light, okabe-ito, mono or a file of your own
    #[arg(long, value_name = "NAME", help_heading = "Application")]
    pub theme: Option<String>,
    /// Start without what the last session left
    ///
    /// The first screen is shown, with the default settings; measurements, plan and runs stay.
    #[arg(long, help_heading = "Application")]
    pub fresh: bool,
    /// Show a run, and follow it while it goes on
    ///
    /// Also one that `hawqeye tune` works on, and in any folder.
    #[arg(long, value_name = "RUN", help_heading = "Application")]
    pub attach: Option<PathBuf>,
}

impl Args {
    /// Refuses options that only the application takes in front of a command, where they would be
    /// ignored.
    ///
    /// # Errors
    /// A usage error when there is one.
    pub fn refuse(&self) -> Result<(), Failure> {
        let InputArgs {
            model,
            weights,
            weights_key,
            data,
            lists,
            preprocess,
        } = &self.inputs;
        let inputs = model.is_some()
            || weights.is_some()
            || weights_key.is_some()
            || data.is_some()
            || lists.is_given()
            || preprocess.is_given();
        let application =
            self.project.is_some() || self.theme.is_some() || self.attach.is_some() || self.fresh;
        if inputs || application {
            return Err(Failure::usage(
                "options of a command stand after it, as in hawqeye eval --model resnet20",
            ));
        }
        Ok(())
    }
}

/// Opens the terminal application, and says how it was left.
#[cfg(feature = "tui")]
#[must_use]
pub fn run(args: &Args, shared: &Shared) -> ExitCode {
    use crate::app::{self, Options, project::InputFile};
    let InputArgs {
        model,
        weights,
        weights_key,
        data,
        lists,
        preprocess,
    } = &args.inputs;
    let said = match preprocess.said() {
        Ok(said) => said,
        Err(failure) => {
            failure.print();
            return failure.exit.into();
        }
    };
    let given = model.is_some() || weights.is_some() || data.is_some();
    let inputs = given.then(|| InputFile {
        model: model
            .as_ref()
            .map_or_else(|| "resnet20".to_owned(), ToString::to_string),
        weights: weights.clone(),
        weights_key: weights_key.clone(),
        data: data
            .as_ref()
            .map_or_else(|| "demo".to_owned(), ToString::to_string),
        classes: lists.classes.clone(),
        labels: lists.labels.clone(),
        input: said,
        ..InputFile::default()
    });
    app::run(&Options {
        inputs: inputs.map(InputFile::absolute),
        seed: shared.seed,
        project: args.project.clone(),
        theme: args.theme.clone(),
        no_color: shared.no_color,
        fresh: args.fresh,
        attach: args.attach.as_deref().map(absolute),
        program: program(),
    })
}

/// This executable: on Linux also when its file was replaced meanwhile.
#[cfg(feature = "tui")]
fn program() -> std::path::PathBuf {
    let running = std::path::Path::new("/proc/self/exe");
    if running.exists() {
        return running.to_owned();
    }
    std::env::current_exe().unwrap_or_else(|_| "hawqeye".into())
}

/// A run is looked at again later, from anywhere.
#[cfg(feature = "tui")]
fn absolute(path: &std::path::Path) -> std::path::PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// Says that there is none.
#[cfg(not(feature = "tui"))]
#[must_use]
pub fn run(_args: &Args, _shared: &Shared) -> ExitCode {
    let failure = Failure::failed(
        "this build has no terminal application; use a command (see hawqeye --help)",
    );
    failure.print();
    failure.exit.into()
}
