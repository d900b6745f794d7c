//! Hugging Face's `preprocessor_config.json`.

use serde_json::Value;

use super::read::{Reason, get, interpolation};
use super::{Channels, Preprocessing, Resize, Size};

/// Keys of which one at least is in such a file.
pub(super) const MARKS: [&str; 6] = [
    "image_mean",
    "do_resize",
    "do_rescale",
    "do_normalize",
    "image_processor_type",
    "feature_extractor_type",
];
/// What other processors do and this program does not.
const NOT_DONE: [&str; 4] = [
    "do_pad",
    "do_thumbnail",
    "do_align_long_axis",
    "do_split_image",
];

pub(super) fn of(config: &Value) -> Reason<Preprocessing> {
    for key in NOT_DONE {
        if get(config, key)?.unwrap_or(false) {
            return Err(format!(
                "{key} is not done here; write a TOML file with a table [input]"
            ));
        }
    }
    let mut read = Preprocessing {
        resize: Some(Resize::None),
        channels: Some(Channels::Rgb),
        ..Preprocessing::default()
    };
    if get(config, "do_flip_channel_order")?.unwrap_or(false) {
        read.channels = Some(Channels::Bgr);
    }
    if get(config, "do_resize")?.unwrap_or(true) {
        resized(config, &mut read)?;
    }
    if get(config, "do_center_crop")?.unwrap_or(false) {
        read.crop = Some(edges(config, "crop_size")?.size());
    }
    numbers(config, &mut read)?;
    Ok(read)
}

/// Sides as these files give them.
enum Edges {
    /// Rows and columns.
    Both(Size),
    /// The shorter one.
    Shortest(usize),
    /// One number, which may mean either.
    One(usize),
}

impl Edges {
    fn size(self) -> Size {
        let side = match self {
            Self::Both(size) => return size,
            Self::Shortest(side) | Self::One(side) => side,
        };
        Size {
            height: side,
            width: side,
        }
    }
}

fn edges(config: &Value, key: &str) -> Reason<Edges> {
    let expected = || {
        format!("{key}: expected a number, height and width, or shortest_edge; write a TOML file")
    };
    let found = config.get(key).ok_or_else(expected)?;
    if let Some(size) = found.as_u64() {
        return Ok(Edges::One(size as usize));
    }
    let side = |name: &str| get::<usize>(found, name);
    match (side("height")?, side("width")?, side("shortest_edge")?) {
        (Some(height), Some(width), _) => Ok(Edges::Both(Size { height, width })),
        (None, None, Some(edge)) if found.get("longest_edge").is_none() => {
            Ok(Edges::Shortest(edge))
        }
        _ if found.is_array() => get(config, key)?.map(Edges::Both).ok_or_else(expected),
        _ => Err(expected()),
    }
}

/// Side below which ConvNeXt's processor resizes more and cuts, and from which it does not.
const SQUASHED_FROM: usize = 384;

fn resized(config: &Value, read: &mut Preprocessing) -> Reason<()> {
    read.interpolation = Some(interpolation(config, "resample")?);
    let cuts = get(config, "do_center_crop")?.unwrap_or(false);
    let share = get::<f64>(config, "crop_pct")?;
    let kind = config.get("image_processor_type");
    let kind = kind.or_else(|| config.get("feature_extractor_type"));
    let is_convnext = kind
        .and_then(Value::as_str)
        .is_some_and(|kind| kind.starts_with("ConvNext"));
    if share.is_some() || is_convnext {
        return by_share(config, share.unwrap_or(224.0 / 256.0), read);
    }
    match edges(config, "size")? {
        Edges::Shortest(edge) => read.resize = Some(Resize::Shorter(edge)),
        Edges::One(edge) if cuts => read.resize = Some(Resize::Shorter(edge)),
        exact => {
            read.resize = Some(Resize::Exact);
            read.size = Some(exact.size());
        }
    }
    Ok(())
}

