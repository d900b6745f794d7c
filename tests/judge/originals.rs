//! Dequantized weights go back into the tensors of the file: its names, its shapes, its order.

use std::path::Path;

use hawqeye::engine::Result;
use hawqeye::engine::backend::cpu::{Cpu, Isa};
use hawqeye::engine::data::preprocessing::Preprocessing;
use hawqeye::engine::data::{DataSpec, Normalization, Part, Selection};
use hawqeye::engine::export::{About, Format, Request, Written, export};
use hawqeye::engine::import::Options;
use hawqeye::engine::job::Silent;
use hawqeye::engine::model::{Model, weights};
use hawqeye::engine::quant::{LayerBits, QuantizedNetwork, ScaleRule};

use crate::onnx::{File, Tensor};

/// Kernels of rows and columns first, products of channels, matrices either way round, and features of a
/// map in the order of rows.
fn channels_last() -> File {
    File::of(&[0, 1, 28, 28])
        .weights("kernel", &[3, 3, 1, 4])
        .weights("bias", &[1, 4, 1, 1])
        .node("Transpose kernel -> k")
        .with("perm", [3, 2, 0, 1])
        .node("Conv x k -> a")
        .with("strides", [4, 4])
        .node("Add a bias -> b")
        .node("Relu b -> c")
        .node("Transpose c -> d")
        .with("perm", [0, 2, 3, 1])
        .weights("across", &[4, 2])
        .node("MatMul d across -> e")
        .integers("shape", &[-1, 98])
        .node("Reshape e shape -> f")
        .weights("dense", &[98, 6])
        .node("Gemm f dense -> g")
        .float("half", 0.5)
        .node("PRelu g half -> h")
        .weights("plain", &[10, 6])
        .node("Gemm h plain -> y")
        .with("transB", 1)
}

/// A convolution that the old exporter of `PyTorch` put a normalisation into.
fn folded() -> File {
    File::of(&[0, 1, 28, 28])
        .weights("onnx::Conv_1", &[4, 1, 3, 3])
        .weights("onnx::Conv_2", &[4])
        .node("Conv x onnx::Conv_1 onnx::Conv_2 -> a")
        .node("GlobalAveragePool a -> b")
        .node("Flatten b -> c")
        .weights("fc.weight", &[10, 4])
        .node("Gemm c fc.weight -> y")
        .with("transB", 1)
}

fn exported(file: &File, folder: &Path) -> Result<Written> {
    let path = folder.join("net.onnx");
    std::fs::write(&path, file.bytes()).unwrap();
    let model = Model::import(&path, Options::default(), None)?;
    let bits = vec![LayerBits::FLOAT; model.graph.layers().len()];
    let network = QuantizedNetwork::new(&model.graph, &model.parameters, &bits, ScaleRule::Mse)?;
    let normalization = Normalization::new(vec![0.3], vec![0.4])?;
    let images = DataSpec::Demo.load(Part::Test)?;
    let images = Selection::new(&images, &normalization, (0..32).collect())?;
    let about = About {
        model: model.name.clone(),
        data: "demo".to_owned(),
        normalization: normalization.clone(),
        preprocessing: Preprocessing::default(),
        structure: Some(model.structure()),
    };
    let request = Request {
        about: &about,
        network: &network,
        format: Format::Safetensors,
        path: &folder.join("weights"),
    };
    let written = export(&Cpu::new(Isa::detect()), &request, &images, &mut Silent)?;
    Ok(written.unwrap())
}

#[test]
fn weights_come_back_as_the_file_had_them() {
    let (file, folder) = (channels_last(), tempfile::tempdir().unwrap());
    let written = exported(&file, folder.path()).unwrap();
    assert_eq!(written.comparison.different, 0);
    assert!(written.comparison.largest_difference < 1e-6);
    let there = weights::read(&written.path).unwrap();
    let floats = file.tensors.iter().filter(|tensor| tensor.name != "shape");
    for Tensor {
        name, dims, raw, ..
    } in floats
    {
        let own = there.tensor(name).unwrap_or_else(|| panic!("no {name}"));
        let shape: Vec<i64> = own.shape.iter().map(|&extent| extent as i64).collect();
        assert_eq!(shape, *dims, "{name}");
        let bytes: Vec<u8> = own.values.iter().flat_map(|v| v.to_le_bytes()).collect();
        assert_eq!(bytes, *raw, "{name}");
    }
    assert_eq!(there.names().count(), file.tensors.len() - 1);
}

