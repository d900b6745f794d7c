//! `export`: writes the network of a run as a file, reads it back and compares.

use std::path::PathBuf;

use clap::ValueEnum;

const EXAMPLES: &str = "\
Examples:
  hawqeye export run --format packed -o small.safetensors
  hawqeye export run --format qonnx -o network.onnx
  hawqeye eval --packed small.safetensors --data demo";

/// Options of `export`.
#[derive(Debug, Clone, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Args {
    /// Run folder, as tune writes it
    #[arg(value_name = "RUN")]
    pub run: PathBuf,
    /// Format of the file
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// The file
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
}

/// Format of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Format {
    /// Weights packed at 2 to 8 bits each: really small
    #[default]
    Packed,
    /// ONNX with Quant nodes: exact, for other tools; holds floats
    Qonnx,
    /// Dequantized weights with their names, for `PyTorch`; bits and scales as JSON beside it
    Safetensors,
}
