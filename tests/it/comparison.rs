//! The plan beside another one: choosing it, its differences, and the way back.

use std::sync::Arc;

use hawqeye::app::state::comparison::Choice;
use hawqeye::app::state::overlay::Overlay;
use hawqeye::app::symbols::Symbols;
use hawqeye::app::theme::MONO;
use hawqeye::engine::plan::{Plan, file};

use crate::bench::Bench;
use crate::views::{draw, text, theme};

/// Compared with the automatic plan, from which two rows differ: of weights, and of activations.
fn compared() -> Bench {
    let mut bench = Bench::planned();
    bench.keys("g g j b 3 j j w b 5 w g g c").work();
    bench.keys("enter").wait(30);
    bench
}

fn names(bench: &Bench) -> Vec<String> {
    let named = |choice| match choice {
        Choice::Plan(other) => other.name,
        Choice::File => "file".to_owned(),
    };
    bench.state.comparable().into_iter().map(named).collect()
}

fn last_notice(bench: &Bench) -> &str {
    &bench.state.log.back().unwrap().text
}

#[test]
fn the_automatic_plan_earlier_ones_and_a_file_are_offered() {
    let mut bench = Bench::planned();
    assert_eq!(
        names(&bench),
        ["the automatic plan", "the plan as opened", "file"]
    );
    bench.keys("g g b 2 j b 3");
    assert_eq!(
        names(&bench)[1..4],
        [
            "the plan as opened",
            "the plan before: bits of layer1.0.conv1",
            "the plan before: bits of conv1"
        ]
    );
}

#[test]
fn differences_are_gone_to_around_the_ends_and_the_key_ends_the_comparison() {
    let mut bench = compared();
    assert_eq!(bench.state.differing(), [1, 3]);
    for (keys, layer) in [("n", 1), ("n", 3), ("n", 1), ("N", 3), ("N", 1)] {
        assert_eq!(bench.keys(keys).state.layer, layer, "{keys}");
    }
    bench.keys("c");
    assert!(bench.state.bits.other.is_none() && bench.state.overlays.is_empty());
    bench.keys("n");
    assert!(last_notice(&bench).contains("compare with another plan first"));
    let mut bench = compared();
    bench.keys("esc");
    assert!(bench.state.bits.other.is_none());
}

#[test]
fn an_edit_changes_what_differs() {
    let mut bench = compared();
    bench.keys("u u");
    assert!(bench.state.differing().is_empty());
    bench.keys("n");
    assert!(last_notice(&bench).contains("no row"));
}

#[test]
fn a_run_of_the_project_and_a_file_can_be_compared_with() {
    let folder = tempfile::tempdir().unwrap();
    let mut bench = Bench::planned();
    bench.state.place.folder = folder.path().into();
    let mut plan: Plan = (**bench.state.bits.plan.as_ref().unwrap()).clone();
    plan.layers[2].weight_bits = hawqeye::engine::quant::Bits::new(7).unwrap();
    let path = folder.path().join("runs/004/plan.toml");
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    file::write(&path, &plan).unwrap();
    bench.keys("c").work();
    assert!(
        names(&bench).contains(&"run 004".to_owned()),
        "{:?}",
        names(&bench)
    );
    bench.keys("esc c").work();
    bench
        .keys("G enter")
        .text(path.to_str().unwrap())
        .keys("enter")
        .work();
    let other = bench.state.bits.other.clone().unwrap();
    assert_eq!((&*other.name, other.plan), ("plan.toml", Arc::new(plan)));
    assert_eq!(bench.state.differing(), [2]);
}

#[test]
fn a_plan_of_another_network_is_refused_in_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.toml");
    let mut bench = Bench::planned();
    let mine: Plan = (**bench.state.bits.plan.as_ref().unwrap()).clone();
    let mut foreign = mine.clone();
    foreign.layers[0].name = "stem".into();
    let mut deeper = mine;
    deeper.model = "resnet56".into();
    for (plan, sentence) in [
        (foreign, "the model has no layer stem"),
        (deeper, "a plan of resnet56, not of resnet20"),
    ] {
        file::write(&path, &plan).unwrap();
        bench.keys("c").work();
        bench
            .keys("G enter ctrl-u")
            .text(path.to_str().unwrap())
            .keys("enter")
            .work();
        assert!(
            last_notice(&bench).contains(sentence),
            "{}",
            last_notice(&bench)
        );
        assert!(bench.state.bits.other.is_none());
    }
    // The path is there again, to be mended.
    bench.keys("c").work();
    bench
        .keys("G enter ctrl-u")
        .text("nowhere.toml")
        .keys("enter")
        .work();
    assert!(
        last_notice(&bench).contains("nowhere.toml"),
        "{}",
        last_notice(&bench)
    );
    bench.keys("c G enter");
    assert!(matches!(
        bench.state.overlays.last(),
        Some(Overlay::Line { input, .. }) if input.value() == "nowhere.toml"
    ));
}

#[test]
fn a_comparison_looks_like_this() {
    let bench = compared();
    let usual = theme("terminal", Symbols::UNICODE);
    for size in [(80, 24), (120, 40)] {
        let name = format!("compared-{}x{}", size.0, size.1);
        insta::assert_snapshot!(name, text(&draw(&bench, size, &usual)));
    }
    let mut sorted = compared();
    sorted.keys("s s s");
    insta::assert_snapshot!("sorted", text(&draw(&sorted, (80, 24), &usual)));
    let tiny = text(&draw(&bench, (40, 12), &theme(MONO, Symbols::ASCII)));
    assert!(tiny.is_ascii(), "{tiny}");
    insta::assert_snapshot!("compared-40x12", tiny);
    let mut choosing = Bench::planned();
    choosing.keys("b 3 c").work();
    insta::assert_snapshot!("choose-plan", text(&draw(&choosing, (80, 24), &usual)));
}
