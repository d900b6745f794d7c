//! Finding the tensors in what was saved, however deep: dictionaries in dictionaries, lists and
//! tuples. A tensor is named by the keys on the way to it: `state_dict.conv1.weight`,
//! `0.conv1.weight`. Which of them are a network's weights is the business of the matching.

use std::collections::BTreeMap;

use crate::engine::weights::pickle::{Global, Id, Node, Pickle, Tensor};
use crate::engine::weights::{Alias, Hidden, Parsed};

/// Values within values that are looked into.
const MAX_DEPTH: usize = 512;
/// Values that are looked at; a pickle may refer to one many times.
const MAX_VISITS: usize = 1 << 21;
/// Bytes of names for each byte of the pickle, and for the smallest one.
const NAME_BYTES: (usize, usize) = (16, 1 << 16);
/// Keys shown when no weights are found.
const MAX_KEYS: usize = 8;

/// The tensors of a pickle.
#[derive(Default)]
pub(super) struct Found<'p, 'a> {
    /// Every tensor under the first of its names, in the order of the pickle.
    pub named: Vec<(String, &'p Tensor<'a>)>,
    /// Further names of them.
    pub aliases: Vec<Alias>,
    /// What only running code could rebuild.
    pub hidden: Vec<Hidden>,
}

/// The named tensors of a pickle.
pub(super) fn find<'p, 'a>(pickle: &'p Pickle<'a>) -> Parsed<Found<'p, 'a>> {
    let mut walk = Walk {
        pickle,
        found: Found::default(),
        places: BTreeMap::new(),
        name: String::new(),
        left: NAME_BYTES.0 * pickle.length + NAME_BYTES.1,
        looks: MAX_VISITS,
        known: Vec::new(),
    };
    walk.all()?;
    let found = walk.found;
    if !found.named.is_empty() {
        return Ok(found);
    }
    match found.hidden.into_iter().next() {
        Some(hidden) => Err(hidden.reason),
        None => Err(no_weights(pickle)),
    }
}

/// A walk through everything that was saved, in its order.
struct Walk<'p, 'a> {
    pickle: &'p Pickle<'a>,
    found: Found<'p, 'a>,
    /// Where a tensor stands in `found`.
    places: BTreeMap<Id, usize>,
    /// Keys on the way to the value that is looked at.
    name: String,
    /// Bytes that names may still take.
    left: usize,
    /// Values that may still be looked at.
    looks: usize,
    /// Values known to reach no tensor.
    known: Vec<bool>,
}

/// A value that is looked into.
struct Frame<'a> {
    id: Id,
    parts: std::vec::IntoIter<(Key<'a>, Id)>,
    /// Length of the name of the value itself.
    name: usize,
}

/// What a value is called within another one.
enum Key<'a> {
    Text(&'a str),
    Number(i64),
}

impl<'p, 'a> Walk<'p, 'a> {
    fn all(&mut self) -> Parsed<()> {
        let mut frames: Vec<Frame<'a>> = Vec::new();
        frames.extend(self.visit(self.pickle.root)?);
        while let Some(frame) = frames.last_mut() {
            self.name.truncate(frame.name);
            let Some((key, id)) = frame.parts.next() else {
                frames.pop();
                continue;
            };
            if frames.len() >= MAX_DEPTH || frames.iter().any(|frame| frame.id == id) {
                continue;
            }
            self.enter(&key);
            frames.extend(self.visit(id)?);
        }
        Ok(())
    }

    fn enter(&mut self, key: &Key<'_>) {
        if !self.name.is_empty() {
            self.name.push('.');
        }
        match key {
            Key::Text(text) => self.name.push_str(text),
            Key::Number(number) => self.name.push_str(&number.to_string()),
        }
    }

    /// Notes a value, or gives what is in it.
    fn visit(&mut self, id: Id) -> Parsed<Option<Frame<'a>>> {
        let pickle = self.pickle;
        let parts = match pickle.node(id) {
            Node::Tensor(tensor) => {
                self.note(id, tensor)?;
                return Ok(None);
            }
            Node::Object { callable, .. } => {
                if pickle.reaches_tensor(id, &mut self.known) {
                    self.hide(*callable)?;
                }
                return Ok(None);
            }
            Node::Dictionary(items) if items.len() < self.looks => items
                .iter()
                .filter_map(|&(key, value)| Some((named(pickle, key)?, value)))
                .collect::<Vec<_>>(),
            Node::List(parts) | Node::Tuple(parts) if parts.len() < self.looks => (0..)
                .zip(parts)
                .map(|(place, &part)| (Key::Number(place), part))
                .collect(),
            Node::Dictionary(_) | Node::List(_) | Node::Tuple(_) => {
                let reason =
                    "the pickle refers to its values again and again; save only the weights";
                return Err(reason.into());
            }
            _ => return Ok(None),
        };
        self.looks -= 1 + parts.len();
        Ok(Some(Frame {
            id,
            parts: parts.into_iter(),
            name: self.name.len(),
        }))
    }

    fn note(&mut self, id: Id, tensor: &'p Tensor<'a>) -> Parsed<()> {
        let name = self.spend()?;
        let place = self.found.named.len();
        if let Some(&tensor) = self.places.get(&id) {
            self.found.aliases.push(Alias { name, tensor });
        } else {
            self.places.insert(id, place);
            self.found.named.push((name, tensor));
        }
        Ok(())
    }

    fn hide(&mut self, callable: Option<Global<'_>>) -> Parsed<()> {
        let name = self.spend()?;
        let callable = callable.map_or("an unnamed call".to_owned(), |global| global.to_string());
        let what = if name.is_empty() {
            "what was saved".to_owned()
        } else {
            format!("tensor {name}")
        };
        let reason = format!(
            "{what} is an object of {callable}, which only running code from the file could \
             rebuild, and that is never done; save `model.state_dict()` as float32 instead"
        );
        self.found.hidden.push(Hidden { name, reason });
        Ok(())
    }

    /// The name of the value that is looked at.
    fn spend(&mut self) -> Parsed<String> {
        let left = self.left.checked_sub(self.name.len());
        self.left = left.ok_or(
            "the names of the tensors are longer than the file; save only `model.state_dict()`",
        )?;
        Ok(self.name.clone())
    }
}

/// Texts and numbers are names; optimizers number their parameters.
fn named<'a>(pickle: &Pickle<'a>, key: Id) -> Option<Key<'a>> {
    match pickle.node(key) {
        Node::Text(text) => Some(Key::Text(text)),
        Node::Integer(number) => Some(Key::Number(*number)),
        _ => None,
    }
}

fn no_weights(pickle: &Pickle<'_>) -> String {
    let keys: Vec<&str> = match pickle.node(pickle.root) {
        Node::Dictionary(items) => items
            .iter()
            .filter_map(|&(key, _)| match pickle.node(key) {
                &Node::Text(text) => Some(text),
                _ => None,
            })
            .take(MAX_KEYS)
            .collect(),
        _ => Vec::new(),
    };
    let found = if keys.is_empty() {
        "no named tensors".to_owned()
    } else {
        format!("the keys {}", keys.join(", "))
    };
    format!("no weights found (the file holds {found}); save `model.state_dict()` into it")
}
