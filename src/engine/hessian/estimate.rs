//! What an analysis will take, told before it runs: multiply-accumulates and memory, from the graph
//! and the settings alone. With the pace of a forward walk on a device, work becomes time.

use super::analysis::Analysis;
use super::metric::Metric;
use crate::engine::autodiff::kept;
use crate::engine::counts::counted;
use crate::engine::graph::operations::rules::Purpose;
use crate::engine::graph::{Graph, Layer};
use crate::engine::memory::Memory;

/// Products that an eigenvalue takes at a relative residual of 1e-3, from experience.
const PRODUCTS: f64 = 6.5;
/// More of them for each further digit.
const PRODUCTS_PER_DIGIT: f64 = 2.0;
/// Rows an image when a thousandth of the curvature may be left out, of a trained network, from
/// experience.
const ROWS: f64 = 0.8;
/// More of them for each further digit.
const ROWS_PER_DIGIT: f64 = 0.7;
/// Share of the images that have rows.
const IMAGES_WITH_ROWS: f64 = 0.5;
/// What a pass over a row costs, in multiply-accumulates a weight: it comes from memory.
const PASS: f64 = 4.0;
/// Bytes of a kept number.
const NUMBER: usize = 4;

/// Work and memory.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// Multiply-accumulates in all.
    pub macs: f64,
    /// Bytes of the values that products reuse.
    pub bytes: usize,
    /// Layers in all.
    pub layers: usize,
    /// Those whose products walk through the network, as their rows would not fit into memory.
    pub walked: usize,
}

impl Estimate {
    /// How the products are made, in words.
    #[must_use]
    pub fn ways(&self) -> String {
        match self.walked {
            0 => "all layers by rows".to_owned(),
            walked if walked == self.layers => "all layers by walks".to_owned(),
            walked => format!(
                "{} by rows, {walked} by walks",
                counted(self.layers - walked, "layer")
            ),
        }
    }
}

/// What the work on a network depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outline {
    /// Multiply-accumulates of each layer for one image, in the order of the network.
    pub macs: Vec<u64>,
    /// Weights of each layer.
    pub weights: Vec<usize>,
    /// Numbers kept for one image.
    pub kept: usize,
    /// Classes.
    pub classes: usize,
    /// What may be kept between walks.
    pub memory: Memory,
}

impl Outline {
    /// Of a network; kept is what an analysis saves, each wire once.
    #[must_use]
    pub fn of(graph: &Graph) -> Self {
        let kept = kept(graph, Purpose::Analyse, |_| true);
        let nodes = graph.nodes().iter().zip(kept).filter(|(_, kept)| *kept);
        Self {
            macs: graph.layers().iter().map(Layer::macs).collect(),
            weights: graph.layers().iter().map(Layer::parameters).collect(),
            kept: nodes.map(|(node, _)| node.shape.elements()).sum(),
            classes: graph.classes(),
            memory: Memory::USUAL,
        }
    }

    /// The same with so much memory.
    #[must_use]
    pub fn with_memory(self, memory: Memory) -> Self {
        Self { memory, ..self }
    }

    /// Multiply-accumulates of one image's forward walk.
    #[must_use]
    pub fn forward(&self) -> u64 {
        self.macs.iter().sum()
    }

    /// What measuring all layers over `samples` images will take.
    #[must_use]
    pub fn estimate(&self, settings: &Analysis, samples: usize) -> Estimate {
        let (forward, images) = (self.forward() as f64, samples as f64);
        let mut macs = forward * images;
        let (mut bytes, mut walked) = (0, 0);
        let measures = |metric| settings.metrics.contains(&metric);
        if measures(Metric::Eigenvalue) || measures(Metric::Trace) {
            let rows = rows(settings, self.classes) * images;
            let numbers = rows * self.weights.iter().sum::<usize>() as f64;
            let largest = rows * self.weights.iter().max().map_or(0.0, |&most| most as f64);
            macs += forward * images * IMAGES_WITH_ROWS;
            // The gradient of the input, and that of the weights.
            macs += 2.0 * forward * rows;
            let walks = self.weights.iter().filter(|&&of| !self.fits(rows, of));
            walked = walks.count();
            if measures(Metric::Eigenvalue) {
                macs += self.products(settings, images, rows);
            }
            let kept = IMAGES_WITH_ROWS * images * self.kept as f64;
            let memory = self.memory;
            let group = at_most(numbers, memory.of_group());
            let held = group.max(at_most(largest, memory.of_rows()));
            bytes = at_most(kept, memory.of_values()) + held;
        }
        if measures(Metric::LossChange) {
            macs += forward * images * (self.macs.len() * settings.bits.len()) as f64;
        }
        Estimate {
            macs,
            bytes,
            layers: self.macs.len(),
            walked,
        }
    }

    /// Multiply-accumulates of the products of all layers; those of layer i walk the layers from i on
    /// twice, tangent and backward, where its rows do not fit into memory.
    fn products(&self, settings: &Analysis, images: f64, rows: f64) -> f64 {
        let of_layer = |(layer, &weights): (usize, &usize)| {
            if self.fits(rows, weights) {
                PASS * rows * weights as f64
            } else {
                let from_here: u64 = self.macs[layer..].iter().sum();
                2.0 * IMAGES_WITH_ROWS * images * from_here as f64
            }
        };
        let once: f64 = self.weights.iter().enumerate().map(of_layer).sum();
        products(settings) * once
    }

    /// Whether rows of this many weights are held in memory.
    fn fits(&self, rows: f64, weights: usize) -> bool {
        rows * (weights * NUMBER) as f64 <= self.memory.of_rows() as f64
    }
}

fn at_most(numbers: f64, bytes: usize) -> usize {
    (numbers * NUMBER as f64).min(bytes as f64) as usize
}

/// Rows an image.
fn rows(settings: &Analysis, classes: usize) -> f64 {
    let digits = -settings.left_out().log10() - 3.0;
    let rows = ROWS + ROWS_PER_DIGIT * digits;
    rows.clamp(0.1, classes.saturating_sub(1) as f64)
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
            metrics: vec![Metric::Eigenvalue, Metric::LossChange],
            ..usual
        };
        assert!(of(&more, 128) > once);
        // The sample once, half of it again, and a row an image at twice that.
        let forwards = once / (128.0 * outline.forward() as f64);
        assert!((3.0..6.0).contains(&forwards), "{forwards}");
    }

    #[test]
    fn memory_is_bounded() {
        let estimate = outline(9).estimate(&Analysis::default(), 50_000);
        let memory = Memory::USUAL;
        assert_eq!(estimate.bytes, memory.of_values() + memory.of_rows());
        let small = outline(9).with_memory(Memory::within(256 << 20));
        let estimate_small = small.estimate(&Analysis::default(), 50_000);
        assert!(estimate_small.bytes <= 128 << 20 && estimate_small.walked > estimate.walked);
        assert!(estimate.walked > 0 && estimate.walked < estimate.layers);
        let small = outline(9).estimate(&Analysis::default(), 128);
        assert_eq!(small.ways(), "all layers by rows");
    }
}
