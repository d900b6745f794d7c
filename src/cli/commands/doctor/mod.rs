//! `doctor`: what this machine and this build are like.

mod analysis;

use std::env;
use std::fmt::Write as _;
use std::io::{self, IsTerminal};
use std::path::Path;
use std::thread;

use crate::cli::failure::Failure;
use crate::cli::machine::{fact, processor};
use crate::cli::output;
use crate::engine::backend::cpu::Isa;
use crate::engine::error::said;
use crate::folders::Folders;

/// Describes this machine.
///
/// # Errors
/// When stdout cannot be written, or the device fails.
pub fn run() -> Result<(), Failure> {
    let mut text = String::new();
    for (heading, lines) in [
        ("program", program()),
        ("machine", machine()),
        ("terminal", terminal()),
        ("folders", folders()),
        ("analysis", analysis::lines()?),
    ] {
        writeln!(text, "{heading}").expect("invariant: text can be written to memory");
        for (name, value) in lines {
            writeln!(text, "  {name:<14} {value}")
                .expect("invariant: text can be written to memory");
        }
    }
    output::print(&text)
}

type Lines = Vec<(&'static str, String)>;

fn program() -> Lines {
    let features = [
        ("tui", cfg!(feature = "tui")),
        ("cuda", cfg!(feature = "cuda")),
    ];
    let enabled = features
        .iter()
        .filter(|(_, enabled)| *enabled)
        .map(|(name, _)| *name);
    let profile = if cfg!(debug_assertions) {
        "debug: slow, build with --release"
    } else {
        "release"
    };
    vec![
        ("version", env!("HAWQEYE_VERSION").to_owned()),
        ("features", enabled.collect::<Vec<_>>().join(", ")),
        ("build", profile.to_owned()),
        (
            "system",
            format!("{} {}", env::consts::OS, env::consts::ARCH),
        ),
    ]
}

fn machine() -> Lines {
    let isa: Vec<String> = Isa::available().iter().map(Isa::to_string).collect();
    let cores = thread::available_parallelism().map_or_else(
        |refused| format!("unknown ({})", said(&refused)),
        |cores| cores.to_string(),
    );
    vec![
        ("processor", processor()),
        ("instructions", isa.join(", ")),
        ("cores", cores),
        ("threads", rayon::current_num_threads().to_string()),
        ("memory", memory()),
    ]
}

fn memory() -> String {
    let kilobytes = |key| {
        let fact = fact("/proc/meminfo", key)?;
        fact.split_whitespace().next()?.parse::<u64>().ok()
    };
    let gigabytes = |kilobytes: u64| kilobytes as f64 / f64::from(1 << 20);
    match (kilobytes("MemTotal"), kilobytes("MemAvailable")) {
        (Some(total), Some(free)) => {
            format!("{:.1} GB, {:.1} GB free", gigabytes(total), gigabytes(free))
        }
        _ => "unknown".to_owned(),
    }
}

fn terminal() -> Lines {
    let set = |name: &str| env::var(name).unwrap_or_else(|_| "not set".to_owned());
    let is = |terminal: bool| {
        if terminal {
            "terminal"
        } else {
            "not a terminal"
        }
    };
    let mut lines = vec![
        ("stdin", is(io::stdin().is_terminal()).to_owned()),
        ("stdout", is(io::stdout().is_terminal()).to_owned()),
        ("stderr", is(io::stderr().is_terminal()).to_owned()),
    ];
    lines.push(("size", size()));
    for name in ["TERM", "COLORTERM", "NO_COLOR", "LC_ALL", "LANG", "TMUX"] {
        lines.push((name, set(name)));
    }
    lines
}

#[cfg(feature = "tui")]
fn size() -> String {
    match crossterm::terminal::size() {
        Ok((columns, rows)) => format!("{columns}x{rows}"),
        Err(_) => "unknown".to_owned(),
    }
}

#[cfg(not(feature = "tui"))]
fn size() -> String {
    "unknown".to_owned()
}

fn folders() -> Lines {
    let place = |folder: &Path| format!("{} ({})", folder.display(), state(folder));
    let mut lines = Folders::find().map_or_else(
        || vec![("home", "none: name a folder with HAWQEYE_HOME".to_owned())],
        |folders| {
            vec![
                ("configuration", place(&folders.config)),
                ("settings", used(&folders.config.join("config.toml"))),
                ("keymap", used(&folders.config.join("keymap.toml"))),
                ("projects", place(&folders.data)),
            ]
        },
    );
    lines.push(("temporary", place(&env::temp_dir())));
    lines
}

fn used(file: &Path) -> String {
    let state = if file.is_file() {
        "in use"
    } else {
        "absent, defaults in use"
    };
    format!("{} ({state})", file.display())
}

fn state(folder: &Path) -> String {
    if !folder.exists() {
        return "made when it is first needed".to_owned();
    }
    match output::probe_folder(folder) {
        Ok(()) => "writable".to_owned(),
        Err(refused) => format!("NOT writable: {refused}"),
    }
}
