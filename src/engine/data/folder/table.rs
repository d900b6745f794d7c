//! A table of files and labels: `file,label`, or other columns with a heading that names these two.

use std::collections::HashSet;
use std::path::{Component, Path, PathBuf};

use super::{Listing, Root};
use crate::engine::counts::counted;
use crate::engine::data::Label;
use crate::engine::text::{self, Row};
use crate::engine::{Error, Result};

/// The largest table.
const LIMIT: u64 = 1 << 30;
/// What the heading calls files.
const FILES: [&str; 7] = [
    "file",
    "path",
    "filename",
    "file_name",
    "filepath",
    "image",
    "name",
];
/// What it calls labels.
const LABELS: [&str; 6] = ["label", "class", "target", "category", "labels", "y"];

/// The files of one part that a table lists. Their paths are below the folder that was named, or
/// below that of the part; files of the other part are left to it.
pub(super) fn listed(
    table: &Path,
    (folder, root): (&Path, &Root),
    classes: Option<&[String]>,
) -> Result<Listing> {
    let content = text::read(table, LIMIT)?;
    let rows = text::csv(&content).map_err(|reason| Error::format(table, reason))?;
    let mut listing = Listing {
        files: Vec::new(),
        labels: Vec::new(),
        class_names: Vec::new(),
    };
    let mut seen = HashSet::new();
    let columns = rows.first().and_then(Columns::of_heading);
    let headings = usize::from(columns.is_some());
    let columns = columns.unwrap_or(Columns::USUAL);
    let places = Places { folder, root };
    for row in &rows[headings..] {
        let wrong = |reason: String| Error::format(table, format!("line {}: {reason}", row.line));
        let (file, label) = columns.of(row).map_err(wrong)?;
        let read = label_of(label, classes).and_then(|label| Ok((label, places.find(file)?)));
        let (label, path) = read.map_err(|reason| {
            let swapped = headings == 0 && matches!(places.find(label), Ok(Some(_)));
            wrong(if swapped {
                exchange(file, label)
            } else {
                reason
            })
        })?;
        let Some(path) = path else {
            continue;
        };
        if !seen.insert(path.clone()) {
            return Err(wrong(format!("{file} comes twice; list each file once")));
        }
        listing.files.push(path);
        listing.labels.push(label);
    }
    if listing.files.is_empty() {
        let folder = root.folder.display();
        return Err(Error::format(
            table,
            format!("no file in it that lies in {folder}; expected lines of file,label"),
        ));
    }
    Ok(listing)
}

/// What to do about columns in the other order.
fn exchange(file: &str, label: &str) -> String {
    format!(
        "expected file,label, got {file},{label}: exchange the columns, or name them in a first line \
         label,file"
    )
}

/// Where the files of a table may lie.
struct Places<'a> {
    /// The folder that was named.
    folder: &'a Path,
    /// That of the part.
    root: &'a Root,
}

impl Places<'_> {
    /// The file that a row names; `None` for one of the other part.
    fn find(&self, file: &str) -> std::result::Result<Option<PathBuf>, String> {
        let Self { folder, root } = *self;
        let named = Path::new(file);
        let relative = below(named, [&root.folder, folder]).unwrap_or(named);
        let inside = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
        if !relative.components().all(inside) {
            return Err(format!("{file} is not below {}", folder.display()));
        }
        let within = |at: &Path| Some(at.join(relative)).filter(|path| path.is_file());
        let of_other = |path: &PathBuf| root.others.iter().any(|other| path.starts_with(other));
        match within(&root.folder).or_else(|| within(folder)) {
            Some(path) => Ok(Some(path).filter(|path| !of_other(path))),
            None if root.others.iter().any(|other| within(other).is_some()) => Ok(None),
            None => Err(format!(
                "there is no file {file} in {}; correct the table or the folder",
                folder.display()
            )),
        }
    }
}

/// Which columns of a table tell a file and its label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Columns {
    file: usize,
    label: usize,
    count: usize,
}

impl Columns {
    /// Of a table without a heading.
    const USUAL: Self = Self {
        file: 0,
        label: 1,
        count: 2,
    };

    /// By a heading, when the row is one: it names a column of files.
    fn of_heading(row: &Row) -> Option<Self> {
        let place = |known: &[&str]| {
            let mut fields = row.fields.iter();
            fields.position(|field| known.contains(&&*field.trim().to_ascii_lowercase()))
        };
        let (file, count) = (place(&FILES)?, row.fields.len());
        let other = (count == 2).then_some(1 - file.min(1));
        let label = place(&LABELS).or(other)?;
        Some(Self { file, label, count })
    }

    /// File and label of a row.
    fn of(self, row: &Row) -> std::result::Result<(&str, &str), String> {
        let count = row.fields.len();
        if count == self.count {
            return Ok((&row.fields[self.file], &row.fields[self.label]));
        }
        let columns = counted(count, "column");
        Err(if self == Self::USUAL {
            format!(
                "{columns}, expected two, file,label, or a first line that names the columns file and label"
            )
        } else {
            format!("{columns}, expected {} as in the first line", self.count)
        })
    }
}

/// A number, or the name of a class that is listed.
fn label_of(text: &str, classes: Option<&[String]>) -> std::result::Result<Label, String> {
    if text.trim().is_empty() {
        return Err("a file without a label; give it one, or take the line out".to_owned());
    }
    if let Ok(label) = text.parse() {
        return Ok(Label(label));
    }
    let place = classes.and_then(|classes| classes.iter().position(|class| class == text));
    place.map(|place| Label(place as u32)).ok_or_else(|| {
        format!("label {text}, expected a whole number from 0 on, or a class that --classes lists")
    })
}

/// A path from the root, as it is from the first of some folders that it is below.
fn below<'a>(named: &'a Path, folders: [&Path; 2]) -> Option<&'a Path> {
    let mut roots = folders
        .iter()
        .filter_map(|folder| std::path::absolute(folder).ok());
    roots.find_map(|root| named.strip_prefix(root).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heading_tells_which_columns_are_meant() {
        let row = |text: &str| text::csv(text).unwrap().remove(0);
        let of =
            |text: &str| Columns::of_heading(&row(text)).map(|found| (found.file, found.label));
        assert_eq!(of("file,label"), Some((0, 1)));
        assert_eq!(of("Label,Filename"), Some((1, 0)));
        assert_eq!(of(",path,width,class"), Some((1, 3)));
        assert_eq!(of("image,what it is"), Some((0, 1)));
        assert_eq!(of("a.png,3"), None);
        let columns = Columns::of_heading(&row(",path,width,class")).unwrap();
        assert_eq!(columns.of(&row("0,a.png,32,cat")), Ok(("a.png", "cat")));
        assert!(
            columns
                .of(&row("0,a.png"))
                .unwrap_err()
                .contains("expected 4 as")
        );
    }
}
