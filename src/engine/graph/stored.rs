//! A graph as it is written and read: nodes with their operations and shapes. On reading every node is
//! inserted anew, so that what a file says is checked as what a program builds is; and the shapes that it
//! names must be those that come out.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Builder, Graph, NodeId, Operation, ParameterSpec, Shape};
use crate::engine::files::hexadecimal;
use crate::engine::{Error, Result};

/// What identities begin with; another number means that other facts are hashed.
const IDENTITY: &str = "hawqeye graph 1";

/// A graph in a file.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Stored {
    /// Shape of an image.
    input: Shape,
    parameters: Vec<ParameterSpec>,
    /// Without the image, which is wire 0.
    nodes: Vec<StoredNode>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredNode {
    name: Arc<str>,
    operation: Operation,
    /// The wires that it reads: places of nodes, the image being 0.
    inputs: Vec<usize>,
    shape: Shape,
}

impl From<Graph> for Stored {
    fn from(graph: Graph) -> Self {
        let input = graph.input_shape();
        let nodes = graph.nodes.into_iter().skip(1).map(|node| StoredNode {
            name: node.name,
            operation: node.operation,
            inputs: node.inputs.iter().map(|id| id.index()).collect(),
            shape: node.shape,
        });
        Self {
            input,
            nodes: nodes.collect(),
            parameters: graph.parameters,
        }
    }
}

impl TryFrom<Stored> for Graph {
    type Error = Error;

    fn try_from(stored: Stored) -> Result<Self> {
        if stored.nodes.is_empty() || stored.input.checked_elements().is_none() {
            return Err(Error::invalid(format!(
                "a network of {} nodes over images of {}: expected nodes, and images of at most {} \
                 numbers",
                stored.nodes.len(),
                stored.input,
                Shape::LIMIT
            )));
        }
        let (mut builder, _) = Builder::new(stored.input);
        for spec in stored.parameters {
            builder.parameter(spec.name.to_string(), &spec.shape, spec.role)?;
        }
        for node in stored.nodes {
            let later = node.inputs.iter().find(|&&wire| wire >= builder.wires());
            if let Some(wire) = later {
                return Err(Error::invalid(format!(
                    "{} reads wire {wire}, but only {} come before it: use a whole file",
                    node.name,
                    builder.wires()
                )));
            }
            let inputs: Vec<NodeId> = node.inputs.into_iter().map(NodeId).collect();
            let id = builder.insert(&node.name, node.operation, &inputs)?;
            if builder.shape(id) != node.shape {
                return Err(Error::invalid(format!(
                    "{} writes {}, but the file says {}: use a whole file",
                    node.name,
                    builder.shape(id),
                    node.shape
                )));
            }
        }
        match builder.unread() {
            None => Ok(builder.finish()),
            Some(spec) => Err(Error::invalid(format!(
                "no node reads {}: use a whole file",
                spec.name
            ))),
        }
    }
}

/// What an identity is made of, of one node.
#[derive(Serialize)]
struct Facts<'a> {
    /// Only of layers: how other nodes are called changes nothing.
    layer: Option<&'a str>,
    operation: &'a Operation,
    inputs: Vec<usize>,
    shape: Shape,
}

impl Graph {
    /// A hash (SHA-256, hexadecimal) of what the network computes and of how its layers and parameters are
    /// called: operations, wires, shapes, in order. Networks of equal identity take the same weights and
    /// plans; names of nodes without parameters do not matter.
    ///
    /// # Panics
    /// Never: graphs can always be written.
    #[must_use]
    pub fn identity(&self) -> String {
        let mut hash = Sha256::new();
        let mut add = |bytes: &[u8]| {
            hash.update((bytes.len() as u64).to_le_bytes());
            hash.update(bytes);
        };
        add(IDENTITY.as_bytes());
        for spec in &self.parameters {
            add(&written(spec));
        }
        for node in &self.nodes {
            let layer = node.operation.weight().map(|_| &*node.name);
            add(&written(&Facts {
                layer,
                operation: &node.operation,
                inputs: node.inputs.iter().map(|id| id.index()).collect(),
                shape: node.shape,
            }));
        }
        hexadecimal(&hash.finalize())
    }
}

fn written(facts: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(facts).expect("invariant: facts of a graph can be written")
}
