//! What torchvision's `weights.transforms()` prints, or the same as JSON.

use serde_json::{Map, Value};

use super::read::{Reason, interpolation, need};
use super::{Channels, Preprocessing, Resize, Size};

pub(super) fn of(values: &Value) -> Reason<Preprocessing> {
    let resize: Size = need(values, "resize_size")?;
    let (resize, size) = if resize.height == resize.width && !is_pair(values) {
        (Resize::Shorter(resize.height), None)
    } else {
        (Resize::Exact, Some(resize))
    };
    Ok(Preprocessing {
        size,
        resize: Some(resize),
        crop: Some(need(values, "crop_size")?),
        interpolation: Some(interpolation(values, "interpolation")?),
        channels: Some(Channels::Rgb),
        pixel_scale: None,
        mean: Some(need(values, "mean")?),
        std: Some(need(values, "std")?),
    })
}

/// Whether rows and columns are named, as in `resize_size=[232, 232]`: then neither side counts more.
fn is_pair(values: &Value) -> bool {
    let list = values.get("resize_size").and_then(Value::as_array);
    list.is_some_and(|list| list.len() == 2)
}

/// From `ImageClassification(crop_size=[224] ...)`, over several lines or on one.
pub(super) fn of_words(text: &str) -> Reason<Preprocessing> {
    let mut values = Map::new();
    for key in ["crop_size", "resize_size", "mean", "std", "interpolation"] {
        let Some((_, rest)) = text.split_once(&format!("{key}=")) else {
            continue;
        };
        let value = if rest.starts_with('[') {
            let list = rest.split_inclusive(']').next().unwrap_or(rest);
            serde_json::from_str(list).map_err(|_| format!("{key}: expected a list of numbers"))?
        } else {
            let word = rest.split([',', '\n', ')', ' ']).next().unwrap_or(rest);
            Value::from(word.trim())
        };
        values.insert(key.to_owned(), value);
    }
    of(&Value::Object(values))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_is_understood_and_what_is_missing_is_named() {
        let text = "ImageClassification(crop_size=[224], resize_size=[256, 300], mean=[0.5], \
            std=[1.0], interpolation=InterpolationMode.BICUBIC)";
        let read = of_words(text).unwrap();
        assert_eq!(read.size.unwrap().to_string(), "256x300");
        assert_eq!(read.resize, Some(Resize::Exact));
        let refused = of_words("ImageClassification(crop_size=[224])").unwrap_err();
        assert!(refused.contains("lacks resize_size"), "{refused}");
        let refused = of_words("ImageClassification(mean=[a]").unwrap_err();
        assert!(refused.contains("mean: expected a list"), "{refused}");
    }
}
