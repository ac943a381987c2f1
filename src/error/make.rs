//! How this crate makes errors.

use super::{Cause, Error, Inner, Kind, short_name};
use crate::guard::{self, Panic};
use std::{any::Any, backtrace::Backtrace, borrow::Cow, error::Error as StdError, panic::Location};

/// The `errorType` of an error: `SyntaxError` for what is not JSON, as in Node, and otherwise the name of
/// its type.
fn name_of<E: StdError + 'static>(error: &E) -> Cow<'static, str> {
    match (error as &dyn Any).downcast_ref::<serde_json::Error>() {
        Some(error) if error.is_syntax() || error.is_eof() => "SyntaxError".into(),
        _ => short_name::of::<E>().into(),
    }
}

impl Error {
    pub(super) fn make(
        error_type: Cow<'static, str>,
        message: String,
        kind: Kind,
        cause: Cause,
        location: Option<&'static Location<'static>>,
    ) -> Self {
        let backtrace = Backtrace::capture();
        Error(Box::new(Inner {
            error_type,
            message,
            kind,
            cause,
            members: None,
            location,
            backtrace,
        }))
    }

    pub(super) fn from_std<E: StdError + Send + Sync + 'static>(
        error: E,
        location: Option<&'static Location<'static>>,
    ) -> Self {
        let (name, message) = (name_of(&error), guard::text(&error));
        Self::make(
            name,
            message,
            Kind::Error,
            Cause::Same(Box::new(error)),
            location,
        )
    }

    /// Makes an error of this crate. Its trace leaves out the line of this crate that made it, and the backtrace.
    pub(crate) fn ours(error_type: &'static str, message: impl Into<String>) -> Self {
        let (error_type, message) = (error_type.into(), message.into());
        let mut error = Self::make(error_type, message, Kind::Error, Cause::None, None);
        error.0.backtrace = Backtrace::disabled();
        error
    }

    /// A notice that a callback was never called.
    pub(crate) fn never_called(message: String) -> Self {
        Self::make(
            "Runtime.CallbackNotCalled".into(),
            message,
            Kind::NeverCalled,
            Cause::None,
            None,
        )
    }

    /// Whether this is the notice that some callback was never called.
    pub(crate) fn is_never_called(&self) -> bool {
        matches!(self.0.kind, Kind::NeverCalled)
    }

    /// Where it was made, if that is in the user's code.
    #[cfg(feature = "lambda")]
    pub(crate) fn location(&self) -> Option<&'static Location<'static>> {
        self.0.location
    }

    /// The error of code that panicked.
    pub(crate) fn panic(Panic(message): Panic) -> Self {
        Self::make(
            "Runtime.Panic".into(),
            message,
            Kind::Panic,
            Cause::None,
            None,
        )
    }
}
