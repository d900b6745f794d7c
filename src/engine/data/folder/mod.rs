//! Folders of pictures: `folder:DIR`, as torchvision's ImageFolder reads them.
//!
//! ```text
//! DIR/{train,val,test}/CLASS/**/*.jpg     or     DIR/CLASS/**/*.jpg
//! ```
//! Labels follow the sorted names of the class folders, the lines of `--classes`, or a table of
//! files and labels (`--labels`). Pictures are read when they are needed.

mod files;
mod table;

use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use self::files::Seen;
use super::arrays::named;
use super::picture::{Picture, decode};
use super::preprocessing::{Channels, Preprocessing};
use super::reading::Reading;
use super::shaped::{Pictures, shaped};
use super::{ClassSource, Dataset, Label, Part};
use crate::engine::counts::counted;
use crate::engine::shape::Shape;
use crate::engine::{Error, Result};

/// What the folders of parts are called.
const TRAIN: [&str; 3] = ["train", "training", "Train"];
const TEST: [&str; 6] = ["test", "val", "validation", "valid", "Test", "Val"];
/// So many files, in equal distances, tell a set from others by all of their bytes; the others by
/// their names and lengths.
const READ_WHOLE: usize = 256;

/// Files and what they show.
struct Listing {
    files: Vec<PathBuf>,
    labels: Vec<Label>,
    class_names: Vec<String>,
}

/// The folders of one part, and whether it is the only one.
struct Root {
    folder: PathBuf,
    others: Vec<PathBuf>,
    whole: bool,
}

impl Root {
    /// A folder is that of a part by its name, where `is_part` finds the right things in it: a class
    /// may be called `train` too.
    fn of(folder: &Path, part: Part, is_part: impl Fn(&Path) -> bool) -> Self {
        let find = |names: &[&str]| {
            let mut at = names.iter().map(|name| folder.join(name));
            at.find(|at| at.is_dir() && is_part(at))
        };
        let (train, test) = (find(&TRAIN), find(&TEST));
        let whole = train.is_none() || test.is_none();
        let (own, other) = match part {
            Part::Train => (train.clone().or(test.clone()), test),
            Part::Test => (test.or(train.clone()), train),
        };
        let own = own.unwrap_or_else(|| folder.to_owned());
        Self {
            others: other.into_iter().filter(|other| *other != own).collect(),
            folder: own,
            whole,
        }
    }
}

impl Root {
    /// What the folder of the part is called.
    fn name(&self) -> String {
        last(&self.folder)
    }

    /// Refuses parts whose folders are not the same classes in the same places: one of them would get
    /// the labels of others. One may lack the last ones.
    fn refuse_other_classes(&self) -> Result<()> {
        let own = files::folders(&self.folder)?;
        for other in &self.others {
            let others = files::folders(other)?;
            let Some(label) = own.iter().zip(&others).position(|(a, b)| a != b) else {
                continue;
            };
            return Err(Error::invalid(format!(
                "{} has folders of {} and {} of {}, and label {label} is {:?} in the one and {:?} in \
                 the other; give both the same folders, or --classes FILE with the name of every class",
                self.folder.display(),
                counted(own.len(), "class"),
                other.display(),
                others.len(),
                own[label],
                others[label]
            )));
        }
        Ok(())
    }
}

/// The last part of a path.
fn last(path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str());
    name.to_string_lossy().into_owned()
}

/// Reads the names of one part of a folder; pictures are read when they are needed.
pub(super) fn load(folder: &Path, part: Part, reading: &Reading) -> Result<Dataset> {
    let failed = |source| Error::file("read", folder, source);
    if !fs::metadata(folder).map_err(failed)?.is_dir() {
        return Err(Error::format(
            folder,
            "expected a folder of pictures, got a file; name the folder that holds it",
        ));
    }
    let of_classes = |at: &Path| files::folders(at).is_ok_and(|folders| !folders.is_empty());
    let is_part = |at: &Path| reading.labels.is_some() || of_classes(at);
    let root = Root::of(folder, part, is_part);
    let classes = reading.class_names()?;
    if reading.labels.is_none() && classes.is_none() {
        root.refuse_other_classes()?;
    }
    let listing = match &reading.labels {
        Some(table) => table::listed(table, (folder, &root), classes.as_deref())?,
        None => by_class(&root.folder, reading, classes)?,
    };
    let reading = Reading {
        preprocessing: complete(&reading.preprocessing, reading.expected),
        ..reading.clone()
    };
    let Listing {
        files,
        labels,
        class_names,
    } = listing;
    let unlisted = match &reading.labels {
        Some(_) => unlisted(&root.folder, files.len()),
        None => 0,
    };
    let pictures = Files {
        root: root.folder.clone(),
        files,
    };
    let images = shaped(Box::new(pictures), &reading.preprocessing, reading.memory)?;
    let mut dataset = reading.dataset(&named("folder", folder), images, labels, root.whole)?;
    dataset.origin.unlisted = unlisted;
    if root.folder != folder {
        dataset.origin.part = Some(root.name());
    }
    if reading.classes.is_none() && !class_names.is_empty() {
        dataset.classes = dataset.classes.max(class_names.len());
        dataset.class_names = class_names;
        dataset.origin.classes = ClassSource::Folders;
    }
    Ok(dataset)
}

