//! A pickle parsed into inert values. The opcodes are those that `PyTorch`'s files use; every name
//! in the file stays a name. See [`rebuild`] for the few names whose *meaning* is known.

mod machine;
mod rebuild;

use std::fmt;

use super::element::ElementType;

pub(super) use machine::{TRUNCATED, parse};

/// Index of a value in its [`Pickle`].
pub(super) type Id = usize;

/// A name that the file asks to import.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Global<'a> {
    /// The Python module.
    pub module: &'a str,
    /// The name in it.
    pub name: &'a str,
}

impl fmt::Display for Global<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.module, self.name)
    }
}

/// A range of elements that lies outside the pickle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Storage<'a> {
    /// Name of the range in the file.
    pub key: &'a str,
    /// Encoding of the elements.
    pub element: ElementType,
    /// Elements in the range.
    pub count: u64,
    /// First element seen, for a legacy view into the range.
    pub view_offset: u64,
}

/// A tensor as a strided view of a storage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tensor<'a> {
    pub storage: Storage<'a>,
    /// First element, counted from the storage's view.
    pub offset: u64,
    pub shape: Vec<u64>,
    pub strides: Vec<u64>,
}

/// A value of a pickle.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node<'a> {
    None,
    Bool(bool),
    Integer(i64),
    /// More than 64 bits, little-endian two's complement.
    Large(&'a [u8]),
    /// A float, or bytes: nothing of a weights file depends on them.
    Opaque,
    Text(&'a str),
    Global(Global<'a>),
    List(Vec<Id>),
    Tuple(Vec<Id>),
    Dictionary(Vec<(Id, Id)>),
    Storage(Storage<'a>),
    Tensor(Box<Tensor<'a>>),
    /// A reference out of the pickle to something else than a storage of a known type.
    Foreign(Option<Global<'a>>),
    /// What only running `callable` could make; the parts it would get are kept to look into.
    Object {
        callable: Option<Global<'a>>,
        parts: Vec<Id>,
    },
}

/// A parsed pickle.
#[derive(Debug)]
pub(super) struct Pickle<'a> {
    nodes: Vec<Node<'a>>,
    /// The value the pickle stands for.
    pub root: Id,
    /// Bytes read, the final STOP included.
    pub length: usize,
    /// Every storage that was mentioned.
    pub storages: Vec<Storage<'a>>,
}

impl<'a> Pickle<'a> {
    /// The value at `id`.
    pub fn node(&self, id: Id) -> &Node<'a> {
        &self.nodes[id]
    }

    /// The value of `key` in a dictionary.
    pub fn get(&self, dictionary: Id, key: &str) -> Option<Id> {
        let Node::Dictionary(items) = self.node(dictionary) else {
            return None;
        };
        // As in Python, the last of equal keys wins.
        let same = |id: Id| matches!(self.node(id), Node::Text(text) if *text == key);
        items
            .iter()
            .rev()
            .find(|(name, _)| same(*name))
            .map(|&(_, value)| value)
    }

    /// Whether a tensor or storage, also one of an unknown type, can be reached from `id`. Values marked in `seen` are known not
    /// to reach one; those visited are added, so that many calls cost one walk.
    pub fn reaches_tensor(&self, id: Id, seen: &mut Vec<bool>) -> bool {
        seen.resize(self.nodes.len(), false);
        let mut waiting = vec![id];
        while let Some(id) = waiting.pop() {
            if std::mem::replace(&mut seen[id], true) {
                continue;
            }
            match self.node(id) {
                Node::Tensor(_) | Node::Storage(_) | Node::Foreign(_) => return true,
                Node::List(parts) | Node::Tuple(parts) | Node::Object { parts, .. } => {
                    waiting.extend(parts);
                }
                Node::Dictionary(items) => waiting.extend(items.iter().map(|(_, value)| value)),
                _ => {}
            }
        }
        false
    }
}
