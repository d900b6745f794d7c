//! The fine-tuning screen: its curves, the list of runs, comparing, opening and notes.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use hawqeye::app::effect::Effect;
use hawqeye::app::jobs::{JobKind, JobMessage, Task};
use hawqeye::app::msg::{Gesture, Msg, Target};
use hawqeye::app::project::{Stored, StoredRun};
use hawqeye::app::state::Screen;
use hawqeye::app::state::look::{Look, LossAxis, Smoothing, Span};
use hawqeye::app::state::runs::{Comparison, MARKS, Pane};
use hawqeye::app::state::tune::{Run, RunStatus};
use hawqeye::app::symbols::Symbols;
use hawqeye::app::theme::MONO;
use hawqeye::engine::finetune::Start;
use hawqeye::engine::job::{Event, Score, Split};

use crate::bench::Bench;
use crate::fake::{self, Trouble};
use crate::views::{draw, text, theme};

/// With runs of earlier sessions.
fn with_runs(runs: usize) -> Bench {
    let mut bench = Bench::planned();
    bench.engine.runs = runs;
    bench.state.tune.next = runs as u32 + 1;
    bench.wait(60);
    bench.keys("4 a");
    bench
}

fn folder(number: usize) -> PathBuf {
    format!("project/runs/{number:03}").into()
}

/// A run of this many steps with noise on its curves.
fn long_run(steps: u64) -> Run {
    let mut run = Run::new(folder(1), RunStatus::Running);
    let stage = |index: usize| Event::Stage {
        index,
        total: 20,
        layers: vec![format!("layer{}.0.conv1", index + 1).into()],
    };
    let score = |step, label: String, accuracy: f64| Event::Evaluated {
        split: Split::Validation,
        label,
        step,
        score: Score {
            loss: 1.2 - accuracy,
            correct: (1000.0 * accuracy) as usize,
            correct_top5: 1000,
            total: 1000,
        },
    };
    run.retell(&score(0, "float".into(), 0.917));
    run.retell(&score(0, "post-training".into(), 0.41));
    let (epoch, stages) = (steps / 50, steps / 40);
    for step in 1..=steps {
        if step % stages == 1 && step / stages < 20 {
            run.retell(&stage((step / stages) as usize));
        }
        let done = step as f64 / steps as f64;
        let noise = ((step * 2_654_435_761) % 1000) as f64 / 1000.0 - 0.5;
        let accuracy = 0.5 + 0.4 * (1.0 - (-6.0 * done).exp());
        run.retell(&Event::Step {
            step,
            total: steps,
            epoch: (step / epoch) as usize,
            stage: 0,
            loss: 1.2 - accuracy + 0.2 * noise,
            accuracy: accuracy + 0.08 * noise,
            learning_rate: 0.01 * (1.0 - done),
            images: 128,
        });
        if step % epoch == 0 {
            run.retell(&score(step, format!("epoch {}", step / epoch), accuracy));
        }
    }
    run
}

/// A long run on screen.
fn watching(steps: u64) -> Bench {
    let mut bench = Bench::planned();
    bench.wait(60);
    bench.state.tune.run = Some(long_run(steps));
    bench.keys("4");
    bench
}

fn shown(bench: &Bench, size: (u16, u16)) -> String {
    text(&draw(bench, size, &theme("terminal", Symbols::UNICODE)))
}

#[test]
fn keys_change_how_curves_are_looked_at_and_the_plots_say_it() {
    let mut bench = watching(10_000);
    let screen = shown(&bench, (120, 40));
    assert!(
        screen.contains("loss, whole run, means of 64 steps"),
        "{screen}"
    );
    bench.keys("v w l");
    let look = bench.state.tune.look;
    assert_eq!(
        (look.span, look.smoothing, look.loss_axis),
        (Span::Recent, Smoothing::Moderate, LossAxis::Log)
    );
    let screen = shown(&bench, (120, 40));
    for said in [
        "log loss, last 600 steps, smoothed: means of 9 steps",
        "accuracy, last 600 steps, smoothed: means of 9 steps",
        "v last steps  w smoothing moderate  l loss log",
        "9,401",
    ] {
        assert!(screen.contains(said), "{said}\n{screen}");
    }
    bench.keys("v w w l");
    assert_eq!(bench.state.tune.look, Look::default());
}

