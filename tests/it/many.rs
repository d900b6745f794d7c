//! Networks of hundreds of layers, and sessions of thousands of changes: every screen shows them, soon
//! enough, in bounded memory.

use std::time::{Duration, Instant};

use hawqeye::app::state::bits::UNDO;
use hawqeye::app::state::{Level, Screen};
use hawqeye::app::symbols::Symbols;
use hawqeye::app::theme::{Depth, Theme};
use hawqeye::app::view;
use ratatui::Terminal;
use ratatui::backend::TestBackend;

use crate::bench::Bench;
use crate::gallery::many;
use crate::views::{draw, text, theme};

/// Layers of the network.
const LAYERS: usize = 500;
/// Size of the terminal.
const SIZE: (u16, u16) = (200, 60);

#[test]
fn every_screen_shows_five_hundred_layers() {
    let mut bench = many(LAYERS);
    let theme = theme("terminal", Symbols::UNICODE);
    for (key, wanted) in [
        ("1", "500 layers"),
        ("2", "500 of 500 layers"),
        ("2 G", "encoder.layer10.24.conv2"),
        ("3 G", "ayer10.24.conv2"),
        ("4", "Stages 22/22"),
        ("5", "verified"),
    ] {
        let shown = text(&draw(bench.keys(key), SIZE, &theme));
        assert!(shown.contains(wanted), "{key}: {wanted}\n{shown}");
    }
}

#[test]
fn a_long_session_stays_in_bounded_memory() {
    let mut bench = Bench::planned();
    bench.keys("3");
    for change in 0..2 * UNDO {
        bench.keys(if change % 2 == 0 { "b 5" } else { "b 6" });
        bench.state.notify(Level::Info, "once more");
        bench.asked.clear();
        bench.state.fresh.clear();
    }
    assert!(bench.state.log.len() <= 1000);
    let undone = std::iter::from_fn(|| bench.state.bits.undo()).count();
    assert_eq!(undone, UNDO, "as many changes as are kept");
}

/// Prints how long frames take: run it in a release build.
#[test]
#[ignore = "a measurement: cargo test --release --test it frame_times -- --ignored --nocapture"]
fn frame_times() {
    const FRAMES: usize = 1000;
    let theme = Theme::embedded("dark", Depth::True, Symbols::UNICODE).unwrap();
    let mut bench = many(LAYERS);
    let mut terminal = Terminal::new(TestBackend::new(SIZE.0, SIZE.1)).unwrap();
    println!(
        "{LAYERS} layers, {}x{}, {FRAMES} frames, a key before each",
        SIZE.0, SIZE.1
    );
    let views = [("", "overview"), ("v w", "weights"), ("C", "comparison")];
    let screens = Screen::ALL.iter().enumerate();
    let plain = screens.map(|(at, screen)| ((at + 1).to_string(), screen.name().to_owned()));
    let closer = views.map(|(keys, name)| (format!("2 {keys}"), format!("Sensitivity, {name}")));
    for (keys, name) in plain.chain(closer) {
        bench.keys(keys.trim());
        bench.work();
        let mut times: Vec<Duration> = Vec::with_capacity(FRAMES);
        for frame in 0..FRAMES {
            let start = Instant::now();
            bench.keys(if frame % 400 < 200 { "down" } else { "up" });
            terminal
                .draw(|frame| drop(view::frame(frame, &bench.state, &theme)))
                .unwrap();
            times.push(start.elapsed());
        }
        times.sort();
        let at = |share: usize| times[FRAMES * share / 100].as_secs_f64() * 1e3;
        println!(
            "{name:<26} median {:.2} ms, 99 of 100 within {:.2} ms",
            at(50),
            at(99)
        );
    }
}
