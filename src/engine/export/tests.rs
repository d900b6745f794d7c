//! Every format on networks with every operation, and hostile packed files.

use super::compare::compare;
use super::folded::{fold, unfold};
use super::*;
use crate::engine::backend::cpu::{Cpu, Isa};
use crate::engine::backend::{AverageWindow, Pads, Region, Span, Window};
use crate::engine::data::preprocessing::Preprocessing;
use crate::engine::data::{DataSpec, Dataset, Noise, Part, Selection};
use crate::engine::graph::operations::Pad;
use crate::engine::graph::{
    Builder, ConvolutionOptions, LinearOptions, NormOptions, OptionA, Role, Shape, single,
};
use crate::engine::job::Silent;
use crate::engine::model::{Architecture, Model};
use crate::engine::plan::Totals;
use crate::engine::quant::{Bits, LayerBits, ScaleRule};
use crate::engine::seal;

fn bits(weights: u64, activations: u64) -> LayerBits {
    packed::bits_of(Bits::new(weights).unwrap(), Bits::new(activations).unwrap())
}

fn images() -> Dataset {
    DataSpec::Demo.load(Part::Test).unwrap()
}

fn normalization() -> Normalization {
    Architecture::ResNet { depth: 20 }.normalization(1)
}

/// A network whose parameters all differ from those of a fresh one, quantized to `bits` in turn.
fn quantized(graph: &Graph, parameters: Parameters, bits: &[LayerBits]) -> QuantizedNetwork {
    quantized_by(ScaleRule::Mse, graph, parameters, bits)
}

fn quantized_by(
    rule: ScaleRule,
    graph: &Graph,
    mut parameters: Parameters,
    bits: &[LayerBits],
) -> QuantizedNetwork {
    for (index, (spec, id)) in graph
        .parameters()
        .iter()
        .zip(graph.parameter_ids())
        .enumerate()
    {
        if spec.role == Role::Weight {
            continue;
        }
        let values = parameters.get_mut(id).iter_mut().enumerate();
        values.for_each(|(place, value)| {
            *value = single(*value + 0.02 * ((index + place) % 7) as f64);
        });
    }
    let count = graph.layers().len();
    let bits: Vec<LayerBits> = bits.iter().copied().cycle().take(count).collect();
    let mut network = QuantizedNetwork::new(graph, &parameters, &bits, rule).unwrap();
    let (dataset, normalization) = (images(), normalization());
    let images = Selection::new(&dataset, &normalization, (0..32).collect()).unwrap();
    let calibrated = network.calibrate(&Cpu::new(Isa::detect()), &images, &|_| true, &mut Silent);
    assert!(calibrated.unwrap());
    network
}

fn mixed() -> Vec<LayerBits> {
    let pairs = [
        (8, 8),
        (2, 4),
        (3, 8),
        (4, 2),
        (32, 32),
        (5, 3),
        (6, 32),
        (7, 5),
        (32, 4),
    ];
    pairs
        .map(|(weights, activations)| bits(weights, activations))
        .into()
}

fn resnet() -> QuantizedNetwork {
    resnet_by(ScaleRule::Mse)
}

fn resnet_by(rule: ScaleRule) -> QuantizedNetwork {
    let fit = (Shape::map(1, 28, 28), 10);
    let model = Model::untrained(Architecture::ResNet { depth: 20 }, fit, 3).unwrap();
    quantized_by(rule, &model.graph, model.parameters, &mixed())
}

/// Biased and unbiased convolutions, both poolings, a shortcut, flatten, batch normalisation alone.
fn menagerie() -> QuantizedNetwork {
    let (mut builder, image) = Builder::new(Shape::map(1, 28, 28));
    let options = |out_channels, stride, bias| ConvolutionOptions {
        stride,
        bias,
        ..ConvolutionOptions::same(out_channels, [3, 1])
    };
    let window = |size| Window::new([size, size], [size, size]);
    let x = builder
        .convolution("a", image, &options(3, [2, 1], true))
        .unwrap();
    let x = builder.batch_norm("norm", x).unwrap();
    let x = builder.relu("r", x).unwrap();
    let groups = ConvolutionOptions {
        groups: 3,
        dilation: [2, 1],
        ..options(6, [1, 1], false)
    };
    let x = builder.convolution("g", x, &groups).unwrap();
    let x = builder.max_pool("m", x, window(2)).unwrap();
    let y = builder
        .convolution("b", x, &options(5, [1, 2], true))
        .unwrap();
    let option = OptionA {
        stride: 1,
        out_channels: 8,
    };
    let y = builder.option_a("s", y, option).unwrap();
    let average = AverageWindow {
        window: window(3),
        counts_padding: true,
    };
    let y = builder.average_pool("p", y, average).unwrap();
    let y = builder.flatten("f", y).unwrap();
    builder.linear("fc", y, 10).unwrap();
    let graph = builder.finish();
    let parameters = waves(&graph);
    quantized(
        &graph,
        parameters,
        &[bits(4, 8), bits(5, 8), bits(3, 4), bits(8, 6)],
    )
}

