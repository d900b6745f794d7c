//! What a plan asks of measurements that a file does not hold, and the command that adds it.

use std::fmt::Write;
use std::path::Path;

use crate::engine::allocate::Request;
use crate::engine::allocate::harm::harm;
use crate::engine::data::DataSpec;
use crate::engine::hessian::sensitivity::Sensitivity;
use crate::engine::hessian::{LayerWidth, Metric};
use crate::engine::model::Architecture;

/// Most layers that a command names one by one; more are measured as all.
const NAMED: usize = 4;

/// A sensitivity file.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// Where it is.
    pub path: &'a Path,
    /// What it holds.
    pub sensitivity: &'a Sensitivity,
}

/// Harm that is not known, as one sentence with the next step; `None` when nothing is lacking.
#[must_use]
pub fn sentence(request: &Request, lacking: &[LayerWidth], source: Source) -> Option<String> {
    let first = lacking.first()?;
    if request.metric != Metric::LossChange {
        let mut layers = source.sensitivity.layers.iter();
        let layer = layers.find(|layer| layer.layer == first.layer)?;
        let refused = harm(layer, first.bits, request.metric, request.scale);
        return refused.err().map(|error| error.to_string());
    }
    let others = match lacking.len() - 1 {
        0 => String::new(),
        1 => " (and one more is lacking)".to_owned(),
        count => format!(" (and {count} more are lacking)"),
    };
    let LayerWidth { layer, bits } = first;
    let command = command(lacking, source);
    Some(format!(
        "{layer} has no loss change at {bits} bits{others}; measure it with {command}"
    ))
}

/// The command that adds loss changes to a file.
fn command(lacking: &[LayerWidth], source: Source) -> String {
    let Source { path, sensitivity } = source;
    let mut line = "hawqeye analyze".to_owned();
    let data = sensitivity.data.as_ref();
    let on_demo = data.is_some_and(|data| data.name == DataSpec::Demo.name());
    let mut add = |word: &str| write!(line, " {word}").expect("invariant: memory takes text");
    match &sensitivity.model {
        _ if on_demo => {}
        Some(model) if model.name.parse::<Architecture>().is_ok() => {
            add(&format!("--model {} --weights FILE", model.name));
        }
        _ => add("--model FILE"),
    }
    match data {
        _ if on_demo => add("--data demo"),
        Some(data) if !data.name.is_empty() => {
            add(&format!("--data {}", DataSpec::form(&data.name)));
        }
        _ => add("--data DATA"),
    }
    if let Some(samples) = data.and_then(|data| data.samples) {
        add(&format!("--samples {samples}"));
    }
    for key in ["seed", "scale"] {
        match sensitivity.settings.get(key) {
            Some(serde_json::Value::String(word)) => add(&format!("--{key} {word}")),
            Some(serde_json::Value::Number(number)) => add(&format!("--{key} {number}")),
            _ => {}
        }
    }
    let mut bits: Vec<u8> = lacking.iter().map(|lacking| lacking.bits.get()).collect();
    bits.sort_unstable();
    bits.dedup();
    let bits: Vec<String> = bits.iter().map(ToString::to_string).collect();
    add(&format!("--metric loss-change --bits {}", bits.join(",")));
    let mut layers: Vec<&str> = lacking.iter().map(|lacking| &*lacking.layer).collect();
    layers.dedup();
    if layers.len() <= NAMED {
        for layer in layers {
            add(&format!("--layers '{layer}'"));
        }
    }
    add(&format!("--merge -o {}", path.display()));
    line
}
