//! `report`: pages of projects and runs, and the tables beside them.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::page::Page;
use crate::support::{Ended, command, ended, names};
use crate::tune::{JOINT, planned, tune};

/// A data folder with one project.
struct Home {
    folder: TempDir,
}

impl Home {
    fn new(project: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("projects").join(project).join("runs")).unwrap();
        Self { folder }
    }

    fn project(&self, name: &str) -> PathBuf {
        self.folder.path().join("projects").join(name)
    }

    fn report(&self, arguments: &[&str]) -> Ended {
        let mut command = command(&[&["report"], arguments].concat());
        command.env("HAWQEYE_HOME", self.folder.path());
        ended(command.current_dir(self.folder.path()))
    }
}

fn run_record(folder: &Path, model: &str) {
    let settings = serde_json::to_value(hawqeye::engine::finetune::Settings::default()).unwrap();
    let record = json!({
        "format": "hawqeye/run", "version": 1, "program": "0.1.0", "device": "cpu",
        "model": {"name": model, "weights_sha256": "ab", "image": [1, 28, 28], "classes": 10, "parameters": 5},
        "data": {"name": "demo", "train_sha256": "c", "test_sha256": "d",
                 "normalization": {"mean": [0.5], "std": [0.5]}},
        "scale": "mse", "plan": [["conv1", "4/4"]], "stages": [["conv1"]], "settings": settings,
    });
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join("settings.json"), record.to_string()).unwrap();
}

fn step(step: u64, total: u64, loss: &str) -> String {
    format!(
        "{{\"event\":\"step\",\"step\":{step},\"total\":{total},\"epoch\":0,\"stage\":0,\
         \"loss\":{loss},\"accuracy\":0.5,\"learning_rate\":0.1,\"images\":8}}\n"
    )
}

/// A sensitivity file of so many layers, named by `name`.
fn sensitivity(layers: usize, name: impl Fn(usize) -> String) -> String {
    let layer = |at: usize| {
        let size = at as f64 + 1.0;
        json!({
            "layer": name(at), "kind": "conv2d", "shape": [8, 8, 3, 3], "parameters": 576,
            "macs": 1000, "activation_size": 64, "eigenvalue": (size * 0.7).sin() * 10.0 / size,
            "iterations": 5, "residual": 1e-4, "converged": at % 7 != 3, "trace": 3.0 / size,
            "mean_trace": 3.0 / size / 576.0, "sensitivity": 10.0 / size / 576.0,
            "perturbation": {"2": 4.0, "4": 0.5, "8": 0.01},
            "loss_change": {"2": 0.3 / size, "4": 0.01, "8": -1e-5},
        })
    };
    json!({"layers": (0..layers).map(layer).collect::<Vec<_>>()}).to_string()
}

fn plan(layers: usize, name: impl Fn(usize) -> String) -> String {
    let mut text = "format = \"hawqeye/plan\"\nversion = 1\n".to_owned();
    for at in 0..layers {
        let name = toml_text(&name(at));
        let bits = [2, 4, 8, 32][at % 4];
        writeln!(
            text,
            "[[layer]]\nname = {name}\nweight_bits = {bits}\nactivation_bits = 4\npinned = {}",
            at == 1
        )
        .unwrap();
    }
    text
}