/// Parameters that all differ; variances and scales are positive.
fn waves(graph: &Graph) -> Parameters {
    let values = graph.parameters().iter().map(|spec| {
        let wave = |place: usize| ((place * 37 % 101) as f64 - 50.0) / 100.0;
        let positive = matches!(spec.role, Role::RunningVariance | Role::Scale);
        (0..spec.elements())
            .map(|place| {
                if positive {
                    1.0 + wave(place).abs()
                } else {
                    wave(place)
                }
            })
            .collect()
    });
    Parameters::new(values.collect())
}

/// What exporters of others write: pads of four kinds, windows beyond them, clips, normalisation that
/// lacks a part, zeros and slices as nodes, a linear layer without bias; and slopes that are trained.
fn imported(has_slopes: bool) -> QuantizedNetwork {
    let (mut b, image) = Builder::new(Shape::map(1, 28, 28));
    let pads = Pads::onnx;
    let uneven = ConvolutionOptions {
        stride: [2, 2],
        padding: pads([0, 0, 1, 1]),
        bias: true,
        ..ConvolutionOptions::same(6, [3, 3])
    };
    let x = b.convolution("a", image, &uneven).unwrap();
    let norm = |scale, shift| NormOptions {
        epsilon: 1e-3,
        scale,
        shift,
    };
    let x = b.normalization("a norm", x, &norm(false, true)).unwrap();
    let x = b.clip("relu6", x, [0.0, 6.0]).unwrap();
    let average = AverageWindow {
        window: Window {
            padding: pads([1, 0, 0, 0]),
            ceil: true,
            ..Window::new([3, 3], [2, 2])
        },
        counts_padding: false,
    };
    let x = b.average_pool("p", x, average).unwrap();
    let pad = Pad {
        channels: [1, 1],
        places: pads([0, 1, 2, 0]),
    };
    let x = b.pad("zeros", x, pad).unwrap();
    let part = Region {
        channels: Span::run(1, 6),
        ..Region::whole(b.shape(x))
    };
    let x = b.slice("part", x, part).unwrap();
    let depthwise = ConvolutionOptions {
        groups: 6,
        padding: pads([2, 0, 0, 1]),
        ..ConvolutionOptions::same(6, [3, 3])
    };
    let y = b.convolution("b", x, &depthwise).unwrap();
    let y = b.normalization("b norm", y, &norm(true, false)).unwrap();
    let y = b.leaky_relu("leaky", y, 0.1).unwrap();
    let one = ConvolutionOptions::same(8, [1, 1]);
    let y = b.convolution("c", y, &one).unwrap();
    let y = b.normalization("c norm", y, &norm(false, false)).unwrap();
    let y = b.convolution("d", y, &one).unwrap();
    let y = b.scale("scale", y, [true, false]).unwrap();
    let same = ConvolutionOptions { bias: true, ..one };
    let y = b.convolution("e", y, &same).unwrap();
    let y = b.scale("another scale", y, [true, true]).unwrap();
    let y = if has_slopes {
        let y = b.prelu("each", y, 8).unwrap();
        b.prelu("one", y, 1).unwrap()
    } else {
        b.clip("below", y, [f64::NEG_INFINITY, 1.5]).unwrap()
    };
    let dilated = Window {
        dilation: [2, 1],
        ..Window::new([2, 2], [2, 2])
    };
    let y = b.max_pool("m", y, dilated).unwrap();
    let y = b.global_average_pool("g", y).unwrap();
    let y = b.flatten("flat", y).unwrap();
    let y = b.unflatten("map", y).unwrap();
    let linear = LinearOptions {
        outputs: 10,
        bias: false,
    };
    b.linear_layer("fc", y, linear).unwrap();
    let graph = b.finish();
    let bits = [bits(4, 8), bits(5, 8), bits(8, 6), bits(6, 8)];
    quantized(&graph, waves(&graph), &bits)
}

fn about(model: &str) -> About {
    About {
        model: model.to_owned(),
        data: "demo".to_owned(),
        normalization: normalization(),
        preprocessing: Preprocessing::default(),
        structure: None,
    }
}

