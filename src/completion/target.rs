//! What a callback signals.

use super::{
    Outcome,
    lost::Lost,
    notice,
    place::{Origin, Place},
    responder::{Refusal, Responder},
    slot::Signaller,
    tracker::Tracker,
};
use crate::error::Error;
use bytes::Bytes;
use parking_lot::Mutex;
use std::{
    ptr,
    sync::{Arc, OnceLock},
};
use tracing::Span;

/// Makes the JSON of a result. It never panics.
pub(crate) type Encode<R> = fn(&R) -> Result<Bytes, Error>;

/// Where a callback's signal goes.
pub(super) enum Target<R: Send + 'static> {
    /// To a completion of the same type.
    Typed(Signaller<Outcome<R>, Tracker>),
    /// To an invocation, whose response is JSON.
    Invocation(Responder, Encode<R>),
    /// To a function.
    Function(Arc<Function<R>>),
}

pub(super) struct Function<R: 'static> {
    f: Mutex<Option<BoxedOnce<R>>>,
    first: OnceLock<Place>,
    tracker: Tracker,
    span: Span,
}

type BoxedOnce<R> = Box<dyn FnOnce(Option<Error>, Option<R>) + Send>;

impl<R: 'static> Function<R> {
    pub(super) fn new(f: BoxedOnce<R>) -> Self {
        Function {
            f: Mutex::new(Some(f)),
            first: OnceLock::new(),
            tracker: Tracker::default(),
            span: Span::current(),
        }
    }

    pub(super) fn signal(
        &self,
        outcome: Result<Option<R>, Error>,
        place: Place,
    ) -> Result<(), Refusal<R>> {
        // The place is set under the lock, so that whoever finds `f` taken finds it.
        let f = {
            let mut f = self.f.lock();
            if f.is_some() {
                let _ = self.first.set(place);
            }
            f.take()
        };
        match (f, outcome) {
            (None, outcome) => Err((outcome, self.first.get().copied().unwrap_or(Place::Closed))),
            (Some(f), Ok(result)) => {
                f(None, result);
                Ok(())
            }
            (Some(f), Err(error)) => {
                f(Some(error), None);
                Ok(())
            }
        }
    }
}

impl<R: 'static> Drop for Function<R> {
    fn drop(&mut self) {
        if let Some(f) = self.f.get_mut().take() {
            let lost = Lost::here(Origin::FIRST);
            notice::give(move || {
                let error = lost.error_of("the last callback of a wrapper was dropped");
                f(Some(error), None);
            });
        }
    }
}

impl<R: Send + 'static> Target<R> {
    pub(super) fn clone_as(&self, origin: Origin) -> Self {
        match self {
            Target::Typed(signaller) => Target::Typed(signaller.clone_as(origin)),
            Target::Invocation(responder, encode) => {
                Target::Invocation(responder.clone_as(origin, responder.at_once), *encode)
            }
            Target::Function(function) => Target::Function(Arc::clone(function)),
        }
    }

    /// The same handle, for another owner that lives as long.
    pub(super) fn share(&self) -> Self {
        match self {
            Target::Typed(signaller) => Target::Typed(signaller.clone_as(signaller.1)),
            Target::Invocation(responder, encode) => {
                Target::Invocation(responder.another(), *encode)
            }
            Target::Function(function) => Target::Function(Arc::clone(function)),
        }
    }

    /// What tells one completion from another, while this lives.
    pub(super) fn key(&self) -> *const () {
        match self {
            Target::Typed(signaller) => ptr::from_ref(&signaller.0.first).cast(),
            Target::Invocation(responder, _) => responder.key(),
            Target::Function(function) => Arc::as_ptr(function).cast(),
        }
    }

    /// Where the first signal came from, if there was one.
    pub(super) fn signalled(&self) -> Option<Place> {
        match self {
            Target::Typed(signaller) => signaller.0.first.get(),
            Target::Invocation(responder, _) => responder.first(),
            Target::Function(function) => function.first.get().copied(),
        }
    }

    /// Counts a signal that was not accepted, and reports it unless its caller is told.
    #[cold]
    pub(super) fn refuse(&self, first: Place, again: Place, caller_is_told: bool) {
        match self {
            Target::Typed(signaller) => {
                signaller.0.attached.refuse(first, again, caller_is_told);
            }
            Target::Invocation(responder, _) => responder.refuse(first, again, caller_is_told),
            Target::Function(function) => {
                let refuse = || function.tracker.refuse(first, again, caller_is_told);
                function.span.in_scope(refuse);
            }
        }
    }

    pub(super) fn try_signal(
        &self,
        outcome: Result<Option<R>, Error>,
        place: Place,
    ) -> Result<(), Refusal<R>> {
        match self {
            Target::Function(function) => function.signal(outcome, place),
            Target::Typed(signaller) => signaller.signal(outcome, place),
            Target::Invocation(responder, encode) => {
                // No work for a result that will be refused.
                if let Some(first) = responder.first() {
                    return Err((outcome, first));
                }
                if responder.passes_on(&outcome) {
                    return Ok(());
                }
                let Ok(Some(result)) = outcome else {
                    let outcome = outcome.map(|_| None);
                    return responder
                        .signal(outcome, place)
                        .map_err(|(outcome, first)| (outcome.map(|_| None), first));
                };
                responder
                    .signal(encode(&result).map(Some), place)
                    .map_err(|(_, first)| (Ok(Some(result)), first))
            }
        }
    }

    pub(super) fn signal(&self, outcome: Result<Option<R>, Error>, place: Place) {
        // JavaScript gives no such notice, so passing it on does not count as a duplicate signal.
        let is_notice = |outcome: &Result<_, Error>| {
            notice::is_being_given() || outcome.as_ref().is_err_and(Error::is_never_called)
        };
        if let Err((outcome, first)) = self.try_signal(outcome, place)
            && !is_notice(&outcome)
        {
            self.refuse(first, place, false);
        }
    }
}
