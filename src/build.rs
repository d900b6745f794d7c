//! Tells the program which commit it was built from, where there is one to tell.

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=src/build.rs");
    println!("cargo::rustc-env=HAWQEYE_VERSION={}", version());
}

/// The version, and behind it the commit and its day: `0.1.0 (816eedb90, 2026-10-03)`.
fn version() -> String {
    let number = std::env::var("CARGO_PKG_VERSION").unwrap_or_default();
    match commit() {
        Some(commit) => format!("{number} ({commit})"),
        None => number,
    }
}

/// The commit of a working tree of this project; a package inside another one has none.
fn commit() -> Option<String> {
    let root = std::env::var("CARGO_MANIFEST_DIR").ok()?;
    let git = |arguments: &[&str]| {
        let output = Command::new("git")
            .current_dir(&root)
            .args(arguments)
            .output();
        let text = output.ok().filter(|output| output.status.success())?.stdout;
        Some(String::from_utf8(text).ok()?.trim().to_owned())
    };
    let top = git(&["rev-parse", "--show-toplevel"])?;
    if Path::new(&top).canonicalize().ok()? != Path::new(&root).canonicalize().ok()? {
        return None;
    }
    // The log of the branch changes with every commit.
    for name in ["HEAD", "logs/HEAD"] {
        if let Some(path) = git(&["rev-parse", "--git-path", name]) {
            let path = Path::new(&root).join(path);
            if path.exists() {
                println!("cargo::rerun-if-changed={}", path.display());
            }
        }
    }
    git(&["log", "-1", "--abbrev=9", "--format=%h, %cs"])
}
