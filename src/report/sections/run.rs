//! One run: settings, scores, stages, evaluations.

use crate::engine::events::history::Evaluation;
use crate::engine::finetune::{EarlierStages, RateChange, Record, Settings, Variation};
use crate::engine::job::Split;
use crate::numbers::{count, number, percent};
use crate::report::html::{beside, facts, missing, warning};
use crate::report::model::{Part, Run, Story};
use crate::report::table::{Cell, Table};

use super::run_plots;
use super::tuning::outcome;

/// Batches that an accuracy before or after a stage is the mean of.
const BATCHES: usize = 20;
/// Rows from which a table is folded.
const FOLDED: usize = 12;

/// A run, by its place among the runs.
pub(super) fn html(run: &Run, at: usize) -> String {
    let mut body = match &run.record {
        Part::Found(record) => facts(&settings(record)),
        Part::Damaged(reason) => missing(&format!("Its settings cannot be read: {reason}.")),
        Part::Absent => missing("Its settings are not there."),
    };
    if let Part::Damaged(reason) = &run.plan {
        body += &missing(&format!("Its plan cannot be read: {reason}."));
    }
    if let Some(reason) = &run.network {
        body += &missing(&format!("Its network cannot be read: {reason}."));
    }
    match &run.story {
        Part::Found(story) => body += &events(story, at),
        Part::Damaged(reason) => {
            body += &missing(&format!("Its events cannot be read: {reason}."));
        }
        Part::Absent => body += &missing("Nothing happened in it yet: there is no events.jsonl."),
    }
    body
}

fn learning_rate(settings: &Settings) -> String {
    let from_there = |change: &RateChange| {
        let step = count(change.step);
        format!(", {} from step {step} on", change.learning_rate)
    };
    let changes: String = settings.rates.iter().map(from_there).collect();
    format!("{}, {}{changes}", settings.learning_rate, settings.decay)
}

fn settings(record: &Record) -> Vec<(&'static str, String)> {
    let settings = &record.settings;
    let distillation = match settings.distill {
        weight if weight > 0.0 => {
            format!("weight {weight}, temperature {}", settings.temperature)
        }
        _ => "none".to_owned(),
    };
    let variation = match settings.variation {
        Variation::None => "none",
        Variation::CropAndFlip => "crop and flip",
    };
    let nesterov = if settings.nesterov { ", Nesterov" } else { "" };
    vec![
        (
            "schedule",
            format!("{}, {}", settings.schedule, stage_order(record)),
        ),
        ("epochs", count(settings.epochs as u64)),
        ("learning rate", learning_rate(settings)),
        ("batch size", count(settings.batch_size as u64)),
        ("momentum", format!("{}{nesterov}", settings.momentum)),
        ("weight decay", settings.weight_decay.to_string()),
        ("distillation", distillation),
        ("norms", settings.norms.to_string()),
        ("variation", variation.to_owned()),
        ("held out", percent(settings.validation)),
        ("calibration images", count(settings.calibration as u64)),
        ("step sizes", record.scale.to_string()),
        ("seed", settings.seed.to_string()),
        ("device", record.device.clone()),
        ("program", format!("hawqeye {}", record.program)),
    ]
}

fn stage_order(record: &Record) -> String {
    match record.stages.len() {
        1 => "1 stage".to_owned(),
        stages => {
            let rest = match record.settings.earlier_stages {
                EarlierStages::Trained => "",
                EarlierStages::Frozen => ", earlier ones frozen",
            };
            format!(
                "{stages} stages, {} omega{rest}",
                record.settings.stage_order
            )
        }
    }
}

fn events(story: &Story, at: usize) -> String {
    let doubts: String = story
        .history
        .warnings
        .iter()
        .map(|doubt| warning(doubt))
        .collect();
    let mut body = doubts + &facts(&scores(story));
    body += &left_out(story);
    if story.steps.is_empty() {
        body += &missing("The curves begin with the first step.");
    } else {
        body += &beside(&run_plots::figures(story, at));
    }
    for table in [stages(story), evaluations(story)] {
        if !table.rows.is_empty() {
            body += &folded(&table);
        }
    }
    body
}

/// A long table behind its caption.
fn folded(table: &Table) -> String {
    let rows = table.rows.len();
    if rows < FOLDED {
        return table.html();
    }
    let caption = crate::report::html::escape(&table.caption);
    format!(
        "<details>\n<summary>{caption} ({rows} rows)</summary>\n{}</details>\n",
        table.html()
    )
}

fn scores(story: &Story) -> Vec<(&'static str, String)> {
    let steps = story.steps.last().map_or(0, |step| step.step);
    let score = |evaluation: Option<&Evaluation>| {
        evaluation.map_or_else(
            || "not evaluated".to_owned(),
            |found| {
                format!(
                    "{}, loss {}",
                    percent(found.score.accuracy()),
                    number(found.score.loss)
                )
            },
        )
    };
    vec![
        ("outcome", outcome(story).to_owned()),
        (
            "steps",
            format!("{} of {}", count(steps), count(story.history.total)),
        ),
        ("validation: float", score(story.history.validated("float"))),
        (
            "post-training",
            score(story.history.validated("post-training")),
        ),
        ("last validation", score(story.history.validation())),
        ("test", score(story.history.test())),
    ]
}

/// What is in the file but not on the page.
fn left_out(story: &Story) -> String {
    let steps = story.steps.iter();
    let wrong = steps.filter(|step| !(step.loss.is_finite() && step.accuracy.is_finite()));
    let mut said = String::new();
    match wrong.count() {
        0 => {}
        number => {
            said += &warning(&format!(
                "{} with a loss or an accuracy that is not finite: not drawn.",
                some(number, "step", "steps")
            ));
        }
    }
    if story.unreadable > 0 {
        said += &warning(&format!(
            "{} of events.jsonl could not be read: left out.",
            some(story.unreadable, "line", "lines")
        ));
    }
    said
}

