//! The mouse, through what the last frame drew; and the clipboard.

use hawqeye::app::command::Command;
use hawqeye::app::effect::Effect;
use hawqeye::app::msg::{Gesture, Msg, Target};
use hawqeye::app::state::Screen;
use hawqeye::app::state::bits::Column;
use hawqeye::app::state::overlay::Overlay;
use hawqeye::app::symbols::Symbols;
use hawqeye::app::theme::{Depth, Library, Theme};
use hawqeye::app::view::{self, Hits};
use ratatui::Terminal;
use ratatui::backend::TestBackend;

use crate::bench::Bench;

fn theme() -> Theme {
    let library = Library::default();
    library
        .load("terminal", Depth::True, Symbols::UNICODE)
        .unwrap()
}

/// What the mouse can reach on a screen of 120x40, and its text.
fn drawn(bench: &Bench) -> (Hits, Vec<String>) {
    let mut terminal = Terminal::new(TestBackend::new(120, 40)).unwrap();
    let mut hits = Hits::default();
    let theme = theme();
    terminal
        .draw(|frame| hits = view::frame(frame, &bench.state, &theme))
        .unwrap();
    let buffer = terminal.backend().buffer();
    let row = |y| {
        (0..120)
            .map(|x| buffer[(x, y)].symbol())
            .collect::<String>()
    };
    (hits, (0..40).map(row).collect())
}

/// Where a text is on the screen, in cells.
fn place(rows: &[String], text: &str) -> (u16, u16) {
    let y = rows.iter().position(|row| row.contains(text));
    let y = y.unwrap_or_else(|| panic!("{text} is not on\n{}", rows.join("\n")));
    let x = rows[y].find(text).unwrap();
    (rows[y][..x].chars().count() as u16, y as u16)
}

fn click(bench: &mut Bench, text: &str) -> Option<Target> {
    let (hits, rows) = drawn(bench);
    let (x, y) = place(&rows, text);
    point(bench, Gesture::Click, hits.at(x, y))
}

fn point(bench: &mut Bench, gesture: Gesture, target: Option<Target>) -> Option<Target> {
    bench.send(Msg::Mouse { gesture, target });
    target
}

#[test]
fn a_click_opens_a_tab_selects_a_row_and_does_what_the_footer_says() {
    let mut bench = Bench::analysed();
    click(&mut bench, "3 Bits");
    assert_eq!(bench.state.screen, Screen::Bits);
    assert_eq!(click(&mut bench, "layer2.0.conv1"), Some(Target::Layer(3)));
    assert_eq!(bench.state.layer, 3);
    assert_eq!(
        click(&mut bench, "allocate"),
        Some(Target::Command(Command::Allocate))
    );
    assert!(matches!(
        bench.state.overlays.last(),
        Some(Overlay::Allocate { .. })
    ));
    let row = click(&mut bench, "average-bits");
    assert!(matches!(row, Some(Target::Row(_))), "{row:?}");
    // Beside the window.
    let (hits, _) = drawn(&bench);
    assert_eq!(hits.at(0, 5), None);
    point(&mut bench, Gesture::Click, None);
    assert!(bench.state.overlays.is_empty());
}

#[test]
fn a_click_on_bits_chooses_the_column_too() {
    let mut bench = Bench::analysed();
    bench.keys("3");
    let (hits, _) = drawn(&bench);
    let cells = (0..120).flat_map(|x| (0..40).map(move |y| (x, y)));
    let mut reached = cells.filter_map(|(x, y)| hits.at(x, y));
    let bits = reached.find(|target| *target == Target::Bits(4, Column::Activations));
    point(&mut bench, Gesture::Click, bits);
    assert_eq!(
        (bench.state.layer, bench.state.bits.column),
        (4, Column::Activations)
    );
}

#[test]
fn the_wheel_moves_the_list_and_scrolls_a_window() {
    let mut bench = Bench::analysed();
    bench.keys("3 g g");
    point(&mut bench, Gesture::WheelDown, None);
    assert_eq!(bench.state.layer, 3);
    point(&mut bench, Gesture::WheelUp, None);
    assert_eq!(bench.state.layer, 0);
    bench.keys("?");
    point(&mut bench, Gesture::WheelDown, Some(Target::Window));
    assert!(matches!(
        bench.state.overlays.last(),
        Some(Overlay::Help { scroll: 3, .. })
    ));
}

