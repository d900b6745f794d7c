//! The zip layout. Entries are checked against the file's size before they are unpacked, and all
//! of them together may not exceed it: `PyTorch` does not compress.

use std::collections::BTreeMap;
use std::io::{Cursor, Read};

use zip::ZipArchive;

use super::state;
use super::view::{self, Storages};
use crate::engine::model::weights::{Content, Parsed, pickle};

/// The entry with the pickle; the folder it lies in is the archive's name.
const PICKLE: &str = "data.pkl";

/// Tensors of a zip file in the order of its pickle.
pub(in crate::engine::model::weights) fn read_zip(bytes: &[u8]) -> Parsed<Content> {
    let mut archive = Archive::open(bytes)?;
    let root = archive.root()?;
    let order = archive.unpack_if_present(&format!("{root}byteorder"))?;
    if order.is_some_and(|order| order != b"little") {
        return Err("the file was written big-endian; save it on a little-endian machine".into());
    }
    let description = archive.unpack(&format!("{root}{PICKLE}"))?;
    let pickle = pickle::parse(&description)?;
    let found = state::find(&pickle)?;
    let mut unpacked = BTreeMap::new();
    for (_, tensor) in &found.named {
        let key = tensor.storage.key;
        if !unpacked.contains_key(key) {
            unpacked.insert(key, archive.unpack(&format!("{root}data/{key}"))?);
        }
    }
    let storages: Storages<'_> = unpacked
        .iter()
        .map(|(&key, content)| (key, content.as_slice()))
        .collect();
    Ok(Content {
        tensors: view::materialise(&found.named, &storages, bytes.len())?,
        aliases: found.aliases,
        hidden: found.hidden,
    })
}

/// A zip file and the bytes that may still be unpacked from it.
struct Archive<'a> {
    zip: ZipArchive<Cursor<&'a [u8]>>,
    left: u64,
}

impl<'a> Archive<'a> {
    fn open(bytes: &'a [u8]) -> Parsed<Self> {
        let zip = ZipArchive::new(Cursor::new(bytes)).map_err(|error| {
            format!("damaged or truncated zip file ({error}); download or save it again")
        })?;
        Ok(Self {
            zip,
            left: bytes.len() as u64,
        })
    }

    /// The archive's name with a slash, before every entry's name.
    fn root(&self) -> Parsed<String> {
        let names = self.zip.file_names().filter_map(std::result::Result::ok);
        let roots: Vec<String> = names
            .filter_map(|name| name.strip_suffix(PICKLE).map(str::to_owned))
            .filter(|root| root.find('/') == Some(root.len().saturating_sub(1)))
            .collect();
        match &roots[..] {
            [root] => Ok(root.clone()),
            _ => Err(
                "a zip file, but not one by torch.save (expected one data.pkl in it); save \
                      `model.state_dict()` with torch.save"
                    .into(),
            ),
        }
    }

    fn unpack(&mut self, name: &str) -> Parsed<Vec<u8>> {
        self.unpack_if_present(name)?
            .ok_or_else(|| format!("the zip file lacks {name}; download or save it again"))
    }

    fn unpack_if_present(&mut self, name: &str) -> Parsed<Option<Vec<u8>>> {
        let Some(index) = self.zip.index_for_name(name) else {
            return Ok(None);
        };
        let unreadable = |error: &dyn std::fmt::Display| {
            format!("cannot unpack {name} from the zip file ({error}); download or save it again")
        };
        let entry = self
            .zip
            .by_index(index)
            .map_err(|error| unreadable(&error))?;
        let size = entry.size();
        let Some(left) = self.left.checked_sub(size) else {
            return Err(format!(
                "{name} claims {size} bytes, more than the file can hold; download or save it again"
            ));
        };
        self.left = left;
        let mut content = Vec::with_capacity(size as usize);
        entry
            .take(size)
            .read_to_end(&mut content)
            .map_err(|error| unreadable(&error))?;
        if content.len() as u64 != size {
            return Err(format!(
                "{name} in the zip file is truncated; download or save it again"
            ));
        }
        Ok(Some(content))
    }
}