/// As ConvNeXt's processor does it.
fn by_share(config: &Value, share: f64, read: &mut Preprocessing) -> Reason<()> {
    if !(share > 0.0 && share <= 1.0) {
        return Err(format!("crop_pct {share}: expected a share up to 1"));
    }
    let size = edges(config, "size")?.size();
    if size.height < SQUASHED_FROM {
        read.resize = Some(Resize::Shorter((size.height as f64 / share) as usize));
        read.crop = Some(size);
    } else {
        read.resize = Some(Resize::Exact);
        read.size = Some(size);
    }
    Ok(())
}

fn numbers(config: &Value, read: &mut Preprocessing) -> Reason<()> {
    let rescales = get(config, "do_rescale")?.unwrap_or(true);
    let scale = get::<f32>(config, "rescale_factor")?.unwrap_or(1.0 / 255.0);
    read.pixel_scale = Some(if rescales { scale } else { 1.0 });
    let mean = get::<Vec<f32>>(config, "image_mean")?;
    let std = get::<Vec<f32>>(config, "image_std")?;
    let normalizes = get(config, "do_normalize")?.unwrap_or(mean.is_some());
    let lacking = || "do_normalize, but image_mean or image_std is missing".to_owned();
    let (mut mean, std) = if normalizes {
        (mean.ok_or_else(lacking)?, std.ok_or_else(lacking)?)
    } else {
        (vec![0.0], vec![1.0])
    };
    if rescales && get(config, "rescale_offset")?.unwrap_or(false) {
        mean.iter_mut().for_each(|mean| *mean += 1.0);
    }
    (read.mean, read.std) = (Some(mean), Some(std));
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_number_is_a_square_unless_it_is_cut() {
        let mut config = json!({"do_resize": true, "size": 224, "resample": 3,
            "do_normalize": false});
        let read = of(&config).unwrap();
        assert_eq!(read.resize, Some(Resize::Exact));
        assert_eq!((read.mean, read.std), (Some(vec![0.0]), Some(vec![1.0])));
        config["do_center_crop"] = true.into();
        config["crop_size"] = 200.into();
        let read = of(&config).unwrap();
        assert_eq!(read.resize, Some(Resize::Shorter(224)));
        assert_eq!(read.crop.unwrap().to_string(), "200x200");
    }

    #[test]
    fn convnext_cuts_a_share_of_small_pictures_and_squashes_large_ones() {
        let mut config = json!({"size": 224, "crop_pct": 0.875, "resample": 3,
            "feature_extractor_type": "ConvNextFeatureExtractor"});
        let read = of(&config).unwrap();
        assert_eq!(read.resize, Some(Resize::Shorter(256)));
        config["size"] = json!({"shortest_edge": 384});
        let read = of(&config).unwrap();
        assert_eq!((read.resize, read.crop), (Some(Resize::Exact), None));
    }

    #[test]
    fn numbers_are_scaled_shifted_and_turned_round() {
        let config = json!({"do_resize": false, "rescale_factor": 0.007_843_14, "rescale_offset": true,
            "do_normalize": false, "do_flip_channel_order": true});
        let read = of(&config).unwrap();
        assert_eq!(read.mean, Some(vec![1.0]));
        assert_eq!(read.channels, Some(Channels::Bgr));
        let raw = of(&json!({"do_resize": false, "do_rescale": false})).unwrap();
        assert_eq!(raw.pixel_scale, Some(1.0));
    }

    #[test]
    fn what_is_missing_or_not_done_is_named() {
        for (config, expected) in [
            (json!({"do_pad": true}), "do_pad is not done"),
            (json!({"size": 3}), "it lacks resample"),
            (json!({"resample": 9, "size": 3}), "resample 9"),
            (json!({"resample": 2}), "size: expected"),
            (
                json!({"resample": 2, "size": {"longest_edge": 3, "shortest_edge": 2}}),
                "size: expe",
            ),
            (
                json!({"do_resize": false, "do_normalize": true}),
                "image_mean or image_std",
            ),
            (json!({"do_resize": "yes"}), "do_resize"),
        ] {
            let refused = of(&config).unwrap_err();
            assert!(refused.contains(expected), "{refused}");
        }
    }
}