#[test]
fn answers_can_be_clicked() {
    let mut bench = Bench::loaded();
    bench.keys("a q");
    click(&mut bench, "stay here");
    assert!(bench.state.overlays.is_empty());
    let mut bench = Bench::loaded();
    bench.keys(":").text("fine");
    click(&mut bench, "fine-tune");
    assert!(bench.state.overlays.is_empty());
    assert_eq!(bench.state.screen, Screen::Tune);
}

#[test]
fn the_mouse_is_given_away_and_taken_back() {
    let mut bench = Bench::loaded();
    assert!(bench.state.mouse);
    assert!(!bench.keys("M").state.mouse);
    assert!(bench.keys("M").state.mouse);
}

#[test]
fn a_row_is_copied_as_text_and_its_bits_to_other_rows() {
    let mut bench = Bench::analysed();
    bench.keys("3 g g j b 3 w b 4 y");
    let copied = bench.asked.iter().find_map(|effect| match effect {
        Effect::Copy(text) => Some(text.clone()),
        _ => None,
    });
    let copied = copied.unwrap();
    assert!(copied.starts_with("layer1.0.conv1\t"), "{copied}");
    assert!(copied.contains("\t3\t4\t"), "{copied}");
    bench.keys("j v j P");
    let plan = bench.state.bits.plan.clone().unwrap();
    let bits = |at: usize| {
        (
            plan.layers[at].weight_bits.get(),
            plan.layers[at].activation_bits.get(),
        )
    };
    assert_eq!(
        [bits(1), bits(2), bits(3), bits(4)],
        [(3, 4), (3, 4), (3, 4), (8, 8)]
    );
    bench.keys("u");
    assert_eq!(bench.bits()[2], 8);
}

#[test]
fn the_plan_is_copied_as_its_file() {
    let mut bench = Bench::analysed();
    bench.keys("Y");
    let whole =
        |effect: &Effect| matches!(effect, Effect::Copy(text) if text.contains("hawqeye/plan"));
    assert!(bench.asked.iter().any(whole));
}

#[test]
fn rows_of_sensitivity_are_clicked_and_the_line_between_the_panes_is_dragged() {
    let mut bench = Bench::analysed();
    bench.keys("2");
    let target = click(&mut bench, "layer2.0.conv1");
    assert_eq!((target, bench.state.layer), (Some(Target::Layer(3)), 3));
    let (hits, _) = drawn(&bench);
    let splitter = |hits: &Hits| (0..120).find(|x| hits.at(*x, 20) == Some(Target::Splitter));
    let at = splitter(&hits).unwrap();
    // What is not held is not dragged.
    point(&mut bench, Gesture::Drag, hits.dragged(60, 20));
    assert_eq!(bench.state.list_share, None);
    point(&mut bench, Gesture::Click, hits.at(at, 20));
    for x in [at - 2, 60, 50] {
        point(&mut bench, Gesture::Drag, hits.dragged(x, 20));
        assert!(splitter(&drawn(&bench).0).unwrap().abs_diff(x) <= 2, "{x}");
    }
    point(&mut bench, Gesture::Release, None);
    let share = bench.state.list_share;
    point(&mut bench, Gesture::Drag, hits.dragged(80, 20));
    assert_eq!(bench.state.list_share, share);
    bench.keys("<");
    assert!(bench.state.list_share < share);
    bench.keys("> >");
    assert!(bench.state.list_share > share);
}

#[test]
fn bars_are_right_at_any_share() {
    let mut bench = Bench::analysed();
    bench.keys("2");
    for share in 0..=100 {
        bench.state.list_share = Some(share);
        let (_, rows) = drawn(&bench);
        let row = rows
            .iter()
            .find(|row| row.contains("layer2.0.conv1"))
            .unwrap();
        let lambda = format!("{:.3}", bench.state.analysis.layers[3].eigenvalue.unwrap());
        assert!(row.contains(&lambda[..4]), "{share}: {row}");
    }
}
