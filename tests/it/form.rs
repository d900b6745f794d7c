//! The window that opens a network.

use std::fs;

use hawqeye::app::effect::Effect;
use hawqeye::app::jobs::Task;
use hawqeye::app::jobs::form::{Field, Opening};
use hawqeye::app::msg::Msg;
use hawqeye::app::state::LongWork;
use hawqeye::app::state::form::Form;
use hawqeye::app::state::overlay::Overlay;
use hawqeye::app::symbols::Symbols;

use crate::bench::Bench;
use crate::views::{draw, text, theme};

/// The window on top.
fn form(bench: &Bench) -> &Form {
    match bench.state.overlays.last() {
        Some(Overlay::Open(form)) => form,
        other => panic!("{other:?}"),
    }
}

/// With the window open and the line of the network empty.
fn opened() -> Bench {
    let mut bench = Bench::loaded();
    bench.keys("ctrl-n ctrl-u").work();
    bench
}

/// What was asked to be opened.
fn asked(bench: &Bench) -> Option<&Opening> {
    bench.asked.iter().find_map(|effect| match effect {
        Effect::Open(opening) => Some(&**opening),
        _ => None,
    })
}

#[test]
fn a_network_is_opened_by_keys_alone() {
    let mut bench = opened();
    bench.text("/nets/dscnn.pt2").keys("tab tab ctrl-u");
    bench.text("npz:/data/kws.npz").keys("tab");
    bench.text("mean=0 std=1").keys("tab").work();
    assert_eq!(form(&bench).field, Field::Project);
    assert_eq!(asked(&bench), None);
    bench.keys("enter").work();
    let opening = asked(&bench).expect("it is opened");
    assert_eq!(opening.project, "net-npz");
    assert_eq!(opening.inputs.model, "/nets/dscnn.pt2");
    assert_eq!(opening.inputs.data, "npz:/data/kws.npz");
    assert_eq!(opening.inputs.input.mean, Some(vec![0.0]));
    assert!(bench.asked.contains(&Effect::SaveSession));
}

#[test]
fn what_is_refused_stays_in_the_window_with_its_line_in_work() {
    let mut bench = opened();
    bench
        .text("/nets/missing.pt2")
        .keys("tab tab tab tab enter")
        .work();
    assert_eq!(asked(&bench), None);
    assert_eq!(form(&bench).field, Field::Network);
    for size in [(80, 24), (120, 40), (40, 12)] {
        let shown = text(&draw(&bench, size, &theme("terminal", Symbols::UNICODE)));
        assert!(shown.contains("cannot read"), "{size:?}: {shown}");
    }
    bench
        .keys("ctrl-u")
        .text("/nets/there.pt2")
        .keys("tab tab tab tab enter")
        .work();
    assert!(asked(&bench).is_some());
}

#[test]
fn files_are_found_while_typing_and_taken_by_keys_or_a_drop() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("nets")).unwrap();
    fs::write(folder.path().join("nets/one.pt2"), "").unwrap();
    fs::write(folder.path().join("nets/readme.md"), "").unwrap();
    let root = folder.path().display();
    let mut bench = opened();
    bench.text(&format!("{root}/n")).work();
    bench.keys("down enter").work();
    assert_eq!(form(&bench).text(), format!("{root}/nets/"));
    assert_eq!(form(&bench).field, Field::Network, "a folder goes on");
    bench.keys("down enter").work();
    let taken = form(&bench).line(Field::Network).value();
    assert_eq!(taken, format!("{root}/nets/one.pt2"));
    assert_eq!(form(&bench).field, Field::Weights, "a file does not");
    bench.send(Msg::Paste(format!("'{root}/my weights.pth'\n")));
    assert_eq!(form(&bench).text(), format!("{root}/my weights.pth"));
}

#[test]
fn every_line_says_what_it_found_and_how_it_may_go_on() {
    let mut bench = opened();
    bench.text("/nets/dscnn.pt2").keys("tab tab").work();
    bench.keys("ctrl-u n").work();
    for (width, height) in [(80, 24), (120, 40)] {
        for (name, symbols) in [("unicode", Symbols::UNICODE), ("ascii", Symbols::ASCII)] {
            let shown = text(&draw(&bench, (width, height), &theme("mono", symbols)));
            insta::assert_snapshot!(format!("open-{width}x{height}-{name}"), shown);
        }
    }
}

#[test]
fn the_key_of_recent_projects_leads_there_whatever_it_is() {
    let mut bench = opened();
    bench.keys("ctrl-o");
    assert!(matches!(
        bench.state.overlays[..],
        [Overlay::Projects { .. }]
    ));
    let mut bench = opened();
    let bound = "[global]\n\"ctrl-o\" = \"none\"\n\"ctrl-p\" = \"projects\"\n";
    assert!(bench.state.keymap.merge(bound).is_empty());
    let shown = text(&draw(
        &bench,
        (120, 40),
        &theme("terminal", Symbols::UNICODE),
    ));
    assert!(shown.contains("ctrl-p recent"), "{shown}");
    bench.keys("ctrl-o");
    assert!(matches!(bench.state.overlays[..], [Overlay::Open(_)]));
    bench.keys("ctrl-p");
    assert!(matches!(
        bench.state.overlays[..],
        [Overlay::Projects { .. }]
    ));
}

#[test]
fn work_that_cannot_go_on_alone_keeps_the_window() {
    for (who, opens) in [(LongWork::InWorker, true), (LongWork::Here, false)] {
        let mut bench = Bench::loaded();
        bench.state.long_work = who;
        bench.keys("a ctrl-n");
        bench.keys("tab tab tab tab enter");
        let looks = |(_, task): &(_, Task)| matches!(task, Task::Look(_));
        for (job, task) in bench.started().into_iter().filter(looks) {
            bench.finish(job, &task, usize::MAX);
        }
        assert_eq!(asked(&bench).is_some(), opens, "{who:?}");
        assert!(opens || matches!(bench.state.overlays.last(), Some(Overlay::Open(_))));
    }
}
