//! Every reader, as the program uses it: what is read is also looked at.

use std::fs;
use std::io::{Cursor, Write as _};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use hawqeye::app::config;
use hawqeye::app::project::Project;
use hawqeye::app::symbols::Symbols;
use hawqeye::app::theme::Depth;
use hawqeye::engine::allocate::{Budget, Request, latency};
use hawqeye::engine::data::picture::{Picture, Size};
use hawqeye::engine::data::preprocessing::Resize;
use hawqeye::engine::data::{DataSpec, Part, Reading, preprocessing};
use hawqeye::engine::export::{packed, qonnx};
use hawqeye::engine::finetune::{self, load_run};
use hawqeye::engine::graph::Shape;
use hawqeye::engine::hessian::Metric;
use hawqeye::engine::hessian::sensitivity::Sensitivity;
use hawqeye::engine::import::document::Document;
use hawqeye::engine::import::{self, Options};
use hawqeye::engine::model::{Model, demo};
use hawqeye::engine::plan::{self, Totals};
use hawqeye::project::InputFile;
use hawqeye::report::{self, Source, csv};
use image::ImageFormat;
use zip::CompressionMethod;
use zip::write::{SimpleFileOptions, ZipWriter};

use crate::seeds::Seeds;

/// A reader and the files it is given.
pub struct Reader {
    pub name: &'static str,
    /// Name and content; any of the first is mutated.
    pub files: Vec<(String, Vec<u8>)>,
    /// So many of them.
    pub mutated: usize,
    /// Reads them from a folder; whether they are accepted.
    pub read: fn(&Path) -> bool,
}

impl Reader {
    fn new(name: &'static str, files: Vec<(&str, Vec<u8>)>, read: fn(&Path) -> bool) -> Self {
        let files: Vec<(String, Vec<u8>)> = files
            .into_iter()
            .map(|(name, content)| (name.to_owned(), content))
            .collect();
        Self {
            name,
            mutated: files.len(),
            files,
            read,
        }
    }
}

const SESSION: &[u8] = b"screen = \"bits\"\n";
const SENSITIVITY: &[u8] = include_bytes!("../data/demo/sensitivity.json");
const DEMO_WEIGHTS: &[u8] = include_bytes!("../../assets/demo/resnet20.safetensors");

