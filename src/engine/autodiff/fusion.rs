//! Activation functions, rectifiers for short, that are computed together with their neighbours, in one pass over memory:
//!
//! ```text
//! batch normalisation -> (sum with another wire) -> activation function -> fake quantization
//! ```
//! The graph stays as it is; a walk that comes to the rectifier computes the nodes around it as well
//! and skips them at their own places. Numbers are those of the nodes one by one, bit for bit.

use crate::engine::backend::{Backend, Grid};
use crate::engine::graph::operations::rules::{Lifetimes, Norm, Prepared};
use crate::engine::graph::{Graph, NodeId, Operation};

/// A rectifier and its neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Neighbours {
    /// The wire that is read.
    pub source: NodeId,
    /// Batch normalisation of it.
    pub norm: Option<NodeId>,
    /// A sum, and the other wire that it reads.
    pub sum: Option<(NodeId, NodeId)>,
    /// Fake quantization of what is rectified.
    pub quantize: Option<NodeId>,
}

impl Neighbours {
    /// All nodes computed at the rectifier, in the order of the graph.
    pub fn nodes(&self, relu: NodeId) -> impl Iterator<Item = NodeId> {
        let sum = self.sum.map(|(sum, _)| sum);
        [self.norm, sum, Some(relu), self.quantize]
            .into_iter()
            .flatten()
    }
}

/// What is computed where.
#[derive(Debug)]
pub(super) struct Fusion {
    /// By rectifier.
    neighbours: Vec<Option<Neighbours>>,
    /// By node: whether it is computed at the place of a rectifier.
    elsewhere: Vec<bool>,
    /// By node: whether its gradient waits there for the backward walk.
    waits: Vec<bool>,
}

impl Fusion {
    /// Of a graph walked forward with these lifetimes.
    pub fn new(graph: &Graph, lifetimes: &Lifetimes) -> Self {
        let count = graph.nodes().len();
        let mut fusion = Self {
            neighbours: vec![None; count],
            elsewhere: vec![false; count],
            waits: vec![false; count],
        };
        let search = Search {
            graph,
            lifetimes,
            readers: &readers(graph),
        };
        for relu in graph.ids() {
            match &graph.node(relu).operation {
                Operation::Activate(activate) if activate.is_seen_behind() => {}
                _ => continue,
            }
            let neighbours = search.around(relu);
            if neighbours.norm.is_none() && neighbours.quantize.is_none() {
                continue;
            }
            for node in neighbours.nodes(relu).filter(|&node| node != relu) {
                fusion.elsewhere[node.index()] = true;
            }
            if let Some(quantize) = neighbours.quantize {
                fusion.waits[quantize.index()] = true;
            }
            fusion.neighbours[relu.index()] = Some(neighbours);
        }
        fusion
    }

    /// The neighbours that are computed at this node, if it is a rectifier that has some.
    pub fn at(&self, id: NodeId) -> Option<&Neighbours> {
        self.neighbours[id.index()].as_ref()
    }

    /// Whether a node is computed at the place of a rectifier.
    pub fn is_elsewhere(&self, id: NodeId) -> bool {
        self.elsewhere[id.index()]
    }

    /// Whether the gradient of a node is passed on at the place of a rectifier.
    pub fn waits(&self, id: NodeId) -> bool {
        self.waits[id.index()]
    }
}

/// The nodes that read each wire.
fn readers(graph: &Graph) -> Vec<Vec<NodeId>> {
    let mut readers = vec![Vec::new(); graph.nodes().len()];
    for id in graph.ids() {
        for input in &graph.node(id).inputs {
            readers[input.index()].push(id);
        }
    }
    readers
}

struct Search<'a> {
    graph: &'a Graph,
    lifetimes: &'a Lifetimes,
    readers: &'a [Vec<NodeId>],
}

impl Search<'_> {
    fn around(&self, relu: NodeId) -> Neighbours {
        let read = self.graph.node(relu).inputs[0];
        let is_quantize =
            |id: &&NodeId| matches!(self.graph.node(**id).operation, Operation::Quantize(_));
        let plain = Neighbours {
            source: read,
            norm: None,
            sum: None,
            quantize: self.readers[relu.index()].iter().find(is_quantize).copied(),
        };
        let before = self.normalised(read, (read, None), relu);
        let before = before.or_else(|| self.summed(read, relu));
        before.map_or(plain, |(source, norm, sum)| Neighbours {
            source,
            norm: Some(norm),
            sum,
            ..plain
        })
    }

    /// Batch normalisation as one of the wires that a sum reads.
    fn summed(&self, sum: NodeId, relu: NodeId) -> Option<Before> {
        let node = self.graph.node(sum);
        let (Operation::Add(_), [a, b]) = (&node.operation, &node.inputs[..]) else {
            return None;
        };
        let of = |norm: NodeId, other: NodeId| {
            let there = norm != other && self.lasts(other, sum, relu) && self.is_between(sum);
            there
                .then(|| self.normalised(norm, (sum, Some(other)), relu))
                .flatten()
        };
        of(*a, *b).or_else(|| of(*b, *a))
    }

    /// Batch normalisation that nobody but `reader` reads.
    fn normalised(
        &self,
        norm: NodeId,
        (reader, other): (NodeId, Option<NodeId>),
        relu: NodeId,
    ) -> Option<Before> {
        let node = self.graph.node(norm);
        let is_norm = matches!(node.operation, Operation::BatchNorm(_));
        let fits = is_norm && self.is_between(norm) && self.lasts(node.inputs[0], norm, relu);
        fits.then(|| (node.inputs[0], norm, other.map(|other| (reader, other))))
    }

    /// Whether only one node reads a wire, and nobody needs it later.
    fn is_between(&self, id: NodeId) -> bool {
        self.readers[id.index()].len() == 1 && !self.lifetimes.is_kept(id)
    }

    /// Whether a wire that `reader` reads is still there when the walk comes to `relu`.
    fn lasts(&self, wire: NodeId, reader: NodeId, relu: NodeId) -> bool {
        let ends_between =
            |other: &NodeId| *other != reader && *other < relu && self.lifetimes.ends(wire, *other);
        !self.readers[wire.index()].iter().any(ends_between)
    }
}

