//! What was measured of the layers: settings, bars, loss changes, rank agreement, all numbers.

use serde_json::Value;

use crate::engine::hessian::Metric;
use crate::engine::hessian::agreement::agreements;
use crate::engine::hessian::sensitivity::{LayerSensitivity, PerBits, Sensitivity};
use crate::numbers::{count, counted, number, percent};
use crate::report::html::{beside, facts, heading, missing, paragraph, warning};
use crate::report::model::{Part, Report};
use crate::report::source::Kind;
use crate::report::table::{Cell, Table};

use super::sensitivity_plots;

/// Shares of the largest loss change from which cells are shaded more.
const SHADES: [f64; 5] = [0.001, 0.01, 0.05, 0.2, 0.5];

/// Values of a layer at each bit-width.
type OfBits = fn(&LayerSensitivity) -> &PerBits;

pub(super) fn html(report: &Report) -> String {
    let body = match (&report.sensitivity, report.kind) {
        (Part::Absent, Kind::Project) => missing("Not analysed yet: there is no sensitivity.json."),
        (Part::Absent, Kind::Run) => {
            missing("The run folder holds no measurements: there is no sensitivity.json in it.")
        }
        (Part::Damaged(reason), _) => {
            missing(&format!("The measurements cannot be read: {reason}."))
        }
        (Part::Found(measured), _) => found(measured, report.is_partial),
    };
    super::section(1, &body)
}

pub(super) fn tables(report: &Report) -> Vec<Table> {
    let measured = report.sensitivity.found();
    let tables = measured.map(|measured| {
        let per_bits = [loss_changes(measured), perturbations(measured)];
        let per_bits = per_bits.into_iter().flatten();
        [layers(measured), agreement(measured)]
            .into_iter()
            .chain(per_bits)
    });
    tables.into_iter().flatten().collect()
}

fn found(measured: &Sensitivity, is_partial: bool) -> String {
    let mut body = String::new();
    if is_partial {
        let done = measured
            .layers
            .iter()
            .filter(|l| l.eigenvalue.is_some())
            .count();
        let all = measured.layers.len();
        body += &warning(&format!(
            "the analysis has not come to its end: eigenvalues of {done} of {} are known.",
            counted(all, "layer")
        ));
    }
    for doubt in measured.doubts() {
        body += &warning(&format!("{doubt}."));
    }
    body += &facts(&settings(measured));
    body += &beside(&sensitivity_plots::figures(measured));
    body += &heading("Loss change");
    body += &loss_changes(measured).map_or_else(
        || missing("Loss changes were not measured."),
        |table| table.html(),
    );
    body += &heading("Rank agreement");
    body += &agreement(measured).html();
    body += &paragraph(
        "Rank correlation (Spearman) over the layers: 1 is the same order, 0 none, -1 the reverse; \
         values that depend on bits are taken at the smallest width. The less two metrics agree, \
         the more a ranking deserves doubt.",
    );
    body += &heading("All measurements");
    body += &layers(measured).html();
    body + &perturbations(measured).map_or_else(String::new, |table| table.html())
}

fn settings(measured: &Sensitivity) -> Vec<(&'static str, String)> {
    let unknown = || "not recorded".to_owned();
    let data = measured.data.as_ref();
    let images = data.map(|data| {
        format!(
            "{} of {}, {}",
            data.samples
                .map_or_else(|| "unknown".to_owned(), |samples| count(samples as u64)),
            data.name,
            data.split
        )
    });
    let mut known = vec![
        ("images", images.unwrap_or_else(unknown)),
        ("loss", measured.loss.map_or_else(unknown, number)),
        ("accuracy", measured.accuracy.map_or_else(unknown, percent)),
    ];
    for (key, name) in [
        ("metrics", "metrics"),
        ("method", "method"),
        ("tolerance", "tolerance"),
        ("max_iterations", "iterations at most"),
        ("bits", "bits"),
        ("scale", "step sizes"),
        ("seed", "seed"),
    ] {
        known.extend(measured.settings.get(key).map(|value| (name, plain(value))));
    }
    let normalization = measured.normalization;
    known.extend(normalization.map(|it| ("batch normalisation", it.told().to_owned())));
    known.extend(
        measured
            .seconds
            .map(|seconds| ("time", format!("{} s", number(seconds)))),
    );
    known.extend(measured.curvature.map(|curvature| {
        let share = percent(curvature.left_out);
        let rows = counted(curvature.rows, "row");
        ("curvature", format!("{rows}; {share} left to drawn ones"))
    }));
    known
}

/// A setting as words.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(plain).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// A weight shape.
pub(super) fn shape(shape: &[usize]) -> Cell {
    let sizes: Vec<String> = shape.iter().map(ToString::to_string).collect();
    match sizes.as_slice() {
        [] => Cell::Missing,
        sizes => Cell::text(sizes.join(" x ")),
    }
}