/// Pictures in a folder besides those that a table lists; none where not all folders can be read, of which
/// the table needs none.
fn unlisted(folder: &Path, listed: usize) -> usize {
    let all = files::pictures(folder, &mut Seen::default());
    all.map_or(0, |all| all.len().saturating_sub(listed))
}

/// Pictures of files are red, green and blue unless the network reads one channel.
fn complete(preprocessing: &Preprocessing, expected: Option<Shape>) -> Preprocessing {
    let gray = matches!(expected, Some(Shape::Map { channels: 1, .. }));
    let channels = if gray { Channels::Gray } else { Channels::Rgb };
    preprocessing.clone().or(Preprocessing {
        channels: Some(channels),
        ..Preprocessing::default()
    })
}

/// A label for each class folder: its place among them, or in the list of classes.
fn by_class(root: &Path, reading: &Reading, classes: Option<Vec<String>>) -> Result<Listing> {
    let folders = files::folders(root)?;
    let listed = reading.classes.as_deref();
    let class_names = classes.unwrap_or_else(|| folders.clone());
    let mut listing = Listing {
        files: Vec::new(),
        labels: Vec::new(),
        class_names,
    };
    let mut seen = Seen::of(root);
    for (place, name) in folders.iter().enumerate() {
        let found = files::pictures(&root.join(name), &mut seen)?;
        if found.is_empty() {
            continue;
        }
        let label = match listed {
            None => place,
            Some(list) => {
                let names = listing.class_names.iter();
                let place = names.enumerate().find(|(_, class)| *class == name);
                let (place, _) = place.ok_or_else(|| {
                    Error::format(
                        list,
                        format!(
                            "it does not list the folder {name} of {}; add it at its label",
                            root.display()
                        ),
                    )
                })?;
                place
            }
        };
        listing
            .labels
            .extend(vec![Label(label as u32); found.len()]);
        listing.files.extend(found);
    }
    if listing.files.is_empty() {
        return Err(files::none(root));
    }
    Ok(listing)
}

/// Picture files.
#[derive(Debug)]
struct Files {
    root: PathBuf,
    files: Vec<PathBuf>,
}

impl Pictures for Files {
    fn len(&self) -> usize {
        self.files.len()
    }

    fn picture(&self, index: usize) -> Result<Picture> {
        decode(&self.files[index])
    }

    fn place(&self, index: usize) -> String {
        self.files[index].display().to_string()
    }

    fn is_slow(&self) -> bool {
        true
    }

