//! Every screen and every window as text, in every state and at both usual sizes: one file each, to
//! be read as a user would. A frame that looks like the one of an earlier state is only named.

use std::fmt::Write as _;
use std::sync::LazyLock;

use hawqeye::app::project::Stored;
use hawqeye::app::state::overlay::Overlay;
use hawqeye::app::state::{Screen, Themes};
use hawqeye::app::symbols::Symbols;
use hawqeye::app::theme::EMBEDDED;

use crate::bench::Bench;
use crate::fake::{Fake, Trouble};
use crate::projects::projects;
use crate::views::{draw, text, theme};

/// Sizes of a terminal.
const SIZES: [(u16, u16); 2] = [(80, 24), (120, 40)];
/// A network with many layers; made once, because choosing their bits takes a while.
static HUNDREDS: LazyLock<Bench> = LazyLock::new(|| many(200));

/// How far things are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Nothing is loaded yet.
    Empty,
    /// The work that the screen is about goes on.
    Running,
    /// That work is done, on every screen.
    Done,
    /// That work failed.
    Failed,
    /// Nothing that was measured is a number.
    NotFinite,
    /// Everything is done, on a network of many layers.
    Many,
}

impl Stage {
    const ALL: [Self; 6] = [
        Self::Empty,
        Self::Running,
        Self::Done,
        Self::Failed,
        Self::NotFinite,
        Self::Many,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::NotFinite => "not finite",
            Self::Many => "200 layers",
        }
    }

    /// As it is on a screen.
    fn bench(self, screen: Screen) -> Bench {
        let mut bench = match self {
            Self::Empty => Bench::empty(Trouble::None, Stored::default()),
            Self::Running => running(screen),
            Self::Done => finished(Bench::planned()),
            Self::Failed => failed(screen),
            Self::NotFinite => {
                let bench = Bench::empty(Trouble::NotFinite, Stored::default());
                finished(bench.load().analyse())
            }
            Self::Many => HUNDREDS.clone(),
        };
        bench.state.themes = Themes {
            names: EMBEDDED
                .iter()
                .map(|(name, _)| (*name).to_owned())
                .collect(),
            shown: "terminal".into(),
        };
        go(&mut bench, screen);
        bench
    }
}

/// A network of many layers with everything done, in the middle of its lists.
pub fn many(layers: usize) -> Bench {
    let engine = Fake {
        layers,
        ..Fake::default()
    };
    let mut bench = Bench::over(engine, Stored::default())
        .load()
        .analyse()
        .plan();
    bench.keys("4 + + + + + + + + + + + + + + + + + + + +");
    let mut bench = finished(bench);
    bench.keys("2 page-down page-down page-down 5");
    bench
}

fn go(bench: &mut Bench, screen: Screen) {
    let digit = 1 + Screen::ALL
        .iter()
        .position(|other| *other == screen)
        .unwrap();
    bench.keys(&digit.to_string());
}

/// Fine-tuned and exported.
fn finished(mut bench: Bench) -> Bench {
    bench.keys("4 enter").work();
    bench.keys("5 enter").work();
    bench.wait(60).work();
    bench
}

/// Everything is there for the work that a screen is about.
fn ready(screen: Screen) -> Bench {
    match screen {
        Screen::Model | Screen::Sensitivity => Bench::loaded(),
        Screen::Bits => Bench::analysed(),
        Screen::Tune => Bench::planned(),
        Screen::Export => {
            let mut bench = Bench::planned();
            bench.keys("4 enter").work();
            bench
        }
    }
}

/// The work that a screen is about goes on.
fn running(screen: Screen) -> Bench {
    if screen == Screen::Model {
        let mut bench = Bench::empty(Trouble::None, Stored::default());
        bench.next_job();
        return bench;
    }
    let mut bench = ready(screen);
    bench.keys(match screen {
        Screen::Bits => "3 a enter",
        Screen::Tune => "4 + enter",
        Screen::Export => "5 enter",
        _ => "2 enter",
    });
    if screen == Screen::Bits {
        bench.work();
        bench.wait(1);
    }
    bench.begin_next(if screen == Screen::Tune { 40 } else { 15 });
    bench
}

/// The work that a screen is about failed.
fn failed(screen: Screen) -> Bench {
    if screen == Screen::Model {
        let mut bench = Bench::empty(Trouble::Open, Stored::default());
        bench.work();
        return bench;
    }
    let mut bench = ready(screen);
    bench.engine.trouble = Trouble::Work;
    bench.keys(match screen {
        Screen::Bits => "3 a enter",
        Screen::Tune => "4 enter",
        Screen::Export => "5 enter",
        _ => "2 enter",
    });
    bench.work();
    bench.wait(1).work();
    bench
}

/// What is done to every stage; nothing, to show whole screens.
type Act<'a> = Option<&'a dyn Fn(&mut Bench)>;

