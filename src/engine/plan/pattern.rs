//! Naming layers by pattern: `layer3.*`, `*conv1`, `linear`.

use std::str::FromStr;
use std::sync::Arc;

use globset::GlobBuilder;

use crate::engine::complaint::hint;
use crate::engine::quant::Bits;
use crate::engine::{Error, Result};

/// Places of the names that `pattern` matches.
///
/// # Errors
/// When the pattern is malformed or matches nothing; what may have been meant is suggested.
pub fn matching(pattern: &str, names: &[Arc<str>]) -> Result<Vec<usize>> {
    let glob = GlobBuilder::new(pattern)
        .build()
        .map_err(|error| Error::invalid(format!("pattern {pattern:?}: {}", error.kind())))?
        .compile_matcher();
    let found: Vec<usize> = (0..names.len())
        .filter(|&index| glob.is_match(&*names[index]))
        .collect();
    if found.is_empty() {
        let hint = hint(pattern, names.iter().map(|name| &**name));
        return Err(Error::invalid(format!(
            "no layer matches {pattern:?}{hint}"
        )));
    }
    Ok(found)
}

/// `PATTERN=BITS` or `PATTERN=WEIGHT_BITS/ACTIVATION_BITS`: bits set by hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// Which layers.
    pub pattern: String,
    /// Bits of their weights.
    pub weights: Bits,
    /// Bits of the activations they read, if set.
    pub activations: Option<Bits>,
}

impl FromStr for Override {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (pattern, bits) = text.rsplit_once('=').ok_or_else(|| {
            Error::invalid(format!(
                "{text:?}: expected PATTERN=BITS or PATTERN=BITS/BITS"
            ))
        })?;
        let (weights, activations) = match bits.split_once('/') {
            Some((weights, activations)) => (weights, Some(activations.parse()?)),
            None => (bits, None),
        };
        Ok(Self {
            pattern: pattern.trim().to_owned(),
            weights: weights.parse()?,
            activations,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Vec<Arc<str>> {
        [
            "conv1",
            "layer1.0.conv1",
            "layer1.0.conv2",
            "layer3.2.conv2",
            "linear",
        ]
        .map(Arc::from)
        .into()
    }

    #[test]
    fn patterns_match_whole_names() {
        assert_eq!(matching("layer1.*", &names()).unwrap(), [1, 2]);
        assert_eq!(matching("*conv2", &names()).unwrap(), [2, 3]);
        assert_eq!(matching("conv1", &names()).unwrap(), [0]);
        assert_eq!(matching("{linear,conv1}", &names()).unwrap(), [0, 4]);
    }

    #[test]
    fn a_pattern_that_matches_nothing_names_the_nearest_layer() {
        let error = matching("liner", &names()).unwrap_err().to_string();
        assert!(
            error.contains("liner") && error.contains("linear"),
            "{error}"
        );
    }

    #[test]
    fn overrides_read_weights_and_activations() {
        let set: Override = "layer3.*=4/8".parse().unwrap();
        assert_eq!(
            (set.weights.get(), set.activations.map(Bits::get)),
            (4, Some(8))
        );
        assert!("layer3.*".parse::<Override>().is_err());
        assert!("a=9".parse::<Override>().is_err());
    }
}
