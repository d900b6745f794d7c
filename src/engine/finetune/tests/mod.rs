//! Whole runs of a tiny network on tiny images.

mod endings;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::engine::autodiff::Program;
use crate::engine::backend::cpu::{Cpu, Isa};
use crate::engine::data::{Held, Label, Origin, Selection};
use crate::engine::evaluation::evaluate;
use crate::engine::graph::operations::BatchNormMode;
use crate::engine::graph::operations::rules::Purpose;
use crate::engine::graph::{Builder, ConvolutionOptions, Role, Shape};
use crate::engine::job::{Event, Silent, Split, Verdict};
use crate::engine::plan::{LayerFacts, PlannedLayer};
use crate::engine::quant::{Bits, ScaleRule};

const CLASSES: usize = 3;
const SIDE: usize = 8;

/// Noisy stripes: down, across, or none.
fn images(count: usize, seed: u64) -> Dataset {
    let mut state = seed;
    let mut noise = move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 40) as f64 / f64::from(1 << 24)
    };
    let mut images = Vec::new();
    for image in 0..count {
        for pixel in 0..SIDE * SIDE {
            let stripe = match image % CLASSES {
                0 => pixel % SIDE % 2,
                1 => pixel / SIDE % 2,
                _ => 1,
            };
            images.push((60.0 + 60.0 * stripe as f64 + 130.0 * noise()) as u8);
        }
    }
    Dataset {
        name: "stripes".into(),
        classes: CLASSES,
        class_names: vec!["down".into(), "across".into(), "none".into()],
        channels: 1,
        height: SIDE,
        width: SIDE,
        images: Held::of(images, SIDE * SIDE),
        labels: (0..count)
            .map(|image| Label((image % CLASSES) as u32))
            .collect(),
        origin: Origin::default(),
    }
}

fn graph() -> Graph {
    let (mut builder, image) = Builder::new(Shape::map(1, SIDE, SIDE));
    let mut x = image;
    for (index, channels) in [6, 8].into_iter().enumerate() {
        let options = ConvolutionOptions {
            stride: [1 + index, 1 + index],
            bias: index == 1,
            ..ConvolutionOptions::same(channels, [3, 3])
        };
        x = builder
            .convolution(&format!("conv{index}"), x, &options)
            .unwrap();
        x = builder.batch_norm(&format!("norm{index}"), x).unwrap();
        x = builder.relu(&format!("relu{index}"), x).unwrap();
    }
    let x = builder.global_average_pool("pool", x).unwrap();
    builder.linear("linear", x, CLASSES).unwrap();
    builder.finish()
}

/// Weights that fill the interval of He's initialisation evenly enough.
fn untrained(graph: &Graph) -> Parameters {
    let values = graph.parameters().iter().enumerate().map(|(index, spec)| {
        let n = spec.elements();
        match spec.role {
            Role::Weight => {
                let bound = (6.0 / (n / spec.shape[0]) as f64).sqrt();
                let place = |k: usize| ((k + 31 * index) as f64 * 0.618_034).fract() * 2.0 - 1.0;
                (0..n).map(|k| bound * place(k)).collect()
            }
            Role::Scale | Role::RunningVariance | Role::Step => vec![1.0; n],
            Role::Bias | Role::Shift | Role::RunningMean | Role::Slope => vec![0.0; n],
        }
    });
    Parameters::new(values.collect())
}

fn plan(bits: &[(u64, u64)]) -> Plan {
    let layers = ["conv0", "conv1", "linear"].iter().zip(bits);
    let layer = |(name, &(weights, activations)): (&&str, &(u64, u64))| PlannedLayer {
        name: (*name).into(),
        weight_bits: Bits::new(weights).unwrap(),
        activation_bits: Bits::new(activations).unwrap(),
        pinned: false,
        tie: None,
    };
    Plan {
        model: "tiny".into(),
        fingerprint: None,
        scale: ScaleRule::Mse,
        layers: layers.map(layer).collect(),
    }
}

/// Everything a run of the tiny network reads.
struct Setting {
    graph: Graph,
    parameters: Parameters,
    normalization: Normalization,
    train: Dataset,
    test: Dataset,
    plan: Plan,
    stages: Vec<Stage>,
    settings: Settings,
}

