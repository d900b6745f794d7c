//! Small ONNX files, made here, with the traps of exporters in them.

use std::path::Path;

use prost::Message;

use super::onnx::proto::{
    self, Attribute, Dimension, Model, Node, OperatorSet, Property, TensorShape, TensorType, Type,
    ValueInfo, element,
};
use super::{Axis, Layout, Network, Normalization, Operation, Options, Values, read};

/// A file in the making: image `x`, answer `y`.
struct File {
    graph: proto::Graph,
    opset: i64,
}

fn image(name: &str, extents: &[Option<i64>]) -> ValueInfo {
    let dim = extents.iter().map(|&dim_value| Dimension {
        dim_value,
        ..Dimension::default()
    });
    ValueInfo {
        name: name.into(),
        r#type: Some(Type {
            tensor_type: Some(TensorType {
                elem_type: element::FLOAT,
                shape: Some(TensorShape { dim: dim.collect() }),
            }),
            ..Type::default()
        }),
        ..ValueInfo::default()
    }
}

impl File {
    fn new(extents: &[Option<i64>]) -> Self {
        Self {
            graph: proto::Graph {
                input: vec![image("x", extents)],
                output: vec![image("y", &[])],
                ..proto::Graph::default()
            },
            opset: 17,
        }
    }

    fn images(extents: [i64; 3]) -> Self {
        let [a, b, c] = extents.map(Some);
        Self::new(&[None, a, b, c])
    }

    fn opset(mut self, opset: i64) -> Self {
        self.opset = opset;
        self
    }

    fn weights(mut self, name: &str, shape: &[usize]) -> Self {
        let count: usize = shape.iter().product();
        let values = (0..count).map(|at| at as f32 + 1.0);
        self.graph
            .initializer
            .push(proto::Tensor::floats(name, shape, values));
        self
    }

    fn floats(mut self, name: &str, values: &[f32]) -> Self {
        let values = values.to_vec();
        let tensor = proto::Tensor::floats(name, &[values.len()], values.into_iter());
        self.graph.initializer.push(tensor);
        self
    }

    fn integers(mut self, name: &str, values: &[i64]) -> Self {
        self.graph
            .initializer
            .push(proto::Tensor::integers(name, values));
        self
    }

    fn node(self, op_type: &str, inputs: &[&str], output: &str) -> Self {
        self.node_with(op_type, inputs, output, Vec::new())
    }

    fn node_with(
        mut self,
        op_type: &str,
        inputs: &[&str],
        output: &str,
        attribute: Vec<Attribute>,
    ) -> Self {
        self.graph.node.push(Node {
            op_type: op_type.into(),
            name: format!("node_{output}"),
            input: inputs.iter().map(|&name| name.to_owned()).collect(),
            output: vec![output.to_owned()],
            attribute,
            ..Node::default()
        });
        self
    }

    fn bytes(self) -> Vec<u8> {
        let model = Model {
            ir_version: 8,
            producer_name: "here".into(),
            graph: Some(self.graph),
            opset_import: vec![OperatorSet {
                domain: String::new(),
                version: self.opset,
            }],
            ..Model::default()
        };
        model.encode_to_vec()
    }

    fn read(self) -> Result<Network, String> {
        read_bytes(&self.bytes(), Options::default())
    }

    fn network(self) -> Network {
        let network = self.read().unwrap();
        assert_eq!(network.refused, [], "{:?}", network.refused);
        network
    }
}

fn read_bytes(bytes: &[u8], options: Options) -> Result<Network, String> {
    let folder = tempfile::tempdir().unwrap();
    read_in(folder.path(), bytes, options)
}

fn read_in(folder: &Path, bytes: &[u8], options: Options) -> Result<Network, String> {
    let path = folder.join("net.onnx");
    std::fs::write(&path, bytes).unwrap();
    let network = read(&path, options);
    network.map_err(|error| error.to_string().replace(&folder.display().to_string(), ""))
}

fn kinds(network: &Network) -> Vec<&Operation> {
    network
        .steps
        .iter()
        .skip(1)
        .map(|step| &step.operation)
        .collect()
}