fn layers(measured: &Sensitivity) -> Table {
    let columns = [
        ("layer", "layer"),
        ("kind", "kind"),
        ("shape", "shape"),
        ("weights", "weights"),
        ("macs", "MACs"),
        ("eigenvalue", "eigenvalue"),
        ("iterations", "iterations"),
        ("residual", "residual"),
        ("converged", "converged"),
        ("sensitivity", "sensitivity S"),
        ("trace", "trace"),
        ("trace_stderr", "its standard error"),
        ("mean_trace", "mean trace"),
        ("verified_eigenvalue", "verified in float64"),
    ];
    let mut table = Table::new("sensitivity", "Measurements by layer", &columns);
    let converged = |converged: bool| Cell::text(if converged { "yes" } else { "no" });
    for layer in &measured.layers {
        table.push(vec![
            Cell::text(&*layer.layer),
            Cell::maybe(layer.kind.clone(), Cell::Text),
            shape(&layer.shape),
            Cell::Count(layer.parameters as u64),
            Cell::maybe(layer.macs, Cell::Count),
            Cell::maybe(layer.eigenvalue, Cell::Number),
            Cell::maybe(layer.iterations.map(|n| n as u64), Cell::Count),
            Cell::maybe(layer.residual, Cell::Number),
            layer.converged.map_or(Cell::Missing, converged),
            Cell::maybe(layer.sensitivity, Cell::Number),
            Cell::maybe(layer.trace, Cell::Number),
            Cell::maybe(layer.trace_stderr, Cell::Number),
            Cell::maybe(layer.mean_trace, Cell::Number),
            Cell::maybe(layer.verified.map(|v| v.eigenvalue), Cell::Number),
        ]);
    }
    table.without_empty_columns()
}

fn agreement(measured: &Sensitivity) -> Table {
    let columns = [
        ("metrics", "metrics"),
        ("rank_correlation", "rank correlation"),
    ];
    let mut table = Table::new("rank-agreement", "Rank agreement of metrics", &columns);
    for (name, value) in agreements(&measured.layers) {
        table.push(vec![
            Cell::text(name),
            Cell::maybe(value, Cell::Correlation),
        ]);
    }
    table
}

fn perturbations(measured: &Sensitivity) -> Option<Table> {
    let table = Table::new(
        "perturbation",
        "Perturbation at each bit-width",
        &[("layer", "layer")],
    );
    per_bits(
        measured,
        table,
        (|layer| &layer.perturbation, &Cell::Number),
    )
}

fn loss_changes(measured: &Sensitivity) -> Option<Table> {
    let changes = measured
        .layers
        .iter()
        .flat_map(|layer| layer.loss_change.values());
    let largest = changes
        .copied()
        .filter(|change| change.is_finite())
        .fold(0.0, f64::max);
    let shaded = |change: f64| {
        let above = SHADES
            .iter()
            .filter(|share| largest > 0.0 && change >= *share * largest);
        Cell::Shaded(change, above.count() as u8)
    };
    let name = Metric::LossChange.to_string();
    let caption = "Loss change when the layer alone is quantized; darker is larger";
    let table = Table::new(&name, caption, &[("layer", "layer")]);
    per_bits(measured, table, (|layer| &layer.loss_change, &shaded))
}

/// A column for every bit-width, when there is any.
fn per_bits(
    measured: &Sensitivity,
    mut table: Table,
    (values, cell): (OfBits, &dyn Fn(f64) -> Cell),
) -> Option<Table> {
    let mut widths: Vec<u8> = measured
        .layers
        .iter()
        .flat_map(|layer| values(layer).keys().copied())
        .collect();
    widths.sort_unstable();
    widths.dedup();
    for bits in &widths {
        table.column(&format!("bits_{bits}"), &format!("{bits} bits"));
    }
    for layer in &measured.layers {
        let cells = widths.iter().map(|bits| {
            let value = values(layer).get(bits).copied();
            value.map_or(Cell::Missing, cell)
        });
        let name = Cell::text(&*layer.layer);
        table.push(std::iter::once(name).chain(cells).collect());
    }
    (!widths.is_empty()).then_some(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(json: &str) -> Sensitivity {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn larger_loss_changes_are_darker_and_gains_are_not_shaded() {
        let table = loss_changes(&measured(
            r#"{"layers": [
              {"layer": "a", "parameters": 1, "loss_change": {"2": 1.0, "4": 0.3}},
              {"layer": "b", "parameters": 1, "loss_change": {"2": 0.06, "8": -1e-4}}]}"#,
        ));
        let table = table.unwrap();
        assert_eq!(table.columns.len(), 4);
        let expected = [Cell::Shaded(1.0, 5), Cell::Shaded(0.3, 4), Cell::Missing];
        assert_eq!(table.rows[0][1..], expected);
        let expected = [Cell::Shaded(0.06, 3), Cell::Missing, Cell::Shaded(-1e-4, 0)];
        assert_eq!(table.rows[1][1..], expected);
    }

    #[test]
    fn an_analysis_under_way_says_how_far_it_is() {
        let html = found(
            &measured(
                r#"{"layers": [
              {"layer": "a", "parameters": 1, "eigenvalue": -0.5, "converged": false},
              {"layer": "b", "parameters": 1}]}"#,
            ),
            true,
        );
        assert!(html.contains("eigenvalues of 1 of 2 layers"), "{html}");
        assert!(
            html.contains("-0.500 n.c.") && html.contains("not converged"),
            "{html}"
        );
        assert!(html.contains("Loss changes were not measured"));
    }
}
