//! The signalling end of an invocation, which its callbacks and contexts share.

use super::{
    call_site::{CallSite, Origin},
    never_called::DroppedHandle,
    observer::SignalObserver,
    slot::{Attached, Signaller, Waiter, slot},
    tracker::CompletionTracker,
};
use crate::{
    error::{Error, Result},
    phases::{self, Phase},
};
use bytes::Bytes;
use parking_lot::Mutex;
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};
use tracing::Span;

/// The outcome of a signal that was not accepted, and the call site of the first signal.
pub(super) type Rejected<R> = (Result<Option<R>>, CallSite);

/// The signal of an invocation.
#[derive(Debug)]
pub(crate) enum Signal {
    Outcome {
        outcome: Result<Option<Bytes>>,
        /// Whether a success is deferred until the tasks of the invocation finish.
        waits: bool,
    },
    /// All handles were dropped without a signal.
    NeverCalled(Error),
}

/// What all handles of an invocation share in addition to its slot.
#[derive(Debug)]
pub(crate) struct InvocationShared {
    pub(crate) tracker: CompletionTracker,
    /// Node's `callbackWaitsForEmptyEventLoop`.
    waits: AtomicBool,
    /// Whether the response is a stream, which its handles end.
    streams: AtomicBool,
    /// The span of the invocation, for lines that are logged from any thread.
    span: Span,
    /// The callback that was dropped last.
    dropped: Mutex<Option<DroppedHandle>>,
    /// Receives each signal, if a timeline is recorded.
    observer: Option<Arc<dyn SignalObserver>>,
}

impl Attached<Signal> for InvocationShared {
    fn never_called(&self, origin: Origin) -> Signal {
        // The context and the event loop keep handles of their own, which are dropped last. The handle to
        // name is the callback that was dropped before them.
        let dropped = origin.is_context().then(|| self.dropped.lock().take());
        let dropped = dropped.flatten();
        // ORDERING: Relaxed. This runs in the drop of the last handle, which happens after
        // everything that was done through the other handles, since their drops synchronize through
        // the reference count of the slot.
        let streams = self.streams.load(Ordering::Relaxed);
        Signal::NeverCalled(match dropped {
            Some(handle) if streams => handle.error_of_stream(),
            Some(handle) => handle.error(),
            None => DroppedHandle::here(origin).error(),
        })
    }
}

/// The waiter for the signal of an invocation.
pub(crate) type InvocationWaiter = Waiter<Signal, InvocationShared>;

/// Signals an invocation, with results that are encoded as JSON.
pub(crate) struct Responder {
    signaller: Signaller<Signal, InvocationShared>,
    /// Whether its signals are never deferred until the tasks finish, as with Node's
    /// `context.done`.
    pub(super) at_once: bool,
}

impl Responder {
    /// Returns a responder and the waiter for its signal. Lines about the signal are logged in
    /// `span`.
    pub(crate) fn new(
        span: Span,
        observer: Option<Arc<dyn SignalObserver>>,
    ) -> (Self, InvocationWaiter) {
        let (mut signaller, waiter) = slot(InvocationShared {
            tracker: CompletionTracker::default(),
            waits: AtomicBool::new(true),
            streams: AtomicBool::new(false),
            span,
            dropped: Mutex::new(None),
            observer,
        });
        signaller.1 = Origin::context();
        let responder = Responder {
            signaller,
            at_once: false,
        };
        (responder, waiter)
    }

    /// Returns a responder without a waiter, which rejects each signal.
    pub(crate) fn closed(span: Span) -> Self {
        Responder::new(span, None).0
    }

    /// Returns another responder for the same invocation.
    pub(crate) fn clone_as(&self, origin: Origin, at_once: bool) -> Self {
        Responder {
            signaller: self.signaller.clone_as(origin),
            at_once,
        }
    }

    /// Returns another responder for the same invocation, which the error of a callback that was
    /// never called does not name if it is the last to be dropped.
    pub(crate) fn to_keep(&self) -> Self {
        self.clone_as(Origin::context(), false)
    }

