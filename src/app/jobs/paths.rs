//! How a line may go on that names files: kinds of data, names of settings, folders, and the files that
//! are of the right kind.

use std::fs;
use std::path::{Path, PathBuf};

use super::form::{Choices, Field};
use crate::engine::data::DataSpec;
use crate::engine::model::Architecture;
use crate::folders::at_home;

/// Entries of a folder that are looked at, and choices that are offered, at most.
const MOST: usize = 20_000;
const OFFERED: usize = 500;
/// Files of networks, of weights, and of what is done to pictures.
const NETWORKS: &[&str] = &["pt2", "onnx"];
const WEIGHTS: &[&str] = &[
    "safetensors",
    "pth",
    "th",
    "pt",
    "pkl",
    "ckpt",
    "bin",
    "tar",
];
const SETTINGS: &[&str] = &["toml", "json", "txt"];
const ARRAYS: &[&str] = &["npz"];
/// Settings that name a file.
const FILES: [(&str, &[&str]); 3] = [
    ("preprocess", SETTINGS),
    ("classes", &["txt", "json", "csv", "names"]),
    ("labels", &["csv", "txt"]),
];

/// What a line may become.
pub(super) fn choices(field: Field, text: &str) -> Choices {
    let mut found = match field {
        Field::Network => {
            let presets = Architecture::NAMES.iter().map(ToString::to_string);
            let mut found: Vec<_> = presets.filter(|name| begins(name, text)).collect();
            found.extend(paths(text, "", NETWORKS));
            found
        }
        Field::Weights => paths(text, "", WEIGHTS),
        Field::Data => data(text),
        Field::Preprocessing => settings(text),
        Field::Project => Vec::new(),
    };
    found.truncate(OFFERED);
    found.retain(|choice| choice != text);
    Choices {
        field,
        text: text.to_owned(),
        found,
    }
}

/// Whether a name goes on from a text that is not all of it.
fn begins(name: &str, text: &str) -> bool {
    name.starts_with(text) && !text.is_empty()
}

/// Kinds of data, and where data of a kind may lie; a path without a kind is one too.
fn data(text: &str) -> Vec<String> {
    if let Some((kind, path)) = text
        .split_once(':')
        .filter(|(kind, _)| DataSpec::has_path(kind))
    {
        let (before, path) = match path.rsplit_once(',') {
            Some((first, second)) if DataSpec::has_two_paths(kind) => {
                (format!("{kind}:{first},"), second)
            }
            _ => (format!("{kind}:"), path),
        };
        let files: &[&str] = match kind {
            "npz" => ARRAYS,
            "npy" => &["npy"],
            _ => &[],
        };
        return paths(path, &before, files);
    }
    let mut found: Vec<String> = DataSpec::kinds()
        .filter(|kind| kind.starts_with(text))
        .collect();
    found.extend(paths(text, "", ARRAYS));
    found
}

/// Names of settings behind those that are there, and the files that some of them name.
fn settings(text: &str) -> Vec<String> {
    let at = text.rfind(' ').map_or(0, |at| at + 1);
    let (before, last) = text.split_at(at);
    let named = last.split_once('=');
    if let Some((name, path)) = named {
        let files = FILES.iter().find(|(file, _)| *file == name);
        return files.map_or_else(Vec::new, |(_, files)| {
            paths(path, &format!("{before}{name}="), files)
        });
    }
    let fresh = |name: &&str| name.starts_with(last) && !before.contains(&format!("{name}="));
    let names = SETTING_NAMES.iter().copied().filter(fresh);
    names.map(|name| format!("{before}{name}=")).collect()
}

/// Every setting of the line of preprocessing.
pub const SETTING_NAMES: [&str; 12] = [
    "preprocess",
    "size",
    "resize",
    "crop",
    "interpolation",
    "channels",
    "pixel-scale",
    "mean",
    "std",
    "classes",
    "labels",
    "weights-key",
];

/// Folders, and files with one of these endings, whose path begins with a text; each behind `before`.
fn paths(text: &str, before: &str, endings: &[&str]) -> Vec<String> {
    let at = text.rfind('/').map_or(0, |at| at + 1);
    let (folder, begun) = text.split_at(at);
    let place = if folder.is_empty() {
        PathBuf::from(".")
    } else {
        at_home(folder)
    };
    let entries = fs::read_dir(place)
        .into_iter()
        .flatten()
        .flatten()
        .take(MOST);
    let mut found: Vec<(bool, String)> = Vec::new();
    for entry in entries {
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        let hidden = name.starts_with('.') && !begun.starts_with('.');
        if hidden || !name.starts_with(begun) {
            continue;
        }
        let is_folder = entry.path().is_dir();
        if is_folder {
            found.push((true, format!("{before}{folder}{name}/")));
        } else if has_ending(Path::new(&name), endings) {
            found.push((false, format!("{before}{folder}{name}")));
        }
    }
    found.sort();
    found.into_iter().map(|(_, path)| path).collect()
}

fn has_ending(path: &Path, endings: &[&str]) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str());
    ending.is_some_and(|own| {
        endings
            .iter()
            .any(|ending| own.eq_ignore_ascii_case(ending))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_the_right_kind_and_folders_are_offered() {
        let folder = tempfile::tempdir().unwrap();
        for name in [
            "net.pt2",
            "net.ONNX",
            "net.txt",
            ".hidden.pt2",
            "a.npz",
            "w.pth",
        ] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        fs::create_dir(folder.path().join("nets")).unwrap();
        let root = folder.path().display();
        let all = |field, text: &str| -> Vec<String> {
            let found = choices(field, text).found.into_iter();
            found
                .map(|path| path.replace(&root.to_string(), "R"))
                .collect()
        };
        let at = |text: &str| format!("{root}/{text}");
        assert_eq!(
            all(Field::Network, &at("n")),
            ["R/net.ONNX", "R/net.pt2", "R/nets/"]
        );
        assert_eq!(all(Field::Network, &at(".")), ["R/.hidden.pt2"]);
        assert_eq!(all(Field::Weights, &at("w")), ["R/w.pth"]);
        let npz = format!("npz:{root}/");
        assert_eq!(all(Field::Data, &npz), ["npz:R/a.npz", "npz:R/nets/"]);
        let pictures = format!("folder:{root}/");
        assert_eq!(all(Field::Data, &pictures), ["folder:R/nets/"]);
        let labels = format!("mean=0 preprocess={root}/net.t");
        assert_eq!(
            all(Field::Preprocessing, &labels),
            ["mean=0 preprocess=R/net.txt"]
        );
        assert!(all(Field::Network, &at("nowhere/")).is_empty());
    }

    #[test]
    fn kinds_and_names_are_offered() {
        assert_eq!(choices(Field::Network, "resnet2").found, ["resnet20"]);
        let kinds = choices(Field::Data, "n").found;
        assert!(kinds.contains(&"npz:".to_owned()) && kinds.contains(&"npy:".to_owned()));
        let settings = choices(Field::Preprocessing, "mean=0 s").found;
        assert_eq!(settings, ["mean=0 size=", "mean=0 std="]);
    }
}