#[test]
fn a_wide_screen_shows_the_whole_run_and_its_last_steps() {
    let mut bench = watching(10_000);
    let screen = shown(&bench, (200, 50));
    assert!(screen.contains("whole run") && screen.contains("last 600 steps"));
    insta::assert_snapshot!("curves-200x50", screen);
    bench.keys("w l");
    insta::assert_snapshot!("curves-smooth-log-80x24", shown(&bench, (80, 24)));
    bench.keys("v w");
    insta::assert_snapshot!("curves-recent-120x40", shown(&bench, (120, 40)));
}

#[test]
fn a_logarithmic_axis_says_what_it_leaves_out() {
    let mut bench = Bench::planned();
    bench.wait(60);
    let mut run = Run::new(folder(1), RunStatus::Stopped);
    for (step, loss) in [(1, 1.0), (2, 0.0), (3, 0.01), (4, -1.0)] {
        run.retell(&Event::Step {
            step,
            total: 4,
            epoch: 0,
            stage: 0,
            loss,
            accuracy: 0.5,
            learning_rate: 0.01,
            images: 128,
        });
    }
    bench.state.tune.run = Some(run);
    bench.keys("4 l");
    let screen = shown(&bench, (120, 40));
    assert!(
        screen.contains("log loss, whole run, 2 values <= 0 left out"),
        "{screen}"
    );
    assert!(
        screen.contains("0.1 │") && screen.contains("1e-3│"),
        "{screen}"
    );
}

#[test]
fn the_runs_are_read_when_the_screen_opens_and_when_a_run_begins_and_ends() {
    let mut bench = Bench::planned();
    assert_eq!(bench.readings, 0);
    bench.keys("4");
    assert_eq!(bench.readings, 1);
    bench.keys("j + s").wait(5);
    assert_eq!(bench.readings, 1, "not again and again");
    bench.keys("enter");
    let [(job, task)] = bench.started().try_into().unwrap();
    let before = bench.readings;
    bench.begin(job, &task, 10);
    let during = bench.readings;
    assert!(during > before && during <= before + 2);
    bench.finish(job, &task, usize::MAX);
    assert_eq!(bench.readings, during + 1, "its end is read");
    bench.keys("5");
    assert_eq!(bench.readings, during + 1, "Export tells of the same runs");
    bench.keys("3 4");
    assert_eq!(bench.readings, during + 2);
}

#[test]
fn runs_are_listed_marked_and_compared() {
    let mut bench = with_runs(5);
    assert_eq!(bench.state.tune.list.pane, Pane::Runs);
    let screen = shown(&bench, (120, 40));
    assert!(screen.contains("Runs 5") && screen.contains("with distillation"));
    bench.keys("m j j m j");
    let marks = &bench.state.tune.list.marks;
    assert_eq!(marks[..2], [Some(folder(5)), Some(folder(3))]);
    assert_eq!(bench.state.tune.selected_folder(), Some(folder(2)));
    for size in [(80, 24), (120, 40)] {
        let name = format!("runs-curves-{}x{}", size.0, size.1);
        insta::assert_snapshot!(name, shown(&bench, size));
    }
    insta::assert_snapshot!("runs-200x60", shown(&bench, (200, 60)));
    let ascii = text(&draw(&bench, (120, 40), &theme(MONO, Symbols::ASCII)));
    assert!(ascii.is_ascii(), "{ascii}");
    insta::assert_snapshot!("runs-ascii", ascii);
    bench.keys("c");
    assert_eq!(bench.state.tune.list.comparison, Comparison::Table);
    for size in [(80, 24), (120, 40)] {
        let name = format!("runs-table-{}x{}", size.0, size.1);
        insta::assert_snapshot!(name, shown(&bench, size));
    }
    let tiny = text(&draw(&bench, (40, 12), &theme(MONO, Symbols::ASCII)));
    insta::assert_snapshot!("runs-tiny", tiny);
    bench.keys("k m");
    assert_eq!(bench.state.tune.list.marks[1], None, "a mark is taken away");
}

