//! What a callback of an invocation signals.

use super::{
    lost::{Drops, Lost},
    notice,
    place::{Attached, Origin, Place},
    slot::{Signaller, Waiter, slot},
    tracker::Tracker,
};
use crate::error::Error;
use bytes::Bytes;
use parking_lot::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use tracing::Span;

/// What was not accepted, and where the first signal came from.
pub(super) type Refusal<R> = (Result<Option<R>, Error>, Place);

/// The one signal of an invocation.
#[derive(Debug)]
pub(crate) enum Signal {
    Outcome {
        outcome: Result<Option<Bytes>, Error>,
        /// Whether a success waits for the invocation's tasks.
        waits: bool,
    },
    /// Nobody has signalled, and nobody can any more.
    NeverCalled(Error),
}

/// What all the handles of one invocation share beside its slot.
#[derive(Debug)]
pub(crate) struct Invoked {
    pub(crate) tracker: Tracker,
    /// Node's `callbackWaitsForEmptyEventLoop`.
    waits: AtomicBool,
    /// Of the invocation, for what is logged from any thread.
    span: Span,
    /// The callback that was dropped last.
    dropped: Mutex<Option<Drops>>,
}

impl Attached<Signal> for Invoked {
    fn lost(&self, origin: Origin) -> Signal {
        // The context and the event loop keep handles of their own, which go last: what was lost is
        // the callback before them.
        let dropped = (origin == Origin::CONTEXT).then(|| self.dropped.lock().take());
        let dropped = dropped.flatten();
        Signal::NeverCalled(match dropped {
            Some(Drops::Handle(lost)) => lost.error(),
            Some(Drops::Notice(error)) => error,
            None => Lost::here(origin).error(),
        })
    }
}

/// Waits for the signal of an invocation.
pub(crate) type InvocationWaiter = Waiter<Signal, Invoked>;

/// Signals an invocation, with results that are JSON already.
pub(crate) struct Responder {
    signaller: Signaller<Signal, Invoked>,
    /// Whether its signals never wait for the invocation's tasks, as with Node's `context.done`.
    pub(super) at_once: bool,
}

impl Responder {
    /// A responder, and what waits for its signal. Lines about it are logged in `span`.
    pub(crate) fn new(span: Span) -> (Self, InvocationWaiter) {
        let (mut signaller, waiter) = slot(Invoked {
            tracker: Tracker::default(),
            waits: AtomicBool::new(true),
            span,
            dropped: Mutex::new(None),
        });
        signaller.1 = Origin::CONTEXT;
        let responder = Responder {
            signaller,
            at_once: false,
        };
        (responder, waiter)
    }

    /// One that nobody waits for any more: each of its signals is rejected.
    pub(crate) fn closed(span: Span) -> Self {
        Responder::new(span).0
    }

    /// Another one, for the same invocation.
    pub(crate) fn clone_as(&self, origin: Origin, at_once: bool) -> Self {
        Responder {
            signaller: self.signaller.clone_as(origin),
            at_once,
        }
    }

    /// Another one, which is not named when it is the last to go.
    pub(crate) fn to_keep(&self) -> Self {
        self.clone_as(Origin::CONTEXT, false)
    }

    pub(super) fn first(&self) -> Option<Place> {
        self.signaller.0.first.get()
    }

    pub(super) fn origin(&mut self) -> &mut Origin {
        &mut self.signaller.1
    }

    /// Identifies the invocation while it lives.
    pub(super) fn key(&self) -> *const () {
        std::ptr::from_ref(&self.signaller.0.first).cast()
    }

    pub(super) fn another(&self) -> Self {
        self.clone_as(self.signaller.1, self.at_once)
    }

    pub(super) fn signal(
        &self,
        outcome: Result<Option<Bytes>, Error>,
        place: Place,
    ) -> Result<(), Refusal<Bytes>> {
        let waits = !self.at_once && self.waits();
        let lost = |signal| match signal {
            Signal::Outcome { outcome, .. } => outcome,
            Signal::NeverCalled(error) => Err(error),
        };
        self.signaller
            .signal(Signal::Outcome { outcome, waits }, place)
            .map_err(|(signal, first)| (lost(signal), first))
    }

    /// Takes the notice of a wrapper, that it was never called, for the drop of this callback that it
    /// would be without the wrapper.
    pub(super) fn passes_on(&self, outcome: &Result<Option<impl Sized>, Error>) -> bool {
        let Err(error) = outcome else { return false };
        if !error.is_never_called() || !notice::is_being_given() {
            return false;
        }
        let notice = Error::never_called(error.message().into());
        *self.signaller.0.attached.dropped.lock() = Some(Drops::Notice(notice));
        true
    }

    /// Node's `callbackWaitsForEmptyEventLoop`.
    pub(crate) fn waits(&self) -> bool {
        // ORDERING: Acquire pairs with the Release below, so that a signal on one thread follows a
        // setting that another thread made before it passed the callback on.
        self.signaller.0.attached.waits.load(Ordering::Acquire)
    }

    pub(crate) fn set_waits(&self, waits: bool) {
        // ORDERING: Release pairs with the Acquire above.
        let flag = &self.signaller.0.attached.waits;
        flag.store(waits, Ordering::Release);
    }

    pub(super) fn refuse(&self, first: Place, again: Place, caller_is_told: bool) {
        self.signaller
            .0
            .attached
            .refuse(first, again, caller_is_told);
    }
}

impl Invoked {
    pub(crate) fn refuse(&self, first: Place, again: Place, caller_is_told: bool) {
        let refuse = || self.tracker.refuse(first, again, caller_is_told);
        self.span.in_scope(refuse);
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        let Signaller(slot, origin) = &self.signaller;
        if *origin != Origin::CONTEXT && slot.first.get().is_none() {
            let mut dropped = slot.attached.dropped.lock();
            // A callback that its wrapper's notice came through is dropped right after.
            if !(notice::is_being_given() && matches!(*dropped, Some(Drops::Notice(_)))) {
                *dropped = Some(Drops::Handle(Lost::here(*origin)));
            }
        }
    }
}
