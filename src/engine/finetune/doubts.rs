//! What is doubtful in a run: told while it goes on, kept among its events, and told again wherever its
//! network is used.

use crate::engine::counts::counted;
use crate::engine::events::History;
use crate::engine::job::Split;

/// Standard errors of an accuracy that may be chance.
const CHANCE: f64 = 2.0;
/// Times the accuracy of guessing that is no better than guessing.
const GUESSING: f64 = 1.5;

/// That a run which had made steps begins anew, since its checkpoint is gone.
pub(super) fn begun_anew(history: &History) -> Option<String> {
    let lost = history.step;
    (lost > 0).then(|| {
        let steps = counted(lost as usize, "step");
        format!(
            "the checkpoint of the run is gone: it begins anew from the float network, and what was \
             learned in {steps} is lost"
        )
    })
}

/// That training made the network worse, or left it guessing among `classes`.
pub(super) fn of_training(history: &History, classes: usize) -> Option<String> {
    let float = history.validated("float")?.score;
    let before = history.validated("post-training")?.score;
    let last = history.evaluated(Split::Validation).next_back()?;
    let after = last.score;
    if matches!(&*last.label, "float" | "post-training") || after.total == 0 {
        return None;
    }
    let (was, now) = (before.accuracy(), after.accuracy());
    let guessing = GUESSING / classes.max(1) as f64;
    let what = if now <= guessing && float.accuracy() > guessing {
        "left the network guessing"
    } else if was - now > CHANCE * spread(was, after.total) {
        "made the network worse"
    } else {
        return None;
    };
    Some(format!(
        "fine-tuning {what}: {:.2} % of the validation images are right, {:.2} % were before it; \
         start a new run with a smaller --lr",
        100.0 * now,
        100.0 * was
    ))
}

/// The standard error of an accuracy over so many images.
fn spread(accuracy: f64, images: usize) -> f64 {
    (accuracy * (1.0 - accuracy) / images as f64).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::job::{Event, Score};

    fn history(events: &[Event]) -> History {
        let mut history = History::default();
        events.iter().for_each(|event| history.hear(event));
        history
    }

    fn scored(label: &str, correct: usize) -> Event {
        let score = Score {
            loss: 1.0,
            correct,
            correct_top5: correct,
            total: 1000,
        };
        Event::Evaluated {
            split: Split::Validation,
            label: label.into(),
            step: 0,
            score,
        }
    }

    fn after(correct: usize) -> Option<String> {
        let events = [
            scored("float", 950),
            scored("post-training", 700),
            scored("epoch 1", 900),
            scored("epoch 2", correct),
        ];
        of_training(&history(&events), 10)
    }

    #[test]
    fn training_that_made_it_worse_is_told_and_chance_is_not() {
        assert_eq!(after(940), None);
        assert_eq!(after(690), None, "within chance");
        let told = after(600).unwrap();
        assert!(
            told.contains("made the network worse: 60.00 %") && told.contains("70.00 % were"),
            "{told}"
        );
        assert!(after(120).unwrap().contains("guessing"));
        assert_eq!(of_training(&history(&[scored("float", 950)]), 10), None);
    }

    #[test]
    fn a_run_whose_checkpoint_is_gone_says_what_is_lost() {
        let mut history = History::default();
        assert_eq!(begun_anew(&history), None);
        history.step = 7;
        assert!(begun_anew(&history).unwrap().contains("in 7 steps is lost"));
    }
}
