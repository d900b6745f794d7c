//! Images of one's own: arrays, folders of pictures, IDX files, and what is done to them.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use hawqeye::engine::data::{DataSpec, Part, Sample};
use serde_json::Value;

use crate::support::{Ended, command, ended};

/// Images that are taken of the demo's.
const COUNT: usize = 40;
const SIDE: usize = 28;

/// The demo's trained network on some of its test images, in files of every kind.
struct Own {
    folder: tempfile::TempDir,
}

/// An image and its label.
struct Labelled {
    pixels: Vec<u8>,
    label: u8,
}

fn images() -> Vec<Labelled> {
    let dataset = DataSpec::Demo.load(Part::Test).unwrap();
    let image = |index| {
        let Sample::Pixels(pixels) = dataset.sample(index).unwrap() else {
            panic!("the demo holds pixels");
        };
        Labelled {
            pixels: pixels.into_owned(),
            label: dataset.labels[index].0 as u8,
        }
    };
    // In the order of their labels, as folders of classes are.
    let mut images: Vec<Labelled> = (0..COUNT).map(image).collect();
    images.sort_by_key(|image| image.label);
    images
}

pub fn npy(descr: &str, shape: &[usize], elements: &[u8]) -> Vec<u8> {
    let extents: Vec<String> = shape.iter().map(|extent| format!("{extent},")).collect();
    let header = format!(
        "{{'descr': '{descr}', 'fortran_order': False, 'shape': ({}), }}\n",
        extents.join(" ")
    );
    let length = (header.len() as u16).to_le_bytes();
    [
        b"\x93NUMPY\x01\x00",
        &length[..],
        header.as_bytes(),
        elements,
    ]
    .concat()
}

fn gray(side: usize, pixels: &[u8]) -> Vec<u8> {
    [format!("P5 {side} {side} 255\n").as_bytes(), pixels].concat()
}

impl Own {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let own = Self { folder };
        let images = images();
        let pixels: Vec<u8> = images
            .iter()
            .flat_map(|image| image.pixels.clone())
            .collect();
        let labels: Vec<u8> = images.iter().map(|image| image.label).collect();
        own.write("x.npy", &npy("|u1", &[COUNT, SIDE, SIDE, 1], &pixels));
        own.write("y.npy", &npy("|u1", &[COUNT], &labels));
        let floats = pixels
            .iter()
            .map(|&pixel| (f32::from(pixel) / 255.0 - 0.286) / 0.353);
        let floats: Vec<u8> = floats.flat_map(f32::to_le_bytes).collect();
        own.write("floats.npy", &npy("<f4", &[COUNT, 1, SIDE, SIDE], &floats));
        let header = |numbers: &[usize]| -> Vec<u8> {
            let words = numbers.iter().map(|&number| (number as u32).to_be_bytes());
            words.flatten().collect()
        };
        let extents = header(&[0x803, COUNT, SIDE, SIDE]);
        own.write("idx/t10k-images-idx3-ubyte", &[extents, pixels].concat());
        let counted = header(&[0x801, COUNT]);
        own.write("idx/t10k-labels-idx1-ubyte", &[counted, labels].concat());
        let mut table = "file,label\n".to_owned();
        for (index, Labelled { pixels, label }) in images.iter().enumerate() {
            own.write(
                &format!("photos/{label}/{index:03}.pgm"),
                &gray(SIDE, pixels),
            );
            own.write(&format!("flat/{index:03}.pgm"), &gray(SIDE, pixels));
            writeln!(table, "{index:03}.pgm,{label}").unwrap();
        }
        own.write("labels.csv", table.as_bytes());
        own
    }

    fn write(&self, name: &str, content: &[u8]) {
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn run(&self, arguments: &[&str]) -> Ended {
        let mut command = command(arguments);
        let weights =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/demo/resnet20.safetensors");
        command
            .args(["--model", "resnet20", "--weights"])
            .arg(weights);
        ended(command.current_dir(self.folder.path()))
    }

    fn eval(&self, arguments: &[&str]) -> Ended {
        self.run(&[&["eval", "--json"], arguments].concat())
    }

    fn score(&self, arguments: &[&str]) -> Value {
        let ended = self.eval(&[&["-q"], arguments].concat()).done();
        serde_json::from_str(&ended.stdout).unwrap()
    }
}

