//! `--expect`: the outputs of the judge given to the program as those of the user's own runtime.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::compare::runtime;
use crate::onnx::File;
use crate::random::Random;

/// Inputs that are compared.
const INPUTS: usize = 4;

/// An array of NumPy: `<f4`, rows first.
fn npy(path: &Path, shape: &[usize], values: &[f32]) {
    let extents: Vec<String> = shape.iter().map(ToString::to_string).collect();
    let header = format!(
        "{{'descr': '<f4', 'fortran_order': False, 'shape': ({},), }}",
        extents.join(", ")
    );
    let header = format!("{header:<117}\n");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    fs::write(path, bytes).unwrap();
}

fn inspect(folder: &Path, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hawqeye"));
    command.current_dir(folder).args(["inspect", "net.onnx"]);
    command
        .args(["--expect", "x.npy,y.npy"])
        .args(more)
        .output()
        .unwrap()
}

/// A folder with a network, inputs, and what the judge makes of them.
fn written(end: &str) -> (tempfile::TempDir, Vec<f32>) {
    let folder = tempfile::tempdir().unwrap();
    let file = File::of(&[0, 3, 6, 5])
        .weights("w", &[4, 3, 3, 3])
        .weights("b", &[4])
        .node("Conv x w b -> a")
        .with("kernel_shape", [3, 3])
        .node("Flatten a -> f")
        .node(&format!("{end} f -> y"));
    let path = folder.path().join("net.onnx");
    fs::write(&path, file.bytes()).unwrap();
    let images = Random::of("expect").floats(INPUTS * 3 * 6 * 5);
    let shape = [INPUTS, 3, 6, 5];
    npy(&folder.path().join("x.npy"), &shape, &images);
    let outputs = runtime(&path, &shape, &images).unwrap();
    let outputs: Vec<f32> = outputs.into_iter().map(|value| value as f32).collect();
    (folder, outputs)
}

/// A softmax at the end, which is taken off, is put back for the comparison.
#[test]
fn the_largest_difference_from_the_users_outputs_is_told() {
    let (folder, mut outputs) = written("Softmax");
    let columns = outputs.len() / INPUTS;
    let y = folder.path().join("y.npy");
    npy(&y, &[INPUTS, columns], &outputs);
    let ended = inspect(folder.path(), &["--json"]);
    assert!(ended.status.success(), "{ended:?}");
    let told: Value = serde_json::from_slice(&ended.stdout).unwrap();
    let expect = &told["expect"];
    assert!(
        expect["largest_difference"].as_f64().unwrap() < 1e-5,
        "{told}"
    );
    assert_eq!(
        (&expect["inputs"], &expect["same_class"]),
        (&INPUTS.into(), &INPUTS.into())
    );

    outputs[2 * columns] += 0.5;
    npy(&y, &[INPUTS, columns], &outputs);
    let ended = inspect(folder.path(), &[]);
    let said = String::from_utf8_lossy(&ended.stdout).into_owned();
    assert!(said.contains("by 5.000e-1 at most (input 2,"), "{said}");
    assert_eq!(ended.status.code(), Some(1));
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(said.contains("more than rounding makes"), "{said}");
}

#[test]
fn outputs_of_another_shape_are_refused_in_a_sentence() {
    let (folder, outputs) = written("LogSoftmax");
    let columns = outputs.len() / INPUTS;
    npy(
        &folder.path().join("y.npy"),
        &[INPUTS, columns - 1],
        &outputs[INPUTS..],
    );
    let ended = inspect(folder.path(), &[]);
    assert_eq!(ended.status.code(), Some(1));
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    let expected = format!("expected the outputs of {INPUTS} inputs: {INPUTS} x {columns}");
    assert!(said.contains(&expected), "{said}");
}
