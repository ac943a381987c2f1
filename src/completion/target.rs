//! Where the signals of a callback go.

use super::{
    call_site::{CallSite, Origin},
    responder::{Rejected, Responder},
    slot::Signaller,
    tracker::CompletionTracker,
};
use crate::{
    error::{Error, IntoError, Result},
    guard::discard,
};
use bytes::Bytes;
use parking_lot::Mutex;
use std::sync::{Arc, OnceLock};
use tracing::Span;

/// Converts a result to JSON. It never panics.
pub(crate) type Encode<R> = fn(&R) -> Result<Bytes>;

/// The target of a callback's signals.
pub(super) enum Target<R: Send + 'static> {
    /// A completion of the same type.
    Typed(Signaller<Result<Option<R>>, CompletionTracker>),
    /// An invocation, whose response is JSON.
    Invocation {
        responder: Responder,
        encode: Encode<R>,
    },
    /// A user's function, which wraps a handler or another callback.
    Wrapper(Arc<Wrapper<R>>),
}

pub(super) struct Wrapper<R: 'static> {
    f: Mutex<Option<BoxedOnce<R>>>,
    first: OnceLock<CallSite>,
    tracker: CompletionTracker,
    span: Span,
}

type BoxedOnce<R> = Box<dyn FnOnce(Option<Error>, Option<R>) + Send>;