impl Setting {
    /// The untrained network, in floating point.
    fn float() -> Self {
        let graph = graph();
        Self {
            parameters: untrained(&graph),
            graph,
            normalization: Normalization::new(vec![0.5], vec![0.25]).unwrap(),
            train: images(240, 1),
            test: images(90, 2),
            plan: plan(&[(32, 32); 3]),
            stages: vec![Vec::new()],
            settings: Settings {
                epochs: 3,
                learning_rate: 0.05,
                batch_size: 24,
                calibration: 48,
                checkpoint_every: Some(4),
                ..Settings::default()
            },
        }
    }

    /// The untrained network, quantized in three stages, with everything that can be random.
    fn staged() -> Self {
        let mut setting = Self::float();
        setting.plan = plan(&[(4, 8), (2, 4), (3, 4)]);
        setting.stages = vec![vec![1], vec![2], vec![0]];
        setting.settings.variation = Variation::CropAndFlip;
        setting
    }

    fn run(&self, folder: &Path, start: Start, observer: &mut dyn Observer) -> Result<Report> {
        let subject = Subject {
            name: "tiny",
            graph: &self.graph,
            parameters: &self.parameters,
            weights_sha256: "",
            imported: None,
            normalization: &self.normalization,
            train: &self.train,
            test: &self.test,
        };
        let request = Request {
            plan: &self.plan,
            stages: &self.stages,
            settings: &self.settings,
            folder,
            start,
        };
        tune(&Cpu::new(Isa::detect()), &subject, &request, observer)
    }
}

fn stop_at(stop: u64) -> impl FnMut(Event) -> Verdict {
    move |event| match event {
        Event::Step { step, .. } if step == stop => Verdict::Stop,
        _ => Verdict::Continue,
    }
}

fn accuracy(events: &[Event], wanted: (Split, &str)) -> f64 {
    let found = events.iter().find_map(|event| match event {
        Event::Evaluated {
            split,
            label,
            score,
            ..
        } if (*split, label.as_str()) == wanted => Some(score.accuracy()),
        _ => None,
    });
    found.unwrap()
}

fn events_text(folder: &Path) -> String {
    std::fs::read_to_string(folder.join("events.jsonl")).unwrap()
}

fn assert_same(a: &Path, b: &Path) {
    let (first, second) = (load_run(a).unwrap(), load_run(b).unwrap());
    assert_eq!(first.network, second.network);
    assert_eq!(first.position, second.position);
    assert_eq!(events_text(a), events_text(b));
    let checkpoint = |folder: &Path| std::fs::read(folder.join("checkpoint.safetensors")).unwrap();
    assert_eq!(checkpoint(a), checkpoint(b));
}

/// Trains in floating point and then at three bits; accuracy on the validation images before training at
/// those bits, after it, and on the test images.
fn at_three_bits(seed: u64) -> [f64; 3] {
    let folder = tempfile::tempdir().unwrap();
    let mut setting = Setting::float();
    setting.settings.seed = seed;
    let float = folder.path().join("float");
    let report = setting.run(&float, Start::Fresh, &mut Silent).unwrap();
    assert!(report.test.unwrap().accuracy() > 0.95, "{report:?}");
    setting.parameters = load_run(&float).unwrap().network.parameters;
    setting.plan = plan(&[(3, 8), (2, 3), (3, 3)]);
    setting.stages = vec![vec![0, 1, 2]];
    let quantized = folder.path().join("quantized");
    let report = setting.run(&quantized, Start::Fresh, &mut Silent).unwrap();
    let run = load_run(&quantized).unwrap();
    assert!(run.is_done() && run.plan == setting.plan);
    for quantizer in run.network.quantizers.iter().flatten() {
        for (step, first) in quantizer.grids.steps.iter().zip(&quantizer.first_steps) {
            assert!(*step > 0.0);
            assert!((step - first).abs() > 1e-9, "it is learned");
        }
    }
    let events = read_events(&quantized).unwrap();
    let validated = |label| accuracy(&events, (Split::Validation, label));
    [
        validated("post-training"),
        validated("epoch 3"),
        report.test.unwrap().accuracy(),
    ]
}