#[test]
fn a_mark_keeps_its_sign_and_there_are_no_more_than_signs() {
    let mut bench = with_runs(8);
    bench.keys("m j m j m j m j m j m");
    assert!(bench.state.tune.list.marks.iter().all(Option::is_some));
    bench.keys("G m");
    let (notice, _) = bench.state.toast.clone().unwrap();
    assert!(notice.text.contains(&format!("{MARKS} runs are marked")));
    bench.keys("g g m G m");
    assert_eq!(
        bench.state.tune.list.marks[0],
        Some(folder(1)),
        "the free sign"
    );
    assert_eq!(bench.state.tune.list.marks[1], Some(folder(7)));
}

#[test]
fn a_selected_run_becomes_the_one_on_screen_and_is_exported_or_resumed() {
    let mut bench = with_runs(5);
    bench.keys("j j enter");
    let run = bench.state.tune.run.clone().unwrap();
    assert_eq!((run.folder, run.status), (folder(3), RunStatus::Done));
    assert_eq!(bench.state.tune.list.pane, Pane::Run);
    assert_eq!(bench.state.tune.settings.last_run.as_deref(), Some("003"));
    assert!(bench.has_asked(&Effect::SaveSession));
    bench.asked.clear();
    bench.keys("5");
    let screen = shown(&bench, (80, 24));
    assert!(
        screen.contains("5.2 KB at their bits; packed file 4.2 KB as predicted"),
        "its own size, not that of the table: {screen}"
    );
    bench.keys("e");
    let [(job, task)] = bench.started().try_into().unwrap();
    assert!(matches!(&task, Task::Export(request) if request.run == folder(3)));
    bench.finish(job, &task, usize::MAX);
    bench.keys("4 a g g j o t");
    let [(_, task)] = bench.started().try_into().unwrap();
    let Task::Tune(request) = &task else {
        panic!("{task:?}")
    };
    assert!(request.start == Start::Resume && request.folder == folder(4));
    let run = bench.state.tune.run.clone().unwrap();
    assert_eq!(
        run.plan.unwrap()[1].0,
        6,
        "its own bits, not those of the table"
    );
    assert_eq!(bench.state.tune.list.pane, Pane::Run);
    bench.keys("a enter a G o");
    let (notice, _) = bench.state.toast.clone().unwrap();
    assert!(
        notice.text.contains("wait for fine-tuning to end"),
        "{}",
        notice.text
    );
}

#[test]
fn a_run_is_copied_as_a_row() {
    let mut bench = with_runs(5);
    bench.keys("j j y");
    let copied = "project/runs/003\t9.00\tstaged\t4\t0.01\t80\t0.8935546875\t0.9033203125\t\
                  with distillation";
    assert!(
        bench.has_asked(&Effect::Copy(copied.into())),
        "{:?}",
        bench.asked
    );
    bench.asked.clear();
    bench.keys("j y");
    assert!(
        bench.asked.is_empty(),
        "there is nothing to copy of a broken one"
    );
}

#[test]
fn a_broken_run_says_why_and_is_not_opened() {
    let mut bench = with_runs(3);
    bench.keys("j");
    let screen = shown(&bench, (80, 24));
    assert!(screen.contains("broken") && screen.contains("expected the settings"));
    bench.keys("m o");
    assert!(bench.state.tune.run.is_none());
    assert!(bench.state.tune.list.marks.iter().all(Option::is_none));
    let (notice, _) = bench.state.toast.clone().unwrap();
    assert!(notice.text.contains("settings.json"), "{}", notice.text);
}

