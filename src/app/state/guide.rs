//! What comes next: the sentence each screen leads with, and what enter does there.

use super::analysis::Status;
use super::bits::key;
use super::export::Exported;
use super::runs::Pane;
use super::tune::{Run, RunStatus};
use super::{Loading, Screen, State};
use crate::app::command::Command;
use crate::engine::quant::Bits;

/// What enter does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Runs a command.
    Run(Command),
    /// Goes to a screen.
    Go(Screen),
    /// Nothing: something has to happen first.
    Wait,
}

/// What comes next on a screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guide {
    /// One sentence.
    pub text: String,
    /// What enter does.
    pub step: Step,
}

impl Guide {
    fn new(text: impl Into<String>, step: Step) -> Self {
        Self {
            text: text.into(),
            step,
        }
    }
}

/// What comes next on the screen that is shown.
#[must_use]
pub fn guide(state: &State) -> Guide {
    if state.is_watching() && state.loaded().is_some() {
        let usual = "Another hawqeye has this project open; this one watches.";
        let text = state.only_watched.as_deref().unwrap_or(usual);
        return Guide::new(text, Step::Wait);
    }
    match (&state.inputs, state.screen) {
        (Loading::Running, _) => Guide::new("Reading the model and the data.", Step::Wait),
        (Loading::Failed(_), _) => Guide::new(
            "Nothing is loaded; enter tries again.",
            Step::Run(Command::Check),
        ),
        (_, Screen::Model) => model(state),
        (_, Screen::Sensitivity) => sensitivity(state),
        (_, Screen::Bits) => bits(state),
        (_, Screen::Tune) => tune(state),
        (_, Screen::Export) => export(state),
    }
}

fn model(state: &State) -> Guide {
    match state.analysis.status {
        Status::Done => Guide::new(
            "Analysed; enter shows the result.",
            Step::Go(Screen::Sensitivity),
        ),
        Status::Running => Guide::new("Enter shows the analysis.", Step::Go(Screen::Sensitivity)),
        _ => analysis(state),
    }
}

/// Starting the analysis, or going on with it.
fn analysis(state: &State) -> Guide {
    let (done, all) = (state.analysis.measured_count(), state.analysis.layers.len());
    let step = Step::Run(Command::Analyze);
    match &state.analysis.status {
        Status::Failed(_) => Guide::new("The analysis failed; enter tries again.", step),
        Status::Stopped => Guide::new(
            format!("{done} of {all} layers are measured; enter goes on."),
            step,
        ),
        _ => Guide::new("Enter measures how sensitive every layer is.", step),
    }
}

fn sensitivity(state: &State) -> Guide {
    if let Some(text) = state.detail.activity() {
        return Guide::new(text, Step::Wait);
    }
    match state.analysis.status {
        Status::Running => Guide::new(measuring(state), Step::Wait),
        Status::Done => Guide::new(measured(state), Step::Go(Screen::Bits)),
        _ => analysis(state),
    }
}

/// The first doubt about the measurements, in few words, and how many more there are.
fn doubtful(state: &State) -> Option<String> {
    let first = state.analysis.doubts.first()?.short();
    Some(match state.analysis.doubts.len() - 1 {
        0 => first,
        more => format!("{first}, and {more} more"),
    })
}

fn measuring(state: &State) -> &'static str {
    let all = state.analysis.measured_count() == state.analysis.layers.len();
    if all && state.analysis.current.is_none() {
        "Measuring what quantizing each layer costs; stopping keeps what is finished."
    } else {
        "Measuring the layer marked *; stopping keeps what is finished."
    }
}

fn measured(state: &State) -> String {
    let mut layers = state.analysis.layers.iter();
    let is_wrong = |value: f64| !value.is_finite();
    if layers.any(|layer| layer.eigenvalue.is_some_and(is_wrong)) {
        return "Some eigenvalues are no numbers; enter goes on to the bits.".to_owned();
    }
    match doubtful(state) {
        Some(doubt) => format!("Enter goes on to the bits. Doubtful: {doubt} (L tells more)."),
        None => "Measured; enter goes on to choosing bits.".to_owned(),
    }
}

fn bits(state: &State) -> Guide {
    if state.analysis.sensitivity().is_none() && state.analysis.status == Status::Running {
        let text = "Bits can be set by hand while the analysis goes on; enter shows it.";
        return Guide::new(text, Step::Go(Screen::Sensitivity));
    }
    if state.analysis.sensitivity().is_none() {
        let text = "Bits can be set by hand; to allocate them, analyse first (enter).";
        return Guide::new(text, Step::Go(Screen::Sensitivity));
    }
    let told = |text: &str| match doubtful(state) {
        Some(doubt) => format!("{text} Doubtful: {doubt}."),
        None => text.to_owned(),
    };
    if state.bits.automatic.is_none() && is_untouched(state) {
        let text = told("Enter chooses bits that fit a budget; or set them by hand.");
        return Guide::new(text, Step::Run(Command::Allocate));
    }
    Guide::new(
        told("Edit what you like; enter goes on to fine-tuning."),
        Step::Go(Screen::Tune),
    )
}

