//! Where the outcome of an invocation goes. A [`Sink`] is the only part of an invocation that
//! differs between the environments that run handlers.

use crate::{
    error::{Error, Result},
    stream::StreamReader,
};
use bytes::Bytes;
use std::future::Future;
use tracing::Span;

/// Where the outcome of an invocation goes: it is posted, sent, printed or returned.
pub(crate) trait Sink: Clone + Send + Sync + 'static {
    /// What the driver returns once the outcome is sent.
    type Sent: Send + 'static;

    /// Sends the outcome, and logs it if it is an error. Log lines about the outcome belong in
    /// `span`. The tasks of the invocation keep running in the meantime.
    fn send(self, outcome: Result<Bytes>, span: &Span) -> impl Future<Output = Self::Sent> + Send;

    /// Sends a stream to its end, and logs its error if it ends with one. This runs as a tokio task
    /// of its own.
    fn stream(
        self,
        stream: StreamReader,
        span: Span,
    ) -> impl Future<Output = Self::Sent> + Send + 'static;

    /// Whether an outcome can be received while the thread of the handler is blocked. If so, the
    /// watchdog watches the invocation.
    const WATCHED: bool;

    /// Sends the error of an invocation whose handler blocks its thread beyond the deadline. This
    /// runs on the thread and the runtime of the watchdog.
    fn send_for_blocked(self, error: Error) -> impl Future<Output = ()> + Send;

    /// Handles the same error for a response stream that is being sent. The stream was ended with
    /// the error, so [`stream`](Self::stream) sends it, unless the handler blocks the thread of
    /// that task, too. `closed` waits until the stream was sent, and so may wait forever.
    fn ended_for_blocked(
        self,
        error: Error,
        closed: impl Future<Output = ()> + Send,
    ) -> impl Future<Output = ()> + Send;
}
