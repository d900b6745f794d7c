//! The plan file: TOML that people edit by hand, so every mistake is reported with its line.

use std::fmt::Write;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;
use toml::Spanned;

use super::{Plan, PlannedLayer};
use crate::engine::complaint::{hint, line_of, of_toml};
use crate::engine::quant::{Bits, ScaleRule};
use crate::engine::shown::is_unseen;
use crate::engine::{Error, Result, files, text};

/// Value of the `format` key.
pub const FORMAT: &str = "hawqeye/plan";

/// Largest plan file that is read.
pub const LIMIT: u64 = 16 << 20;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: Spanned<String>,
    version: Spanned<u64>,
    #[serde(default)]
    model: String,
    fingerprint: Option<String>,
    #[serde(default)]
    scale: ScaleRule,
    #[serde(default)]
    layer: Vec<Spanned<Entry>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: Spanned<String>,
    weight_bits: Spanned<i64>,
    activation_bits: Spanned<i64>,
    #[serde(default)]
    pinned: bool,
    tie: Option<String>,
}

/// Reads a plan. With `layers` given, it must hold exactly those, in any order.
///
/// # Errors
/// A sentence with the line, for everything that is not as it should be.
pub fn read(path: &Path, layers: Option<&[Arc<str>]>) -> Result<Plan> {
    let text = text::read(path, LIMIT)?;
    parse(&text, layers).map_err(|reason| Error::format(path, reason))
}

/// Writes a plan, atomically.
///
/// # Errors
/// When the file cannot be written.
pub fn write(path: &Path, plan: &Plan) -> Result<()> {
    files::write_atomically(path, to_toml(plan).as_bytes())
}

/// The plan as TOML.
#[must_use]
pub fn to_toml(plan: &Plan) -> String {
    let mut text = format!("format = {}\nversion = 1\n", quoted(FORMAT));
    let mut line = |key: &str, value: String| {
        writeln!(text, "{key} = {value}").expect("invariant: text can be written to memory");
    };
    line("model", quoted(&plan.model));
    if let Some(fingerprint) = &plan.fingerprint {
        line("fingerprint", quoted(fingerprint));
    }
    line("scale", quoted(&plan.scale.to_string()));
    for layer in &plan.layers {
        line("\n[[layer]]\nname", quoted(&layer.name));
        line("weight_bits", layer.weight_bits.to_string());
        line("activation_bits", layer.activation_bits.to_string());
        line("pinned", layer.pinned.to_string());
        if let Some(tie) = &layer.tie {
            line("tie", quoted(tie));
        }
    }
    text
}

/// Reads a plan from TOML; a failure is a sentence with the line.
///
/// # Errors
/// See [`read`].
pub fn parse(text: &str, layers: Option<&[Arc<str>]>) -> std::result::Result<Plan, String> {
    if text.trim().is_empty() {
        return Err("the file is empty; make it again with hawqeye plan".into());
    }
    let file: File = toml::from_str(text).map_err(|error| of_toml(text, &error))?;
    if file.format.get_ref() != FORMAT {
        let place = at(text, &file.format.span());
        return Err(format!(
            "{place}expected format = {FORMAT:?}, got {:?}",
            file.format.get_ref()
        ));
    }
    if *file.version.get_ref() != 1 {
        let place = at(text, &file.version.span());
        return Err(format!(
            "{place}version {}: only 1 is known",
            file.version.get_ref()
        ));
    }
    let mut planned = Vec::with_capacity(file.layer.len());
    for entry in &file.layer {
        planned.push(layer(text, entry.get_ref(), &planned, layers)?);
    }
    let File {
        model,
        fingerprint,
        scale,
        ..
    } = file;
    let mut plan = Plan {
        model,
        fingerprint,
        scale,
        layers: planned,
    };
    if let Some(layers) = layers {
        order(&mut plan, layers)?;
    }
    plan.check_ties().map_err(|error| error.to_string())?;
    Ok(plan)
}

/// Text between quotes; what no terminal should see raw is escaped.
fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            unseen if is_unseen(unseen) => {
                write!(quoted, "\\u{:04X}", u32::from(unseen))
                    .expect("invariant: text can be written to memory");
            }
            other => quoted.push(other),
        }
    }
    quoted + "\""
}

/// `line N: ` of a place in the text.
fn at(text: &str, span: &Range<usize>) -> String {
    format!("line {}: ", line_of(text, span.start))
}

