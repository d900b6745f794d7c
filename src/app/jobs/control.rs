//! How a job is held, stopped and left alone, and the observer it reports to.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::{Inbox, JobId, JobMessage, lock};
use crate::engine::job::{Event, Observer, Verdict};

/// What the user wishes of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Wish {
    /// Go on.
    #[default]
    Go,
    /// Wait.
    Hold,
    /// Stop, and save what is finished.
    Stop,
    /// Go on without the application where that is possible; else stop.
    Leave,
    /// Stop, and nobody waits for it.
    StopAlone,
}

/// A process that gives no sign of life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quiet {
    /// Since the last one.
    pub since: Duration,
    /// The machine it is on.
    pub host: String,
}

/// An observer of work that may run outside of the calling thread: it is told, and asked.
pub trait Steered: Observer {
    /// Hands an event on and returns at once.
    fn tell(&mut self, event: Event);

    /// What the user wishes now.
    fn wish(&self) -> Wish;

    /// Says how many bytes of memory the process that does the work holds.
    fn weigh(&mut self, _resident: u64) {}

    /// Says whether the process that does the work gave no sign of life for a while.
    fn hush(&mut self, _quiet: Option<Quiet>) {}

    /// Waits this long, or until the wish is another one than `known`.
    fn rest(&self, time: Duration, known: Wish);
}

/// A function is told, and wishes the work to go on.
impl<F: FnMut(Event) -> Verdict> Steered for F {
    fn tell(&mut self, event: Event) {
        self(event);
    }

    fn wish(&self) -> Wish {
        Wish::Go
    }

    fn rest(&self, _time: Duration, _known: Wish) {}
}

/// Holds and stops a job from outside.
#[derive(Debug, Default)]
pub(super) struct Control {
    wish: Mutex<Wish>,
    changed: Condvar,
}

impl Control {
    /// Changes the wish. Leaving is final, and so is stopping, but that nobody may wait for it any more.
    pub fn set(&self, wish: Wish) {
        let mut current = lock(&self.wish);
        *current = match (*current, wish) {
            (Wish::Go | Wish::Hold, _) => wish,
            (Wish::Stop, Wish::Leave | Wish::StopAlone) => Wish::StopAlone,
            (final_one @ (Wish::Stop | Wish::Leave | Wish::StopAlone), _) => final_one,
        };
        self.changed.notify_all();
    }

    fn wish(&self) -> Wish {
        *lock(&self.wish)
    }

    /// Returns at once, or when the job is no longer held; with what is wished then.
    fn hold(&self) -> Wish {
        let held = self
            .changed
            .wait_while(lock(&self.wish), |wish| *wish == Wish::Hold);
        *held.unwrap_or_else(PoisonError::into_inner)
    }
}

/// The observer a job reports to.
pub(super) struct Reporter {
    pub job: JobId,
    pub control: Arc<Control>,
    pub inbox: Arc<Inbox>,
}

impl Observer for Reporter {
    fn on(&mut self, event: Event) -> Verdict {
        self.tell(event);
        match self.control.hold() {
            Wish::Go | Wish::Hold => Verdict::Continue,
            Wish::Stop | Wish::Leave | Wish::StopAlone => Verdict::Stop,
        }
    }
}

impl Steered for Reporter {
    fn tell(&mut self, event: Event) {
        let job = self.job;
        self.inbox.push(JobMessage::Event { job, event });
    }

    fn wish(&self) -> Wish {
        self.control.wish()
    }

    fn weigh(&mut self, resident: u64) {
        let job = self.job;
        self.inbox.push(JobMessage::Memory { job, resident });
    }

    fn hush(&mut self, quiet: Option<Quiet>) {
        let job = self.job;
        self.inbox.push(JobMessage::Quiet { job, quiet });
    }

    fn rest(&self, time: Duration, known: Wish) {
        let wish = lock(&self.control.wish);
        let waited = self
            .control
            .changed
            .wait_timeout_while(wish, time, |wish| *wish == known);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use std::thread;

    fn reporter(control: &Arc<Control>) -> Reporter {
        Reporter {
            job: JobId(0),
            control: control.clone(),
            inbox: Arc::default(),
        }
    }

    #[test]
    fn a_paused_job_waits_and_a_stopped_one_is_told() {
        let control = Arc::new(Control::default());
        control.set(Wish::Hold);
        let (sender, receiver) = mpsc::channel();
        let mut reporter = reporter(&control);
        let thread = thread::spawn(move || {
            sender.send(None).unwrap();
            let verdict = reporter.on(Event::Checkpoint { step: 1 });
            sender.send(Some(verdict)).unwrap();
        });
        assert_eq!(receiver.recv().unwrap(), None);
        assert!(receiver.try_recv().is_err());
        control.set(Wish::Stop);
        assert_eq!(receiver.recv().unwrap(), Some(Verdict::Stop));
        thread.join().unwrap();
    }

    #[test]
    fn a_rest_ends_with_another_wish_and_stopping_is_final() {
        let control = Arc::new(Control::default());
        let reporter = reporter(&control);
        let thread = {
            let control = control.clone();
            thread::spawn(move || control.set(Wish::Stop))
        };
        reporter.rest(Duration::from_mins(10), Wish::Go);
        thread.join().unwrap();
        control.set(Wish::Go);
        assert_eq!(reporter.wish(), Wish::Stop);
        control.set(Wish::Leave);
        assert_eq!(
            reporter.wish(),
            Wish::StopAlone,
            "it stops without being waited for"
        );
        control.set(Wish::Leave);
        assert_eq!(reporter.wish(), Wish::StopAlone);
    }

    #[test]
    fn what_was_left_alone_is_not_stopped() {
        let control = Arc::new(Control::default());
        let reporter = reporter(&control);
        control.set(Wish::Leave);
        control.set(Wish::Stop);
        assert_eq!(reporter.wish(), Wish::Leave);
    }
}
