//! The pictures of the README: frames with the numbers of the embedded demo, as they were measured.
//! `tests/data/README.md` says how.

use std::sync::Arc;

use hawqeye::app::jobs::{Done, Inputs, JobId, JobMessage, Task};
use hawqeye::app::msg::Msg;
use hawqeye::app::project::Stored;
use hawqeye::app::state::bits::{PlanKey, key};
use hawqeye::app::symbols::Symbols;
use hawqeye::app::theme::{Depth, Theme};
use hawqeye::engine::hessian::estimate::Outline;
use hawqeye::engine::hessian::sensitivity::Sensitivity;
use hawqeye::engine::job::{Event, Score};
use hawqeye::engine::memory::Memory;
use hawqeye::engine::plan::Plan;

use crate::bench::Bench;
use crate::fake::Fake;
use crate::kept::keep;
use crate::svg::svg;
use crate::views::draw;

/// Columns and rows of a picture.
const SIZE: (u16, u16) = (120, 36);
/// Largest file.
const LARGEST: usize = 60_000;
/// Test images of the demo that the float network gets right.
const FLOAT: usize = 969;
/// The bits of weights that were measured, with the images that were right without training.
const MEASURED: [(&str, usize); 4] = [
    ("88888888888888888888", 964),
    ("84444644443433343326", 698),
    ("85444644443433343326", 684),
    ("85444644443433343336", 733),
];
/// Seconds of a training step.
const STEP: f64 = 0.16;

fn sensitivity() -> Sensitivity {
    serde_json::from_str(include_str!("../data/demo/sensitivity.json")).unwrap()
}

fn inputs() -> Inputs {
    let measured = sensitivity();
    let layers = &measured.layers;
    Inputs {
        architecture: "resnet20".into(),
        weights: "embedded".into(),
        weights_sha256: measured
            .model
            .as_ref()
            .unwrap()
            .weights_sha256
            .clone()
            .unwrap(),
        notes: Vec::new(),
        parameters: measured.model.as_ref().unwrap().parameters.unwrap(),
        data: "demo".into(),
        data_source: "demo".into(),
        image: "1x28x28".into(),
        preprocessing: "pixel / 255, mean 0.286, deviation 0.353".into(),
        preprocessing_identity: "5a".into(),
        whole: false,
        classes: 10,
        train_images: 2048,
        test_images: 1024,
        device: "cpu avx2, 2 threads".into(),
        expected_accuracy: Some(FLOAT as f64 / 1024.0),
        fingerprint: "demo".into(),
        outline: Outline {
            macs: layers.iter().filter_map(|layer| layer.macs).collect(),
            weights: layers.iter().map(|layer| layer.parameters).collect(),
            kept: 200_000,
            classes: 10,
            memory: Memory::USUAL,
        },
        packed: super::fake::envelope(),
        layers: measured.layers,
    }
}

fn score(correct: usize) -> Score {
    Score {
        loss: 0.0,
        correct,
        correct_top5: 1024,
        total: 1024,
    }
}

/// What was measured of a plan.
fn measured(plan: &Arc<Plan>) -> Score {
    let bits: PlanKey = key(plan);
    let bits: String = bits
        .iter()
        .map(|(weights, _)| weights.to_string())
        .collect();
    let found = MEASURED.iter().find(|(measured, _)| **measured == bits);
    score(found.unwrap_or_else(|| panic!("nobody measured {bits}")).1)
}

fn ended(bench: &mut Bench, job: JobId, done: Done) {
    let result = Ok(done);
    bench.send(Msg::Job(JobMessage::Ended { job, result }));
}

/// Answers what the state asks for until it asks for nothing.
fn answer(bench: &mut Bench) {
    loop {
        let started = bench.started();
        if started.is_empty() {
            return;
        }
        for (job, task) in started {
            match &task {
                Task::Open => ended(bench, job, Done::Opened(Box::new(inputs()))),
                Task::Check => ended(bench, job, Done::Checked(Some(score(FLOAT)))),
                Task::Evaluate(plan) => {
                    let (plan, score) = (plan.clone(), Some(measured(plan)));
                    ended(bench, job, Done::Evaluated { plan, score });
                }
                _ => bench.finish(job, &task, usize::MAX),
            }
        }
    }
}

/// The demo with its measurements, and with the plan of ten times smaller weights.
fn planned() -> Bench {
    let stored = Stored {
        sensitivity: Some(sensitivity()),
        next_run: 1,
        ..Stored::default()
    };
    let mut bench = Bench::over(Fake::default(), stored);
    answer(&mut bench);
    bench.wait(1);
    answer(&mut bench);
    bench.keys("3 a 1 0 x tab tab tab tab enter");
    answer(&mut bench);
    bench.wait(1);
    answer(&mut bench);
    bench
}

fn picture(name: &str, title: &str, bench: &Bench) {
    let theme = Theme::embedded("dark", Depth::True, Symbols::UNICODE).unwrap();
    let drawn = svg(&draw(bench, SIZE, &theme), title);
    assert!(drawn.len() < LARGEST, "{name}: {} bytes", drawn.len());
    keep(&format!("assets/shots/{name}.svg"), &drawn);
}

#[test]
fn bits() {
    let mut bench = planned();
    for edit in ["j +", "G k +"] {
        bench.keys(edit).wait(1);
        answer(&mut bench);
    }
    bench.wait(30);
    let title = "The Bits screen: a table of layers with what was measured of them and their bits, \
                 the sums of the plan, its accuracy, and the frontier of the best plans";
    picture("bits", title, &bench);
}

#[test]
fn sensitivity_screen() {
    let mut bench = planned();
    bench.keys("2 j j j j").wait(30);
    let title = "The Sensitivity screen: a bar of the largest eigenvalue of every layer, the numbers \
                 of the selected one, how it converged, and how far the metrics agree";
    picture("sensitivity", title, &bench);
}

#[test]
fn fine_tune() {
    let mut bench = planned();
    bench.keys("4 + + enter");
    let (job, _) = bench.started().remove(0);
    let events = include_str!("../data/demo/events.jsonl").lines();
    let events = events.map(|line| serde_json::from_str::<Event>(line).unwrap());
    for event in events {
        let wall = if matches!(event, Event::Step { .. }) {
            STEP
        } else {
            0.0
        };
        bench.pass(wall);
        let last = matches!(event, Event::Step { step: 48, .. });
        bench.send(Msg::Job(JobMessage::Event { job, event }));
        if last {
            break;
        }
    }
    let title = "The Fine-tune screen: the stages of a run, layer by layer in descending omega, and \
                 the curves of loss and accuracy";
    picture("fine-tune", title, &bench);
}
