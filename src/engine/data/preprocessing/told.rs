//! A preprocessing in words, and whether its numbers are those of normalised images.

use super::{Preprocessing, Resize};
use crate::engine::Result;
use crate::engine::data::{Dataset, Images, Normalization, Selection, USUAL_SCALE};

/// Images that are looked at.
const LOOKED_AT: usize = 64;
/// Of them, those that are in memory at a time.
const TOGETHER: usize = 8;
/// The largest mean that normalised images have, from zero.
const FAR: f64 = 2.0;
/// The smallest and the largest deviation that they have.
const DEVIATIONS: std::ops::Range<f64> = 0.1..4.0;

/// What is done to the images of a set, in one line.
#[must_use]
pub fn told(dataset: &Dataset, normalization: &Normalization) -> String {
    if dataset.images.are_numbers() {
        return "numbers as they are".to_owned();
    }
    let Preprocessing {
        size,
        resize,
        crop,
        interpolation,
        channels,
        ..
    } = &dataset.origin.geometry;
    let mut steps = Vec::new();
    let filter = interpolation.unwrap_or_default();
    match (resize, size) {
        (Some(Resize::Shorter(side)), _) => steps.push(format!("shorter side {side}, {filter}")),
        (Some(Resize::Exact) | None, Some(size)) => steps.push(format!("to {size}, {filter}")),
        _ => {}
    }
    let shorter = matches!(resize, Some(Resize::Shorter(_)));
    if let Some(crop) = crop.or(if shorter { *size } else { None }) {
        steps.push(format!("middle {crop}"));
    }
    steps.extend(channels.map(|channels| channels.to_string()));
    let Normalization {
        pixel_scale,
        mean,
        std,
    } = normalization;
    if pixel_scale.to_bits() == USUAL_SCALE.to_bits() {
        steps.push("pixel / 255".to_owned());
    } else {
        steps.push(format!("pixel x {pixel_scale}"));
    }
    let list = |values: &[f32]| {
        let texts: Vec<String> = values.iter().map(ToString::to_string).collect();
        texts.join(" ")
    };
    steps.push(format!("mean {}", list(mean)));
    steps.push(format!("deviation {}", list(std)));
    steps.join(", ")
}

/// What is doubtful about the numbers that pixels become: far from those of normalised images.
///
/// # Errors
/// When an image cannot be read.
pub fn doubt(dataset: &Dataset, normalization: &Normalization) -> Result<Option<String>> {
    if dataset.images.are_numbers() {
        return Ok(None);
    }
    let step = dataset.len().div_ceil(LOOKED_AT).max(1);
    let indices: Vec<usize> = (0..dataset.len()).step_by(step).collect();
    let count = indices.len();
    let images = Selection::new(dataset, normalization, indices)?;
    let (mut number, mut sum, mut squares) = (0, 0.0, 0.0);
    for first in (0..count).step_by(TOGETHER) {
        let values = images.load(first..count.min(first + TOGETHER))?;
        number += values.len();
        sum += values.iter().sum::<f64>();
        squares += values.iter().map(|value| value * value).sum::<f64>();
    }
    let number = number.max(1) as f64;
    let mean = sum / number;
    let deviation = (squares / number - mean * mean).max(0.0).sqrt();
    if mean.abs() <= FAR && DEVIATIONS.contains(&deviation) {
        return Ok(None);
    }
    Ok(Some(format!(
        "what the network reads has mean {mean:.3} and deviation {deviation:.3}, normalised images \
         about 0 and 1: are --pixel-scale, --mean and --std those that it was trained with?"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::data::{DataSpec, Part, Reading};

    fn read(geometry: &str) -> Dataset {
        let reading = Reading {
            preprocessing: toml::from_str(geometry).unwrap(),
            ..Reading::default()
        };
        DataSpec::Demo.read(Part::Test, &reading).unwrap()
    }

    #[test]
    fn every_step_is_told() {
        let usual = Normalization::new(vec![0.286], vec![0.353]).unwrap();
        let plain = "pixel / 255, mean 0.286, deviation 0.353";
        assert_eq!(told(&read(""), &usual), plain);
        let geometry = "resize = \"shorter=32\"\ncrop = 28\nchannels = \"gray\"";
        let raw = Normalization::none(1);
        let expected =
            "shorter side 32, bilinear, middle 28x28, gray, pixel x 1, mean 0, deviation 1";
        assert_eq!(told(&read(geometry), &raw), expected);
    }

    #[test]
    fn numbers_far_from_normalised_ones_are_doubted() {
        let usual = Normalization::new(vec![0.286], vec![0.353]).unwrap();
        let dataset = read("");
        assert_eq!(doubt(&dataset, &usual).unwrap(), None);
        let raw = doubt(&dataset, &Normalization::none(1)).unwrap().unwrap();
        assert!(raw.contains("has mean 69.950"), "{raw}");
    }
}
