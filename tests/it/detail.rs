//! Keys as a script: closer looks at layers, measuring again, and holding the screen.

use hawqeye::app::effect::Effect;
use hawqeye::app::jobs::detail::Detail;
use hawqeye::app::jobs::{JobId, JobKind, Task};
use hawqeye::app::project::Stored;
use hawqeye::app::state::detail::View;
use hawqeye::app::state::overlay::Overlay;
use hawqeye::engine::hessian::landscape::POINTS;
use hawqeye::engine::quant::Bits;

use crate::bench::Bench;
use crate::fake::Trouble;

fn only(bench: &mut Bench) -> (JobId, Task) {
    let mut started = bench.started();
    assert_eq!(started.len(), 1, "{started:?}");
    started.remove(0)
}

#[test]
fn one_key_goes_through_the_views_and_each_has_its_own() {
    let mut bench = Bench::analysed();
    bench.keys("2");
    for view in [
        "spectrum",
        "landscape",
        "weights",
        "convergence",
        "overview",
    ] {
        assert_eq!(bench.keys("d").state.detail.view.name(), view);
    }
    assert_eq!(bench.keys("D").state.detail.view, View::Convergence);
    let own = [
        ("v s", View::Spectrum),
        ("v l", View::Landscape),
        ("v w", View::Weights),
    ];
    let more = [
        ("v c", View::Convergence),
        ("v o", View::Overview),
        ("C", View::Compare),
    ];
    for (keys, view) in own.into_iter().chain(more) {
        assert_eq!(bench.keys(keys).state.detail.view, view, "{keys}");
    }
    assert_eq!(bench.keys("C").state.detail.view, View::Overview);
}

#[test]
fn nothing_is_computed_unless_asked_and_then_once() {
    let mut bench = Bench::analysed();
    bench.keys("2 v s j k v l v c v o C");
    assert!(bench.started().is_empty());
    bench.keys("v s c");
    assert_eq!(bench.state.foreground().unwrap().kind, JobKind::Spectrum);
    bench.work();
    assert!(bench.state.is_computed());
    bench.keys("c j k");
    assert!(bench.started().is_empty());
    let toast = &bench.state.toast.as_ref().unwrap().0.text;
    assert!(toast.contains("computed already"), "{toast}");
    bench.keys("j");
    assert!(!bench.state.is_computed(), "of another layer");
}

#[test]
fn a_landscape_grows_is_stopped_and_is_computed_anew_at_other_bits() {
    let mut bench = Bench::analysed();
    bench.keys("3 b 2 2 v l c");
    let (job, task) = only(&mut bench);
    let Task::Detail(Detail::Landscape(request)) = &task else {
        panic!("{task:?}")
    };
    assert_eq!((&*request.layer, request.bits), ("conv1", Bits::MIN));
    let perturbation = bench.state.analysis.layers[0].perturbation[&2];
    assert!((request.reach - perturbation.sqrt()).abs() < 1e-12);
    bench.keys("space");
    assert!(bench.has_asked(&Effect::Pause { job, pause: true }));
    bench.keys("space x");
    assert!(bench.has_asked(&Effect::Stop(job)));
    bench.finish(job, &task, 6);
    let kept = |bench: &Bench| {
        let kept = bench.state.detail.landscapes.of("conv1").unwrap();
        kept.result.as_ref().unwrap().points.len()
    };
    assert_eq!(kept(&bench), 3);
    bench.keys("c").work();
    assert_eq!(kept(&bench), POINTS);
    assert!(bench.state.is_computed());
    bench.keys("3 b 8 2");
    assert!(
        !bench.state.is_computed(),
        "8 bits are looked at as far as 4 move"
    );
    assert_eq!(bench.state.landscape_request().unwrap().bits.get(), 4);
}

#[test]
fn weights_are_counted_when_they_are_looked_at_and_follow_layer_and_bits() {
    let mut bench = Bench::analysed();
    bench.keys("2 v w");
    let asked = |bench: &mut Bench| {
        let (job, task) = only(bench);
        let Task::Detail(Detail::Weights(request)) = &task else {
            panic!("{task:?}")
        };
        let found = (request.layer.to_string(), request.bits.get());
        bench.finish(job, &task, usize::MAX);
        found
    };
    assert_eq!(asked(&mut bench), ("conv1".to_owned(), 8));
    bench.keys("j");
    assert_eq!(asked(&mut bench), ("layer1.0.conv1".to_owned(), 8));
    bench.keys("3 b 2");
    assert!(bench.started().is_empty(), "nobody looks");
    bench.keys("2");
    assert_eq!(asked(&mut bench), ("layer1.0.conv1".to_owned(), 2));
    bench.keys("k j");
    bench.wait(60).work();
    bench.wait(60);
    assert!(bench.started().is_empty() && bench.state.wake_at().is_none());
}