/// As the old exporter of `PyTorch` writes it: slopes and a matrix that it arranged itself, and the equal
/// summands of two normalisations once.
fn arranged() -> File {
    let each = |name: &str, of: &str| Tensor::floats(name, &[2], &of_two(of));
    let file = File::of(&[0, 1, 28, 28])
        .weights("c.weight", &[2, 1, 3, 3])
        .node("Conv x c.weight -> a")
        .called("/c/Conv");
    let file = [("n", "a -> b"), ("m", "b -> d")]
        .into_iter()
        .fold(file, |file, (name, wires)| {
            let (read, written) = wires.split_once(" -> ").unwrap();
            let statistics = [
                format!("{name}.running_mean"),
                format!("{name}.running_var"),
            ];
            let weight = format!("{name}.weight");
            let line = format!(
                "BatchNormalization {read} {weight} n.bias {} {} -> {written}",
                statistics[0], statistics[1]
            );
            file.tensor(each(&weight, &weight))
                .tensor(each(&statistics[0], "mean"))
                .tensor(Tensor::floats(&statistics[1], &[2], &[1.5, 0.5]))
                .node(&line)
                .called(&format!("/{name}/BatchNormalization"))
        });
    file.tensor(each("n.bias", "bias"))
        .tensor(Tensor::floats(
            "onnx::PRelu_9",
            &[2, 1, 1],
            &of_two("slopes"),
        ))
        .node("PRelu d onnx::PRelu_9 -> e")
        .called("/p/PRelu")
        .node("GlobalAveragePool e -> f")
        .node("Flatten f -> g")
        .weights("onnx::MatMul_8", &[2, 10])
        .node("MatMul g onnx::MatMul_8 -> y")
        .called("/fc/MatMul")
}

fn of_two(name: &str) -> [f32; 2] {
    let all = crate::random::Random::of(name).floats(2);
    [all[0], all[1]]
}

#[test]
fn tensors_have_the_names_of_their_modules_where_the_exporter_arranged_them() {
    let folder = tempfile::tempdir().unwrap();
    let written = exported(&arranged(), folder.path()).unwrap();
    let there = weights::read(&written.path).unwrap();
    let shape = |name: &str| there.tensor(name).map(|tensor| tensor.shape.clone());
    for (name, expected) in [
        ("p.weight", vec![2]),
        ("fc.weight", vec![10, 2]),
        ("n.bias", vec![2]),
        ("m.bias", vec![2]),
        ("m.weight", vec![2]),
    ] {
        assert_eq!(shape(name), Some(expected), "{name}");
    }
}

#[test]
fn exported_weights_are_read_for_the_file_that_they_came_from() {
    for file in [channels_last(), arranged()] {
        let folder = tempfile::tempdir().unwrap();
        let written = exported(&file, folder.path()).unwrap();
        let path = folder.path().join("net.onnx");
        let own = Model::import(&path, Options::default(), None).unwrap();
        let source = weights::Source {
            path: &written.path,
            key: None,
        };
        let again = Model::import(&path, Options::default(), Some(source)).unwrap();
        assert_eq!(again.parameters, own.parameters);
    }
}

#[test]
fn folded_weights_have_no_place_among_the_originals() {
    let folder = tempfile::tempdir().unwrap();
    let refused = exported(&folded(), folder.path()).unwrap_err().to_string();
    assert!(
        refused.contains("onnx::Conv_1") && refused.contains("qonnx"),
        "{refused}"
    );
    assert!(!folder.path().join("weights").exists());
}
