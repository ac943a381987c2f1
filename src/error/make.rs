//! How this crate creates errors.

use super::{Cause, Error, Inner, Kind, described::Described, short_name};
use crate::guard::{self, Panic};
use std::{any::Any, backtrace::Backtrace, borrow::Cow, error::Error as StdError, panic::Location};

/// Describes an error by its text and its name. The name is `SyntaxError` for text that is not
/// JSON, as in Node, the error code for an error of an AWS service, and otherwise the name of the
/// type.
fn describe<E: StdError + 'static>(error: &E) -> Described {
    #[cfg(feature = "aws-sdk")]
    if let Some(described) = super::aws_sdk::described(error) {
        return described;
    }
    let name = match (error as &dyn Any).downcast_ref::<serde_json::Error>() {
        Some(error) if error.is_syntax() || error.is_eof() => "SyntaxError".into(),
        _ => short_name::of::<E>().into(),
    };
    Described {
        name,
        message: Some(guard::text(error)),
        members: None,
    }
}

/// Describes an error whose type was erased, if it can still be recognized.
pub(super) fn describe_erased(error: &(dyn StdError + 'static)) -> Option<Described> {
    #[cfg(feature = "aws-sdk")]
    return super::aws_sdk::of_any(error);
    #[cfg(not(feature = "aws-sdk"))]
    {
        let _ = error;
        None
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
        let described = describe(&error);
        Self::of(described, Cause::Same(Box::new(error)), location)
    }

    pub(super) fn of(
        described: Described,
        cause: Cause,
        location: Option<&'static Location<'static>>,
    ) -> Self {
        let Described {
            name,
            message,
            members,
        } = described;
        let kind = match message {
            Some(_) => Kind::Error,
            None => Kind::WithoutMessage,
        };
        let message = message.unwrap_or_default();
        let mut error = Self::make(name, message, kind, cause, location);
        error.0.members = members;
        error
    }

    /// Creates an error of this crate. Its trace has neither the location in this crate nor a
    /// backtrace.
    pub(crate) fn ours(error_type: &'static str, message: impl Into<String>) -> Self {
        let (error_type, message) = (error_type.into(), message.into());
        let mut error = Self::make(error_type, message, Kind::Error, Cause::None, None);
        error.0.backtrace = Backtrace::disabled();
        error
    }

    /// Creates the error of a callback that was never called.
    pub(crate) fn never_called(message: String) -> Self {
        Self::make(
            "Runtime.CallbackNotCalled".into(),
            message,
            Kind::NeverCalled,
            Cause::None,
            None,
        )
    }

    /// Returns whether this is the error of a callback that was never called.
    pub(crate) fn is_never_called(&self) -> bool {
        matches!(self.0.kind, Kind::NeverCalled)
    }

    /// Sets where the error was signalled, for the trace of an error that was only converted there.
    pub(crate) fn signalled_at(mut self, location: &'static Location<'static>) -> Self {
        if matches!(self.0.cause, Cause::Same(_) | Cause::Anyhow(_)) {
            self.0.location.get_or_insert(location);
        }
        self
    }

    /// Returns where it was created or signalled, if that is in the user's code.
    #[cfg(feature = "lambda")]
    pub(crate) fn location(&self) -> Option<&'static Location<'static>> {
        self.0.location
    }

    /// Creates the error of code that panicked.
    pub(crate) fn panic(Panic(message, place): Panic) -> Self {
        let kind = Kind::Panic(place);
        let mut error = Self::make("Runtime.Panic".into(), message, kind, Cause::None, None);
        // The backtrace of the panic is stored with its place.
        error.0.backtrace = Backtrace::disabled();
        error
    }
}
