//! The state that the context, the tasks and the driver of an invocation share.

use super::{
    deadline::{Limit, Time},
    members::ContextMembers,
    queue::{Left, Queue},
    timeline::Recorder,
};
use crate::{completion::Responder, stream::Pipe};
use parking_lot::Mutex;
use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicU8, Ordering},
};
use tokio::{runtime::Handle, time::Instant};
use tracing::Span;

/// One invocation.
pub(crate) struct Invocation {
    pub(super) members: Arc<ContextMembers>,
    pub(super) limit: Limit,
    pub(super) time: Time,
    /// The span that every line of the invocation is logged in.
    pub(super) span: Span,
    /// The runtime that its tasks continue on after the response.
    pub(super) runtime: Option<Handle>,
    /// Whether this stands in for an invocation, for tasks that are spawned outside of any.
    pub(super) is_detached: bool,
    /// Its event loop: see `event_loop.rs`.
    pub(super) queue: Mutex<Queue>,
    /// The response, if it is a stream.
    pub(super) stream: OnceLock<Arc<Pipe>>,
    /// Records the timeline, if one is recorded.
    pub(super) recorder: Option<Arc<Recorder>>,
    /// A [`ClaimedBy`].
    claimed_by: AtomicU8,
}

/// The part of the crate that has claimed the outcome of an invocation, and so sends it.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(u8)]
pub(super) enum ClaimedBy {
    None,
    /// The driver, which polls the event loop.
    Driver,
    /// The error of a layer.
    #[cfg(feature = "lambda")]
    Layer,
    Watchdog,
}

/// Runs code that few invocations need, out of line, so that it costs the others nothing.
#[cold]
#[inline(never)]
fn rarely(f: impl FnOnce()) {
    f();
}

impl Invocation {
    /// Creates an invocation that starts now, on the current tokio runtime, if there is one. `keep`
    /// is a handle of its callback for the queue, if a driver is going to poll the event loop.
    pub(super) fn new(
        members: Arc<ContextMembers>,
        limit: Limit,
        span: Span,
        keep: Option<Responder>,
        recorder: Option<Arc<Recorder>>,
    ) -> Arc<Self> {
        Invocation::make(members, limit, span, keep, recorder, false)
    }

    fn make(
        members: Arc<ContextMembers>,
        limit: Limit,
        span: Span,
        keep: Option<Responder>,
        recorder: Option<Arc<Recorder>>,
        is_detached: bool,
    ) -> Arc<Self> {
        let started = Instant::now();
        Arc::new(Invocation {
            members,
            limit,
            time: Time {
                started,
                deadline: limit.deadline(started),
            },
            span,
            runtime: Handle::try_current().ok(),
            is_detached,
            queue: Mutex::new(keep.map_or_else(Queue::default, Queue::driven)),
            stream: OnceLock::new(),
            recorder,
            claimed_by: AtomicU8::new(ClaimedBy::None as u8),
        })
    }

    /// Creates a stand-in for code that runs outside of any invocation.
    pub(super) fn detached() -> Arc<Self> {
        Invocation::make(Arc::default(), Limit::None, Span::none(), None, None, true)
    }

    /// Claims the outcome of the invocation. Returns `None` if it is already claimed.
    ///
    /// The driver, a layer's error and the watchdog may all have an outcome to send. Whichever
    /// calls this first sends its own, and the others send nothing.
    pub(super) fn claim_outcome(&self, by: ClaimedBy) -> Option<Left> {
        let queue = self.queue.lock();
        if self.is_claimed() {
            return None;
        }
        // ORDERING: Relaxed, since only this writes it, under the lock of the queue. The outcome is
        // not passed through other memory: the caller that claims it already holds it.
        self.claimed_by.store(by as u8, Ordering::Relaxed);
        Some(self.claimed(queue, by == ClaimedBy::Driver))
    }

    /// Records something in the timeline, if one is recorded.
    #[inline]
    pub(super) fn record(&self, note: impl FnOnce(&Recorder)) {
        if let Some(recorder) = &self.recorder {
            rarely(|| note(recorder));
        }
    }

    pub(super) fn is_claimed(&self) -> bool {
        // ORDERING: Relaxed, since the claim publishes no other memory.
        self.claimed_by.load(Ordering::Relaxed) != ClaimedBy::None as u8
    }

    pub(super) fn is_claimed_by(&self, by: ClaimedBy) -> bool {
        // ORDERING: Relaxed, since the claim publishes no other memory.
        self.claimed_by.load(Ordering::Relaxed) == by as u8
    }

    pub(super) fn request_id(&self) -> &str {
        &self.members.aws_request_id
    }
}
