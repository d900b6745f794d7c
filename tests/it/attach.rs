//! Work that outlives the application: the terminal goes, the work stays, and is found again.

use std::ffi::OsStr;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hawqeye::engine::finetune::holds_run;
use hawqeye::engine::model::demo;
use hawqeye::engine::plan::{Plan, PlannedLayer, file};
use hawqeye::engine::quant::{Bits, ScaleRule};
use portable_pty::CommandBuilder;

use crate::pty::Session;

const PROGRAM: &str = env!("CARGO_BIN_EXE_hawqeye");

fn project(session: &Session) -> PathBuf {
    let data = session.home.path().join("data");
    let found = [data, session.home.path().to_owned()];
    let projects = found.iter().map(|folder| folder.join("projects/demo"));
    projects.into_iter().find(|folder| folder.is_dir()).unwrap()
}

fn is_working(project: &Path) -> bool {
    let order = File::open(project.join("worker/order.json")).unwrap();
    matches!(order.try_lock(), Err(TryLockError::WouldBlock))
}

fn start(home: Arc<tempfile::TempDir>, arguments: &[&OsStr]) -> Session {
    let mut command = CommandBuilder::new(PROGRAM);
    command.env_remove("NO_COLOR");
    command.args(arguments);
    Session::start_in(home, command, (100, 30))
}

/// The demo, being fine-tuned for longer than any test takes.
fn training() -> Session {
    let mut session = Session::program(&[]);
    session.wait_text("94.63 %");
    session.send("4");
    session.wait_text("Fine-tune");
    session.send("s");
    session.wait_text("joint");
    session.send(&"+".repeat(150));
    session.send("\r");
    session.wait_text("training");
    session
}

/// The process number that a worker wrote down.
fn worker(project: &Path) -> String {
    let events = std::fs::read_to_string(project.join("worker/events.jsonl")).unwrap();
    let first = events.lines().next().unwrap();
    first.strip_prefix("worker ").unwrap().to_owned()
}

#[test]
fn a_run_survives_the_terminal_and_is_attached_to_paused_and_stopped() {
    let session = training();
    let project = project(&session);
    session.signal("HUP");
    let home = session.home.clone();
    assert_eq!(session.end(), 130);
    assert!(is_working(&project), "the run goes on");
    let mut session = start(home, &[]);
    session.wait_text("went on in the background");
    session.send("4");
    session.wait_text("training");
    if cfg!(target_os = "linux") {
        session.wait_text("memory");
    }
    session.send(" ");
    session.wait_text("paused");
    session.send(" ");
    session.wait("it to go on", |screen| {
        !screen.contents().contains("paused")
    });
    session.send("x");
    session.wait_text("stopped with a checkpoint");
    assert!(!is_working(&project));
    session.send("q");
    assert_eq!(session.end(), 0);
}

#[test]
fn leaving_can_leave_the_run_running_and_a_second_instance_only_watches() {
    let mut first = training();
    let project = project(&first);
    let mut second = start(first.home.clone(), &[]);
    second.wait_text("this one watches");
    second.send("4");
    second.wait_text("training");
    second.send("x");
    second.wait_text("only watches");
    second.send("q");
    assert_eq!(second.end(), 0);
    assert!(is_working(&project), "who watches stops nothing");
    first.send("q");
    first.wait_text("goes on in the background");
    first.send("f");
    let third = start(first.home.clone(), &[]);
    assert_eq!(first.end(), 0);
    third.wait_text("training");
    let status = std::process::Command::new("kill")
        .args(["-9", &worker(&project)])
        .status();
    assert!(status.unwrap().success());
    third.wait_text("ended without a word");
    let mut third = third;
    third.send("q");
    assert_eq!(third.end(), 0);
}

#[test]
fn another_project_is_opened_while_the_run_of_this_one_stops() {
    let mut session = training();
    let project = project(&session);
    session.send("x");
    session.send("\u{e}");
    session.wait_text("preprocessing");
    session.send("\t\t\t\tother\r");
    session.wait("the other project", |screen| {
        let header = screen.contents();
        header
            .lines()
            .next()
            .is_some_and(|line| line.contains("other"))
    });
    wait_for(|| !is_working(&project));
    session.send("q");
    assert_eq!(session.end(), 0);
}

#[test]
fn an_analysis_survives_the_terminal_and_its_result_is_there() {
    let mut session = Session::program(&[]);
    session.wait_text("94.63 %");
    // 32 images.
    session.send("nna");
    session.wait_text("analysis");
    let (project, home) = (project(&session), session.home.clone());
    session.signal("HUP");
    assert_eq!(session.end(), 130);
    let mut session = start(home, &[]);
    session.wait_text("Measured; enter goes on");
    assert!(project.join("sensitivity.json").is_file());
    session.send("q");
    assert_eq!(session.end(), 0);
}

#[test]
fn a_run_of_the_command_line_is_followed_and_stopped() {
    let home = Arc::new(tempfile::tempdir().unwrap());
    let run = home.path().join("run");
    let plan = home.path().join("plan.toml");
    file::write(&plan, &eight_bits()).unwrap();
    let mut tune = std::process::Command::new(PROGRAM)
        .args([
            "tune",
            "--data",
            "demo",
            "--schedule",
            "joint",
            "--epochs",
            "150",
            "--quiet",
        ])
        .args([
            "--plan".as_ref(),
            plan.as_os_str(),
            "-o".as_ref(),
            run.as_os_str(),
        ])
        .stdin(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    wait_for(|| holds_run(&run));
    let mut session = start(home, &["--attach".as_ref(), run.as_os_str()]);
    session.wait_text("Run run, resnet20 on demo  training");
    session.send("x");
    session.wait_text("stopped with a checkpoint");
    assert_eq!(tune.wait().unwrap().code(), Some(130));
    session.send("q");
    assert_eq!(session.end(), 0);
}

/// The demo at 8 bits.
pub fn eight_bits() -> Plan {
    let bits = Bits::new(8).unwrap();
    let layers = demo::load().unwrap().graph.layers().to_vec();
    let planned = layers.into_iter().map(|layer| PlannedLayer {
        name: layer.name,
        weight_bits: bits,
        activation_bits: bits,
        pinned: false,
        tie: None,
    });
    Plan {
        model: "resnet20".into(),
        fingerprint: None,
        scale: ScaleRule::Mse,
        layers: planned.collect(),
    }
}

/// Looks again and again until it holds.
pub fn wait_for(holds: impl Fn() -> bool) {
    let begin = std::time::Instant::now();
    while !holds() {
        assert!(begin.elapsed().as_secs() < 120, "waited too long");
        std::thread::yield_now();
    }
}