fn toml_text(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[test]
fn a_run_of_the_real_commands_becomes_a_page_and_tables() {
    let folder = planned();
    let folder = folder.path();
    let hawqeye = |arguments: &[&str]| ended(command(arguments).current_dir(folder)).done();
    let analyze = [
        "analyze",
        "--samples",
        "8",
        "--tolerance",
        "0.1",
        "-o",
        "s.json",
    ];
    hawqeye(&[&analyze[..], &["--metric", "eigenvalue,trace"]].concat());
    hawqeye(&[
        "plan",
        "s.json",
        "--budget",
        "compression=10x",
        "-o",
        "p.toml",
    ]);
    tune(folder, &[&JOINT[..], &["1", "-o", "run"]].concat()).done();
    fs::copy(folder.join("s.json"), folder.join("run/sensitivity.json")).unwrap();

    let page = hawqeye(&["report", "run"]).stdout;
    let again = hawqeye(&["report", "run", "-o", "run.html", "--csv", "tables"]);
    assert_eq!((again.stdout.as_str(), again.stderr.as_str()), ("", ""));
    assert_eq!(
        fs::read_to_string(folder.join("run.html")).unwrap(),
        page,
        "the same bytes"
    );
    assert!(
        !page.contains(folder.to_str().unwrap()),
        "no path of this machine"
    );

    let read = Page::read(&page);
    // Eigenvalue, trace, bits, two frontiers, three curves.
    assert_eq!(read.all("role").filter(|role| *role == "img").count(), 8);
    for word in [
        "layer3.2.conv2",
        "W-comp",
        "10.",
        "rank correlation",
        "Frontier by trace",
        "validation",
        "Loss changes were not measured",
        "joint, 1 stage",
        "does not record what was exported",
        "arXiv 1902.08153",
    ] {
        assert!(read.text.contains(word), "{word}");
    }
    let tables = [
        "evaluations",
        "frontier-eigenvalue",
        "frontier-trace",
        "perturbation",
        "plan-totals",
        "plan",
        "rank-agreement",
        "runs",
        "sensitivity",
        "stages",
        "steps",
    ];
    let files: Vec<String> = tables
        .iter()
        .flat_map(|name| [format!("{name}.csv"), format!("{name}.json")])
        .collect();
    assert_eq!(names(&folder.join("tables")), files);
    let plan = fs::read(folder.join("tables/plan.json")).unwrap();
    let plan: Value = serde_json::from_slice(&plan).unwrap();
    assert_eq!(plan.as_array().unwrap().len(), 20);
    assert_eq!(plan[0]["layer"], "conv1");
    let runs = fs::read_to_string(folder.join("tables/runs.csv")).unwrap();
    assert!(runs.starts_with("run,outcome,schedule,"), "{runs}");
    assert!(runs.contains("\r\nrun,done,joint,1,"), "{runs}");
}

#[test]
fn an_empty_project_says_what_is_missing() {
    let home = Home::new("fresh");
    let page = home.report(&["fresh"]).done();
    assert_eq!(page.stderr, "");
    let read = Page::read(&page.stdout);
    for sentence in [
        "Not analysed yet",
        "No plan yet",
        "No run yet",
        "Nothing was exported",
        "not recorded",
    ] {
        assert!(read.text.contains(sentence), "{sentence}");
    }
    assert_eq!(read.count("table"), 0);
    home.report(&["fresh", "-o", "page.html", "--csv", "tables"])
        .done();
    assert!(names(&home.folder.path().join("tables")).is_empty());
}

#[test]
fn numbers_that_are_not_finite_are_said_and_not_drawn() {
    let home = Home::new("p");
    let run = home.project("p").join("runs/001");
    run_record(&run, "resnet20");
    let losses = ["2.0", "null", "NaN", "Infinity", "1.0"];
    let mut text: String = (1..)
        .zip(losses)
        .map(|(at, loss)| step(at, 9, loss))
        .collect();
    text += "{\"event\":\"evaluated\",\"split\":\"validation\",\"label\":\"epoch 1\",\"step\":5,\
             \"score\":{\"loss\":null,\"correct\":1,\"correct_top5\":2,\"total\":4}}\n";
    text += "not an event\n{\"event\":\"st";
    fs::write(run.join("events.jsonl"), text).unwrap();
    let page = home.report(&["p"]).done().stdout;
    let read = Page::read(&page);
    assert!(
        read.text
            .contains("3 steps with a loss or an accuracy that is not finite")
    );
    assert!(
        read.text
            .contains("1 line of events.jsonl could not be read")
    );
    assert!(read.text.contains("25.00 %, loss not finite"));
    let tables = home.folder.path().join("t");
    home.report(&["p", "-o", "x", "--csv", "t"]).done();
    let steps: Value =
        serde_json::from_slice(&fs::read(tables.join("steps.json")).unwrap()).unwrap();
    assert_eq!(steps[1]["loss"], Value::Null);
    assert_eq!(steps[4]["loss"], 1.0);
}

#[test]
fn two_hundred_layers_and_a_hundred_thousand_steps_stay_one_page() {
    let home = Home::new("large");
    let project = home.project("large");
    let name = |at: usize| {
        format!(
            "stage{}.block{}.convolution.with.a.long.name{at}",
            at / 20,
            at % 20
        )
    };
    fs::write(project.join("sensitivity.json"), sensitivity(200, name)).unwrap();
    fs::write(project.join("plan.toml"), plan(200, name)).unwrap();
    let run = project.join("runs/001");
    run_record(&run, "other");
    let steps: String = (1..=100_000)
        .map(|at| step(at, 100_000, &format!("{}", 2.0 / (at as f64).sqrt())))
        .collect();
    fs::write(run.join("events.jsonl"), steps).unwrap();
    let page = home.report(&["large"]).done().stdout;
    assert!(page.len() < 1_000_000, "{} bytes", page.len());
    let read = Page::read(&page);
    assert!(read.text.contains("100,000 of 100,000") && read.text.contains("name199"));
    assert!(read.text.contains("n.c.") && read.text.contains("negative (-)"));
}

#[test]
fn hostile_names_stay_text() {
    let hostile = "<script>alert(1)</script>\"'&amp;";
    let home = Home::new("p");
    let project = home.project("p");
    let name = |at: usize| format!("{hostile}{at}");
    fs::write(project.join("sensitivity.json"), sensitivity(3, name)).unwrap();
    fs::write(project.join("plan.toml"), plan(3, name)).unwrap();
    let inputs = format!(
        "model = {0}\ndata = {0}\nweights_sha256 = {0}\n",
        toml_text(hostile)
    );
    fs::write(project.join("inputs.toml"), inputs).unwrap();
    let run = project.join("runs/<img src=x onerror=x>");
    run_record(&run, hostile);
    let stage = json!({"event": "stage", "index": 0, "total": 1, "layers": [hostile]});
    let evaluated = json!({"event": "evaluated", "split": "validation", "label": hostile, "step": 1,
        "score": {"loss": 1.0, "correct": 1, "correct_top5": 1, "total": 2}});
    let text = format!("{stage}\n{}{evaluated}\n", step(1, 1, "1"));
    fs::write(run.join("events.jsonl"), text).unwrap();
    fs::create_dir(project.join("exports")).unwrap();
    fs::write(project.join("exports/<svg onload=x>.onnx"), "x").unwrap();
    let page = home.report(&["p", "--csv", "t"]).done().stdout;
    let read = Page::read(&page);
    assert!(read.text.matches("<script>alert(1)</script>").count() > 9);
    assert!(read.text.contains("<img src=x onerror=x>") && read.text.contains("<svg onload=x>"));
    let csv = fs::read_to_string(home.folder.path().join("t/plan.csv")).unwrap();
    assert!(
        csv.contains("\"<script>alert(1)</script>\"\"'&amp;0\",8 x 8 x 3 x 3,576,2,4,"),
        "{csv}"
    );
}

#[test]
fn what_cannot_be_read_is_named_in_its_section_and_aloud() {
    let home = Home::new("p");
    let project = home.project("p");
    fs::write(project.join("sensitivity.json"), "{").unwrap();
    fs::write(project.join("plan.toml"), "format = 3\n").unwrap();
    let page = home.report(&["p"]).done();
    let warnings: Vec<&str> = page.stderr.lines().collect();
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(
        warnings.iter().all(|line| line.starts_with("warning: ")),
        "{warnings:?}"
    );
    let read = Page::read(&page.stdout);
    assert!(
        read.text
            .contains("The measurements cannot be read: sensitivity.json")
    );
    assert!(
        read.text
            .contains("The plan cannot be read: plan.toml: line 1")
    );
    assert_eq!(home.report(&["p", "--quiet"]).done().stderr, "");
}

#[test]
fn what_is_no_project_and_no_run_is_one_sentence() {
    let home = Home::new("mine");
    home.report(&["yours"])
        .refused(1, &["no project yours", "hawqeye tune -o", "are mine"]);
    home.report(&["."])
        .refused(1, &["neither a project nor a run"]);
    fs::write(home.folder.path().join("file"), "").unwrap();
    home.report(&["file"]).refused(1, &["file is a file"]);
    home.report(&["mine", "-o", "no/such/page.html"])
        .refused(1, &["cannot write", "page.html"]);
    home.report(&["mine", "--csv", "file"])
        .refused(1, &["file"]);
    let broken = home.folder.path().join("broken");
    fs::create_dir(&broken).unwrap();
    fs::write(broken.join("settings.json"), "{").unwrap();
    home.report(&["broken"])
        .refused(1, &["settings.json", "expected the settings of a run"]);
    assert_eq!(home.report(&[]).code, 2);
    assert_eq!(home.report(&["mine", "--csv"]).code, 2);
}
