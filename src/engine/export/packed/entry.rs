//! The entry of a layer in a packed file.

use super::super::folded::{FoldedLayer, Values};
use super::decode::Decoded;
use super::extent::{Extent, FLOAT, STEP};
use super::packing::{pack, unpack};

/// The bytes of a layer.
pub(super) fn encode(layer: &FoldedLayer, extent: &Extent) -> Vec<u8> {
    let mut entry = match &layer.weights {
        Values::Codes(codes) => pack(codes, extent.bits.weights.get()),
        Values::Floats(values) => bytes_of(values),
    };
    let steps = layer.weight_steps.iter();
    if extent.has_steps_per_channel() {
        entry.extend(steps.flat_map(|&step| (step as f32).to_le_bytes()));
    } else {
        entry.extend(steps.flat_map(|step| step.to_le_bytes()));
    }
    entry.extend(layer.activation_step.to_le_bytes());
    entry.extend(bytes_of(&layer.scale));
    entry.extend(bytes_of(&layer.bias));
    entry
}

/// A layer from its entry, whose length was checked.
pub(super) fn decode(extent: &Extent, entry: &[u8]) -> Decoded<FoldedLayer> {
    let (weights, rest) = entry.split_at(extent.weight_bytes());
    let (weight_steps, rest) = rest.split_at(extent.step_bytes());
    let (activation_step, rest) = rest.split_at(STEP);
    let (scale, bias) = rest.split_at(FLOAT * extent.channels);
    let layer = FoldedLayer {
        name: extent.name.to_owned(),
        bits: extent.bits,
        weights: if extent.bits.weights.is_float() {
            Values::Floats(floats(weights))
        } else {
            Values::Codes(unpack(weights, extent.bits.weights.get(), extent.weights))
        },
        weight_steps: if extent.has_steps_per_channel() {
            floats(weight_steps).into_iter().map(f64::from).collect()
        } else {
            vec![double(weight_steps)]
        },
        activation_step: double(activation_step),
        scale: floats(scale),
        bias: floats(bias),
    };
    if is_sound(&layer) {
        return Ok(layer);
    }
    let name = extent.name;
    Err(format!(
        "layer {name} holds a number that cannot be; export the file again"
    ))
}

/// Whether every number is one that a network can have.
fn is_sound(layer: &FoldedLayer) -> bool {
    let finite = |values: &[f32]| values.iter().all(|value| value.is_finite());
    let positive = |step: f64| step.is_finite() && step > 0.0;
    let weights = match &layer.weights {
        Values::Floats(values) => finite(values),
        Values::Codes(_) => true,
    };
    let quantized = !layer.bits.activations.is_float();
    weights
        && finite(&layer.scale)
        && finite(&layer.bias)
        && layer.weight_steps.iter().all(|&step| positive(step))
        && (!quantized || positive(layer.activation_step))
}

/// Little-endian float32.
pub(super) fn bytes_of(values: &[f32]) -> Vec<u8> {
    let bytes = values.iter().flat_map(|value| value.to_le_bytes());
    bytes.collect()
}

/// The other way round.
pub(super) fn floats(bytes: &[u8]) -> Vec<f32> {
    let float = |bytes: &[u8]| f32::from_le_bytes(bytes.try_into().unwrap_or_default());
    bytes.chunks_exact(FLOAT).map(float).collect()
}

fn double(bytes: &[u8]) -> f64 {
    f64::from_le_bytes(bytes.try_into().unwrap_or_default())
}
