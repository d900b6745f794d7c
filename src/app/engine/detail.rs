//! Closer looks at the layers of a project.

use std::path::Path;

use super::load::Loaded;
use crate::app::jobs::detail::{
    LandscapeRequest, RemeasureRequest, SpectrumRequest, WeightsRequest,
};
use crate::app::jobs::{AnalysisRequest, LossChangesRequest};
use crate::engine::backend::cpu::Cpu;
use crate::engine::data::{Order, Selection, sample};
use crate::engine::hessian::analysis::{Asked, Subject, add_loss_changes, prepare, run};
use crate::engine::hessian::identity::Ground;
use crate::engine::hessian::landscape::{self, Landscape};
use crate::engine::hessian::merge::merge;
use crate::engine::hessian::primal::place_of;
use crate::engine::hessian::sensitivity::Sensitivity;
use crate::engine::hessian::spectrum::{self, Spectrum};
use crate::engine::hessian::{Analysis, Metric};
use crate::engine::job::{Observer, Outcome};
use crate::engine::quant::histogram::WeightHistogram;
use crate::engine::{Error, Result};

/// The sample of an analysis.
pub(super) fn images<'a>(loaded: &'a Loaded, request: &AnalysisRequest) -> Result<Selection<'a>> {
    let samples = request.samples.min(loaded.train.len());
    let indices = sample(Order::Random, samples, loaded.seed, loaded.train.len())?;
    Selection::new(&loaded.train, &loaded.normalization, indices)
}

/// A loaded network on some of its images.
pub(super) fn subject<'a>(loaded: &'a Loaded, images: &'a Selection<'a>) -> Subject<'a, Cpu> {
    Subject {
        model: &loaded.model,
        backend: &loaded.backend,
        images,
    }
}

pub(super) fn spectrum(
    loaded: &Loaded,
    request: &SpectrumRequest,
    observer: &mut dyn Observer,
) -> Result<Option<Spectrum>> {
    let images = images(loaded, &request.analysis)?;
    let subject = subject(loaded, &images);
    let settings = request.analysis.settings(loaded.seed);
    spectrum::spectrum(&subject, &settings, &request.layer, observer)
}

pub(super) fn landscape(
    loaded: &Loaded,
    request: &LandscapeRequest,
    observer: &mut dyn Observer,
) -> Result<Option<Landscape>> {
    let images = images(loaded, &request.analysis)?;
    let subject = subject(loaded, &images);
    let settings = request.analysis.settings(loaded.seed);
    let line = (&*request.layer, request.reach);
    landscape::landscape(&subject, &settings, line, observer)
}

pub(super) fn weights(loaded: &Loaded, request: &WeightsRequest) -> Result<WeightHistogram> {
    let graph = &loaded.model.graph;
    let layer = &graph.layers()[place_of(graph, &request.layer)?];
    let values = loaded.model.parameters.get(layer.weight);
    let channels = graph.parameters()[layer.weight.index()].shape[0];
    WeightHistogram::of((values, channels), request.bits, request.scale)
}

/// Measures layers again and puts what is finished into the file `target`, or into the unfinished one
/// beside it.
pub(super) fn remeasure(
    (loaded, request): (&Loaded, &RemeasureRequest),
    target: &Path,
    observer: &mut dyn Observer,
) -> Result<(Sensitivity, Outcome)> {
    let partial = Sensitivity::unfinished(target);
    let target = if partial.exists() { &partial } else { target };
    let mut file = Sensitivity::read(target)?.completed(&loaded.model)?;
    let images = images(loaded, &request.analysis)?;
    let subject = subject(loaded, &images);
    let settings = Analysis {
        layers: request.layers.clone(),
        ..request.analysis.settings(loaded.seed)
    };
    if settings.metrics.contains(&Metric::LossChange) {
        return Err(Error::invalid("a tolerance does not change loss changes"));
    }
    let mut again = prepare(&subject, &settings)?;
    Ground::of(&subject).recognise(&mut file);
    // Refused before the work, not after it.
    merge(&mut file.clone(), &again)?;
    let outcome = run(&subject, &settings, &mut again, &mut |_| Ok(()), observer)?;
    again.layers.retain(|layer| layer.eigenvalue.is_some());
    merge(&mut file, &again)?;
    file.write(target)?;
    Ok((file, outcome))
}

/// Measures loss changes and puts what is finished into the file `target`.
pub(super) fn loss_changes(
    loaded: &Loaded,
    request: &LossChangesRequest,
    target: &Path,
    observer: &mut dyn Observer,
) -> Result<Sensitivity> {
    let mut measured = Sensitivity::read(target)?.completed(&loaded.model)?;
    let images = images(loaded, &request.analysis)?;
    let subject = subject(loaded, &images);
    let settings = request.analysis.settings(loaded.seed);
    let asked = Asked {
        settings: &settings,
        wanted: &request.wanted,
    };
    add_loss_changes(&subject, &asked, &mut measured, observer)?;
    // Layers can have been measured again meanwhile: that is kept.
    let mut file = Sensitivity::read(target)?.completed(&loaded.model)?;
    if file.fingerprint != measured.fingerprint {
        return Err(Error::invalid(format!(
            "{} was measured anew by another program meanwhile: the loss changes are of what it held \
             before and were left out",
            target.display()
        )));
    }
    for (layer, measured) in file.layers.iter_mut().zip(&measured.layers) {
        layer.loss_change.extend(&measured.loss_change);
    }
    file.write(target)?;
    Ok(file)
}
