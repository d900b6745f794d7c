//! Keys as a script: what is typed, and what comes of it.

use std::path::PathBuf;

use hawqeye::app::command::Command;
use hawqeye::app::effect::{AtLeave, Effect};
use hawqeye::app::jobs::{
    Done, Failure, JobId, JobKind, JobMessage, LeftRun, LeftRunning, Task, TuneReport, TuneRequest,
};
use hawqeye::app::msg::{Msg, Signal};
use hawqeye::app::project::{Session, Stored, StoredRun};
use hawqeye::app::settings::Motion;
use hawqeye::app::state::analysis::{Sort, Status};
use hawqeye::app::state::bits::Accuracy;
use hawqeye::app::state::detail::View;
use hawqeye::app::state::export::Exported;
use hawqeye::app::state::guide::{Step, guide};
use hawqeye::app::state::overlay::Overlay;
use hawqeye::app::state::tune::RunStatus;
use hawqeye::app::state::{Checking, Level, Loading, LongWork, Screen, Themes, planning};
use hawqeye::engine::export::Format;
use hawqeye::engine::finetune::{Kept, Start};
use hawqeye::engine::job::{Event, Outcome, Phase};
use hawqeye::engine::plan::file;

use crate::bench::Bench;
use crate::fake::{self, Trouble};

#[test]
fn digits_and_tab_go_to_every_screen() {
    let mut bench = Bench::loaded();
    for (key, screen) in ["1", "2", "3", "4", "5"].into_iter().zip(Screen::ALL) {
        assert_eq!(bench.keys(key).state.screen, screen);
    }
    assert_eq!(bench.keys("tab").state.screen, Screen::Model);
    assert_eq!(bench.keys("shift-tab").state.screen, Screen::Export);
}

#[test]
fn opening_loads_tests_and_plans_eight_bits() {
    let bench = Bench::loaded();
    assert!(matches!(bench.state.inputs, Loading::Loaded(_)));
    assert_eq!(bench.state.check, Checking::Done(fake::score(960)));
    assert_eq!(bench.bits(), [8; 6]);
    assert!(matches!(bench.state.bits.accuracy(), Accuracy::Done(_)));
}

#[test]
fn enter_alone_leads_from_the_model_to_the_exported_file() {
    let mut bench = Bench::loaded();
    for _ in 0..40 {
        let step = guide(&bench.state).step;
        if step == Step::Wait && bench.state.overlays.is_empty() {
            break;
        }
        bench.keys("enter").work();
        bench.wait(30).work();
    }
    assert_eq!(bench.state.screen, Screen::Export);
    assert_eq!(bench.state.analysis.status, Status::Done);
    assert_eq!(bench.state.tune.finished().unwrap().history.step, 40);
    let run = bench.state.tune.finished().unwrap().name();
    assert_eq!(bench.state.export.count(&run), 1);
}

#[test]
fn bits_are_edited_in_place_and_undone() {
    let cases: [(&str, [u8; 6]); 12] = [
        ("-", [7, 8, 8, 8, 8, 8]),
        ("left left", [6, 8, 8, 8, 8, 8]),
        ("b 4", [4, 8, 8, 8, 8, 8]),
        ("b f", [32, 8, 8, 8, 8, 8]),
        ("+ + +", [32, 8, 8, 8, 8, 8]),
        ("j j b 2", [8, 8, 2, 8, 8, 8]),
        ("G b 3 g g b 5", [5, 8, 8, 8, 8, 3]),
        ("v j j b 4", [4, 4, 4, 8, 8, 8]),
        ("v j j b 4 u", [8; 6]),
        ("b 2 j b 3 u u ctrl-r", [2, 8, 8, 8, 8, 8]),
        ("v j t - -", [6, 6, 8, 8, 8, 8]),
        ("v j t esc k T b 2", [2, 8, 8, 8, 8, 8]),
    ];
    for (keys, bits) in cases {
        let mut bench = Bench::loaded();
        bench.keys("3").keys(keys);
        assert_eq!(bench.bits(), bits, "{keys}");
    }
}

#[test]
fn a_pattern_selects_many_rows() {
    let mut bench = Bench::loaded();
    bench.keys("3 *").text("layer2.*").keys("enter b 4");
    assert_eq!(bench.bits(), [8, 8, 8, 4, 4, 8]);
    bench.keys("esc *").text("nothing").keys("enter");
    assert!(matches!(
        bench.state.overlays.last(),
        Some(Overlay::Line { problem: Some(problem), .. }) if problem.contains("no layer matches")
    ));
}

