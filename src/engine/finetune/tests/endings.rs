//! Runs that go on otherwise than they began, and how runs end.

use super::*;
use crate::engine::finetune::checkpoint::Position;
use crate::engine::graph::ParameterId;

fn scores(folder: &Path, split: Split) -> Vec<(u64, String, Score)> {
    let told = read_events(folder).unwrap();
    let score = |event: Event| match event {
        Event::Evaluated {
            split: of,
            label,
            step,
            score,
        } if of == split => Some((step, label, score)),
        _ => None,
    };
    told.into_iter().filter_map(score).collect()
}

fn rates(folder: &Path) -> Vec<f64> {
    let told = read_events(folder).unwrap();
    let rate = |event: &Event| match event {
        Event::Step { learning_rate, .. } => Some(*learning_rate),
        _ => None,
    };
    told.iter().filter_map(rate).collect()
}

/// The running means of the first normalisation.
fn running_means(setting: &Setting, folder: &Path) -> Vec<f64> {
    let specs = setting.graph.parameters();
    let found = specs.iter().position(|s| s.role == Role::RunningMean);
    load_run(folder).unwrap().network.parameters.all()[found.unwrap()].clone()
}

#[test]
fn another_rate_holds_from_the_checkpoint_on_and_is_remembered() {
    let folder = tempfile::tempdir().unwrap();
    let (usual, changed) = (folder.path().join("usual"), folder.path().join("changed"));
    let setting = Setting::staged();
    setting.run(&usual, Start::Fresh, &mut Silent).unwrap();
    setting
        .run(&changed, Start::Fresh, &mut stop_at(6))
        .unwrap();
    let rate = Start::ChangeRate(0.005);
    setting.run(&changed, rate, &mut stop_at(10)).unwrap();
    setting.run(&changed, Start::Resume, &mut Silent).unwrap();
    let (rates, others) = (rates(&usual), rates(&changed));
    assert_eq!(rates.len(), others.len());
    for (step, (usual, changed)) in rates.iter().zip(&others).enumerate() {
        let factor = if step < 6 { 1.0 } else { 0.005 / rates[6] };
        assert!((changed - factor * usual).abs() < 1e-12, "step {step}");
    }
    let record = read_record(&changed).unwrap();
    let change = RateChange {
        step: 6,
        learning_rate: 0.005,
    };
    assert_eq!(record.settings.rates, [change]);
    let error = setting.run(&changed, rate, &mut Silent).unwrap_err();
    assert!(error.to_string().contains("is done"), "{error}");
    let none = Start::ChangeRate(0.0);
    let error = setting.run(&changed, none, &mut Silent).unwrap_err();
    assert!(error.to_string().contains("learning rate 0"), "{error}");
}

#[test]
fn a_run_can_end_with_its_best_epoch() {
    let folder = tempfile::tempdir().unwrap();
    let mut setting = Setting::staged();
    setting.settings.epochs = 6;
    setting.settings.learning_rate = 0.2;
    let path = folder.path();
    let last_step = setting.settings.epochs as u64 * 9 - 1;
    setting
        .run(path, Start::Fresh, &mut stop_at(last_step))
        .unwrap();
    let entered = setting.settings.epochs as u64 * 9 / 2;
    let epochs = scores(path, Split::Validation);
    let whole = epochs.iter().filter(|(step, ..)| *step >= entered);
    let best = whole
        .clone()
        .map(|(.., score)| score.correct)
        .max()
        .unwrap();
    let (step, ..) = whole
        .clone()
        .find(|(.., score)| score.correct == best)
        .unwrap();
    let conclude = Start::Conclude(Kept::Best);
    let report = setting.run(path, conclude, &mut Silent).unwrap();
    assert_eq!(report.outcome, Outcome::Done);
    let run = load_run(path).unwrap();
    assert!(run.is_done());
    assert_eq!((run.position.step, run.position.test), (*step, report.test));
    let again = Selection::new(&setting.train, &setting.normalization, held_out(&setting));
    let effective = run.network.effective();
    let backend = Cpu::new(Isa::detect());
    let walk = (BatchNormMode::Running, Purpose::Evaluate);
    let program = Program::new(&run.network.graph, &backend, &effective, walk).unwrap();
    let score = evaluate(&program, &again.unwrap(), &mut Silent).unwrap();
    assert_eq!(score.unwrap().correct, best, "it is that network");
    let told = scores(path, Split::Test);
    assert_eq!(told.len(), 1, "the test images are seen once");
    let once_more = setting.run(path, conclude, &mut Silent).unwrap();
    assert_eq!(once_more.test, report.test);
    assert_eq!(scores(path, Split::Test).len(), 1);
}

/// The validation images of a run.
fn held_out(setting: &Setting) -> Vec<usize> {
    let count = setting.train.len();
    let held = (count as f64 * setting.settings.validation) as usize;
    let split = crate::engine::data::split_train(count, held, setting.settings.seed);
    split.unwrap().1
}

