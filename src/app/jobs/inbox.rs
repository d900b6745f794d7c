//! Where jobs leave what the user interface has not seen yet.

use std::collections::VecDeque;
use std::sync::Mutex;

use tokio::sync::Notify;

use super::{JobMessage, lock};
use crate::engine::job::Event;

/// Points of curves that may wait; beyond, every other one is dropped.
const MAX_WAITING_POINTS: usize = 2048;

/// What waits to be seen by the user interface.
#[derive(Debug, Default)]
pub struct Inbox {
    waiting: Mutex<VecDeque<JobMessage>>,
    arrived: Notify,
}

impl Inbox {
    /// Adds a message, coalescing with what still waits.
    pub fn push(&self, message: JobMessage) {
        let mut waiting = lock(&self.waiting);
        if let Some(replaced) = waiting
            .iter_mut()
            .rev()
            .find(|old| is_replaced_by(old, &message))
        {
            *replaced = message;
        } else {
            waiting.push_back(message);
            if waiting.iter().filter(|message| is_point(message)).count() > MAX_WAITING_POINTS {
                thin(&mut waiting);
            }
        }
        drop(waiting);
        self.arrived.notify_one();
    }

    /// Everything that waits.
    #[must_use]
    pub fn drain(&self) -> Vec<JobMessage> {
        lock(&self.waiting).drain(..).collect()
    }

    /// Waits until there is something.
    pub async fn arrived(&self) {
        self.arrived.notified().await;
    }
}

/// Whether `new` says all that the waiting `old` says.
fn is_replaced_by(old: &JobMessage, new: &JobMessage) -> bool {
    match (old, new) {
        (
            JobMessage::Event {
                job: a,
                event: Event::Progress { phase: p, .. },
            },
            JobMessage::Event {
                job: b,
                event: Event::Progress { phase: q, .. },
            },
        ) => a == b && p == q,
        (
            JobMessage::Event {
                job: a,
                event: Event::Landscape { .. },
            },
            JobMessage::Event {
                job: b,
                event: Event::Landscape { .. },
            },
        )
        | (JobMessage::Quiet { job: a, .. }, JobMessage::Quiet { job: b, .. })
        | (JobMessage::Memory { job: a, .. }, JobMessage::Memory { job: b, .. }) => a == b,
        _ => false,
    }
}

fn is_point(message: &JobMessage) -> bool {
    let JobMessage::Event { event, .. } = message else {
        return false;
    };
    matches!(event, Event::Step { .. } | Event::Eigenvalue { .. })
}

/// Drops every other point, never the last.
fn thin(waiting: &mut VecDeque<JobMessage>) {
    let points = waiting.iter().filter(|message| is_point(message)).count();
    let mut seen = 0;
    waiting.retain(|message| {
        let point = is_point(message);
        seen += usize::from(point);
        !point || (points - seen).is_multiple_of(2)
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::jobs::JobId;
    use crate::engine::job::Phase;

    fn progress(done: u64) -> JobMessage {
        let event = Event::Progress {
            phase: Phase::Evaluate,
            done,
            total: 100,
        };
        JobMessage::Event {
            job: JobId(1),
            event,
        }
    }

    fn point(iteration: usize) -> JobMessage {
        let event = Event::Eigenvalue {
            layer: "conv1".into(),
            iteration,
            value: 1.0,
            residual: 0.1,
        };
        JobMessage::Event {
            job: JobId(1),
            event,
        }
    }

    #[test]
    fn progress_is_replaced_points_are_thinned_and_the_rest_is_kept() {
        let inbox = Inbox::default();
        for done in 0..100 {
            inbox.push(progress(done));
        }
        assert_eq!(inbox.drain(), [progress(99)]);
        let warning = |text: String| JobMessage::Event {
            job: JobId(1),
            event: Event::Warning { message: text },
        };
        for index in 0..10_000 {
            inbox.push(point(index));
            if index % 1000 == 0 {
                inbox.push(warning(index.to_string()));
            }
        }
        let drained = inbox.drain();
        let points: Vec<_> = drained.iter().filter(|m| is_point(m)).collect();
        assert!(points.len() <= MAX_WAITING_POINTS);
        assert_eq!(points.last(), Some(&&point(9999)));
        assert_eq!(drained.len() - points.len(), 10);
    }
}