/// All of them.
#[expect(clippy::too_many_lines, reason = "a table")]
pub fn all(seeds: &Seeds) -> Vec<Reader> {
    let fixture = |name: &str| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
        fs::read(folder.join(name)).unwrap()
    };
    let of_run = |name: &str| fs::read(seeds.run.join(name)).unwrap();
    let plan = of_run("plan.toml");
    let mut run = Reader::new(
        "run",
        vec![
            ("settings.json", of_run("settings.json")),
            ("events.jsonl", of_run("events.jsonl")),
            ("plan.toml", plan.clone()),
            ("checkpoint.safetensors", of_run("checkpoint.safetensors")),
            ("sensitivity.json", SENSITIVITY.to_vec()),
        ],
        read_run,
    );
    run.mutated = 4;
    let (images, labels) = idx();
    vec![
        Reader::new("weights", vec![("w", DEMO_WEIGHTS.to_vec())], read_weights),
        Reader::new(
            "zip",
            vec![("w", fixture("checkpoint-zip.pth"))],
            read_tensors,
        ),
        Reader::new(
            "legacy",
            vec![("w", fixture("checkpoint-legacy.pth"))],
            read_tensors,
        ),
        Reader::new(
            "packed",
            vec![("p", fs::read(&seeds.packed).unwrap())],
            |folder| packed::read(&folder.join("p")).is_ok(),
        ),
        Reader::new(
            "qonnx",
            vec![("q", fs::read(&seeds.qonnx).unwrap())],
            |folder| qonnx::network(&folder.join("q")).is_ok(),
        ),
        Reader::new(
            "onnx",
            vec![("n", fs::read(&seeds.qonnx).unwrap())],
            read_network,
        ),
        Reader::new("pt2", vec![("n", pt2())], read_network),
        Reader::new(
            "idx",
            vec![
                ("t10k-images-idx3-ubyte", images.clone()),
                ("t10k-labels-idx1-ubyte", labels.clone()),
            ],
            read_idx,
        ),
        Reader::new(
            "gzip",
            vec![
                ("t10k-images-idx3-ubyte.gz", zipped(&images)),
                ("t10k-labels-idx1-ubyte.gz", zipped(&labels)),
            ],
            read_idx,
        ),
        Reader::new(
            "cifar",
            vec![
                (
                    "test_batch.bin",
                    (0..4 * 3073_u32).map(|at| (at % 3073 % 10) as u8).collect(),
                ),
                (
                    "batches.meta.txt",
                    b"a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n".to_vec(),
                ),
            ],
            |folder| {
                DataSpec::Cifar10(folder.to_owned())
                    .load(Part::Test)
                    .is_ok()
            },
        ),
        Reader::new(
            "npy",
            vec![
                ("x.npy", npy("|u1", "(2, 3, 4, 3)", &[7; 72])),
                ("y.npy", npy("<i8", "(2,)", &[0; 16])),
            ],
            |folder| {
                let [images, labels] = ["x.npy", "y.npy"].map(|name| folder.join(name));
                all_read(&DataSpec::Npy { images, labels }, &Reading::default())
            },
        ),
        Reader::new("npz", vec![("a.npz", npz())], |folder| {
            all_read(&DataSpec::Npz(folder.join("a.npz")), &Reading::default())
        }),
        Reader::new(
            "any idx",
            vec![
                ("t10k-images-idx3-ubyte", images.clone()),
                ("t10k-labels-idx1-ubyte.gz", zipped(&labels)),
            ],
            |folder| all_read(&DataSpec::Idx(folder.to_owned()), &Reading::default()),
        ),
        pictures(),
        described("timm", TIMM),
        described("face", FACE),
        described(
            "own",
            b"[input]\nsize = [8, 9]\nresize = \"exact\"\nmean = [0.5]\n",
        ),
        described(
            "torchvision",
            b"ImageClassification(\n    crop_size=[8]\n    resize_size=[9]\n    \
            mean=[0.4, 0.5]\n    std=[0.2, 0.2]\n    interpolation=InterpolationMode.BILINEAR\n)",
        ),
        Reader::new(
            "sensitivity",
            vec![("s.json", SENSITIVITY.to_vec())],
            read_sensitivity,
        ),
        Reader::new("plan", vec![("p.toml", plan.clone())], read_plan),
        Reader::new(
            "latency",
            vec![(
                "l.csv",
                b"layer,bits,ms\nconv1,4,0.5\n\"conv1\",8,0.75\nlinear,2,1\n".to_vec(),
            )],
            |folder| latency::read(&folder.join("l.csv")).is_ok(),
        ),
        run,
        Reader::new(
            "project",
            vec![
                (
                    "inputs.toml",
                    b"model = \"resnet20\"\ndata = \"demo\"\nseed = 3\n".to_vec(),
                ),
                ("session.toml", SESSION.to_vec()),
                ("sensitivity.json", SENSITIVITY.to_vec()),
                ("plan.toml", plan),
            ],
            read_project,
        ),
        Reader::new(
            "surroundings",
            vec![
                (
                    "config.toml",
                    include_bytes!("../../assets/config.toml").to_vec(),
                ),
                (
                    "keymap.toml",
                    include_bytes!("../../assets/keymap.toml").to_vec(),
                ),
                (
                    "themes/own.toml",
                    include_bytes!("../../themes/terminal.toml").to_vec(),
                ),
            ],
            read_surroundings,
        ),
    ]
}

const TIMM: &[u8] = br#"{"pretrained_cfg": {"input_size": [3, 8, 8], "crop_pct": 0.9,
    "interpolation": "bicubic", "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}}"#;
const FACE: &[u8] = br#"{"do_resize": true, "size": {"shortest_edge": 9}, "resample": 2,
    "do_center_crop": true, "crop_size": 8, "image_mean": [0.5], "image_std": [0.5]}"#;

/// A preprocessing file, and a picture that goes through it.
fn described(name: &'static str, content: &[u8]) -> Reader {
    Reader::new(name, vec![("p", content.to_vec())], |folder| {
        let Ok(preprocessing) = preprocessing::read(&folder.join("p")) else {
            return false;
        };
        let size = Size {
            height: 11,
            width: 10,
        };
        let picture = Picture::new(size, 3, vec![7; 330]).unwrap();
        // What others want may be large.
        let small = |size: &Size| size.height.max(size.width) <= 256;
        let shorter = match preprocessing.resize {
            Some(Resize::Shorter(side)) => side <= 256,
            _ => true,
        };
        let sizes = [preprocessing.size, preprocessing.crop];
        if shorter && sizes.iter().flatten().all(small) {
            let _ = preprocessing.shape(picture);
        }
        true
    })
}

