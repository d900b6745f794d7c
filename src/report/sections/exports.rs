//! The files that were exported, as they lie in the project.

use crate::engine::export::Format;
use crate::engine::plan::Totals;
use crate::report::html::missing;
use crate::report::model::{Export, Report};
use crate::report::source::Kind;
use crate::report::table::{Cell, Table};

pub(super) fn html(report: &Report) -> String {
    let body = match (report.exports.is_empty(), report.kind) {
        (false, _) => files(report).html(),
        (true, Kind::Project) => missing("Nothing was exported into the project."),
        (true, Kind::Run) => missing("A run folder does not record what was exported from it."),
    };
    super::section(4, &body)
}

pub(super) fn tables(report: &Report) -> Vec<Table> {
    if report.exports.is_empty() {
        return Vec::new();
    }
    vec![files(report)]
}

fn files(report: &Report) -> Table {
    let columns = [
        ("file", "file"),
        ("format", "format"),
        ("bytes", "bytes"),
        ("times_weights", "times its weights at their bits"),
        ("sha256", "SHA-256"),
    ];
    let mut table = Table::new("exports", "Files of the project", &columns);
    for export in &report.exports {
        let weights = weight_bytes(report, export);
        let times = weights.map(|weights| export.bytes as f64 / weights);
        table.push(vec![
            Cell::text(export.name.as_str()),
            Cell::maybe(format(export), |format| Cell::text(format.name())),
            Cell::Count(export.bytes),
            Cell::maybe(times, Cell::Times),
            Cell::text(export.sha256.as_str()),
        ]);
    }
    table.without_empty_columns()
}

/// The format that a file's name tells.
fn format(export: &Export) -> Option<Format> {
    let fits = |format: &Format| export.name.ends_with(&format!(".{}", format.extension()));
    // The longest end first: packed files are safetensors too.
    Format::ALL.into_iter().find(fits)
}

/// The size of the weights of the run that a file is named after.
fn weight_bytes(report: &Report, export: &Export) -> Option<f64> {
    let named = |run: &&crate::report::model::Run| {
        let rest = export.name.strip_prefix(&format!("run-{}", run.name));
        rest.is_some_and(|rest| rest.starts_with('.'))
    };
    let planned = report.runs.iter().find(named)?.plan.found()?;
    let bytes = Totals::of(&planned.facts, &planned.plan).weight_bytes();
    (bytes > 0.0).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn export(name: &str) -> Export {
        Export {
            name: name.to_owned(),
            bytes: 1000,
            sha256: "ab".to_owned(),
        }
    }

    #[test]
    fn a_name_tells_the_format() {
        let of = |name: &str| format(&export(name));
        assert_eq!(of("run-001.packed.safetensors"), Some(Format::Packed));
        assert_eq!(of("run-001.safetensors"), Some(Format::Safetensors));
        assert_eq!(of("run-001.onnx"), Some(Format::Qonnx));
        assert_eq!(of("run-001.json"), None);
    }

    #[test]
    fn a_file_of_no_known_run_has_its_size_all_the_same() {
        let report = Report {
            exports: vec![export("run-007.onnx")],
            ..Report::empty()
        };
        let html = html(&report);
        assert!(
            html.contains("<td>1,000</td>") && !html.contains("times its"),
            "{html}"
        );
    }
}
