//! `config`: the defaults of the terminal application, to copy and change.

use clap::ValueEnum;

use crate::cli::destination::ToFile;
use crate::cli::failure::Failure;
use crate::folders::Folders;

const EXAMPLES: &str = "\
Examples:
  hawqeye config                                        where the files belong
  hawqeye config --print config -o ~/.config/hawqeye/config.toml
  hawqeye config --print keymap -o ~/.config/hawqeye/keymap.toml
  hawqeye config --print theme -o ~/.config/hawqeye/themes/mine.toml

Lines that are left out keep their defaults. HAWQEYE_HOME names another folder.";

/// Options of `config`.
#[derive(Debug, Clone, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Args {
    /// Print this default file instead of where the files belong
    #[arg(long, value_enum, value_name = "WHAT")]
    pub print: Option<What>,
    /// Where it is written to.
    #[command(flatten)]
    pub file: ToFile,
}

/// A default file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum What {
    /// Settings: colours, symbols, mouse, bell, motion
    Config,
    /// Keys and their commands
    Keymap,
    /// Colours: the theme that is used when none was chosen
    Theme,
}

/// Prints a default file, or where the user's files belong.
///
/// # Errors
/// When stdout cannot be written.
pub fn run(args: &Args) -> Result<(), Failure> {
    match args.print {
        Some(What::Config) => args
            .file
            .deliver(include_str!("../../../assets/config.toml"), &[]),
        Some(What::Keymap) => args
            .file
            .deliver(include_str!("../../../assets/keymap.toml"), &[]),
        Some(What::Theme) => args
            .file
            .deliver(include_str!("../../../themes/terminal.toml"), &[]),
        None => args.file.deliver(&places()?, &[]),
    }
}

fn places() -> Result<String, Failure> {
    let Folders { config, data } = Folders::find().ok_or_else(|| {
        Failure::failed("there is no home folder; name a folder with HAWQEYE_HOME")
    })?;
    let state = |found: bool| if found { "in use" } else { "defaults in use" };
    let settings = config.join("config.toml");
    let (keymap, themes) = (config.join("keymap.toml"), config.join("themes"));
    let text = format!(
        "settings  {} ({})\nkeymap    {} ({})\nthemes    {} ({})\nprojects  {}\n",
        settings.display(),
        state(settings.is_file()),
        keymap.display(),
        state(keymap.is_file()),
        themes.display(),
        state(themes.is_dir()),
        data.display()
    );
    Ok(text)
}