/// Source, batch normalisation, and a sum with the other wire that it reads.
type Before = (NodeId, NodeId, Option<(NodeId, NodeId)>);

/// Coefficients of batch normalisation.
pub(super) fn norm_of<B: Backend>(prepared: &Prepared<B>) -> &Norm<B> {
    match prepared {
        Prepared::Norm(norm) => norm,
        _ => unreachable!("invariant: statistics are known before they normalise"),
    }
}

/// The grid of fake quantization.
pub(super) fn grid_of<B: Backend>(prepared: &Prepared<B>) -> Grid {
    match prepared {
        Prepared::Grid(grid) => *grid,
        _ => unreachable!("invariant: fake quantization is prepared as a grid"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::graph::{Builder, ConvolutionOptions, Shape};
    use crate::engine::model::resnet;
    use crate::engine::quant::Bits;

    fn fused(graph: &Graph, kept: Vec<bool>) -> Vec<(String, Vec<String>)> {
        let fusion = Fusion::new(graph, &Lifetimes::new(graph.nodes(), kept));
        let name = |id: NodeId| graph.node(id).name.to_string();
        let found = graph.ids().filter_map(|id| Some((id, fusion.at(id)?)));
        let found = found.map(|(id, around)| {
            assert!(!fusion.is_elsewhere(id));
            let nodes = around.nodes(id).filter(|&node| node != id);
            let nodes = nodes.inspect(|&node| assert!(fusion.is_elsewhere(node)));
            (name(id), nodes.map(name).collect())
        });
        found.collect()
    }

    fn nothing_kept(graph: &Graph) -> Vec<bool> {
        vec![false; graph.nodes().len()]
    }

    #[test]
    fn a_residual_network_is_fused_at_every_rectifier() {
        let graph = resnet::graph(3, Shape::map(3, 32, 32), 10).unwrap();
        let fused = fused(&graph, nothing_kept(&graph));
        assert_eq!(fused.len(), 19);
        assert_eq!(fused[0].1, ["bn1"]);
        assert_eq!(fused[1].1, ["layer1.0.bn1"]);
        // The end of a block: batch normalisation and the sum.
        assert_eq!(fused[2].1.len(), 2);
        assert_eq!(fused[2].1[0], "layer1.0.bn2");
    }

    #[test]
    fn what_others_read_or_keep_is_computed_on_its_own() {
        let (mut b, image) = Builder::new(Shape::map(3, 8, 8));
        let options = ConvolutionOptions::same(4, [3, 3]);
        let x = b.convolution("a", image, &options).unwrap();
        let norm = b.batch_norm("norm", x).unwrap();
        let relu = b.relu("relu", norm).unwrap();
        let graph = b.clone().finish();
        assert_eq!(
            fused(&graph, nothing_kept(&graph)),
            [("relu".to_owned(), vec!["norm".to_owned()])]
        );
        let mut kept = nothing_kept(&graph);
        kept[norm.index()] = true;
        assert!(fused(&graph, kept).is_empty());
        // The norm is read twice.
        b.add("sum", relu, norm).unwrap();
        let graph = b.clone().finish();
        assert!(fused(&graph, nothing_kept(&graph)).is_empty());
        // Somebody in between is the last to read what the norm reads.
        let (mut b, image) = Builder::new(Shape::map(3, 8, 8));
        let x = b.convolution("a", image, &options).unwrap();
        let norm = b.batch_norm("norm", x).unwrap();
        let other = b.convolution("b", x, &options).unwrap();
        let relu = b.relu("relu", norm).unwrap();
        b.add("sum", relu, other).unwrap();
        let graph = b.finish();
        assert!(fused(&graph, nothing_kept(&graph)).is_empty());
    }

    #[test]
    fn fake_quantization_joins() {
        let (mut b, image) = Builder::new(Shape::map(3, 8, 8));
        let x = b
            .convolution("a", image, &ConvolutionOptions::same(4, [3, 3]))
            .unwrap();
        let x = b.relu("relu", x).unwrap();
        let codes = crate::engine::graph::operations::Codes::Unsigned(Bits::new(4).unwrap());
        b.quantize("quantize", x, codes).unwrap();
        let graph = b.finish();
        assert_eq!(
            fused(&graph, nothing_kept(&graph)),
            [("relu".to_owned(), vec!["quantize".to_owned()])]
        );
    }
}