#[test]
fn a_filter_hides_rows_and_an_empty_one_shows_all() {
    let mut bench = Bench::analysed();
    bench.keys("2 /").text("layer1").keys("enter");
    assert_eq!(bench.state.visible_layers(), [1, 2]);
    assert_eq!(bench.state.layer, 1);
    bench.keys("esc esc");
    assert_eq!(bench.state.visible_layers().len(), 6);
}

#[test]
fn layers_are_sorted_with_the_largest_first() {
    let mut bench = Bench::analysed();
    bench.keys("2 s");
    assert_eq!(bench.state.analysis.sort, Sort::Eigenvalue);
    assert_eq!(bench.state.visible_layers(), [0, 3, 5, 1, 2, 4]);
    bench.keys("s s s");
    assert_eq!(bench.state.visible_layers(), [0, 1, 2, 3, 4, 5]);
}

#[test]
fn the_allocator_keeps_pins_and_reset_returns_to_its_plan() {
    let mut bench = Bench::planned();
    let automatic = bench.bits();
    assert!(automatic.iter().any(|bits| *bits < 8), "{automatic:?}");
    bench.keys("b 8 p p");
    assert!(bench.state.bits.plan.as_ref().unwrap().layers[0].pinned);
    bench.keys("a enter").work();
    assert_eq!(bench.bits()[0], 8);
    bench.keys("u u u u u");
    bench.keys("b 2 r");
    assert_eq!(
        bench.bits()[0],
        bench.state.bits.automatic.as_ref().unwrap().layers[0]
            .weight_bits
            .get()
    );
}

#[test]
fn an_impossible_budget_stays_in_the_window_beside_the_reachable_range() {
    for (keys, text) in [
        ("3 a", "100x"),
        ("3 a down", "1B"),
        ("3 a down down", "1.5"),
    ] {
        let mut bench = Bench::analysed();
        bench.keys(keys).text(text).keys("enter");
        assert!(bench.started().is_empty(), "{text}");
        let Some(Overlay::Allocate { problem, .. }) = bench.state.overlays.last() else {
            panic!("{text}: the window is open")
        };
        assert!(problem.as_ref().unwrap().contains("within reach"));
        bench.keys("ctrl-u").text("9MB").keys("esc");
        assert_eq!(bench.bits(), [8; 6]);
    }
}

#[test]
fn the_time_left_of_a_run_outlives_what_is_measured_between_its_steps() {
    let mut bench = Bench::planned();
    bench.keys("4 enter");
    let (job, task) = bench.started().remove(0);
    bench.begin(job, &task, 30);
    let running = |bench: &Bench| bench.state.job(JobKind::Tune).unwrap().clone();
    let before = running(&bench);
    assert!(before.is_training() && before.eta.remaining(bench.state.now).is_some());
    for phase in [Phase::Calibrate, Phase::Evaluate] {
        let (done, total) = (1, 4);
        let event = Event::Progress { phase, done, total };
        bench.send(Msg::Job(JobMessage::Event { job, event }));
    }
    assert_eq!(running(&bench), before);
}

#[test]
fn what_is_typed_replaces_the_suggested_budget() {
    let value = |keys: &str, text: &str| {
        let mut bench = Bench::analysed();
        bench.keys("3 a").keys(keys).text(text);
        match bench.state.overlays.last() {
            Some(Overlay::Allocate { input, .. }) => input.value().to_owned(),
            _ => panic!("the window is open"),
        }
    };
    assert_eq!(value("tab", "12x"), "12x");
    assert_eq!(value("down", "90KB"), "90KB");
    assert_eq!(value("left backspace", "2"), "12x");
}

#[test]
fn a_budget_that_is_none_stays_in_the_window() {
    let mut bench = Bench::analysed();
    bench.keys("3 a ctrl-u").text("lots").keys("enter");
    assert!(bench.started().is_empty());
    assert!(matches!(
        bench.state.overlays.last(),
        Some(Overlay::Allocate {
            problem: Some(_),
            ..
        })
    ));
}

