//! Loss and accuracy of a network over images, in chunks, reduced in order.

use super::Result;
use super::autodiff::loss::Tally;
use super::autodiff::{Program, Workspaces, chunk_ranges, in_turns};
use super::backend::Backend;
use super::data::{Images, Label};
use super::job::{Event, Observer, Phase, Score, Verdict};

/// Chunks walked between two reports.
const WAVE: usize = 32;

/// Evaluates `program` on `images`. `None` when the observer asked to stop.
///
/// # Errors
/// When the device fails.
pub fn evaluate<B: Backend>(
    program: &Program<B>,
    images: &dyn Images,
    observer: &mut dyn Observer,
) -> Result<Option<Score>> {
    let mut tally = Tally::default();
    let mut stopped = false;
    logits(program, images, &mut |logits, labels| {
        tally.add(&Tally::of(logits, labels));
        let (done, total) = (tally.total as u64, images.len() as u64);
        let verdict = observer.on(Event::Progress {
            phase: Phase::Evaluate,
            done,
            total,
        });
        stopped = verdict == Verdict::Stop;
        verdict
    })?;
    Ok((!stopped).then(|| tally.score()))
}

/// Hands the logits of all images to `take`, some images at a time and in order, with their labels.
///
/// # Errors
/// When the device fails.
pub fn logits<B: Backend>(
    program: &Program<B>,
    images: &dyn Images,
    take: &mut dyn FnMut(&[f64], &[Label]) -> Verdict,
) -> Result<()> {
    logits_in((program, &Workspaces::default()), images, take)
}

/// As [`logits`], in memory that is kept from call to call.
///
/// # Errors
/// When the device fails.
pub fn logits_in<B: Backend>(
    (program, workspaces): (&Program<B>, &Workspaces<B>),
    images: &dyn Images,
    take: &mut dyn FnMut(&[f64], &[Label]) -> Verdict,
) -> Result<()> {
    let ranges = chunk_ranges(images.len(), program.backend().chunk());
    for wave in ranges.chunks(WAVE) {
        let walked = in_turns(wave, program.at_once(), |range| {
            let loaded = images.load(range.clone())?;
            workspaces.with(|workspace| {
                let mut chunk = program.load(workspace, &loaded)?;
                let logits = program.forward(workspace, &mut chunk)?;
                program.recycle(workspace, chunk);
                Ok(logits)
            })
        })?;
        let (first, last) = (wave[0].start, wave[wave.len() - 1].end);
        if take(&walked.concat(), &images.labels(first..last)) == Verdict::Stop {
            break;
        }
    }
    Ok(())
}
