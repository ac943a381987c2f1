//! The half of the pair that a handler holds.

use super::{
    call_site::{CallSite, Origin},
    future::Completion,
    literal::{Callable, Literal},
    responder::Responder,
    slot::slot,
    target::{Encode, Target, Wrapper},
    tracker::{AlreadySignalled, CompletionTracker},
};
use crate::error::{Error, IntoError, Result};
use serde_json::Value;
use std::{fmt, ops::Deref, panic::Location, sync::Arc};

/// Node's `callback(error, result)`: signals one completion, once.
///
/// Call it as in Node, `callback(None, Some(value))`, or through a method that consumes it, so that
/// a second call through the same handle does not compile: [`succeed`](Self::succeed),
/// [`fail`](Self::fail), [`settle`](Self::settle), [`call`](Self::call). Its clones signal the same
/// completion, from any task or thread, without blocking and without an async runtime.
///
/// The first signal wins. A later one changes nothing, and is logged at WARN with both call sites.
/// If the last clone is dropped without a signal, the completion ends at once with
/// `Runtime.CallbackNotCalled`.
///
/// ```
/// use nodeback::{Callback, json};
///
/// let (callback, completion): (Callback, _) = nodeback::callback();
/// let clone = callback.clone();
/// std::thread::spawn(move || clone(None, Some(json!({ "ok": true }))));
/// drop(callback);
/// assert_eq!(completion.wait().unwrap(), Some(json!({ "ok": true })));
/// ```
pub struct Callback<R: Send + 'static = Value> {
    callable: Callable<R>,
}

/// Creates a callback and the completion that waits for it, for use without a handler.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> nodeback::Result<()> {
/// /// A third-party API that takes a callback.
/// fn read(key: &str, done: impl FnOnce(Option<std::io::Error>, Option<String>) + Send + 'static) {
///     done(None, Some(format!("value of {key}")));
/// }
///
/// let (callback, completion) = nodeback::callback();
/// read("order", callback.into_error_first());
/// assert_eq!(completion.await?.as_deref(), Some("value of order"));
/// # Ok(())
/// # }
/// ```
#[inline]
pub fn callback<R: Send + 'static>() -> (Callback<R>, Completion<R>) {
    pair(CompletionTracker::default())
}

pub(super) fn pair<R: Send + 'static>(tracker: CompletionTracker) -> (Callback<R>, Completion<R>) {
    let (signaller, waiter) = slot(tracker);
    let callback = Callback::new(Target::Typed(signaller));
    (callback, Completion::new(waiter))
}