#[test]
fn the_accuracy_is_measured_once_after_edits_end_and_then_remembered() {
    let mut bench = Bench::loaded();
    bench.keys("3 - - -");
    assert!(bench.started().is_empty());
    assert_eq!(bench.state.bits.accuracy(), Accuracy::Waiting);
    bench.wait(1);
    assert_eq!(bench.started().len(), 1);
    let mut bench = Bench::loaded();
    bench.keys("3 -").wait(1).work();
    bench.keys("+").wait(1);
    assert!(
        bench.started().is_empty(),
        "eight bits were measured at the start"
    );
    assert!(matches!(bench.state.bits.accuracy(), Accuracy::Done(_)));
}

#[test]
fn an_edit_stops_the_measurement_of_the_plan_before_it() {
    let mut bench = Bench::loaded();
    bench.keys("3 -").wait(1);
    let [(job, task)] = bench.started().try_into().unwrap();
    bench.keys("-");
    assert!(bench.has_asked(&Effect::Stop(job)));
    let Task::Evaluate(plan) = task else {
        panic!("{task:?}")
    };
    let stopped = hawqeye::app::jobs::Done::Evaluated { plan, score: None };
    bench.wait(1);
    bench.send(Msg::Job(JobMessage::Ended {
        job,
        result: Ok(stopped),
    }));
    bench.wait(1).work();
    assert!(
        matches!(bench.state.bits.accuracy(), Accuracy::Done(_)),
        "{:?}",
        bench.state.bits.accuracy()
    );
}

#[test]
fn stopping_an_analysis_keeps_what_is_finished_and_enter_goes_on() {
    let mut bench = Bench::loaded();
    bench.keys("a");
    let [(job, task)] = bench.started().try_into().unwrap();
    bench.keys("x");
    assert!(bench.has_asked(&Effect::Stop(job)));
    bench.finish(job, &task, 12);
    assert_eq!(bench.state.analysis.status, Status::Stopped);
    assert_eq!(bench.state.analysis.measured_count(), 2);
    bench.keys("enter").work();
    assert_eq!(bench.state.analysis.status, Status::Done);
}

#[test]
fn a_panicking_worker_is_a_message_and_the_screens_still_work() {
    let mut bench = Bench::loaded();
    bench.keys("a");
    let [(job, _)] = bench.started().try_into().unwrap();
    let result = Err(Failure::Panic("index out of bounds".into()));
    bench.send(Msg::Job(JobMessage::Ended { job, result }));
    let Status::Failed(reason) = &bench.state.analysis.status else {
        panic!()
    };
    assert!(reason.contains("internal error (index out of bounds)"));
    assert_eq!(bench.keys("3 b 4").bits()[0], 4);
}

#[test]
fn work_can_be_paused_and_one_foreground_job_runs_at_a_time() {
    let mut bench = Bench::loaded();
    bench.keys("a");
    let [(job, _)] = bench.started().try_into().unwrap();
    bench.keys("space");
    assert!(bench.has_asked(&Effect::Pause { job, pause: true }));
    assert!(bench.state.job(JobKind::Analyze).unwrap().paused);
    bench.keys("space 4 t");
    assert!(bench.has_asked(&Effect::Pause { job, pause: false }));
    assert!(bench.started().is_empty());
    assert!(
        bench
            .state
            .toast
            .as_ref()
            .unwrap()
            .0
            .text
            .contains("wait for analysis")
    );
}

#[test]
fn finishing_before_leaving_lets_paused_work_go_on() {
    let mut bench = Bench::loaded();
    bench.keys("a");
    let [(job, _)] = bench.started().try_into().unwrap();
    bench.keys("space q f");
    assert!(bench.has_asked(&Effect::Pause { job, pause: false }));
    assert!(!bench.state.job(JobKind::Analyze).unwrap().paused);
}

const fn leave(code: u8) -> Effect {
    let work = AtLeave::Stop;
    Effect::Leave { code, work }
}

const fn leave_running(code: u8) -> Effect {
    let work = AtLeave::Keep;
    Effect::Leave { code, work }
}