#[test]
fn a_layout_is_a_tag_and_the_features_of_a_map_are_brought_into_our_order() {
    let network = File::images([2, 2, 3])
        .weights("kernel", &[2, 3, 1, 1])
        .weights("dense", &[8, 2])
        .floats("offset", &[1.0, 2.0])
        .integers("flat", &[-1, 8])
        .node_with(
            "Transpose",
            &["x"],
            "a",
            vec![Attribute::ints("perm", &[0, 3, 1, 2])],
        )
        .node("Conv", &["a", "kernel"], "b")
        .node_with(
            "Transpose",
            &["b"],
            "c",
            vec![Attribute::ints("perm", &[0, 2, 3, 1])],
        )
        .node("Add", &["c", "offset"], "d")
        .node("Reshape", &["d", "flat"], "e")
        .node("MatMul", &["e", "dense"], "f")
        .node("Softmax", &["f"], "y")
        .network();
    assert_eq!(network.layout, Layout::ChannelsLast);
    assert_eq!(network.softmax.as_deref(), Some("Softmax"));
    let [
        Operation::Conv { bias, .. },
        Operation::Flatten,
        Operation::Linear { weights, .. },
    ] = kinds(&network)[..]
    else {
        panic!("{:?}", network.steps);
    };
    assert_eq!(*network.parameter(bias.unwrap()).values, [1.0, 2.0]);
    let dense = network.parameter(*weights);
    // Input (row, column, channel) of the file, from 0: column 0 of the matrix.
    assert_eq!(
        dense.values[..8],
        [1.0, 5.0, 9.0, 13.0, 3.0, 7.0, 11.0, 15.0]
    );
    assert_eq!(dense.origin.as_ref().unwrap().values, Values::Transposed);
}

#[test]
fn a_baked_batch_is_ignored() {
    let network = File::new(&[Some(2), Some(3), Some(4), Some(4)])
        .weights("fc.weight", &[5, 48])
        .integers("shape", &[2, 48])
        .node("Reshape", &["x", "shape"], "a")
        .node_with(
            "Gemm",
            &["a", "fc.weight"],
            "y",
            vec![Attribute::int("transB", 1)],
        )
        .network();
    assert_eq!(network.outputs[0].shape, [5]);
    let open = File::images([3, 4, 4])
        .weights("fc.weight", &[5, 48])
        .integers("shape", &[7, 48])
        .node("Reshape", &["x", "shape"], "a")
        .node_with(
            "Gemm",
            &["a", "fc.weight"],
            "y",
            vec![Attribute::int("transB", 1)],
        )
        .network();
    assert_eq!(open.steps.last().unwrap().name, "fc");
}

#[test]
fn paddings_are_of_four_sides_whoever_says_so() {
    let pads = |network: &Network| match network.steps[1].operation {
        Operation::Conv { window, .. } => window.pads,
        _ => panic!("{:?}", network.steps),
    };
    let strides = || Attribute::ints("strides", &[2, 2]);
    let of = |attribute: Vec<Attribute>| {
        let file = File::images([1, 8, 8]).weights("w", &[1, 1, 3, 3]);
        file.node_with("Conv", &["x", "w"], "y", attribute)
            .network()
    };
    let upper = of(vec![strides(), Attribute::text("auto_pad", "SAME_UPPER")]);
    assert_eq!(pads(&upper), [0, 0, 1, 1]);
    let lower = of(vec![strides(), Attribute::text("auto_pad", "SAME_LOWER")]);
    assert_eq!(pads(&lower), [1, 1, 0, 0]);
    let told = of(vec![strides(), Attribute::ints("pads", &[1, 0, 0, 1])]);
    assert_eq!(pads(&told), [1, 0, 0, 1]);
    let before = File::images([1, 8, 8])
        .weights("w", &[1, 1, 3, 3])
        .integers("pads", &[0, 0, 0, 1, 0, 0, 2, 3])
        .node("Pad", &["x", "pads"], "a")
        .node("Conv", &["a", "w"], "y")
        .network();
    assert_eq!(pads(&before), [0, 1, 2, 3]);
    assert_eq!(before.steps.len(), 2);
}

