//! What a callback signals.

use crate::{
    completion::{Signal, Tracker},
    error::Error,
    place::{Origin, Place},
    slot::Signaller,
};
use bytes::Bytes;
use parking_lot::Mutex;
use std::sync::{Arc, OnceLock, atomic::Ordering};

/// Where a callback's signal goes.
pub(super) enum Target<R: Send + 'static> {
    /// To a completion of the same type.
    Typed(Signaller<Signal<R>, Tracker>),
    /// To an invocation, whose answer is JSON.
    Wire(Wire, fn(&R) -> Result<Bytes, Error>),
    /// To a function.
    Function(Arc<Function<R>>),
}

/// Signals an invocation, whose results are JSON already.
pub(crate) struct Wire {
    pub(crate) signaller: Signaller<Signal<Bytes>, Tracker>,
    /// A signal through it never waits for the invocation's tasks, as of Node's `context.done`.
    pub(crate) at_once: bool,
}

impl Wire {
    pub(crate) fn new(signaller: Signaller<Signal<Bytes>, Tracker>) -> Self {
        let mut wire = Wire {
            signaller,
            at_once: false,
        };
        wire.signaller.set_origin(Origin::Context);
        wire
    }

    /// Another one, for the same invocation.
    pub(crate) fn clone_as(&self, origin: Origin, at_once: bool) -> Self {
        Wire {
            signaller: self.signaller.clone_as(origin),
            at_once,
        }
    }

    pub(super) fn signal(
        &self,
        outcome: Result<Option<Bytes>, Error>,
        place: Place,
    ) -> Result<(), Refusal<Bytes>> {
        let tracker = self.signaller.attached();
        let waits = !self.at_once && tracker.waits.load(Ordering::Acquire);
        self.signaller
            .signal(Signal { outcome, waits }, place)
            .map_err(|(signal, first)| (signal.outcome, first))
    }
}

pub(super) struct Function<R> {
    f: Mutex<Option<BoxedOnce<R>>>,
    first: OnceLock<Place>,
    tracker: Tracker,
}

type BoxedOnce<R> = Box<dyn FnOnce(Option<Error>, Option<R>) + Send>;

impl<R> Function<R> {
    pub(super) fn new(f: BoxedOnce<R>) -> Self {
        Function {
            f: Mutex::new(Some(f)),
            first: OnceLock::new(),
            tracker: Tracker::new(tracing::Span::current()),
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

/// What was not accepted, and where the first signal came from.
pub(super) type Refusal<R> = (Result<Option<R>, Error>, Place);

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
            Target::Typed(signaller) => signaller.origin(),
            Target::Wire(wire, _) => wire.signaller.origin(),
            Target::Function(_) => Origin::First,
        })
    }

    /// What tells one completion from another, while this lives.
    pub(super) fn key(&self) -> *const () {
        match self {
            Target::Typed(signaller) => signaller.key(),
            Target::Wire(wire, _) => wire.signaller.key(),
            Target::Function(function) => Arc::as_ptr(function).cast(),
        }
    }

    pub(super) fn signalled(&self) -> Option<Place> {
        match self {
            Target::Typed(signaller) => signaller.signalled(),
            Target::Wire(wire, _) => wire.signaller.signalled(),
            Target::Function(function) => function.first.get().copied(),
        }
    }

    pub(super) fn tracker(&self) -> &Tracker {
        match self {
            Target::Typed(signaller) => signaller.attached(),
            Target::Wire(wire, _) => wire.signaller.attached(),
            Target::Function(function) => &function.tracker,
        }
    }

    pub(super) fn try_signal(
        &self,
        outcome: Result<Option<R>, Error>,
        place: Place,
    ) -> Result<(), Refusal<R>> {
        match self {
            Target::Function(function) => function.signal(outcome, place),
            Target::Typed(signaller) => signaller
                .signal(
                    Signal {
                        outcome,
                        waits: true,
                    },
                    place,
                )
                .map_err(|(signal, first)| (signal.outcome, first)),
            Target::Wire(wire, encode) => {
                // No work for a result that will be refused.
                if let Some(first) = wire.signaller.signalled() {
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

    pub(super) fn signal(&self, outcome: Result<Option<R>, Error>, place: Place) {
        if let Err((_, first)) = self.try_signal(outcome, place) {
            self.tracker().refuse(first, place, false);
        }
    }
}