fn exported(
    network: &QuantizedNetwork,
    model: &str,
    format: Format,
) -> (tempfile::TempDir, Written) {
    exported_as(&about(model), network, format)
}

fn exported_as(
    about: &About,
    network: &QuantizedNetwork,
    format: Format,
) -> (tempfile::TempDir, Written) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(format!("file.{}", format.extension()));
    let (dataset, normalization) = (images(), normalization());
    let images = Selection::new(&dataset, &normalization, (0..200).collect()).unwrap();
    let request = Request {
        about,
        network,
        format,
        path: &path,
    };
    let written = export(&Cpu::new(Isa::detect()), &request, &images, &mut Silent);
    let written = written.unwrap().unwrap();
    let names = fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(names, 1 + usize::from(written.beside.is_some()));
    (folder, written)
}

#[test]
fn every_format_reads_back_as_the_network_it_was_made_from() {
    let networks = [ScaleRule::Mse, ScaleRule::MseChannel].map(resnet_by);
    let formats = |network| Format::ALL.map(|format| (network, format));
    for (network, format) in networks.iter().flat_map(formats) {
        let (_folder, written) = exported(network, "resnet20", format);
        let found = written.comparison;
        // Not a last digit is lost.
        assert!(found.largest_difference == 0.0, "{format}: {found:?}");
        assert_eq!(
            (found.different, found.network),
            (0, found.file),
            "{format}"
        );
        assert_eq!(written.bytes, fs::metadata(&written.path).unwrap().len());
        let bytes = fs::read(&written.path).unwrap();
        assert_eq!(written.sha256, files::sha256_hex(&bytes));
    }
}

#[test]
fn onnx_holds_every_operation() {
    for network in [menagerie(), imported(true), imported(false)] {
        let (_folder, written) = exported(&network, "menagerie", Format::Qonnx);
        let found = written.comparison;
        assert!(found.largest_difference < 1e-4, "{found:?}");
        assert!(found.network.loss > 0.0);
    }
}

/// Normalisation in front of layers and behind a sum, scales of a map that two read, trained slopes, and
/// one layer of one channel.
fn pre_activated() -> QuantizedNetwork {
    let (mut b, image) = Builder::new(Shape::map(1, 28, 28));
    let all = NormOptions {
        epsilon: 1e-3,
        scale: true,
        shift: true,
    };
    let same = |channels| ConvolutionOptions {
        bias: true,
        ..ConvolutionOptions::same(channels, [3, 3])
    };
    let x = b.normalization("image norm", image, &all).unwrap();
    let x = b.convolution("one", x, &same(1)).unwrap();
    let stem = b.convolution("stem", x, &same(6)).unwrap();
    let y = b.normalization("pre", stem, &all).unwrap();
    let y = b.prelu("each", y, 6).unwrap();
    let y = b.convolution("a", y, &same(6)).unwrap();
    let sum = b.add("sum", stem, y).unwrap();
    let bare = NormOptions {
        scale: false,
        shift: false,
        ..all
    };
    let y = b.normalization("behind", sum, &bare).unwrap();
    let y = b.prelu("one slope", y, 1).unwrap();
    let y = b.scale("factor", y, [true, false]).unwrap();
    let y = b.global_average_pool("g", y).unwrap();
    let y = b.flatten("flat", y).unwrap();
    b.linear("fc", y, 10).unwrap();
    let graph = b.finish();
    let bits = [bits(4, 8), bits(32, 8), bits(3, 6), bits(5, 32)];
    let parameters = waves(&graph);
    quantized_by(ScaleRule::MseChannel, &graph, parameters, &bits)
}

/// What a file says of a network that is no preset.
fn about_graph(network: &QuantizedNetwork) -> About {
    About {
        structure: Some(Structure {
            name: "menagerie".to_owned(),
            graph: base(network),
            imported: None,
        }),
        ..about("menagerie")
    }
}

fn base(network: &QuantizedNetwork) -> Graph {
    network
        .graph
        .without_quantizers(network.base_parameters())
        .unwrap()
}

#[test]
fn a_packed_file_holds_every_operation_and_its_size_is_known_before() {
    let networks = [
        (menagerie(), ScaleRule::Mse),
        (imported(true), ScaleRule::Mse),
        (imported(false), ScaleRule::Mse),
        (pre_activated(), ScaleRule::MseChannel),
    ];
    for (network, rule) in networks {
        let about = about_graph(&network);
        let (_folder, written) = exported_as(&about, &network, Format::Packed);
        let found = written.comparison;
        assert!(found.largest_difference < 1e-4, "{found:?}");
        assert_eq!(
            (found.different, found.network.correct),
            (0, found.file.correct)
        );
        check_size((&network, rule), &about);
    }
}

