//! Closer looks at layers as text, at both usual sizes and in every state.

use hawqeye::app::jobs::{JobMessage, Task};
use hawqeye::app::msg::Msg;
use hawqeye::app::project::Stored;
use hawqeye::app::symbols::Symbols;
use hawqeye::app::theme::{Depth, MONO, Theme};
use hawqeye::engine::hessian::sensitivity::LayerSensitivity;

use crate::bench::Bench;
use crate::fake::{self, Trouble};
use crate::views::{draw, text, theme};

fn snapshots(name: &str, bench: &Bench) {
    let theme = theme("terminal", Symbols::UNICODE);
    for size in [(80, 24), (120, 40)] {
        let name = format!("{name}-{}x{}", size.0, size.1);
        insta::assert_snapshot!(name, text(&draw(bench, size, &theme)));
    }
}

#[test]
fn views_before_anything_is_computed() {
    for (name, keys) in [("spectrum", "2 v s"), ("landscape", "2 v l")] {
        let mut bench = Bench::analysed();
        bench.keys(keys);
        snapshots(&format!("detail-{name}-empty"), &bench);
    }
    let mut bench = Bench::loaded();
    bench.keys("2 v c");
    snapshots("detail-convergence-empty", &bench);
    bench.keys("C");
    snapshots("detail-compare-empty", &bench);
}

#[test]
fn views_with_everything_computed() {
    for (name, keys) in [
        ("spectrum", "2 v s c"),
        ("landscape", "2 v l c"),
        ("weights", "3 b 3 2 v w"),
    ] {
        let mut bench = Bench::analysed();
        bench.keys(keys).work();
        bench.wait(30).work();
        snapshots(&format!("detail-{name}-done"), &bench);
    }
    let mut bench = Bench::analysed();
    bench.keys("2 j r").work();
    bench.wait(30);
    bench.keys("v c");
    snapshots("detail-convergence-done", &bench);
    bench.keys("C");
    snapshots("detail-compare-done", &bench);
    bench.keys("v o");
    snapshots("detail-remeasured", &bench);
}

#[test]
fn views_while_work_goes_on_and_when_it_failed() {
    let mut bench = Bench::analysed();
    bench.keys("2 v l c");
    let (job, task) = bench.started().remove(0);
    bench.begin(job, &task, 18);
    snapshots("detail-landscape-running", &bench);
    let mut bench = Bench::analysed();
    bench.engine.trouble = Trouble::Detail;
    bench.keys("2 v s c").work();
    bench.wait(60);
    snapshots("detail-spectrum-failed", &bench);
    let mut bench = Bench::loaded();
    bench.keys("a");
    let (job, task) = bench.started().remove(0);
    bench.begin(job, &task, 15);
    bench.keys("v c f");
    bench.wait(5);
    snapshots("detail-frozen", &bench);
}

/// A network of 200 layers that are all measured.
fn many() -> Bench {
    let mut inputs = fake::inputs();
    let layer = |index: usize| LayerSensitivity {
        layer: format!("stage{}.{}.conv", index / 20, index % 20).into(),
        ..fake::measured(index % 6)
    };
    inputs.layers = (0..200).map(layer).collect();
    for (index, layer) in inputs.layers.iter_mut().enumerate() {
        layer.eigenvalue = Some(10f64.powf(-(index as f64) / 40.0));
        layer.trace = Some(((index * 37) % 200) as f64 + 1.0);
    }
    let mut bench = Bench::empty(Trouble::None, Stored::default());
    let (job, _): (_, Task) = bench.started().remove(0);
    let result = Ok(hawqeye::app::jobs::Done::Opened(Box::new(inputs)));
    bench.send(Msg::Job(JobMessage::Ended { job, result }));
    bench.started();
    bench
}

#[test]
fn two_hundred_layers_are_scrolled_through() {
    let mut bench = many();
    bench.keys("2 page-down page-down page-down v c");
    snapshots("detail-many", &bench);
    bench.keys("C");
    snapshots("detail-many-compare", &bench);
}

#[test]
fn in_ascii_and_without_colours_every_view_says_the_same() {
    let theme = Theme::embedded(MONO, Depth::Sixteen, Symbols::ASCII).unwrap();
    let mut bench = Bench::analysed();
    bench.keys("3 b 3 2 v s c").work();
    bench.keys("v l c").work();
    bench.keys("v w").work();
    for (name, keys) in [
        ("spectrum", "v s"),
        ("landscape", "v l"),
        ("weights", "v w"),
        ("convergence", "v c"),
        ("compare", "C"),
    ] {
        bench.keys(keys);
        let shown = text(&draw(&bench, (80, 24), &theme));
        assert!(shown.is_ascii(), "{shown}");
        insta::assert_snapshot!(format!("detail-{name}-ascii"), shown);
        let shown = text(&draw(&bench, (40, 12), &theme));
        assert!(shown.is_ascii() && shown.contains("q quit"), "{shown}");
        insta::assert_snapshot!(format!("detail-{name}-tiny"), shown);
    }
}

#[test]
fn no_size_and_no_number_breaks_a_view() {
    let mut wrong = Bench::empty(Trouble::NotFinite, Stored::default());
    wrong.work();
    wrong.keys("a").work();
    wrong.keys("2 v s c").work();
    wrong.keys("v l c").work();
    let mut right = Bench::analysed();
    right.keys("2 v s c").work();
    right.keys("v l c").work();
    right.keys("v w").work();
    let sizes = [
        (1, 1),
        (2, 30),
        (7, 3),
        (16, 5),
        (30, 8),
        (39, 11),
        (40, 12),
        (60, 16),
        (97, 17),
        (200, 60),
        (300, 2),
        (300, 100),
    ];
    let themes = [
        theme("terminal", Symbols::UNICODE),
        theme(MONO, Symbols::ASCII),
    ];
    for mut bench in [wrong, right, many()] {
        for keys in ["v s", "v l", "v w", "v c", "v o", "C", "C", "f", "f"] {
            bench.keys(keys).work();
            for size in sizes {
                themes
                    .iter()
                    .for_each(|theme| drop(draw(&bench, size, theme)));
            }
        }
    }
}
