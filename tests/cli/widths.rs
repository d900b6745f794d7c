//! Whatever bits a plan has, everything that follows carries them: planning, evaluation, staged
//! fine-tuning, every export and the report.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::{Ended, command, ended, shared};

const WIDTHS: [&str; 8] = ["2", "3", "4", "5", "6", "7", "8", "32"];

/// A network and its images, as options, in a folder for what comes of it.
struct Subject<'a> {
    folder: &'a Path,
    inputs: Vec<String>,
}

impl Subject<'_> {
    fn run(&self, arguments: &[&str]) -> Ended {
        ended(command(arguments).current_dir(self.folder))
    }

    /// With the options that name network and images.
    fn on(&self, arguments: &[&str]) -> Ended {
        let mut command = command(arguments);
        ended(command.args(&self.inputs).current_dir(self.folder))
    }

    fn sensitivity(&self) -> Value {
        serde_json::from_slice(&fs::read(self.folder.join("s.json")).unwrap()).unwrap()
    }

    /// Every width on some row, set by hand, in a plan that a budget chooses the rest of.
    fn every_width(&self) -> Vec<String> {
        let layers = self.sensitivity();
        let layers = layers["layers"].as_array().unwrap().iter();
        let set = layers.zip(WIDTHS.iter().cycle()).take(2 * WIDTHS.len());
        let set = set.map(|(layer, bits)| format!("{}={bits}", layer["layer"].as_str().unwrap()));
        set.flat_map(|set| ["--set".to_owned(), set]).collect()
    }

    /// Plans, evaluates, trains, exports and reports.
    fn carries_every_width(&self) {
        let few = ["--samples", "16", "--tolerance", "0.3", "-o", "s.json"];
        self.on(&[&["analyze"], &few[..]].concat()).done();
        let set = self.every_width();
        let set: Vec<&str> = set.iter().map(String::as_str).collect();
        let all = ["plan", "s.json", "--bits", "2,3,4,5,6,7,8", "-o", "p.toml"];
        let budget = ["--budget", "compression=3.5x"];
        let said = self.run(&[&all[..], &budget, &set].concat()).done().stdout;
        assert!(
            !said.contains("unknown") && !said.contains("without"),
            "{said}"
        );
        let planned = fs::read_to_string(self.folder.join("p.toml")).unwrap();
        for bits in WIDTHS {
            assert!(
                planned.contains(&format!("weight_bits = {bits}\n")),
                "{bits}"
            );
        }
        self.on(&["eval", "--plan", "p.toml"]).done();
        let tune = ["tune", "--plan", "p.toml", "--sensitivity", "s.json"];
        self.on(&[&tune[..], &["--epochs", "1", "-o", "run"]].concat())
            .done();
        for format in ["packed", "qonnx", "safetensors"] {
            let data = self
                .inputs
                .iter()
                .skip_while(|word| *word != "--data")
                .take(2);
            let mut export = command(&["export", "run", "--format", format, "-o", format]);
            let said = ended(export.args(data).current_dir(self.folder))
                .done()
                .stdout;
            assert!(said.contains("0 other predictions"), "{said}");
        }
        self.run(&["report", "run", "-o", "report.html"]).done();
    }
}

#[test]
fn every_width_is_planned_trained_exported_and_reported() {
    let folder = tempfile::tempdir().unwrap();
    let inputs = ["--data", "demo"].map(str::to_owned).to_vec();
    let folder = folder.path();
    Subject { folder, inputs }.carries_every_width();
}

/// The first images of every file of CIFAR-10.
fn few_images(from: &Path, to: &Path) {
    const BYTES: usize = 128 * 3073;
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "bin") {
            let bytes = fs::read(&path).unwrap();
            fs::write(to.join(path.file_name().unwrap()), &bytes[..BYTES]).unwrap();
        }
    }
}

