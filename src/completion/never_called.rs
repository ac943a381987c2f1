//! Callbacks that are dropped without a signal, and the errors that report them.

use super::call_site::Origin;
use crate::error::Error;
use std::thread::{self, Thread};

/// How a handle of a callback was dropped. It may have been the last one.
#[derive(Debug)]
pub(crate) struct DroppedHandle {
    origin: Origin,
    by_panic: bool,
    thread: Thread,
}

impl DroppedHandle {
    /// Describes a handle that is being dropped on this thread.
    pub(crate) fn here(origin: Origin) -> Self {
        DroppedHandle {
            origin,
            by_panic: thread::panicking(),
            thread: thread::current(),
        }
    }

    pub(crate) fn error(&self) -> Error {
        let (origin, by) = (self.origin, self.by());
        let message =
            format!("the callback was never called: its last handle, {origin}, was dropped{by}");
        Error::never_called(message)
    }

    /// Returns the error of a response stream whose handles were all dropped.
    pub(super) fn error_of_stream(&self) -> Error {
        let origin = match self.origin {
            origin if origin.is_first() => "the stream itself".into(),
            origin => origin.to_string(),
        };
        let by = self.by();
        let message = format!(
            "the response stream was never ended: its last handle, {origin}, was dropped{by}"
        );
        Error::never_called(message).with_type("Runtime.StreamNotEnded")
    }

    fn by(&self) -> String {
        let by = if self.by_panic { " by a panic" } else { "" };
        let thread = self.thread.name();
        let thread = thread.map_or(String::new(), |name| format!(" on thread `{name}`"));
        format!("{by}{thread}")
    }
}
