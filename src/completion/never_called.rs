//! A callback that is dropped without a signal, and what is said of it.

use super::call_site::Origin;
use crate::error::Error;
use std::thread::{self, Thread};

/// How a handle of a callback was dropped, which may have been the last one.
#[derive(Debug)]
pub(crate) struct DroppedHandle {
    origin: Origin,
    by_panic: bool,
    thread: Thread,
}

/// The last that was heard of the callbacks of an invocation.
#[derive(Debug)]
pub(super) enum LastDrop {
    /// One was dropped.
    Handle(DroppedHandle),
    /// A wrapper has passed on that its own was.
    Notice(Error),
}

impl DroppedHandle {
    /// A handle is being dropped.
    pub(crate) fn here(origin: Origin) -> Self {
        DroppedHandle {
            origin,
            by_panic: thread::panicking(),
            thread: thread::current(),
        }
    }

    pub(crate) fn error(&self) -> Error {
        let origin = self.origin;
        self.error_of(&format!("its last handle, {origin}, was dropped"))
    }

    /// The same of the handles of a response stream.
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

    /// The same of the callback of a wrapper, which has no handles to name.
    pub(super) fn error_of(&self, what: &str) -> Error {
        let by = self.by();
        Error::never_called(format!("the callback was never called: {what}{by}"))
    }

    fn by(&self) -> String {
        let by = if self.by_panic { " by a panic" } else { "" };
        let thread = self.thread.name();
        let thread = thread.map_or(String::new(), |name| format!(" on thread `{name}`"));
        format!("{by}{thread}")
    }
}