/// A snapshot of what an act makes of every stage, all in one file: whole screens without one, and
/// the rows that it changes elsewhere.
fn snapshot(name: &str, screen: Screen, act: Act) {
    let theme = theme("terminal", Symbols::UNICODE);
    let before = Stage::ALL.map(|stage| (stage, stage.bench(screen)));
    let mut all = String::new();
    for size in SIZES {
        let mut seen: Vec<(Stage, String)> = Vec::new();
        for (stage, bench) in &before {
            let mut shown = text(&draw(bench, size, &theme));
            if let Some(act) = act {
                let mut bench = bench.clone();
                act(&mut bench);
                shown = changed(&shown, &text(&draw(&bench, size, &theme)));
            }
            let known = seen.iter().find(|(_, other)| *other == shown);
            let known = known.map(|(stage, _)| format!("(as {})", stage.name()));
            let title = format!("==== {}, {}x{} ", stage.name(), size.0, size.1);
            let frame = known.as_ref().unwrap_or(&shown);
            let _ = writeln!(all, "{title:=<width$}\n{frame}\n", width = size.0 as usize);
            seen.push((*stage, shown));
        }
    }
    insta::assert_snapshot!(name, all);
}

/// Presses keys, types a text, and answers a window that asks which projects there are.
fn press(bench: &mut Bench, (keys, typed): (&str, &str)) {
    bench.keys(keys).text(typed);
    if let Some(Overlay::Projects { found, .. }) = bench.state.overlays.last_mut() {
        *found = Some(projects());
    }
}

/// The rows of a frame that are not as they were before.
fn changed(before: &str, after: &str) -> String {
    let rows = before.split('\n').zip(after.split('\n'));
    let mut shown: Vec<&str> = rows
        .map(|(before, after)| if before == after { "⋮" } else { after })
        .collect();
    shown.dedup_by(|a, b| a == b && *a == "⋮");
    shown.join("\n")
}

macro_rules! gallery {
    ($($name:ident $screen:ident $keys:literal $typed:literal)*) => {
        $(
            #[test]
            fn $name() {
                let press = |bench: &mut Bench| press(bench, ($keys, $typed));
                let act = (!$keys.is_empty()).then_some(&press as &dyn Fn(&mut Bench));
                snapshot(stringify!($name), Screen::$screen, act);
            }
        )*
    };
}

// Name, screen, the keys that open it, and what is typed then.
gallery! {
    screen_model Model "" ""
    screen_sensitivity Sensitivity "" ""
    screen_bits Bits "" ""
    screen_tune Tune "" ""
    screen_export Export "" ""
    window_help Bits "?" ""
    window_help_search Sensitivity "?" "measure"
    window_palette Model ":" ""
    window_palette_search Bits ":" "alloc"
    window_log Tune "L" ""
    window_budget Bits "a down down" ""
    window_themes Export "ctrl-t down" ""
    window_confirm Model "A" ""
    window_quit Tune "q" ""
    window_plans Bits "c" ""
    window_projects Model "ctrl-o" ""
    window_open Model "ctrl-n" ""
    plans_compared Bits "c down enter" ""
    list_of_runs Tune "a" ""
    runs_compared Tune "a m c" ""
    line_filter Sensitivity "/" "conv2"
    line_pattern Bits "*" "layer?.*.conv1"
    line_path Export "p" ""
    line_note Tune "n" "the last layer is what hurts"
    line_rate Tune "R" ""
    line_other_plan Bits "c end enter" "plans/other.toml"
    prefix_b Bits "b" ""
    prefix_v Sensitivity "v" ""
    prefix_g Bits "g" ""
}

/// The editor was left with a text that is no plan.
#[test]
fn window_edit_again() {
    let ask = |bench: &mut Bench| {
        bench.state.overlays.push(Overlay::EditAgain {
            problem: "line 7: weight_bits 9: expected 2 to 8, or 32 for float".into(),
        });
    };
    snapshot("window_edit_again", Screen::Bits, Some(&ask));
}

/// Answers to what cannot be done.
#[test]
fn refused_lines() {
    let theme = theme("terminal", Symbols::UNICODE);
    let mut all = String::new();
    for (screen, open, typed) in [
        (Screen::Bits, "a", "1000x"),
        (Screen::Bits, "a", "much"),
        (Screen::Bits, "/", "attention"),
        (Screen::Bits, "*", "attention.*"),
        (Screen::Export, "p ctrl-u", " "),
    ] {
        for size in SIZES {
            let mut bench = Stage::Done.bench(screen);
            let before = text(&draw(&bench, size, &theme));
            bench.keys(open).text(typed).keys("enter");
            let title = format!("==== {open} {typed}, {}x{} ", size.0, size.1);
            let shown = changed(&before, &text(&draw(&bench, size, &theme)));
            let _ = writeln!(all, "{title:=<width$}\n{shown}\n", width = size.0 as usize);
        }
    }
    insta::assert_snapshot!(all);
}
