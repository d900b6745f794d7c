//! A second opinion on the layers with the largest eigenvalues: their eigenvectors, found on the
//! working device, are put through one product on a reference device (candle in float64). The
//! Rayleigh quotient `v^T H v` is the eigenvalue again, and the relative residual
//! `norm(Hv - lambda v) / |lambda|` bounds its distance from a true one.

use super::Analysis;
use super::analysis::{Subject, choose_rows, eigenpair, position};
use super::curvature::Curvature;
use super::primal::Primal;
use super::sensitivity::{Sensitivity, Verified};
use super::sweep::{Block, sweep};
use crate::engine::backend::Backend;
use crate::engine::job::{Event, Observer, Outcome, Phase, Verdict};
use crate::engine::{Error, Result};

/// Layers that are measured again.
pub const LAYERS: usize = 3;

/// A layer to be measured again.
struct Candidate {
    /// Its place in the sensitivity file.
    entry: usize,
    /// Its place in the network.
    layer: usize,
    vector: Vec<f64>,
}

/// Measures again, on `reference`, the layers of `state` with the largest eigenvalues.
///
/// # Errors
/// When a product fails or is not finite.
pub fn verify<B: Backend, R: Backend>(
    subject: &Subject<B>,
    reference: &R,
    (settings, state): (&Analysis, &mut Sensitivity),
    observer: &mut dyn Observer,
) -> Result<Outcome> {
    let entries = largest(state);
    if entries
        .iter()
        .all(|&entry| state.layers[entry].verified.is_some())
    {
        return Ok(Outcome::Done);
    }
    let Some(candidates) = candidates(subject, settings, (state, &entries), observer)? else {
        return Ok(Outcome::Stopped);
    };
    let (graph, parameters) = (&subject.model.graph, &subject.model.parameters);
    let primal = Primal::new(graph, parameters, reference, subject.images, observer)?;
    let Some(primal) = primal else {
        return Ok(Outcome::Stopped);
    };
    let mut curvature = Curvature::new(&primal);
    let total = candidates.len() as u64;
    for (done, candidate) in (1..).zip(candidates) {
        let image = curvature.product(candidate.layer, &candidate.vector)?;
        let layer = &mut state.layers[candidate.entry];
        layer.verified = Some(compare(&candidate.vector, &image, &layer.layer)?);
        let event = Event::Progress {
            phase: Phase::Verify,
            done,
            total,
        };
        if observer.on(event) == Verdict::Stop && done < total {
            return Ok(Outcome::Stopped);
        }
    }
    Ok(Outcome::Done)
}

/// Places of the layers with the largest eigenvalues.
fn largest(state: &Sensitivity) -> Vec<usize> {
    let measured = |&entry: &usize| state.layers[entry].eigenvalue.is_some();
    let mut entries: Vec<usize> = (0..state.layers.len()).filter(measured).collect();
    let size = |entry: usize| state.layers[entry].eigenvalue.unwrap_or(0.0).abs();
    entries.sort_by(|&a, &b| size(b).total_cmp(&size(a)));
    entries.truncate(LAYERS);
    entries
}

/// Finds the eigenvectors again, the way they were found. `None` when the observer asked to stop.
fn candidates<B: Backend>(
    subject: &Subject<B>,
    settings: &Analysis,
    (state, entries): (&Sensitivity, &[usize]),
    observer: &mut dyn Observer,
) -> Result<Option<Vec<Candidate>>> {
    let (graph, parameters) = (&subject.model.graph, &subject.model.parameters);
    let primal = Primal::new(graph, parameters, subject.backend, subject.images, observer)?;
    let Some(primal) = primal else {
        return Ok(None);
    };
    let mut places: Vec<(usize, usize)> = entries
        .iter()
        .map(|&entry| (position(&primal, &state.layers[entry].layer), entry))
        .collect();
    places.sort_unstable();
    let layers: Vec<usize> = places.iter().map(|&(layer, _)| layer).collect();
    let mut candidates = Vec::with_capacity(places.len());
    let mut visit = |layer: usize, block: &mut Block<B>, observer: &mut dyn Observer| {
        let (_, entry) = places[candidates.len()];
        let size = state.layers[entry].parameters;
        let total = layers.len() as u64;
        let pair = eigenpair(block, (layer, size), settings, &mut |_, _, _| {
            observer.on(Event::Progress {
                phase: Phase::Verify,
                done: 0,
                total,
            })
        })?;
        candidates.push(Candidate {
            entry,
            layer,
            vector: pair.vector,
        });
        Ok(if pair.stopped {
            Verdict::Stop
        } else {
            Verdict::Continue
        })
    };
    let rows = choose_rows(&primal, settings);
    let verdict = sweep((&primal, &rows), (&layers, false), &mut visit, observer)?;
    Ok((verdict == Verdict::Continue).then_some(candidates))
}

fn compare(vector: &[f64], image: &[f64], layer: &str) -> Result<Verified> {
    let eigenvalue: f64 = vector.iter().zip(image).map(|(v, h)| v * h).sum();
    let rest = vector.iter().zip(image);
    let rest: f64 = rest.map(|(v, h)| (h - eigenvalue * v).powi(2)).sum();
    let residual = if rest == 0.0 {
        0.0
    } else {
        rest.sqrt() / eigenvalue.abs()
    };
    if eigenvalue.is_finite() && residual.is_finite() {
        Ok(Verified {
            eigenvalue,
            residual,
        })
    } else {
        Err(Error::NotFinite(format!(
            "the verified eigenvalue of {layer}"
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::backend::cpu::{Cpu, Isa};
    use crate::engine::data::{DataSpec, Part, Selection, image_shape};
    use crate::engine::hessian::analysis;
    use crate::engine::job::Silent;
    use crate::engine::model::{Architecture, Model};

    #[test]
    fn other_instructions_agree_on_the_largest_eigenvalues() {
        let dataset = DataSpec::Demo.load(Part::Train).unwrap();
        let architecture: Architecture = "resnet20".parse().unwrap();
        let fit = (image_shape(&dataset), dataset.classes);
        let model = Model::untrained(architecture, fit, 3).unwrap();
        let normalization = architecture.normalization(dataset.channels);
        let images = Selection::new(&dataset, &normalization, (0..16).collect()).unwrap();
        let subject = Subject {
            model: &model,
            backend: &Cpu::new(Isa::detect()),
            images: &images,
        };
        let layers = ["conv1", "layer1.0.conv1", "layer3.2.conv2", "linear"];
        let settings = Analysis {
            layers: layers.map(Into::into).into(),
            tolerance: 1e-4,
            ..Analysis::default()
        };
        let mut state = analysis::prepare(&subject, &settings).unwrap();
        let mut save = |_: &Sensitivity| Ok(());
        analysis::run(&subject, &settings, &mut state, &mut save, &mut Silent).unwrap();
        let reference = Cpu::new(Isa::PORTABLE);
        let with = (&settings, &mut state);
        let outcome = verify(&subject, &reference, with, &mut Silent).unwrap();
        assert_eq!(outcome, Outcome::Done);
        let least = state.layers.iter().filter(|l| l.verified.is_none());
        assert_eq!(least.count(), 1);
        for layer in &state.layers {
            let Some(verified) = layer.verified else {
                continue;
            };
            let ratio = verified.eigenvalue / layer.eigenvalue.unwrap();
            assert!((ratio - 1.0).abs() < 1e-3, "{}: {ratio}", layer.layer);
            assert!(verified.residual < 1e-2, "{}: {verified:?}", layer.layer);
        }
    }
}
