//! Work in the background: the narrow port through which the application asks the engine for
//! anything that takes time, and the named threads it runs on.
//!
//! ```text
//! update --Effect::Start(id, Task)--> Jobs --thread--> Engine + Reporter --Inbox--> Msg::Job
//! ```
//! Every job runs on its own thread inside `catch_unwind`: a panic becomes [`Failure::Panic`] and
//! the screen stays up. Progress is replaced by newer progress while it waits to be drawn, points of
//! curves are thinned when too many wait, and everything else is always delivered, in order.

mod control;
pub mod detail;
pub mod form;
mod inbox;
mod paths;
mod plans;
mod port;
mod projects;
mod runs;
mod task;

pub use control::{Quiet, Steered, Wish};
pub use inbox::Inbox;
pub use paths::SETTING_NAMES;
pub use port::{
    AnalysisRequest, Engine, ExportRequest, Inputs, LeftRun, LeftRunning, LossChangesRequest,
    TuneReport, TuneRequest,
};
pub use projects::{FoundProject, Held};
pub use runs::{Facts, Known, Listed, Runs, RunsRequest, Stamp};
pub use task::{Done, Failure, JobId, JobKind, JobMessage, Task};

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use control::{Control, Reporter};

use crate::engine::Result;
use crate::engine::error::said;

/// The jobs that run.
pub struct Jobs {
    engine: Arc<dyn Engine>,
    inbox: Arc<Inbox>,
    running: Vec<Started>,
}

/// A job that was started.
struct Started {
    id: JobId,
    kind: JobKind,
    control: Arc<Control>,
    thread: thread::JoinHandle<()>,
}

impl Jobs {
    /// No job yet.
    #[must_use]
    pub fn new(engine: Arc<dyn Engine>) -> Self {
        Self {
            engine,
            inbox: Arc::default(),
            running: Vec::new(),
        }
    }

    /// Where messages arrive.
    #[must_use]
    pub fn inbox(&self) -> Arc<Inbox> {
        self.inbox.clone()
    }

    /// Starts a task on a thread of its own.
    pub fn start(&mut self, job: JobId, task: Task) {
        self.running.retain(|job| !job.thread.is_finished());
        let control = Arc::new(Control::default());
        let (engine, inbox) = (self.engine.clone(), self.inbox.clone());
        let mut reporter = Reporter {
            job,
            control: control.clone(),
            inbox: inbox.clone(),
        };
        let kind = task.kind();
        let name = format!("hawqeye-{kind:?}").to_lowercase();
        let work = move || {
            let result = caught(|| task.run(&*engine, &mut reporter));
            inbox.push(JobMessage::Ended { job, result });
        };
        match thread::Builder::new().name(name).spawn(work) {
            Ok(thread) => self.running.push(Started {
                id: job,
                kind,
                control,
                thread,
            }),
            Err(refused) => {
                let reason = format!("cannot start a thread: {}", said(&refused));
                self.inbox.push(JobMessage::Ended {
                    job,
                    result: Err(Failure::Error(reason)),
                });
            }
        }
    }

    /// Asks a job to stop at its next report.
    pub fn stop(&self, job: JobId) {
        self.wish(job, Wish::Stop);
    }

    /// Holds a job at its next report, or lets it go on.
    pub fn pause(&self, job: JobId, pause: bool) {
        self.wish(job, if pause { Wish::Hold } else { Wish::Go });
    }

    /// Stops everything, or leaves it running where that is possible, and waits for the threads that
    /// save their state or write a file.
    pub fn leave(&mut self, keep_running: bool) {
        let wish = if keep_running {
            Wish::Leave
        } else {
            Wish::Stop
        };
        for job in &self.running {
            job.control.set(wish);
        }
        let saves = |job: &Started| job.kind.is_resumable() || job.kind == JobKind::Export;
        for job in self.running.drain(..).filter(saves) {
            if job.thread.join().is_err() {
                tracing::error!("a job's thread panicked outside its guard");
            }
        }
    }

    fn wish(&self, job: JobId, wish: Wish) {
        let mine = self.running.iter().filter(|started| started.id == job);
        mine.for_each(|started| started.control.set(wish));
    }
}

/// Runs `work`, turning an error or a panic into a [`Failure`].
fn caught(work: impl FnOnce() -> Result<Done>) -> std::result::Result<Done, Failure> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => result.map_err(Failure::from),
        Err(payload) => {
            let text = payload.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
            Err(Failure::Panic(text.unwrap_or("no message").to_owned()))
        }
    }
}

/// Locks; a thread that panicked while it held the lock left plain values behind.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Error;

    #[test]
    fn a_panic_becomes_a_failure() {
        assert_eq!(
            caught(|| panic!("oh no")),
            Err(Failure::Panic("oh no".into()))
        );
        let error = caught(|| Err(Error::invalid("no such layer")));
        assert_eq!(error, Err(Failure::Error("no such layer".into())));
    }
}