#[test]
fn runs_that_cannot_be_read_are_a_sentence_on_the_screen() {
    let mut bench = Bench::planned();
    bench.engine.trouble = Trouble::Runs;
    bench.keys("4 a");
    bench.wait(60);
    let screen = shown(&bench, (80, 24));
    assert!(screen.contains("permission denied"), "{screen}");
    assert!(bench.state.job(JobKind::Runs).is_none());
    bench.engine.trouble = Trouble::None;
    bench.keys("3 4").wait(60);
    assert!(shown(&bench, (80, 24)).contains("There is no run yet"));
}

#[test]
fn a_note_is_written_into_the_folder_and_shown() {
    let mut bench = with_runs(3);
    bench.keys("n");
    bench.text("a\tsecond try");
    bench.keys("enter");
    let saved = Effect::SaveNote {
        run: folder(3),
        note: "with distillationasecond try".into(),
    };
    assert!(bench.has_asked(&saved), "{:?}", bench.asked);
    assert!(shown(&bench, (80, 24)).contains("note: with distillationasecond try"));
    bench.keys("o");
    bench.wait(60);
    assert!(shown(&bench, (80, 24)).contains("with distillationasecond try"));
    bench.keys("n ctrl-u");
    bench.text(&"long ".repeat(50));
    bench.keys("enter");
    assert_eq!(
        bench.state.overlays.len(),
        1,
        "too long: it stays to be cut"
    );
    bench.keys("ctrl-u enter");
    let removed = Effect::SaveNote {
        run: folder(3),
        note: String::new(),
    };
    assert!(bench.has_asked(&removed) && bench.state.overlays.is_empty());
}

#[test]
fn who_only_watches_looks_at_runs_and_writes_no_note() {
    let stored = Stored {
        watching: true,
        ..Stored::default()
    };
    let mut bench = Bench::empty(Trouble::None, stored);
    bench.engine.runs = 3;
    bench.work();
    bench.keys("4 a m c w n");
    let list = &bench.state.tune.list;
    assert_eq!(list.marks[0], Some(folder(3)));
    assert_eq!(list.comparison, Comparison::Table);
    assert!(bench.state.overlays.is_empty());
    let (notice, _) = bench.state.toast.clone().unwrap();
    assert!(notice.text.contains("only watches"), "{}", notice.text);
}

#[test]
fn what_is_held_shows_other_selections_but_no_news() {
    let mut bench = with_runs(3);
    bench.keys("f j j m w");
    let drawn = bench.state.drawn();
    assert_eq!(drawn.tune.selected_folder(), Some(folder(1)));
    assert_eq!(drawn.tune.list.marks[0], Some(folder(1)));
    assert_eq!(drawn.tune.look.smoothing, Smoothing::Moderate);
}

#[test]
fn rows_and_controls_can_be_clicked() {
    let mut bench = with_runs(5);
    let mut hits = hawqeye::app::view::Hits::default();
    let mut terminal = ratatui::Terminal::new(ratatui::backend::TestBackend::new(120, 40)).unwrap();
    let theme = theme("terminal", Symbols::UNICODE);
    terminal
        .draw(|frame| hits = hawqeye::app::view::frame(frame, &bench.state, &theme))
        .unwrap();
    let screen = shown(&bench, (120, 40));
    let row_of = |text: &str| screen.lines().position(|line| line.contains(text)).unwrap();
    let target = hits.at(20, row_of("003") as u16);
    assert_eq!(target, Some(Target::Run(2)));
    bench.send(Msg::Mouse {
        gesture: Gesture::Click,
        target,
    });
    assert_eq!(bench.state.tune.selected_folder(), Some(folder(3)));
    let y = row_of("smoothing off");
    let line = screen.lines().nth(y).unwrap();
    let before = line.split("smoothing off").next().unwrap().chars().count();
    bench.send(Msg::Mouse {
        gesture: Gesture::Click,
        target: hits.at(before as u16, y as u16),
    });
    assert_eq!(bench.state.tune.look.smoothing, Smoothing::Moderate);
    bench.send(Msg::Mouse {
        gesture: Gesture::WheelDown,
        target: None,
    });
    assert_eq!(bench.state.tune.selected_folder(), Some(folder(1)));
}