#[test]
fn a_network_learns_and_keeps_what_it_learned_at_three_bits() {
    // One image of 24 is 4 %: a single seed says little.
    let runs = [0, 1, 2, 3].map(at_three_bits);
    let mean = |which: usize| runs.iter().map(|run| run[which]).sum::<f64>() / runs.len() as f64;
    let [before, after, test] = [0, 1, 2].map(mean);
    assert!(after > 0.9 && after >= before, "{runs:?}");
    assert!(test > 0.95, "{runs:?}");
}

#[test]
fn distillation_and_frozen_norms_learn_too() {
    let folder = tempfile::tempdir().unwrap();
    let mut setting = Setting::float();
    let float = folder.path().join("float");
    setting.run(&float, Start::Fresh, &mut Silent).unwrap();
    setting.parameters = load_run(&float).unwrap().network.parameters;
    setting.plan = plan(&[(3, 8), (3, 4), (3, 4)]);
    setting.stages = vec![vec![0, 1, 2]];
    setting.settings.distill = 0.5;
    setting.settings.norms = Norms::Frozen;
    setting.settings.learning_rate = 0.01;
    let distilled = folder.path().join("distilled");
    let report = setting.run(&distilled, Start::Fresh, &mut Silent).unwrap();
    assert!(report.test.unwrap().accuracy() > 0.9, "{report:?}");
    let (base, run) = (load_run(&float).unwrap(), load_run(&distilled).unwrap());
    for (index, spec) in setting.graph.parameters().iter().enumerate() {
        let same = base.network.parameters.all()[index] == run.network.parameters.all()[index];
        let running = matches!(spec.role, Role::RunningMean | Role::RunningVariance);
        assert_eq!(same, running, "{}", spec.name);
    }
}

#[test]
fn a_run_is_read_back_without_its_weights_file() {
    let folder = tempfile::tempdir().unwrap();
    let shape = Shape::map(1, SIDE, SIDE);
    let architecture = "resnet20".parse().unwrap();
    let model = Model::untrained(architecture, (shape, CLASSES), 3).unwrap();
    let mut setting = Setting::float();
    setting.train = images(60, 1);
    let facts = LayerFacts::of(&model.graph);
    let four = Bits::new(4).unwrap();
    let plan = Plan::uniform("resnet20", &facts, four, four);
    setting.settings.epochs = 1;
    setting.settings.schedule = Schedule::Joint;
    let stages = stages(&plan, &setting.settings, None).unwrap();
    let images = (&setting.train, &setting.test);
    let subject = Subject::new(&model, &setting.normalization, images);
    let request = Request {
        plan: &plan,
        stages: &stages,
        settings: &setting.settings,
        folder: folder.path(),
        start: Start::Fresh,
    };
    let backend = Cpu::new(Isa::detect());
    let report = tune(&backend, &subject, &request, &mut Silent).unwrap();
    let run = load_run(folder.path()).unwrap();
    assert!(run.is_done() && run.plan == plan && run.record.settings == setting.settings);
    let effective = run.network.effective();
    let walk = (BatchNormMode::Running, Purpose::Evaluate);
    let program = Program::new(&run.network.graph, &backend, &effective, walk).unwrap();
    let test = Selection::all(&setting.test, &setting.normalization).unwrap();
    let score = evaluate(&program, &test, &mut Silent).unwrap();
    assert_eq!(score, report.test);
    std::fs::write(folder.path().join("plan.toml"), "format = 1").unwrap();
    assert!(load_run(folder.path()).is_err());
}

