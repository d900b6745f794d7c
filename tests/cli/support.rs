//! What every test of the program needs: the program itself, and small inputs.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use hawqeye::engine::data::{DataSpec, Part, image_shape};
use hawqeye::engine::graph::Shape;
use hawqeye::engine::model::Model;
use hawqeye::engine::model::weights::{NamedTensor, write_safetensors};
use hawqeye::engine::plan;
use serde_json::Value;
use tempfile::TempDir;

/// How a run of the program ended.
#[derive(Debug)]
pub struct Ended {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    /// The run succeeded.
    #[track_caller]
    pub fn done(self) -> Self {
        assert_eq!(self.code, 0, "{self:?}");
        self
    }

    /// The run failed with this exit code and one sentence that holds `words`.
    #[track_caller]
    pub fn refused(self, code: i32, words: &[&str]) {
        assert_eq!(self.code, code, "{self:?}");
        assert_eq!(self.stdout, "", "{self:?}");
        let lines: Vec<&str> = self.stderr.lines().collect();
        assert!(
            lines.len() == 1 && lines[0].starts_with("error: "),
            "{self:?}"
        );
        for word in words {
            assert!(self.stderr.contains(word), "{word:?} in {:?}", self.stderr);
        }
    }
}

pub fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hawqeye"));
    command.args(arguments).stdin(Stdio::null());
    for name in ["HAWQEYE_LOG", "COLUMNS", "NO_COLOR"] {
        command.env_remove(name);
    }
    command.env(
        "HAWQEYE_HOME",
        std::env::temp_dir().join("hawqeye-test-no-such-folder"),
    );
    command
}

pub fn ended(command: &mut Command) -> Ended {
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ended {
        code: output.status.code().unwrap_or(-1),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}

pub fn hawqeye(arguments: &[&str]) -> Ended {
    ended(&mut command(arguments))
}

pub fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// A folder with the weights of an untrained ResNet20 for the demo's images.
pub struct Untrained {
    pub folder: TempDir,
}

impl Untrained {
    pub fn new() -> Self {
        Self::spoiled(|_, _| {})
    }

    pub fn spoiled(spoil: impl Fn(&str, &mut Vec<f32>)) -> Self {
        let dataset = DataSpec::Demo.load(Part::Test).unwrap();
        Self::of((image_shape(&dataset), dataset.classes), spoil)
    }

    /// For images of CIFAR-10.
    #[cfg(target_os = "linux")]
    pub fn of_cifar() -> Self {
        Self::of((Shape::map(3, 32, 32), 10), |_, _| {})
    }

    fn of(fit: (Shape, usize), spoil: impl Fn(&str, &mut Vec<f32>)) -> Self {
        let model = Model::untrained("resnet20".parse().unwrap(), fit, 1).unwrap();
        let graph = &model.graph;
        let mut tensors = Vec::new();
        for (spec, id) in graph.parameters().iter().zip(graph.parameter_ids()) {
            let mut values: Vec<f32> = model.parameters.get(id).iter().map(|&v| v as f32).collect();
            spoil(&spec.name, &mut values);
            if spec.role.is_in_weights_files() {
                tensors.push(NamedTensor {
                    name: spec.name.to_string(),
                    shape: spec.shape.clone(),
                    values,
                });
            }
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.safetensors");
        write_safetensors(&path, &tensors, &BTreeMap::new()).unwrap();
        Self { folder }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    /// `arguments` with model, weights and data.
    pub fn run(&self, arguments: &[&str]) -> Ended {
        ended(&mut self.command(arguments))
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let weights = self.text("w.safetensors");
        let mut command = command(arguments);
        command.args([
            "--model",
            "resnet20",
            "--data",
            "demo",
            "--weights",
            &weights,
        ]);
        command
    }

    pub fn sensitivity(&self, name: &str) -> Value {
        serde_json::from_slice(&fs::read(self.path(name)).unwrap()).unwrap()
    }
}

/// `../shared`, or nothing, said aloud.
pub fn shared() -> Option<PathBuf> {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    if shared.is_dir() {
        return Some(shared);
    }
    eprintln!("skipped: ../shared is not there");
    None
}

/// Every layer of the demo's network at 4 bits.
pub fn uniform_plan() -> String {
    let dataset = DataSpec::Demo.load(Part::Test).unwrap();
    let fit = (image_shape(&dataset), dataset.classes);
    let model = Model::untrained("resnet20".parse().unwrap(), fit, 1).unwrap();
    let facts = plan::LayerFacts::of(&model.graph);
    let bits = "4".parse().unwrap();
    plan::file::to_toml(&plan::Plan::uniform("resnet20", &facts, bits, bits))
}
