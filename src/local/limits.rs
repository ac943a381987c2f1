//! The limits that the local server sets its clients.

use std::time::Duration;

/// How much Lambda takes for an event.
pub(super) const EVENT_LIMIT: usize = 6 * 1024 * 1024;

/// How much an asynchronous operation takes for an event.
#[derive(Clone, Copy, Debug)]
pub(super) struct PayloadLimit {
    pub(super) bytes: usize,
    /// The operation, as the error message names it.
    pub(super) of: &'static str,
}

/// `Invoke` with `X-Amz-Invocation-Type: Event`.
pub(super) const EVENT_INVOCATION: PayloadLimit = PayloadLimit {
    bytes: 1024 * 1024,
    of: "the Event invocation type",
};

/// `InvokeAsync`, whose limit was not raised.
pub(super) const INVOKE_ASYNC: PayloadLimit = PayloadLimit {
    bytes: 256 * 1024,
    of: "the InvokeAsync operation",
};

/// How much Lambda takes for a response: AWS's error message names 100 bytes more than for an event.
pub(super) const RESPONSE_LIMIT: usize = EVENT_LIMIT + 100;

/// How much Lambda takes for a response that is streamed.
pub(super) const STREAM_LIMIT: usize = 200 * 1024 * 1024;

/// How much of a larger one is read and thrown away, so that a client that is still sending gets
/// to read why it is refused.
pub(super) const DRAINED: usize = 8 * EVENT_LIMIT;

/// What the server bears of its clients.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    /// Connections at a time. At that many, those that are idle are closed.
    pub(super) connections: usize,
    /// In which a new connection is not closed for being idle.
    pub(super) grace: Duration,
    /// From the last response, or the connection, to the end of the next request's headers.
    pub(super) headers: Duration,
    /// Between two pieces of a body.
    pub(super) body_pause: Duration,
    /// For a whole body.
    pub(super) body: Duration,
    /// In which a client has to take some of its response.
    pub(super) write_pause: Duration,
    /// In which a client that is still sending can read why it is refused.
    pub(super) linger: Duration,
    /// Until the next try, where the system has no socket left.
    pub(super) retry: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            connections: 16 * 1024,
            grace: Duration::from_millis(250),
            headers: Duration::from_secs(30),
            body_pause: Duration::from_secs(10),
            body: Duration::from_secs(60),
            write_pause: Duration::from_secs(30),
            linger: Duration::from_secs(2),
            retry: Duration::from_millis(50),
        }
    }
}