#[test]
fn the_memory_of_the_process_that_trains_is_told_while_it_does() {
    let mut bench = Bench::planned();
    bench.keys("4 enter");
    let [(job, task)] = bench.started().try_into().unwrap();
    bench.begin(job, &task, 10);
    assert!(!shown(&bench, (80, 24)).contains("memory"), "unknown");
    let resident = 423 << 20;
    bench.send(Msg::Job(JobMessage::Memory { job, resident }));
    bench.wait(60);
    assert!(shown(&bench, (80, 24)).contains("memory 423 MB"));
    bench.finish(job, &task, usize::MAX);
    bench.wait(60);
    assert!(!shown(&bench, (80, 24)).contains("memory"), "it is over");
}

#[test]
fn a_run_left_running_by_another_program_is_followed_when_opened() {
    let mut bench = with_runs(3);
    let mut listed = bench.state.tune.list.listed[0].clone();
    Arc::make_mut(&mut listed)
        .found
        .as_mut()
        .unwrap()
        .run
        .status = RunStatus::Running;
    bench.state.tune.list.listed[0] = listed;
    bench.keys("o");
    let [(_, task)] = bench.started().try_into().unwrap();
    let Task::Attach(hawqeye::app::jobs::LeftRunning::Run(left)) = task else {
        panic!("{task:?}")
    };
    assert_eq!((left.folder, left.read), (folder(3), 1000));
}

#[test]
fn the_last_run_is_in_the_list_whatever_folder_it_is_in() {
    let stored = Stored {
        run: Some(StoredRun {
            folder: "elsewhere/run".into(),
            events: fake::tuning(1),
            read: 0,
        }),
        ..Stored::default()
    };
    let mut bench = Bench::empty(Trouble::None, stored);
    bench.engine.runs = 2;
    bench.work();
    bench.keys("4 a");
    let rows = bench.state.tune.rows();
    let folders: Vec<_> = rows.iter().map(|row| row.folder.to_owned()).collect();
    assert_eq!(folders, ["elsewhere/run".into(), folder(2), folder(1)]);
    assert_eq!(bench.state.screen, Screen::Tune);
}

/// Points of one curve that are kept, however long a run is.
const MOST_POINTS: usize = 1000;

#[test]
fn a_hundred_thousand_steps_stay_small() {
    let run = long_run(100_000);
    assert_eq!(run.history.step, 100_000);
    assert!(
        run.kept_points() <= 2 * MOST_POINTS,
        "{}",
        run.kept_points()
    );
    assert!(run.history.stages.len() <= 20 && run.history.evaluations.len() <= 60);
}

/// `cargo test --release --test it a_frame_of_a_long_run -- --ignored --nocapture`
#[test]
#[ignore = "measures a time, which is printed and not judged"]
fn a_frame_of_a_long_run() {
    let mut bench = watching(100_000);
    bench.engine.runs = 8;
    bench.keys("5 4");
    for listed in &mut bench.state.tune.list.listed {
        if let Ok(known) = &mut Arc::make_mut(listed).found {
            let folder = known.run.folder.clone();
            known.run = long_run(100_000);
            known.run.folder = folder;
        }
    }
    let theme = theme("terminal", Symbols::UNICODE);
    for (what, keys) in [
        ("the run", "w"),
        ("six runs, one over the other", "a m j m j m j m j m j m"),
    ] {
        bench.keys(keys);
        let mut times: Vec<_> = (0..200)
            .map(|_| {
                let begin = Instant::now();
                draw(&bench, (200, 60), &theme);
                begin.elapsed()
            })
            .collect();
        times.sort_unstable();
        println!(
            "a frame of {what} at 200x60 after 100,000 steps: median {:.2} ms, worst {:.2} ms",
            1e3 * times[100].as_secs_f64(),
            1e3 * times[199].as_secs_f64()
        );
    }
    let run = bench.state.tune.run.as_ref().unwrap();
    assert!(run.kept_points() <= 2 * MOST_POINTS);
}
