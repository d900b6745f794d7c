//! What the window asks that opens a network: what comes of the lines as they were typed, and how a
//! path may go on.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::project::InputFile;

/// A line of the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field {
    /// The network.
    Network,
    /// Its weights, where they lie in another file.
    Weights,
    /// The images.
    Data,
    /// What is done to images, and what their labels mean.
    Preprocessing,
    /// The name of the project.
    Project,
}

impl Field {
    /// Every line, from top to bottom.
    pub const ALL: [Self; 5] = [
        Self::Network,
        Self::Weights,
        Self::Data,
        Self::Preprocessing,
        Self::Project,
    ];

    /// Its name on the screen.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Weights => "weights",
            Self::Data => "data",
            Self::Preprocessing => "preprocessing",
            Self::Project => "project",
        }
    }
}

/// What is to be opened, as it was typed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OpenRequest {
    /// Network, weights and images; the images are empty while nothing was typed.
    pub inputs: InputFile,
    /// File that says what is done to images, where `inputs` says nothing.
    pub preprocess: Option<PathBuf>,
    /// The name of the project; empty: named after network and images.
    pub project: String,
    /// The user's data folder, which holds the projects.
    pub folder: PathBuf,
}

/// What is said of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// What it names, in words.
    Good(String),
    /// The same, and why it may not be what is meant.
    Doubtful(String),
    /// Why it cannot be opened, and what to do.
    Bad(String),
}

/// What comes of a request.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Answers {
    /// The request.
    pub request: OpenRequest,
    /// By line.
    pub of: BTreeMap<Field, Answer>,
    /// What the float network makes of some test images.
    pub score: Option<Answer>,
    /// What to open; absent while something is wrong.
    pub found: Option<Opening>,
}

/// A network that can be opened.
#[derive(Debug, Clone, PartialEq)]
pub struct Opening {
    /// Everything that was asked for, its paths from the root.
    pub inputs: InputFile,
    /// The name of the project.
    pub project: String,
}

/// How a line may go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choices {
    /// The line.
    pub field: Field,
    /// Its text.
    pub text: String,
    /// What it may become; where it goes on from there, it ends in `/`, `:` or `=`.
    pub found: Vec<String>,
}
