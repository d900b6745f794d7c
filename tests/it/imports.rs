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