#[test]
fn stages_enter_in_the_order_given() {
    let folder = tempfile::tempdir().unwrap();
    let setting = Setting::staged();
    setting
        .run(folder.path(), Start::Fresh, &mut Silent)
        .unwrap();
    let events = read_events(folder.path()).unwrap();
    let mut entered: Vec<(u64, Vec<Arc<str>>)> = Vec::new();
    let (mut last, mut stages_of_steps) = (0, Vec::new());
    for event in events {
        match event {
            Event::Step { step, stage, .. } => {
                last = step;
                stages_of_steps.push(stage);
            }
            Event::Stage { layers, .. } => entered.push((last, layers)),
            _ => {}
        }
    }
    let expected: Vec<(u64, Vec<Arc<str>>)> = vec![
        (0, vec!["conv1".into()]),
        (4, vec!["linear".into()]),
        (9, vec!["conv0".into()]),
    ];
    assert_eq!(entered, expected);
    assert_eq!(
        stages_of_steps,
        [vec![0; 4], vec![1; 5], vec![2; 18]].concat()
    );
    let run = load_run(folder.path()).unwrap();
    assert_eq!(run.network.bits, setting.plan.bits());
    assert!(run.network.quantizers.iter().all(Option::is_some));
}

#[test]
fn without_held_out_images_there_is_no_validation() {
    let folder = tempfile::tempdir().unwrap();
    let mut setting = Setting::staged();
    setting.settings.validation = 0.0;
    setting.settings.batch_size = 1000;
    setting
        .run(folder.path(), Start::Fresh, &mut Silent)
        .unwrap();
    let events = read_events(folder.path()).unwrap();
    let scored = |event: &Event| match event {
        Event::Evaluated { split, score, .. } => Some((*split, score.total)),
        _ => None,
    };
    let scored: Vec<_> = events.iter().filter_map(scored).collect();
    let train = (Split::Train, 240);
    assert_eq!(scored, [train, train, train, (Split::Test, 90)]);
}

#[test]
fn a_stopped_run_goes_on_as_if_nothing_had_happened() {
    let folder = tempfile::tempdir().unwrap();
    let setting = Setting::staged();
    let whole = folder.path().join("whole");
    let report = setting.run(&whole, Start::Fresh, &mut Silent).unwrap();
    assert_eq!(report.outcome, Outcome::Done);
    // In a stage; at its end; at the end of an epoch; at the end, before the test.
    for stop in [5, 9, 10, 27] {
        let parts = folder.path().join(stop.to_string());
        let report = setting
            .run(&parts, Start::Fresh, &mut stop_at(stop))
            .unwrap();
        assert_eq!((report.outcome, report.test), (Outcome::Stopped, None));
        assert_eq!(read_position(&parts).unwrap().unwrap().step, stop);
        let resumed = setting.run(&parts, Start::Resume, &mut Silent).unwrap();
        assert_eq!(resumed.outcome, Outcome::Done);
        assert_same(&whole, &parts);
        let again = setting.run(&parts, Start::Resume, &mut Silent).unwrap();
        assert_eq!(again, resumed);
        assert_same(&whole, &parts);
    }
}

#[test]
fn a_killed_run_goes_on_as_if_nothing_had_happened() {
    let folder = tempfile::tempdir().unwrap();
    let setting = Setting::staged();
    let whole = folder.path().join("whole");
    let mut count = 0;
    let mut counting = |_: Event| {
        count += 1;
        Verdict::Continue
    };
    setting.run(&whole, Start::Fresh, &mut counting).unwrap();
    let parts = folder.path().join("parts");
    let killed_after = |events: usize, start| {
        let mut left = events;
        let mut killed = |_: Event| {
            if left == 0 {
                resume_unwind(Box::new("killed"));
            }
            left -= 1;
            Verdict::Continue
        };
        let run = || setting.run(&parts, start, &mut killed);
        catch_unwind(AssertUnwindSafe(run)).is_err()
    };
    assert!(killed_after(2, Start::Fresh), "before the first checkpoint");
    for events in [1, 7, 12, 13, 14] {
        assert!(killed_after(events, Start::Resume), "{events} of {count}");
    }
    setting.run(&parts, Start::Resume, &mut Silent).unwrap();
    assert_same(&whole, &parts);
}

#[test]
fn nothing_depends_on_the_number_of_threads() {
    let folder = tempfile::tempdir().unwrap();
    let setting = Setting::staged();
    let paths = [1, 2, 5].map(|threads| {
        let path = folder.path().join(threads.to_string());
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        let run = || setting.run(&path, Start::Fresh, &mut Silent).unwrap();
        pool.build().unwrap().install(run);
        path
    });
    assert_same(&paths[0], &paths[1]);
    assert_same(&paths[0], &paths[2]);
}

