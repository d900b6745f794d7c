//! Thousands of random keys, gestures and sizes: nothing panics, and everything can be undone.

use hawqeye::app::msg::Msg;
use hawqeye::app::state::State;
use hawqeye::app::state::bits::UNDO;
use hawqeye::app::symbols::Symbols;
use hawqeye::app::theme::{Depth, Library, Theme};
use hawqeye::app::view::{self, Hits};
use ratatui::Terminal;
use ratatui::backend::TestBackend;

use crate::bench::Bench;
use crate::chance::{Chance, Happening};

/// Events of a seed.
pub const EVENTS: usize = 10_000;
/// Events between two frames that are drawn.
const DRAWN_EVERY: usize = 7;

fn draw(state: &State, theme: &Theme, (columns, rows): (u16, u16)) -> Hits {
    let mut terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
    let mut hits = Hits::default();
    terminal
        .draw(|frame| hits = view::frame(frame, state, theme))
        .unwrap();
    hits
}

/// What must hold whatever is done.
fn check(state: &State) {
    let layers = state.analysis.layers.len();
    assert!(state.layer < layers.max(1), "the cursor is on a layer");
    if let Some(plan) = &state.bits.plan {
        assert_eq!(plan.layers.len(), layers);
        for layer in &plan.layers {
            let bits = [layer.weight_bits, layer.activation_bits];
            assert!(
                bits.iter()
                    .all(|bits| bits.is_float() || (2..=8).contains(&bits.get()))
            );
        }
    }
    let foreground = state
        .running
        .iter()
        .filter(|running| running.kind.is_foreground());
    assert!(foreground.count() <= 1, "one piece of work at a time");
}

fn storm(seed: u64) {
    let mut chance = Chance::new(seed);
    let mut bench = Bench::analysed();
    let first = bench.state.bits.plan.clone();
    let themes: Vec<Theme> = ["terminal", "mono"]
        .into_iter()
        .zip([Symbols::UNICODE, Symbols::ASCII])
        .map(|(name, symbols)| Library::default().load(name, Depth::True, symbols).unwrap())
        .collect();
    let (mut hits, mut size) = (Hits::default(), (80, 24));
    for event in 0..EVENTS {
        let message = match chance.event(size) {
            Happening::Resize(other) => {
                size = other;
                Msg::Resize
            }
            Happening::Point(gesture, (x, y)) => Msg::Mouse {
                gesture,
                target: hits.at(x, y),
            },
            Happening::Paste(text) => Msg::Paste(text.into()),
            Happening::Wait(time) => Msg::Clock(bench.state.now + time),
            Happening::Key(key) => Msg::Key(key),
        };
        bench.send(message);
        if chance.below(4) == 0 {
            bench.work();
        }
        check(&bench.state);
        if event % DRAWN_EVERY == 0 {
            hits = draw(&bench.state, &themes[chance.below(2)], size);
        }
    }
    while !bench.state.overlays.is_empty() {
        bench.keys("esc");
    }
    let mut undone = 0;
    while bench.state.bits.can_undo() {
        bench.state.bits.undo();
        undone += 1;
    }
    assert!(undone < UNDO, "the first change was not forgotten");
    assert_eq!(
        bench.state.bits.plan, first,
        "seed {seed}: undone to the start"
    );
}

#[test]
fn nothing_that_is_typed_or_clicked_breaks_anything() {
    std::thread::scope(|scope| {
        for seed in [1, 2, 3] {
            scope.spawn(move || storm(seed));
        }
    });
}
