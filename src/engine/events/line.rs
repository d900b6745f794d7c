//! What a line of an event file tells.

use serde::Deserialize;

use crate::engine::job::Event;

/// The kinds of events, as lines name them.
const KINDS: [&str; 10] = [
    "progress",
    "eigenvalue",
    "layer",
    "landscape",
    "stage",
    "step",
    "evaluated",
    "checkpoint",
    "warning",
    "finished",
];

/// A line of an event file.
#[derive(Debug, Clone, PartialEq)]
pub enum Line {
    /// An event.
    Event(Event),
    /// An event of a kind that only later programs know.
    Later,
    /// No event.
    Unreadable,
}

#[derive(Deserialize)]
struct Tagged {
    event: String,
}

/// Reads a line. Numbers that were not finite are `null` in files of this program and `NaN` or
/// `Infinity` in those of others: both are NaN here, since neither may spoil the rest.
#[must_use]
pub fn parse(line: &[u8]) -> Line {
    let Ok(text) = std::str::from_utf8(line) else {
        return Line::Unreadable;
    };
    let event = serde_json::from_str(text).or_else(|_| serde_json::from_str(&plain(text)));
    if let Ok(event) = event {
        return Line::Event(event);
    }
    match serde_json::from_str::<Tagged>(text) {
        Ok(tagged) if !KINDS.contains(&&*tagged.event) => Line::Later,
        _ => Line::Unreadable,
    }
}

/// With `null` in place of the words that are no JSON.
fn plain(text: &str) -> String {
    let words = ["NaN", "-Infinity", "Infinity"];
    words.iter().fold(text.replace(": ", ":"), |text, word| {
        text.replace(&format!(":{word}"), ":null")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::job::{Outcome, Phase};

    fn step(loss: &str) -> String {
        format!(
            "{{\"event\":\"step\",\"step\":3,\"total\":9,\"epoch\":0,\"stage\":0,\"loss\":{loss},\
             \"accuracy\":0.5,\"learning_rate\":0.1,\"images\":8}}"
        )
    }

    #[test]
    fn a_number_that_was_not_finite_is_nan_and_the_rest_is_told() {
        for loss in ["null", "NaN", "-Infinity", " Infinity"] {
            match parse(step(loss).as_bytes()) {
                Line::Event(Event::Step { loss, step: 3, .. }) => assert!(loss.is_nan()),
                other => panic!("{loss}: {other:?}"),
            }
        }
        assert_eq!(parse(step("1e999").as_bytes()), Line::Unreadable);
    }

    #[test]
    fn kinds_of_later_programs_are_no_mistakes() {
        assert_eq!(parse(b"{\"event\":\"spoken\",\"x\":1}"), Line::Later);
        for wrong in [
            &b"{\"event\":\"step\"}"[..],
            b"nonsense",
            b"{}",
            b"\xff",
            b"",
        ] {
            assert_eq!(parse(wrong), Line::Unreadable, "{wrong:?}");
        }
    }

    #[test]
    fn every_event_comes_back_from_its_line() {
        let outcome = Outcome::Done;
        let (phase, done, total) = (Phase::Tune, 1, 2);
        for event in [
            Event::Progress { phase, done, total },
            Event::Checkpoint { step: 4 },
            Event::Finished { outcome },
        ] {
            let line = serde_json::to_string(&event).unwrap();
            assert_eq!(parse(line.as_bytes()), Line::Event(event));
        }
    }
}