impl<R: Send + 'static> Callback<R> {
    pub(super) fn target(&self) -> &Target<R> {
        &self.callable.target
    }

    fn new(target: Target<R>) -> Self {
        Callback {
            callable: Callable::new(target),
        }
    }

    #[inline(always)]
    pub(crate) fn signal(self, outcome: Result<Option<R>>, call_site: CallSite) {
        match self.callable.target {
            // `settle` is the fast path of the last handle: it signals and drops it in one step.
            Target::Typed(signaller) => {
                if let Err((signaller, outcome)) = signaller.settle(outcome) {
                    signal_shared(&Target::Typed(signaller), outcome, call_site);
                }
            }
            target => signal_shared(&target, outcome, call_site),
        }
    }

    /// Signals. If the signal is rejected, returns where the first one came from.
    pub(crate) fn signal_first(
        self,
        outcome: Result<Option<R>>,
        call_site: CallSite,
    ) -> Result<(), CallSite> {
        self.target().signal_first(outcome, call_site)
    }

    /// Creates a callback that passes its single outcome to `f`. Use it to write a wrapper around a
    /// handler or around another callback.
    ///
    /// `f` runs within the call of the callback. If the last clone is dropped without a call, `f` is
    /// not called, as in Node. It is dropped, together with any callback that it holds.
    ///
    /// ```
    /// use nodeback::{Callback, Context, Value, json};
    ///
    /// fn inner(event: Value, _: Context, callback: Callback) {
    ///     callback(None, Some(event));
    /// }
    /// fn wrapped(event: Value, context: Context, callback: Callback) {
    ///     let stamped = Callback::from_fn(move |error, result: Option<Value>| {
    ///         let result = result.map(|body| json!({ "statusCode": 200, "body": body.to_string() }));
    ///         callback(error, result)
    ///     });
    ///     inner(event, context, stamped)
    /// }
    /// ```
    pub fn from_fn<F>(f: F) -> Self
    where
        F: FnOnce(Option<Error>, Option<R>) + Send + 'static,
    {
        Callback::new(Target::Wrapper(Arc::new(Wrapper::new(Box::new(f)))))
    }

    /// Signals a success: Node's `callback(null, result)`.
    ///
    /// ```
    /// use nodeback::{Callback, Context, Value, json};
    ///
    /// fn handler(event: Value, _: Context, callback: Callback) {
    ///     if event["warmup"] == true {
    ///         return callback.succeed(json!("warm"));
    ///     }
    ///     callback.succeed(json!({ "hello": event["name"] }))
    /// }
    /// ```
    #[inline]
    #[track_caller]
    pub fn succeed(self, result: R) {
        self.signal(Ok(Some(result)), at());
    }

    /// Signals an error: Node's `callback(error)`.
    ///
    /// ```
    /// use nodeback::{Callback, Context, Error, Value};
    ///
    /// fn handler(event: Value, _: Context, callback: Callback) {
    ///     match event["order"].as_u64() {
    ///         None => callback.fail("order is missing"),
    ///         Some(n) => callback.fail(Error::new("OrderNotFound", format!("no order {n}"))),
    ///     }
    /// }
    /// ```
    #[track_caller]
    pub fn fail<M>(self, error: impl IntoError<M>) {
        let call_site = at();
        let outcome = self.target().settled(Err(error), call_site);
        self.signal(outcome, call_site);
    }

    /// Signals the success or the error of a `Result`.
    ///
    /// ```
    /// use nodeback::{Callback, Context, Value};
    ///
    /// fn handler(event: Value, _: Context, callback: Callback<u16>) {
    ///     callback.settle(event["port"].as_str().unwrap_or("").parse())
    /// }
    /// ```
    #[inline]
    #[track_caller]
    pub fn settle<E: IntoError<M>, M>(self, result: Result<R, E>) {
        match result {
            Ok(result) => self.signal(Ok(Some(result)), at()),
            Err(error) => self.fail(error),
        }
    }

    /// Signals as the literal call `callback(error, result)` does. If there is an error, it fails,
    /// whatever `result` is.
    ///
    /// Unlike the literal call, this method consumes the callback.
    ///
    /// ```
    /// let (callback, completion) = nodeback::callback::<u32>();
    /// callback.call(Some(nodeback::error!("boom")), Some(1));
    /// assert!(completion.wait().is_err());
    /// ```
    #[inline]
    #[track_caller]
    pub fn call(self, error: Option<Error>, result: Option<R>) {
        let outcome = self.target().outcome(error, result);
        self.signal(outcome, at());
    }

    /// Signals the success or the error of a `Result`, and returns it if another signal came first.
    /// The rejected signal counts as a duplicate, but is not logged.
    ///
    /// ```
    /// let (callback, completion) = nodeback::callback();
    /// let clone = callback.clone();
    /// callback.succeed(1);
    /// let rejected = clone.try_settle(Ok::<_, nodeback::Error>(2)).unwrap_err();
    /// assert_eq!(rejected.into_inner().unwrap(), Some(2));
    /// assert_eq!(completion.wait().unwrap(), Some(1));
    /// ```
    ///
    /// # Errors
    ///
    /// [`AlreadySignalled`] if another signal came first.
    #[inline]
    #[track_caller]
    pub fn try_settle<E, M>(self, result: Result<R, E>) -> Result<(), AlreadySignalled<R>>
    where
        E: IntoError<M>,
    {
        let call_site = at();
        let outcome = self.target().settled(result, call_site);
        self.target()
            .try_signal(outcome, call_site)
            .map_err(|(outcome, first)| {
                self.target().reject(first, call_site, true);
                AlreadySignalled { outcome, first }
            })
    }

    /// Returns whether the completion has been signalled, through this handle or another. Also
    /// returns true if the completion was dropped, or its invocation has ended.
    ///
    /// ```
    /// let (callback, _completion) = nodeback::callback();
    /// assert!(!callback.is_signalled());
    /// callback(None, Some(1));
    /// assert!(callback.is_signalled());
    /// ```
    pub fn is_signalled(&self) -> bool {
        self.target().signalled().is_some()
    }

    /// Signals what a handler returned, which is sent at once, as in Node. A result without
    /// content, such as `()`, adds nothing to an earlier signal, so it is not reported as a
    /// duplicate.
    pub(crate) fn returned(mut self, result: Result<R, Error>) {
        if let Target::Invocation { responder, .. } = &mut self.callable.target {
            responder.at_once = true;
        }
        if size_of::<R>() == 0 && result.is_ok() && self.is_signalled() {
            return;
        }
        self.signal(result.map(Some), CallSite::Returned);
    }

    /// Makes the callback signal the end of a response stream: it is never deferred, and the error
    /// for never calling it names the stream.
    pub(crate) fn of_stream(mut self) -> Self {
        if let Target::Invocation { responder, .. } = &mut self.callable.target {
            responder.at_once = true;
            responder.ends_a_stream();
        }
        self
    }
}

/// Creates a callback that signals an invocation. `encode` converts its results to JSON.
pub(crate) fn into_callback<R: Send + 'static>(
    responder: Responder,
    encode: Encode<R>,
) -> Callback<R> {
    Callback::new(Target::Invocation { responder, encode })
}

/// Drops a callback that the handler never received, so that no error names it.
pub(crate) fn unused<R: Send + 'static>(mut callback: Callback<R>) {
    if let Target::Invocation { responder, .. } = &mut callback.callable.target {
        *responder.origin() = Origin::context();
    }
}

/// Signals a target that may have other handles, or whose slot may be closed.
#[inline(never)]
fn signal_shared<R: Send + 'static>(
    target: &Target<R>,
    outcome: Result<Option<R>>,
    call_site: CallSite,
) {
    target.signal(outcome, call_site);
}

/// Returns the call site of the caller.
#[inline(always)]
#[track_caller]
pub(crate) fn at() -> CallSite {
    CallSite::Call {
        location: Location::caller(),
    }
}

impl<R: Send + 'static> Clone for Callback<R> {
    /// Returns another handle to the same completion. If it is the last one to be dropped, and
    /// nothing was signalled, the error names the location of this call.
    #[track_caller]
    fn clone(&self) -> Self {
        Callback::new(self.target().clone_as(Origin::clone_here()))
    }
}

impl<R: Send + 'static> Deref for Callback<R> {
    type Target = Literal<R>;

    /// Makes the literal call `callback(error, result)` compile.
    #[track_caller]
    fn deref(&self) -> &Self::Target {
        self.callable.dereference(Location::caller())
    }
}

impl<R: Send + 'static> fmt::Debug for Callback<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Callback")
            .field("signalled", &self.target().signalled())
            .finish()
    }
}
