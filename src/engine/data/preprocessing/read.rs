//! Reading a preprocessing from a file: one's own TOML, or what others write beside their networks.

use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use super::{Preprocessing, compose, hugging_face, printed, timm, torchvision};
use crate::engine::{Error, Result, text};

/// The largest file that is read.
const LIMIT: u64 = 1 << 20;
const EXPECTED: &str = "a TOML file with a table [input], timm's config.json, Hugging Face's \
    preprocessor_config.json, or torchvision's ImageClassification(...) or Compose(...) as printed";

/// A reason without the path.
pub(super) type Reason<T> = std::result::Result<T, String>;

/// A TOML file of one's own.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Own {
    input: Preprocessing,
}

/// Reads a preprocessing; which kind of file it is, is seen in it.
///
/// # Errors
/// When it cannot be read, is none of the known kinds, or asks for what cannot be done.
pub fn read(path: &Path) -> Result<Preprocessing> {
    let content = text::read(path, LIMIT)?;
    let read = of_text(&content).and_then(|read| {
        let sound = read.check().and_then(|()| read.check_numbers());
        sound.map_err(|error| error.to_string())?;
        Ok(read)
    });
    read.map_err(|reason| Error::format(path, reason))
}

fn of_text(content: &str) -> Reason<Preprocessing> {
    let begin = content.trim_start();
    if begin.starts_with('{') {
        let value = text::from_json(content);
        return of_json(&value.map_err(|reason| format!("{reason}; write it again"))?);
    }
    match called(begin) {
        Some("ImageClassification") => return torchvision::of_words(content),
        Some("Compose" | "Sequential") => return compose::of(&printed::read(begin)?),
        Some(_) | None => {}
    }
    let has_table = content
        .lines()
        .any(|line| line.trim().starts_with("[input]"));
    if !has_table && !content.lines().any(|line| line.contains("input.")) {
        return Err(format!("expected {EXPECTED}"));
    }
    Ok(text::from_toml::<Own>(content)?.input)
}

/// The name that a text calls first, without the modules before it.
fn called(text: &str) -> Option<&str> {
    let (name, _) = text.split_once('(')?;
    let name = name.rsplit('.').next().unwrap_or(name).trim();
    let is_name = !name.is_empty() && name.chars().all(char::is_alphanumeric);
    is_name.then_some(name)
}

fn of_json(value: &Value) -> Reason<Preprocessing> {
    let has = |key: &str| value.get(key).is_some();
    if has("pretrained_cfg") || has("input_size") {
        timm::of(value.get("pretrained_cfg").unwrap_or(value))
    } else if has("crop_size") && has("resize_size") {
        torchvision::of(value)
    } else if hugging_face::MARKS.iter().any(|key| has(key)) {
        hugging_face::of(value)
    } else {
        Err(format!(
            "none of its keys is known here; expected {EXPECTED}"
        ))
    }
}

/// A value of a key, as a type; `None` when it is absent or null.
pub(super) fn get<T: for<'de> Deserialize<'de>>(value: &Value, key: &str) -> Reason<Option<T>> {
    match value.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(found) => T::deserialize(found)
            .map(Some)
            .map_err(|error| format!("{key}: {}", crate::engine::complaint::plainly(error))),
    }
}

/// As [`get`], of a key that must be there.
pub(super) fn need<T: for<'de> Deserialize<'de>>(value: &Value, key: &str) -> Reason<T> {
    get(value, key)?.ok_or_else(|| format!("it lacks {key}; add it, or write a TOML file"))
}

/// The numbers of Pillow's filters, and their names.
pub(super) fn interpolation(value: &Value, key: &str) -> Reason<super::Interpolation> {
    interpolation_of(&need::<Value>(value, key)?, key)
}

/// The same of the value itself.
pub(super) fn interpolation_of(found: &Value, key: &str) -> Reason<super::Interpolation> {
    use super::Interpolation as Filter;
    let by_number = match found.as_u64() {
        Some(0) => Some(Filter::Nearest),
        Some(1) => Some(Filter::Lanczos),
        Some(2) => Some(Filter::Bilinear),
        Some(3) => Some(Filter::Bicubic),
        Some(4) => Some(Filter::Box),
        Some(5) => Some(Filter::Hamming),
        _ => None,
    };
    let by_name = || {
        let word = found.as_str()?.to_ascii_lowercase();
        word.rsplit('.').next()?.parse().ok()
    };
    by_number.or_else(by_name).ok_or_else(|| {
        format!("{key} {found}: expected a filter such as bilinear, or its number in Pillow")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(content: &str) -> Reason<Preprocessing> {
        of_text(content)
    }

    fn own(content: &str) -> Preprocessing {
        text::from_toml::<Own>(content).unwrap().input
    }

    const TORCHVISION: &str = "[input]\nresize = \"shorter=256\"\ncrop = 224\n\
        interpolation = \"bilinear\"\nchannels = \"rgb\"\nmean = [0.485, 0.456, 0.406]\n\
        std = [0.229, 0.224, 0.225]";

    #[test]
    fn what_others_write_is_understood() {
        let words = "ImageClassification(\n    crop_size=[224]\n    resize_size=[256]\n    \
            mean=[0.485, 0.456, 0.406]\n    std=[0.229, 0.224, 0.225]\n    \
            interpolation=InterpolationMode.BILINEAR\n)";
        assert_eq!(read_text(words).unwrap(), own(TORCHVISION));
        let json = r#"{"crop_size": [224], "resize_size": 256, "mean": [0.485, 0.456, 0.406],
            "std": [0.229, 0.224, 0.225], "interpolation": "InterpolationMode.BILINEAR"}"#;
        assert_eq!(read_text(json).unwrap(), own(TORCHVISION));
        let timm = r#"{"architecture": "x", "pretrained_cfg": {"input_size": [3, 224, 224],
            "interpolation": "bilinear", "crop_pct": 0.875, "crop_mode": "center",
            "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}}"#;
        assert_eq!(read_text(timm).unwrap(), own(TORCHVISION));
        let face = r#"{"do_resize": true, "size": {"shortest_edge": 256}, "resample": 2,
            "do_center_crop": true, "crop_size": {"height": 224, "width": 224},
            "do_rescale": true, "rescale_factor": 0.00392156862745098, "do_normalize": true,
            "image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}"#;
        let read = read_text(face).unwrap();
        let expected = Preprocessing {
            pixel_scale: Some(1.0 / 255.0),
            ..own(TORCHVISION)
        };
        assert_eq!(read, expected);
    }

    #[test]
    fn other_files_are_refused_with_what_is_expected() {
        for (content, expected) in [
            ("", "expected a TOML file with a table [input]"),
            ("mean = [1]", "expected a TOML file"),
            (
                "[input]\nsizes = 3",
                "line 2: unknown key `sizes`; did you mean size?",
            ),
            ("[input]\nresize = \"longest=3\"", "expected shorter=N"),
            ("{}", "none of its keys"),
            ("{\"a\": 1}", "none of its keys"),
            ("{\"input_size\": 3}", "input size"),
            ("{", "it ends too early"),
        ] {
            let refused = read_text(content).unwrap_err();
            assert!(refused.contains(expected), "{content}: {refused}");
        }
    }
}