#[test]
fn normalisation_comes_in_every_form() {
    let norm = |file: File| {
        file.floats("g", &[2.0; 3])
            .floats("v", &[1.0; 3])
            .floats("m", &[0.0; 3])
    };
    let whole = norm(File::images([3, 2, 2]))
        .node_with(
            "BatchNormalization",
            &["x", "g", "m", "m", "v"],
            "y",
            vec![Attribute::float("epsilon", 0.5)],
        )
        .network();
    assert_eq!(whole.normalization, Normalization::Kept);
    assert!(matches!(
        whole.steps[1].operation,
        Operation::BatchNorm { epsilon: 0.5, .. }
    ));
    let parted = File::images([3, 2, 2])
        .weights("w", &[3, 3, 1, 1])
        .weights("factor", &[1, 3, 1, 1])
        .weights("shift", &[1, 3, 1, 1])
        .node("Conv", &["x", "w"], "a")
        .node("Mul", &["a", "factor"], "b")
        .node("Add", &["b", "shift"], "y")
        .network();
    assert_eq!(parted.normalization, Normalization::Kept);
    assert!(matches!(
        kinds(&parted)[..],
        [
            Operation::Conv { bias: None, .. },
            Operation::Scale {
                factor: Some(_),
                shift: Some(_)
            }
        ]
    ));
    let mut folded = File::images([3, 2, 2])
        .weights("conv.weight", &[3, 3, 1, 1])
        .floats("conv.weight_bias", &[1.0; 3])
        .node("Conv", &["x", "conv.weight", "conv.weight_bias"], "y");
    folded.graph.node[0].metadata_props = vec![Property {
        key: "pkg.onnxscript.rewriter.rule_name".into(),
        value: "FuseBatchNormIntoConv".into(),
    }];
    let folded = folded.network();
    assert_eq!(folded.normalization, Normalization::Folded);
    assert_eq!(folded.steps[1].name, "conv");
    let training = norm(File::images([3, 2, 2])).node_with(
        "BatchNormalization",
        &["x", "g", "m", "m", "v"],
        "y",
        vec![Attribute::int("training_mode", 1)],
    );
    assert!(
        training.read().unwrap().refused[0]
            .reason
            .contains("training mode")
    );
}

#[test]
fn shape_arithmetic_zero_biases_and_nothings_are_evaluated() {
    let network = File::images([3, 4, 4])
        .weights("conv.weight", &[2, 3, 1, 1])
        .integers("at", &[0])
        .integers("rest", &[-1])
        .node_with(
            "Shape",
            &["conv.weight"],
            "s",
            vec![Attribute::int("end", 1)],
        )
        .node_with(
            "Constant",
            &[],
            "zero",
            vec![Attribute::float("value_float", 0.0)],
        )
        .node("CastLike", &["zero", "x"], "z")
        .node("Expand", &["z", "s"], "bias")
        .node("Conv", &["x", "conv.weight", "bias"], "a")
        .node("Dropout", &["a"], "b")
        .node("Identity", &["b"], "c")
        .node("Shape", &["c"], "shape")
        .node("Gather", &["shape", "at"], "n")
        .node_with(
            "Concat",
            &["n", "rest"],
            "to",
            vec![Attribute::int("axis", 0)],
        )
        .node("Reshape", &["c", "to"], "y")
        .network();
    assert!(matches!(
        kinds(&network)[..],
        [Operation::Conv { bias: None, .. }, Operation::Flatten]
    ));
    assert_eq!(network.outputs[0].shape, [32]);
}

#[test]
fn weights_of_eight_bits_are_what_they_stand_for() {
    let mut file = File::images([1, 2, 2])
        .floats("step", &[0.5, 2.0])
        .node_with(
            "DequantizeLinear",
            &["codes", "step"],
            "w",
            vec![Attribute::int("axis", 0)],
        )
        .node("Conv", &["x", "w"], "y");
    file.graph.initializer.push(proto::Tensor {
        name: "codes".into(),
        data_type: element::INT8,
        dims: vec![2, 1, 1, 1],
        raw_data: vec![0xff, 3],
        ..proto::Tensor::default()
    });
    let network = file.network();
    assert_eq!(*network.parameters[0].values, [-0.5, 6.0]);
    assert_eq!(
        network.parameters[0].origin.as_ref().unwrap().tensor,
        "codes"
    );
}

