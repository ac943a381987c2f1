//! What a callback signals.

use super::wire::{Refusal, Wire};
use crate::{
    completion::{Signal, Tracker},
    error::Error,
    place::{Origin, Place},
    slot::Signaller,
};
use bytes::Bytes;
use parking_lot::Mutex;
use std::{
    ptr,
    sync::{Arc, OnceLock},
};
use tracing::Span;

/// Where a callback's signal goes.
pub(super) enum Target<R: Send + 'static> {
    /// To a completion of the same type.
    Typed(Signaller<Signal<R>, Tracker>),
    /// To an invocation, whose answer is JSON.
    Wire(Wire, fn(&R) -> Result<Bytes, Error>),
    /// To a function.
    Function(Arc<Function<R>>),
}

pub(super) struct Function<R> {
    f: Mutex<Option<BoxedOnce<R>>>,
    first: OnceLock<Place>,
    tracker: Tracker,
    span: Span,
}

type BoxedOnce<R> = Box<dyn FnOnce(Option<Error>, Option<R>) + Send>;

impl<R> Function<R> {
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

impl<R> Drop for Function<R> {
    fn drop(&mut self) {
        if let Some(f) = self.f.get_mut().take() {
            let error = Error::not_called_because(
                "the last callback of a wrapper was dropped",
                &crate::panic::Loss::here(),
            );
            // A panic in a drop during a panic would abort the process.
            let _ = crate::panic::caught(crate::panic::NOBODY, || f(Some(error), None));
        }
    }
}

impl<R: Send + 'static> Target<R> {
    pub(super) fn clone_as(&self, origin: Origin) -> Self {
        match self {
            Target::Typed(signaller) => Target::Typed(signaller.clone_as(origin)),
            Target::Wire(wire, encode) => {
                Target::Wire(wire.clone_as(origin, wire.at_once), *encode)
            }
            Target::Function(function) => Target::Function(Arc::clone(function)),
        }
    }

    /// The same handle, for another owner that lives as long.
    pub(super) fn share(&self) -> Self {
        self.clone_as(match self {
            Target::Typed(signaller) => signaller.1,
            Target::Wire(wire, _) => wire.signaller.1,
            Target::Function(_) => Origin::FIRST,
        })
    }

    /// What tells one completion from another, while this lives.
    pub(super) fn key(&self) -> *const () {
        match self {
            Target::Typed(signaller) => ptr::from_ref(&signaller.0.first).cast(),
            Target::Wire(wire, _) => ptr::from_ref(&wire.signaller.0.first).cast(),
            Target::Function(function) => Arc::as_ptr(function).cast(),
        }
    }

    pub(super) fn signalled(&self) -> Option<Place> {
        match self {
            Target::Typed(signaller) => signaller.0.first.get(),
            Target::Wire(wire, _) => wire.signaller.0.first.get(),
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
            Target::Wire(wire, _) => wire.refuse(first, again, caller_is_told),
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
            Target::Wire(wire, encode) => {
                // No work for a result that will be refused.
                if let Some(first) = wire.signaller.0.first.get() {
                    return Err((outcome, first));
                }
                let Ok(Some(result)) = outcome else {
                    let outcome = outcome.map(|_| None);
                    return wire
                        .signal(outcome, place)
                        .map_err(|(outcome, first)| (outcome.map(|_| None), first));
                };
                wire.signal(encode(&result).map(Some), place)
                    .map_err(|(_, first)| (Ok(Some(result)), first))
            }
        }
    }

    #[inline]
    pub(super) fn signal(&self, outcome: Result<Option<R>, Error>, place: Place) {
        let first = match self {
            Target::Typed(signaller) => signaller.signal(outcome, place).err().map(|it| it.1),
            _ => self.try_signal(outcome, place).err().map(|it| it.1),
        };
        if let Some(first) = first {
            self.refuse(first, place, false);
        }
    }
}
