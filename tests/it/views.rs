//! Whole screens at unusual sizes, and that no size can break them; the usual ones are in the
//! gallery.

use hawqeye::app::project::Stored;
use hawqeye::app::state::Level;
use hawqeye::app::symbols::Symbols;
use hawqeye::app::theme::{Depth, MONO, Theme};
use hawqeye::app::view;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::style::Modifier;

use crate::bench::Bench;
use crate::fake::Trouble;

#[expect(clippy::large_types_passed_by_value, reason = "constants")]
pub fn theme(name: &str, symbols: Symbols) -> Theme {
    Theme::embedded(name, Depth::Sixteen, symbols).unwrap()
}

pub fn draw(bench: &Bench, (width, height): (u16, u16), theme: &Theme) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal
        .draw(|frame| drop(view::frame(frame, &bench.state, theme)))
        .unwrap();
    terminal.backend().buffer().clone()
}

pub fn text(buffer: &Buffer) -> String {
    let width = buffer.area.width as usize;
    let rows = buffer.content.chunks(width);
    let row = |cells: &[ratatui::buffer::Cell]| {
        let text: String = cells.iter().map(ratatui::buffer::Cell::symbol).collect();
        text.trim_end().to_owned()
    };
    rows.map(row).collect::<Vec<_>>().join("\n")
}

/// A state for each row of the table: name, and how to get there.
fn states() -> Vec<(&'static str, Bench)> {
    let mut states = vec![
        ("empty", Bench::empty(Trouble::None, Stored::default())),
        ("loaded", Bench::loaded()),
        ("analysed", Bench::analysed()),
        ("planned", Bench::planned()),
    ];
    let mut failed = Bench::empty(Trouble::Open, Stored::default());
    failed.work();
    failed.wait(60);
    states.push(("failed", failed));
    let mut running = Bench::loaded();
    running.keys("a");
    let (job, task) = running.started().remove(0);
    running.begin(job, &task, 15);
    states.push(("running", running));
    let mut tuning = Bench::planned();
    tuning.keys("4 + enter");
    let (job, task) = tuning.started().remove(0);
    tuning.begin(job, &task, 40);
    states.push(("tuning", tuning));
    let mut done = Bench::planned();
    done.keys("4 enter").work();
    done.keys("5 enter").work();
    done.wait(60);
    states.push(("done", done));
    states
}

fn find(name: &str) -> Bench {
    states()
        .into_iter()
        .find(|(known, _)| *known == name)
        .unwrap()
        .1
}

#[test]
fn a_pending_prefix_and_a_filter_are_told() {
    let theme = theme("terminal", Symbols::UNICODE);
    let mut bench = Bench::analysed();
    bench.keys("3 b").wait(1);
    insta::assert_snapshot!("which-key", text(&draw(&bench, (80, 24), &theme)));
    bench.keys("esc /").text("layer1").keys("enter");
    bench.keys("/ ctrl-u").text("conv2");
    insta::assert_snapshot!("filtered", text(&draw(&bench, (80, 24), &theme)));
}

#[test]
fn a_long_notice_is_shown_to_its_end() {
    let theme = theme("terminal", Symbols::UNICODE);
    let mut bench = Bench::planned();
    let path = "a/folder/".repeat(20);
    bench.state.notify(
        Level::Bad,
        format!("export: cannot write {path}x: the disk is full"),
    );
    for size in [(80, 24), (120, 40)] {
        let shown = text(&draw(&bench, size, &theme));
        assert!(shown.contains("disk is full"), "{shown}");
        assert!(
            shown.contains("q quit") && shown.contains("This plan"),
            "{shown}"
        );
    }
}

#[test]
fn what_an_analysis_takes_and_which_device_are_told_to_the_end() {
    let theme = theme("terminal", Symbols::UNICODE);
    let mut bench = Bench::analysed();
    bench.keys("1");
    let words = |size| {
        let shown = text(&draw(&bench, size, &theme));
        shown.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    for size in [(60, 30), (80, 24)] {
        let shown = words(size);
        assert!(shown.contains("all layers by rows"), "{shown}");
        assert!(shown.contains("expected 93.75 %; loss 0.250"), "{shown}");
        assert!(shown.contains("fashion-mnist · cpu"), "{shown}");
    }
}

#[test]
fn a_tiny_terminal_still_shows_the_screen_and_the_way_out() {
    let theme = theme(MONO, Symbols::ASCII);
    for screen in ["1", "2", "3", "4", "5"] {
        let mut bench = find("done");
        bench.keys(screen);
        let shown = text(&draw(&bench, (40, 12), &theme));
        assert!(shown.contains("q quit"), "{shown}");
        assert!(shown.is_ascii(), "{shown}");
        insta::assert_snapshot!(format!("tiny-screen{screen}"), shown);
    }
}

#[test]
fn no_size_and_no_number_breaks_a_screen() {
    let mut all = states();
    let mut wrong = Bench::empty(Trouble::NotFinite, Stored::default());
    wrong.work();
    wrong.keys("a").work();
    all.push(("not finite", wrong));
    let sizes = [
        (1, 1),
        (2, 30),
        (7, 3),
        (16, 5),
        (30, 8),
        (39, 11),
        (60, 16),
        (97, 17),
        (200, 60),
        (300, 2),
    ];
    let themes = [
        theme("terminal", Symbols::UNICODE),
        theme(MONO, Symbols::ASCII),
    ];
    for (_, bench) in &mut all {
        for keys in [
            "1", "2", "3", "4", "5", "?", "esc", ":", "esc", "L", "esc", "3 a",
        ] {
            bench.keys(keys);
            for size in sizes {
                for theme in &themes {
                    draw(bench, size, theme);
                }
            }
        }
    }
}

#[test]
fn the_selected_row_is_reversed_whatever_the_theme() {
    let mut bench = Bench::planned();
    bench.keys("3 j j");
    for name in ["terminal", MONO] {
        let buffer = draw(&bench, (80, 24), &theme(name, Symbols::UNICODE));
        let row = text(&buffer)
            .lines()
            .position(|line| line.contains("▸  layer1.0.conv2"))
            .unwrap();
        let cell = &buffer[(8, row as u16)];
        assert!(cell.modifier.contains(Modifier::REVERSED), "{name}");
        let other = &buffer[(8, row as u16 + 1)];
        assert!(!other.modifier.contains(Modifier::REVERSED), "{name}");
    }
}

#[test]
fn without_colours_no_cell_has_one() {
    for (_, mut bench) in states() {
        for screen in ["1", "2", "3", "4", "5"] {
            bench.keys(screen);
            let buffer = draw(&bench, (120, 40), &theme(MONO, Symbols::UNICODE));
            let reset = ratatui::style::Color::Reset;
            assert!(
                buffer
                    .content
                    .iter()
                    .all(|cell| cell.fg == reset && cell.bg == reset)
            );
        }
    }
}
