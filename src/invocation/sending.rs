//! The task that sends a response stream while its handler runs.

use super::{sink::Sink, state::Invocation};
use crate::{
    completion::CallSite,
    error::{Error, Result},
};
use parking_lot::Mutex;
use std::{panic, sync::Arc};
use tokio::task::JoinHandle;

/// The task that sends the response of an invocation, if that is a stream.
///
/// It is a tokio task of its own for two reasons: on a runtime with several threads it sends chunks
/// while the handler keeps its thread busy, and it sends the end of the stream even if a layer
/// drops the handler. The driver and a layer's error share this, since either may set the end.
pub(super) struct Sending<T> {
    pub(super) invocation: Arc<Invocation>,
    task: Mutex<Option<JoinHandle<T>>>,
}

impl<T: Send + 'static> Sending<T> {
    pub(super) fn new(invocation: &Arc<Invocation>) -> Self {
        Sending {
            invocation: Arc::clone(invocation),
            task: Mutex::new(None),
        }
    }

    /// Spawns the task, if the response is a stream. It is called when the handler has been
    /// entered, which opens the stream, and before the first poll of its future. Nothing is spawned
    /// if the watchdog has claimed the outcome: it sends the error without a stream.
    pub(super) fn start<S: Sink<Sent = T>>(&self, sink: &S) {
        let (Some(stream), Some(runtime)) =
            (self.invocation.stream.get(), self.invocation.runtime())
        else {
            return;
        };
        let Some(reader) = stream.reader_unless(|| self.invocation.is_claimed()) else {
            return;
        };
        let sending = sink.clone().stream(reader, self.invocation.span.clone());
        *self.task.lock() = Some(runtime.spawn(sending));
        // A worker of tokio keeps the task that it spawned last for itself, and no other worker can
        // steal that task. Spawning another task makes the sending one available to other workers,
        // in case the handler keeps this thread busy from the start.
        drop(runtime.spawn(async {}));
    }

    /// Returns the task, if it was spawned. The caller ends the stream, and awaits the task.
    pub(super) fn task(&self) -> Option<JoinHandle<T>> {
        self.invocation.stream.get()?;
        self.task.lock().take()
    }

    /// Ends the stream with the outcome of the invocation. `first` is where the first signal came
    /// from, if the outcome is that of a signal.
    pub(super) fn end(&self, outcome: Result<()>, first: Option<CallSite>) {
        let stream = self.invocation.stream.get();
        // If the client is gone, it cannot receive the error, so the error is at least logged.
        if let Some(error) = stream.and_then(|stream| stream.finish(outcome, first)) {
            self.invocation.span.in_scope(|| error.log());
        }
    }
}

impl<T> Drop for Sending<T> {
    /// Ends the stream with an error. This has an effect only if the invocation was dropped before
    /// its outcome, since the first outcome of a stream counts.
    fn drop(&mut self) {
        if let Some(stream) = self.invocation.stream.get() {
            let error = Error::ours(
                "Runtime.ExitError",
                "the invocation was dropped before its outcome",
            );
            drop(stream.finish(Err(error), None));
        }
    }
}

/// Waits for the task. Returns `None` if its runtime was shut down.
///
/// # Panics
///
/// If the task has panicked.
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
