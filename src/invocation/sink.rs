//! Where the outcome of an invocation goes. Each place that runs handlers has a [`Sink`], and nothing else of
//! its own.

use crate::{
    error::{Error, Result},
    stream::StreamReader,
};
use bytes::Bytes;
use std::future::Future;
use tracing::Span;

/// Where the outcome of an invocation goes: it is posted, sent, printed or returned.
pub(crate) trait Sink: Clone + Send + Sync + 'static {
    type Sent: Send + 'static;

    /// Sends the outcome, and logs a failure. Lines about it belong into `span`. The tasks of the
    /// invocation go on meanwhile.
    fn send(self, outcome: Result<Bytes>, span: &Span) -> impl Future<Output = Self::Sent> + Send;

    /// Sends a stream to its end, and logs a failure of the invocation. It runs as a task of its own.
    fn stream(
        self,
        stream: StreamReader,
        span: Span,
    ) -> impl Future<Output = Self::Sent> + Send + 'static;

    /// Whether somebody could receive an outcome while the thread of the handler is blocked.
    const WATCHED: bool;

    /// Sends the error of an invocation whose handler blocks its thread beyond the deadline, from a
    /// thread and a runtime of our own.
    fn send_for_blocked(self, error: Error) -> impl Future<Output = ()> + Send;

    /// The same of a handler whose stream is being sent: it was ended with the error, and `closed` waits until that is
    /// sent, which it never is where what sends it is blocked, too.
    fn ended_for_blocked(
        self,
        error: Error,
        closed: impl Future<Output = ()> + Send,
    ) -> impl Future<Output = ()> + Send;
}
