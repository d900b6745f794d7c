//! The page around the sections.

use super::html::escape;
use super::model::Report;
use super::sections::{TITLES, sections};
use super::source::Kind;

/// The look of the page, in light and dark.
const STYLE: &str = include_str!("page.css");

/// Nothing may be fetched and nothing may run.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

/// What hatched bars are filled with, for all plots of the page.
const HATCHING: &str = "<svg class=\"hidden\" width=\"0\" height=\"0\" aria-hidden=\"true\"><defs>\
    <pattern id=\"hatching\" width=\"5\" height=\"5\" patternUnits=\"userSpaceOnUse\" \
    patternTransform=\"rotate(45)\"><rect width=\"2.4\" height=\"5\" class=\"hatch\"/></pattern>\
    </defs></svg>";

/// The whole page.
#[must_use]
pub fn page(report: &Report) -> String {
    let kind = match report.kind {
        Kind::Project => "project",
        Kind::Run => "run",
    };
    let name = escape(&report.name);
    let links = TITLES.map(|(id, title)| format!("<a href=\"#{id}\">{title}</a>\n"));
    let links = links.concat();
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{name}: report of hawqeye</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
         {HATCHING}\n<header>\n<p class=\"kind\">hawqeye, report of a {kind}</p>\n\
         <h1>{name}</h1>\n<nav aria-label=\"Sections\">\n{links}</nav>\n</header>\n<main>\n\
         {}</main>\n</body>\n</html>\n",
        sections(report)
    )
}
