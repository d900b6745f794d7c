//! Fine-tuning: all runs beside each other, then each of them.

use crate::engine::job::Outcome;
use crate::engine::plan::Totals;
use crate::report::html::{heading, missing};
use crate::report::model::{Report, Run, Story};
use crate::report::table::{Cell, Table};

use super::run;

pub(super) fn html(report: &Report) -> String {
    if report.runs.is_empty() {
        return super::section(3, &missing("No run yet: nothing was fine-tuned."));
    }
    let mut body = runs(report).html();
    for (at, run) in report.runs.iter().enumerate() {
        body += &heading(&format!("Run {}", run.name));
        body += &run::html(run, at);
    }
    super::section(3, &body)
}

/// Tables of all runs, the run in the first column.
pub(super) fn tables(report: &Report) -> Vec<Table> {
    if report.runs.is_empty() {
        return Vec::new();
    }
    let of_each = |table: fn(&Story) -> Table| {
        let histories = report.runs.iter().filter_map(|run| {
            let story = run.story.found()?;
            Some((run.name.clone(), table(story)))
        });
        Table::joined(histories.collect())
    };
    let each = [run::stages, run::evaluations, run::steps].map(of_each);
    let each = each.into_iter().flatten();
    std::iter::once(runs(report)).chain(each).collect()
}

fn runs(report: &Report) -> Table {
    let columns = [
        ("run", "run"),
        ("outcome", "outcome"),
        ("schedule", "schedule"),
        ("epochs", "epochs"),
        ("learning_rate", "learning rate"),
        ("weight_compression", "W-comp"),
        ("activation_compression", "A-comp"),
        ("steps", "steps"),
        ("float_validation", "validation: float"),
        ("post_training_validation", "post-training"),
        ("last_validation", "last"),
        ("test", "test"),
    ];
    let mut table = Table::new(
        "runs",
        "Runs, accuracy on validation and test images",
        &columns,
    );
    for run in &report.runs {
        table.push(row(run));
    }
    table
}

fn row(run: &Run) -> Vec<Cell> {
    let settings = run.record.found().map(|record| &record.settings);
    let planned = run.plan.found().filter(|planned| !planned.facts.is_empty());
    let totals = planned.map(|planned| Totals::of(&planned.facts, &planned.plan));
    let story = run.story.found();
    let steps = story.and_then(|story| Some(story.steps.last()?.step));
    let validated = |label: &str| Some(story?.history.validated(label)?.score.accuracy());
    let last = story.and_then(|story| Some(story.history.validation()?.score.accuracy()));
    let test = story.and_then(|story| Some(story.history.test()?.score.accuracy()));
    let activations = totals.and_then(|totals| totals.activation_compression());
    vec![
        Cell::text(run.name.as_str()),
        Cell::text(story.map_or("not known", outcome)),
        Cell::maybe(settings.map(|s| s.schedule.to_string()), Cell::Text),
        Cell::maybe(settings.map(|s| s.epochs as u64), Cell::Count),
        Cell::maybe(settings.map(|s| s.learning_rate), Cell::Number),
        Cell::maybe(
            totals.map(|totals| totals.weight_compression()),
            Cell::Times,
        ),
        Cell::maybe(activations, Cell::Times),
        Cell::maybe(steps, Cell::Count),
        Cell::maybe(validated("float"), Cell::Share),
        Cell::maybe(validated("post-training"), Cell::Share),
        Cell::maybe(last, Cell::Share),
        Cell::maybe(test, Cell::Share),
    ]
}

/// How a run ended, in a word or two.
pub(super) const fn outcome(story: &Story) -> &'static str {
    match story.history.outcome {
        Some(Outcome::Done) => "done",
        Some(Outcome::Stopped) => "stopped; can go on",
        None => "no end recorded",
    }
}
