//! The graph of a file before anything is understood of it: values by name, nodes in an order in
//! which they can be computed, constants. Both containers are read into it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap, HashSet};

use serde::{Deserialize, Serialize};

use super::tensor::Tensor;
use crate::engine::shown::is_unseen;

/// A sentence without the file's path.
pub(crate) type Read<T> = std::result::Result<T, String>;

/// What kind of file a network came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Container {
    /// An ONNX file.
    Onnx,
    /// An archive of `torch.export.save`.
    Pt2,
}

impl Container {
    /// The word in files.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Onnx => "onnx",
            Self::Pt2 => "pt2",
        }
    }
}

/// A number that is known, or the value that holds it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Size {
    /// Known.
    Known(i64),
    /// The value of this name.
    Named(String),
}

/// A setting of a node.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Attribute {
    /// An integer or a truth value.
    Integer(i64),
    /// A float.
    Float(f64),
    /// A text.
    Text(String),
    /// Integers.
    Integers(Vec<i64>),
    /// Floats.
    Floats(Vec<f64>),
    /// Texts.
    Texts(Vec<String>),
    /// Numbers in a shape.
    Tensor(Tensor),
    /// A value.
    Value(String),
    /// Values.
    Values(Vec<Option<String>>),
    /// Integers of which some are values.
    Sizes(Vec<Size>),
    /// Nothing was given.
    Nothing,
    /// What no operation here has: its kind, such as a graph.
    Other(&'static str),
}

/// An operation of the file.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Node {
    /// The operation, with its domain unless that is ONNX's own.
    pub operation: String,
    /// Its name in the file; empty when it has none.
    pub name: String,
    /// The path of the module that it is of, where the file says so.
    pub module: Option<String>,
    /// The rules by which an exporter made it of other operations.
    pub rules: String,
    /// Values it reads; an empty name stands for none.
    pub inputs: Vec<String>,
    /// Values it writes.
    pub outputs: Vec<String>,
    /// Its settings; in a `.pt2` all of its arguments.
    pub attributes: BTreeMap<String, Attribute>,
}

impl Node {
    /// How it is called in a sentence: its name, its module or what it writes.
    pub(crate) fn called(&self) -> &str {
        let written = self.outputs.iter().find(|name| !name.is_empty());
        let names = [Some(&self.name), self.module.as_ref(), written];
        let mut named = names.into_iter().flatten().filter(|name| !name.is_empty());
        named.next().map_or("a node without a name", |name| name)
    }
}

/// A value that is given from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Given {
    /// Its name.
    pub name: String,
    /// Its extents, those that are open absent; nothing when the file says nothing.
    pub extents: Option<Vec<Option<usize>>>,
}

/// A number array of the file.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Stored {
    /// Its name for people and in checkpoints; the value's name in ONNX.
    pub tensor_name: String,
    /// The numbers.
    pub tensor: Tensor,
}

/// The graph of a file.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SourceGraph {
    /// What kind of file it is.
    pub container: Container,
    /// The program that wrote it, and its version.
    pub exporter: String,
    /// Version of the operations.
    pub opset: i64,
    /// What is given from outside.
    pub inputs: Vec<Given>,
    /// What is answered.
    pub outputs: Vec<String>,
    /// Numbers by the name of their value.
    pub constants: HashMap<String, Stored>,
    /// Whole numbers of its state that no computation reads, such as batches counted, by name.
    pub counters: BTreeMap<String, i64>,
    /// Operations; those that write before those that read once it is [`ordered`](ordered()).
    pub nodes: Vec<Node>,
}

