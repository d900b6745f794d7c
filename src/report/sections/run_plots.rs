//! Curves of a run: loss, accuracy, learning rate.

use crate::engine::events::history::Evaluation;
use crate::engine::job::Split;
use crate::numbers::{counted, number};
use crate::report::curve::{Point, drawable, extremes, smooth, thinned};
use crate::report::model::{Step, Story};
use crate::report::svg::About;
use crate::report::svg::axis::Scale;
use crate::report::svg::chart::{Axis, Chart, Look, Series};

/// Shares are drawn as per cent.
const PERCENT: f64 = 100.0;

/// What is drawn of a step, and of an evaluation.
#[derive(Clone, Copy)]
struct Quantity {
    name: &'static str,
    title: &'static str,
    unit: &'static str,
    /// The largest value there is.
    most: f64,
    of_step: fn(&Step) -> f64,
    of_score: fn(&Evaluation) -> f64,
}

const LOSS: Quantity = Quantity {
    name: "loss",
    title: "Loss",
    unit: "",
    most: f64::INFINITY,
    of_step: |step| step.loss,
    of_score: |evaluation| evaluation.score.loss,
};

const ACCURACY: Quantity = Quantity {
    name: "accuracy",
    title: "Accuracy, %",
    unit: " %",
    most: PERCENT,
    of_step: |step| PERCENT * step.accuracy,
    of_score: |evaluation| PERCENT * evaluation.score.accuracy(),
};

pub(super) fn figures(story: &Story, at: usize) -> Vec<String> {
    vec![
        curve(story, at, LOSS),
        curve(story, at, ACCURACY),
        learning_rate(story, at),
    ]
}

/// The steps of the run as an axis.
fn steps(story: &Story) -> Axis {
    let last = story.steps.last().map_or(1, |step| step.step.max(1));
    Axis {
        name: "step".to_owned(),
        scale: Scale::between(0.0, last as f64),
    }
}

fn of_steps(story: &Story, value: fn(&Step) -> f64) -> Vec<Point> {
    let steps = story.steps.iter();
    drawable(steps.map(|step| (step.step as f64, value(step))))
}

fn curve(story: &Story, at: usize, quantity: Quantity) -> String {
    let train = of_steps(story, quantity.of_step);
    let validation = story
        .history
        .evaluated(Split::Validation)
        .filter(|found| found.step > 0);
    let validation: Vec<Point> = validation
        .map(|found| (found.step as f64, (quantity.of_score)(found)))
        .collect();
    let mut series = vec![
        Series {
            name: "training batches".to_owned(),
            points: extremes(&train),
            look: Look::Raw,
        },
        Series {
            name: "their mean".to_owned(),
            points: smooth(&train),
            look: Look::Line,
        },
    ];
    series.extend(level(story, "float", (quantity, Look::Dashed)));
    series.extend(level(story, "post-training", (quantity, Look::Dots)));
    series.push(Series {
        name: "validation".to_owned(),
        points: validation,
        look: Look::Points,
    });
    let heights = series
        .iter()
        .flat_map(|series| series.points.iter().map(|point| point.1));
    let chart = Chart {
        about: About {
            id: format!("run-{at}-{}", quantity.name),
            title: quantity.title.to_owned(),
            description: described(story, quantity),
        },
        x: steps(story),
        y: Axis {
            name: quantity.name.to_owned(),
            scale: Scale::linear(heights).capped(quantity.most),
        },
        series,
    };
    chart.html()
}

/// A validation score as a level line over the whole run.
fn level(story: &Story, label: &str, (quantity, look): (Quantity, Look)) -> Option<Series> {
    let found = story.history.validated(label)?;
    let value = (quantity.of_score)(found);
    let last = story.steps.last().map_or(1, |step| step.step.max(1));
    Some(Series {
        name: format!("{label}, validation: {}{}", number(value), quantity.unit),
        points: vec![(0.0, value), (last as f64, value)],
        look,
    })
}

fn described(story: &Story, quantity: Quantity) -> String {
    let (name, unit) = (quantity.name, quantity.unit);
    let made = counted(story.steps.len(), "step");
    let last = story.history.validation().map(|found| {
        let value = number((quantity.of_score)(found));
        format!("; the last validation {name} is {value}{unit}")
    });
    format!(
        "Training and validation {name} over {made}{}.",
        last.unwrap_or_default()
    )
}

fn learning_rate(story: &Story, at: usize) -> String {
    let points = of_steps(story, |step| step.learning_rate);
    let heights = points.iter().map(|point| point.1).chain([0.0]);
    let chart = Chart {
        about: About {
            id: format!("run-{at}-learning-rate"),
            title: "Learning rate".to_owned(),
            description: "The learning rate of every step.".to_owned(),
        },
        x: steps(story),
        y: Axis {
            name: "learning rate".to_owned(),
            scale: Scale::linear(heights),
        },
        series: vec![Series {
            name: "learning rate".to_owned(),
            points: thinned(&points),
            look: Look::Line,
        }],
    };
    chart.html()
}