#[test]
fn quitting_asks_only_while_work_runs() {
    let mut bench = Bench::loaded();
    bench.keys("q");
    assert!(bench.has_asked(&leave(0)) && bench.has_asked(&Effect::SaveSession));
    let mut bench = Bench::loaded();
    bench.keys("a q");
    assert!(matches!(bench.state.overlays.last(), Some(Overlay::Quit)));
    bench.keys("c");
    assert!(bench.state.overlays.is_empty() && !bench.has_asked(&leave(0)));
    let [(job, task)] = bench.started().try_into().unwrap();
    bench.keys("q s");
    assert!(bench.has_asked(&Effect::Stop(job)) && !bench.has_asked(&leave(0)));
    bench.finish(job, &task, 6);
    assert!(bench.has_asked(&leave(0)));
}

#[test]
fn finish_then_leave_waits_for_the_work() {
    let mut bench = Bench::loaded();
    bench.keys("a q f");
    assert!(!bench.has_asked(&leave(0)));
    bench.work();
    assert!(bench.has_asked(&leave(0)));
}

#[test]
fn work_that_outlives_the_application_is_left_running() {
    let mut bench = Bench::loaded();
    bench.state.long_work = LongWork::InWorker;
    bench.keys("a q f");
    assert!(bench.has_asked(&leave_running(0)) && bench.has_asked(&Effect::SaveSession));
    let mut bench = Bench::loaded();
    bench.keys("a");
    bench.send(Msg::Signal(Signal::HangUp));
    assert!(bench.has_asked(&leave_running(130)) && bench.has_asked(&Effect::SaveSession));
}

#[test]
fn a_run_that_was_left_running_is_followed_again() {
    let folder = PathBuf::from("project/runs/001");
    let mut events = fake::tuning(2);
    events.truncate(fake::READ);
    let read = 1234;
    let stored = Stored {
        run: Some(StoredRun {
            folder: folder.clone(),
            events,
            read,
        }),
        left: Some(LeftRunning::Run(LeftRun {
            folder: folder.clone(),
            read,
        })),
        ..Stored::default()
    };
    let mut bench = Bench::empty(Trouble::None, stored);
    bench.next_job();
    let run = |bench: &Bench| bench.state.tune.run.clone().unwrap();
    assert_eq!(
        (run(&bench).status, run(&bench).history.step),
        (RunStatus::Running, 5)
    );
    let attached = bench
        .started()
        .into_iter()
        .find(|(_, task)| task.kind() == JobKind::Tune);
    let (job, task) = attached.unwrap();
    assert!(matches!(&task, Task::Attach(LeftRunning::Run(run)) if run.read == read));
    bench.finish(job, &task, usize::MAX);
    assert_eq!(
        (run(&bench).status, run(&bench).history.step),
        (RunStatus::Done, 40)
    );
}

#[test]
fn who_only_watches_changes_nothing() {
    let stored = Stored {
        watching: true,
        left: Some(LeftRunning::Analysis),
        ..Stored::default()
    };
    let mut bench = Bench::empty(Trouble::None, stored);
    bench.next_job();
    let plan = bench.state.bits.plan.clone();
    bench.keys("3 + x a 4 enter space");
    assert_eq!(bench.state.bits.plan, plan);
    let kinds: Vec<JobKind> = bench
        .started()
        .iter()
        .map(|(_, task)| task.kind())
        .collect();
    assert_eq!(kinds, [JobKind::Analyze]);
    let said = &bench.state.toast.as_ref().unwrap().0.text;
    assert!(said.contains("only watches"), "{said}");
    bench.keys("q");
    assert!(bench.has_asked(&leave_running(0)));
    assert!(
        !bench
            .asked
            .iter()
            .any(|effect| matches!(effect, Effect::Stop(_) | Effect::SavePlan(_)))
    );
}

#[test]
fn a_signal_leaves_at_once_and_saves() {
    let mut bench = Bench::loaded();
    bench.keys("a");
    bench.send(Msg::Signal(Signal::Terminate));
    assert!(bench.has_asked(&Effect::SaveSession) && bench.has_asked(&leave(130)));
}

