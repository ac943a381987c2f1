//! Runs the original alone, to measure its times.

use super::{
    Comparison, original_side::OriginalSide, outcome::SentOutcome, stream::StreamEnd, timeout,
};
use crate::{
    error::{Error, Result},
    invocation::ContextBuilder,
};
use bytes::Bytes;
use serde_json::Value;
use std::{path::Path, time::Duration};

/// The original in its process.
pub(crate) struct TimedOriginal(OriginalSide);

/// Whether an invocation succeeded. `None` if it had no outcome before its deadline, or until its
/// process ended.
type Outcome = Option<Result<(), String>>;

impl TimedOriginal {
    pub(crate) async fn new(original: &str, root: Option<&Path>) -> Result<Self> {
        let mut comparison = Comparison::new(original, "");
        if let Some(root) = root {
            comparison = comparison.root(root);
        }
        let side = OriginalSide::of(&comparison).await?;
        let missing = || Error::ours("Runtime.NoOriginal", "there is no original");
        side.map(TimedOriginal).ok_or_else(missing)
    }

    /// Runs an invocation. Returns its outcome, and how long it took.
    pub(crate) async fn invoke(
        &mut self,
        event: &Bytes,
        context: ContextBuilder,
    ) -> Result<(Outcome, Duration)> {
        let timeout = timeout(&context.clone().build());
        let seen = self.0.invoke(event.clone(), context.members(), timeout);
        let seen = seen.await?;
        let outcome = match seen.outcome {
            SentOutcome::Response(_) => Some(Ok(())),
            SentOutcome::Stream(stream) => match stream.end {
                StreamEnd::Ended => Some(Ok(())),
                StreamEnd::Error(error) => Some(Err(text_of(&error))),
                StreamEnd::TooLarge => Some(Err("the stream is too large".into())),
                StreamEnd::NotEnded => None,
            },
            SentOutcome::Error(error) => Some(Err(text_of(&error))),
            SentOutcome::Nothing => None,
        };
        Ok((outcome, seen.duration))
    }

    /// The error of an invocation without an outcome.
    pub(crate) fn no_outcome() -> Error {
        Error::ours(
            "Sandbox.Timedout",
            "the original had no outcome before the deadline, or before its process ended",
        )
    }
}

/// The type and the message of an error.
fn text_of(error: &Value) -> String {
    let text = |name: &str| error.get(name).and_then(Value::as_str).unwrap_or_default();
    format!("{}: {}", text("errorType"), text("errorMessage"))
}