#[test]
fn a_run_without_anything_to_keep_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let setting = Setting::staged();
    let path = folder.path();
    setting.run(path, Start::Fresh, &mut stop_at(2)).unwrap();
    let conclude = |kept| {
        let refused = setting.run(path, Start::Conclude(kept), &mut Silent);
        refused.unwrap_err().to_string()
    };
    assert!(conclude(Kept::Last).contains("of 3; the network is not yet"));
    setting.run(path, Start::Resume, &mut stop_at(14)).unwrap();
    assert!(conclude(Kept::Best).contains("no epoch has ended since"));
    let report = setting.run(path, Start::Conclude(Kept::Last), &mut Silent);
    assert_eq!(report.unwrap().outcome, Outcome::Done);
    assert_eq!(load_run(path).unwrap().position.step, 14);
}

#[test]
fn norms_are_measured_anew_when_training_ends() {
    let folder = tempfile::tempdir().unwrap();
    let mut setting = Setting::staged();
    let run = |setting: &Setting, name: &str| {
        let path = folder.path().join(name);
        setting.run(&path, Start::Fresh, &mut Silent).unwrap();
        path
    };
    let batch = run(&setting, "batch");
    setting.settings.norms = Norms::Reestimated;
    let anew = run(&setting, "anew");
    let parts = folder.path().join("parts");
    let last = setting.settings.epochs as u64 * 9;
    setting
        .run(&parts, Start::Fresh, &mut stop_at(last))
        .unwrap();
    setting.run(&parts, Start::Resume, &mut Silent).unwrap();
    assert_same(&anew, &parts);
    let weights = |folder: &Path| load_run(folder).unwrap().network.parameters.all()[0].clone();
    assert_eq!(weights(&batch), weights(&anew), "only statistics differ");
    assert_ne!(
        running_means(&setting, &batch),
        running_means(&setting, &anew)
    );
    let told = scores(&anew, Split::Validation);
    assert_eq!(told.last().unwrap().1, "reestimated");
}

#[test]
fn channels_learn_steps_of_their_own_and_a_resumed_run_keeps_them() {
    let folder = tempfile::tempdir().unwrap();
    let mut setting = Setting::staged();
    setting.plan.scale = ScaleRule::MseChannel;
    let (whole, parts) = (folder.path().join("whole"), folder.path().join("parts"));
    setting.run(&whole, Start::Fresh, &mut Silent).unwrap();
    setting.run(&parts, Start::Fresh, &mut stop_at(11)).unwrap();
    setting.run(&parts, Start::Resume, &mut Silent).unwrap();
    assert_same(&whole, &parts);
    let run = load_run(&whole).unwrap();
    for (quantizer, channels) in run.network.quantizers.iter().zip([6, 8, CLASSES]) {
        let quantizer = quantizer.as_ref().unwrap();
        assert_eq!(quantizer.grids.steps.len(), channels);
        assert_ne!(quantizer.grids.steps, quantizer.first_steps);
    }
}

#[test]
fn earlier_stages_rest_while_others_enter() {
    let folder = tempfile::tempdir().unwrap();
    let mut setting = Setting::staged();
    setting.settings.earlier_stages = EarlierStages::Frozen;
    let path = folder.path();
    let weight = |layer: usize| {
        let run = load_run(path).unwrap();
        let id: ParameterId = run.network.graph.layers()[layer].weight;
        let step = run.network.quantizers[layer]
            .as_ref()
            .map(|q| q.grids.steps.clone());
        let activation = run.network.activation_step(layer);
        (run.network.parameters.get(id).to_vec(), step, activation)
    };
    // 27 steps, 3 stages in the first 13.5: the second begins after 4, the third after 9.
    setting.run(path, Start::Fresh, &mut stop_at(5)).unwrap();
    let (first, second) = (weight(1), weight(2));
    setting.run(path, Start::Resume, &mut stop_at(8)).unwrap();
    assert_eq!(weight(1), first, "the first stage's layer rests");
    assert_ne!(weight(2), second, "that of the second is trained");
    setting.run(path, Start::Resume, &mut Silent).unwrap();
    assert_ne!(weight(1).0, first.0, "in the end everything is trained");
}

#[test]
fn the_end_of_a_run_whose_events_were_lost_is_told() {
    let at = |test| Position {
        step: 7,
        test,
        ..Position::default()
    };
    let (outcome, step) = (Outcome::Done, 7);
    let told = |test, tell_done| -> Vec<Event> { at(test).beyond_events(tell_done).collect() };
    let checkpoint = || Event::Checkpoint { step };
    let done = Event::Finished { outcome };
    assert_eq!(told(None, false), [checkpoint()]);
    let score = Some(Score {
        loss: 0.5,
        correct: 1,
        correct_top5: 2,
        total: 3,
    });
    assert_eq!(told(score, true), [checkpoint()]);
    assert_eq!(told(score, false), [done, checkpoint()]);
}
