//! The task that sends a stream while its handler runs.

use super::{sink::Sink, state::Invocation};
use crate::error::{Error, Result};
use parking_lot::Mutex;
use std::{panic, sync::Arc};
use tokio::task::JoinHandle;

/// The task that sends the response of an invocation, if that is a stream. It is a task of its own, so that what is written
/// goes on while the handler keeps its thread busy, and the end of the stream is still sent when a layer gives the handler
/// up.
pub(super) struct Sending<T> {
    invocation: Arc<Invocation>,
    task: Mutex<Option<JoinHandle<T>>>,
}

impl<T: Send + 'static> Sending<T> {
    pub(super) fn new(invocation: &Arc<Invocation>) -> Self {
        Sending {
            invocation: Arc::clone(invocation),
            task: Mutex::new(None),
        }
    }

    /// Begins to send, if the handler has begun a stream.
    pub(super) fn start<S: Sink<Sent = T>>(&self, sink: &S) {
        let (Some(stream), Some(runtime)) =
            (self.invocation.stream.get(), self.invocation.runtime())
        else {
            return;
        };
        let Some(reader) = stream.reader_unless(|| self.invocation.is_answered()) else {
            return;
        };
        let sending = sink.clone().stream(reader, self.invocation.span.clone());
        *self.task.lock() = Some(runtime.spawn(sending));
        // The task that a worker of tokio spawned last is its own next one, which no other worker takes over. With another
        // task behind it, the sending one runs elsewhere if the handler keeps this thread busy from its start.
        drop(runtime.spawn(async {}));
    }

    /// Ends the stream with the outcome of the invocation, and returns the task that sends it. The outcome is given back
    /// where there is no stream.
    pub(super) fn finish<O>(&self, outcome: Result<O>) -> Result<JoinHandle<T>, Result<O>> {
        let task = self.task.lock().take();
        let (Some(stream), Some(task)) = (self.invocation.stream.get(), task) else {
            return Err(outcome);
        };
        if let Some(error) = stream.finish(outcome.map(drop)) {
            self.invocation.span.in_scope(|| error.log());
        }
        Ok(task)
    }
}

impl<T> Drop for Sending<T> {
    /// The invocation was given up, if its stream has no end by now.
    fn drop(&mut self) {
        if let Some(stream) = self.invocation.stream.get() {
            let error = Error::ours("Runtime.ExitError", "the invocation was given up");
            drop(stream.finish(Err(error)));
        }
    }
}

/// Waits for the task, and panics as it does. `None` if its runtime was shut down.
pub(super) async fn sent<T>(task: JoinHandle<T>) -> Option<T> {
    match task.await {
        Ok(sent) => Some(sent),
        Err(error) => match error.try_into_panic() {
            Ok(panic) => panic::resume_unwind(panic),
            Err(_) => None,
        },
    }
}

#[cfg(test)]
#[path = "../tests/stream.rs"]
mod tests;