fn layer(
    text: &str,
    entry: &Entry,
    earlier: &[PlannedLayer],
    known: Option<&[Arc<str>]>,
) -> std::result::Result<PlannedLayer, String> {
    let name = entry.name.get_ref();
    let place = at(text, &entry.name.span());
    if name.trim().is_empty() {
        return Err(format!(
            "{place}a layer without a name; give it that of a layer of the model"
        ));
    }
    if earlier.iter().any(|layer| *layer.name == **name) {
        return Err(format!(
            "{place}layer {name} is listed twice; keep one of them"
        ));
    }
    if let Some(known) = known
        && !known.iter().any(|layer| **layer == **name)
    {
        let hint = hint(name, known.iter().map(|layer| &**layer));
        return Err(format!("{place}the model has no layer {name}{hint}"));
    }
    let bits = |bits: &Spanned<i64>| {
        Bits::of_signed(*bits.get_ref()).map_err(|e| format!("{}{e}", at(text, &bits.span())))
    };
    Ok(PlannedLayer {
        name: name.as_str().into(),
        weight_bits: bits(&entry.weight_bits)?,
        activation_bits: bits(&entry.activation_bits)?,
        pinned: entry.pinned,
        tie: entry.tie.clone(),
    })
}

/// Brings the layers into the order of the model; none may be missing.
fn order(plan: &mut Plan, names: &[Arc<str>]) -> std::result::Result<(), String> {
    let place = |name: &str| names.iter().position(|known| **known == *name);
    plan.layers.sort_by_key(|layer| place(&layer.name));
    let listed = |name: &&Arc<str>| plan.layers.iter().any(|layer| layer.name == **name);
    let missing: Vec<&str> = names
        .iter()
        .filter(|name| !listed(name))
        .map(|name| &**name)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(format!(
        "the plan lacks {}; every layer of the model needs an entry",
        missing.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"format = "hawqeye/plan"
version = 1
model = "resnet20"

# by hand
[[layer]]
name = "b"
weight_bits = 2
activation_bits = 4
tie = "x"

[[layer]]
name = "a"
weight_bits = 2
activation_bits = 32
pinned = true
tie = "x"
"#;

    fn names() -> Vec<Arc<str>> {
        vec!["a".into(), "b".into()]
    }

    #[test]
    fn layers_come_in_the_order_of_the_model_and_survive_a_round_trip() {
        let plan = parse(TEXT, Some(&names())).unwrap();
        assert_eq!(&*plan.layers[0].name, "a");
        assert!(plan.layers[0].pinned && plan.layers[0].activation_bits.is_float());
        assert_eq!(parse(&to_toml(&plan), Some(&names())).unwrap(), plan);
    }

    #[test]
    fn mistakes_are_reported_with_their_line() {
        let wrong =
            |from: &str, to: &str| parse(&TEXT.replacen(from, to, 1), Some(&names())).unwrap_err();
        for (from, to, line, word) in [
            ("weight_bits = 2", "weight_bits = 9", "line 8", "9 bits"),
            (
                "weight_bits = 2",
                "weight_bits = -3",
                "line 8",
                "-3 bits: expected 2 to 8",
            ),
            ("name = \"b\"", "name = \"bb\"", "line 7", "did you mean"),
            ("name = \"a\"", "name = \"b\"", "line 13", "twice"),
            ("version = 1", "version = 2", "line 2", "version"),
            (
                "hawqeye/plan",
                "hawqeye/sensitivity",
                "line 1",
                "hawqeye/plan",
            ),
            ("pinned = true", "pined = true", "line 16", "pined"),
            (
                "weight_bits = 2",
                "weight_bits = \"two\"",
                "line 8",
                "weight_bits: expected a whole number, got \"two\"",
            ),
            ("name = \"b\"", "name = \" \"", "line 7", "without a name"),
            ("activation_bits = 4\n", "", "line 6", "activation_bits"),
        ] {
            let error = wrong(from, to);
            assert!(
                error.contains(line) && error.contains(word),
                "{to}: {error}"
            );
        }
    }

    #[test]
    fn a_missing_layer_and_a_torn_tie_are_named() {
        let names: Vec<Arc<str>> = vec!["a".into(), "b".into(), "c".into()];
        assert!(parse(TEXT, Some(&names)).unwrap_err().contains("lacks c"));
        let torn = TEXT.replacen("weight_bits = 2", "weight_bits = 3", 1);
        assert!(parse(&torn, None).unwrap_err().contains("share bits"));
    }
}
