//! The plan: bits of every layer, what they add up to, and the frontier of the best plans.

use crate::engine::allocate::harm::harm;
use crate::engine::export::predicted_bytes;
use crate::engine::hessian::Metric;
use crate::engine::plan::{PlannedLayer, Totals};
use crate::numbers::{counted, number};
use crate::report::html::{beside, facts, missing, paragraph, warning};
use crate::report::model::{Frontier, Part, Planned, Report};
use crate::report::source::Kind;
use crate::report::table::{Cell, Table};

use super::plan_plots;
use super::sensitivity::shape;

/// Said where nothing tells how large the layers are.
const NO_SIZES: &str =
    "What the plan adds up to is not known: the sizes of its layers are in no file here.";

pub(super) fn html(report: &Report) -> String {
    let body = match (&report.plan, report.kind) {
        (Part::Absent, Kind::Project) => missing("No plan yet: there is no plan.toml."),
        (Part::Absent, Kind::Run) => missing("The run folder holds no plan.toml."),
        (Part::Damaged(reason), _) => missing(&format!("The plan cannot be read: {reason}.")),
        (Part::Found(planned), _) => found(planned, report),
    };
    super::section(2, &body)
}

pub(super) fn tables(report: &Report) -> Vec<Table> {
    let Some(planned) = report.plan.found() else {
        return Vec::new();
    };
    let mut tables = vec![layers(planned)];
    tables.extend(totals(planned, &report.frontiers));
    tables.extend(
        report
            .frontiers
            .iter()
            .map(|frontier| best(frontier, planned)),
    );
    tables
}

fn found(planned: &Planned, report: &Report) -> String {
    let mut body = String::new();
    let of_plan = planned.plan.fingerprint.as_ref();
    let measured = report
        .sensitivity
        .found()
        .and_then(|s| s.fingerprint.as_ref());
    if of_plan.zip(measured).is_some_and(|(a, b)| a != b) {
        body += &warning("the plan was made from other measurements than those above.");
    }
    match totals(planned, &report.frontiers) {
        Some(table) => body += &as_facts(&table),
        None => body += &missing(NO_SIZES),
    }
    body += &beside(&[plan_plots::bits(planned)]);
    let frontiers = report.frontiers.iter();
    let figures = frontiers.map(|frontier| plan_plots::frontier(frontier, planned));
    body += &beside(&figures.collect::<Vec<_>>());
    if report.frontiers.is_empty() {
        body += &missing("The frontier of the best plans needs measurements of every layer.");
    } else {
        body += &paragraph(
            "The frontier holds the plan of least predicted harm for every compression; it keeps \
             ties, and sets pins aside. A plan above it costs more than it must by that metric.",
        );
    }
    body + &layers(planned).html()
}

/// A table of one row as names and values.
fn as_facts(table: &Table) -> String {
    let names = table.columns.iter().map(|column| column.heading.as_str());
    let cells = table.rows.iter().flatten().map(Cell::shown);
    facts(&names.zip(cells).collect::<Vec<_>>())
}

/// What the plan adds up to; nothing when the sizes of its layers are not known.
fn totals(planned: &Planned, frontiers: &[Frontier]) -> Option<Table> {
    let Planned { plan, facts, .. } = planned;
    if facts.is_empty() {
        return None;
    }
    let totals = Totals::of(facts, plan);
    let file = predicted_bytes(facts, plan, planned.envelope.as_ref()).map(|bytes| bytes as f64);
    let pinned = plan.layers.iter().filter(|layer| layer.pinned).count();
    let bops = Cell::maybe(totals.bops, |bops| Cell::Operations(bops as f64));
    let columns = [
        ("weights", "weights"),
        ("weight_bytes", "weights at their bits"),
        ("packed_bytes", "packed file, predicted"),
        ("weight_compression", "W-comp"),
        ("activation_compression", "A-comp"),
        ("average_bits", "average bits"),
        ("bops", "BOPs"),
        ("pinned", "pinned layers"),
        ("scale", "step sizes"),
    ];
    let mut table = Table::new("plan-totals", "What the plan adds up to", &columns);
    let mut row = vec![
        Cell::Count(totals.weights),
        Cell::Bytes(totals.weight_bytes()),
        Cell::maybe(file, Cell::Bytes),
        Cell::Times(totals.weight_compression()),
        Cell::maybe(totals.activation_compression(), Cell::Times),
        Cell::Number(totals.average_bits()),
        bops,
        Cell::Count(pinned as u64),
        Cell::text(plan.scale.to_string()),
    ];
    for frontier in frontiers {
        let metric = frontier.metric;
        table.column(
            &format!("harm_{metric}").replace('-', "_"),
            &format!("harm by {}", plan_plots::spoken(metric)),
        );
        let harm = &frontier.harm;
        row.push(match harm.lacking() {
            None => Cell::Number(harm.known),
            Some(without) => Cell::text(format!("{} {without}", number(harm.known))),
        });
    }
    table.push(row);
    Some(table)
}

