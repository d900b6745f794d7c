//! The sections of the page, in the order of the application's screens, and their tables.

mod exports;
mod header;
mod method;
mod plan;
mod plan_plots;
mod run;
mod run_plots;
mod sensitivity;
mod sensitivity_plots;
mod tuning;

use super::model::Report;
use super::table::Table;

/// The sections as HTML: what it is of, sensitivity, plan, fine-tuning, exports, method.
#[must_use]
pub fn sections(report: &Report) -> String {
    let sections = [
        header::html,
        sensitivity::html,
        plan::html,
        tuning::html,
        exports::html,
        method::html,
    ];
    sections.iter().map(|section| section(report)).collect()
}

/// Id and title of every section, in order.
pub const TITLES: [(&str, &str); 6] = [
    ("model", "Model"),
    ("sensitivity", "Sensitivity"),
    ("plan", "Plan"),
    ("fine-tuning", "Fine-tuning"),
    ("exports", "Exports"),
    ("method", "Method"),
];

/// Every table; those of runs joined, with the run in the first column.
#[must_use]
pub fn tables(report: &Report) -> Vec<Table> {
    let parts = [
        sensitivity::tables(report),
        plan::tables(report),
        tuning::tables(report),
        exports::tables(report),
    ];
    parts.into_iter().flatten().collect()
}

/// A section by its place.
fn section(at: usize, body: &str) -> String {
    let (id, title) = TITLES[at];
    super::html::section(id, title, body)
}