/// Checks the names of a graph, and brings the nodes that its outputs need into an order in which
/// they can be computed: that of the file where it is one.
///
/// # Errors
/// When a value is written twice or by nothing, nodes read each other in a circle, or a name cannot
/// be shown.
pub(crate) fn ordered(mut graph: SourceGraph) -> Read<SourceGraph> {
    check_names(&graph)?;
    if graph.outputs.is_empty() {
        return Err("expected a graph with an output, got none; export the network again".into());
    }
    let order = {
        let links = Links::of(&graph)?;
        links.in_order(&graph, &links.needed(&graph)?)?
    };
    let mut nodes: Vec<Option<Node>> = graph.nodes.into_iter().map(Some).collect();
    graph.nodes = order
        .into_iter()
        .filter_map(|at| nodes[at].take())
        .collect();
    Ok(graph)
}

/// Who writes the values of a graph.
struct Links<'a> {
    /// Values that are there before anything is computed.
    known: HashSet<&'a str>,
    /// The node that writes a value.
    writers: HashMap<&'a str, usize>,
}

impl<'a> Links<'a> {
    fn of(graph: &'a SourceGraph) -> Read<Self> {
        let mut known: HashSet<&str> = graph.constants.keys().map(|name| &**name).collect();
        for given in &graph.inputs {
            if !known.insert(&given.name) {
                return Err(twice(&given.name));
            }
        }
        let mut writers = HashMap::new();
        for (at, node) in graph.nodes.iter().enumerate() {
            for name in node.outputs.iter().filter(|name| !name.is_empty()) {
                if known.contains(&**name) || writers.insert(&**name, at).is_some() {
                    return Err(twice(name));
                }
            }
        }
        Ok(Self { known, writers })
    }

    /// The node that writes a value; nothing when it is known before.
    fn writer(&self, reader: &str, name: &str) -> Read<Option<usize>> {
        match self.writers.get(name) {
            Some(&at) => Ok(Some(at)),
            None if self.known.contains(name) => Ok(None),
            None => Err(format!(
                "{reader} reads {name}, which nothing writes; the file is damaged, export the \
                 network again"
            )),
        }
    }

    /// Which nodes the outputs need.
    fn needed(&self, graph: &SourceGraph) -> Read<Vec<bool>> {
        let mut needed = vec![false; graph.nodes.len()];
        let mut waiting = Vec::new();
        for output in &graph.outputs {
            waiting.extend(self.writer("the output", output)?);
        }
        while let Some(at) = waiting.pop() {
            if std::mem::replace(&mut needed[at], true) {
                continue;
            }
            let node = &graph.nodes[at];
            for name in node.inputs.iter().filter(|name| !name.is_empty()) {
                waiting.extend(self.writer(node.called(), name)?);
            }
        }
        Ok(needed)
    }

    /// The needed nodes, each after those it reads from, else as in the file.
    fn in_order(&self, graph: &SourceGraph, needed: &[bool]) -> Read<Vec<usize>> {
        let mut readers: Vec<Vec<usize>> = vec![Vec::new(); graph.nodes.len()];
        let mut missing = vec![0_usize; graph.nodes.len()];
        for (at, node) in graph.nodes.iter().enumerate().filter(|(at, _)| needed[*at]) {
            let read = node
                .inputs
                .iter()
                .filter_map(|name| self.writers.get(&**name));
            for &writer in read {
                readers[writer].push(at);
                missing[at] += 1;
            }
        }
        let ready = |at: &usize| needed[*at] && missing[*at] == 0;
        let mut waiting: BinaryHeap<Reverse<usize>> =
            (0..graph.nodes.len()).filter(ready).map(Reverse).collect();
        let mut order = Vec::new();
        while let Some(Reverse(at)) = waiting.pop() {
            order.push(at);
            for &reader in &readers[at] {
                missing[reader] -= 1;
                if missing[reader] == 0 {
                    waiting.push(Reverse(reader));
                }
            }
        }
        match missing.iter().position(|&count| count > 0) {
            None => Ok(order),
            Some(at) => Err(format!(
                "{} reads its own output over other nodes: expected a graph without circles; \
                 export the network again",
                graph.nodes[at].called()
            )),
        }
    }
}

fn twice(name: &str) -> String {
    format!("{name} is written twice: expected one origin a value; export the network again")
}

