//! What an analysis would take here: the pace of a forward walk is timed, the rest is counted.

use std::time::Instant;

use super::Lines;
use crate::cli::failure::Failure;
use crate::engine::autodiff::batch_step::Batch;
use crate::engine::backend::cpu::{Cpu, Isa};
use crate::engine::bench::Forward;
use crate::engine::data::Label;
use crate::engine::graph::Shape;
use crate::engine::hessian::Analysis;
use crate::engine::hessian::estimate::{Estimate, Outline};
use crate::engine::memory::Memory;
use crate::engine::model::{Architecture, Model};

/// A network that everybody in the field knows.
const NETWORK: Architecture = Architecture::ResNet { depth: 20 };
/// CIFAR-10.
const IMAGE: (Shape, usize) = (Shape::map(3, 32, 32), 10);
/// Images that are walked to learn the pace.
const TIMED: usize = 64;

/// The eigenvalues of all layers of `ResNet20` at the usual settings, by the number of images.
///
/// # Errors
/// When the device fails.
pub fn lines() -> Result<Lines, Failure> {
    let model = Model::untrained(NETWORK, IMAGE, 0)?;
    let outline = Outline::of(&model.graph).with_memory(Memory::of_machine());
    let pace = pace(&model, outline.forward())?;
    let line = |(label, samples): (&'static str, usize)| {
        let estimate = outline.estimate(&Analysis::default(), samples);
        (label, described(&estimate, pace))
    };
    let network = format!("{NETWORK}, eigenvalues of all layers, tolerance 1e-3");
    let images = [
        ("512 images", 512),
        ("4096 images", 4096),
        ("50000 images", 50_000),
    ];
    let mut lines = vec![("network", network)];
    lines.extend(images.map(line));
    Ok(lines)
}

/// Multiply-accumulates of a forward walk in a second: the faster of two.
fn pace(model: &Model, forward: u64) -> Result<f64, Failure> {
    let backend = Cpu::new(Isa::detect());
    let batch = Batch {
        images: vec![0.5; TIMED * model.graph.input_shape().elements()],
        labels: vec![Label(0); TIMED],
    };
    let mut walk = Forward::new(model, &backend)?;
    let mut fastest = f64::INFINITY;
    for _ in 0..2 {
        let start = Instant::now();
        walk.once(&batch)?;
        fastest = fastest.min(start.elapsed().as_secs_f64());
    }
    Ok((forward * TIMED as u64) as f64 / fastest)
}

fn described(estimate: &Estimate, pace: f64) -> String {
    let seconds = estimate.macs / pace;
    let time = if seconds < 100.0 {
        format!("{seconds:.1} s")
    } else {
        format!("{:.0} min", seconds / 60.0)
    };
    let megabytes = estimate.bytes.div_ceil(1 << 20);
    let how = estimate.ways();
    format!("about {time} and {megabytes} MB, {how}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn estimates_are_in_words() {
        let estimate = Estimate {
            macs: 5e9,
            bytes: 3 << 20,
            walked: 2,
            layers: 20,
        };
        assert_eq!(
            described(&estimate, 1e9),
            "about 5.0 s and 3 MB, 18 layers by rows, 2 by walks"
        );
        assert!(described(&estimate, 1e7).starts_with("about 8 min"));
    }
}
