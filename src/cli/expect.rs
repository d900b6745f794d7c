//! `--expect`: the outputs of a network here beside those of the user's own runtime.

use std::path::PathBuf;
use std::str::FromStr;

use super::destination::Input;
use super::device::Work;
use super::failure::Failure;
use crate::engine::agreement::{Agreement, Expected};
use crate::engine::backend::Backend;
use crate::engine::model::Model;
use crate::numbers::counted;

/// What a network is given, and what it should give.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    given: PathBuf,
    wanted: PathBuf,
}

impl FromStr for Pair {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let pair = text
            .split_once(',')
            .filter(|(given, wanted)| !given.is_empty() && !wanted.is_empty());
        let (given, wanted) =
            pair.ok_or("expected two files with a comma between them: X.npy,Y.npy")?;
        Ok(Self {
            given: given.into(),
            wanted: wanted.into(),
        })
    }
}

/// `--expect`.
#[derive(Debug, Clone, Default, PartialEq, Eq, clap::Args)]
pub struct ExpectArgs {
    /// Compare the outputs with those of your own runtime: inputs as the network reads them, and outputs
    ///
    /// Two arrays of NumPy, float32: N x the input, and N x the outputs.
    #[arg(long, value_name = "X.npy,Y.npy")]
    pub expect: Option<Pair>,
}

impl ExpectArgs {
    /// The files that are read.
    pub fn files(&self) -> impl Iterator<Item = Input<'_>> {
        let files = self
            .expect
            .iter()
            .flat_map(|pair| [&pair.given, &pair.wanted]);
        files.map(|path| Input {
            path,
            what: "one of the files of --expect",
        })
    }

    /// What is to be compared with a network; nothing when it was not asked for.
    ///
    /// # Errors
    /// When a file is no array of the network's inputs or outputs.
    pub fn of<'a>(&self, model: &'a Model) -> Result<Option<Comparing<'a>>, Failure> {
        let expected = self.expect.as_ref().map(|pair| {
            let expected = Expected::read(model, &pair.given, &pair.wanted)?;
            Ok(Comparing { model, expected })
        });
        expected.transpose()
    }
}

/// Compares on a device.
pub struct Comparing<'a> {
    model: &'a Model,
    expected: Expected,
}

impl Work for Comparing<'_> {
    type Output = Agreement;

    fn run<B: Backend>(self, backend: &B) -> Result<Agreement, Failure> {
        Ok(self.expected.compare(backend, self.model)?)
    }
}

/// In words.
#[must_use]
pub fn sentence(agreement: &Agreement) -> String {
    let Agreement {
        inputs,
        largest_difference,
        largest_output,
        at,
        same_class,
        ..
    } = *agreement;
    let place = if largest_difference > 0.0 {
        format!(" (input {at}, counted from 0)")
    } else {
        String::new()
    };
    format!(
        "outputs differ from the expected ones by {largest_difference:.3e} at most{place}, the largest \
         expected one is {largest_output:.3e}; {same_class} of {} in the same class",
        counted(inputs, "input")
    )
}

/// Why a comparison is doubtful, and what to do.
#[must_use]
pub fn doubt(agreement: &Agreement) -> Option<String> {
    agreement.is_doubtful().then(|| {
        format!(
            "{}: more than rounding makes; were they computed by this network, in inference mode, from \
             these inputs after preprocessing?",
            sentence(agreement)
        )
    })
}