#[test]
fn a_loss_that_is_not_finite_ends_the_run_and_keeps_the_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let mut setting = Setting::staged();
    setting.settings.learning_rate = 1e200;
    setting.settings.norms = Norms::Frozen;
    let error = setting
        .run(folder.path(), Start::Fresh, &mut Silent)
        .unwrap_err();
    assert!(
        error.to_string().contains("lower the learning rate"),
        "{error}"
    );
    let run = load_run(folder.path()).unwrap();
    let all = run.network.parameters.all().iter().flatten();
    assert!(run.position.step < 4 && all.clone().all(|value| value.is_finite()));
}

#[test]
fn another_run_is_refused_with_what_differs() {
    let folder = tempfile::tempdir().unwrap();
    let mut setting = Setting::staged();
    let refused = |setting: &Setting, start| {
        let run = setting.run(folder.path(), start, &mut Silent);
        run.unwrap_err().to_string()
    };
    assert!(refused(&setting, Start::Resume).contains("holds no run"));
    let run = setting.run(folder.path(), Start::Fresh, &mut stop_at(3));
    assert_eq!(run.unwrap().outcome, Outcome::Stopped);
    assert!(refused(&setting, Start::Fresh).contains("already holds a run"));
    setting.settings.learning_rate = 0.5;
    setting.plan.layers[0].weight_bits = Bits::MAX;
    setting.test = images(setting.test.len(), 99);
    let error = refused(&setting, Start::Resume);
    for part in [
        "settings learning rate 0.05 there, 0.5 now",
        "plan [\"conv0\",\"4/8\"] there, [\"conv0\",\"8/8\"] now",
        "data test sha256",
    ] {
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn a_folder_in_use_and_a_damaged_checkpoint_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let setting = Setting::staged();
    let mut busy = None;
    let mut observer = |event: Event| {
        if matches!(event, Event::Step { step: 2, .. }) {
            let second = setting.run(folder.path(), Start::Resume, &mut Silent);
            busy = Some(second.unwrap_err().to_string());
            return Verdict::Stop;
        }
        Verdict::Continue
    };
    setting
        .run(folder.path(), Start::Fresh, &mut observer)
        .unwrap();
    assert!(busy.unwrap().contains("another program works on the run"));
    let checkpoint = folder.path().join("checkpoint.safetensors");
    let bytes = std::fs::read(&checkpoint).unwrap();
    std::fs::write(&checkpoint, &bytes[..bytes.len() - 1]).unwrap();
    assert_eq!(
        saved(folder.path()).unwrap().map(|saved| saved.step),
        Some(2),
        "its head is whole"
    );
    for damaged in [&bytes[..bytes.len() - 1], &bytes[..20], b"", b"{}"] {
        std::fs::write(&checkpoint, damaged).unwrap();
        let error = setting.run(folder.path(), Start::Resume, &mut Silent);
        assert!(
            error
                .unwrap_err()
                .to_string()
                .contains("the checkpoint is damaged")
        );
    }
}

#[test]
fn what_does_not_belong_together_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |change: fn(&mut Setting)| {
        let mut setting = Setting::staged();
        change(&mut setting);
        let run = setting.run(folder.path(), Start::Fresh, &mut Silent);
        assert!(!holds_run(folder.path()));
        run.unwrap_err().to_string()
    };
    assert!(refused(|s| s.plan.layers.truncate(2)).contains("the plan is for 2 layers"));
    assert!(refused(|s| s.stages = vec![vec![0], vec![1]]).contains("linear is in 0 stages"));
    assert!(refused(|s| s.stages.push(vec![1])).contains("conv1 is in 2 stages"));
    assert!(refused(|s| s.stages = vec![vec![7]]).contains("holds layer 7"));
    assert!(refused(|s| s.settings.epochs = 0).contains("epochs 0"));
    assert!(refused(|s| s.train.classes = 9).contains("9 classes"));
}
