//! The analysis of a project: it goes on where an earlier one with the same fingerprint stopped.

use std::path::Path;
use std::time::Instant;

use super::load::Loaded;
use crate::app::jobs::AnalysisRequest;
use crate::engine::hessian::analysis::{prepare, run};
use crate::engine::hessian::sensitivity::Sensitivity;
use crate::engine::job::{Event, Observer, Outcome};
use crate::engine::{Error, Result, files};
use crate::pace::{Pace, SAVED_EVERY};

/// Measures the layers into the file `target`, and beside it while unfinished.
pub(super) fn analyze(
    (loaded, request): (&Loaded, &AnalysisRequest),
    target: &Path,
    observer: &mut dyn Observer,
) -> Result<(Sensitivity, Outcome)> {
    let started = Instant::now();
    let images = super::detail::images(loaded, request)?;
    let subject = super::detail::subject(loaded, &images);
    let settings = request.settings(loaded.seed);
    let fresh = prepare(&subject, &settings)?;
    let earlier = (!request.anew)
        .then(|| earlier(target, fresh.fingerprint.as_ref()))
        .flatten();
    let mut state = earlier.unwrap_or(fresh);
    state.packed = Some(loaded.envelope());
    let before = state.seconds.unwrap_or(0.0);
    let partial = Sensitivity::unfinished(target);
    keep_damaged([target, &partial], observer)?;
    let mut pace = Pace::new(SAVED_EVERY);
    let mut save = |state: &Sensitivity| {
        if !pace.is_due() {
            return Ok(());
        }
        let mut state = state.clone();
        state.seconds = Some(before + started.elapsed().as_secs_f64());
        state.write(&partial)
    };
    let outcome = run(&subject, &settings, &mut state, &mut save, observer)?;
    state.seconds = Some(before + started.elapsed().as_secs_f64());
    match outcome {
        Outcome::Stopped => state.write(&partial)?,
        Outcome::Done => {
            state.write(target)?;
            remove(&partial)?;
        }
    }
    Ok((state, outcome))
}

/// Gives measurements that cannot be read another name, so that no others are written over them, and says
/// so.
fn keep_damaged(files: [&Path; 2], observer: &mut dyn Observer) -> Result<()> {
    let there = files.into_iter().filter(|path| path.exists());
    for path in there.filter(|path| Sensitivity::read(path).is_err()) {
        let kept = files::set_aside(path)?;
        let message = format!(
            "{} cannot be read and is kept as {}",
            path.display(),
            kept.display()
        );
        observer.on(Event::Warning { message });
    }
    Ok(())
}

/// What an analysis that ended so left behind.
///
/// # Errors
/// When the file cannot be read.
pub(super) fn kept(target: &Path, outcome: Outcome) -> Result<Sensitivity> {
    match outcome {
        Outcome::Done => Sensitivity::read(target),
        Outcome::Stopped => Sensitivity::read(&Sensitivity::unfinished(target)),
    }
}

/// What an earlier analysis with the same fingerprint measured.
fn earlier(target: &Path, fingerprint: Option<&String>) -> Option<Sensitivity> {
    let candidates = [Sensitivity::unfinished(target), target.to_owned()];
    let read = candidates
        .into_iter()
        .filter_map(|path| Sensitivity::read(&path).ok());
    read.into_iter()
        .find(|earlier| earlier.fingerprint.as_ref() == fingerprint)
}

/// Removes a file if it is there.
fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(refused) if refused.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::file("remove", path, refused))
        }
        _ => Ok(()),
    }
}
