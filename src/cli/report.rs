//! Progress of an engine job on stderr: a bar with the time left, JSON lines, or nothing.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::thread;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use super::args::Progress;
use super::stop::Stop;
use super::warnings::Warnings;
use crate::engine::job::{Event, Observer, Phase, Score, Split, Verdict};
use crate::engine::shown::{escaped_json, shown};

/// Redraws a second.
const REFRESH: u8 = 10;

/// Shows the events of a job, and passes on the wish to stop.
#[derive(Debug)]
pub struct Reporter {
    style: Style,
    stop: Stop,
    warnings: Warnings,
    /// Whether it was said that somebody else holds the work.
    held: bool,
}

#[derive(Debug)]
enum Style {
    /// Nothing at all.
    Silent,
    /// Warnings.
    Plain,
    /// A bar, and warnings above it.
    Bar(Bar),
    /// One line for each event.
    Json,
}

/// One bar for each phase: nothing is left of one when the next begins.
#[derive(Debug, Default)]
struct Bar {
    shown: Option<(Phase, ProgressBar)>,
}

impl Reporter {
    /// Shows progress in this way. `quiet` also keeps warnings back.
    #[must_use]
    pub fn new(progress: Progress, quiet: bool, stop: Stop) -> Self {
        let style = match progress {
            Progress::Json => Style::Json,
            _ if quiet => Style::Silent,
            Progress::Auto if is_capable() => Style::Bar(Bar::default()),
            _ => Style::Plain,
        };
        let warnings = Warnings::default();
        Self {
            style,
            stop,
            warnings,
            held: false,
        }
    }

    /// Tells each of these warnings once, and adds its own to them.
    #[must_use]
    pub fn with_warnings(mut self, warnings: Warnings) -> Self {
        self.warnings = warnings;
        self
    }

    fn verdict(&self) -> Verdict {
        if self.stop.is_asked() {
            Verdict::Stop
        } else {
            Verdict::Continue
        }
    }

    /// Whether somebody asked to stop.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.stop.is_asked()
    }

    /// Something the user should know.
    pub fn warn(&mut self, message: impl Into<String>) {
        let message = message.into();
        self.on(Event::Warning { message });
    }

    /// Something good to know, for people only.
    pub fn note(&self, message: &str) {
        match &self.style {
            Style::Silent | Style::Json => {}
            Style::Plain => say(message),
            Style::Bar(bar) => bar.say(message),
        }
    }

    /// Removes the bar: what follows is the result.
    pub fn finish(&mut self) {
        if let Style::Bar(bar) = &mut self.style {
            bar.clear();
        }
    }
}

impl Observer for Reporter {
    fn on(&mut self, event: Event) -> Verdict {
        self.held = false;
        if self.is_to_be_told(&event) {
            self.show(&event);
        }
        self.verdict()
    }

    fn held(&mut self) -> Verdict {
        if !std::mem::replace(&mut self.held, true) {
            self.note("paused by somebody who watches (hawqeye --attach)");
        }
        self.verdict()
    }
}

impl Reporter {
    /// Whether this is no warning that was told before.
    fn is_to_be_told(&self, event: &Event) -> bool {
        match event {
            Event::Warning { message } => self.warnings.add(message),
            _ => true,
        }
    }

    fn show(&mut self, event: &Event) {
        match &mut self.style {
            Style::Silent => {}
            Style::Json => say_json(event),
            Style::Plain => {
                if let Some(line) = line(event) {
                    say(&line);
                }
            }
            Style::Bar(bar) => bar.show(event),
        }
    }
}

impl Drop for Reporter {
    fn drop(&mut self) {
        self.finish();
    }
}

impl Bar {
    fn show(&mut self, event: &Event) {
        match event {
            Event::Progress { phase, done, total } => self.advance(*phase, (*done, *total)),
            Event::Eigenvalue {
                layer,
                value,
                residual,
                ..
            } => self.explain(&format!("{layer} {value:.4e}, residual {residual:.0e}")),
            Event::Step {
                step,
                total,
                epoch,
                loss,
                accuracy,
                ..
            } => {
                self.advance(Phase::Tune, (*step, *total));
                let (epoch, percent) = (epoch + 1, 100.0 * accuracy);
                self.explain(&format!("epoch {epoch}, loss {loss:.4}, {percent:.1} %"));
            }
            _ => {
                if let Some(line) = line(event) {
                    self.say(&line);
                }
            }
        }
    }

    fn advance(&mut self, phase: Phase, (done, total): (u64, u64)) {
        if self.shown.as_ref().is_none_or(|(shown, _)| *shown != phase) {
            self.clear();
            self.shown = Some((phase, bar(phase, total)));
        }
        if let Some((_, bar)) = &self.shown {
            bar.set_length(total);
            bar.set_position(done);
        }
    }

    fn explain(&self, text: &str) {
        if let Some((_, bar)) = &self.shown {
            bar.set_message(shown(text).into_owned());
        }
    }

