//! What is doubtful in measurements, told wherever they are used: by the analysis, by a plan made from
//! them, on screen and in the report.

use std::fmt;
use std::sync::Arc;

use super::sensitivity::{LayerSensitivity, Sensitivity};
use crate::engine::counts::counted;

/// A loss this near to chance, `ln(classes)`, is that of a network that knows nothing.
const NEAR_CHANCE: f64 = 0.8;
/// A network that is right this often was trained, whatever its loss.
const TRAINED: f64 = 0.5;
/// A predicted rise of the loss, in nats, below which a whole network has no curvature to rank by.
const NO_RISE: f64 = 1e-6;
/// Images that a ranking rests on at least, unless the sample has few itself.
const FEW_IMAGES: usize = 8;
/// Share of the sample, as its denominator, below which those are few.
const FEW_OF: usize = 16;
/// Standard error of a trace, relative to it, that makes ranks uncertain.
const UNCERTAIN: f64 = 0.1;

/// Something doubtful in measurements.
#[derive(Debug, Clone, PartialEq)]
pub enum Doubt {
    /// Eigenvalues did not reach the tolerance within the products that were allowed.
    NotConverged {
        /// How many.
        count: usize,
        /// Of how many that were measured.
        total: usize,
        /// The layer with the worst residual, where residuals are known.
        worst: Option<(Arc<str>, f64)>,
    },
    /// Traces have large standard errors.
    UncertainTrace {
        /// How many.
        count: usize,
        /// Of how many that were measured.
        total: usize,
        /// The layer with the largest error, relative to its trace.
        worst: (Arc<str>, f64),
    },
    /// The network is so sure of the sample that hardly any curvature is left.
    NoCurvature {
        /// Rows and images that the measurements rest on, where they are known.
        rest_on: Option<(usize, usize)>,
        /// Images of the sample, where they are known.
        samples: Option<usize>,
    },
    /// The loss is that of guessing.
    Untrained {
        /// Mean loss, in nats.
        loss: f64,
        /// That of guessing.
        chance: f64,
    },
}

impl Doubt {
    /// What it is, in few words, without the way out.
    #[must_use]
    pub fn short(&self) -> String {
        match self {
            Self::NotConverged { count, total, .. } => {
                format!("{count} of {total} eigenvalues did not converge")
            }
            Self::UncertainTrace { count, total, .. } => {
                format!("{count} of {total} traces are uncertain")
            }
            Self::NoCurvature { .. } => "hardly any curvature is left".to_owned(),
            Self::Untrained { .. } => "the network looks untrained".to_owned(),
        }
    }

    /// Whether the loss over a sample is that of an untrained network.
    #[must_use]
    pub fn of_loss(loss: f64, accuracy: f64, classes: usize) -> Option<Self> {
        let chance = (classes as f64).ln();
        (loss > NEAR_CHANCE * chance && accuracy < TRAINED)
            .then_some(Self::Untrained { loss, chance })
    }
}

impl Sensitivity {
    /// Everything doubtful in these measurements.
    #[must_use]
    pub fn doubts(&self) -> Vec<Doubt> {
        let found = [
            self.untrained(),
            self.no_curvature(),
            self.not_converged(),
            self.uncertain_traces(),
        ];
        found.into_iter().flatten().collect()
    }

    fn untrained(&self) -> Option<Doubt> {
        let classes = self.data.as_ref()?.classes?;
        Doubt::of_loss(self.loss?, self.accuracy?, classes)
    }

    fn no_curvature(&self) -> Option<Doubt> {
        let rises: Vec<f64> = self.layers.iter().filter_map(predicted_rise).collect();
        let largest = rises.iter().copied().fold(0.0, f64::max);
        let samples = self.data.as_ref().and_then(|data| data.samples);
        let images = self.curvature.map(|curvature| curvature.images);
        let few = images.zip(samples).is_some_and(|(images, samples)| {
            images < FEW_IMAGES && images.saturating_mul(FEW_OF) < samples
        });
        (!rises.is_empty() && (largest < NO_RISE || few)).then(|| Doubt::NoCurvature {
            rest_on: self.curvature.map(|of| (of.rows, of.images)),
            samples,
        })
    }

    fn not_converged(&self) -> Option<Doubt> {
        let measured = self.layers.iter().filter(|layer| layer.converged.is_some());
        let open: Vec<&LayerSensitivity> = measured
            .clone()
            .filter(|layer| layer.converged == Some(false))
            .collect();
        let residuals = open
            .iter()
            .filter_map(|layer| Some((layer.layer.clone(), layer.residual?)));
        (!open.is_empty()).then(|| Doubt::NotConverged {
            count: open.len(),
            total: measured.count(),
            worst: residuals.max_by(|a, b| a.1.total_cmp(&b.1)),
        })
    }

    fn uncertain_traces(&self) -> Option<Doubt> {
        let relative = |layer: &LayerSensitivity| {
            let (trace, error) = layer.trace.zip(layer.trace_stderr)?;
            Some((layer.layer.clone(), error / trace.abs()))
        };
        let errors: Vec<(Arc<str>, f64)> = self.layers.iter().filter_map(relative).collect();
        let uncertain = || errors.iter().filter(|(_, error)| *error > UNCERTAIN);
        let worst = uncertain().max_by(|a, b| a.1.total_cmp(&b.1))?.clone();
        Some(Doubt::UncertainTrace {
            count: uncertain().count(),
            total: errors.len(),
            worst,
        })
    }
}

