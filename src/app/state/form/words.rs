//! The line of preprocessing: settings by name, such as `size=224 mean=0.5 preprocess=FILE`. The names
//! are those of the options of the command line.

use std::fmt::Display;
use std::str::FromStr;

use crate::app::jobs::SETTING_NAMES;
use crate::app::jobs::form::OpenRequest;
use crate::engine::complaint::closest;
use crate::engine::data::preprocessing::Preprocessing;
use crate::project::InputFile;

/// The settings of inputs, as they are typed.
pub(super) fn of(inputs: &InputFile) -> String {
    let Preprocessing {
        size,
        resize,
        crop,
        interpolation,
        channels,
        pixel_scale,
        mean,
        std,
    } = inputs.preprocessing();
    let list = |values: Vec<f32>| {
        let texts: Vec<String> = values.iter().map(ToString::to_string).collect();
        texts.join(",")
    };
    let file =
        |path: &Option<std::path::PathBuf>| path.as_ref().map(|path| path.display().to_string());
    let texts = [
        ("size", size.map(|it| it.to_string())),
        ("resize", resize.map(|it| it.to_string())),
        ("crop", crop.map(|it| it.to_string())),
        ("interpolation", interpolation.map(|it| it.to_string())),
        ("channels", channels.map(|it| it.to_string())),
        ("pixel-scale", pixel_scale.map(|it| it.to_string())),
        ("mean", mean.map(list)),
        ("std", std.map(list)),
        ("classes", file(&inputs.classes)),
        ("labels", file(&inputs.labels)),
        ("weights-key", inputs.weights_key.clone()),
    ];
    let words = texts
        .into_iter()
        .filter_map(|(name, text)| Some(format!("{name}={}", text?)));
    words.collect::<Vec<_>>().join(" ")
}

/// A request with the settings of a line.
///
/// # Errors
/// A sentence that names the setting.
pub(super) fn read(mut request: OpenRequest, line: &str) -> Result<OpenRequest, String> {
    for (name, value) in split(line)? {
        set(&mut request, name, &value).map_err(|reason| format!("{name}={value}: {reason}"))?;
    }
    let numbers = request.inputs.input.check_numbers();
    let checked = numbers.and_then(|()| request.inputs.input.check());
    checked.map_err(|error| error.to_string())?;
    Ok(request)
}

/// Names and values. A value goes on over spaces up to the next name, since paths have spaces.
fn split(line: &str) -> Result<Vec<(&'static str, String)>, String> {
    let mut found: Vec<(&'static str, String)> = Vec::new();
    for word in line.split(' ') {
        let (name, value) = word.split_once('=').unwrap_or(("", word));
        let known = SETTING_NAMES.into_iter().find(|known| *known == name);
        match (known, found.last_mut()) {
            (Some(name), _) => found.push((name, value.to_owned())),
            (None, Some((last, before))) if takes_spaces(last) => {
                before.push(' ');
                before.push_str(word);
            }
            (None, _) if word.is_empty() => {}
            (None, _) => return Err(unknown(if name.is_empty() { word } else { name })),
        }
    }
    for (_, value) in &mut found {
        value.truncate(value.trim_end().len());
    }
    Ok(found)
}

fn takes_spaces(name: &str) -> bool {
    ["preprocess", "classes", "labels"].contains(&name)
}

fn unknown(name: &str) -> String {
    let near = closest(name, SETTING_NAMES.into_iter());
    let near = near.map_or_else(String::new, |near| format!("; did you mean {near}?"));
    format!(
        "`{name}` is no setting: expected NAME=VALUE with a name of {}{near}",
        SETTING_NAMES.join(", ")
    )
}

fn set(request: &mut OpenRequest, name: &str, value: &str) -> Result<(), String> {
    if value.is_empty() {
        return Err("expected a value".to_owned());
    }
    let inputs = &mut request.inputs;
    let input = &mut inputs.input;
    match name {
        "size" => input.size = Some(parsed(value)?),
        "resize" => input.resize = Some(parsed(value)?),
        "crop" => input.crop = Some(parsed(value)?),
        "interpolation" => input.interpolation = Some(parsed(value)?),
        "channels" => input.channels = Some(parsed(value)?),
        "pixel-scale" => input.pixel_scale = Some(number(value)?),
        "mean" => input.mean = Some(numbers(value)?),
        "std" => input.std = Some(numbers(value)?),
        "classes" => inputs.classes = Some(value.into()),
        "labels" => inputs.labels = Some(value.into()),
        "weights-key" => inputs.weights_key = Some(value.to_owned()),
        _ => request.preprocess = Some(value.into()),
    }
    Ok(())
}

fn parsed<T: FromStr<Err: Display>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: T::Err| error.to_string())
}

fn number(text: &str) -> Result<f32, String> {
    text.parse().map_err(|_| "expected a number".to_owned())
}

fn numbers(text: &str) -> Result<Vec<f32>, String> {
    let all: Result<Vec<f32>, String> = text.split(',').map(number).collect();
    all.map_err(|_| {
        "expected a number, or one for each channel with commas between them".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(line: &str) -> String {
        read(OpenRequest::default(), line).unwrap_err()
    }

    #[test]
    fn what_is_wrong_is_told_with_its_name() {
        assert!(refused("maen=0").contains("did you mean mean?"));
        assert!(refused("mean=0 what").contains("`what` is no setting"));
        assert!(refused("std=1,x").contains("std=1,x: expected a number"));
        assert!(refused("size=").contains("size=: expected a value"));
        assert!(refused("std=0").contains("std"), "no division by zero");
    }

    #[test]
    fn paths_may_have_spaces() {
        let line = "preprocess=/my files/a.json  mean=0,0,0";
        let request = read(OpenRequest::default(), line).unwrap();
        assert_eq!(request.preprocess, Some("/my files/a.json".into()));
        assert_eq!(request.inputs.input.mean, Some(vec![0.0; 3]));
    }
}