    fn say(&self, text: &str) {
        match &self.shown {
            Some((_, bar)) => bar.suspend(|| say(text)),
            None => say(text),
        }
    }

    fn clear(&mut self) {
        if let Some((_, bar)) = self.shown.take() {
            bar.finish_and_clear();
        }
    }
}

fn bar(phase: Phase, total: u64) -> ProgressBar {
    let target = ProgressDrawTarget::stderr_with_hz(REFRESH);
    let bar = ProgressBar::with_draw_target(Some(total), target)
        .with_style(style())
        .with_prefix(name(phase));
    // Its ticking needs a thread, and would panic without.
    if thread::Builder::new().spawn(|| ()).is_ok() {
        bar.enable_steady_tick(Duration::from_millis(250));
    }
    bar
}

/// Without colours: nothing here needs them.
fn style() -> ProgressStyle {
    let template = "{prefix:12} [{bar:10}] {pos}/{len} {left}  {wide_msg}";
    let left = |state: &ProgressState, text: &mut dyn fmt::Write| {
        if state.pos() > 0 {
            // A bar that cannot be written must not end the work.
            let _ = write!(text, "{} left", short(state.eta()));
        }
    };
    ProgressStyle::with_template(template)
        .expect("invariant: the template is well formed")
        .with_key("left", left)
        .progress_chars("=> ")
}

/// `42s`, `3m05s`, `2h10m`.
fn short(left: Duration) -> String {
    let seconds = left.as_secs();
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds}s"),
        (0, minutes, seconds) => format!("{minutes}m{seconds:02}s"),
        (hours, minutes, _) => format!("{hours}h{minutes:02}m"),
    }
}

/// Whether stderr is a terminal on which a line can be redrawn.
fn is_capable() -> bool {
    io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

const fn name(phase: Phase) -> &'static str {
    match phase {
        Phase::Load => "loading",
        Phase::Primal => "forward pass",
        Phase::Rows => "curvature",
        Phase::Eigenvalue => "eigenvalues",
        Phase::Trace => "traces",
        Phase::LossChange => "loss changes",
        Phase::Verify => "verifying",
        Phase::Spectrum => "spectrum",
        Phase::Landscape => "landscape",
        Phase::Calibrate => "calibrating",
        Phase::Boost => "repairing",
        Phase::Evaluate => "evaluating",
        Phase::Tune => "fine-tuning",
        Phase::Export => "exporting",
    }
}

/// What is worth a line of its own when nothing is redrawn.
fn line(event: &Event) -> Option<String> {
    match event {
        Event::Warning { message } => Some(format!("warning: {message}")),
        Event::Stage {
            index,
            total,
            layers,
        } => {
            let (stage, layers) = (index + 1, layers.join(", "));
            Some(format!("stage {stage} of {total}: {layers}"))
        }
        Event::Evaluated {
            split,
            label,
            score,
            ..
        } => {
            let images = match split {
                Split::Train => "training",
                Split::Validation => "validation",
                Split::Test => "test",
            };
            Some(format!("{label}, {images} images: {}", sentence(*score)))
        }
        _ => None,
    }
}

/// Accuracy and loss as one line.
#[must_use]
pub fn sentence(score: Score) -> String {
    let Score {
        loss,
        correct,
        correct_top5,
        total,
    } = score;
    let share = |correct: usize| 100.0 * correct as f64 / total.max(1) as f64;
    let (top1, top5) = (share(correct), share(correct_top5));
    format!("accuracy {top1:.2} % ({correct} of {total}), top-5 {top5:.2} %, loss {loss:.5}")
}

/// A stderr that cannot be written must not end the work.
fn say(text: &str) {
    let _ = writeln!(io::stderr(), "{}", shown(text));
}

fn say_json(event: &Event) {
    if let Ok(text) = serde_json::to_string(event) {
        say(&escaped_json(&text));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_reaches_the_engine_at_the_next_event() {
        let stop = Stop::default();
        let mut reporter = Reporter::new(Progress::None, true, stop.clone());
        let event = || Event::Checkpoint { step: 1 };
        assert_eq!(reporter.on(event()), Verdict::Continue);
        stop.ask();
        assert_eq!(reporter.on(event()), Verdict::Stop);
        assert!(reporter.is_stopping());
    }

    #[test]
    fn the_bar_is_well_formed_and_a_score_is_one_line() {
        let _ = style();
        let shown = [42, 185, 7800].map(|seconds| short(Duration::from_secs(seconds)));
        assert_eq!(shown, ["42s", "3m05s", "2h10m"]);
        let score = Score {
            loss: 0.372_68,
            correct: 9173,
            correct_top5: 9966,
            total: 10_000,
        };
        let expected = "accuracy 91.73 % (9173 of 10000), top-5 99.66 %, loss 0.37268";
        assert_eq!(sentence(score), expected);
    }
}