/// Pictures of every kind, a list of classes and a table of labels.
fn pictures() -> Reader {
    let packed = |format| {
        let pixels = (0..6 * 5 * 3).map(|at| (at * 2) as u8).collect();
        let picture = image::RgbImage::from_raw(6, 5, pixels).unwrap();
        let mut packed = Cursor::new(Vec::new());
        picture.write_to(&mut packed, format).unwrap();
        packed.into_inner()
    };
    let files = vec![
        ("a/1.png", packed(ImageFormat::Png)),
        ("a/2.jpg", packed(ImageFormat::Jpeg)),
        ("b/3.webp", packed(ImageFormat::WebP)),
        ("b/4.bmp", packed(ImageFormat::Bmp)),
        ("b/5.ppm", packed(ImageFormat::Pnm)),
        ("classes.txt", b"a\nb\nc\n".to_vec()),
        ("labels.csv", b"file,label\na/1.png,2\nb/5.ppm,b\n".to_vec()),
    ];
    Reader::new("pictures", files, |folder| {
        let list = Reading {
            classes: Some(folder.join("classes.txt")),
            ..Reading::default()
        };
        let table = Reading {
            labels: Some(folder.join("labels.csv")),
            ..list.clone()
        };
        let spec = DataSpec::Folder(folder.to_owned());
        [list, table].map(|reading| all_read(&spec, &reading)) == [true; 2]
    })
}

fn npy(descr: &str, shape: &str, elements: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n");
    let length = (header.len() as u16).to_le_bytes();
    [
        b"\x93NUMPY\x01\x00",
        &length[..],
        header.as_bytes(),
        elements,
    ]
    .concat()
}