fn layers(planned: &Planned) -> Table {
    let columns = [
        ("layer", "layer"),
        ("shape", "shape"),
        ("weights", "weights"),
        ("weight_bits", "weight bits"),
        ("activation_bits", "activation bits"),
        ("pinned", "pinned"),
        ("tie", "tie"),
        ("perturbation", "perturbation"),
        ("omega", "omega"),
        ("loss_change", "loss change"),
        ("size_share", "share of size"),
    ];
    let number = planned.plan.layers.len();
    let caption = format!("Bits of {}", counted(number, "layer"));
    let mut table = Table::new("plan", &caption, &columns);
    for (at, layer) in planned.plan.layers.iter().enumerate() {
        let mut row = vec![Cell::text(&*layer.name)];
        row.extend(facts_of(planned, at));
        row.extend([
            Cell::Count(layer.weight_bits.get().into()),
            Cell::Count(layer.activation_bits.get().into()),
            Cell::Flag(layer.pinned),
            Cell::maybe(layer.tie.clone(), Cell::Text),
        ]);
        row.extend(measured(planned, (at, layer)));
        row.push(share(planned, (at, layer)));
        table.push(row);
    }
    table.without_empty_columns()
}

/// Shape and weights of a layer.
fn facts_of(planned: &Planned, at: usize) -> [Cell; 2] {
    planned
        .facts
        .get(at)
        .map_or([Cell::Missing, Cell::Missing], |facts| {
            [shape(&facts.shape), Cell::Count(facts.parameters as u64)]
        })
}

/// Perturbation, omega and loss change of a layer at its bits.
fn measured(planned: &Planned, (at, layer): (usize, &PlannedLayer)) -> [Cell; 3] {
    let layers = planned.measured.as_ref().map(|measured| &measured.layers);
    let Some(measured) = layers.and_then(|layers| layers.get(at)) else {
        return [Cell::Missing, Cell::Missing, Cell::Missing];
    };
    let (bits, scale) = (layer.weight_bits, planned.plan.scale);
    let perturbation = match bits {
        float if float.is_float() => Some(0.0),
        bits => measured.perturbation_at(bits, scale),
    };
    let omega = harm(measured, bits, Metric::Eigenvalue, scale).ok();
    let change = measured.loss_change.get(&bits.get()).copied();
    [perturbation, omega, change].map(|value| Cell::maybe(value, Cell::Number))
}

/// The share of a layer in the weights' size.
fn share(planned: &Planned, (at, layer): (usize, &PlannedLayer)) -> Cell {
    planned.facts.get(at).map_or(Cell::Missing, |facts| {
        let all = Totals::of(&planned.facts, &planned.plan).weight_bits.max(1);
        let own = facts.parameters as u64 * u64::from(layer.weight_bits.get());
        Cell::Share(own as f64 / all as f64)
    })
}

/// The best plans by a metric.
fn best(frontier: &Frontier, planned: &Planned) -> Table {
    let columns = [
        ("weight_bytes", "weights at their bits"),
        ("weight_compression", "W-comp"),
        ("harm", "harm"),
    ];
    let metric = frontier.metric;
    let name = format!("frontier-{metric}");
    let caption = format!("The best plans by {}", plan_plots::spoken(metric));
    let mut table = Table::new(&name, &caption, &columns);
    for (bytes, harm) in &frontier.points {
        table.push(vec![
            Cell::Bytes(*bytes),
            Cell::Times(plan_plots::compression(planned, *bytes)),
            Cell::Number(*harm),
        ]);
    }
    table
}