/// Whether the plan is still the one that everything begins with.
fn is_untouched(state: &State) -> bool {
    let rows = state.bits.plan.iter().flat_map(|plan| &plan.layers);
    let mut bits = rows.flat_map(|row| [row.weight_bits, row.activation_bits]);
    bits.all(|bits| bits == Bits::MAX)
}

fn tune(state: &State) -> Guide {
    if state.tune.list.pane == Pane::Runs {
        return runs(state);
    }
    match state.tune.run.as_ref().map(|run| &run.status) {
        None if state.is_unordered() => Guide::new(
            "The analysis orders the stages: enter goes there; s trains all layers at once.",
            Step::Go(Screen::Sensitivity),
        ),
        None => Guide::new(
            "Enter trains the network with these bits.",
            Step::Run(Command::Tune),
        ),
        Some(RunStatus::Running) => {
            Guide::new("Training; space pauses, x stops and saves.", Step::Wait)
        }
        Some(RunStatus::Stopped) => Guide::new(
            "Stopped with a checkpoint; enter goes on.",
            Step::Run(Command::Tune),
        ),
        Some(RunStatus::Failed(_)) => Guide::new(
            "The run failed; enter tries to go on.",
            Step::Run(Command::Tune),
        ),
        Some(RunStatus::Done) if is_outdated(state) => Guide::new(
            "The plan changed since this run; enter starts a new one.",
            Step::Run(Command::TuneAnew),
        ),
        Some(RunStatus::Done) => Guide::new(
            match doubt_of_run(state) {
                Some(doubt) => format!("Done; enter goes on to the export. Doubtful: {doubt}."),
                None => "Done; enter goes on to the export.".to_owned(),
            },
            Step::Go(Screen::Export),
        ),
    }
}

/// What the run on screen warned of last.
fn doubt_of_run(state: &State) -> Option<&str> {
    Some(state.tune.run.as_ref()?.history.warnings.last()?)
}

/// The list of runs: enter goes to the selected one.
fn runs(state: &State) -> Guide {
    let shown = state.tune.run.as_ref().map(|run| &*run.folder);
    let rows = state.tune.rows();
    match rows.get(state.tune.selected(&rows)) {
        Some(row) if Some(row.folder) == shown => {
            Guide::new("Enter goes back to this run.", Step::Run(Command::Runs))
        }
        Some(row) if row.problem.is_none() && state.foreground().is_none() => Guide::new(
            "Enter opens this run, to look closer, export or resume it.",
            Step::Run(Command::OpenRun),
        ),
        Some(row) if row.problem.is_some() => {
            Guide::new("This run cannot be read; choose another.", Step::Wait)
        }
        Some(_) => Guide::new(
            "While work is running, other runs can be compared, not opened.",
            Step::Wait,
        ),
        None => Guide::new("Enter goes back.", Step::Run(Command::Runs)),
    }
}

/// Whether the run trained other bits than those of the table.
fn is_outdated(state: &State) -> bool {
    let trained = state.tune.run.as_ref().and_then(|run| run.plan.as_ref());
    let wanted = state.bits.plan.as_ref().map(|plan| key(plan));
    trained.is_some_and(|trained| wanted.as_ref() != Some(trained))
}

fn export(state: &State) -> Guide {
    let Some(run) = state.tune.finished().map(Run::name) else {
        let text = "There is no finished run to export; enter goes to fine-tuning.";
        return Guide::new(text, Step::Go(Screen::Tune));
    };
    match state.export.of(state.export.format, &run) {
        Some(Exported::Running) => Guide::new("Being written and read back.", Step::Wait),
        Some(Exported::Done(_)) => Guide::new(
            "Written and verified; choose another format, or leave.",
            Step::Wait,
        ),
        Some(Exported::Earlier(_)) => Guide::new(
            "Written earlier; enter writes it again and compares.",
            Step::Run(Command::Export),
        ),
        Some(Exported::Failed(_)) => Guide::new(
            "Not written; enter tries again.",
            Step::Run(Command::Export),
        ),
        None => Guide::new(
            match doubt_of_run(state) {
                Some(doubt) => format!("Enter writes the file. The run is doubtful: {doubt}."),
                None => "Enter writes the file, reads it back and compares.".to_owned(),
            },
            Step::Run(Command::Export),
        ),
    }
}