    pub(super) fn first(&self) -> Option<CallSite> {
        self.signaller.0.first.get()
    }

    pub(super) fn origin(&mut self) -> &mut Origin {
        &mut self.signaller.1
    }

    /// Marks the response as a stream.
    pub(super) fn ends_a_stream(&self) {
        // ORDERING: Relaxed, since it is read in the drop of the last handle, which happens after
        // this.
        let flag = &self.signaller.0.attached.streams;
        flag.store(true, Ordering::Relaxed);
    }

    pub(super) fn signal(
        &self,
        outcome: Result<Option<Bytes>>,
        call_site: CallSite,
    ) -> Result<(), Rejected<Bytes>> {
        // Encoding a result marks both phases before this. Errors and responses of bytes are not
        // encoded, so for them both phases are here.
        phases::mark(Phase::Signalled);
        phases::mark(Phase::Encoded);
        match &self.signaller.0.attached.observer {
            None => self.send(outcome, call_site),
            Some(observer) => self.signal_observed(&**observer, outcome, call_site),
        }
    }

    #[inline(always)]
    fn send(
        &self,
        outcome: Result<Option<Bytes>>,
        call_site: CallSite,
    ) -> Result<(), Rejected<Bytes>> {
        let waits = !self.at_once && self.waits();
        let claim = match self.signaller.claim(call_site) {
            Ok(claim) => claim,
            Err(first) => return Err((outcome, first)),
        };
        match claim.fill(Signal::Outcome { outcome, waits }) {
            Ok(()) => Ok(()),
            Err(Signal::Outcome { outcome, .. }) => Err((outcome, CallSite::Closed)),
            Err(Signal::NeverCalled(error)) => Err((Err(error), CallSite::Closed)),
        }
    }

    #[cold]
    fn signal_observed(
        &self,
        observer: &dyn SignalObserver,
        outcome: Result<Option<Bytes>>,
        call_site: CallSite,
    ) -> Result<(), Rejected<Bytes>> {
        let signal = observer.signalling(call_site, outcome.is_ok());
        let signalled = self.send(outcome, call_site);
        observer.signalled(signal, signalled.is_ok());
        signalled
    }

    /// Returns Node's `callbackWaitsForEmptyEventLoop`.
    pub(crate) fn waits(&self) -> bool {
        self.signaller.0.attached.waits()
    }

    pub(crate) fn set_waits(&self, waits: bool) {
        // ORDERING: Release pairs with the Acquire in `waits`.
        let flag = &self.signaller.0.attached.waits;
        flag.store(waits, Ordering::Release);
    }

    pub(super) fn reject(&self, first: CallSite, duplicate: CallSite, caller_is_told: bool) {
        self.signaller
            .0
            .attached
            .reject(first, duplicate, caller_is_told);
    }
}

impl InvocationShared {
    /// Returns Node's `callbackWaitsForEmptyEventLoop`.
    pub(crate) fn waits(&self) -> bool {
        // ORDERING: Acquire pairs with the Release in `set_waits`, so that a signal on one thread
        // uses the value that another thread has set before it passed on the callback.
        self.waits.load(Ordering::Acquire)
    }

    /// Records that a callback was dropped before any signal.
    #[cold]
    fn dropped(&self, origin: Origin) {
        if let Some(observer) = &self.observer {
            observer.dropped();
        }
        *self.dropped.lock() = Some(DroppedHandle::here(origin));
    }

    pub(crate) fn reject(&self, first: CallSite, duplicate: CallSite, caller_is_told: bool) {
        if let Some(observer) = &self.observer {
            observer.rejected(first, duplicate);
        }
        let reject = || self.tracker.reject(first, duplicate, caller_is_told);
        self.span.in_scope(reject);
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        let Signaller(slot, origin) = &self.signaller;
        if !origin.is_context() && slot.first.get().is_none() {
            slot.attached.dropped(*origin);
        }
    }
}