#[test]
fn a_run_is_followed_stopped_and_resumed_in_its_folder() {
    let mut bench = Bench::planned();
    bench.keys("4 + enter");
    let [(job, task)] = bench.started().try_into().unwrap();
    let Task::Tune(request) = &task else {
        panic!("{task:?}")
    };
    assert_eq!((request.settings.epochs, request.start), (3, Start::Fresh));
    let folder = request.folder.clone();
    bench.finish(job, &task, 30);
    let run = bench.state.tune.run.as_ref().unwrap();
    assert_eq!(
        (run.status.clone(), run.history.checkpoint),
        (RunStatus::Stopped, Some(20))
    );
    bench.keys("enter");
    let [(job, task)] = bench.started().try_into().unwrap();
    let Task::Tune(request) = &task else {
        panic!("{task:?}")
    };
    assert!(request.start == Start::Resume && request.folder == folder);
    bench.finish(job, &task, usize::MAX);
    assert_eq!(
        bench.state.tune.run.as_ref().unwrap().status,
        RunStatus::Done
    );
    bench.keys("N");
    let [(_, task)] = bench.started().try_into().unwrap();
    let Task::Tune(request) = &task else {
        panic!("{task:?}")
    };
    assert!(request.start == Start::Fresh && request.folder != folder);
}

/// A run under way: its job and task.
fn training(bench: &mut Bench) -> (JobId, Task) {
    bench.keys("4 + enter");
    let [(job, task)] = bench.started().try_into().unwrap();
    bench.begin(job, &task, 70);
    (job, task)
}

