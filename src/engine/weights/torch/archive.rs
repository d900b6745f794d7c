//! The zip layout. Entries are checked against the file's size before they are unpacked, and all
//! of them together may not exceed it: `PyTorch` does not compress.

use std::collections::BTreeMap;

use super::state;
use super::view::{self, Storages};
use crate::engine::archive::Archive;
use crate::engine::weights::{Content, Parsed, pickle};

/// The entry with the pickle; the folder it lies in is the archive's name.
const PICKLE: &str = "data.pkl";

/// Tensors of a zip file in the order of its pickle.
pub(in crate::engine::weights) fn read_zip(bytes: &[u8]) -> Parsed<Content> {
    let mut archive = Archive::open(bytes)?;
    let root = archive.root(PICKLE).ok_or(
        "a zip file, but not one by torch.save (expected one data.pkl in it); save \
         `model.state_dict()` with torch.save",
    )?;
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
        whole: view::whole(&found.named),
        tensors: view::materialise(&found.named, &storages, bytes.len())?,
        aliases: found.aliases,
        hidden: found.hidden,
    })
}