#[test]
fn the_same_images_score_the_same_from_files_of_every_kind() {
    let own = Own::new();
    let arrays = own.score(&["--data", "npy:x.npy,y.npy"]);
    assert_eq!(arrays["total"], COUNT);
    assert!(
        arrays["correct"].as_u64() > Some(COUNT as u64 * 8 / 10),
        "{arrays}"
    );
    for data in [
        &["--data", "npy:floats.npy,y.npy"][..],
        &["--data", "idx:idx"],
        &["--data", "mnist:idx"],
        &["--data", "folder:photos", "--channels", "gray"],
        &[
            "--data",
            "folder:flat",
            "--channels",
            "gray",
            "--labels",
            "labels.csv",
        ],
    ] {
        assert_eq!(own.score(data), arrays, "{data:?}");
    }
    own.write(
        "input.toml",
        b"[input]\nchannels = \"gray\"\nmean = [0.286]\nstd = [0.353]\n",
    );
    let told = ["--data", "folder:photos", "--preprocess", "input.toml"];
    assert_eq!(own.score(&told), arrays);
    let given = ["--pixel-scale", "1", "--mean", "72.93", "--std", "90.015"];
    let scaled = own.score(&[&["--data", "npy:x.npy,y.npy"][..], &given].concat());
    assert_eq!(scaled["correct"], arrays["correct"]);
}

#[test]
fn a_set_in_one_part_serves_for_everything_and_says_so() {
    let own = Own::new();
    let ended = own.eval(&["--data", "npy:x.npy,y.npy"]).done();
    let said = "npy:x.npy comes in one part, 40 images: it serves for training and for the test";
    assert!(ended.stderr.contains(said), "{ended:?}");
    let analyze = [
        "analyze",
        "--layers",
        "linear",
        "--data",
        "npy:floats.npy,y.npy",
    ];
    let analyzed = own.run(&analyze).done();
    assert!(
        analyzed.stderr.contains("comes in one part"),
        "{analyzed:?}"
    );
    own.write("p.toml", crate::support::uniform_plan().as_bytes());
    let tune = [
        "tune",
        "--plan",
        "p.toml",
        "--epochs",
        "1",
        "--batch-size",
        "8",
        "-o",
        "run",
    ];
    let data = [
        "--schedule",
        "joint",
        "--data",
        "folder:photos",
        "--channels",
        "gray",
    ];
    let tuned = own.run(&[&tune[..], &data].concat()).done();
    let said =
        "a fifth of its images, 8 drawn with seed 0, is kept for the test, and 32 are trained";
    assert!(tuned.stderr.contains(said), "{tuned:?}");
    let kept = [
        "eval",
        "--json",
        "-q",
        "--run",
        "run",
        "--data",
        "folder:photos",
    ];
    let again = ended_in(&own, &kept).done();
    let score: Value = serde_json::from_str(&again.stdout).unwrap();
    assert_eq!(score["total"], 8);
    let export = [
        "export",
        "run",
        "-o",
        "small.safetensors",
        "--data",
        "folder:photos",
    ];
    ended_in(&own, &export).done();
    let packed = ["eval", "--json", "-q", "--packed", "small.safetensors"];
    let packed = ended_in(&own, &[&packed[..], &["--data", "folder:photos"]].concat()).done();
    let score: Value = serde_json::from_str(&packed.stdout).unwrap();
    assert_eq!(score["total"], COUNT);
}

fn ended_in(own: &Own, arguments: &[&str]) -> Ended {
    ended(command(arguments).current_dir(own.folder.path()))
}

#[test]
fn pictures_of_other_sizes_are_resized_as_asked_for() {
    let own = Own::new();
    let large: Vec<u8> = (0..60 * 60).map(|at| (at % 251) as u8).collect();
    own.write("mixed/3/a.pgm", &gray(60, &large));
    own.write("mixed/3/b.pgm", &gray(SIDE, &large[..SIDE * SIDE]));
    own.write("c.txt", b"0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n");
    let data = [
        "-q",
        "--data",
        "folder:mixed",
        "--channels",
        "gray",
        "--classes",
        "c.txt",
    ];
    let eval = |more: &[&str]| own.eval(&[&data[..], more].concat());
    eval(&[]).refused(1, &["b.pgm", "1x28x28", "a.pgm", "1x60x60", "--size"]);
    for more in [
        &["--size", "28"][..],
        &[
            "--resize",
            "shorter=32",
            "--crop",
            "28x28",
            "--interpolation",
            "bicubic",
        ],
        &[
            "--size",
            "28",
            "--resize",
            "shorter=28",
            "--interpolation",
            "lanczos",
        ],
    ] {
        eval(more).done();
    }
    let longest = eval(&["--resize", "longest=3"]);
    assert_eq!(longest.code, 2);
    assert!(longest.stderr.contains("expected shorter=N"), "{longest:?}");
    eval(&["--size", "0"]).refused(2, &["size 0", "expected 1 to"]);
    eval(&["--resize", "exact"]).refused(2, &["give size too"]);
    let cmyk = own.eval(&["--channels", "cmyk"]);
    assert_eq!(cmyk.code, 2);
    assert!(cmyk.stderr.contains("rgb, bgr or gray"), "{cmyk:?}");
}

