//! Projects that are damaged, places that cannot be written, and terminals that cannot be used: one
//! gets in where that is possible, and is told what to do.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::Arc;

use hawqeye::engine::presence::Holder;
use portable_pty::CommandBuilder;

use crate::attach::{eight_bits, wait_for};
use crate::pty::Session;

const PROGRAM: &str = env!("CARGO_BIN_EXE_hawqeye");

fn start(home: &Arc<tempfile::TempDir>, arguments: &[&str]) -> Session {
    let mut command = CommandBuilder::new(PROGRAM);
    command.env_remove("NO_COLOR");
    command.args(arguments);
    Session::start_in(home.clone(), command, (200, 40))
}

/// A home with the folder of a project in it.
fn home(name: &str) -> (Arc<tempfile::TempDir>, PathBuf) {
    let home = Arc::new(tempfile::tempdir().unwrap());
    let project = home.path().join("projects").join(name);
    fs::create_dir_all(&project).unwrap();
    (home, project)
}

fn leave(mut session: Session) {
    session.send("q");
    assert_eq!(session.end(), 0);
}

#[test]
fn every_damage_to_a_project_lets_one_in_and_is_named() {
    let contents: [(&str, Option<&[u8]>); 5] = [
        ("empty", Some(b"")),
        ("torn", Some(b"model = \"resn")),
        ("binary", Some(b"\0\xff\xfe\x80")),
        (
            "of another version",
            Some(br#"{"format": "hawqeye/sensitivity", "version": 99}"#),
        ),
        ("a folder", None),
    ];
    let files = [
        "inputs.toml",
        "session.toml",
        "sensitivity.json",
        "plan.toml",
        "lock",
    ];
    let more = ["hawqeye.log", "runs", "exports", "worker"];
    for (kind, content) in contents {
        let (home, project) = home("demo");
        for name in files.into_iter().chain(more) {
            match content {
                Some(content) => fs::write(project.join(name), content).unwrap(),
                None => fs::create_dir(project.join(name)).unwrap(),
            }
        }
        let session = start(&home, &[]);
        // Where the lock itself is in the way, one only watches.
        session.wait(kind, |screen| {
            let shown = screen.contents();
            shown.contains("94.63 %") || shown.contains("only watched")
        });
        leave(session);
    }
}

#[test]
fn a_project_whose_inputs_are_damaged_is_only_watched_until_they_are_given_anew() {
    let (home, project) = home("mine");
    fs::write(project.join("inputs.toml"), "model = ").unwrap();
    let session = start(&home, &["--project", "mine"]);
    session.wait_text("the inputs of this project are unknown");
    leave(session);
    assert_eq!(fs::read(project.join("inputs.toml")).unwrap(), b"model = ");
    let session = start(&home, &["--project", "mine", "--data", "demo"]);
    session.wait_text("94.63 %");
    leave(session);
    let written = fs::read_to_string(project.join("inputs.toml")).unwrap();
    assert!(written.contains("model = \"resnet20\""), "{written}");
}

#[test]
fn a_home_that_cannot_be_written_lets_one_watch_and_names_the_variable() {
    let home = Arc::new(tempfile::tempdir().unwrap());
    fs::write(home.path().join("projects"), "in the way").unwrap();
    let session = start(&home, &[]);
    session.wait_text("XDG_DATA_HOME");
    session.wait_text("269,434 parameters");
    leave(session);
}

#[test]
fn a_terminal_that_cannot_place_text_is_told_the_headless_way() {
    for kind in ["dumb", "", "unknown"] {
        let command = CommandBuilder::new(PROGRAM);
        let session = Session::start_with(command, (100, 30), &[("TERM", kind)]);
        session.wait_text("hawqeye --help");
        session.wait_text("TERM is");
        assert_eq!(session.end(), 2, "{kind:?}");
    }
}

#[test]
fn a_project_folder_that_is_made_anew_is_left_alone() {
    let (home, project) = home("demo");
    let mut first = start(&home, &[]);
    first.wait_text("94.63 %");
    fs::remove_dir_all(&project).unwrap();
    first.wait_text("was removed or replaced");
    let second = start(&home, &[]);
    second.wait_text("94.63 %");
    let plan = || fs::read(project.join("plan.toml")).ok();
    let before = plan();
    first.send("3");
    first.wait_text("Bits");
    first.send("-");
    first.send("q");
    first.end();
    assert_eq!(plan(), before);
    leave(second);
}

#[test]
fn who_watches_is_told_that_the_owner_is_gone() {
    let (home, _) = home("demo");
    let first = start(&home, &[]);
    first.wait_text("94.63 %");
    let second = start(&home, &[]);
    second.wait_text("this one watches");
    leave(first);
    second.wait_text("is gone");
    leave(second);
}

/// A process that has nothing to do with us.
struct Stranger(Child);

impl Stranger {
    fn new() -> Self {
        Self(Command::new("sleep").arg("1000").spawn().unwrap())
    }

    /// Sleeping as it was, not stopped.
    fn is_untouched(&mut self) -> bool {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0.id())).unwrap();
        let state = stat.rsplit_once(") ").unwrap().1.chars().next();
        self.0.try_wait().unwrap().is_none() && state == Some('S')
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A run that was begun and killed.
fn begun(folder: &Path) -> PathBuf {
    let (run, plan) = (folder.join("run"), folder.join("p.toml"));
    hawqeye::engine::plan::file::write(&plan, &eight_bits()).unwrap();
    let mut tune = Command::new(PROGRAM)
        .args([
            "tune",
            "--schedule",
            "joint",
            "--epochs",
            "150",
            "-q",
            "--plan",
        ])
        .args([plan.as_os_str(), "-o".as_ref(), run.as_os_str()])
        .spawn()
        .unwrap();
    let events = run.join("events.jsonl");
    wait_for(|| fs::read_to_string(&events).is_ok_and(|text| text.contains("\"step\"")));
    tune.kill().unwrap();
    tune.wait().unwrap();
    run
}

#[cfg(target_os = "linux")]
#[test]
fn a_process_that_has_the_number_of_a_run_elsewhere_is_left_alone() {
    let (home, _) = home("demo");
    let run = begun(home.path());
    let mut stranger = Stranger::new();
    for host in ["node17", "localhost"] {
        let elsewhere = Holder {
            host: host.into(),
            boot: "another".into(),
            process: stranger.0.id(),
            ..Holder::own().clone()
        };
        fs::write(run.join("lock"), elsewhere.line()).unwrap();
        fs::write(run.join("heartbeat"), "1\n").unwrap();
        let mut session = start(&home, &["--attach", run.to_str().unwrap()]);
        session.wait_text("training");
        session.send("4 ");
        let wish = run.join("wish");
        let wished = |word: &str| {
            let text = fs::read_to_string(&wish).unwrap_or_default();
            text.starts_with(word)
                && Holder::read(text.lines().nth(1).unwrap()) == Some(elsewhere.clone())
        };
        wait_for(|| wished("hold"));
        session.wait_text(&format!("ago on {host}"));
        session.send("x");
        wait_for(|| wished("stop"));
        assert!(stranger.is_untouched());
        fs::remove_file(run.join("heartbeat")).unwrap();
        session.wait_text("ended without a word");
        leave(session);
        assert!(stranger.is_untouched());
    }
}
