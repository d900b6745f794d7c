//! What is done to pictures, and what their labels mean: options, the same for every command.

use std::path::PathBuf;

use super::destination::Input;
use super::failure::Failure;
use crate::engine::data::Reading;
use crate::engine::data::picture::{Interpolation, Size};
use crate::engine::data::preprocessing::{self, Channels, Preprocessing, Resize};
use crate::engine::memory::Memory;

/// What is done to pictures before the network reads their numbers; what is not given is as in the
/// file of `--preprocess`, and else as is usual for the model.
#[derive(Debug, Clone, Default, PartialEq, clap::Args)]
#[command(next_help_heading = "Preprocessing")]
pub struct PreprocessArgs {
    /// File that says what is done to pictures: TOML with a table [input], timm's config.json, Hugging
    /// Face's preprocessor_config.json, or what torchvision's transforms print
    #[arg(long, value_name = "FILE")]
    pub preprocess: Option<PathBuf>,
    /// Rows and columns that the network reads: 224, or 224x192
    #[arg(long, value_name = "SIZE")]
    pub size: Option<Size>,
    /// How pictures are resized: shorter=N (the shorter side to N pixels), exact (to --size), none
    /// [default: exact with --size, else none]
    #[arg(long, value_name = "HOW")]
    pub resize: Option<Resize>,
    /// Rows and columns that are cut out of the middle afterwards [default: --size with shorter=N]
    #[arg(long, value_name = "SIZE")]
    pub crop: Option<Size>,
    /// Filter of the resize, as in Pillow: nearest, box, bilinear, hamming, bicubic or lanczos
    /// [default: bilinear]
    #[arg(long, value_name = "FILTER")]
    pub interpolation: Option<Interpolation>,
    /// Channels and their order: rgb, bgr or gray [default: rgb of picture files, else as they come]
    #[arg(long, value_name = "ORDER")]
    pub channels: Option<Channels>,
    /// What a byte is multiplied by; 1 keeps 0 to 255 [default: 0.00392157, which is 1/255]
    #[arg(long, value_name = "FACTOR", allow_negative_numbers = true)]
    pub pixel_scale: Option<f32>,
    /// Mean of each channel after --pixel-scale, or one for all [default: the model's usual one]
    #[arg(
        long,
        value_name = "R,G,B",
        value_delimiter = ',',
        allow_negative_numbers = true
    )]
    pub mean: Option<Vec<f32>>,
    /// Standard deviation of each channel, or one for all [default: the model's usual one]
    #[arg(
        long,
        value_name = "R,G,B",
        value_delimiter = ',',
        allow_negative_numbers = true
    )]
    pub std: Option<Vec<f32>>,
}

impl PreprocessArgs {
    /// What was said: the options, and the file where they say nothing.
    ///
    /// # Errors
    /// When the file cannot be read, or asks with the options for what cannot be done.
    pub fn said(&self) -> Result<Preprocessing, Failure> {
        let options = Preprocessing {
            size: self.size,
            resize: self.resize,
            crop: self.crop,
            interpolation: self.interpolation,
            channels: self.channels,
            pixel_scale: self.pixel_scale,
            mean: self.mean.clone(),
            std: self.std.clone(),
        };
        options.check_numbers().map_err(Failure::usage)?;
        let said = match &self.preprocess {
            Some(path) => options.or(preprocessing::read(path)?),
            None => options,
        };
        said.check().map_err(Failure::usage)?;
        Ok(said)
    }

    /// Whether anything was given.
    #[must_use]
    pub fn is_given(&self) -> bool {
        *self != Self::default()
    }
}

/// Which label means what, for sets that do not tell it themselves.
#[derive(Debug, Clone, Default, PartialEq, clap::Args)]
pub struct LabelArgs {
    /// File with the names of the classes, one a line in the order of the labels (of folder:DIR the
    /// names of its folders)
    #[arg(long, value_name = "FILE")]
    pub classes: Option<PathBuf>,
    /// Table of files and labels (file,label) for a folder:DIR whose order is not the label
    #[arg(long, value_name = "FILE.csv")]
    pub labels: Option<PathBuf>,
}

impl LabelArgs {
    /// How a set is read with these.
    #[must_use]
    pub fn reading(&self, preprocessing: Preprocessing, memory: Memory) -> Reading {
        Reading {
            preprocessing,
            classes: self.classes.clone(),
            labels: self.labels.clone(),
            expected: None,
            memory,
        }
    }

    /// The files that are read.
    pub fn files(&self) -> impl Iterator<Item = Input<'_>> {
        let files = [
            (&self.classes, "the list of classes"),
            (&self.labels, "the table of labels"),
        ];
        files.into_iter().filter_map(|(path, what)| {
            Some(Input {
                path: path.as_deref()?,
                what,
            })
        })
    }

    /// Whether anything was given.
    #[must_use]
    pub fn is_given(&self) -> bool {
        *self != Self::default()
    }
}
