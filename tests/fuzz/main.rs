//! Every reader of files against damaged and hostile ones: real files, mutated. Whatever comes, a reader
//! answers with a value or one sentence; it does not panic, does not hang, and takes memory in
//! proportion to the file.
//!
//! ```text
//! seeds (real files) --mutate, seeded--> a folder --read--> counted: accepted, refused, memory, time
//! ```
//! As a test it takes some seconds. For longer, run the test program itself:
//! `HAWQEYE_FUZZ_SECONDS=3600 cargo test --release --test fuzz -- --nocapture`; it prints the number of
//! inputs of each reader every minute and at the end. `HAWQEYE_FUZZ_SEED` begins elsewhere. An input
//! that made a reader fail is kept in the folder that the message names.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    missing_docs,
    unsafe_code,
    reason = "a test; the allocator counts"
)]

mod memory;
mod mutate;
mod readers;
mod seeds;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use mutate::Random;
use readers::Reader;

/// Seconds of the test when nothing else is asked for.
const SECONDS: u64 = 40;
/// Longest time an input may take, on a machine that does other work besides.
const PATIENCE: Duration = Duration::from_secs(30);
/// Bytes a reader may take: so many times the file, and some for a network and its plan.
const MEMORY: (usize, usize) = (48, 32 << 20);
/// Time between two tables of totals.
const REPORT: Duration = Duration::from_mins(1);

/// Seed of the input that is being read, for the watch.
static CURRENT: AtomicU64 = AtomicU64::new(0);

/// What happened to the inputs of a reader.
#[derive(Default)]
struct Total {
    inputs: u64,
    accepted: u64,
    most_memory: usize,
    longest: Duration,
}

fn asked(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn no_reader_panics_hangs_or_takes_memory_out_of_proportion() {
    let seconds = asked("HAWQEYE_FUZZ_SECONDS").unwrap_or(SECONDS);
    let first = asked("HAWQEYE_FUZZ_SEED").unwrap_or(1);
    let folder = tempfile::tempdir().unwrap();
    let seeds = seeds::make(&folder.path().join("seeds"));
    let readers = readers::all(&seeds);
    for reader in &readers {
        let work = fresh(&folder.path().join("sound"), reader);
        let read = catch_unwind(AssertUnwindSafe(|| (reader.read)(&work)));
        assert!(read.unwrap(), "{}: the seed itself is refused", reader.name);
    }
    watch();
    let mut totals: Vec<Total> = readers.iter().map(|_| Total::default()).collect();
    let (begin, mut told, mut failures) = (Instant::now(), Instant::now(), Vec::new());
    for seed in first.. {
        if begin.elapsed() >= Duration::from_secs(seconds) {
            break;
        }
        let place = (seed % readers.len() as u64) as usize;
        let failure = one(
            &folder.path().join("work"),
            &readers[place],
            seed,
            &mut totals[place],
        );
        if let Some(failure) = failure {
            eprintln!("{failure}");
            failures.push(failure);
        }
        if told.elapsed() >= REPORT {
            tell(&readers, &totals, failures.len());
            told = Instant::now();
        }
    }
    CURRENT.store(0, Ordering::Relaxed);
    tell(&readers, &totals, failures.len());
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(totals.iter().all(|total| total.inputs > 0));
}

/// The files of a reader in a folder of their own.
fn fresh(folder: &Path, reader: &Reader) -> PathBuf {
    if folder.exists() {
        fs::remove_dir_all(folder).unwrap();
    }
    for (name, content) in &reader.files {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    folder.to_owned()
}

/// One input: what went wrong, if anything.
fn one(folder: &Path, reader: &Reader, seed: u64, total: &mut Total) -> Option<String> {
    let mut random = Random::new(seed);
    let folder = fresh(folder, reader);
    let (name, content) = &reader.files[random.below(reader.mutated)];
    let other = &reader.files[random.below(reader.files.len())].1;
    let input = mutate::mutated(content, other, &mut random);
    fs::write(folder.join(name), &input).unwrap();
    let bytes: usize = reader
        .files
        .iter()
        .map(|(_, content)| content.len())
        .sum::<usize>()
        + input.len();
    CURRENT.store(seed, Ordering::Relaxed);
    let before = memory::begin();
    let start = Instant::now();
    let read = catch_unwind(AssertUnwindSafe(|| (reader.read)(&folder)));
    let took = start.elapsed();
    let taken = memory::most().saturating_sub(before);
    total.inputs += 1;
    total.accepted += u64::from(matches!(read, Ok(true)));
    total.most_memory = total.most_memory.max(taken);
    total.longest = total.longest.max(took);
    let wrong = if read.is_err() {
        "panicked".to_owned()
    } else if took > PATIENCE {
        format!("took {took:?}")
    } else if taken > MEMORY.0 * bytes + MEMORY.1 {
        format!("took {taken} bytes for {bytes}")
    } else {
        return None;
    };
    let kept = std::env::temp_dir().join(format!("hawqeye-fuzz-{}-{seed}", reader.name));
    let _ = fs::remove_dir_all(&kept);
    fs::rename(&folder, &kept).ok();
    Some(format!(
        "{} {wrong} on {} of {} (seed {seed})",
        reader.name,
        name,
        kept.display()
    ))
}

/// Ends the program when an input never ends: a test that hangs says nothing.
fn watch() {
    std::thread::spawn(|| {
        let (mut last, mut since) = (0, Instant::now());
        loop {
            std::thread::sleep(Duration::from_secs(1));
            let current = CURRENT.load(Ordering::Relaxed);
            if current != last {
                (last, since) = (current, Instant::now());
            } else if current != 0 && since.elapsed() > 4 * PATIENCE {
                eprintln!("the input of seed {current} does not end");
                std::process::abort();
            }
        }
    });
}

fn tell(readers: &[Reader], totals: &[Total], failures: usize) {
    for (reader, total) in readers.iter().zip(totals) {
        eprintln!(
            "{:<12} {:>9} inputs, {:>8} accepted, at most {:>6.1} MB and {:.2} s",
            reader.name,
            total.inputs,
            total.accepted,
            total.most_memory as f64 / 1e6,
            total.longest.as_secs_f64()
        );
    }
    let all: u64 = totals.iter().map(|total| total.inputs).sum();
    eprintln!("{all} inputs, {failures} failures\n");
}
