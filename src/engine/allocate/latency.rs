//! Measured latencies: CSV lines `layer,bits,ms`, with or without a heading.

use std::collections::BTreeMap;
use std::path::Path;

use crate::engine::complaint::{excerpt, hint};
use crate::engine::hessian::sensitivity::{PerBits, Sensitivity};
use crate::engine::quant::Bits;
use crate::engine::{Error, Result, text};

/// Milliseconds of each layer at each bit-width.
pub type Latencies = BTreeMap<String, PerBits>;

/// Largest file that is read.
const LIMIT: u64 = 16 << 20;
/// Longest time of a layer, in milliseconds: sums of them are finite.
const LONGEST: f64 = 1e140;

/// Reads a latency file.
///
/// # Errors
/// A sentence with the line, for everything that is not as it should be.
pub fn read(path: &Path) -> Result<Latencies> {
    let text = text::read(path, LIMIT)?;
    parse(&text).map_err(|reason| Error::format(path, reason))
}

fn parse(text: &str) -> std::result::Result<Latencies, String> {
    let mut latencies = Latencies::new();
    for (index, row) in text::csv(text)?.into_iter().enumerate() {
        let line = row.line;
        let is_heading = |name: &String, expected: &str| name.eq_ignore_ascii_case(expected);
        let heading = row.fields.iter().zip(["layer", "bits", "ms"]);
        if index == 0
            && heading
                .clone()
                .all(|(name, expected)| is_heading(name, expected))
        {
            continue;
        }
        let refuse = || {
            let found = row.fields.join(",");
            format!("line {line}: expected layer,bits,ms, got {found:?}")
        };
        let [layer, bits, ms] = &row.fields[..] else {
            return Err(refuse());
        };
        if layer.is_empty() {
            return Err(format!(
                "line {line}, layer: expected the name of a layer, got nothing"
            ));
        }
        let bits = bits
            .parse::<Bits>()
            .map_err(|e| format!("line {line}, bits: {e}"))?;
        let time = text::decimal(ms).filter(|time| (0.0..=LONGEST).contains(time));
        let ms = time.ok_or_else(|| {
            format!(
                "line {line}, ms of {layer} at {bits} bits: expected milliseconds, 0 or more, got {}",
                excerpt(ms)
            )
        })?;
        if latencies
            .entry(layer.to_owned())
            .or_default()
            .insert(bits.get(), ms)
            .is_some()
        {
            return Err(format!("line {line}: {layer} at {bits} bits comes twice"));
        }
    }
    if latencies.is_empty() {
        return Err("expected lines of layer,bits,ms, got none; measure the layers".into());
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
        let spreadsheet = "\"Layer\";\"Bits\";\"ms\"\n\"conv1\";4;0,5\n\"conv1\";8;0,75\n";
        assert_eq!(parse(spreadsheet).unwrap(), read);
        assert!(parse("conv1,4,1e308").unwrap_err().contains("line 1"));
        assert!(
            parse("conv1,4,0.5\nconv1,9,1")
                .unwrap_err()
                .contains("line 2")
        );
        assert!(parse("conv1,4").unwrap_err().contains("line 1"));
        for number in ["NaN", "inf", "-1", "x", ""] {
            let refused = parse(&format!("a,2,1\nconv1,4,{number}")).unwrap_err();
            assert!(
                refused.starts_with("line 2, ms of conv1 at 4 bits: expected milliseconds"),
                "{refused}"
            );
        }
        assert!(
            parse("a,1,1")
                .unwrap_err()
                .starts_with("line 1, bits: 1 bit:")
        );
        assert!(parse(",4,1").unwrap_err().starts_with("line 1, layer"));
        assert!(parse("layer,bits,ms").unwrap_err().contains("got none"));
        assert!(parse("conv1,4,-1").unwrap_err().contains("line 1"));
        assert!(parse("a,4,1\na,4,2").unwrap_err().contains("twice"));
    }
}
