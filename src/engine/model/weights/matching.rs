//! Fitting the tensors of a file to the tensors a network needs, with every mismatch listed.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use super::{NamedTensor, WeightsFile};
use crate::engine::{Error, Result};

/// Mismatches of one kind that are listed before the rest is only counted.
const MAX_LISTED: usize = 10;
/// A counter of batch norm layers that no computation reads.
const BATCH_COUNTER: &str = "num_batches_tracked";

/// A tensor that the network needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// Path as in the weights file: `layer1.0.conv1.weight`.
    pub name: String,
    /// Extents, outermost first.
    pub shape: Vec<usize>,
}

/// The values of the `expected` tensors, in that order.
///
/// Counters of batch norm layers (`num_batches_tracked`) are ignored.
///
/// # Errors
/// [`Error::Format`] listing every missing, unexpected and misshapen tensor by name and shape.
pub fn match_tensors(
    file: &WeightsFile,
    path: &Path,
    expected: &[Expected],
) -> Result<Vec<Vec<f32>>> {
    let mut rest: BTreeMap<&str, &NamedTensor> = file
        .tensors
        .iter()
        .map(|tensor| (tensor.name.as_str(), tensor))
        .collect();
    let mut found = Vec::with_capacity(expected.len());
    let mut mismatches = Mismatches::default();
    for Expected { name, shape } in expected {
        match rest.remove(name.as_str()) {
            Some(tensor) if tensor.shape == *shape => found.push(tensor.values.clone()),
            Some(tensor) => {
                mismatches
                    .misshapen
                    .push(format!("{name} {:?} instead of {shape:?}", tensor.shape));
            }
            None => mismatches.missing.push(format!("{name} {shape:?}")),
        }
    }
    // In file order, which is the order a reader of the file expects.
    let unexpected = file
        .tensors
        .iter()
        .filter(|tensor| rest.contains_key(tensor.name.as_str()));
    for tensor in unexpected.filter(|tensor| !is_batch_counter(&tensor.name)) {
        mismatches
            .unexpected
            .push(format!("{} {:?}", tensor.name, tensor.shape));
    }
    match mismatches.sentence() {
        None => Ok(found),
        Some(reason) => Err(Error::format(path, reason)),
    }
}

fn is_batch_counter(name: &str) -> bool {
    name.rsplit('.').next() == Some(BATCH_COUNTER)
}

/// What does not fit, by kind.
#[derive(Default)]
struct Mismatches {
    missing: Vec<String>,
    unexpected: Vec<String>,
    misshapen: Vec<String>,
}

impl Mismatches {
    /// One sentence; `None` when all fits.
    fn sentence(&self) -> Option<String> {
        let kinds = [
            ("missing", &self.missing),
            ("unexpected", &self.unexpected),
            ("misshapen", &self.misshapen),
        ];
        let listed: Vec<String> = kinds
            .iter()
            .filter(|(_, tensors)| !tensors.is_empty())
            .map(|(kind, tensors)| format!("{} {kind}: {}", tensors.len(), list(tensors)))
            .collect();
        if listed.is_empty() {
            return None;
        }
        let listed = listed.join("; ");
        Some(format!(
            "the weights do not fit the model ({listed}); is --model right?"
        ))
    }
}

fn list(tensors: &[String]) -> String {
    let shown = tensors.len().min(MAX_LISTED);
    let mut text = tensors[..shown].join(", ");
    if tensors.len() > shown {
        write!(text, " and {} more", tensors.len() - shown)
            .expect("invariant: writing to a string cannot fail");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(tensors: &[(&str, &[usize])]) -> WeightsFile {
        let tensor = |&(name, shape): &(&str, &[usize])| NamedTensor {
            name: name.to_owned(),
            shape: shape.to_vec(),
            values: vec![1.0; shape.iter().product()],
        };
        WeightsFile {
            tensors: tensors.iter().map(tensor).collect(),
            sha256: String::new(),
        }
    }

    fn expected(tensors: &[(&str, &[usize])]) -> Vec<Expected> {
        let tensor = |&(name, shape): &(&str, &[usize])| Expected {
            name: name.to_owned(),
            shape: shape.to_vec(),
        };
        tensors.iter().map(tensor).collect()
    }

    #[test]
    fn values_come_in_the_expected_order_and_counters_are_ignored() {
        let file = file(&[("a", &[2]), ("bn.num_batches_tracked", &[]), ("b", &[3])]);
        let values = match_tensors(
            &file,
            Path::new("w"),
            &expected(&[("b", &[3]), ("a", &[2])]),
        );
        assert_eq!(values.unwrap(), [vec![1.0; 3], vec![1.0; 2]]);
    }

    #[test]
    fn every_mismatch_is_named_with_its_shape() {
        let file = file(&[("same", &[1]), ("wide", &[2, 3]), ("extra", &[4])]);
        let wanted = expected(&[("same", &[1]), ("wide", &[3, 2]), ("absent", &[5])]);
        let error = match_tensors(&file, Path::new("w.pth"), &wanted)
            .unwrap_err()
            .to_string();
        assert_eq!(
            error,
            "w.pth: the weights do not fit the model (1 missing: absent [5]; 1 unexpected: extra \
             [4]; 1 misshapen: wide [2, 3] instead of [3, 2]); is --model right?"
        );
    }

    #[test]
    fn long_lists_are_cut_and_counted() {
        let names: Vec<String> = (0..13).map(|index| format!("layer{index}")).collect();
        let wanted: Vec<Expected> = names
            .iter()
            .map(|name| Expected {
                name: name.clone(),
                shape: vec![1],
            })
            .collect();
        let error = match_tensors(&file(&[]), Path::new("w"), &wanted)
            .unwrap_err()
            .to_string();
        assert!(error.contains("13 missing: layer0 [1], "), "{error}");
        assert!(error.contains("layer9 [1] and 3 more)"), "{error}");
    }
}
