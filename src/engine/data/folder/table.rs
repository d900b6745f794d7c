//! A table of files and labels: `file,label`, with or without a heading.

use std::collections::HashSet;
use std::path::{Component, Path};

use super::{Listing, Root};
use crate::engine::counts::counted;
use crate::engine::data::Label;
use crate::engine::text::{self, Row};
use crate::engine::{Error, Result};

/// The largest table.
const LIMIT: u64 = 1 << 30;
/// What the heading calls files.
const FILES: [&str; 5] = ["file", "path", "filename", "image", "name"];

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
    for (place, row) in rows.iter().enumerate() {
        let wrong = |reason: String| Error::format(table, format!("line {}: {reason}", row.line));
        if place == 0 && is_heading(row) {
            continue;
        }
        let [file, label] = &row.fields[..] else {
            return Err(wrong(format!(
                "{}, expected two: file,label",
                counted(row.fields.len(), "column")
            )));
        };
        let label = label_of(label, classes).map_err(wrong)?;
        let named = Path::new(file.as_str());
        let relative = below(named, [&root.folder, folder]).unwrap_or(named);
        let inside = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
        if !relative.components().all(inside) {
            return Err(wrong(format!("{file} is not below {}", folder.display())));
        }
        let within = |at: &Path| Some(at.join(relative)).filter(|path| path.is_file());
        let found = within(&root.folder).or_else(|| within(folder));
        match found {
            Some(path) if !root.others.iter().any(|other| path.starts_with(other)) => {
                if !seen.insert(path.clone()) {
                    return Err(wrong(format!("{file} comes twice; list each file once")));
                }
                listing.files.push(path);
                listing.labels.push(label);
            }
            Some(_) => {}
            None if root.others.iter().any(|other| within(other).is_some()) => {}
            None => {
                let folder = folder.display();
                return Err(wrong(format!(
                    "there is no file {file} in {folder}; correct the table or the folder"
                )));
            }
        }
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

fn is_heading(row: &Row) -> bool {
    let first = row.fields.first().map(|field| field.to_ascii_lowercase());
    first.is_some_and(|first| FILES.contains(&first.as_str()))
}

/// A number, or the name of a class that is listed.
fn label_of(text: &str, classes: Option<&[String]>) -> std::result::Result<Label, String> {
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