/// The request of a run that goes on after it stopped for that.
fn gone_on(bench: &mut Bench, job: JobId) -> TuneRequest {
    assert!(bench.has_asked(&Effect::Stop(job)), "it is stopped for it");
    let report = TuneReport {
        outcome: Outcome::Stopped,
        test: None,
    };
    bench.send(Msg::Job(JobMessage::Ended {
        job,
        result: Ok(Done::Tuned(report)),
    }));
    match bench.started().remove(0).1 {
        Task::Tune(request) => *request,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_run_under_way_goes_on_at_another_rate() {
    let mut bench = Bench::planned();
    let (job, task) = training(&mut bench);
    let Task::Tune(begun) = &task else {
        panic!("{task:?}")
    };
    bench.keys("R ctrl-u");
    bench.text("-1").keys("enter");
    assert!(matches!(
        bench.state.overlays.last(),
        Some(Overlay::Line { problem: Some(problem), .. }) if problem.contains("above 0")
    ));
    bench.keys("ctrl-u");
    bench.text("0.005").keys("enter");
    let request = gone_on(&mut bench, job);
    assert_eq!(request.start, Start::ChangeRate(0.005));
    assert_eq!(request.folder, begun.folder);
}

#[test]
fn a_run_under_way_can_end_with_its_best_epoch() {
    let mut bench = Bench::planned();
    let (job, _) = training(&mut bench);
    bench.keys("K");
    assert!(matches!(
        bench.state.overlays.last(),
        Some(Overlay::Confirm(Command::KeepBest))
    ));
    bench.keys("y");
    let request = gone_on(&mut bench, job);
    assert_eq!(request.start, Start::Conclude(Kept::Best));
}

#[test]
fn stopping_for_good_forgets_that_a_run_was_to_go_on() {
    let mut bench = Bench::planned();
    let (job, _) = training(&mut bench);
    bench.keys("K y x");
    let report = TuneReport {
        outcome: Outcome::Stopped,
        test: None,
    };
    bench.send(Msg::Job(JobMessage::Ended {
        job,
        result: Ok(Done::Tuned(report)),
    }));
    assert!(bench.started().is_empty());
}

#[test]
fn a_project_is_reopened_where_it_was_left() {
    let planned = Bench::planned();
    let plan = file::to_toml(planned.state.bits.plan.as_ref().unwrap());
    let mut events = fake::tuning(2);
    events.push(Event::Finished {
        outcome: Outcome::Done,
    });
    let session = Session {
        screen: Screen::Tune,
        ..Session::default()
    };
    let stored = Stored {
        session,
        sensitivity: Some(fake::sensitivity(6)),
        plan: Some(plan),
        run: Some(StoredRun {
            folder: "project/runs/007".into(),
            events,
            read: 0,
        }),
        next_run: 8,
        exports: vec![
            ("run-007.packed.safetensors".into(), 4321),
            ("run-006.onnx".into(), 9),
        ],
        ..Stored::default()
    };
    let mut bench = Bench::empty(Trouble::None, stored);
    bench.work();
    let written = |format, run| bench.state.export.of(format, run);
    assert_eq!(
        written(Format::Packed, "007"),
        Some(&Exported::Earlier(4321))
    );
    assert_eq!(
        written(Format::Qonnx, "007"),
        None,
        "that file is of another run"
    );
    assert_eq!(written(Format::Qonnx, "006"), Some(&Exported::Earlier(9)));
    assert_eq!(bench.state.screen, Screen::Tune);
    assert_eq!(bench.state.analysis.status, Status::Done);
    assert_eq!(bench.bits(), planned.bits());
    assert_eq!(bench.state.tune.finished().unwrap().history.step, 40);
}

#[test]
fn an_interrupted_analysis_is_offered_again() {
    let stored = Stored {
        sensitivity: Some(fake::sensitivity(2)),
        partial: true,
        ..Stored::default()
    };
    let mut bench = Bench::empty(Trouble::None, stored);
    bench.work();
    assert_eq!(bench.state.analysis.status, Status::Stopped);
    let guide = guide(&bench.state);
    assert_eq!(guide.step, Step::Run(Command::Analyze));
    assert!(guide.text.contains("2 of 6 layers"), "{}", guide.text);
}

#[test]
fn measurements_of_another_network_are_left_aside() {
    let mut sensitivity = fake::sensitivity(6);
    sensitivity.model.as_mut().unwrap().weights_sha256 = Some("other".into());
    let stored = Stored {
        sensitivity: Some(sensitivity),
        ..Stored::default()
    };
    let mut bench = Bench::empty(Trouble::None, stored);
    bench.work();
    assert_eq!(bench.state.analysis.status, Status::Never);
    assert!(
        bench
            .state
            .log
            .iter()
            .any(|notice| notice.text.contains("another network"))
    );
}

#[test]
fn inputs_that_cannot_be_read_are_explained_and_tried_again() {
    let mut bench = Bench::empty(Trouble::Open, Stored::default());
    bench.work();
    assert!(matches!(&bench.state.inputs, Loading::Failed(reason) if reason.contains("resnet32")));
    bench.engine.trouble = Trouble::None;
    bench.keys("enter").work();
    assert!(matches!(bench.state.inputs, Loading::Loaded(_)));
}

#[test]
fn the_palette_runs_what_was_found() {
    let mut bench = Bench::loaded();
    bench.keys(":").text("bit tab").keys("enter");
    assert_eq!(bench.state.screen, Screen::Bits);
    bench.keys("? esc L esc : esc");
    assert!(bench.state.overlays.is_empty());
}

#[test]
fn whatever_is_typed_nothing_panics() {
    let keys = "1 2 3 4 5 j k g g G + - b 4 v * esc p t T r a esc m u ctrl-r / esc ? esc : esc L esc \
                space x s n w page-down page-up home end tab shift-tab enter esc ctrl-l ctrl-t";
    for trouble in [Trouble::None, Trouble::Open, Trouble::NotFinite] {
        let mut bench = Bench::empty(trouble, Stored::default());
        for _ in 0..2 {
            bench.keys(keys);
            bench.wait(1).work();
            bench.keys("a").wait(30).work();
        }
    }
}

#[test]
fn every_command_is_bound_or_in_the_palette_and_says_why_it_cannot() {
    let bench = Bench::empty(Trouble::Open, Stored::default());
    for command in Command::ALL {
        let reason = hawqeye::app::update::why_not(&bench.state, *command);
        assert!(reason.is_none_or(|reason| !reason.is_empty()), "{command}");
    }
}

#[test]
fn nothing_wakes_an_idle_application() {
    let mut bench = Bench::loaded();
    bench.wait(60).wait(60);
    assert_eq!(bench.state.wake_at(), None);
    assert!(bench.state.running.is_empty());
}

#[test]
fn a_run_of_an_earlier_plan_is_told_apart() {
    let mut bench = Bench::planned();
    bench.keys("4 enter").work();
    assert_eq!(guide(&bench.state).step, Step::Go(Screen::Export));
    bench.keys("3 b 5 4");
    assert_eq!(guide(&bench.state).step, Step::Run(Command::TuneAnew));
    bench.keys("enter");
    assert!(
        bench
            .started()
            .iter()
            .any(|(_, task)| matches!(task, Task::Tune(_)))
    );
}

#[test]
fn brackets_walk_along_the_frontier() {
    let mut bench = Bench::planned();
    let bytes = |bench: &Bench| {
        let plan = bench.state.bits.plan.clone().unwrap();
        planning::totals(&plan, &bench.state.analysis.layers).weight_bytes()
    };
    let begin = bytes(&bench);
    bench.keys("[").work();
    let smaller = bytes(&bench);
    assert!(smaller < begin, "{smaller} {begin}");
    bench.keys("] ]").work();
    assert!(bytes(&bench) > smaller);
    for _ in 0..200 {
        bench.keys("[").work();
    }
    let said = bench.state.toast.clone().unwrap().0.text;
    assert!(said.contains("end of the frontier"), "{said}");
}

#[test]
fn themes_are_shown_while_one_chooses_and_escaping_goes_back() {
    let mut bench = Bench::loaded();
    bench.state.themes = Themes {
        names: ["dark", "light", "mono"].map(str::to_owned).into(),
        shown: "light".into(),
    };
    let show = |name: &str| Effect::ShowTheme(name.into());
    bench.keys("ctrl-t down");
    assert!(bench.has_asked(&show("mono")));
    bench.keys("esc");
    assert_eq!(bench.asked.last(), Some(&show("light")));
    bench.keys("ctrl-t up enter");
    assert!(bench.has_asked(&show("dark")) && bench.has_asked(&Effect::SaveSession));
    assert_eq!(bench.state.themes.shown, "dark");
    assert!(bench.state.overlays.is_empty());
}

#[test]
fn with_less_motion_progress_waits_for_the_second() {
    let mut bench = Bench::loaded();
    bench.state.settings.motion = Motion::Reduced;
    bench.keys("a");
    let (job, _) = bench.started().remove(0);
    bench.wait(1);
    bench.state.dirty = false;
    let event = Event::Progress {
        phase: Phase::Eigenvalue,
        done: 1,
        total: 6,
    };
    bench.send(Msg::Job(JobMessage::Event { job, event }));
    assert!(!bench.state.dirty);
    let pulse = bench.state.wake_at().unwrap().abs_diff(bench.state.now);
    assert_eq!(pulse.as_millis(), 1000);
    bench.wait(1);
    assert!(bench.state.dirty);
}

#[test]
fn the_log_is_searched_by_text_and_by_level() {
    let mut bench = Bench::loaded();
    bench.state.notify(Level::Warning, "the disk is slow");
    bench.state.notify(Level::Bad, "the disk is full");
    let found = |query: &str| bench.state.log_lines(query).count();
    assert_eq!(
        [
            found("DISK"),
            found("warning"),
            found("error"),
            found("tape")
        ],
        [2, 1, 1, 0]
    );
    bench.keys("L").text("disk");
    assert!(matches!(
        bench.state.overlays.last(),
        Some(Overlay::Log { input, .. }) if input.value() == "disk"
    ));
}

#[test]
fn what_may_follow_a_key_is_shown_after_a_moment() {
    let mut bench = Bench::analysed();
    bench.keys("3 b");
    assert!(!bench.state.hints_sequence());
    let wake = bench.state.wake_at().unwrap();
    assert!(wake.abs_diff(bench.state.now).as_millis() <= 300);
    bench.wait(1);
    assert!(bench.state.hints_sequence() && bench.state.dirty);
    bench.keys("4");
    assert!(!bench.state.hints_sequence());
}

#[test]
fn a_session_goes_on_with_the_layer_the_order_and_the_view() {
    let session = Session {
        screen: Screen::Sensitivity,
        layer: Some("layer2.0.conv1".into()),
        sort: Sort::Eigenvalue,
        view: View::Weights,
        list_share: Some(40),
        mouse: Some(false),
        ..Session::default()
    };
    let stored = Stored {
        session,
        ..Stored::default()
    };
    let mut bench = Bench::empty(Trouble::None, stored);
    bench.work();
    let state = &bench.state;
    assert_eq!((state.layer, state.analysis.sort), (3, Sort::Eigenvalue));
    assert_eq!(
        (state.detail.view, state.list_share),
        (View::Weights, Some(40))
    );
    assert!(!state.mouse);
}

#[test]
fn the_table_has_an_order_of_its_own_and_rows_selected_together_follow_it() {
    let mut bench = Bench::analysed();
    bench.keys("3 s");
    assert_eq!(bench.state.visible_layers(), [0, 3, 5, 1, 2, 4]);
    bench.keys("g g v j b 3 esc");
    assert_eq!(bench.bits(), [3, 8, 8, 3, 8, 8]);
    assert_eq!(bench.keys("2").state.visible_layers(), [0, 1, 2, 3, 4, 5]);
    bench.keys("3 s s s");
    assert_eq!(bench.state.visible_layers(), [0, 1, 2, 3, 4, 5]);
}

#[test]
fn what_was_measured_is_never_forgotten_without_a_question() {
    for key in ["a", "A"] {
        let mut bench = Bench::analysed();
        bench.keys(key);
        let asked = bench.state.overlays.last();
        assert!(
            matches!(asked, Some(Overlay::Confirm(Command::AnalyzeAnew))),
            "{key}"
        );
        bench.keys("n");
        assert_eq!(bench.state.analysis.status, Status::Done);
        bench.keys(key).keys("y");
        assert_eq!(bench.state.analysis.status, Status::Running);
    }
}

#[test]
fn bits_that_nobody_measured_are_measured_for_their_row_and_kept() {
    for keys in ["b 5", "b 6", "b 7", "-", "- -", "- - -"] {
        let mut bench = Bench::analysed();
        bench.keys("3").keys(keys);
        let bits = bench.bits()[0];
        assert!((5..8).contains(&bits), "{keys}");
        let known = |bench: &Bench| {
            bench.state.analysis.layers[0]
                .loss_change
                .contains_key(&bits)
        };
        assert!(!known(&bench));
        let awaited = bench.state.awaited();
        assert_eq!(awaited.len(), 1, "{keys}");
        assert_eq!(awaited[0].bits.get(), bits);
        bench.wait(30).work();
        assert!(known(&bench) && bench.state.awaited().is_empty(), "{keys}");
    }
}

#[test]
fn loss_changes_that_cannot_be_measured_are_not_tried_again_and_again() {
    let mut bench = Bench::analysed();
    bench.engine.trouble = Trouble::Work;
    bench.keys("3 b 6").wait(30).work();
    assert!(bench.state.awaited().is_empty());
    assert!(bench.wait(30).started().is_empty());
    assert!(
        bench
            .state
            .log_lines("loss changes of the plan")
            .next()
            .is_some()
    );
}

#[test]
fn a_run_that_left_nothing_on_disk_is_none_and_its_error_ends_with_its_cause() {
    let mut bench = Bench::planned();
    bench.keys("4 N").work();
    let (first, next) = (bench.state.tune.run.clone(), bench.state.tune.next);
    assert!(first.is_some());
    bench.engine.trouble = Trouble::Work;
    for _ in 0..3 {
        bench.keys("4 N").work();
        assert_eq!(
            bench.state.tune.run.as_ref().map(|run| &run.folder),
            first.as_ref().map(|run| &run.folder)
        );
        assert_eq!(bench.state.tune.next, next);
        assert!(bench.state.tune.refused.is_some());
    }
    assert!(bench.state.toast.is_some());
    bench.keys("5");
    assert!(bench.state.toast.is_none(), "the export is sound");
    bench.keys("4 N").work();
    bench.keys("3 b 4");
    assert!(bench.state.toast.is_none() && bench.state.tune.refused.is_none());
}

#[test]
fn what_became_of_an_export_is_told_of_its_run_alone() {
    let mut bench = Bench::planned();
    bench.keys("4 N").work();
    bench.keys("5 enter").work();
    let first = bench.state.tune.finished().unwrap().name();
    assert_eq!(bench.state.export.count(&first), 1);
    bench.keys("3 b 4 4 N").work();
    let second = bench.state.tune.finished().unwrap().name();
    assert_ne!(first, second);
    assert_eq!(bench.state.export.count(&second), 0);
    assert_eq!(bench.state.export.count(&first), 1);
}

#[test]
fn a_plan_that_cannot_be_taken_is_kept_before_another_is_written() {
    let stored = Stored {
        plan: Some("[[layer]]\nname = six".into()),
        ..Stored::default()
    };
    let mut bench = Bench::empty(Trouble::None, stored).load();
    let aside = |effect: &Effect| matches!(effect, Effect::SetPlanAside(_));
    let writes = |effect: &Effect| matches!(effect, Effect::SavePlan(_));
    bench.keys("3 +");
    let kept = bench.asked.iter().position(aside).expect("it is kept");
    let written = bench
        .asked
        .iter()
        .position(writes)
        .expect("another is written");
    assert!(kept < written);
}
