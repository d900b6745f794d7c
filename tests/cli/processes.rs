//! Two at once, signals, damage, and results that nobody takes.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::support::{command, ended, names};
use crate::tune::{JOINT, planned, tune};

fn sha256(path: &Path) -> String {
    hawqeye::engine::files::sha256_of_file(path).unwrap()
}

fn signal(child: &Child, name: &str) {
    let id = child.id().to_string();
    let sent = Command::new("kill").args(["-s", name, &id]).status();
    assert!(sent.unwrap().success());
}

/// Starts a run and waits for its first step.
fn training(folder: &Path, name: &str) -> Child {
    let arguments = [
        &["tune", "--progress", "json"],
        &JOINT[..],
        &["3", "-o", name],
    ]
    .concat();
    let mut command = command(&arguments);
    let command = command.current_dir(folder).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut events = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(events.any(|line| line.unwrap().contains("\"event\":\"step\"")));
    std::thread::spawn(move || events.for_each(drop));
    child
}

/// Whether this process, and so each that it starts, was told to ignore SIGHUP, which is signal 1.
fn ignores_hang_up() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & 1 != 0)
}

#[test]
fn every_signal_that_asks_for_an_end_saves_the_last_step() {
    let folder = planned();
    let folder = folder.path();
    let each: [&[&str]; 4] = [&["HUP"], &["USR1"], &["USR2"], &["TERM", "TERM", "TERM"]];
    for signals in each {
        let name = signals[0];
        if name == "HUP" && ignores_hang_up() {
            eprintln!("skipped: hanging up is ignored here (nohup), and so by the program");
            continue;
        }
        let mut child = training(folder, name);
        for name in signals {
            signal(&child, name);
        }
        assert_eq!(child.wait().unwrap().code(), Some(130), "{name}");
        let events = fs::read_to_string(folder.join(name).join("events.jsonl")).unwrap();
        let steps = events
            .lines()
            .filter(|line| line.contains("\"event\":\"step\""))
            .count();
        let position = hawqeye::engine::finetune::read_position(&folder.join(name)).unwrap();
        assert_eq!(position.unwrap().step, steps as u64, "{name}");
        assert!(events.contains("stopped"), "{name}");
    }
}

#[test]
fn a_run_whose_lock_names_another_machine_stops_without_saving() {
    let folder = planned();
    let folder = folder.path();
    let mut child = training(folder, "run");
    let lock = folder.join("run/lock");
    let mut holder: Value = serde_json::from_slice(&fs::read(&lock).unwrap()).unwrap();
    holder["host"] = "node17".into();
    fs::write(&lock, holder.to_string()).unwrap();
    let before = fs::read(folder.join("run/checkpoint.safetensors")).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1));
    let after = fs::read(folder.join("run/checkpoint.safetensors")).unwrap();
    assert!(before == after);
}

#[test]
fn two_exports_to_one_file_leave_one_that_was_told() {
    let folder = planned();
    let folder = folder.path();
    for (epochs, name) in [("1", "a"), ("2", "b")] {
        tune(folder, &[&JOINT[..], &[epochs, "-o", name]].concat()).done();
    }
    for (format, output) in [("packed", "e.st"), ("safetensors", "e.safetensors")] {
        let export = |run: &str| {
            let mut command = command(&["export", run, "--format", format, "-o", output, "-q"]);
            let command = command.current_dir(folder).stdout(Stdio::piped());
            command.stderr(Stdio::piped()).spawn().unwrap()
        };
        let both = [export("a"), export("b")].map(|child| child.wait_with_output().unwrap());
        let written = sha256(&folder.join(output));
        let told = both.iter().filter(|one| {
            assert_eq!(one.status.code(), Some(0), "{one:?}");
            String::from_utf8_lossy(&one.stdout).contains(&written)
        });
        assert_eq!(told.count(), 1, "{format}");
    }
    let description = fs::read(folder.join("e.json")).unwrap();
    let description: Value = serde_json::from_slice(&description).unwrap();
    assert_eq!(description["sha256"], sha256(&folder.join("e.safetensors")));
    let left = ["a", "b", "e.json", "e.safetensors", "e.st", "p.toml"];
    assert_eq!(names(folder), left);
}

