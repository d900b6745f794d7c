//! The loss along a layer's top eigenvector (HAWQ, arXiv 1905.03696, figure 1): `l(w + t v)` on the
//! sample for a unit vector `v` and distances `t` on both sides, beside what the eigenvalue predicts,
//! `l(0) + g t + lambda t^2 / 2`.

use super::Analysis;
use super::analysis::{Subject, choose_rows, eigenpair};
use super::lanczos::{Eigenpair, norm};
use super::primal::{Primal, place_of};
use super::slope::slope;
use super::sweep::{Block, sweep};
use crate::engine::autodiff::Program;
use crate::engine::backend::Backend;
use crate::engine::data::Images;
use crate::engine::evaluation::evaluate;
use crate::engine::graph::operations::BatchNormMode;
use crate::engine::graph::operations::rules::Purpose;
use crate::engine::job::{Event, Observer, Phase, Verdict};
use crate::engine::sensitivity::SIDE;
pub use crate::engine::sensitivity::{Landscape, POINTS};
use crate::engine::{Error, Result};

/// The loss of the network with one layer moved by up to `reach` along its top eigenvector, from the
/// middle outwards. When the observer asks to stop, what is finished; `None` before the first point.
///
/// # Errors
/// When there is no such layer, `reach` is no distance, the network is not piecewise linear, a number
/// is not finite, or the device fails.
pub fn landscape<B: Backend>(
    subject: &Subject<B>,
    settings: &Analysis,
    (layer, reach): (&str, f64),
    observer: &mut dyn Observer,
) -> Result<Option<Landscape>> {
    if !(reach > 0.0 && reach.is_finite()) {
        let text = format!("a landscape over a distance of {reach}: expected a positive number");
        return Err(Error::invalid(text));
    }
    let place = place_of(&subject.model.graph, layer)?;
    let Some(start) = begin(subject, settings, place, observer)? else {
        return Ok(None);
    };
    let weight = subject.model.graph.layers()[place].weight;
    let mut landscape = Landscape {
        layer: layer.into(),
        samples: subject.images.len(),
        reach,
        norm: norm(subject.model.parameters.get(weight)),
        loss: start.loss,
        slope: start.slope,
        eigenvalue: start.pair.value,
        points: Vec::with_capacity(POINTS),
    };
    for (done, t) in distances(reach).enumerate() {
        // The evaluation's own count of images would hide that of the points.
        let mut counted = |_: Event| observer.on(progress(done));
        let move_by = (place, &start.pair.vector[..], t);
        let Some(loss) = moved(subject, move_by, &mut counted)? else {
            break;
        };
        landscape.points.push((t, loss));
        landscape
            .points
            .sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let measured = Box::new(landscape.clone());
        let verdicts = [Event::Landscape { measured }, progress(done + 1)].map(|e| observer.on(e));
        if verdicts.contains(&Verdict::Stop) {
            break;
        }
    }
    Ok((!landscape.points.is_empty()).then_some(landscape))
}

const fn progress(points: usize) -> Event {
    Event::Progress {
        phase: Phase::Landscape,
        done: points as u64,
        total: POINTS as u64,
    }
}

/// Distances from the middle outwards, to both sides in turn.
fn distances(reach: f64) -> impl Iterator<Item = f64> {
    let sides = (1..=SIDE).flat_map(move |step| {
        let t = reach * step as f64 / SIDE as f64;
        [t, -t]
    });
    std::iter::once(0.0).chain(sides)
}

/// What a landscape starts from.
struct Start {
    loss: f64,
    slope: f64,
    pair: Eigenpair,
}

/// Finds the eigenvector again, the way the analysis found it. `None` when the observer asked to stop.
fn begin<B: Backend>(
    subject: &Subject<B>,
    settings: &Analysis,
    place: usize,
    observer: &mut dyn Observer,
) -> Result<Option<Start>> {
    let (graph, parameters) = (&subject.model.graph, &subject.model.parameters);
    let primal = Primal::new(graph, parameters, subject.backend, subject.images, observer)?;
    let Some(primal) = primal else {
        return Ok(None);
    };
    let rows = choose_rows(&primal, settings);
    let size = primal.layers()[place].parameters();
    let mut found = None;
    let mut visit = |place: usize, block: &mut Block<B>, observer: &mut dyn Observer| {
        let mut watch = |_: usize, _: f64, _: f64| observer.on(progress(0));
        found = Some(eigenpair(block, (place, size), settings, &mut watch)?);
        Ok(Verdict::Continue)
    };
    sweep((&primal, &rows), (&[place], false), &mut visit, observer)?;
    let Some(pair) = found.filter(|pair| !pair.stopped || pair.converged) else {
        return Ok(None);
    };
    let slope = slope(&primal, place, &pair.vector)?;
    let loss = primal.score().loss;
    Ok(Some(Start { loss, slope, pair }))
}

/// The loss with the weights of a layer moved by `t` along `v`.
fn moved<B: Backend>(
    subject: &Subject<B>,
    (place, v, t): (usize, &[f64], f64),
    observer: &mut dyn Observer,
) -> Result<Option<f64>> {
    let model = subject.model;
    let mut parameters = model.parameters.clone();
    let weight = model.graph.layers()[place].weight;
    let weights = parameters.get_mut(weight).iter_mut();
    weights.zip(v).for_each(|(w, v)| *w += t * v);
    let walk = (BatchNormMode::Running, Purpose::Evaluate);
    let program = Program::new(&model.graph, subject.backend, &parameters, walk)?;
    let score = evaluate(&program, subject.images, observer)?;
    Ok(score.map(|score| score.loss))
}
