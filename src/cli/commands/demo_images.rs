//! `demo-images` (hidden): makes the embedded images from the original files.

use std::path::PathBuf;

use crate::cli::failure::Failure;
use crate::cli::output;
use crate::engine::data::demo;

/// Options of `demo-images`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Folder with the original files of Fashion-MNIST
    #[arg(value_name = "DIR")]
    pub original: PathBuf,
    /// Folder that gets the four files
    #[arg(short, long, value_name = "DIR", default_value = "assets/demo")]
    pub output: PathBuf,
}

/// Makes the four files.
///
/// # Errors
/// When the originals cannot be read or the files cannot be written.
pub fn run(args: &Args) -> Result<(), Failure> {
    demo::subset(&args.original, &args.output)?;
    let folder = args.output.display();
    output::print(&format!(
        "{} training and {} test images are in {folder}\n",
        demo::TRAIN_IMAGES,
        demo::TEST_IMAGES
    ))
}