#[test]
fn a_network_on_features_goes_through_every_format() {
    let (mut b, x) = Builder::new(Shape::Features(20));
    let x = b.linear("first", x, 8).unwrap();
    let x = b.prelu("slope", x, 1).unwrap();
    b.linear("fc", x, 3).unwrap();
    let graph = b.finish();
    let pairs = [bits(4, 32), bits(8, 32)];
    let network = QuantizedNetwork::new(&graph, &waves(&graph), &pairs, ScaleRule::Mse).unwrap();
    let images = Noise {
        shape: graph.input_shape(),
        count: 32,
        seed: 1,
    };
    let about = About {
        normalization: Normalization::none(20),
        ..about_graph(&network)
    };
    for format in Format::ALL {
        let folder = tempfile::tempdir().unwrap();
        let request = Request {
            about: &about,
            network: &network,
            format,
            path: &folder.path().join("file"),
        };
        let written = export(&Cpu::new(Isa::detect()), &request, &images, &mut Silent);
        let found = written.unwrap().unwrap().comparison;
        assert!(found.largest_difference < 1e-5, "{format}: {found:?}");
    }
}

#[test]
fn numbers_besides_those_of_layers_survive_bit_for_bit_or_are_refused() {
    let network = pre_activated();
    let about = about_graph(&network);
    let (folder, written) = exported_as(&about, &network, Format::Packed);
    let read = packed::read(&written.path).unwrap();
    let values = |graph: &Graph, parameters: &Parameters, name: &str| {
        let specs = graph.parameters().iter();
        let at = specs
            .zip(parameters.all())
            .find(|(spec, _)| &*spec.name == name);
        at.unwrap().1.clone()
    };
    for name in ["pre.running_var", "behind.running_mean", "each.weight"] {
        let there = values(&read.graph, &read.parameters, name);
        assert_eq!(
            there,
            values(&network.graph, &network.parameters, name),
            "{name}"
        );
    }
    let broken = |part: &str, number: f32| {
        let mut network = network.clone();
        let id = network
            .graph
            .parameter_ids()
            .find(|id| &*network.graph.parameters()[id.index()].name == part);
        network.parameters.get_mut(id.unwrap())[0] = f64::from(number);
        let path = folder.path().join("broken");
        let request = Request {
            about: &about,
            network: &network,
            format: Format::Packed,
            path: &path,
        };
        fs::write(&path, packed::encoded(&request).unwrap().bytes).unwrap();
        packed::read(&path).unwrap_err().to_string()
    };
    for (part, number) in [
        ("pre.running_var", -1.0),
        ("each.weight", f32::NAN),
        ("factor.weight", f32::INFINITY),
    ] {
        let refused = broken(part, number);
        assert!(refused.contains("a number that cannot be"), "{refused}");
    }
}

#[test]
fn folding_keeps_what_a_network_computes() {
    check_folding(&menagerie());
    check_folding(&imported(false));
}

fn check_folding(network: &QuantizedNetwork) {
    let (graph, parameters) = unfold(&base(network), &fold(network)).unwrap();
    let (dataset, normalization) = (images(), normalization());
    let images = Selection::new(&dataset, &normalization, (0..64).collect()).unwrap();
    let pair = [
        (&network.graph, &network.effective()),
        (&graph, &parameters),
    ];
    let found = compare(&Cpu::new(Isa::detect()), pair, &images, &mut Silent);
    let found = found.unwrap().unwrap();
    assert!(found.largest_difference < 1e-4, "{found:?}");
}

#[test]
fn the_size_is_known_before_there_is_a_file() {
    for rule in [ScaleRule::Mse, ScaleRule::MseChannel] {
        check_size((&resnet_by(rule), rule), &about("resnet20"));
        let fit = (Shape::map(1, 28, 28), 10);
        let model = Model::untrained(Architecture::ResNet { depth: 20 }, fit, 3).unwrap();
        let float = quantized_by(rule, &model.graph, model.parameters, &[LayerBits::FLOAT]);
        check_size((&float, rule), &about("resnet20"));
    }
}

fn check_size((network, rule): (&QuantizedNetwork, ScaleRule), about: &About) {
    let request = Request {
        about,
        network,
        format: Format::Packed,
        path: Path::new("file"),
    };
    let bytes = packed::encoded(&request).unwrap().bytes.len() as u64;
    let graph = base(network);
    let facts = LayerFacts::of(&graph);
    let mut plan = Plan::uniform(&about.model, &facts, Bits::FLOAT, Bits::FLOAT);
    plan.scale = rule;
    for (layer, bits) in plan.layers.iter_mut().zip(&network.bits) {
        (layer.weight_bits, layer.activation_bits) = (bits.weights, bits.activations);
    }
    let envelope = about.envelope(&graph);
    assert_eq!(predicted_bytes(&facts, &plan, Some(&envelope)), Some(bytes));
    // Without knowing what is around the layers: what a preset has around them, or nothing.
    match predicted_bytes(&facts, &plan, None) {
        Some(predicted) => assert!((bytes as f64 / predicted as f64 - 1.0).abs() < 1e-3),
        None => assert!(about.structure.is_some()),
    }
}

