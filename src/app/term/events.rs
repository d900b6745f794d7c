//! Events of the terminal: when they are dropped, nobody reads from the terminal any more.
//!
//! The stream of crossterm reads in a thread that may outlive it for a moment. Until that thread has
//! ended it takes what is typed into the shell or the editor, or the call that wakes the thread of
//! the next stream: then the application waits for a key before it is drawn again.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use crossterm::event::{Event, EventStream};
use futures_core::Stream;

/// Longest wait for the thread. It ends at once, unless it holds the beginning of a key.
const PATIENCE: Duration = Duration::from_secs(1);

/// What is known of the thread that reads.
#[derive(Debug, Default)]
struct Reading {
    /// Whether it reads, or is about to; it wakes whoever waits when it ends.
    reads: bool,
    /// Who waits for an event.
    waits: Option<Waker>,
}

#[derive(Debug, Default)]
struct Reader {
    reading: Mutex<Reading>,
    ended: Condvar,
}

impl Reader {
    fn reading(&self) -> MutexGuard<'_, Reading> {
        self.reading.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until nothing is read any more; whether that came in time.
    fn wait(&self) -> bool {
        let reading = self.reading();
        let waited = self
            .ended
            .wait_timeout_while(reading, PATIENCE, |reading| reading.reads);
        let (reading, _) = waited.unwrap_or_else(PoisonError::into_inner);
        !reading.reads
    }
}

impl Wake for Reader {
    fn wake(self: Arc<Self>) {
        let mut reading = self.reading();
        reading.reads = false;
        let waits = reading.waits.take();
        drop(reading);
        self.ended.notify_all();
        if let Some(waits) = waits {
            waits.wake();
        }
    }
}

/// Events of the terminal.
#[derive(Debug, Default)]
pub struct Events {
    /// Absent only while it is dropped.
    stream: Option<EventStream>,
    reader: Arc<Reader>,
}

impl Events {
    /// Begins to read.
    #[must_use]
    pub fn read() -> Self {
        Self {
            stream: Some(EventStream::new()),
            reader: Arc::default(),
        }
    }
}

impl Stream for Events {
    type Item = io::Result<Event>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let reader = self.reader.clone();
        let waker = Waker::from(reader.clone());
        let Some(stream) = &mut self.stream else {
            return Poll::Ready(None);
        };
        // Held meanwhile, so that the end of the thread is seen after its beginning.
        let mut reading = reader.reading();
        let next = Pin::new(stream).poll_next(&mut Context::from_waker(&waker));
        if next.is_pending() {
            reading.reads = true;
            reading.waits = Some(context.waker().clone());
        }
        next
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        // This asks the thread to end.
        drop(self.stream.take());
        if !self.reader.wait() {
            tracing::warn!("the terminal is still read from");
        }
    }
}
