//! Errors as JSON, as text, and in panic messages.

use super::{Cause, Error, Inner, Kind, frames};
use crate::panic_place::PanicPlace;
use serde::{Serialize, Serializer, ser::SerializeStruct};
use std::{backtrace::BacktraceStatus, fmt};

impl Error {
    /// Returns the error as JSON: the response of an invocation that fails with it.
    ///
    /// ```
    /// use nodeback::IntoError;
    ///
    /// let json = "Unauthorized".into_error().to_json();
    /// assert_eq!(json, r#"{"errorType":"string","errorMessage":"Unauthorized","trace":[]}"#);
    /// ```
    pub fn to_json(&self) -> String {
        serde_json::to_string(&Document(self)).unwrap_or_else(|_| self.to_string())
    }

    /// Returns the lines of `trace`: see [the type](Self#json).
    ///
    /// ```
    /// use nodeback::Error;
    ///
    /// let trace = Error::msg("no order").with_cause("disk full").trace();
    /// assert_eq!(trace[0], "Error: no order");
    /// assert!(trace[1].starts_with("    at "));
    /// assert_eq!(trace[2], "caused by: disk full");
    /// ```
    pub fn trace(&self) -> Vec<String> {
        let mut trace: Vec<String> = match &self.0.kind {
            Kind::Value => return Vec::new(),
            Kind::WithStack(stack) => stack.clone(),
            Kind::NeverCalled => vec![self.to_string()],
            Kind::Panic(place) => {
                let mut lines = vec![self.to_string()];
                lines.extend(
                    place
                        .iter()
                        .map(|place| format!("    at {}", place.location())),
                );
                let backtrace = place.as_deref().and_then(PanicPlace::backtrace);
                lines.extend(backtrace.iter().flat_map(|text| frames::of(text)));
                lines
            }
            Kind::Error | Kind::WithoutMessage => {
                let mut lines: Vec<_> = self.to_string().split('\n').map(String::from).collect();
                lines.extend(self.0.location.map(|location| format!("    at {location}")));
                lines
            }
        };
        for cause in self.causes() {
            trace.extend(format!("caused by: {cause}").split('\n').map(String::from));
        }
        let backtrace = match &self.0.cause {
            Cause::Anyhow(origin) => origin.backtrace(),
            _ => &self.0.backtrace,
        };
        if backtrace.status() == BacktraceStatus::Captured {
            trace.extend(frames::of(&backtrace.to_string()));
        }
        trace
    }
}

/// Formats the error as JavaScript's `String(err)` does. With `{:#}`, the causes follow.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner {
            error_type,
            message,
            kind,
            ..
        } = &*self.0;
        match kind {
            Kind::Value => f.write_str(message)?,
            Kind::WithoutMessage => write!(f, "{error_type}: null")?,
            _ if error_type.is_empty() => f.write_str(message)?,
            _ if message.is_empty() => f.write_str(error_type)?,
            _ => write!(f, "{error_type}: {message}")?,
        }
        if f.alternate() {
            let causes = self.causes();
            causes.iter().try_for_each(|cause| write!(f, ": {cause}"))?;
        }
        Ok(())
    }
}

/// Formats the error for people, with its causes and where it was created.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.trace().split_first() {
            None => write!(f, "{self}"),
            Some((head, rest)) => {
                f.write_str(head)?;
                rest.iter().try_for_each(|line| write!(f, "\n{line}"))
            }
        }
    }
}

/// The response of an invocation that failed.
struct Document<'a>(&'a Error);

impl Serialize for Document<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Document(error) = self;
        let mut json = serializer.serialize_struct("Error", 3)?;
        json.serialize_field("errorType", error.error_type())?;
        match error.0.kind {
            Kind::WithoutMessage => json.skip_field("errorMessage")?,
            _ => json.serialize_field("errorMessage", error.message())?,
        }
        json.serialize_field("trace", &error.trace())?;
        json.end()
    }
}

/// Serializes the members of the error, as `JSON.stringify(err)` does for an `Error` in Node,
/// without its name, message and stack. For the response of a failed invocation, see
/// [`to_json`](Error::to_json).
impl Serialize for Error {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.members.iter().flatten())
    }
}
