//! Kills at any moment: what is resumed ends as what was never disturbed, byte for byte, and nothing
//! is left behind. A few of them here; `HAWQEYE_KILLS=50` tries as many, and every fsync and rename.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use tempfile::TempDir;

use super::support::{Untrained, command, ended, uniform_plan};

/// Kills at random moments where nothing else is asked for.
const USUAL: usize = 3;
/// Calls after which a file, a name or a folder is on the disk.
const CALLS: [&str; 6] = [
    "fsync",
    "fdatasync",
    "rename",
    "renameat",
    "renameat2",
    "linkat",
];

/// As many kills as were asked for, if any were.
fn asked() -> Option<usize> {
    std::env::var("HAWQEYE_KILLS").ok()?.parse().ok()
}

/// A small network, few images, a plan, and a run that is done.
struct Small {
    untrained: Untrained,
}

impl Small {
    fn new() -> Self {
        let small = Self {
            untrained: Untrained::of_cifar(),
        };
        let data = small.at("data");
        fs::create_dir(&data).unwrap();
        let names = [
            "data_batch_1",
            "data_batch_2",
            "data_batch_3",
            "data_batch_4",
            "data_batch_5",
        ];
        for (batch, name) in names.into_iter().chain(["test_batch"]).enumerate() {
            fs::write(data.join(format!("{name}.bin")), images(batch)).unwrap();
        }
        fs::write(small.at("p.toml"), uniform_plan()).unwrap();
        let mut run = Job::Tune.command(&small, &small.at("run"));
        ended(&mut run).done();
        small
    }

    fn at(&self, name: &str) -> PathBuf {
        self.untrained.path(name)
    }
}

/// Labels and pixels of 24 images.
fn images(batch: usize) -> Vec<u8> {
    const IMAGES: usize = 24;
    const PIXELS: usize = 3 * 32 * 32;
    let mut random = StdRng::seed_from_u64(batch as u64);
    let mut bytes = Vec::new();
    for image in 0..IMAGES {
        bytes.push((image % 10) as u8);
        bytes.extend((0..PIXELS).map(|_| random.random::<u8>()));
    }
    bytes
}

/// What is killed.
#[derive(Debug, Clone, Copy)]
enum Job {
    Analyze,
    Tune,
    Export,
}

impl Job {
    const ALL: [Self; 3] = [Self::Analyze, Self::Tune, Self::Export];

    /// The same every time: what was begun goes on.
    fn arguments(self, small: &Small, output: &Path) -> Vec<String> {
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        let inputs = [
            "--model".to_owned(),
            "resnet20".to_owned(),
            "--weights".to_owned(),
            small.untrained.text("w.safetensors"),
        ];
        let data = [
            "--data".to_owned(),
            format!("cifar10:{}", text(&small.at("data"))),
        ];
        let (words, inputs): (Vec<String>, _) = match self {
            Self::Analyze => {
                let words = ["analyze", "--samples", "32", "--resume", "-o"];
                let mut words = words.map(String::from).to_vec();
                words.push(text(&output.join("s.json")));
                (words, Some(inputs))
            }
            Self::Tune => {
                let words = [
                    "tune",
                    "--schedule",
                    "joint",
                    "--epochs",
                    "2",
                    "--batch-size",
                    "16",
                ];
                let mut words = words.map(String::from).to_vec();
                let plan = text(&small.at("p.toml"));
                words.extend(["--plan".to_owned(), plan, "--resume".to_owned()]);
                words.extend(["-o".to_owned(), text(&output.join("run"))]);
                (words, Some(inputs))
            }
            Self::Export => {
                let run = text(&small.at("run").join("run"));
                let words = ["export", &run, "--format", "safetensors", "-o"];
                let mut words = words.map(String::from).to_vec();
                words.push(text(&output.join("e.safetensors")));
                (words, None)
            }
        };
        let inputs = inputs.into_iter().flatten();
        let quiet = ["--quiet".to_owned()];
        words
            .into_iter()
            .chain(inputs)
            .chain(data)
            .chain(quiet)
            .collect()
    }

    fn command(self, small: &Small, output: &Path) -> Command {
        fs::create_dir_all(output).unwrap();
        let arguments = self.arguments(small, output);
        let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
        command(&words)
    }

    /// What is left when it was never disturbed, and how long it takes.
    fn undisturbed(self, small: &Small) -> (Files, Duration) {
        let folder = tempfile::tempdir().unwrap();
        let begin = Instant::now();
        ended(&mut self.command(small, folder.path())).done();
        (files(folder.path()), begin.elapsed())
    }
}

