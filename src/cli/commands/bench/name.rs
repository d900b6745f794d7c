//! The works by name.

use std::fmt;

use clap::ValueEnum;
use serde::{Serialize, Serializer};

/// A work that can be timed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Name {
    /// Logits of a batch, as in an evaluation
    Forward,
    /// Loss of a batch and gradients of all parameters, running statistics
    ForwardBackward,
    /// One Hessian product of each layer over a batch
    Product,
    /// Largest eigenvalue of every layer over the samples, tolerance 1e-3
    Sweep,
    /// The same with traces
    SweepTraces,
    /// A training step of the float network, batch statistics
    TrainStep,
    /// A training step with weights and activations at 4 bits
    QatStep,
    /// GFLOP/s of convolutions on one thread, beside those of a large sgemm
    Convolutions,
}

impl Name {
    /// Those asked for, each once and in the usual order; all when none is.
    #[must_use]
    pub fn selected(asked: &[Self]) -> Vec<Self> {
        let is_asked = |name: &&Self| asked.is_empty() || asked.contains(name);
        let names = Self::value_variants().iter();
        names.filter(is_asked).copied().collect()
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.to_possible_value();
        f.write_str(value.expect("invariant: no work is skipped").get_name())
    }
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn works_are_done_once_and_in_the_usual_order() {
        let asked = [Name::Sweep, Name::Forward, Name::Sweep];
        assert_eq!(Name::selected(&asked), [Name::Forward, Name::Sweep]);
        assert_eq!(Name::selected(&[]).len(), 8);
        assert_eq!(Name::QatStep.to_string(), "qat-step");
    }
}
