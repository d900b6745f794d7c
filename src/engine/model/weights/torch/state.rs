//! Finding the weights in what was saved: a dictionary of tensors, or a checkpoint around it.

use super::view::Named;
use crate::engine::model::weights::Parsed;
use crate::engine::model::weights::pickle::{Global, Id, Node, Pickle};

/// Keys under which training scripts keep the weights, the likeliest first.
const NESTED: [&str; 8] = [
    "state_dict",
    "model_state_dict",
    "model_state",
    "model",
    "net",
    "network",
    "weights",
    "params",
];
/// Dictionaries within dictionaries that are looked into.
const MAX_DEPTH: usize = 4;
/// Keys shown when no weights are found.
const MAX_KEYS: usize = 8;

/// The named tensors of a pickle.
pub(super) fn find<'p, 'a>(pickle: &'p Pickle<'a>) -> Parsed<Named<'p, 'a>> {
    let state = find_dictionary(pickle)?;
    let Node::Dictionary(items) = pickle.node(state) else {
        return Err(no_weights(pickle));
    };
    let mut found = Vec::new();
    let mut seen = Vec::new();
    for &(key, value) in items {
        let &Node::Text(name) = pickle.node(key) else {
            continue;
        };
        match pickle.node(value) {
            Node::Tensor(tensor) => found.push((name, &**tensor)),
            Node::Object { callable, .. } if pickle.reaches_tensor(value, &mut seen) => {
                return Err(hidden(&format!("tensor {name}"), *callable));
            }
            _ => {}
        }
    }
    if found.is_empty() {
        return Err(no_weights(pickle));
    }
    Ok(found)
}

/// The dictionary with the weights: the one under a known key, else the saved one itself, else
/// the only dictionary of tensors in it. It may turn out to hold none.
fn find_dictionary(pickle: &Pickle<'_>) -> Parsed<Id> {
    let mut at = pickle.root;
    for _ in 0..MAX_DEPTH {
        match nested(pickle, at)? {
            Some(inner) => at = inner,
            None => break,
        }
    }
    if let Node::Object { callable, .. } = pickle.node(at) {
        return Err(hidden("what was saved", *callable));
    }
    if holds_tensors(pickle, at) {
        return Ok(at);
    }
    let Node::Dictionary(items) = pickle.node(at) else {
        return Err(no_weights(pickle));
    };
    let candidates: Vec<Id> = items
        .iter()
        .map(|&(_, value)| value)
        .filter(|&id| holds_tensors(pickle, id))
        .collect();
    match candidates[..] {
        [only] => Ok(only),
        [] => Ok(at),
        _ => Err(no_weights(pickle)),
    }
}

/// The dictionary under one of the known keys of `at`.
fn nested(pickle: &Pickle<'_>, at: Id) -> Parsed<Option<Id>> {
    for key in NESTED {
        let Some(value) = pickle.get(at, key) else {
            continue;
        };
        match pickle.node(value) {
            Node::Dictionary(_) => return Ok(Some(value)),
            Node::Object { callable, .. } if pickle.reaches_tensor(value, &mut Vec::new()) => {
                return Err(hidden(&format!("`{key}`"), *callable));
            }
            _ => {}
        }
    }
    Ok(None)
}

fn holds_tensors(pickle: &Pickle<'_>, id: Id) -> bool {
    let Node::Dictionary(items) = pickle.node(id) else {
        return false;
    };
    items.iter().any(|&(key, value)| {
        matches!(
            (pickle.node(key), pickle.node(value)),
            (Node::Text(_), Node::Tensor(_))
        )
    })
}

fn hidden(what: &str, callable: Option<Global<'_>>) -> String {
    let callable = callable.map_or("an unnamed call".to_owned(), |global| global.to_string());
    format!(
        "{what} is an object of {callable}, which only running code from the file could rebuild, \
         and that is never done; save `model.state_dict()` as float32 instead"
    )
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