#[test]
fn old_operators_have_their_settings_elsewhere() {
    let network = File::images([4, 4, 4])
        .opset(9)
        .node_with(
            "Clip",
            &["x"],
            "a",
            vec![Attribute::float("min", 0.0), Attribute::float("max", 6.0)],
        )
        .node_with(
            "Slice",
            &["a"],
            "b",
            vec![
                Attribute::ints("starts", &[0]),
                Attribute::ints("ends", &[2]),
                Attribute::ints("axes", &[1]),
            ],
        )
        .node_with(
            "Pad",
            &["b"],
            "c",
            vec![Attribute::ints("pads", &[0, 1, 0, 0, 0, 0, 0, 0])],
        )
        .node_with(
            "ReduceMean",
            &["c"],
            "y",
            vec![
                Attribute::ints("axes", &[2, 3]),
                Attribute::int("keepdims", 0),
            ],
        )
        .network();
    assert!(matches!(
        kinds(&network)[..],
        [
            Operation::Clip { min: 0.0, max: 6.0 },
            Operation::Slice {
                axis: Axis::Channel,
                start: 0,
                count: 2,
                step: 1
            },
            Operation::Pad {
                channels: [1, 0],
                ..
            },
            Operation::GlobalAveragePool,
            Operation::Flatten,
        ]
    ));
}

#[test]
fn everything_that_is_not_supported_is_in_one_list() {
    let network = File::images([2, 4, 4])
        .weights("fc.weight", &[3, 2])
        .node("Sigmoid", &["x"], "a")
        .node("Mul", &["x", "a"], "b")
        .node("Sigmoid", &["b"], "c")
        .node("GlobalAveragePool", &["c"], "d")
        .node("Flatten", &["d"], "e")
        .node_with(
            "Gemm",
            &["e", "fc.weight"],
            "f",
            vec![Attribute::int("transB", 1)],
        )
        .node("NoSuchThing", &["f"], "y")
        .read()
        .unwrap();
    let listed: Vec<(&str, usize, &str)> = network
        .refused
        .iter()
        .map(|refused| (&*refused.operation, refused.count, &*refused.first))
        .collect();
    let expected = [
        ("Sigmoid", 2, "node_a"),
        ("Mul", 1, "node_b"),
        ("NoSuchThing", 1, "node_y"),
    ];
    assert_eq!(listed, expected);
    assert!(network.steps.iter().any(|step| step.name == "fc"));
}

#[test]
fn weights_that_are_used_twice_are_refused() {
    let network = File::images([2, 4, 4])
        .weights("w", &[2, 2, 1, 1])
        .node("Conv", &["x", "w"], "a")
        .node("Conv", &["a", "w"], "y")
        .read()
        .unwrap();
    assert!(network.refused[0].reason.contains("used twice"));
}

#[test]
fn open_rows_and_columns_are_asked_for() {
    let file = || {
        File::new(&[None, Some(3), None, None])
            .node("GlobalAveragePool", &["x"], "y")
            .bytes()
    };
    let refused = read_bytes(&file(), Options::default()).unwrap_err();
    assert!(refused.contains("--size"), "{refused}");
    let size = Some([8, 6]);
    let network = read_bytes(&file(), Options { size }).unwrap();
    assert_eq!(network.steps[0].form.extents(), [3, 8, 6]);
}