    fn identify(&self, hash: &mut Sha256) {
        let step = self.files.len().div_ceil(READ_WHOLE).max(1);
        for (index, path) in self.files.iter().enumerate() {
            let name = path.strip_prefix(&self.root).unwrap_or(path);
            hash.update(name.to_string_lossy().as_bytes());
            let length = fs::metadata(path).map_or(0, |found| found.len());
            hash.update(length.to_le_bytes());
            if index % step == 0 {
                // What cannot be read here cannot be read later either, and is told there.
                hash.update(fs::read(path).unwrap_or_default());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::data::Sample;

    /// A folder of pictures of one pixel; `name` and its gray.
    fn folder(pictures: &[(&str, u8)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, gray) in pictures {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            let picture = format!("P2 1 1 255 {gray}\n");
            fs::write(path, picture).unwrap();
        }
        folder
    }

    fn read(folder: &Path, part: Part, reading: &Reading) -> Result<Dataset> {
        load(folder, part, reading)
    }

    fn grays(dataset: &Dataset) -> Vec<u8> {
        (0..dataset.len())
            .map(|index| match dataset.sample(index).unwrap() {
                Sample::Pixels(bytes) => bytes[0],
                Sample::Numbers(_) => panic!("pictures are bytes"),
            })
            .collect()
    }

    fn labels(dataset: &Dataset) -> Vec<u32> {
        dataset.labels.iter().map(|label| label.0).collect()
    }

    const PICTURES: [(&str, u8); 5] = [
        ("b/2.ppm", 3),
        ("b/10.PNG", 2),
        ("a/deep/er/x.jpeg", 1),
        ("c/.hidden.png", 9),
        ("a/notes.txt", 8),
    ];

    #[test]
    fn classes_and_files_follow_their_sorted_names() {
        let folder = folder(&PICTURES);
        fs::create_dir(folder.path().join(".cache")).unwrap();
        let reading = Reading::default();
        let dataset = read(folder.path(), Part::Test, &reading).unwrap();
        assert_eq!(
            (grays(&dataset), labels(&dataset)),
            (vec![1, 2, 3], vec![0, 1, 1])
        );
        assert_eq!(dataset.class_names, ["a", "b", "c"]);
        assert_eq!((dataset.channels, dataset.classes), (3, 3));
        assert!(dataset.origin.whole);
        let same = read(folder.path(), Part::Train, &reading).unwrap();
        let before = dataset.checksum();
        assert_eq!(same.checksum(), before);
        fs::write(folder.path().join("b/2.ppm"), "P2 1 1 255 4\n").unwrap();
        let other = read(folder.path(), Part::Train, &reading).unwrap();
        assert_ne!(other.checksum(), before);
    }

    #[test]
    fn parts_lie_in_folders_of_their_names() {
        let folder = folder(&[("train/a/1.ppm", 1), ("val/a/1.ppm", 2), ("val/b/1.ppm", 3)]);
        let reading = Reading::default();
        let part = |part| grays(&read(folder.path(), part, &reading).unwrap());
        assert_eq!((part(Part::Train), part(Part::Test)), (vec![1], vec![2, 3]));
        let whole = read(&folder.path().join("val"), Part::Train, &reading).unwrap();
        assert!(whole.origin.whole);
        fs::create_dir(folder.path().join("val/train")).unwrap();
        fs::write(folder.path().join("val/train/x.pgm"), "P2 1 1 255 5\n").unwrap();
        let called_train = read(&folder.path().join("val"), Part::Train, &reading).unwrap();
        assert_eq!(
            grays(&called_train),
            [2, 3, 5],
            "a class may be called train"
        );
    }

    #[test]
    fn parts_of_other_classes_are_refused_and_the_part_is_named() {
        let folder = folder(&[
            ("train/a/1.ppm", 1),
            ("train/c/1.ppm", 1),
            ("val/a/1.ppm", 2),
            ("val/b/1.ppm", 3),
            ("val/c/1.ppm", 3),
        ]);
        let reading = Reading::default();
        let refused = |part| read(folder.path(), part, &reading).unwrap_err().to_string();
        let train = refused(Part::Train);
        assert!(
            train.contains("train has folders of 2 classes and"),
            "{train}"
        );
        assert!(
            train.contains("label 1 is \"c\" in the one and \"b\" in the other"),
            "{train}"
        );
        assert!(refused(Part::Test).contains("val has folders of 3 classes and"));
        fs::remove_dir_all(folder.path().join("val/b")).unwrap();
        let of_val = read(folder.path(), Part::Test, &reading).unwrap();
        let refused = of_val.check_labels(3).unwrap_err().to_string();
        assert!(
            refused.contains(", its part val, has folders of 2 classes"),
            "{refused}"
        );
    }

    #[test]
    fn a_list_of_classes_gives_the_labels() {
        let folder = folder(&PICTURES);
        let list = folder.path().join("classes.txt");
        fs::write(&list, "z\nb\n\nc\na\n").unwrap();
        let mut reading = Reading {
            classes: Some(list.clone()),
            ..Reading::default()
        };
        let dataset = read(folder.path(), Part::Test, &reading).unwrap();
        assert_eq!((labels(&dataset), dataset.classes), (vec![3, 1, 1], 4));
        reading.expected = Some(Shape::map(1, 1, 1));
        assert_eq!(
            read(folder.path(), Part::Test, &reading).unwrap().channels,
            1
        );
        for (content, expected) in [
            ("a\n", "does not list the folder b"),
            ("a\nb\na\n", "class a is listed twice"),
            ("\n", "no class in it"),
        ] {
            fs::write(&list, content).unwrap();
            let refused = read(folder.path(), Part::Test, &reading);
            let refused = refused.unwrap_err().to_string();
            assert!(refused.contains(expected), "{refused}");
        }
    }

    #[test]
    fn a_table_gives_files_and_labels() {
        let folder = folder(&PICTURES);
        let table = folder.path().join("labels.csv");
        let mut reading = Reading {
            labels: Some(table.clone()),
            ..Reading::default()
        };
        fs::write(&table, "file,label\nb/2.ppm,70000\n./a/deep/er/x.jpeg;0\n").unwrap();
        let refused = read(folder.path(), Part::Test, &reading).unwrap_err();
        assert!(refused.to_string().contains("line 3"), "{refused}");
        fs::write(&table, "file,label\nb/2.ppm,70000\na/deep/er/x.jpeg,0\n").unwrap();
        let dataset = read(folder.path(), Part::Test, &reading).unwrap();
        assert_eq!(
            (grays(&dataset), labels(&dataset)),
            (vec![3, 1], vec![70_000, 0])
        );
        for (content, expected) in [
            ("b/2.ppm,-1\n", "line 1: label -1"),
            ("b/2.ppm,b\n", "line 1: label b"),
            ("b/3.ppm,1\n", "line 1: there is no file b/3.ppm"),
            ("../x.ppm,1\n", "line 1: "),
            ("b/2.ppm,1\nb/2.ppm,2\n", "line 2: b/2.ppm comes twice"),
            (
                "1,b/2.ppm\n",
                "line 1: expected file,label, got 1,b/2.ppm: exchange",
            ),
            ("file,label\n1,b/2.ppm\n", "line 2: label b/2.ppm"),
            ("file,label\n", "no file in it"),
        ] {
            fs::write(&table, content).unwrap();
            let refused = read(folder.path(), Part::Test, &reading);
            let refused = refused.unwrap_err().to_string();
            assert!(refused.contains(expected), "{refused}");
        }
        let list = folder.path().join("classes.txt");
        fs::write(&list, "cat\ndog\n").unwrap();
        fs::write(&table, "b/2.ppm,dog\n").unwrap();
        reading.classes = Some(list);
        let dataset = read(folder.path(), Part::Test, &reading).unwrap();
        assert_eq!((labels(&dataset), dataset.classes), (vec![1], 2));
        assert_eq!(dataset.origin.unlisted, 2, "{PICTURES:?}");
    }

    #[cfg(unix)]
    #[test]
    fn links_that_lead_back_are_refused() {
        for target in ["../..", "../../b", "..", "../../../.."] {
            let folder = folder(&PICTURES);
            let link = folder.path().join("a/deep/link");
            std::os::unix::fs::symlink(target, &link).unwrap();
            let refused = read(folder.path(), Part::Test, &Reading::default());
            let refused = refused.unwrap_err().to_string();
            assert!(refused.contains("remove that link"), "{target}: {refused}");
        }
        let (folder, elsewhere) = (folder(&PICTURES), folder(&[("x.ppm", 5)]));
        std::os::unix::fs::symlink(elsewhere.path(), folder.path().join("d")).unwrap();
        let dataset = read(folder.path(), Part::Test, &Reading::default()).unwrap();
        assert_eq!(grays(&dataset), [1, 2, 3, 5]);
    }

    #[test]
    fn folders_without_classes_or_pictures_are_refused() {
        let reading = Reading::default();
        let refused = |pictures: &[(&str, u8)]| {
            let folder = folder(pictures);
            read(folder.path(), Part::Test, &reading)
                .unwrap_err()
                .to_string()
        };
        assert!(refused(&[]).contains("no picture in it"));
        assert!(refused(&[("a/x.txt", 1)]).contains("no picture in it"));
        assert!(refused(&[("x.png", 1)]).contains("pictures lie in it without a folder"));
        let one = folder(&[("a/1.ppm", 1), ("a/2.ppm", 2)]);
        fs::write(one.path().join("a/1.ppm"), "no picture").unwrap();
        let refused = read(one.path(), Part::Test, &reading)
            .unwrap_err()
            .to_string();
        assert!(refused.contains("a/1.ppm: neither JPEG"), "{refused}");
        let file = one.path().join("a/2.ppm");
        let refused = read(&file, Part::Test, &reading).unwrap_err().to_string();
        assert!(refused.contains("got a file"), "{refused}");
    }
}