/// Names and contents below a folder.
type Files = BTreeMap<String, Vec<u8>>;

fn files(folder: &Path) -> Files {
    let mut found = Files::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(folder).unwrap().display().to_string();
            found.insert(name, timeless(fs::read(&path).unwrap()));
        }
    }
    found
}

/// A file without the seconds that it took.
fn timeless(bytes: Vec<u8>) -> Vec<u8> {
    let Ok(text) = std::str::from_utf8(&bytes) else {
        return bytes;
    };
    let lines = text.lines().map(|line| match line.find("\"seconds\":") {
        Some(at) => {
            let rest = line[at..]
                .find([',', '}'])
                .map_or("", |end| &line[at + end..]);
            format!("{}{rest}\n", &line[..at])
        }
        None => format!("{line}\n"),
    });
    lines.collect::<String>().into_bytes()
}

/// What is different, by name.
fn different(a: &Files, b: &Files) -> Vec<String> {
    let names = a.keys().chain(b.keys());
    let mut names: Vec<String> = names
        .filter(|name| a.get(*name) != b.get(*name))
        .cloned()
        .collect();
    names.dedup();
    names
}

/// Waits for the end, or for a moment; whether it ended by itself.
fn until(child: &mut Child, moment: Duration) -> bool {
    let begin = Instant::now();
    while begin.elapsed() < moment {
        if child.try_wait().unwrap().is_some() {
            return true;
        }
        std::thread::park_timeout(Duration::from_millis(1));
    }
    false
}

/// Does the job again until it is done, and holds it to the undisturbed one.
fn resumed(job: Job, (small, folder): (&Small, &TempDir), expected: &Files, what: &str) {
    ended(&mut job.command(small, folder.path())).done();
    let found = files(folder.path());
    let wrong = different(expected, &found);
    assert!(wrong.is_empty(), "{job:?}, killed {what}: {wrong:?}");
}

#[test]
fn what_is_killed_at_any_moment_goes_on_to_the_same_bytes() {
    let small = Small::new();
    let jobs = Job::ALL.map(|job| (job, job.undisturbed(&small)));
    let mut random = StdRng::seed_from_u64(17);
    let (mut killed, mut tried) = (0, 0);
    for round in 0..asked().unwrap_or(USUAL) {
        let (job, (expected, took)) = &jobs[round % jobs.len()];
        let folder = tempfile::tempdir().unwrap();
        for _ in 0..random.random_range(1..=2) {
            let moment = took.mul_f64(random.random_range(0.02..1.0));
            let mut child = job.command(&small, folder.path());
            let mut child = child.stdout(Stdio::null()).spawn().unwrap();
            tried += 1;
            if !until(&mut child, moment) {
                child.kill().unwrap();
                killed += 1;
            }
            child.wait().unwrap();
        }
        resumed(
            *job,
            (&small, &folder),
            expected,
            &format!("in round {round}"),
        );
    }
    eprintln!("{killed} of {tried} were killed before their end");
}

#[test]
fn what_is_killed_as_a_file_reaches_the_disk_goes_on_to_the_same_bytes() {
    if Command::new("strace").arg("-V").output().is_err() {
        eprintln!("skipped: strace is not there");
        return;
    }
    let small = Small::new();
    let every = asked().is_some();
    let mut killed = 0;
    for job in Job::ALL {
        let (expected, _) = job.undisturbed(&small);
        for call in CALLS {
            // The third where not every one is asked for: between the first file and the last.
            let places = if every { 1..=usize::MAX } else { 3..=3 };
            for place in places {
                let folder = tempfile::tempdir().unwrap();
                fs::create_dir_all(folder.path()).unwrap();
                let inject = format!("inject={call}:signal=KILL:when={place}");
                let mut strace = Command::new("strace");
                strace.args(["-f", "-qq", "-o", "/dev/null", "-e"]);
                strace.args([&format!("trace={call}"), "-e", &inject]);
                strace.arg(env!("CARGO_BIN_EXE_hawqeye"));
                strace.args(job.arguments(&small, folder.path()));
                let ended = strace.stdout(Stdio::null()).stdin(Stdio::null());
                let ended = ended.env_remove("HAWQEYE_LOG").status().unwrap();
                if ended.signal().is_none() && ended.code() != Some(137) {
                    assert_eq!(ended.code(), Some(0), "{job:?} at {call} {place}");
                    break;
                }
                killed += 1;
                let what = format!("at {call} {place}");
                resumed(job, (&small, &folder), &expected, &what);
            }
        }
    }
    eprintln!("{killed} were killed at a call");
    assert!(killed > 0, "no call was met");
}
