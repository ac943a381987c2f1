//! What everything that belongs to one invocation shares: its context, its tasks and its driver.

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
    /// Every line of the invocation is logged in it.
    pub(super) span: Span,
    /// Where its tasks go on after the response.
    pub(super) runtime: Option<Handle>,
    /// Whether it stands for code outside of any invocation.
    pub(super) of_nobody: bool,
    /// Its event loop: see `event_loop.rs`.
    pub(super) queue: Mutex<Queue>,
    /// The response, where it is a stream.
    pub(super) stream: OnceLock<Arc<Pipe>>,
    /// Records its timeline, if that was asked for.
    pub(super) recorder: Option<Arc<Recorder>>,
    answered: AtomicU8,
}

/// The part of the crate that answered an invocation.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(u8)]
pub(super) enum AnsweredBy {
    Nobody,
    /// The driver, which polls the event loop.
    Driver,
    /// The error of a layer.
    #[cfg(feature = "lambda")]
    Layer,
    Watchdog,
}

/// Runs code that few invocations need. It is not inlined, so that it costs the others nothing.
#[cold]
#[inline(never)]
fn rarely(f: impl FnOnce()) {
    f();
}

impl Invocation {
    /// An invocation that starts now, on the current tokio runtime, if there is one. A driver polls it if there is a
    /// handle of its callback to keep.
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
        of_nobody: bool,
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
            of_nobody,
            queue: Mutex::new(keep.map_or_else(Queue::default, Queue::driven)),
            stream: OnceLock::new(),
            recorder,
            answered: AtomicU8::new(AnsweredBy::Nobody as u8),
        })
    }

    /// What stands for an invocation where none is running.
    pub(super) fn of_nobody() -> Arc<Self> {
        Invocation::make(Arc::default(), Limit::None, Span::none(), None, None, true)
    }

    /// Marks the invocation as answered. Returns `None` if it was answered already: of all that may
    /// send an outcome, the first to call this does.
    pub(super) fn claim_answer(&self, by: AnsweredBy) -> Option<Left> {
        let nobody = AnsweredBy::Nobody as u8;
        // ORDERING: Relaxed, since the word decides who goes on and publishes nothing.
        let claimed =
            self.answered
                .compare_exchange(nobody, by as u8, Ordering::Relaxed, Ordering::Relaxed);
        let polls = by == AnsweredBy::Driver;
        claimed.is_ok().then(|| self.answered(polls))
    }

    /// Records something in the timeline, if one is recorded.
    #[inline]
    pub(super) fn record(&self, note: impl FnOnce(&Recorder)) {
        if let Some(recorder) = &self.recorder {
            rarely(|| note(recorder));
        }
    }

    pub(super) fn is_answered(&self) -> bool {
        // ORDERING: as in `claim_answer`, nothing is published.
        self.answered.load(Ordering::Relaxed) != AnsweredBy::Nobody as u8
    }

    pub(super) fn is_answered_by(&self, by: AnsweredBy) -> bool {
        // ORDERING: as in `claim_answer`, nothing is published.
        self.answered.load(Ordering::Relaxed) == by as u8
    }

    pub(super) fn request_id(&self) -> &str {
        &self.members.aws_request_id
    }
}
