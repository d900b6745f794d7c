//! The plan in the user's editor: what becomes of the text, and the real loop in a real terminal
//! with a shell script as editor.

use std::path::PathBuf;
use std::sync::Arc;

use hawqeye::app::effect::Effect;
use hawqeye::app::msg::Msg;
use hawqeye::app::state::overlay::Overlay;
use hawqeye::app::symbols::Symbols;

use crate::bench::Bench;
use crate::pty::{Session, this_test};
use crate::views::{draw, text, theme};

fn last_notice(bench: &Bench) -> &str {
    &bench.state.log.back().unwrap().text
}

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

#[test]
fn an_edited_text_is_one_change_and_one_that_is_no_plan_is_kept() {
    let mut bench = Bench::planned();
    bench.keys("e");
    let given = |bench: &mut Bench| {
        let asked = bench.asked.drain(..).find_map(|effect| match effect {
            Effect::EditPlan(text) => Some(text),
            _ => None,
        });
        asked.unwrap()
    };
    let before = bench.bits();
    let first = given(&mut bench);
    assert!(first.starts_with('#') && first.contains("hawqeye/plan"));
    let back = |bench: &mut Bench, text: &str| {
        let (text, ended) = (text.to_owned(), Ok(()));
        bench.send(Msg::Edited { text, ended });
    };
    // As it was.
    back(&mut bench, &first);
    assert!(last_notice(&bench).contains("as it was"));
    assert_eq!(bench.asked, [Effect::DropEdited]);
    // With a mistake: the same text is given again.
    let wrong = first.replacen("weight_bits = ", "weight_bits = 9", 1);
    bench.keys("e");
    back(&mut bench, &wrong);
    assert!(matches!(
        bench.state.overlays.last(),
        Some(Overlay::EditAgain { .. })
    ));
    let theme = theme("terminal", Symbols::UNICODE);
    insta::assert_snapshot!("edit-again", text(&draw(&bench, (80, 24), &theme)));
    bench.asked.clear();
    bench.keys("enter");
    assert_eq!(given(&mut bench), wrong);
    back(&mut bench, &wrong);
    bench.keys("k e");
    assert_eq!(given(&mut bench), wrong);
    // Mended: one change.
    let right = first.replace("activation_bits = 8", "activation_bits = 5");
    back(&mut bench, &right);
    let plan = bench.state.bits.plan.clone().unwrap();
    assert!(
        plan.layers
            .iter()
            .skip(1)
            .all(|row| row.activation_bits.get() == 5)
    );
    assert!(bench.asked.contains(&Effect::DropEdited));
    bench.keys("u");
    let plan = bench.state.bits.plan.clone().unwrap();
    assert!(plan.layers.iter().all(|row| row.activation_bits.get() == 8));
    assert_eq!(bench.bits(), before);
}

#[test]
fn an_editor_that_fails_changes_nothing_and_loses_nothing() {
    let mut bench = Bench::planned();
    bench.keys("e");
    let before = bench.bits();
    bench.send(Msg::Edited {
        text: "half a plan".into(),
        ended: Err("the editor vi ended with exit code 1".into()),
    });
    assert!(last_notice(&bench).contains("your text opens again with e"));
    assert_eq!(bench.bits(), before);
    bench.asked.clear();
    bench.keys("e");
    assert_eq!(bench.asked, [Effect::EditPlan("half a plan".into())]);
}