/// The rise of the loss by the second-order bound at the narrowest measured bits, where it is known:
/// omega, `|lambda| * norm(Q(w) - w)^2` (HAWQ, arXiv 1905.03696, section 3.3).
fn predicted_rise(layer: &LayerSensitivity) -> Option<f64> {
    let (_, error) = layer.perturbation.iter().next()?;
    Some(layer.eigenvalue?.abs() * error)
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotConverged {
                count,
                total,
                worst,
            } => {
                write!(
                    f,
                    "{count} of {total} eigenvalues did not reach the tolerance"
                )?;
                if let Some((layer, residual)) = worst {
                    write!(f, " (worst: {layer}, relative residual {residual:.1e})")?;
                }
                f.write_str(
                    ": ranks may be wrong; measure again with a larger --max-iterations or \
                     --tolerance",
                )
            }
            Self::UncertainTrace {
                count,
                total,
                worst: (layer, error),
            } => write!(
                f,
                "{count} of {total} traces have standard errors above {:.0} % (worst: {layer}, \
                 {:.0} %): ranks may be wrong; measure again with more --samples",
                100.0 * UNCERTAIN,
                100.0 * error
            ),
            Self::NoCurvature { rest_on, samples } => {
                f.write_str(
                    "the network is so sure of the sample that hardly any curvature is left",
                )?;
                match (rest_on, samples) {
                    (Some((rows, images)), Some(samples)) => {
                        write!(
                            f,
                            " (there is some in {} of {images} of the {})",
                            counted(*rows, "row"),
                            counted(*samples, "image")
                        )?;
                    }
                    (Some((rows, images)), None) => {
                        let (rows, images) = (counted(*rows, "row"), counted(*images, "image"));
                        write!(f, " (there is some in {rows} of {images})")?;
                    }
                    (None, _) => {}
                }
                f.write_str(
                    ": the ranking means nothing; measure on more or other images, or by \
                     loss-change",
                )
            }
            Self::Untrained { loss, chance } => write!(
                f,
                "the network looks untrained: its loss is {loss:.3}, and {chance:.3} is chance; \
                 check --weights, --mean and --std"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn told(file: Value) -> Vec<String> {
        let file: Sensitivity = serde_json::from_value(file).unwrap();
        file.doubts().iter().map(ToString::to_string).collect()
    }

    fn layer(name: &str, converged: bool, residual: f64) -> Value {
        json!({"layer": name, "parameters": 9, "eigenvalue": 1.0, "perturbation": {"2": 1.0},
            "converged": converged, "residual": residual})
    }

    #[test]
    fn sound_measurements_and_those_from_elsewhere_leave_no_doubt() {
        assert!(told(json!({"layers": [layer("a", true, 1e-4)]})).is_empty());
        let bare = json!({"layers": [{"layer": "a", "parameters": 9, "eigenvalue": 1e-9}]});
        assert!(told(bare).is_empty());
    }

    #[test]
    fn eigenvalues_that_did_not_converge_are_counted_and_the_worst_is_named() {
        let layers = [
            layer("a", false, 0.02),
            layer("b", false, 0.3),
            layer("c", true, 1e-4),
        ];
        let told = told(json!({"layers": layers}));
        let expected = "2 of 3 eigenvalues did not reach the tolerance (worst: b, relative \
                        residual 3.0e-1)";
        assert!(told[0].starts_with(expected), "{told:?}");
        assert!(told[0].contains("--max-iterations"), "{told:?}");
    }

    #[test]
    fn a_network_that_is_too_sure_and_one_that_guesses_are_told_apart() {
        let file = |loss: f64, accuracy: f64, eigenvalue: f64| {
            let mut layer = layer("a", true, 1e-4);
            layer["eigenvalue"] = json!(eigenvalue);
            json!({"loss": loss, "accuracy": accuracy, "layers": [layer],
                "data": {"name": "demo", "split": "train", "samples": 128, "classes": 10},
                "curvature": {"rows": 2, "images": 2, "left_out": 0.0}})
        };
        let sure = told(file(1.458, 0.992, 0.0));
        assert_eq!(sure.len(), 1, "{sure:?}");
        assert!(sure[0].contains("so sure") && sure[0].contains("2 rows of 2 of the 128 images"));
        let mut guessing = file(2.31, 0.1, 3.0);
        guessing["curvature"]["images"] = json!(128);
        let guessing = told(guessing);
        assert_eq!(guessing.len(), 1, "{guessing:?}");
        assert!(guessing[0].contains("looks untrained"));
    }

    #[test]
    fn a_trace_with_a_large_error_is_named() {
        let layers = json!([{"layer": "a", "parameters": 9, "trace": -2.0, "trace_stderr": 0.5}]);
        let told = told(json!({"layers": layers}));
        assert!(
            told[0].contains("1 of 1 traces") && told[0].contains("25 %"),
            "{told:?}"
        );
    }
}