#[test]
fn damaged_and_hostile_files_are_one_sentence_each() {
    let sound = || {
        File::images([1, 4, 4])
            .weights("w", &[1, 1, 3, 3])
            .node("Conv", &["x", "w"], "y")
    };
    let bytes = sound().bytes();
    for end in 0..bytes.len() {
        // A cut between two fields leaves a file without a graph, or without its operators.
        if let Err(refused) = read_bytes(&bytes[..end], Options::default()) {
            assert!(!refused.contains('\n') && refused.len() < 300, "{refused}");
        }
    }
    let told = |file: File| file.read().unwrap_err();
    assert!(told(sound().opset(8)).contains("version 8, expected 9 to 25"));
    let mut huge = sound();
    huge.graph.initializer[0].dims = vec![50_000, 50_000, 1, 1];
    assert!(told(huge).contains("the file holds 36"));
    let twice = sound().weights("w", &[1]);
    assert!(told(twice).contains("tensor w is there twice"));
    let circle = File::images([1, 4, 4])
        .node("Add", &["x", "b"], "a")
        .node("Relu", &["a"], "b");
    let circle = circle.node("Relu", &["b"], "y");
    assert!(told(circle).contains("without circles"));
    let mut half = sound();
    half.graph.initializer[0].data_type = element::FLOAT16;
    half.graph.initializer[0].raw_data = [0x00, 0x7c].repeat(9);
    let network = half.read().unwrap();
    assert!(
        network.refused[0].reason.contains("w holds inf"),
        "{:?}",
        network.refused
    );
    let bomb = File::images([1, 4, 4])
        .integers("shape", &[1 << 20, 1 << 20])
        .node("ConstantOfShape", &["shape"], "a")
        .node("Add", &["x", "a"], "y");
    assert!(
        bomb.read().unwrap().refused[0]
            .reason
            .contains("larger than the file")
    );
}

#[test]
fn external_data_stay_beside_the_network() {
    let folder = tempfile::tempdir().unwrap();
    let beside = folder.path().join("in");
    std::fs::create_dir(&beside).unwrap();
    let floats: Vec<u8> = [0.0_f32, 2.5]
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    std::fs::write(beside.join("net.data"), &floats).unwrap();
    std::fs::write(folder.path().join("out.data"), &floats).unwrap();
    let read = |location: &str, offset: &str| {
        let mut file = File::images([1, 4, 4]).node("Conv", &["x", "w"], "y");
        let entry = |key: &str, value: &str| Property {
            key: key.into(),
            value: value.into(),
        };
        file.graph.initializer.push(proto::Tensor {
            name: "w".into(),
            data_type: element::FLOAT,
            dims: vec![1, 1, 1, 1],
            data_location: proto::EXTERNAL,
            external_data: vec![entry("location", location), entry("offset", offset)],
            ..proto::Tensor::default()
        });
        read_in(&beside, &file.bytes(), Options::default())
    };
    assert_eq!(*read("net.data", "4").unwrap().parameters[0].values, [2.5]);
    assert!(
        read("net.data", "8")
            .unwrap_err()
            .contains("ends before byte 12")
    );
    assert!(
        read("none.data", "0")
            .unwrap_err()
            .contains("put that file beside")
    );
    assert!(
        read("../out.data", "0")
            .unwrap_err()
            .contains("outside of the network's folder")
    );
    assert!(
        read("/etc/passwd", "0")
            .unwrap_err()
            .contains("outside of the network's folder")
    );
    assert!(
        read("net.data", "x")
            .unwrap_err()
            .contains("expected a whole number")
    );
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(folder.path().join("out.data"), beside.join("link.data"))
            .unwrap();
        assert!(
            read("link.data", "0")
                .unwrap_err()
                .contains("outside of the network's folder")
        );
    }
}

#[test]
fn archives_that_hold_no_graph_are_told_apart() {
    use std::io::Write as _;
    let archive = |names: &[&str]| {
        let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        for name in names {
            let options = zip::write::SimpleFileOptions::default()
                .compression_method(zip::CompressionMethod::Stored);
            zip.start_file(*name, options).unwrap();
            zip.write_all(b"{}").unwrap();
        }
        read_bytes(&zip.finish().unwrap().into_inner(), Options::default()).unwrap_err()
    };
    assert!(archive(&["net/data/aotinductor/model/x.so"]).contains("compiled ahead of time"));
    assert!(archive(&["net/data.pkl"]).contains("not one by torch.export.save"));
    assert!(archive(&["n/models/a.json", "n/models/b.json"]).contains("several networks (a, b)"));
    assert!(archive(&["n/models/a.json"]).contains("graph_module"));
}