fn some(number: usize, one: &str, many: &str) -> String {
    let word = if number == 1 { one } else { many };
    format!("{} {word}", count(number as u64))
}

/// Stages with the accuracy of training batches before them and at their end.
pub(super) fn stages(story: &Story) -> Table {
    let columns = [
        ("stage", "stage"),
        ("layers", "layers quantized from here on"),
        ("after_step", "after step"),
        ("steps", "steps"),
        ("accuracy_before", "batches right before"),
        ("accuracy_after", "batches right at its end"),
    ];
    let caption = format!(
        "Stages: {} of {} entered; accuracy over {BATCHES} training batches",
        story.history.stages.len(),
        story.history.stage_total
    );
    let mut table = Table::new("stages", &caption, &columns);
    for (at, stage) in story.history.stages.iter().enumerate() {
        let begin = made_until(story, stage.after_step);
        let next = story.history.stages.get(at + 1);
        let end = next.map_or(story.steps.len(), |next| made_until(story, next.after_step));
        table.push(vec![
            Cell::Count(at as u64 + 1),
            Cell::text(stage.layers.join(", ")),
            Cell::Count(stage.after_step),
            Cell::Count((end - begin.min(end)) as u64),
            Cell::maybe(accuracy(story, 0..begin), Cell::Share),
            Cell::maybe(accuracy(story, begin..end), Cell::Share),
        ]);
    }
    table
}

/// How many of the steps were made up to this one.
fn made_until(story: &Story, step: u64) -> usize {
    story.steps.partition_point(|made| made.step <= step)
}

/// Mean accuracy of the last batches in a range of steps.
fn accuracy(story: &Story, range: std::ops::Range<usize>) -> Option<f64> {
    let steps = story.steps.get(range)?;
    let last = &steps[steps.len().saturating_sub(BATCHES)..];
    let finite = last
        .iter()
        .map(|step| step.accuracy)
        .filter(|value| value.is_finite());
    let (sum, number) = finite.fold((0.0, 0), |(sum, number), value| (sum + value, number + 1));
    (number > 0).then(|| sum / f64::from(number))
}

/// Every evaluation.
pub(super) fn evaluations(story: &Story) -> Table {
    let columns = [
        ("evaluated", "evaluated"),
        ("images", "images"),
        ("step", "step"),
        ("loss", "loss"),
        ("accuracy", "accuracy"),
        ("correct", "right"),
        ("correct_top5", "right in top 5"),
        ("total", "of"),
    ];
    let mut table = Table::new("evaluations", "Evaluations", &columns);
    for found in &story.history.evaluations {
        let images = match found.split {
            Split::Train => "training",
            Split::Validation => "validation",
            Split::Test => "test",
        };
        table.push(vec![
            Cell::text(found.label.as_str()),
            Cell::text(images),
            Cell::Count(found.step),
            Cell::Number(found.score.loss),
            Cell::Share(found.score.accuracy()),
            Cell::Count(found.score.correct as u64),
            Cell::Count(found.score.correct_top5 as u64),
            Cell::Count(found.score.total as u64),
        ]);
    }
    table
}

/// Every step, for the files beside the page.
pub(super) fn steps(story: &Story) -> Table {
    let columns = [
        ("step", "step"),
        ("loss", "loss"),
        ("accuracy", "accuracy"),
        ("learning_rate", "learning rate"),
    ];
    let mut table = Table::new("steps", "Training steps", &columns);
    for step in &story.steps {
        table.push(vec![
            Cell::Count(step.step),
            Cell::Number(step.loss),
            Cell::Share(step.accuracy),
            Cell::Number(step.learning_rate),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::events::History;
    use crate::engine::events::history::EnteredStage;
    use crate::report::model::Step;

    fn story() -> Story {
        let step = |step: u64| Step {
            step,
            loss: 1.0,
            accuracy: if step <= 30 { 0.25 } else { 0.75 },
            learning_rate: 0.1,
        };
        let stage = |after_step| EnteredStage {
            layers: vec!["conv1".into()],
            after_step,
        };
        Story {
            steps: (1..=60).map(step).collect(),
            history: History {
                step: 60,
                total: 90,
                stages: vec![stage(0), stage(30)],
                stage_total: 3,
                ..History::default()
            },
            unreadable: 0,
        }
    }

    #[test]
    fn stages_have_the_accuracy_before_them_and_at_their_end() {
        let table = stages(&story());
        let expected = [
            [Cell::Count(30), Cell::Missing, Cell::Share(0.25)],
            [Cell::Count(30), Cell::Share(0.25), Cell::Share(0.75)],
        ];
        assert_eq!(table.rows.len(), 2);
        for (row, expected) in table.rows.iter().zip(expected) {
            assert_eq!(row[3..], expected);
        }
        assert!(table.caption.contains("2 of 3 entered"));
    }

    #[test]
    fn steps_that_are_not_finite_are_counted() {
        let mut story = story();
        assert_eq!(left_out(&story), "");
        story.steps[0].loss = f64::NAN;
        story.unreadable = 2;
        let said = left_out(&story);
        assert!(said.contains("1 step with a loss"), "{said}");
        assert!(said.contains("2 lines of events.jsonl"), "{said}");
    }

    #[test]
    fn a_long_table_is_folded() {
        let long = folded(&steps(&story()));
        assert!(long.starts_with("<details>") && long.contains("(60 rows)"));
        assert!(folded(&stages(&story())).starts_with("<div"));
    }
}