fn npz() -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let arrays = [
        (
            "x.npy",
            npy("<f4", "(2, 1, 3, 4)", &[0; 96]),
            CompressionMethod::Deflated,
        ),
        (
            "y.npy",
            npy("|u1", "(2, 1)", &[0, 9]),
            CompressionMethod::Stored,
        ),
    ];
    for (name, content, method) in arrays {
        let options = SimpleFileOptions::default().compression_method(method);
        zip.start_file(name, options).unwrap();
        zip.write_all(&content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// Whether a set is read to its last image.
fn all_read(spec: &DataSpec, reading: &Reading) -> bool {
    let Ok(dataset) = spec.read(Part::Test, reading) else {
        return false;
    };
    let _ = dataset.checksum();
    (0..dataset.len()).all(|index| dataset.sample(index).is_ok())
}

fn read_network(folder: &Path) -> bool {
    let network = import::read(&folder.join("n"), Options::default());
    // What is not supported is listed, and the rest is told.
    network.is_ok_and(|network| {
        let document = Document::of(&network);
        !(document.layers.is_empty() && document.unsupported.is_empty())
    })
}

/// A linear layer as `torch.export.save` writes it.
fn pt2() -> Vec<u8> {
    let meta = |sizes: &[i64]| {
        let last = sizes.last().copied().unwrap_or(1);
        let of = |numbers: &[i64]| -> Vec<serde_json::Value> {
            let numbers = numbers.iter();
            numbers.map(|n| serde_json::json!({"as_int": n})).collect()
        };
        let strides = if sizes.len() == 2 {
            vec![last, 1]
        } else {
            vec![1]
        };
        serde_json::json!({"dtype": 7, "sizes": of(sizes), "strides": of(&strides),
            "storage_offset": {"as_int": 0}})
    };
    let tensor = |name: &str| serde_json::json!({"as_tensor": {"name": name}});
    let argument = |name: &str, of: &str| serde_json::json!({"name": name, "arg": tensor(of)});
    let parameter = |name: &str, of: &str| serde_json::json!({"parameter": {"arg": {"name": name}, "parameter_name": of}});
    let program = serde_json::json!({
        "graph_module": {
            "graph": {
                "nodes": [
                    {"target": "torch.ops.aten.relu.default", "inputs": [argument("self", "x")],
                     "outputs": [tensor("a")], "metadata": {}, "name": "relu"},
                    {"target": "torch.ops.aten.linear.default",
                     "inputs": [argument("input", "a"), argument("weight", "w"), argument("bias", "b")],
                     "outputs": [tensor("y")], "metadata": {"nn_module_stack": "L,fc,Linear"}},
                ],
                "tensor_values": {"x": meta(&[2, 4])},
            },
            "signature": {
                "input_specs": [parameter("w", "fc.weight"), parameter("b", "fc.bias"),
                    {"user_input": {"arg": tensor("x")}}],
                "output_specs": [{"user_output": {"arg": tensor("y")}}],
            },
        },
        "opset_version": {"aten": 10},
        "schema_version": {"major": 8, "minor": 20},
        "torch_version": "2.15.0",
    });
    let weights = serde_json::json!({"config": {
        "fc.weight": {"path_name": "weight_0", "tensor_meta": meta(&[3, 4])},
        "fc.bias": {"path_name": "weight_1", "tensor_meta": meta(&[3])},
    }});
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let entries = [
        ("net/data/weights/weight_0", vec![1; 48]),
        ("net/data/weights/weight_1", vec![1; 12]),
        (
            "net/data/weights/model_weights_config.json",
            weights.to_string().into_bytes(),
        ),
        ("net/models/model.json", program.to_string().into_bytes()),
    ];
    for (name, content) in entries {
        let options = zip::write::SimpleFileOptions::default()
            .compression_method(zip::CompressionMethod::Stored);
        zip.start_file(name, options).unwrap();
        zip.write_all(&content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn zipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Two images and their labels.
fn idx() -> (Vec<u8>, Vec<u8>) {
    let header = |numbers: &[u32]| -> Vec<u8> {
        numbers
            .iter()
            .flat_map(|number| number.to_be_bytes())
            .collect()
    };
    let images = [header(&[0x803, 2, 28, 28]), vec![7; 2 * 28 * 28]].concat();
    (images, [header(&[0x801, 2]), vec![3, 9]].concat())
}

fn read_idx(folder: &Path) -> bool {
    DataSpec::FashionMnist(folder.to_owned())
        .load(Part::Test)
        .is_ok()
}

fn read_weights(folder: &Path) -> bool {
    let fit = (Shape::map(1, 28, 28), 10);
    Model::load(demo::ARCHITECTURE, fit, &folder.join("w")).is_ok()
}

/// Files that do not hold the network: their tensors are read, and the mismatch is told.
fn read_tensors(folder: &Path) -> bool {
    let read = hawqeye::engine::model::weights::read(&folder.join("w"));
    read_weights(folder) || read.is_ok()
}

fn read_sensitivity(folder: &Path) -> bool {
    let Ok(sensitivity) = Sensitivity::read(&folder.join("s.json")) else {
        return false;
    };
    let budgets = [
        Budget::Compression(10.0),
        Budget::Size(1e5),
        Budget::Bops(1e9),
        Budget::AverageBits(3.0),
        Budget::Latency(1.0),
    ];
    for metric in Metric::ALL {
        let mut request = Request {
            metric,
            ..Request::default()
        };
        for budget in budgets {
            request.budget = Some(budget);
            let allocated = request.allocate(&sensitivity);
            if let Ok(allocated) = &allocated {
                let _ = request.frontier(&allocated.plan, &sensitivity);
            }
        }
    }
    true
}

fn read_plan(folder: &Path) -> bool {
    let path = folder.join("p.toml");
    let graph = demo::load().unwrap().graph;
    let names: Vec<_> = graph
        .layers()
        .iter()
        .map(|layer| layer.name.clone())
        .collect();
    let read = plan::file::read(&path, Some(&names));
    if let Ok(plan) = &read {
        let _ = Totals::of(&plan::LayerFacts::of(&graph), plan);
    }
    plan::file::read(&path, None).is_ok() && read.is_ok()
}

fn read_run(folder: &Path) -> bool {
    let loaded = load_run(folder);
    let events = finetune::read_events(folder);
    let _ = finetune::read_position(folder);
    tell(folder);
    loaded.is_ok() && events.is_ok()
}

/// The page and the tables of a folder.
fn tell(folder: &Path) {
    let source = Source::find(folder, None);
    if let Ok(gathered) = source.and_then(|source| report::gather(&source)) {
        let page = report::page(&gathered);
        assert!(page.ends_with("</html>\n"), "a whole page");
        for table in report::tables(&gathered) {
            let _ = csv::csv(&table);
            let _ = csv::json(&table);
        }
    }
}

fn read_project(folder: &Path) -> bool {
    let project = Project::open(folder);
    let inputs = InputFile::read(&folder.join("inputs.toml"));
    let stored = project.load();
    tell(folder);
    inputs.is_ok() && stored.problems.is_empty()
}

fn read_surroundings(folder: &Path) -> bool {
    let (library, problems) = config::themes(folder);
    let (_, more) = config::settings(folder, &library);
    let (_, of_keys) = config::keymap(folder);
    let loaded: Vec<bool> = library
        .names()
        .map(|name| {
            library
                .load(name, Depth::True, Symbols::detect(None, None))
                .is_ok()
        })
        .collect();
    problems.is_empty() && more.is_empty() && of_keys.is_empty() && loaded.iter().all(|ok| *ok)
}
