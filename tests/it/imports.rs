//! Who may import whom: words that must not occur in a folder.

use std::fs;
use std::path::{Path, PathBuf};

/// Folder or file under `src`, words it must not hold, and files or folders that are excepted.
const RULES: [(&str, &[&str], &[&str]); 8] = [
    (
        "engine",
        &[
            "ratatui",
            "crossterm",
            "tokio",
            "clap::",
            "directories::",
            "println!",
            "eprintln!",
            "std::env",
            "Instant::now",
            "crate::app",
            "crate::cli",
            "crate::report",
            "crate::numbers",
            "crate::project",
            "crate::folders",
            "crate::overwriting",
        ],
        // Whether somebody works in a folder is told by the clock; no result is.
        &["engine/presence"],
    ),
    (
        "engine/presence",
        &[
            "ratatui",
            "crossterm",
            "tokio",
            "println!",
            "std::env",
            "crate::app",
            "crate::cli",
        ],
        &[],
    ),
    (
        "report",
        &[
            "ratatui",
            "crossterm",
            "tokio",
            "clap",
            "candle",
            "println!",
            "eprintln!",
            "std::env",
            "Instant::now",
            "SystemTime",
            "crate::app",
            "crate::cli",
        ],
        &[],
    ),
    (
        "report/sections",
        &["std::fs", "std::io", "files::", "super::gather"],
        &[],
    ),
    (
        "app/view",
        &[
            "crossterm",
            "tokio",
            "candle",
            "std::fs",
            "std::thread",
            "&mut State",
        ],
        &[],
    ),
    (
        "app/update",
        &[
            "std::fs",
            "std::thread",
            "tokio",
            "Instant::now",
            "crossterm",
            "std::env",
        ],
        &[],
    ),
    (
        "app/state",
        &[
            "std::fs",
            "std::thread",
            "tokio",
            "Instant::now",
            "crossterm",
            "std::env",
        ],
        &[],
    ),
    (
        "app",
        &["std::env", "crate::cli", "println!"],
        &["config.rs"],
    ),
];

fn sources(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let entries = fs::read_dir(path)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = entries
        .flat_map(|path| {
            let source = path.is_dir() || path.extension().is_some_and(|ext| ext == "rs");
            if source { sources(&path) } else { Vec::new() }
        })
        .collect();
    files.sort();
    files
}

/// The code without its unit tests and comments.
fn code(text: &str) -> String {
    let text = text
        .split("#[cfg(test)]\nmod tests {")
        .next()
        .unwrap_or_default();
    let lines = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn no_folder_knows_what_it_must_not() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    for (folder, words, excepted) in RULES {
        for file in sources(&root.join(folder)) {
            let folder = file.parent().unwrap();
            let is_meant = |path: &&str| file.ends_with(path) || folder.ends_with(path);
            if excepted.iter().any(is_meant) || file.ends_with("tests.rs") {
                continue;
            }
            let text = code(&fs::read_to_string(&file).unwrap());
            let words = words.iter().filter(|word| text.contains(**word));
            found.extend(words.map(|word| format!("{}: {word}", file.display())));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn only_the_shell_the_terminal_and_the_entry_touch_the_terminal() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/app");
    for file in sources(&root) {
        let text = code(&fs::read_to_string(&file).unwrap());
        let place = file.strip_prefix(&root).unwrap();
        let may =
            place.starts_with("term") || ["shell.rs", "mod.rs"].map(Path::new).contains(&place);
        assert!(may || !text.contains("crossterm"), "{}", file.display());
    }
}

/// The parts of the engine, each of which knows of those above it only: no circle can close.
const LAYERS: [&str; 39] = [
    "counts",
    "words",
    "shown",
    "complaint",
    "error",
    "holder",
    "files",
    "text",
    "archive",
    "seal",
    "random",
    "score",
    "bits",
    "scale_rule",
    "shape",
    "memory",
    "backend",
    "graph",
    "data",
    "autodiff",
    "weights",
    "import",
    "model",
    "sensitivity",
    "job",
    "presence",
    "events",
    "evaluation",
    "agreement",
    "quant",
    "plan",
    "post_training",
    "boost",
    "hessian",
    "allocate",
    "finetune",
    "export",
    "bench",
    "mod",
];

/// The parts of the engine that a piece of code names, by `crate::engine::` or, where it stands so many
/// folders deep, by `super::`.
fn named(code: &str, depth: usize) -> Vec<String> {
    let begins = ["crate::engine::".to_owned(), "super::".repeat(depth)];
    let mut found = Vec::new();
    for begin in begins {
        for (at, _) in code.match_indices(&begin) {
            let before = code[..at].chars().next_back();
            if before.is_some_and(|c| c == ':' || c.is_alphanumeric()) {
                continue;
            }
            found.extend(parts(&code[at + begin.len()..]));
        }
    }
    found
}

/// `files` of `files::Draft`; `quant` and `seal` of `{quant::Bits, seal}`.
fn parts(path: &str) -> Vec<String> {
    let word = |text: &str| {
        let is_word = |c: &char| c.is_ascii_lowercase() || *c == '_';
        text.trim_start()
            .chars()
            .take_while(is_word)
            .collect::<String>()
    };
    let Some(group) = path.strip_prefix('{') else {
        return vec![word(path)];
    };
    let (mut parts, mut depth, mut from) = (Vec::new(), 0, 0);
    for (at, character) in group.char_indices() {
        match character {
            '{' => depth += 1,
            ',' if depth == 0 => {
                parts.push(word(&group[from..at]));
                from = at + 1;
            }
            '}' if depth == 0 => {
                parts.push(word(&group[from..at]));
                break;
            }
            '}' => depth -= 1,
            _ => {}
        }
    }
    parts
}

#[test]
fn the_parts_of_the_engine_know_of_those_above_them_only() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/engine");
    let layer = |name: &str| LAYERS.iter().position(|known| *known == name);
    let mut found = Vec::new();
    let mut links = 0;
    for file in sources(&root) {
        let place = file.strip_prefix(&root).unwrap().with_extension("");
        let names: Vec<&str> = place.iter().map(|name| name.to_str().unwrap()).collect();
        let own = layer(names[0]).unwrap_or_else(|| panic!("{} has no layer", names[0]));
        let is_test = names.contains(&"tests");
        if is_test || names == ["mod"] {
            continue;
        }
        let depth = names.iter().filter(|name| **name != "mod").count();
        for name in named(&code(&fs::read_to_string(&file).unwrap()), depth) {
            let below = layer(&name).filter(|other| *other > own);
            links += usize::from(layer(&name).is_some());
            found.extend(below.map(|_| format!("{} knows of {name}", place.display())));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
    assert!(links > 500, "{links} links were seen");
}
