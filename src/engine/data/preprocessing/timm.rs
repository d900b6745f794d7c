//! timm's `config.json`: `pretrained_cfg`, with the defaults of `timm.data.resolve_data_config`.

use serde_json::Value;

use super::read::{Reason, get, interpolation};
use super::{Channels, Interpolation, Preprocessing, Resize, Size};

/// What timm takes where nothing is said.
const CROP: f64 = 0.875;
const MEAN: [f32; 3] = [0.485, 0.456, 0.406];
const STD: [f32; 3] = [0.229, 0.224, 0.225];

pub(super) fn of(config: &Value) -> Reason<Preprocessing> {
    let input = get::<[usize; 3]>(config, "input_size");
    let Ok(Some([channels, height, width])) = input else {
        return Err("input size: expected channels, rows and columns, as in [3, 224, 224]".into());
    };
    let size = Size { height, width };
    let share = get::<f64>(config, "crop_pct")?.unwrap_or(CROP);
    if !(share > 0.0 && share <= 1.0) {
        return Err(format!("crop_pct {share}: expected a share up to 1"));
    }
    let scaled = |extent: usize| (extent as f64 / share).floor() as usize;
    let before = Size {
        height: scaled(height),
        width: scaled(width),
    };
    let mode = get::<String>(config, "crop_mode")?;
    let (resize, size) = match mode.as_deref() {
        Some("squash") => (Resize::Exact, Some(before)),
        None | Some("center") if height == width => (Resize::Shorter(before.height), None),
        _ => {
            return Err(format!(
                "crop_mode {} for {size} pixels is not done here; write a TOML file with a table \
                 [input]",
                mode.as_deref().unwrap_or("center")
            ));
        }
    };
    let filter = match config.get("interpolation") {
        None | Some(Value::Null) => Interpolation::Bicubic,
        Some(_) => interpolation(config, "interpolation")?,
    };
    Ok(Preprocessing {
        size,
        resize: Some(resize),
        crop: Some(Size { height, width }),
        interpolation: Some(filter),
        channels: Some(if channels == 1 {
            Channels::Gray
        } else {
            Channels::Rgb
        }),
        pixel_scale: None,
        mean: Some(get(config, "mean")?.unwrap_or_else(|| MEAN.to_vec())),
        std: Some(get(config, "std")?.unwrap_or_else(|| STD.to_vec())),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn defaults_are_those_of_timm() {
        let read = of(&json!({"input_size": [3, 224, 224], "crop_pct": 0.95})).unwrap();
        assert_eq!(read.resize, Some(Resize::Shorter(235)));
        assert_eq!(read.interpolation, Some(Interpolation::Bicubic));
        assert_eq!(read.mean.unwrap(), MEAN);
    }

    #[test]
    fn squashing_resizes_exactly_and_other_modes_are_refused() {
        let mut config = json!({"input_size": [3, 32, 64], "crop_pct": 0.5, "crop_mode": "squash"});
        let read = of(&config).unwrap();
        let sizes = [read.size, read.crop].map(|size| size.unwrap().to_string());
        assert_eq!(sizes, ["64x128", "32x64"]);
        assert_eq!(read.resize, Some(Resize::Exact));
        config["crop_mode"] = "border".into();
        assert!(of(&config).unwrap_err().contains("crop_mode border"));
        config["crop_pct"] = 0.into();
        assert!(of(&config).unwrap_err().contains("crop_pct 0"));
    }
}
