//! The settings of an invocation.

#[cfg(any(feature = "lambda", feature = "local"))]
use crate::error::{Error, Result};
#[cfg(any(feature = "lambda", feature = "local"))]
use std::env;
use std::time::Duration;

/// The outcome of an invocation whose callback was never called: every handle was dropped without a signal.
///
/// ```
/// use nodeback::{Callback, Context, Runtime, NeverCalled, Value};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let forgetful = |_: Value, _: Context, _: Callback| {};
/// let fails = Runtime::new(forgetful).invoke((), Context::default()).await;
/// assert_eq!(fails.result.unwrap_err().error_type(), "Runtime.CallbackNotCalled");
///
/// let as_in_node = Runtime::new(forgetful).never_called(NeverCalled::Null);
/// assert_eq!(as_in_node.invoke((), Context::default()).await.result.unwrap(), Value::Null);
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum NeverCalled {
    /// The error `Runtime.CallbackNotCalled`, at once: a forgotten callback is a bug.
    #[default]
    Fail,
    /// Node's outcome: a success with `null` after the tasks of the invocation have ended.
    Null,
}

/// The settings of an invocation.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct InvocationSettings {
    pub(crate) never_called: NeverCalled,
    /// How long before its deadline an invocation without an outcome fails by itself, if it is to.
    pub(crate) fail_before_deadline: Option<Duration>,
}

impl InvocationSettings {
    /// Returns the settings, overridden by those of the environment.
    ///
    /// # Errors
    ///
    /// If the value of a variable is invalid. The message names each such variable.
    #[cfg(any(feature = "lambda", feature = "local"))]
    pub(crate) fn overridden(mut self) -> Result<Self> {
        let variable = |name| env::var(name).ok();
        let mut mistakes = Vec::new();
        let mut mistake = |name: &str, text: String, expected: &str| {
            mistakes.push(format!("{name} is `{text}`: expected {expected}"));
        };
        const NEVER_CALLED: &str = "NODEBACK_NEVER_CALLED";
        if let Some(text) = variable(NEVER_CALLED) {
            match text.trim().to_ascii_lowercase().as_str() {
                "fail" => self.never_called = NeverCalled::Fail,
                "null" => self.never_called = NeverCalled::Null,
                _ => mistake(NEVER_CALLED, text, "`fail` or `null`"),
            }
        }
        const MARGIN: &str = "NODEBACK_FAIL_BEFORE_DEADLINE";
        if let Some(text) = variable(MARGIN) {
            match text.trim().parse() {
                Ok(0) => self.fail_before_deadline = None,
                Ok(millis) => self.fail_before_deadline = Some(Duration::from_millis(millis)),
                Err(_) => mistake(MARGIN, text, "whole milliseconds, or 0 for off"),
            }
        }
        if mistakes.is_empty() {
            return Ok(self);
        }
        let message = mistakes.join("; ");
        Err(Error::ours("Runtime.InvalidEnvironment", message))
    }
}