#[test]
fn images_that_do_not_suit_are_one_sentence() {
    let own = Own::new();
    let eval = |arguments: &[&str]| own.eval(&[&["-q"], arguments].concat());
    fs::create_dir(own.folder.path().join("empty")).unwrap();
    eval(&["--data", "folder:empty"]).refused(1, &["empty: no picture in it", "jpg"]);
    eval(&["--data", "folder:none"]).refused(1, &["none", "not found"]);
    eval(&["--data", "folder:flat"]).refused(1, &["flat: pictures lie in it", "--labels"]);
    own.write("photos/0/broken.png", b"\x89PNG\r\n\x1a\nbroken");
    let gray = ["--data", "folder:photos", "--channels", "gray"];
    eval(&gray).refused(1, &["photos/0/broken.png: ", "replace it"]);
    let photos = ["--data", "folder:photos", "--classes", "c.txt"];
    fs::create_dir_all(own.folder.path().join("some/7")).unwrap();
    fs::copy(
        own.folder.path().join("flat/001.pgm"),
        own.folder.path().join("some/7/a.pgm"),
    )
    .unwrap();
    let some = ["--data", "folder:some", "--channels", "gray"];
    eval(&some).refused(
        1,
        &["folders of 1 class,", "tells 10 apart", "--classes FILE"],
    );
    own.write("c.txt", b"0\n7\n");
    let listed = [&some[..], &["--classes", "c.txt"]].concat();
    eval(&listed).refused(1, &["--classes lists 2 classes", "tells 10 apart"]);
    own.write("c.txt", b"0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n");
    eval(&listed).done();
    own.write("c.txt", b"0\n1\n");
    eval(&photos).refused(1, &["c.txt: it does not list the folder 2"]);
    own.write(
        "y12.npy",
        &npy(
            "<i8",
            &[COUNT],
            &[&[12; 1][..], &[0; 8 * COUNT - 1]].concat(),
        ),
    );
    let outside = ["image 0 of npy:x.npy has label 12", "10 classes"];
    eval(&["--data", "npy:x.npy,y12.npy"]).refused(1, &outside);
    own.write("wrong.npy", &npy("|u1", &[COUNT, 5], &[0; 5 * COUNT]));
    let shape = ["wrong.npy: images of shape [40, 5], expected N x rows"];
    eval(&["--data", "npy:wrong.npy,y.npy"]).refused(1, &shape);
    own.write("objects.npy", &npy("|O", &[1], &[0; 8]));
    eval(&["--data", "npy:objects.npy,y.npy"]).refused(1, &["pickle"]);
    own.write("a.npz", b"no zip");
    eval(&["--data", "npz:a.npz"]).refused(1, &["a.npz: no zip file"]);
    let one = eval(&["--data", "npy:x.npy"]);
    assert!(one.code == 2 && one.stderr.contains("npy:X,Y"), "{one:?}");
    let floats = ["--data", "npy:floats.npy,y.npy"];
    eval(&[&floats[..], &["--mean", "0"]].concat()).refused(2, &["taken as they are", "--mean"]);
    eval(&[&floats[..], &["--size", "9"]].concat()).refused(1, &["taken as they are"]);
    eval(&["--data", "demo", "--classes", "c.txt"]).refused(1, &["leave --classes out"]);
    eval(&["--data", "idx:photos"]).refused(1, &["t10k-images-idx3-ubyte: file not found"]);
    own.write("input.toml", b"[input]\nsise = 3\n");
    let told = ["--data", "npy:x.npy,y.npy", "--preprocess", "input.toml"];
    eval(&told).refused(
        1,
        &["input.toml: line 2: unknown key `sise`; did you mean size?"],
    );
}

#[test]
fn a_home_folder_is_found_in_every_path() {
    let own = Own::new();
    let home = own.folder.path();
    for data in ["npy:~/x.npy,~/y.npy", "idx:~/idx"] {
        let weights =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/demo/resnet20.safetensors");
        let mut command = command(&["eval", "--model", "resnet20", "-q", "--data", data]);
        command.arg("--weights").arg(weights).env("HOME", home);
        ended(&mut command).done();
    }
}
