//! Plan files that the plan on screen is compared with.

use std::fs;
use std::path::Path;

use crate::engine::Result;
use crate::folders::at_home;

/// Largest plan file that is read.
const LIMIT: u64 = 16 << 20;

/// The name of every run in a folder that has a plan, and the text of that plan, by name.
pub(super) fn of_runs(runs: &Path) -> Vec<(String, String)> {
    let folders = fs::read_dir(runs).into_iter().flatten().flatten();
    let plans = folders.filter_map(|folder| {
        let name = folder.file_name().to_str()?.to_owned();
        let text = text(&folder.path().join("plan.toml")).ok()?;
        Some((name, text))
    });
    let mut plans: Vec<_> = plans.collect();
    plans.sort();
    plans
}

/// The text of a file.
///
/// # Errors
/// When it cannot be read, or is no text.
pub(super) fn text(path: &Path) -> Result<String> {
    crate::engine::text::read(&at_home(&path.to_string_lossy()), LIMIT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_without_a_plan_are_left_out_and_the_others_are_in_order() {
        let folder = tempfile::tempdir().unwrap();
        for run in ["002", "001", "003"] {
            fs::create_dir(folder.path().join(run)).unwrap();
        }
        for run in ["002", "001"] {
            fs::write(folder.path().join(run).join("plan.toml"), run).unwrap();
        }
        let found = of_runs(folder.path());
        let names: Vec<&str> = found.iter().map(|(name, _)| &**name).collect();
        assert_eq!(names, ["001", "002"]);
        assert!(of_runs(&folder.path().join("nowhere")).is_empty());
        assert!(text(&folder.path().join("nothing.toml")).is_err());
    }
}
