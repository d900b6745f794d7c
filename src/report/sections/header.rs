//! What the report is of: model, data, checksums, seed, device, version, as far as files record it.

use std::path::Path;

use crate::engine::model::ModelSource;
use crate::numbers::counted;
use crate::project::InputFile;
use crate::report::html::{facts, missing, warning};
use crate::report::model::Report;
use crate::report::source::Kind;

/// What the files do not say.
const NOT_RECORDED: &str = "not recorded";

pub(super) fn html(report: &Report) -> String {
    let body = facts(&known(report)) + &problems(report);
    super::section(0, &body)
}

fn known(report: &Report) -> Vec<(&'static str, String)> {
    let kind = match report.kind {
        Kind::Project => "project",
        Kind::Run => "run",
    };
    let or_not = |value: Option<String>| value.unwrap_or_else(|| NOT_RECORDED.to_owned());
    vec![
        (kind, report.name.clone()),
        ("model", or_not(model(report))),
        ("data", or_not(data(report))),
        ("weights", or_not(weights(report))),
        ("weights SHA-256", or_not(checksum(report))),
        ("seed", or_not(seed(report))),
        ("device", or_not(of_runs(report, |record| &record.device))),
        (
            "program",
            or_not(of_runs(report, |record| &record.program).map(|v| format!("hawqeye {v}"))),
        ),
    ]
}

fn inputs(report: &Report) -> Option<&InputFile> {
    report.inputs.found()
}

fn model(report: &Report) -> Option<String> {
    let measured = report.sensitivity.found().and_then(|s| s.model.as_ref());
    let parameters = measured.and_then(|model| model.parameters);
    let parameters = parameters.or_else(|| Some(report.record()?.model.parameters));
    let name = inputs(report).map(InputFile::model_name);
    let name = name.or_else(|| Some(report.record()?.model.name.clone()));
    let name = name.or_else(|| {
        measured
            .map(|model| model.name.clone())
            .filter(|name| !name.is_empty())
    })?;
    Some(match parameters {
        Some(parameters) => format!("{name}, {}", counted(parameters, "parameter")),
        None => name,
    })
}

/// The data set, without the folder it lies in.
fn data(report: &Report) -> Option<String> {
    let named = inputs(report).map(|inputs| {
        let name = inputs.data.split(':').next();
        name.unwrap_or_default().to_owned()
    });
    let name = named.or_else(|| Some(report.record()?.data.name.clone()))?;
    let image = report.record().map(|record| {
        let [channels, rows, columns] = record.model.image;
        let classes = counted(record.model.classes, "class");
        format!(", images of {channels} x {rows} x {columns} in {classes}")
    });
    Some(name + &image.unwrap_or_default())
}

/// The name of the weights file, without its folder.
fn weights(report: &Report) -> Option<String> {
    let inputs = inputs(report)?;
    let name = |path: &Path| {
        path.file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned()
    };
    let model = inputs.model.parse::<ModelSource>().ok();
    let whole = model.as_ref().and_then(ModelSource::file);
    let file = inputs.weights.as_deref().or(whole);
    Some(file.map_or_else(|| "embedded".to_owned(), name))
}

fn checksum(report: &Report) -> Option<String> {
    let named = inputs(report).and_then(|inputs| inputs.weights_sha256.clone());
    let started = || Some(report.record()?.model.weights_sha256.clone());
    let measured = || {
        let model = report.sensitivity.found()?.model.as_ref()?;
        model.weights_sha256.clone()
    };
    named.or_else(started).or_else(measured)
}

/// The seed; a project that names none has 0.
fn seed(report: &Report) -> Option<String> {
    let named = inputs(report).map(|inputs| inputs.seed.unwrap_or(0));
    let seed = named.or_else(|| Some(report.record()?.settings.seed));
    seed.map(|seed| seed.to_string())
}

/// What the runs record, each value once.
fn of_runs(
    report: &Report,
    value: fn(&crate::engine::finetune::Record) -> &String,
) -> Option<String> {
    let records = report.runs.iter().filter_map(|run| run.record.found());
    let mut values: Vec<&str> = Vec::new();
    for record in records {
        let value = value(record).as_str();
        if !values.contains(&value) {
            values.push(value);
        }
    }
    (!values.is_empty()).then(|| values.join(", "))
}

/// What could not be read, and parts that belong to other weights.
fn problems(report: &Report) -> String {
    let mut said = String::new();
    if let Some(problem) = report.inputs.problem() {
        said += &missing(&format!("The inputs cannot be read: {problem}."));
    }
    let own = checksum(report);
    let measured = report.sensitivity.found().and_then(|s| s.model.as_ref());
    let measured = measured.and_then(|model| model.weights_sha256.as_ref());
    if measured.is_some_and(|sum| Some(sum) != own.as_ref()) {
        said += &warning("the measurements are of other weights than these.");
    }
    for run in &report.runs {
        let record = run.record.found();
        if record.is_some_and(|record| Some(&record.model.weights_sha256) != own.as_ref()) {
            said += &warning(&format!(
                "run {} started from other weights than these.",
                run.name
            ));
        }
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::model::Part;

    #[test]
    fn folders_of_this_machine_stay_here() {
        let inputs = InputFile {
            model: "resnet20".into(),
            weights: Some("/home/somebody/w.safetensors".into()),
            data: "cifar10:/home/somebody/data".into(),
            ..InputFile::default()
        };
        let report = Report {
            inputs: Part::Found(inputs),
            ..Report::empty()
        };
        let html = html(&report);
        assert!(html.contains("w.safetensors") && html.contains("<dd>cifar10</dd>"));
        assert!(!html.contains("somebody"), "{html}");
        assert!(html.contains("<dt>seed</dt><dd>0</dd>"));
    }

    #[test]
    fn what_no_file_records_is_said() {
        assert_eq!(html(&Report::empty()).matches(NOT_RECORDED).count(), 7);
    }
}