#[test]
fn every_width_is_carried_by_resnet20_on_cifar10() {
    let Some(shared) = shared() else { return };
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let weights = fs::read_dir(shared.join("weights")).unwrap();
    let weights = weights.map(|entry| entry.unwrap().path()).find(|path| {
        let name = path.file_name().unwrap().to_string_lossy();
        name.starts_with("resnet20") && name.ends_with(".safetensors")
    });
    let Some(weights) = weights else {
        eprintln!("skipped: no weights of ResNet20");
        return;
    };
    few_images(&shared.join("data/cifar-10-batches-bin"), folder);
    let weights = weights.to_str().unwrap();
    let inputs = [
        "--model",
        "resnet20",
        "--data",
        "cifar10:.",
        "--weights",
        weights,
    ];
    let inputs = inputs.map(str::to_owned).to_vec();
    Subject { folder, inputs }.carries_every_width();
}

#[test]
fn staged_training_takes_a_file_that_holds_other_widths() {
    let folder = tempfile::tempdir().unwrap();
    let inputs = ["--data", "demo"].map(str::to_owned).to_vec();
    let subject = Subject {
        folder: folder.path(),
        inputs,
    };
    let few = ["--samples", "8", "--tolerance", "0.5", "-o", "s.json"];
    subject.on(&[&["analyze"], &few[..]].concat()).done();
    // As from elsewhere, or from an earlier version: some widths of one rule.
    let mut file = subject.sensitivity();
    for layer in file["layers"].as_array_mut().unwrap() {
        layer
            .as_object_mut()
            .unwrap()
            .remove("perturbation_by_scale");
    }
    fs::write(folder.path().join("s.json"), file.to_string()).unwrap();
    let plan = ["plan", "s.json", "--set", "*=6", "-o", "p.toml"];
    let said = subject.run(&plan).done().stdout;
    let sentence = "conv1 has no perturbation at 6 bits";
    assert!(
        said.contains(sentence) && said.contains("hawqeye analyze"),
        "{said}"
    );
    let tune = ["tune", "--plan", "p.toml", "--sensitivity", "s.json"];
    subject
        .on(&[&tune[..], &["--epochs", "1", "-o", "run"]].concat())
        .done();
}

#[test]
fn loss_changes_at_other_widths_are_asked_for_and_added() {
    let folder = tempfile::tempdir().unwrap();
    let inputs = ["--data", "demo"].map(str::to_owned).to_vec();
    let subject = Subject {
        folder: folder.path(),
        inputs,
    };
    let few = ["--samples", "8", "--metric", "loss-change", "-o", "s.json"];
    subject.on(&[&["analyze"], &few[..]].concat()).done();
    let plan = [
        "plan",
        "s.json",
        "--metric",
        "loss-change",
        "--budget",
        "compression=5x",
    ];
    let wide = [&plan[..], &["--bits", "2,4,6", "--dry-run"]].concat();
    let words = "conv1 has no loss change at 6 bits (and 19 more are lacking); measure it with \
                 hawqeye analyze --data demo --samples 8 --seed 0 --scale";
    subject
        .run(&wide)
        .refused(1, &[words, "--bits 6 --merge -o s.json"]);
    // A layer that is pinned has no choice: the others are allocated, and the sum says so.
    let pinned = [&plan[..], &["--set", "conv1=6", "--dry-run"]].concat();
    let said = subject.run(&pinned).done().stdout;
    assert!(said.contains("by loss-change, without conv1"), "{said}");
    let line = said
        .lines()
        .find(|line| line.contains("conv1 has no loss change at 6 bits"));
    let told = line
        .unwrap()
        .split("measure it with hawqeye ")
        .nth(1)
        .unwrap();
    let told: Vec<&str> = told
        .split(' ')
        .map(|word| word.trim_matches('\''))
        .collect();
    let before = subject.sensitivity();
    subject.run(&told).done();
    let after = subject.sensitivity();
    assert_eq!(before["layers"][1], after["layers"][1]);
    let changes = after["layers"][0]["loss_change"].as_object().unwrap();
    assert_eq!(
        changes.keys().collect::<Vec<_>>(),
        ["2", "3", "4", "6", "8"]
    );
    let said = subject.run(&pinned).done().stdout;
    assert!(!said.contains("without"), "{said}");
}