/// Refuses names that cannot be shown, since layers, tensors and messages are known by them.
fn check_names(graph: &SourceGraph) -> Read<()> {
    let of_nodes = graph.nodes.iter().flat_map(|node| {
        let own = [&node.name, &node.operation];
        let values = node.outputs.iter().chain(&node.inputs);
        own.into_iter().chain(values).chain(&node.module)
    });
    let of_stored = graph.constants.iter();
    let of_stored = of_stored.flat_map(|(name, stored)| [name, &stored.tensor_name]);
    let of_inputs = graph.inputs.iter().map(|given| &given.name);
    let mut names = of_nodes
        .chain(of_stored)
        .chain(of_inputs)
        .chain(&graph.outputs);
    match names.find(|name| name.chars().any(is_unseen)) {
        None => Ok(()),
        Some(name) => Err(format!(
            "the name {name:?} holds characters that cannot be shown; rename it and export the \
             network again"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(name: &str, inputs: &[&str], outputs: &[&str]) -> Node {
        let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        Node {
            operation: "Relu".into(),
            name: name.into(),
            inputs: owned(inputs),
            outputs: owned(outputs),
            ..Node::default()
        }
    }

    fn graph(nodes: Vec<Node>) -> SourceGraph {
        SourceGraph {
            container: Container::Onnx,
            exporter: String::new(),
            opset: 17,
            inputs: vec![Given {
                name: "x".into(),
                extents: None,
            }],
            outputs: vec!["y".into()],
            counters: BTreeMap::new(),
            constants: HashMap::new(),
            nodes,
        }
    }

    fn names(nodes: Vec<Node>) -> Read<Vec<String>> {
        let ordered = ordered(graph(nodes))?;
        Ok(ordered.nodes.into_iter().map(|node| node.name).collect())
    }

    #[test]
    fn nodes_come_after_those_they_read_and_unused_ones_go() {
        let shuffled = vec![
            node("second", &["a"], &["y"]),
            node("unused", &["a"], &["b"]),
            node("first", &["x"], &["a"]),
        ];
        assert_eq!(names(shuffled).unwrap(), ["first", "second"]);
        let kept = vec![
            node("left", &["x"], &["a"]),
            node("right", &["x"], &["b"]),
            node("sum", &["b", "a"], &["y"]),
        ];
        assert_eq!(names(kept).unwrap(), ["left", "right", "sum"]);
    }

    #[test]
    fn circles_strangers_and_doubles_are_one_sentence_each() {
        let circle = vec![
            node("one", &["b"], &["a"]),
            node("two", &["a"], &["b", "y"]),
        ];
        assert!(
            names(circle)
                .unwrap_err()
                .starts_with("one reads its own output")
        );
        let stranger = vec![node("one", &["z"], &["y"])];
        assert!(
            names(stranger)
                .unwrap_err()
                .starts_with("one reads z, which nothing writes")
        );
        let double = vec![node("one", &["x"], &["y"]), node("two", &["x"], &["y"])];
        assert!(names(double).unwrap_err().starts_with("y is written twice"));
        let given = vec![node("one", &["x"], &["x"])];
        assert!(names(given).unwrap_err().starts_with("x is written twice"));
        let steering = vec![node("a\u{1b}[2J", &["x"], &["y"])];
        assert!(names(steering).unwrap_err().contains("cannot be shown"));
        assert!(
            names(Vec::new())
                .unwrap_err()
                .starts_with("the output reads y")
        );
    }

    #[test]
    fn a_chain_of_many_nodes_takes_no_stack() {
        let chain = (0..100_000).map(|at| {
            let from = if at == 0 {
                "x".into()
            } else {
                format!("v{at}")
            };
            let to = if at == 99_999 {
                "y".into()
            } else {
                format!("v{}", at + 1)
            };
            node("", &[&from], &[&to])
        });
        assert_eq!(names(chain.collect()).unwrap().len(), 100_000);
    }
}
