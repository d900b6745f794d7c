//! The events of a run: their history, and every step for curves and tables.

use std::path::Path;

use crate::engine::Result;
use crate::engine::events::for_each;
use crate::engine::job::Event;
use crate::report::model::{Step, Story};

/// Reads an event file.
///
/// # Errors
/// When the file cannot be read, or holds no event at all.
pub fn read(path: &Path) -> Result<Story> {
    let mut story = Story::default();
    let told = for_each(path, |event| {
        story.history.hear(&event);
        if let Event::Step {
            step,
            loss,
            accuracy,
            learning_rate,
            ..
        } = event
        {
            story.steps.push(Step {
                step,
                loss,
                accuracy,
                learning_rate,
            });
        }
    })?;
    story.unreadable = told.unreadable;
    Ok(story)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_whose_numbers_are_not_finite_do_not_spoil_the_rest() {
        let line = |(step, loss): (u64, &str)| {
            format!(
                "{{\"event\":\"step\",\"step\":{step},\"total\":9,\"epoch\":0,\"stage\":0,\
                 \"loss\":{loss},\"accuracy\":0.5,\"learning_rate\":0.1,\"images\":8}}\n"
            )
        };
        let losses = ["0.5", "null", "NaN", "-Infinity", "1e999", "0.25"];
        let text: String = (1..).zip(losses).map(line).collect();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.jsonl");
        std::fs::write(&path, text + "nonsense\n{\"event\":\"che").unwrap();
        let story = read(&path).unwrap();
        let steps: Vec<u64> = story.steps.iter().map(|step| step.step).collect();
        assert_eq!(steps, [1, 2, 3, 4, 6]);
        assert_eq!(story.history.step, 6);
        let spoilt = story.steps.iter().filter(|step| step.loss.is_nan());
        assert_eq!(spoilt.count(), 3);
        assert_eq!(story.unreadable, 2, "a number too large, and nonsense");
    }
}
