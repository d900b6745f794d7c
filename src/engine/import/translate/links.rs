//! Who reads and writes the values of a graph.

use std::collections::HashMap;

use super::{Translator, table};
use crate::engine::import::call::Value;
use crate::engine::import::source::{Node, SourceGraph};

/// Who reads and writes the values of a graph.
pub(super) struct Links<'g> {
    readers: HashMap<&'g str, Readers<'g>>,
    writers: HashMap<&'g str, &'g Node>,
}

/// Who reads a value.
#[derive(Default)]
struct Readers<'g> {
    /// How many nodes; outputs count too.
    count: usize,
    /// The last of the nodes.
    last: Option<&'g Node>,
}

impl<'g> Links<'g> {
    /// Those of a graph.
    pub(super) fn of(graph: &'g SourceGraph) -> Self {
        let mut readers: HashMap<&str, Readers> = HashMap::new();
        let read = graph
            .nodes
            .iter()
            .flat_map(|node| node.inputs.iter().map(move |name| (name, Some(node))));
        let answered = graph.outputs.iter().map(|name| (name, None));
        for (name, node) in read.chain(answered) {
            let readers = readers.entry(&**name).or_default();
            readers.count += 1;
            readers.last = node.or(readers.last);
        }
        let written = |node: &'g Node| node.outputs.iter().map(move |name| (&**name, node));
        Self {
            readers,
            writers: graph.nodes.iter().flat_map(written).collect(),
        }
    }

    /// Whether anything reads a value.
    pub(super) fn is_read(&self, name: &str) -> bool {
        self.readers.contains_key(name)
    }

    /// Whether one node alone reads a value, once.
    fn has_one_reader(&self, name: &str) -> bool {
        self.readers
            .get(name)
            .is_some_and(|readers| readers.count == 1)
    }
}

impl Translator<'_> {
    /// Whether a node is the only one that reads what a step writes: views of it count as their readers.
    pub(super) fn is_alone(&self, node: &Node, step: usize) -> bool {
        let reads = |node: &'_ Node| {
            let mut read = node.inputs.iter();
            let name = read.find(|name| {
                matches!(self.values.get(*name), Some(Value::Wire(wire)) if wire.step == step)
            });
            name.cloned()
        };
        let own = self.steps[step].node;
        if own.is_some_and(|own| std::ptr::eq(own, node)) {
            return true;
        }
        let mut name = reads(node);
        while let Some(read) = name {
            if !self.links.has_one_reader(&read) {
                return false;
            }
            let Some(&writer) = self.links.writers.get(&*read) else {
                return false;
            };
            // The views between the step and the node write the same wire.
            name = reads(writer);
            if name.is_none() {
                return true;
            }
        }
        false
    }

    /// Whether what a node writes is what is answered, perhaps over views and copies.
    pub(super) fn is_answer(&self, node: &Node) -> bool {
        let mut node = node;
        loop {
            let Some(written) = node.outputs.first() else {
                return false;
            };
            if self.graph.outputs.contains(written) {
                return true;
            }
            let readers = self.links.readers.get(&**written);
            let Some(next) = readers
                .filter(|readers| readers.count == 1)
                .and_then(|r| r.last)
            else {
                return false;
            };
            if !table::KEEPING.contains(&&*self.listed(next)) {
                return false;
            }
            node = next;
        }
    }
}
