//! The limits of the local server for its clients.

use std::time::Duration;

/// The size of the largest event that Lambda accepts.
pub(super) const EVENT_LIMIT: usize = 6 * 1024 * 1024;

/// The size of the largest event that an asynchronous operation accepts.
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

/// `InvokeAsync`, whose limit AWS did not raise.
pub(super) const INVOKE_ASYNC: PayloadLimit = PayloadLimit {
    bytes: 256 * 1024,
    of: "the InvokeAsync operation",
};

/// The size of the largest response that Lambda accepts. AWS's error message names 100 bytes more
/// than for an event.
pub(super) const RESPONSE_LIMIT: usize = EVENT_LIMIT + 100;

/// The size of the largest streamed response that Lambda accepts.
pub(super) const STREAM_LIMIT: usize = 200 * 1024 * 1024;

/// How much of a larger request is read and discarded, so that a client that is still sending can
/// read why it is rejected.
pub(super) const DRAINED: usize = 8 * EVENT_LIMIT;

/// The limits of connections and requests.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    /// The maximum number of connections. When it is reached, idle ones are closed.
    pub(super) connections: usize,
    /// The grace period before a new connection counts as idle.
    pub(super) grace: Duration,
    /// The time from the previous response, or from the start of the connection, to the end of the
    /// next request's headers.
    pub(super) headers: Duration,
    /// The longest pause between two pieces of a body.
    pub(super) body_pause: Duration,
    /// The time for a whole body.
    pub(super) body: Duration,
    /// The time within which a client has to read some of its response.
    pub(super) write_pause: Duration,
    /// The time in which a client that is still sending can read why it is rejected.
    pub(super) linger: Duration,
    /// The pause before the next attempt to accept a connection, if the system has no socket left.
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
