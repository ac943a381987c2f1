//! Callbacks as closures, for APIs that take a closure.

use super::callback::{Callback, at};
use crate::error::{IntoError, Result};

impl<R: Send + 'static> Callback<R> {
    /// Returns the callback as a closure that takes a `Result`, for APIs that take an `FnOnce`.
    ///
    /// ```
    /// let (callback, completion) = nodeback::callback::<i32>();
    /// let done = callback.into_once();
    /// done("7".parse::<i32>());
    /// assert_eq!(completion.wait().unwrap(), Some(7));
    /// ```
    #[track_caller]
    pub fn into_once<E, M>(self) -> impl FnOnce(Result<R, E>) + Send + 'static
    where
        E: IntoError<M>,
    {
        let call_site = at();
        move |result: Result<R, E>| {
            let outcome = self.target().settled(result, call_site);
            self.signal(outcome, call_site);
        }
    }

    /// Returns the callback as an error-first closure, `(error, result)`: Node's `callback` as a
    /// function value.
    ///
    /// ```
    /// let (callback, completion) = nodeback::callback::<i32>();
    /// let done = callback.into_error_first();
    /// done(None::<std::io::Error>, Some(7));
    /// assert_eq!(completion.wait().unwrap(), Some(7));
    /// ```
    #[track_caller]
    pub fn into_error_first<E, M>(self) -> impl FnOnce(Option<E>, Option<R>) + Send + 'static
    where
        E: IntoError<M>,
    {
        let call_site = at();
        move |error: Option<E>, result| {
            let error = error.map(|error| error.into_error().signalled_at(call_site.location()));
            let outcome = self.target().outcome(error, result);
            self.signal(outcome, call_site);
        }
    }

    /// Returns the callback as a closure that takes only an error: Node's
    /// `promise.catch(callback)`.
    ///
    /// ```
    /// let (callback, completion) = nodeback::callback::<()>();
    /// let on_error = callback.into_error_only();
    /// on_error("connection lost");
    /// assert_eq!(completion.wait().unwrap_err().message(), "connection lost");
    /// ```
    #[track_caller]
    pub fn into_error_only<E, M>(self) -> impl FnOnce(E) + Send + 'static
    where
        E: IntoError<M>,
    {
        let call_site = at();
        move |error: E| {
            let outcome = self.target().settled(Err(error), call_site);
            self.signal(outcome, call_site);
        }
    }
}
