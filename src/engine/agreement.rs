//! The outputs of a network here beside those that the user's own runtime gave for the same inputs.

use std::path::Path;

use serde::Serialize;

use super::autodiff::Program;
use super::backend::Backend;
use super::data::array::Array;
use super::data::{Dataset, Normalization, Selection, inputs};
use super::evaluation::logits;
use super::graph::operations::BatchNormMode;
use super::graph::operations::rules::Purpose;
use super::job::Verdict;
use super::model::Model;
use super::{Error, Result};

/// Share of the largest output from which a difference is more than rounding.
const ROUNDING: f64 = 1e-3;

/// Inputs, and the outputs that are expected for them.
#[derive(Debug)]
pub struct Expected {
    inputs: Dataset,
    /// Row after row.
    outputs: Vec<f32>,
}

/// How far the outputs are from those that are expected.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Agreement {
    /// Number of inputs.
    pub inputs: usize,
    /// Outputs of each.
    pub outputs: usize,
    /// The largest difference of an output.
    pub largest_difference: f64,
    /// The largest expected output.
    pub largest_output: f64,
    /// The input that has the largest difference, from 0.
    pub at: usize,
    /// Inputs whose largest output is at the same place.
    pub same_class: usize,
}

impl Agreement {
    /// Whether the difference is more than rounding makes.
    #[must_use]
    pub fn is_doubtful(&self) -> bool {
        self.largest_difference > ROUNDING * self.largest_output.max(ROUNDING)
    }
}

impl Expected {
    /// Reads what a network is given (`N x` its input, numbers as it reads them) and what it should
    /// give (`N x` its outputs).
    ///
    /// # Errors
    /// When a file is no such array.
    pub fn read(model: &Model, given: &Path, wanted: &Path) -> Result<Self> {
        let inputs = inputs(given, model.graph.input_shape())?;
        let array = Array::open(wanted)?;
        let (rows, columns) = (inputs.len(), model.graph.classes());
        let shape = array.shape();
        if shape.first() != Some(&rows) || Some(array.elements()) != rows.checked_mul(columns) {
            let reason = format!(
                "holds {shape:?}, expected the outputs of {rows} inputs: {rows} x {columns}"
            );
            return Err(Error::format(wanted, reason));
        }
        Ok(Self {
            outputs: array.numbers(0, array.elements())?,
            inputs,
        })
    }

    /// Compares; a softmax that was taken off the end of the network is put back.
    ///
    /// # Errors
    /// When the device fails.
    pub fn compare<B: Backend>(&self, backend: &B, model: &Model) -> Result<Agreement> {
        let walk = (BatchNormMode::Running, Purpose::Evaluate);
        let program = Program::new(&model.graph, backend, &model.parameters, walk)?;
        let normalization = Normalization::none(self.inputs.channels);
        let images = Selection::all(&self.inputs, &normalization)?;
        let mut found = Vec::new();
        logits(&program, &images, &mut |some, _| {
            found.extend_from_slice(some);
            Verdict::Continue
        })?;
        let columns = model.graph.classes();
        let softmax = model
            .imported
            .as_ref()
            .and_then(|imported| imported.softmax.as_deref());
        if let Some(operation) = softmax {
            let log = operation.to_lowercase().contains("log");
            found
                .chunks_exact_mut(columns)
                .for_each(|row| softened(row, log));
        }
        Ok(self.difference(&found, columns))
    }

    fn difference(&self, found: &[f64], columns: usize) -> Agreement {
        let mut agreement = Agreement {
            inputs: self.inputs.len(),
            outputs: columns,
            largest_difference: 0.0,
            largest_output: 0.0,
            at: 0,
            same_class: 0,
        };
        let rows = found
            .chunks_exact(columns)
            .zip(self.outputs.chunks_exact(columns));
        for (at, (own, wanted)) in rows.enumerate() {
            let wanted: Vec<f64> = wanted.iter().map(|value| f64::from(*value)).collect();
            for (own, wanted) in own.iter().zip(&wanted) {
                let difference = (own - wanted).abs();
                agreement.largest_output = agreement.largest_output.max(wanted.abs());
                // What is not a number here differs from every number.
                if difference > agreement.largest_difference || difference.is_nan() {
                    (agreement.largest_difference, agreement.at) = (difference, at);
                }
            }
            agreement.same_class += usize::from(largest(own) == largest(&wanted));
        }
        agreement
    }
}

/// The place of the largest of some numbers.
fn largest(of: &[f64]) -> Option<usize> {
    (0..of.len()).max_by(|a, b| of[*a].total_cmp(&of[*b]))
}

/// The softmax of a row, or its logarithm.
fn softened(row: &mut [f64], log: bool) {
    let most = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = row.iter().map(|value| (value - most).exp()).sum();
    for value in row {
        *value -= most + sum.ln();
        if !log {
            *value = value.exp();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_softmax_sums_to_one_also_for_large_numbers() {
        let mut row = [1000.0, 1000.0 + 3f64.ln(), -1000.0];
        softened(&mut row, false);
        assert!((row[0] - 0.25).abs() < 1e-12 && (row[1] - 0.75).abs() < 1e-12);
        let mut log = [0.0, 0.0];
        softened(&mut log, true);
        assert!((log[0] + 2f64.ln()).abs() < 1e-12);
    }
}