#[test]
fn a_layer_is_measured_again_at_a_tenth_and_the_others_stay() {
    let mut bench = Bench::analysed();
    bench.keys("2 j r");
    let before = bench.state.analysis.layers.clone();
    let (job, task) = only(&mut bench);
    let Task::Detail(Detail::Remeasure(request)) = &task else {
        panic!("{task:?}")
    };
    assert_eq!(request.layers, ["layer1.0.conv1".into()]);
    assert!((request.analysis.tolerance - 1e-4).abs() < 1e-18);
    assert!(!request.analysis.loss_change && request.analysis.trace);
    bench.finish(job, &task, usize::MAX);
    let after = &bench.state.analysis.layers;
    for (index, (before, after)) in before.iter().zip(after).enumerate() {
        assert_eq!(before == after, index != 1, "{}", before.layer);
    }
    assert_eq!(after[1].tolerance, Some(1e-4));
    assert_eq!(after[1].loss_change, before[1].loss_change);
    bench.work();
    bench.keys("r");
    let (_, task) = only(&mut bench);
    assert!(format!("{task:?}").contains("tolerance: 1e-5"), "{task:?}");
}

#[test]
fn the_layers_that_a_filter_shows_are_measured_again_and_stopping_keeps_what_was() {
    let mut bench = Bench::analysed();
    bench.keys("2 /").text("layer2").keys("enter R");
    let before = bench.state.analysis.layers.clone();
    let (job, task) = only(&mut bench);
    let Task::Detail(Detail::Remeasure(request)) = &task else {
        panic!("{task:?}")
    };
    assert_eq!(request.layers.len(), 2);
    bench.finish(job, &task, 1);
    assert_eq!(bench.state.analysis.layers, before);
    assert!(bench.state.analysis.current.is_none());
}

#[test]
fn what_is_not_measured_is_not_measured_again() {
    let mut bench = Bench::loaded();
    bench.keys("2 r");
    assert!(bench.started().is_empty());
    let toast = &bench.state.toast.as_ref().unwrap().0.text;
    assert!(toast.contains("a first time"), "{toast}");
}

#[test]
fn a_failure_is_told_where_it_belongs_and_asked_for_again() {
    let mut bench = Bench::analysed();
    bench.engine.trouble = Trouble::Detail;
    let measured = bench.state.analysis.layers.clone();
    bench.keys("2 v s c").work();
    bench.keys("v l c").work();
    bench.keys("v w").work();
    bench.keys("r").work();
    assert_eq!(bench.state.analysis.layers, measured);
    let detail = &bench.state.detail;
    assert!(detail.spectra.of("conv1").unwrap().result.is_err());
    assert!(detail.landscapes.of("conv1").unwrap().result.is_err());
    assert!(detail.weights.of("conv1").unwrap().result.is_err());
    assert!(bench.started().is_empty(), "a failed count is not repeated");
    bench.engine.trouble = Trouble::None;
    bench.keys("v s c").work();
    assert!(bench.state.is_computed());
}

#[test]
fn quitting_asks_while_a_landscape_grows() {
    let mut bench = Bench::analysed();
    bench.keys("2 v l c q");
    assert!(matches!(bench.state.overlays.last(), Some(Overlay::Quit)));
}

#[test]
fn a_held_screen_stays_while_the_work_goes_on_and_the_selection_moves() {
    let mut bench = Bench::loaded();
    bench.keys("a");
    let (job, task) = only(&mut bench);
    bench.begin(job, &task, 8);
    bench.keys("f");
    let measured = |bench: &Bench| bench.state.drawn().analysis.measured_count();
    let before = measured(&bench);
    bench.keys("j s");
    bench.finish(job, &task, usize::MAX);
    assert_eq!(bench.state.analysis.measured_count(), 6);
    assert_eq!(measured(&bench), before);
    assert_eq!(bench.state.drawn().layer, bench.state.layer);
    assert_eq!(bench.state.drawn().analysis.sort, bench.state.analysis.sort);
    bench.keys("3");
    assert_eq!(measured(&bench), 6, "the bit table is never held");
    bench.keys("2 f");
    assert_eq!(measured(&bench), 6);
    bench.keys("3 f");
    assert!(bench.state.frozen.is_none());
    bench.keys("2 f 1 c").work();
    assert!(bench.state.frozen.is_none(), "other inputs are there");
}

#[test]
fn whatever_is_typed_among_closer_looks_nothing_panics() {
    let keys =
        "2 d d d d d d D C c d c d c x d v s c space x f j G r R s v l c f 4 f 2 / esc g g C C";
    for trouble in [
        Trouble::None,
        Trouble::Open,
        Trouble::NotFinite,
        Trouble::Detail,
    ] {
        let mut bench = Bench::empty(trouble, Stored::default());
        for _ in 0..2 {
            bench.keys(keys);
            bench.wait(1).work();
            bench.keys("a").wait(30).work();
        }
    }
}