#[test]
fn a_damaged_export_is_refused_and_a_damaged_checkpoint_hides_no_whole_best() {
    let folder = planned();
    let folder = folder.path();
    let run = |arguments: &[&str]| ended(command(arguments).current_dir(folder));
    tune(folder, &[&JOINT[..], &["1", "-o", "run"]].concat()).done();
    run(&["export", "run", "-o", "e.st", "-q"]).done();
    let whole = fs::read(folder.join("e.st")).unwrap();
    for place in [40, whole.len() / 2, whole.len() - 1] {
        let mut damaged = whole.clone();
        damaged[place] ^= 4;
        fs::write(folder.join("d.st"), damaged).unwrap();
        let refused = run(&["eval", "--packed", "d.st", "--data", "demo"]);
        assert_eq!(refused.code, 1, "byte {place}: {refused:?}");
    }
    let checkpoint = folder.join("run/checkpoint.safetensors");
    let bytes = fs::read(&checkpoint).unwrap();
    fs::write(&checkpoint, &bytes[..5000]).unwrap();
    let exported = run(&["export", "run", "-o", "b.st"]).done();
    assert!(exported.stderr.contains("is taken instead"), "{exported:?}");
    let eval = run(&["eval", "--run", "run"]).done();
    assert!(eval.stderr.contains("is taken instead"), "{eval:?}");
    tune(folder, &["-o", "run", "--resume"]).refused(1, &["damaged", "--conclude best"]);
    let concluded = tune(folder, &["-o", "run", "--resume", "--conclude", "best"]).done();
    assert!(
        concluded.stderr.contains("is whole and is kept"),
        "{concluded:?}"
    );
    run(&["export", "run", "-o", "b.st"]).done();
}

#[test]
fn a_resume_with_other_instructions_is_said_and_recorded() {
    let folder = planned();
    let folder = folder.path();
    let mut child = training(folder, "run");
    signal(&child, "TERM");
    child.wait().unwrap();
    let told = tune(folder, &["-o", "run", "--resume", "--isa", "portable"]).done();
    let here = fs::read_to_string(folder.join("run/settings.json")).unwrap();
    if here.contains("\"device\": \"cpu (portable)\",\n  \"model\"") {
        eprintln!("skipped: this machine has the portable instructions only");
        return;
    }
    assert!(
        told.stderr.contains("goes on with cpu (portable)"),
        "{told:?}"
    );
    let settings = fs::read_to_string(folder.join("run/settings.json")).unwrap();
    assert!(settings.contains("\"continued\""), "{settings}");
    let events = fs::read_to_string(folder.join("run/events.jsonl")).unwrap();
    assert!(events.contains("goes on with cpu (portable)"));
}

/// Runs the program through a shell, which can close what Rust cannot.
fn shell(line: &str) -> i32 {
    let mut shell = Command::new("bash");
    shell
        .args(["-o", "pipefail", "-c", line])
        .env("H", env!("CARGO_BIN_EXE_hawqeye"));
    let shell = shell.stdin(Stdio::null()).stderr(Stdio::null());
    shell.status().unwrap().code().unwrap()
}

#[test]
fn a_result_that_arrives_nowhere_is_an_error_and_a_reader_who_has_enough_is_none() {
    for words in [
        "--help",
        "--version",
        "man",
        "completions bash",
        "config --print keymap",
    ] {
        assert_eq!(shell(&format!("$H {words} >&-")), 1, "{words}, closed");
        assert_eq!(shell(&format!("$H {words} >/dev/full")), 1, "{words}, full");
        assert_eq!(
            shell(&format!("$H {words} >/dev/null")),
            0,
            "{words}, thrown away"
        );
        assert_eq!(shell(&format!("$H {words} | true")), 0, "{words}, unread");
    }
    assert_eq!(shell("$H eval --json >&-"), 1);
}

#[test]
fn no_more_threads_is_a_sentence() {
    let user_can_be_changed = Command::new("setpriv").arg("--version").output().is_ok();
    let root =
        fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
    if !(user_can_be_changed && root) {
        eprintln!("skipped: only root can become a user without processes");
        return;
    }
    // The program may be where that user cannot go: it is opened before.
    let folder = tempfile::Builder::new()
        .prefix("hawqeye")
        .tempdir_in("/tmp")
        .unwrap();
    let program = folder.path().join("hawqeye");
    fs::copy(env!("CARGO_BIN_EXE_hawqeye"), &program).unwrap();
    let open = |path: &Path| {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(path, mode).unwrap();
    };
    open(folder.path());
    open(&program);
    let mut setpriv = Command::new("setpriv");
    setpriv.args([
        "--reuid=61234",
        "--regid=61234",
        "--clear-groups",
        "prlimit",
        "--nproc=1",
    ]);
    setpriv.arg(&program).args(["eval", "-q"]).process_group(0);
    let told = ended(&mut setpriv);
    told.refused(1, &["cannot start", "--threads"]);
}
