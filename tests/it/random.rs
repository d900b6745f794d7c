//! Thousands of random keys, gestures and sizes: nothing panics, and everything can be undone.

use std::time::Duration;

use hawqeye::app::key::{Key, KeyCode};
use hawqeye::app::msg::{Gesture, Msg};
use hawqeye::app::state::State;
use hawqeye::app::symbols::Symbols;
use hawqeye::app::theme::{Depth, Library, Theme};
use hawqeye::app::view::{self, Hits};
use ratatui::Terminal;
use ratatui::backend::TestBackend;

use crate::bench::Bench;

/// What the mouse does.
const GESTURES: [Gesture; 5] = [
    Gesture::Click,
    Gesture::Drag,
    Gesture::Release,
    Gesture::WheelUp,
    Gesture::WheelDown,
];
/// Events of a seed.
const EVENTS: usize = 10_000;
/// Events between two frames that are drawn.
const DRAWN_EVERY: usize = 7;

/// Numbers by chance from a seed (SplitMix64).
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % end as u64) as usize
    }

    fn key(&mut self) -> Key {
        use KeyCode as K;
        const NAMED: [KeyCode; 13] = [
            K::Enter,
            K::Esc,
            K::Tab,
            K::BackTab,
            K::Backspace,
            K::Up,
            K::Down,
            K::Left,
            K::Right,
            K::Home,
            K::End,
            K::PageUp,
            K::PageDown,
        ];
        let code = match self.below(3) {
            0 => NAMED[self.below(NAMED.len())],
            _ => K::Char(char::from(b' ' + self.below(95) as u8)),
        };
        let ctrl = self.below(12) == 0;
        Key {
            ctrl,
            ..Key::plain(code)
        }
    }
}

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
    let mut chance = Chance(seed);
    let mut bench = Bench::analysed();
    let first = bench.state.bits.plan.clone();
    let themes: Vec<Theme> = ["terminal", "mono"]
        .into_iter()
        .zip([Symbols::UNICODE, Symbols::ASCII])
        .map(|(name, symbols)| Library::default().load(name, Depth::True, symbols).unwrap())
        .collect();
    let (mut hits, mut size) = (Hits::default(), (80, 24));
    for event in 0..EVENTS {
        let message = match chance.below(20) {
            0 => {
                size = (1 + chance.below(200) as u16, 1 + chance.below(70) as u16);
                Msg::Resize
            }
            1..4 => {
                let gesture = GESTURES[chance.below(GESTURES.len())];
                let (x, y) = (chance.below(size.0 as usize), chance.below(size.1 as usize));
                let target = match gesture {
                    Gesture::Drag => hits.dragged(x as u16, y as u16),
                    _ => hits.at(x as u16, y as u16),
                };
                Msg::Mouse { gesture, target }
            }
            4 => Msg::Paste("layer1.*\n\u{7}7x".into()),
            5 => Msg::Clock(bench.state.now + Duration::from_millis(chance.below(3000) as u64)),
            _ => Msg::Key(chance.key()),
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
    while bench.state.bits.can_undo() {
        bench.state.bits.undo();
    }
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
