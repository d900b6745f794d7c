//! The plan in the user's editor: the real loop in a real terminal, with a shell script as editor.

use std::path::PathBuf;
use std::sync::Arc;

use crate::pty::{Session, this_test};

/// Over the fake engine, with this script as the editor; `None`: with no editor at all.
fn session(script: Option<&str>) -> Session {
    let home = Arc::new(tempfile::tempdir().unwrap());
    let mut command = this_test("pty::child");
    for name in ["NO_COLOR", "VISUAL", "EDITOR"] {
        command.env_remove(name);
    }
    if let Some(script) = script {
        let path = home.path().join("editor.sh");
        std::fs::write(&path, script).unwrap();
        command.env("EDITOR", format!("sh '{}'", path.display()));
    }
    let mut session = Session::start_in(home, command, (80, 24));
    session.wait_text("93.75 %");
    session.send("3");
    session.wait_text("W-comp 4.00x");
    session
}

/// The file that the editor works on.
fn edited(session: &Session) -> PathBuf {
    session.home.path().join("projects/demo/plan-edited.toml")
}

fn leave(mut session: Session) {
    session.wait("the alternate screen", vt100::Screen::alternate_screen);
    session.send("q");
    assert_eq!(session.end(), 0);
}

#[test]
fn a_right_text_is_taken_over_and_undone_at_once() {
    let mut session = session(Some("sed -i 's/weight_bits = 8/weight_bits = 4/' \"$1\""));
    session.send("e");
    session.wait_text("W-comp 8.00x");
    assert!(!edited(&session).exists());
    session.send("u");
    session.wait_text("W-comp 4.00x");
    leave(session);
}

#[test]
fn a_text_that_is_no_plan_is_opened_again_as_it_was_left() {
    let script = "if grep -q 'weight_bits = 9' \"$1\"\n\
                  then sed -i 's/weight_bits = 9/weight_bits = 2/' \"$1\"\n\
                  else sed -i 's/weight_bits = 8/weight_bits = 9/' \"$1\"\nfi";
    let mut session = session(Some(script));
    session.send("e");
    session.wait_text("The text is no plan");
    session.wait_text("line ");
    assert!(edited(&session).exists());
    session.send("e");
    session.wait_text("W-comp 16.00x");
    assert!(!edited(&session).exists());
    leave(session);
}

#[test]
fn an_untouched_text_changes_nothing() {
    let mut session = session(Some("true"));
    session.send("e");
    session.wait_text("the plan is as it was");
    session.send("u");
    session.wait_text("nothing to undo");
    leave(session);
}

#[test]
fn an_editor_that_fails_is_told_and_the_text_is_not_lost() {
    let script = "echo '# mine' >> \"$1\"; exit $(grep -c mine \"$1\")";
    let mut session = session(Some(script));
    for code in 1..4 {
        session.send("e");
        session.wait_text(&format!("exit code {code}"));
        session.wait_text("again with e");
    }
    leave(session);
}

#[test]
fn an_interrupt_of_the_editor_leaves_the_application_alone() {
    let mut session = session(Some("echo 'the editor waits'; exec sleep 600"));
    session.send("e");
    session.wait_text("the editor waits");
    session.send("\u{3}");
    session.wait_text("the plan is as it was");
    leave(session);
}

#[test]
fn without_an_editor_it_says_how_to_name_one() {
    let mut session = session(None);
    session.send("e");
    session.wait_text("no editor is named; set EDITOR");
    leave(session);
}
