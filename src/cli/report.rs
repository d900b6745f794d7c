//! Progress of an engine job on stderr: a bar with the time left, JSON lines, or nothing.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::args::Progress;
use super::stop::Stop;
use crate::engine::job::{Event, Observer, Phase, Score, Verdict};

/// Redraws a second.
const REFRESH: u8 = 10;

/// Shows the events of a job, and passes on the wish to stop.
#[derive(Debug)]
pub struct Reporter {
    style: Style,
    stop: Stop,
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

#[derive(Debug)]
struct Bar {
    bar: ProgressBar,
    phase: Option<Phase>,
}

impl Reporter {
    /// Shows progress in this way. `quiet` also keeps warnings back.
    #[must_use]
    pub fn new(progress: Progress, quiet: bool, stop: Stop) -> Self {
        let style = match progress {
            Progress::Json => Style::Json,
            _ if quiet => Style::Silent,
            Progress::Auto if is_capable() => Style::Bar(Bar::new()),
            _ => Style::Plain,
        };
        Self { style, stop }
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
            bar.bar.finish_and_clear();
            bar.phase = None;
        }
    }
}

impl Observer for Reporter {
    fn on(&mut self, event: Event) -> Verdict {
        match &mut self.style {
            Style::Silent => {}
            Style::Json => say_json(&event),
            Style::Plain => {
                if let Some(line) = line(&event) {
                    say(&line);
                }
            }
            Style::Bar(bar) => bar.show(&event),
        }
        if self.stop.is_asked() {
            Verdict::Stop
        } else {
            Verdict::Continue
        }
    }
}

impl Drop for Reporter {
    fn drop(&mut self) {
        self.finish();
    }
}

impl Bar {
    fn new() -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(REFRESH));
        bar.set_style(style());
        Self { bar, phase: None }
    }

    fn show(&mut self, event: &Event) {
        match event {
            Event::Progress { phase, done, total } => self.advance(*phase, (*done, *total)),
            Event::Eigenvalue {
                layer,
                iteration,
                value,
                residual,
            } => self.bar.set_message(format!(
                "{layer}: {value:.4e}, residual {residual:.1e} after {iteration}"
            )),
            Event::Step {
                step,
                total,
                epoch,
                loss,
                accuracy,
                ..
            } => {
                self.advance(Phase::Tune, (*step, *total));
                let percent = 100.0 * accuracy;
                let epoch = epoch + 1;
                self.bar.set_message(format!(
                    "epoch {epoch}: loss {loss:.4}, accuracy {percent:.1} %"
                ));
            }
            _ => {
                if let Some(line) = line(event) {
                    self.say(&line);
                }
            }
        }
    }

    fn advance(&mut self, phase: Phase, (done, total): (u64, u64)) {
        if self.phase != Some(phase) {
            self.phase = Some(phase);
            self.bar.reset();
            self.bar.set_message("");
            self.bar.set_prefix(name(phase));
            self.bar.enable_steady_tick(Duration::from_millis(250));
        }
        self.bar.set_length(total);
        self.bar.set_position(done);
    }

    fn say(&self, text: &str) {
        self.bar.suspend(|| say(text));
    }
}

/// Without colours: nothing here needs them.
fn style() -> ProgressStyle {
    let template = "{prefix:13} [{bar:24}] {pos}/{len}, {eta} left  {wide_msg}";
    ProgressStyle::with_template(template)
        .expect("invariant: the template is well formed")
        .progress_chars("=> ")
}

/// Whether stderr is a terminal on which a line can be redrawn.
fn is_capable() -> bool {
    io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

const fn name(phase: Phase) -> &'static str {
    match phase {
        Phase::Load => "loading",
        Phase::Primal => "forward pass",
        Phase::Eigenvalue => "eigenvalues",
        Phase::Trace => "traces",
        Phase::LossChange => "loss changes",
        Phase::Verify => "verifying",
        Phase::Calibrate => "calibrating",
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
        Event::Evaluated { label, score, .. } => Some(format!("{label}: {}", sentence(*score))),
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
    let _ = writeln!(io::stderr(), "{text}");
}

fn say_json(event: &Event) {
    if let Ok(text) = serde_json::to_string(event) {
        say(&text);
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
