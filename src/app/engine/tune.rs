//! Fine-tuning a project's plan into a run folder.

use super::load::Loaded;
use crate::app::jobs::{TuneReport, TuneRequest};
use crate::engine::Result;
use crate::engine::data::divided;
use crate::engine::finetune::{
    self, Request, Settings, Stage, Start, Subject, Variation, read_plan, read_record,
};
use crate::engine::job::Observer;
use crate::engine::plan::Plan;

/// What is fine-tuned, and how: as asked for, or as the run in the folder was started.
struct Work {
    plan: Plan,
    stages: Vec<Stage>,
    settings: Settings,
    start: Start,
}

pub(super) fn tune(
    loaded: &Loaded,
    request: &TuneRequest,
    observer: &mut dyn Observer,
) -> Result<TuneReport> {
    let work = match request.start {
        Start::Fresh => fresh(loaded, request)?,
        _ => begun(request)?,
    };
    let parts = loaded
        .train
        .origin
        .whole
        .then(|| divided(&loaded.train, work.settings.seed));
    let parts = parts.transpose()?;
    let images = match &parts {
        Some((train, test)) => (train, test),
        None => (&loaded.train, &loaded.test),
    };
    let subject = Subject::new(&loaded.model, &loaded.normalization, images);
    let asked = Request {
        plan: &work.plan,
        stages: &work.stages,
        settings: &work.settings,
        folder: &request.folder,
        start: work.start,
    };
    let report = finetune::tune(&loaded.backend, &subject, &asked, observer)?;
    Ok(TuneReport {
        outcome: report.outcome,
        test: report.test,
    })
}

fn begun(request: &TuneRequest) -> Result<Work> {
    let record = read_record(&request.folder)?;
    Ok(Work {
        plan: read_plan(&request.folder, &record)?,
        stages: record.stage_layers()?,
        settings: record.settings,
        start: request.start,
    })
}

fn fresh(loaded: &Loaded, request: &TuneRequest) -> Result<Work> {
    let settings = Settings {
        variation: Variation::usual(&loaded.train.name),
        seed: loaded.seed,
        ..request.settings.clone()
    };
    let sensitivity = request.sensitivity.as_deref().cloned();
    let sensitivity = sensitivity.map(|measured| measured.completed(&loaded.model));
    let sensitivity = sensitivity.transpose()?;
    Ok(Work {
        plan: request.plan.clone(),
        stages: finetune::stages(&request.plan, &settings, sensitivity.as_ref())?,
        settings,
        start: Start::Fresh,
    })
}