impl<R: 'static> Wrapper<R> {
    pub(super) fn new(f: BoxedOnce<R>) -> Self {
        Wrapper {
            f: Mutex::new(Some(f)),
            first: OnceLock::new(),
            tracker: CompletionTracker::default(),
            span: Span::current(),
        }
    }

    pub(super) fn signal(
        &self,
        outcome: Result<Option<R>>,
        call_site: CallSite,
    ) -> Result<(), Rejected<R>> {
        // The call site is set under the lock, so that a signaller that finds `f` taken also finds
        // the call site.
        let f = {
            let mut f = self.f.lock();
            if f.is_some() {
                let _ = self.first.set(call_site);
            }
            f.take()
        };
        match (f, outcome) {
            (None, outcome) => Err((
                outcome,
                self.first.get().copied().unwrap_or(CallSite::Closed),
            )),
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

impl<R: 'static> Drop for Wrapper<R> {
    /// Drops the function without calling it, as JavaScript does with a callback that is never
    /// called. If the function holds another callback, that one is dropped, too.
    fn drop(&mut self) {
        if let Some(f) = self.f.get_mut().take() {
            // This may run during unwinding, where a panic of the destructor would abort the
            // process.
            discard(f);
        }
    }
}

impl<R: Send + 'static> Target<R> {
    pub(super) fn clone_as(&self, origin: Origin) -> Self {
        match self {
            Target::Typed(signaller) => Target::Typed(signaller.clone_as(origin)),
            Target::Invocation { responder, encode } => Target::Invocation {
                responder: responder.clone_as(origin, responder.at_once),
                encode: *encode,
            },
            Target::Wrapper(wrapper) => Target::Wrapper(Arc::clone(wrapper)),
        }
    }

    /// Returns what `callback(error, result)` signals: an error fails, whatever the result is.
    #[inline]
    pub(super) fn outcome(&self, error: Option<Error>, result: Option<R>) -> Result<Option<R>> {
        match error {
            None => Ok(result),
            Some(error) => self.failed(error, result),
        }
    }

    /// Returns what `callback(error)` or a `Result` signals at a call site.
    pub(super) fn settled<E: IntoError<M>, M>(
        &self,
        result: Result<R, E>,
        call_site: CallSite,
    ) -> Result<Option<R>> {
        match result {
            Ok(result) => Ok(Some(result)),
            Err(error) => {
                let error = error.into_error().signalled_at(call_site.location());
                self.failed(error, None)
            }
        }
    }

    #[cold]
    fn failed(&self, error: Error, result: Option<R>) -> Result<Option<R>> {
        match self {
            Target::Typed(signaller)
                if signaller.0.attached.ignores_falsy_errors && error.is_falsy() =>
            {
                Ok(result)
            }
            _ => Err(error),
        }
    }

    /// Returns where the first signal came from, if there was one.
    pub(super) fn signalled(&self) -> Option<CallSite> {
        match self {
            Target::Typed(signaller) => signaller.0.first.get(),
            Target::Invocation { responder, .. } => responder.first(),
            Target::Wrapper(wrapper) => wrapper.first.get().copied(),
        }
    }

    /// Counts a rejected signal, and logs it unless the rejection is returned to its caller.
    #[cold]
    pub(super) fn reject(&self, first: CallSite, duplicate: CallSite, is_returned: bool) {
        match self {
            Target::Typed(signaller) => {
                signaller.0.attached.reject(first, duplicate, is_returned);
            }
            Target::Invocation { responder, .. } => responder.reject(first, duplicate, is_returned),
            Target::Wrapper(wrapper) => {
                let reject = || wrapper.tracker.reject(first, duplicate, is_returned);
                wrapper.span.in_scope(reject);
            }
        }
    }

    pub(super) fn try_signal(
        &self,
        outcome: Result<Option<R>>,
        call_site: CallSite,
    ) -> Result<(), Rejected<R>> {
        match self {
            Target::Wrapper(wrapper) => wrapper.signal(outcome, call_site),
            Target::Typed(signaller) => signaller.signal(outcome, call_site),
            Target::Invocation { responder, encode } => {
                // A result that will be rejected is not encoded.
                if let Some(first) = responder.first() {
                    return Err((outcome, first));
                }
                let Ok(Some(result)) = outcome else {
                    let outcome = outcome.map(|_| None);
                    return responder
                        .signal(outcome, call_site)
                        .map_err(|(outcome, first)| (outcome.map(|_| None), first));
                };
                responder
                    .signal(encode(&result).map(Some), call_site)
                    .map_err(|(_, first)| (Ok(Some(result)), first))
            }
        }
    }

    #[inline]
    pub(super) fn signal(&self, outcome: Result<Option<R>>, call_site: CallSite) {
        let signalled = match self {
            Target::Typed(signaller) => signaller.signal(outcome, call_site),
            _ => self.try_signal(outcome, call_site),
        };
        if let Err(rejected) = signalled {
            self.rejected(rejected, call_site);
        }
    }

    /// Signals. If the signal is rejected, returns where the first one came from.
    pub(super) fn signal_first(
        &self,
        outcome: Result<Option<R>>,
        call_site: CallSite,
    ) -> Result<(), CallSite> {
        self.try_signal(outcome, call_site).map_err(|rejected| {
            let first = rejected.1;
            self.rejected(rejected, call_site);
            first
        })
    }

    /// Signals as `callback(error, result)` does.
    #[inline]
    pub(super) fn call(&self, error: Option<Error>, result: Option<R>, call_site: CallSite) {
        match (self, error) {
            // The result is moved only once, into the slot. A second move would make the call
            // measurably slower.
            (Target::Typed(signaller), None) => {
                let rejected = match signaller.claim(call_site) {
                    Ok(claim) => match claim.fill(Ok(result)) {
                        Ok(()) => return,
                        Err(outcome) => (outcome, CallSite::Closed),
                    },
                    Err(first) => (Ok(result), first),
                };
                self.rejected(rejected, call_site);
            }
            (_, error) => self.signal(self.outcome(error, result), call_site),
        }
    }

    #[cold]
    fn rejected(&self, (outcome, first): Rejected<R>, call_site: CallSite) {
        // In JavaScript, nothing reports that a callback was never called, so passing on the error
        // of another callback does not count as a duplicate signal.
        if !outcome.as_ref().is_err_and(Error::is_never_called) {
            self.reject(first, call_site, false);
        }
    }
}
