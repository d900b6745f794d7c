//! Measured latencies: CSV lines `layer,bits,ms`, with or without a heading.

use std::collections::BTreeMap;
use std::path::Path;

use crate::engine::complaint::hint;
use crate::engine::hessian::sensitivity::{PerBits, Sensitivity};
use crate::engine::quant::Bits;
use crate::engine::{Error, Result, files};

/// Milliseconds of each layer at each bit-width.
pub type Latencies = BTreeMap<String, PerBits>;

/// Largest file that is read.
const LIMIT: u64 = 16 << 20;

/// Reads a latency file.
///
/// # Errors
/// A sentence with the line, for everything that is not as it should be.
pub fn read(path: &Path) -> Result<Latencies> {
    let bytes = files::read_limited(path, LIMIT)?;
    let text = String::from_utf8(bytes)
        .map_err(|_| Error::format(path, "expected lines layer,bits,ms, got bytes, not text"))?;
    parse(&text).map_err(|reason| Error::format(path, reason))
}

fn parse(text: &str) -> std::result::Result<Latencies, String> {
    let mut latencies = Latencies::new();
    for (index, line) in text.lines().enumerate() {
        let fields: Vec<&str> = line.split(',').map(str::trim).collect();
        if line.trim().is_empty() || (index == 0 && fields == ["layer", "bits", "ms"]) {
            continue;
        }
        let refuse = || format!("line {}: expected layer,bits,ms, got {line:?}", index + 1);
        let [layer, bits, ms] = fields[..] else {
            return Err(refuse());
        };
        let bits = bits
            .parse::<Bits>()
            .map_err(|e| format!("line {}: {e}", index + 1))?;
        let ms: f64 = ms.parse().map_err(|_| refuse())?;
        if !(ms.is_finite() && ms >= 0.0) {
            return Err(refuse());
        }
        if latencies
            .entry(layer.to_owned())
            .or_default()
            .insert(bits.get(), ms)
            .is_some()
        {
            return Err(format!(
                "line {}: {layer} at {bits} bits comes twice",
                index + 1
            ));
        }
    }
    Ok(latencies)
}

/// Puts latencies into a sensitivity.
///
/// # Errors
/// When a layer is unknown.
pub fn join(latencies: &Latencies, sensitivity: &mut Sensitivity) -> Result<()> {
    for (name, per_bits) in latencies {
        let found = sensitivity
            .layers
            .iter_mut()
            .find(|layer| *layer.layer == **name);
        if let Some(layer) = found {
            layer.latency_ms.clone_from(per_bits);
            continue;
        }
        let names = sensitivity.layers.iter().map(|layer| &*layer.layer);
        let hint = hint(name, names);
        return Err(Error::invalid(format!(
            "the latency file names {name}, no such layer{hint}"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heading_is_optional_and_mistakes_have_lines() {
        let read = parse("layer,bits,ms\nconv1,4,0.5\nconv1,8,0.75\n").unwrap();
        assert_eq!(read["conv1"], PerBits::from([(4, 0.5), (8, 0.75)]));
        assert_eq!(parse("conv1,4,0.5").unwrap().len(), 1);
        assert!(
            parse("conv1,4,0.5\nconv1,9,1")
                .unwrap_err()
                .contains("line 2")
        );
        assert!(parse("conv1,4").unwrap_err().contains("line 1"));
        assert!(parse("conv1,4,-1").unwrap_err().contains("line 1"));
        assert!(parse("a,4,1\na,4,2").unwrap_err().contains("twice"));
    }
}
