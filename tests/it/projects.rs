//! Going from project to project, starting afresh, and what the user set.

use std::sync::Arc;

use hawqeye::app::effect::Effect;
use hawqeye::app::jobs::{FoundProject, Held};
use hawqeye::app::state::LongWork;
use hawqeye::app::state::overlay::Overlay;
use hawqeye::app::symbols::Symbols;
use portable_pty::CommandBuilder;

use crate::bench::Bench;
use crate::pty::Session;
use crate::views::{draw, text, theme};

const PROGRAM: &str = env!("CARGO_BIN_EXE_hawqeye");

fn start(home: &Arc<tempfile::TempDir>, arguments: &[&str]) -> Session {
    let mut command = CommandBuilder::new(PROGRAM);
    command.env_remove("NO_COLOR");
    command.args(arguments);
    Session::start_in(home.clone(), command, (80, 24))
}

fn first_line(screen: &vt100::Screen) -> String {
    screen.contents_between(0, 0, 0, 80)
}

#[test]
fn another_project_is_opened_in_the_same_terminal_and_the_first_one_again() {
    let home = Arc::new(tempfile::tempdir().unwrap());
    let mut other = start(&home, &["--project", "other"]);
    other.wait_text("1 Model");
    other.send("3");
    other.wait_text("This plan");
    other.send("q");
    assert_eq!(other.end(), 0);
    let mut session = start(&home, &["--project", "demo"]);
    session.wait("the demo", |screen| {
        first_line(screen).contains("hawqeye  demo")
    });
    for (project, screen_has) in [("other", "This plan"), ("demo", "1 Model")] {
        session.send("\u{f}");
        session.wait_text("used");
        session.send("\r");
        session.wait(project, |screen| {
            first_line(screen).contains(&format!("hawqeye  {project}"))
                && screen.contents().contains(screen_has)
                && screen.alternate_screen()
        });
    }
    session.send("q");
    assert_eq!(session.end(), 0);
    let log = std::fs::read_to_string(home.path().join("projects/demo/hawqeye.log")).unwrap();
    assert!(log.contains("left with exit code 0"), "{log}");
}

#[test]
fn a_fresh_start_shows_the_first_screen_and_keeps_the_plan() {
    let home = Arc::new(tempfile::tempdir().unwrap());
    let mut session = start(&home, &[]);
    session.send("3");
    session.wait_text("W-comp 4.00x");
    session.send("vGb4");
    session.wait_text("W-comp 8.00x");
    session.send("q");
    assert_eq!(session.end(), 0);
    let mut session = start(&home, &["--fresh"]);
    session.wait_text("Float network");
    session.send("3");
    session.wait_text("W-comp 8.00x");
    session.send("q");
    assert_eq!(session.end(), 0);
}

#[test]
fn settings_are_read_and_a_mistake_is_told_while_the_defaults_work() {
    let home = Arc::new(tempfile::tempdir().unwrap());
    let settings = home.path().join("config.toml");
    std::fs::write(&settings, "symbols = \"ascii\"\nmouse = false\n").unwrap();
    let mut session = start(&home, &[]);
    session.wait("signs in ASCII", |screen| {
        let text = screen.contents();
        text.contains("[1 Model]") && text.is_ascii()
    });
    session.wait("no mouse", |screen| {
        screen.mouse_protocol_mode() == vt100::MouseProtocolMode::None
    });
    session.send("q");
    assert_eq!(session.end(), 0);
    std::fs::write(&settings, "symbols = \"ascii\"\nmouze = false\n").unwrap();
    let mut session = start(&home, &[]);
    session.wait("what is wrong, in the defaults", |screen| {
        let text = screen.contents();
        text.contains("mouse?") && !text.is_ascii()
    });
    session.send("q");
    assert_eq!(session.end(), 0);
    std::fs::write(&settings, "mouze = false\nthem = \"dark\"\n").unwrap();
    let mut session = start(&home, &[]);
    session.wait("how many are wrong", |screen| {
        screen.contents().contains("2 problems")
    });
    session.send(":log\r");
    session.wait("both of them", |screen| {
        let text = screen.contents();
        text.contains("mouse?") && text.contains("theme?")
    });
    session.send("\x1b");
    session.wait("the log is closed", |screen| {
        !screen.contents().contains("hawqeye.log")
    });
    session.send("q");
    assert_eq!(session.end(), 0);
}

/// Projects in every state that one can be in.
pub fn projects() -> Vec<FoundProject> {
    let project = |name: &str, minutes: u64, held| FoundProject {
        name: name.into(),
        model: "resnet20".into(),
        data: "cifar10:/somewhere".into(),
        age: Some(std::time::Duration::from_secs(60 * minutes)),
        held,
    };
    vec![
        project("demo", 0, Held::Here),
        project("resnet20-cifar10", 130, Held::ByWorker),
        project("resnet56-cifar10", 90_000, Held::Elsewhere),
    ]
}

#[test]
fn projects_are_chosen_from_a_list() {
    let mut bench = Bench::loaded();
    bench.state.place.folder = "nowhere/projects/demo".into();
    bench.keys("ctrl-o").work();
    let Some(Overlay::Projects { selected, found }) = bench.state.overlays.last_mut() else {
        panic!("no list of projects");
    };
    *found = Some(projects());
    *selected = 1;
    let theme = theme("terminal", Symbols::UNICODE);
    insta::assert_snapshot!("projects", text(&draw(&bench, (80, 24), &theme)));
    bench.asked.clear();
    bench.keys("enter");
    let asked = [
        Effect::SaveSession,
        Effect::OpenProject("resnet20-cifar10".into()),
    ];
    assert_eq!(bench.asked, asked);
}

#[test]
fn work_that_cannot_go_on_alone_keeps_the_project_open() {
    for (who, goes) in [(LongWork::InWorker, true), (LongWork::Here, false)] {
        let mut bench = Bench::loaded();
        bench.state.long_work = who;
        bench.keys("a ctrl-o");
        bench.state.overlays = vec![Overlay::Projects {
            selected: 0,
            found: Some(vec![FoundProject {
                name: "other".into(),
                model: "resnet20".into(),
                data: "demo".into(),
                age: None,
                held: Held::Free,
            }]),
        }];
        bench.asked.clear();
        bench.keys("enter");
        let asked = bench.has_asked(&Effect::OpenProject("other".into()));
        assert_eq!(asked, goes, "{who:?}");
        assert!(
            goes || bench
                .state
                .log
                .back()
                .unwrap()
                .text
                .contains("wait for analysis to end")
        );
    }
}
