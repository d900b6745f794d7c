//! What an analysis will take, told before it runs: multiply-accumulates and memory, from the graph
//! and the settings alone. With the pace of a forward walk on a device, work becomes time.

use super::analysis::Analysis;
use super::curvature::KEPT_BYTES;
use super::metric::Metric;
use super::trace::EXACT_CLASSES;
use crate::engine::graph::{Graph, Layer, Operation};

/// Products that an eigenvalue takes at a relative residual of 1e-3, from experience.
const PRODUCTS: f64 = 6.5;
/// More of them for each further digit.
const PRODUCTS_PER_DIGIT: f64 = 2.0;
/// Walks of an estimated trace, from experience.
const PROBES: f64 = 32.0;
/// Bytes of a kept number.
const NUMBER: usize = 4;

/// Work and memory.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// Multiply-accumulates in all.
    pub macs: f64,
    /// Bytes of the values that products reuse.
    pub bytes: usize,
}

/// What the work on a network depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outline {
    /// Multiply-accumulates of each layer for one image, in the order of the network.
    pub macs: Vec<u64>,
    /// Numbers kept for one image.
    pub kept: usize,
    /// Classes.
    pub classes: usize,
}

impl Outline {
    /// Of a network; kept is what a layer reads and what a rectifier writes, each once.
    #[must_use]
    pub fn of(graph: &Graph) -> Self {
        let mut kept = vec![false; graph.nodes().len()];
        for id in graph.ids() {
            let node = graph.node(id);
            if matches!(node.operation, Operation::Relu(_)) {
                kept[id.index()] = true;
            } else if node.operation.weight().is_some() {
                kept[node.inputs[0].index()] = true;
            }
        }
        let nodes = graph.nodes().iter().zip(kept).filter(|(_, kept)| *kept);
        Self {
            macs: graph.layers().iter().map(Layer::macs).collect(),
            kept: nodes.map(|(node, _)| node.shape.elements()).sum(),
            classes: graph.classes(),
        }
    }

    /// Multiply-accumulates of one image's forward walk.
    #[must_use]
    pub fn forward(&self) -> u64 {
        self.macs.iter().sum()
    }

    /// What measuring all layers over `samples` images will take.
    ///
    /// A product of layer i walks the layers from i on twice, tangent and backward; a backward walk
    /// with weight gradients costs two forward walks.
    #[must_use]
    pub fn estimate(&self, settings: &Analysis, samples: usize) -> Estimate {
        let forward = self.forward() as f64;
        let mut walks = forward;
        for metric in &settings.metrics {
            walks += match metric {
                Metric::Eigenvalue => products(settings) * 2.0 * self.macs_from_each(),
                Metric::Trace if self.classes <= EXACT_CLASSES => {
                    2.0 * forward * self.classes as f64
                }
                Metric::Trace => 2.0 * forward * PROBES,
                Metric::LossChange => forward * (self.macs.len() * settings.bits.len()) as f64,
            };
        }
        Estimate {
            macs: walks * samples as f64,
            bytes: (self.kept * NUMBER).saturating_mul(samples).min(KEPT_BYTES),
        }
    }

    /// Sum over the layers of the multiply-accumulates from it on.
    fn macs_from_each(&self) -> f64 {
        let macs = self.macs.iter().zip(1_u32..);
        macs.map(|(&macs, nth)| macs as f64 * f64::from(nth)).sum()
    }
}

fn products(settings: &Analysis) -> f64 {
    let digits = -settings.tolerance.log10() - 3.0;
    let products = PRODUCTS + PRODUCTS_PER_DIGIT * digits;
    products.clamp(2.0, settings.max_iterations.max(2) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::graph::Shape;
    use crate::engine::model::resnet;

    fn outline(blocks: usize) -> Outline {
        Outline::of(&resnet::graph(blocks, Shape::map(3, 32, 32), 10).unwrap())
    }

    #[test]
    fn work_grows_with_samples_metrics_and_tolerance() {
        let (outline, usual) = (outline(3), Analysis::default());
        let of = |settings: &Analysis, samples| outline.estimate(settings, samples).macs;
        let once = of(&usual, 128);
        assert!((of(&usual, 256) / once - 2.0).abs() < 1e-9);
        let finer = Analysis {
            tolerance: 1e-5,
            ..usual.clone()
        };
        assert!(of(&finer, 128) > once);
        let more = Analysis {
            metrics: vec![Metric::Eigenvalue, Metric::Trace],
            ..usual
        };
        assert!(of(&more, 128) > once);
        // 6.5 products for each of 20 layers, each about one forward and one backward walk of half
        // of the network.
        let forwards = once / (128.0 * outline.forward() as f64);
        assert!((100.0..180.0).contains(&forwards), "{forwards}");
    }

    #[test]
    fn memory_is_bounded() {
        let bytes = outline(9).estimate(&Analysis::default(), 50_000).bytes;
        assert_eq!(bytes, KEPT_BYTES);
    }
}
