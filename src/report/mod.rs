//! A report: one HTML page with every plot and table of a project or of a run, and its tables as
//! CSV and JSON.
//!
//! ```text
//! folder ──gather──> Report ──sections──> page ──> one HTML file, nothing outside of it
//!                      └───────tables───> csv ───> NAME.csv, NAME.json
//! ```
//! The page is a function of the files alone: no clock, no path of this machine, no randomness, so
//! the same folder gives the same bytes. Text from files is escaped where it enters the page: in
//! [`html`], [`table`] and [`svg`], and nowhere else.
//!
//! It stands beside the front ends: it knows the engine and the folders, neither of them knows it,
//! and it knows neither arguments nor terminals.

pub mod csv;
pub mod curve;
pub mod gather;
pub mod html;
pub mod model;
pub mod page;
pub mod sections;
pub mod source;
pub mod svg;
pub mod table;

pub use gather::gather;
pub use model::Report;
pub use page::page;
pub use sections::tables;
pub use source::Source;