#[test]
fn at_thirteen_times_a_packed_file_is_little_more_than_its_weights() {
    let graph = Architecture::ResNet { depth: 20 }
        .graph(Shape::map(3, 32, 32), 10)
        .unwrap();
    let facts = LayerFacts::of(&graph);
    let four = Bits::new(4).unwrap();
    let mut plan = Plan::uniform("resnet20", &facts, Bits::MIN, four);
    // Half of the weights at 3 bits: 12.8 times smaller.
    let half = facts.iter().map(|f| f.parameters).sum::<usize>() / 2;
    let mut taken = 0;
    for (layer, facts) in plan.layers.iter_mut().zip(&facts) {
        if taken < half {
            layer.weight_bits = Bits::new(3).unwrap();
            taken += facts.parameters;
        }
    }
    let ratio = predicted_bytes(&facts, &plan, None).unwrap() as f64
        / Totals::of(&facts, &plan).weight_bytes();
    assert!(ratio < 1.12, "{ratio}");
}

#[test]
fn a_damaged_packed_file_is_a_sentence() {
    let (folder, written) = exported(&resnet(), "resnet20", Format::Packed);
    let bytes = fs::read(&written.path).unwrap();
    let path = folder.path().join("damaged");
    let read = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        packed::read(&path)
    };
    for len in [0, 7, 8, 100, bytes.len() / 2, bytes.len() - 1] {
        assert!(read(&bytes[..len]).is_err(), "{len}");
    }
    let change = |from: &str, to: &str| {
        assert_eq!(from.len(), to.len());
        let found = bytes
            .windows(from.len())
            .position(|part| part == from.as_bytes());
        let at = found.unwrap();
        let mut changed = bytes.clone();
        changed[at..at + from.len()].copy_from_slice(to.as_bytes());
        let refused = read(&changed).unwrap_err().to_string();
        assert!(refused.contains("checksum"), "{refused}");
        // Somebody may write such a file on purpose.
        seal::seal(&mut changed);
        read(&changed).unwrap_err().to_string()
    };
    let other = change("resnet20", "resnet32");
    assert!(other.contains("bits of 20 layers"), "{other}");
    assert!(change("resnet20", "resnet21").contains("expected one of"));
    assert!(change("1x28x28", "9x28x28").contains("channels"));
    assert!(change("1x28x28", "1xx8x28").contains("expected a number"));
    assert!(change("hawqeye/packed", "hawqeye/poster").contains("hawqeye/poster"));
    assert!(change("8/8 2/4", "9/8 2/4").contains("expected bits"));
    assert!(change("8/8 2/4", "7/8 2/4").contains("layer conv1 takes"));
    assert!(change("\"U8\"", "\"I8\"").contains("of type"));
    // Nothing in the header can bring the reader down.
    for at in 0..1200 {
        for flip in [1, 0x10, 0x80] {
            let mut changed = bytes.clone();
            changed[at] ^= flip;
            seal::seal(&mut changed);
            let _ = read(&changed);
        }
    }
}

#[test]
fn what_cannot_be_written_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let network = resnet();
    let (dataset, normalization) = (images(), normalization());
    let images = Selection::new(&dataset, &normalization, (0..8).collect()).unwrap();
    let about = about("resnet20");
    let to = |path: &Path, observer: &mut dyn Observer| {
        let request = Request {
            about: &about,
            network: &network,
            format: Format::Packed,
            path,
        };
        export(&Cpu::new(Isa::detect()), &request, &images, observer)
    };
    let none = folder.path().join("none").join("file");
    let refused = to(&none, &mut Silent).unwrap_err().to_string();
    assert!(
        refused.contains("cannot write") && refused.contains("none"),
        "{refused}"
    );
    let refused = to(folder.path(), &mut Silent).unwrap_err().to_string();
    assert!(refused.contains("expected the name of a file"), "{refused}");
    let mut stop = |_: crate::engine::job::Event| crate::engine::job::Verdict::Stop;
    assert!(
        to(&folder.path().join("file"), &mut stop)
            .unwrap()
            .is_none()
    );
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}
