//! The real program on terminals of every kind: sizes, colours, the mouse, and a crash of the screen.

use hawqeye::app::term::Guard;
use portable_pty::CommandBuilder;

use crate::pty::{Session, this_test};

const PROGRAM: &str = env!("CARGO_BIN_EXE_hawqeye");

fn program(size: (u16, u16), env: &[(&str, &str)]) -> Session {
    let mut command = CommandBuilder::new(PROGRAM);
    command.env_remove("NO_COLOR");
    command.env_remove("COLORTERM");
    Session::start_with(command, size, env)
}

fn colours(screen: &vt100::Screen) -> Vec<vt100::Color> {
    let (rows, columns) = screen.size();
    let (rows, columns) = (rows.get(), columns.get());
    let cells = (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column)));
    let cells = cells.filter_map(|(row, column)| screen.cell(row, column));
    cells
        .flat_map(|cell| [cell.fgcolor(), cell.bgcolor()])
        .collect()
}

#[test]
fn bits_are_edited_and_the_edit_is_undone() {
    let mut session = program((80, 24), &[]);
    session.wait_text("94.63 %");
    session.send("3Gk");
    session.wait_text("W-comp 4.00x");
    session.send("b2");
    session.wait("fewer bits in all", |screen| {
        let text = screen.contents();
        text.contains("W-comp") && !text.contains("W-comp 4.00x")
    });
    session.send("u");
    session.wait_text("W-comp 4.00x");
    session.send("q");
    assert_eq!(session.end(), 0);
}

#[test]
fn tiny_and_huge_terminals_show_the_screens() {
    for (columns, rows) in [(40, 12), (300, 100)] {
        let mut session = program((columns, rows), &[]);
        for key in ["1", "2", "3", "4", "5"] {
            session.send(key);
            session.wait("the footer in the last row", |screen| {
                let last = screen.contents_between(rows - 1, 0, rows - 1, columns);
                last.contains("quit")
            });
        }
        session.send("q");
        assert_eq!(session.end(), 0, "{columns}x{rows}");
    }
}

#[test]
fn a_storm_of_sizes_ends_with_a_right_frame() {
    let mut session = program((80, 24), &[]);
    session.wait_text("1 Model");
    for step in 0..200u16 {
        session.resize(20 + step * 37 % 180, 5 + step * 13 % 60);
        if step % 10 == 0 {
            session.send(["2", "3", "4"][step as usize / 10 % 3]);
        }
    }
    session.resize(100, 30);
    session.send("3");
    session.wait("the bit table over a footer in the last row", |screen| {
        let last = screen.contents_between(29, 0, 29, 100);
        last.contains("quit") && screen.contents().contains("This plan")
    });
    session.send("q");
    assert_eq!(session.end(), 0);
}

#[test]
fn sixteen_colours_are_enough() {
    let mut session = program((80, 24), &[("TERM", "xterm"), ("COLORTERM", "")]);
    session.wait_text("94.63 %");
    session.send("3");
    session.wait_text("layer1.0.conv1");
    session.wait("sixteen colours at most", |screen| {
        colours(screen).iter().all(|colour| match colour {
            vt100::Color::Default => true,
            vt100::Color::Idx(index) => *index < 16,
            vt100::Color::Rgb(..) => false,
        })
    });
    session.send("q");
    assert_eq!(session.end(), 0);
}

#[test]
fn clicks_open_tabs_and_the_mouse_is_given_back() {
    let mut session = program((80, 24), &[]);
    session.wait_text("94.63 %");
    session.wait("the mouse", |screen| {
        screen.mouse_protocol_mode() != vt100::MouseProtocolMode::None
    });
    // The left button on "3 Bits" in the second row.
    session.send("\u{1b}[<0;28;2M\u{1b}[<0;28;2m");
    session.wait_text("This plan");
    session.send("M");
    session.wait("no mouse", |screen| {
        screen.mouse_protocol_mode() == vt100::MouseProtocolMode::None
    });
    session.send("q");
    assert_eq!(session.end(), 0);
}

#[test]
fn thousands_of_keys_at_once_are_all_read() {
    let mut session = Session::fake("none");
    session.wait_text("93.75 %");
    let text = "x".repeat(3000);
    session.send(&format!("3/{text}\r"));
    session.wait_text("no layer matches");
    session.send("\u{1b}[27uq");
    assert_eq!(session.end(), 0);
}

#[test]
fn a_panic_of_the_screen_restores_the_terminal_before_it_is_told() {
    let command = this_test("terminal::panics");
    let session = Session::start_with(command, (80, 24), &[]);
    session.wait_text("the screen broke");
    session.wait("the main screen", |screen| !screen.alternate_screen());
    assert_eq!(session.end(), 101);
}

/// What the last test runs.
#[test]
#[ignore = "started by another test, in a terminal of its own"]
fn panics() {
    let (_guard, mut terminal) = Guard::enter().unwrap();
    terminal
        .draw(|frame| frame.render_widget("drawn", frame.area()))
        .unwrap();
    panic!("the screen broke");
}

#[test]
fn output_that_is_no_terminal_is_refused() {
    let run = std::process::Command::new(PROGRAM).output().unwrap();
    assert_eq!(run.status.code(), Some(2));
    assert!(
        String::from_utf8(run.stderr)
            .unwrap()
            .contains("must be a terminal")
    );
}

#[test]
fn the_line_between_the_panes_of_sensitivity_is_dragged() {
    let heading = |row: u16| {
        move |screen: &vt100::Screen| screen.contents_between(row, 0, row, 80).contains("conv1 ─")
    };
    let mut session = Session::fake("");
    session.wait_text("93.75 %");
    session.send("2");
    session.wait("the closer look below the list", heading(13));
    session.send("\u{1b}[<0;40;14M\u{1b}[<32;40;12M\u{1b}[<32;40;10M\u{1b}[<0;40;10m");
    session.wait("the closer look where it was dragged", heading(9));
    session.send("q");
    assert_eq!(session.end(), 0);
}
