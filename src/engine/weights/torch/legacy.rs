//! The layout of torch.save before 1.6: five pickles, then the storages.

use super::state;
use super::view::{self, Storages};
use crate::engine::counts::counted;
use crate::engine::weights::pickle::{self, Node, Pickle, Storage};
use crate::engine::weights::{Content, Parsed};

/// `0x1950a86a20f9469cfc6c`, little-endian, as the first pickle holds it.
const MAGIC: [u8; 10] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];
/// The only version of the layout.
const PROTOCOL: i64 = 1001;

/// What a file lacks to be one in the legacy layout.
pub(in crate::engine::weights) fn lacks_legacy(bytes: &[u8]) -> Option<String> {
    /// Bytes that the first pickle can have: the magic number, and some for a protocol's frame.
    const FIRST: usize = 64;
    if bytes.first() != Some(&0x80) {
        return Some("begins with a pickle".into());
    }
    match pickle::parse(&bytes[..bytes.len().min(FIRST)]) {
        Ok(first) if *first.node(first.root) == Node::Large(&MAGIC) => None,
        Err(reason) if bytes.len() <= FIRST && reason == pickle::TRUNCATED => {
            Some("begins with a magic number, before which this one ends".into())
        }
        Err(reason) if bytes.len() <= FIRST => {
            Some(format!("begins with a magic number ({reason})"))
        }
        _ => Some(
            "begins with a magic number; this is a pickle, but not one by torch.save: save \
             `model.state_dict()` with torch.save"
                .into(),
        ),
    }
}

/// Tensors of a legacy file in the order of its pickle.
pub(in crate::engine::weights) fn read_legacy(bytes: &[u8]) -> Parsed<Content> {
    let mut rest = bytes;
    next(&mut rest)?;
    let protocol = next(&mut rest)?;
    if *protocol.node(protocol.root) != Node::Integer(PROTOCOL) {
        return Err(format!(
            "expected version {PROTOCOL} of the legacy layout; save again with torch.save"
        ));
    }
    let system = next(&mut rest)?;
    let order = system
        .get(system.root, "little_endian")
        .map(|id| system.node(id));
    if order == Some(&Node::Bool(false)) {
        return Err("the file was written big-endian; save it on a little-endian machine".into());
    }
    let description = next(&mut rest)?;
    let keys = next(&mut rest)?;
    let found = state::find(&description)?;
    let storages = storages(&keys, &description, rest)?;
    Ok(Content {
        whole: view::whole(&found.named),
        tensors: view::materialise(&found.named, &storages, bytes.len())?,
        aliases: found.aliases,
        hidden: found.hidden,
    })
}

fn next<'a>(rest: &mut &'a [u8]) -> Parsed<Pickle<'a>> {
    let pickle = pickle::parse(rest)?;
    *rest = &rest[pickle.length..];
    Ok(pickle)
}

/// Cuts the storages off `rest`, in the order of the list of keys.
fn storages<'a>(
    keys: &Pickle<'a>,
    description: &Pickle<'a>,
    mut rest: &'a [u8],
) -> Parsed<Storages<'a>> {
    let Node::List(listed) = keys.node(keys.root) else {
        return Err("the list of storages is damaged; download or save the file again".into());
    };
    let described: std::collections::BTreeMap<&str, &Storage<'a>> = description
        .storages
        .iter()
        .map(|storage| (storage.key, storage))
        .collect();
    let mut storages = Storages::new();
    for &id in listed {
        let known = match keys.node(id) {
            Node::Text(key) => described.get(key),
            _ => None,
        };
        let Some(storage) = known else {
            return Err(
                "the file has a storage that no tensor of a known type views; save only \
                        `model.state_dict()`"
                    .into(),
            );
        };
        let (content, after) = cut(storage, rest)?;
        storages.insert(storage.key, content);
        rest = after;
    }
    Ok(storages)
}

/// The content of one storage, and what follows it.
fn cut<'a>(storage: &Storage<'a>, rest: &'a [u8]) -> Parsed<(&'a [u8], &'a [u8])> {
    let Some((count, elements)) = rest.split_first_chunk::<8>() else {
        return Err(truncated(storage, 0));
    };
    let count = u64::from_le_bytes(*count);
    if count != storage.count {
        return Err(format!(
            "expected {} in a tensor, got {count}: the file is damaged; download or save it again",
            counted(storage.count as usize, "number")
        ));
    }
    let size = usize::try_from(count)
        .ok()
        .and_then(|count| count.checked_mul(storage.element.size()));
    match size.and_then(|size| elements.split_at_checked(size)) {
        Some(parts) => Ok(parts),
        None => Err(truncated(storage, elements.len())),
    }
}

fn truncated(storage: &Storage<'_>, left: usize) -> String {
    let needed = (storage.count as usize).saturating_mul(storage.element.size());
    format!(
        "expected {} of a tensor, got {left}: the file is cut off; download or save it again",
        counted(needed, "byte")
    )
}
