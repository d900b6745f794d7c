//! Two networks side by side on the same images: the one a file was made from, and the one read
//! back from it.

use std::path::Path;

use crate::engine::autodiff::Program;
use crate::engine::autodiff::loss::{Tally, predict};
use crate::engine::backend::Backend;
use crate::engine::data::Images;
use crate::engine::evaluation;
use crate::engine::graph::operations::BatchNormMode;
use crate::engine::graph::operations::rules::Purpose;
use crate::engine::graph::{Graph, Parameters};
use crate::engine::job::{Event, Observer, Phase, Score, Verdict};
use crate::engine::{Error, Result};

/// Predictions that may differ: roundings fall the other way at ties.
const DIFFERENT: usize = 2;
/// One more for so many images.
const ONE_IN: usize = 1000;

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Comparison {
    /// Largest difference of a logit.
    pub largest_difference: f64,
    /// Images with another prediction.
    pub different: usize,
    /// Score of the network.
    pub network: Score,
    /// Score of the file read back.
    pub file: Score,
}

impl Comparison {
    /// Refuses a file that predicts something else than the network.
    ///
    /// # Errors
    /// When more predictions differ than ties explain, or a logit is not finite.
    pub fn check(&self, path: &Path) -> Result<()> {
        let (different, total) = (self.different, self.network.total);
        let allowed = DIFFERENT + total / ONE_IN;
        if self.largest_difference.is_finite() && different <= allowed {
            return Ok(());
        }
        let largest = self.largest_difference;
        Err(Error::format(
            path,
            format!(
                "read back, {different} of {total} predictions differ (largest logit difference \
                 {largest:.3e}); nothing was kept, please report this"
            ),
        ))
    }
}

/// Compares two networks on images. `None` when the observer asked to stop.
///
/// # Errors
/// When the device fails.
pub fn compare<B: Backend>(
    backend: &B,
    networks: [(&Graph, &Parameters); 2],
    images: &dyn Images,
    observer: &mut dyn Observer,
) -> Result<Option<Comparison>> {
    let mut walked = Vec::with_capacity(networks.len());
    for (pass, (graph, parameters)) in (0_u64..).zip(networks) {
        let walk = (BatchNormMode::Running, Purpose::Evaluate);
        let program = Program::new(graph, backend, parameters, walk)?;
        let Some(found) = walk_all(&program, images, (pass, observer))? else {
            return Ok(None);
        };
        walked.push(found);
    }
    let classes = networks[0].0.classes().max(1);
    let [(first, network), (second, file)] = &walked[..] else {
        unreachable!("invariant: both networks were walked");
    };
    let differences = first.iter().zip(second).map(|(a, b)| (a - b).abs());
    let pairs = first.chunks(classes).zip(second.chunks(classes));
    Ok(Some(Comparison {
        // A NaN is the largest of all.
        largest_difference: differences
            .fold(0.0, |a: f64, b| if b > a || b.is_nan() { b } else { a }),
        different: pairs.filter(|(a, b)| predict(a) != predict(b)).count(),
        network: *network,
        file: *file,
    }))
}

/// Logits and score over all images.
fn walk_all<B: Backend>(
    program: &Program<B>,
    images: &dyn Images,
    (pass, observer): (u64, &mut dyn Observer),
) -> Result<Option<(Vec<f64>, Score)>> {
    let (mut all, mut tally, mut stopped) = (Vec::new(), Tally::default(), false);
    let total = images.len() as u64;
    evaluation::logits(program, images, &mut |logits, labels| {
        all.extend_from_slice(logits);
        tally.add(&Tally::of(logits, labels));
        let verdict = observer.on(Event::Progress {
            phase: Phase::Export,
            done: pass * total + tally.total as u64,
            total: 2 * total,
        });
        stopped = verdict == Verdict::Stop;
        verdict
    })?;
    Ok((!stopped).then(|| (all, tally.score())))
}
