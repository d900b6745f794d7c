//! Whole files, real and hostile.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;

use zip::write::SimpleFileOptions;

use super::*;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(name)
}

/// A file of `../shared`, or `None` with a visible note.
fn shared(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../shared")
        .join(name);
    if path.exists() {
        return Some(path);
    }
    eprintln!("skipped: {} is missing", path.display());
    None
}

/// The tensors of a file.
fn parse(bytes: &[u8]) -> Parsed<Vec<NamedTensor>> {
    let content = format::read(bytes).and_then(checked)?;
    Ok(content.tensors)
}

fn reason(bytes: &[u8]) -> String {
    parse(bytes).unwrap_err()
}

/// The bytes of a pickle, piece by piece.
#[derive(Default)]
struct Writer(Vec<u8>);

impl Writer {
    fn new() -> Self {
        Self(vec![0x80, 2])
    }

    fn op(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    fn text(self, text: &str) -> Self {
        let length = (text.len() as u32).to_le_bytes();
        self.op(b"X").op(&length).op(text.as_bytes())
    }

    fn integer(self, value: i64) -> Self {
        self.op(&[0x8a, 8]).op(&value.to_le_bytes())
    }

    fn tuple(self, values: &[i64]) -> Self {
        values
            .iter()
            .fold(self.op(b"("), |writer, &value| writer.integer(value))
            .op(b"t")
    }

    /// A tensor over storage `0` of `count` floats.
    fn tensor(self, count: i64, offset: i64, shape: &[i64], strides: &[i64]) -> Self {
        self.op(b"ctorch._utils\n_rebuild_tensor_v2\n((")
            .text("storage")
            .op(b"ctorch\nFloatStorage\n")
            .text("0")
            .text("cpu")
            .integer(count)
            .op(b"tQ")
            .integer(offset)
            .tuple(shape)
            .tuple(strides)
            .op(b"tR")
    }

    fn stop(self) -> Vec<u8> {
        self.op(b".").0
    }
}

/// A pickle of `{"w": tensor}`.
fn one_tensor(count: i64, offset: i64, shape: &[i64], strides: &[i64]) -> Vec<u8> {
    Writer::new()
        .op(b"}")
        .text("w")
        .tensor(count, offset, shape, strides)
        .op(b"s")
        .stop()
}

fn zipped(entries: &[(&str, &[u8])], options: SimpleFileOptions) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, content) in entries {
        writer.start_file(*name, options).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// A zip file of one pickle and storage `0`.
fn zip_file(pickle: &[u8], storage: &[u8]) -> Vec<u8> {
    let stored = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    zipped(&[("a/data.pkl", pickle), ("a/data/0", storage)], stored)
}

fn floats(values: &[f32]) -> Vec<u8> {
    values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect()
}

/// What `tests/data/README.md` says that the checkpoints hold.
fn check_checkpoint(name: &str) {
    let file = read(&fixture(name)).unwrap();
    let within = "net.module.";
    let names: Vec<&str> = file
        .tensors
        .iter()
        .filter_map(|tensor| tensor.name.strip_prefix(within))
        .collect();
    let expected = [
        "conv.weight",
        "conv.t",
        "half",
        "bf",
        "double",
        "bn.num_batches_tracked",
        "param",
        "view",
    ];
    assert_eq!(names, expected);
    let tensor = |name: &str| file.tensor(&format!("{within}{name}")).unwrap();
    assert_eq!(tensor("conv.weight").shape, [2, 3, 2, 2]);
    let halves: Vec<f32> = (0..24).map(|index| 0.5 * index as f32).collect();
    assert_eq!(tensor("conv.weight").values, halves);
    assert_eq!(tensor("conv.t").shape, [3, 2]);
    assert_eq!(tensor("conv.t").values, [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
    assert_eq!(tensor("half").values, [1.5, -2.25]);
    assert_eq!(tensor("bf").values, [1.5, -2.25]);
    assert_eq!(tensor("double").values, [0.1]);
    assert_eq!(tensor("bn.num_batches_tracked").shape, [0; 0]);
    assert_eq!(tensor("bn.num_batches_tracked").values, [7.0]);
    assert_eq!(tensor("param").values, [3.0, 4.0]);
    assert_eq!(tensor("view").values, [4.0, 6.0]);
}

#[test]
fn a_zip_checkpoint_by_pytorch_is_read() {
    check_checkpoint("checkpoint-zip.pth");
}

#[test]
fn a_legacy_checkpoint_by_pytorch_is_read() {
    check_checkpoint("checkpoint-legacy.pth");
}

#[test]
fn a_whole_module_is_refused_by_its_class() {
    let error = read(&fixture("whole-module.pth")).unwrap_err().to_string();
    assert!(error.contains("torch.nn.modules.linear.Linear"), "{error}");
    assert!(error.contains("model.state_dict()"), "{error}");
}

#[test]
fn every_truncation_of_a_checkpoint_is_one_sentence() {
    for name in ["checkpoint-zip.pth", "checkpoint-legacy.pth"] {
        let bytes = std::fs::read(fixture(name)).unwrap();
        for length in 0..bytes.len() {
            let reason = reason(&bytes[..length]);
            assert!(
                !reason.contains('\n') && reason.len() < 400,
                "{name} at {length}: {reason}"
            );
        }
    }
}

#[test]
fn no_flipped_byte_makes_a_panic() {
    for name in [
        "checkpoint-zip.pth",
        "checkpoint-legacy.pth",
        "whole-module.pth",
    ] {
        let bytes = std::fs::read(fixture(name)).unwrap();
        for position in 0..bytes.len() {
            for flip in [0xff, 0x80, 1] {
                let mut broken = bytes.clone();
                broken[position] ^= flip;
                let _ = parse(&broken);
            }
        }
    }
}

#[test]
fn the_published_weights_are_the_same_in_both_files() {
    let names = [
        "weights/resnet20-12fca82f.th",
        "weights/resnet20-cifar10.safetensors",
    ];
    let (Some(legacy), Some(safe)) = (shared(names[0]), shared(names[1])) else {
        return;
    };
    let (legacy, safe) = (read(&legacy).unwrap(), read(&safe).unwrap());
    let sorted = |file: &WeightsFile| -> BTreeMap<String, NamedTensor> {
        let named = |tensor: &NamedTensor| {
            let name = tensor.name.replace("state_dict.module.", "");
            let short = name.clone();
            (
                name,
                NamedTensor {
                    name: short,
                    ..tensor.clone()
                },
            )
        };
        file.tensors.iter().map(named).collect()
    };
    assert_eq!(legacy.tensors[0].name, "state_dict.module.conv1.weight");
    assert_eq!(sorted(&legacy), sorted(&safe));
    let weights: Vec<&NamedTensor> = legacy
        .tensors
        .iter()
        .filter(|tensor| tensor.name.ends_with("weight") && tensor.shape.len() > 1)
        .collect();
    assert_eq!(weights.len(), 20);
    let trained = legacy
        .tensors
        .iter()
        .filter(|tensor| !tensor.name.contains("running_"));
    assert_eq!(
        trained.map(|tensor| tensor.values.len()).sum::<usize>(),
        269_722
    );
    assert!(
        legacy.sha256.starts_with("12fca82f"),
        "the name holds the hash: {}",
        legacy.sha256
    );
}

#[test]
fn safetensors_are_written_and_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w.safetensors");
    let tensor = |name: &str, shape: &[usize], values: &[f32]| NamedTensor {
        name: name.to_owned(),
        shape: shape.to_vec(),
        values: values.to_vec(),
    };
    let tensors = [
        tensor("z", &[2, 1], &[1.0, -0.0]),
        tensor("empty", &[0], &[]),
        tensor("a", &[], &[f32::NAN]),
    ];
    let metadata = [("plan", "x"), ("bits", "4")].map(|(key, value)| (key.into(), value.into()));
    write_safetensors(&path, &tensors, &metadata.into()).unwrap();
    let file = read(&path).unwrap();
    assert_eq!(file.tensor("z"), Some(&tensors[0]));
    assert_eq!(file.tensor("empty"), Some(&tensors[1]));
    assert_eq!(
        file.sha256,
        crate::engine::files::sha256_of_file(&path).unwrap()
    );
}

#[test]
fn an_entry_that_does_not_fill_its_shape_is_refused() {
    let entry = |bytes| Entry {
        name: "w",
        element: ElementType::U8,
        shape: &[2],
        bytes,
    };
    let metadata = BTreeMap::new();
    assert!(serialize_safetensors(&[entry(&[1, 2])], &metadata).is_ok());
    assert!(serialize_safetensors(&[entry(&[1])], &metadata).is_err());
    assert!(serialize_safetensors(&[entry(&[1, 2]), entry(&[1, 2])], &metadata).is_err());
}

#[test]
fn a_zip_pickle_by_hand_is_read() {
    let bytes = zip_file(
        &one_tensor(6, 1, &[2, 2], &[1, 2]),
        &floats(&[0., 1., 2., 3., 4., 5.]),
    );
    let tensors = parse(&bytes).unwrap();
    assert_eq!(tensors[0].shape, [2, 2]);
    assert_eq!(tensors[0].values, [1.0, 3.0, 2.0, 4.0]);
}

#[test]
fn names_are_never_called() {
    let folder = tempfile::tempdir().unwrap();
    let witness = folder.path().join("executed");
    let command = format!("touch {}", witness.display());
    let pickle = Writer::new()
        .op(b"}(")
        .text("run")
        .op(b"cos\nsystem\n")
        .text(&command)
        .op(b"\x85R")
        .text("w")
        .tensor(1, 0, &[1], &[1])
        .op(b"u")
        .stop();
    let tensors = parse(&zip_file(&pickle, &floats(&[2.5]))).unwrap();
    assert_eq!(tensors.len(), 1);
    assert_eq!(tensors[0].values, [2.5]);
    assert!(!witness.exists());
}

#[test]
fn a_tensor_inside_an_unknown_call_is_refused_by_its_name() {
    let pickle = Writer::new()
        .op(b"}")
        .text("w")
        .op(b"cevil\nwrap\n")
        .tensor(1, 0, &[1], &[1])
        .op(b"\x85Rs")
        .text("b")
        .tensor(1, 0, &[1], &[1])
        .op(b"s")
        .stop();
    let content = format::read(&zip_file(&pickle, &floats(&[1.0]))).unwrap();
    assert_eq!(content.tensors[0].name, "b");
    let reason = &content.hidden[0].reason;
    assert!(
        reason.contains("tensor w is an object of evil.wrap"),
        "{reason}"
    );
}

#[test]
fn a_storage_of_an_unknown_type_is_refused_by_its_type() {
    let known = one_tensor(1, 0, &[1], &[1]);
    let at = known
        .windows(12)
        .position(|window| window == b"FloatStorage")
        .unwrap();
    let pickle = [&known[..at], b"ComplexFloatStorage", &known[at + 12..]].concat();
    let pickle = Writer::new()
        .op(b"}")
        .text("net")
        .op(&pickle[2..pickle.len() - 1])
        .op(b"s");
    let both = pickle.text("ok").tensor(1, 0, &[1], &[1]).op(b"s").stop();
    let content = format::read(&zip_file(&both, &floats(&[1.0]))).unwrap();
    let reason = &content.hidden[0].reason;
    assert!(reason.contains("torch.ComplexFloatStorage"), "{reason}");
}

#[test]
fn huge_and_outlying_views_are_refused_before_memory_is_taken() {
    let max = i64::MAX;
    let storage = floats(&[1.0, 2.0]);
    let hostile: [(i64, i64, &[i64], &[i64]); 7] = [
        (2, 0, &[max, max], &[0, 0]),
        (max, 0, &[max], &[1]),
        (2, 0, &[1 << 40], &[0]),
        (2, 1, &[2], &[1]),
        (2, 0, &[2], &[max]),
        (2, max, &[1], &[1]),
        (2, 0, &[-2], &[1]),
    ];
    for (count, offset, shape, strides) in hostile {
        let reason = reason(&zip_file(
            &one_tensor(count, offset, shape, strides),
            &storage,
        ));
        assert!(reason.contains("tensor"), "{reason}");
    }
}

#[test]
fn many_views_of_one_storage_cannot_multiply_it() {
    let storage = floats(&[0.0; 4096]);
    let mut writer = Writer::new()
        .op(b"}(")
        .text("0")
        .tensor(4096, 0, &[4096], &[1]);
    for index in 1..200 {
        let named = writer.text(&index.to_string());
        writer = named.tensor(4096, 0, &[4096], &[1]);
    }
    let reason = reason(&zip_file(&writer.op(b"u").stop(), &storage));
    assert!(
        reason.contains("more values than the file can hold"),
        "{reason}"
    );
}

#[test]
fn a_zip_bomb_is_refused() {
    let deflated =
        SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
    let pickle = one_tensor(1 << 20, 0, &[1 << 20], &[1]);
    let storage = vec![0; 4 << 20];
    let bytes = zipped(&[("a/data.pkl", &pickle), ("a/data/0", &storage)], deflated);
    assert!(bytes.len() < 1 << 16);
    let reason = reason(&bytes);
    assert!(reason.contains("claims 4194304 bytes"), "{reason}");
}

#[test]
fn a_zip_without_a_pickle_or_storage_is_refused() {
    let stored = SimpleFileOptions::default();
    let no_pickle = reason(&zipped(&[("a/readme", b"x")], stored));
    assert!(no_pickle.contains("not one by torch.save"), "{no_pickle}");
    let pickle = one_tensor(1, 0, &[1], &[1]);
    let no_storage = reason(&zipped(&[("a/data.pkl", &pickle)], stored));
    assert!(no_storage.contains("lacks a/data/0"), "{no_storage}");
}

#[test]
fn a_legacy_storage_larger_than_the_file_is_refused() {
    let bytes = std::fs::read(fixture("checkpoint-legacy.pth")).unwrap();
    let mut huge = bytes.clone();
    // The storage of the tensor `double`: one element.
    let storage = [1_u64.to_le_bytes(), 0.1_f64.to_le_bytes()].concat();
    let at = bytes
        .windows(16)
        .position(|window| window == storage)
        .unwrap();
    huge[at..at + 8].copy_from_slice(&u64::MAX.to_le_bytes());
    assert!(
        reason(&huge).contains("expected 1 number in a tensor, got 18446744073709551615"),
        "{}",
        reason(&huge)
    );
}

#[test]
fn a_safetensors_header_that_lies_is_refused() {
    let header = br#"{"w":{"dtype":"F32","shape":[1099511627776],"data_offsets":[0,4]}}"#;
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(header);
    bytes.extend_from_slice(&[0; 4]);
    assert!(reason(&bytes).contains("damaged safetensors file"));
    bytes[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    assert!(reason(&bytes).contains("would have a header of 18446744073709551615 bytes"));
}

#[test]
fn other_content_is_named() {
    assert!(reason(b"").contains("empty"));
    assert!(reason(b"<html>not found</html>").contains("expected safetensors or a PyTorch file"));
    assert!(reason(b"version https://git-lfs.github.com/spec/v1\n").contains("git lfs pull"));
    assert!(reason(b"\x80\x02}.").contains("not one by torch.save"));
    assert!(reason(b"\x80\x02\x82\x01.").contains("operation 0x82"));
    assert!(reason(b"\x80\x09.").contains("protocol 9"));
    let missing = read(Path::new("absent.pth")).unwrap_err().to_string();
    assert!(missing.starts_with("cannot read absent.pth: "), "{missing}");
}

#[test]
fn a_deep_and_a_cyclic_pickle_need_no_deep_stack() {
    let deep = [
        b"\x80\x02".as_slice(),
        &vec![b']'; 400_000],
        &vec![b'a'; 399_999],
        b".",
    ]
    .concat();
    assert!(reason(&zip_file(&deep, &[])).contains("no weights found"));
    let cyclic = Writer::new()
        .op(b"}q\x00")
        .text("model")
        .op(b"h\x00s")
        .stop();
    assert!(reason(&zip_file(&cyclic, &[])).contains("no weights found (the file holds the keys"));
}

#[test]
fn two_tensors_of_one_name_are_refused() {
    let pickle = Writer::new()
        .op(b"}(")
        .text("a.w")
        .tensor(1, 0, &[1], &[1])
        .text("a")
        .op(b"}")
        .text("w")
        .tensor(1, 0, &[1], &[1])
        .op(b"su")
        .stop();
    let reason = reason(&zip_file(&pickle, &floats(&[1.0])));
    assert!(reason.contains("two tensors are named a.w"), "{reason}");
}

#[test]
fn tensors_are_named_by_all_keys_on_the_way_to_them() {
    let inner = |writer: Writer, name: &str| {
        let writer = writer.op(b"}").text(name);
        writer.tensor(1, 0, &[1], &[1]).op(b"s")
    };
    let writer = Writer::new().op(b"}(").text("list").op(b"](");
    let writer = inner(inner(writer, "x"), "y").op(b"e").text("deep");
    let writer = inner(writer.op(b"}").text("er").op(b"}").text("est"), "w").op(b"ss");
    let names: Vec<String> = parse(&zip_file(&writer.op(b"u").stop(), &floats(&[1.0])))
        .unwrap()
        .into_iter()
        .map(|tensor| tensor.name)
        .collect();
    assert_eq!(names, ["list.0.x", "list.1.y", "deep.er.est.w"]);
}

#[test]
fn one_tensor_under_two_names_is_there_once_and_found_under_both() {
    let pickle = Writer::new()
        .op(b"}(")
        .text("a")
        .tensor(1, 0, &[1], &[1])
        .op(b"q\x05")
        .text("b")
        .op(b"h\x05u")
        .stop();
    let path = Path::new("w");
    let file = from_bytes(&zip_file(&pickle, &floats(&[1.5])), path).unwrap();
    assert_eq!(file.tensors.len(), 1);
    let names: Vec<&str> = file.names().map(|(name, _)| name).collect();
    assert_eq!(names, ["a", "b"]);
}

#[test]
fn references_that_double_end_in_a_sentence() {
    let mut writer = Writer::new().op(b"]q\x00");
    for depth in 0..100_u8 {
        writer = writer.op(b"](h").op(&[depth]).op(b"h").op(&[depth]);
        writer = writer.op(b"eq").op(&[depth + 1]);
    }
    let reason = reason(&zip_file(&writer.stop(), &[]));
    assert!(reason.contains("again and again"), "{reason}");
}

#[test]
fn a_safetensors_file_is_one_whatever_the_length_of_its_header() {
    let name = |length: usize| "x".repeat(length);
    let tensor = |name: String| NamedTensor {
        name,
        shape: vec![1],
        values: vec![2.5],
    };
    // Lengths whose bytes begin like a pickle, a zip file and a gzip file, and others around them.
    let lengths = [0x80_usize, 0x2080, 0x280, 0x4b50, 0x8b1f, 0x7b0a, 0x8000];
    for length in lengths {
        let described = r#"{"":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#.len();
        let name = name(length - described);
        let bytes = encode_safetensors(&[tensor(name.clone())], [], &BTreeMap::new()).unwrap();
        assert_eq!(
            bytes[..8],
            (length.next_multiple_of(8) as u64).to_le_bytes()
        );
        let mut bytes = bytes;
        // Readers take any length, not only multiples of 8.
        let surplus = length.next_multiple_of(8) - length;
        bytes.drain(8 + length..8 + length + surplus);
        bytes[..8].copy_from_slice(&(length as u64).to_le_bytes());
        assert_eq!(parse(&bytes).unwrap()[0].name, name, "{length:#x}");
    }
}

#[test]
fn an_end_record_among_the_tensors_makes_no_zip_file() {
    let value = f32::from_le_bytes(*b"PK\x05\x06");
    let tensor = NamedTensor {
        name: "w".into(),
        shape: vec![30],
        values: vec![value; 30],
    };
    let bytes = encode_safetensors(&[tensor], [], &BTreeMap::new()).unwrap();
    assert_eq!(parse(&bytes).unwrap()[0].values.len(), 30);
}

#[test]
fn what_no_format_fits_is_told_what_it_lacks_for_each() {
    let torn = reason(&[9, 0, 0, 0, 0, 0, 0, 0, b'{']);
    assert!(torn.contains("safetensors would have a header of 9 bytes here, and 1 follow"));
    assert!(torn.contains("a zip file by torch.save has an end record"));
    assert!(
        torn.contains("a legacy file by torch.save begins with a pickle"),
        "{torn}"
    );
    let zip = reason(b"PK\x03\x04 and so on");
    assert!(
        zip.contains("its end record is missing: the file is truncated"),
        "{zip}"
    );
}
