//! What cannot be true in a sensitivity file, whoever wrote it.

use super::{FORMAT, LARGEST, LayerSensitivity, PerBits, Sensitivity};
use crate::engine::counts::counted;
use crate::engine::scale_rule::ScaleRule;

/// Largest measured number: products of two of them and sums over layers are finite.
const MOST: f64 = 1e140;
/// Bit-widths that something can be measured at; of those between, a plan uses some.
const WIDTHS: std::ops::RangeInclusive<u8> = 1..=32;

type Checked = Result<(), String>;

impl Sensitivity {
    /// Refuses what cannot be true.
    ///
    /// # Errors
    /// A sentence with the layer and the key, without the path and the next step.
    pub(super) fn check(&self) -> Checked {
        if self.format != FORMAT || self.version != 1 {
            let (format, version) = (&self.format, self.version);
            return Err(format!(
                "got {format} version {version} instead of {FORMAT} version 1"
            ));
        }
        self.check_shares()?;
        self.check_rule()?;
        if self.layers.is_empty() {
            return Err("it lists no layer".to_owned());
        }
        for (index, layer) in self.layers.iter().enumerate() {
            let name = &layer.layer;
            if name.trim().is_empty() {
                return Err(format!("the layer in entry {} has no name", index + 1));
            }
            if self.layers[..index]
                .iter()
                .any(|earlier| earlier.layer == *name)
            {
                return Err(format!("layer {name} is listed twice"));
            }
            layer.check_sizes()?;
            layer.check_numbers()?;
        }
        Ok(())
    }

    /// The rule of step sizes is one that is known.
    fn check_rule(&self) -> Checked {
        let Some(told) = self.settings.get("scale").filter(|told| !told.is_null()) else {
            return Ok(());
        };
        let word = told
            .as_str()
            .map_or_else(|| told.to_string(), str::to_owned);
        word.parse::<ScaleRule>()
            .map(|_| ())
            .map_err(|refused| format!("settings, {refused}"))
    }

    /// Shares are 0 to 1, up to rounding; times are not below 0.
    fn check_shares(&self) -> Checked {
        const ROUNDING: f64 = 1e-9;
        let left_out = self.curvature.map(|curvature| curvature.left_out);
        for (key, share) in [("accuracy", self.accuracy), ("left out", left_out)] {
            if share.is_some_and(|share| !(-ROUNDING..=1.0 + ROUNDING).contains(&share)) {
                let got = share.unwrap_or_default();
                return Err(format!("{key}: expected a share, 0 to 1, got {got}"));
            }
        }
        match self.seconds {
            Some(seconds) if !(0.0..=MOST).contains(&seconds) => {
                Err(format!("seconds: expected 0 or more, got {seconds}"))
            }
            _ => Ok(()),
        }
    }
}

impl LayerSensitivity {
    fn check_sizes(&self) -> Checked {
        let (name, parameters) = (&self.layer, self.parameters);
        if parameters == 0 {
            return Err(format!(
                "{name} has 0 parameters: expected the number of its weights"
            ));
        }
        if self.macs == Some(0) {
            return Err(format!(
                "{name} has 0 MACs: expected how often its weights are multiplied, or no such key"
            ));
        }
        let macs = self.macs.unwrap_or(0);
        if parameters as u64 > LARGEST || macs > LARGEST {
            return Err(format!(
                "{name} has {parameters} parameters and {macs} MACs: expected at most {LARGEST}"
            ));
        }
        let mut sides = self.shape.iter();
        let weights = sides.try_fold(1_usize, |product, side| product.checked_mul(*side));
        if !self.shape.is_empty() && weights != Some(parameters) {
            let shape: Vec<String> = self.shape.iter().map(usize::to_string).collect();
            return Err(format!(
                "{name} has the shape {} and {parameters} parameters: expected their product",
                shape.join("x")
            ));
        }
        Ok(())
    }

    /// Values by bit-width, with what they are called.
    fn by_bits(&self) -> impl Iterator<Item = (&'static str, &PerBits)> {
        let named = [
            ("perturbation", &self.perturbation),
            ("omega", &self.omega),
            ("loss change", &self.loss_change),
            ("latency", &self.latency_ms),
        ];
        let by_scale = self.perturbation_by_scale.values();
        named
            .into_iter()
            .chain(by_scale.map(|values| ("perturbation", values)))
    }

    /// Refuses numbers beyond all that can be measured, whose products and sums are not finite, and
    /// negative ones of what is never negative.
    fn check_numbers(&self) -> Checked {
        let name = &self.layer;
        let alone = [
            ("eigenvalue", self.eigenvalue),
            ("trace", self.trace),
            ("mean trace", self.mean_trace),
            ("sensitivity", self.sensitivity),
            ("residual", self.residual),
            ("trace stderr", self.trace_stderr),
        ];
        for (key, value) in alone {
            let Some(value) = value else { continue };
            check_bound(name, key, value)?;
            if value < 0.0 && matches!(key, "residual" | "trace stderr") {
                return Err(format!("{name}: {key} {value} is negative"));
            }
        }
        for (key, values) in self.by_bits() {
            for (bits, value) in values {
                if !WIDTHS.contains(bits) {
                    return Err(format!(
                        "{name}: {key} at {}: expected bit-widths of 1 to 32",
                        bit_count(*bits)
                    ));
                }
                check_bound(name, &format!("{key} at {}", bit_count(*bits)), *value)?;
                if *value < 0.0 && matches!(key, "perturbation" | "latency") {
                    return Err(format!(
                        "{name}: {key} at {}: {value} is negative",
                        bit_count(*bits)
                    ));
                }
            }
        }
        Ok(())
    }
}

fn check_bound(name: &str, key: &str, value: f64) -> Checked {
    if value.is_finite() && value.abs() <= MOST {
        return Ok(());
    }
    Err(format!(
        "{name}: {key} {value:e}: its harm is not finite with numbers beyond {MOST:e}"
    ))
}

fn bit_count(bits: u8) -> String {
    counted(usize::from(bits), "bit")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_true_is_told_with_its_layer_and_key() {
        for (keys, expected) in [
            (
                r#""accuracy": 7"#,
                "accuracy: expected a share, 0 to 1, got 7",
            ),
            (r#""seconds": -1"#, "seconds: expected 0 or more, got -1"),
            (
                r#""layers": [{"layer": "a", "parameters": 9, "shape": [3, 4]}]"#,
                "a has the shape 3x4 and 9 parameters: expected their product",
            ),
            (
                r#""layers": [{"layer": "a", "parameters": 9, "perturbation": {"99": 1}}]"#,
                "a: perturbation at 99 bits: expected bit-widths of 1 to 32",
            ),
            (
                r#""layers": [{"layer": "a", "parameters": 9, "perturbation": {"4": -1}}]"#,
                "a: perturbation at 4 bits: -1 is negative",
            ),
            (
                r#""layers": [{"layer": "a", "parameters": 9, "residual": -0.5}]"#,
                "a: residual -0.5 is negative",
            ),
        ] {
            let layers = if keys.contains("layers") {
                ""
            } else {
                r#", "layers": [{"layer": "a", "parameters": 9}]"#
            };
            let read: Sensitivity = serde_json::from_str(&format!("{{{keys}{layers}}}")).unwrap();
            assert_eq!(read.check().unwrap_err(), expected);
        }
    }
}
