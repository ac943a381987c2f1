//! What is observed of an invocation, on either side.

use super::stream::Streamed;
use bytes::Bytes;
use serde_json::Value;
use std::time::Duration;

/// The outcome that an invocation sent.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum SentOutcome {
    Response(Bytes),
    Stream(Streamed),
    /// The JSON of the error, without its trace.
    Error(Value),
    /// Nothing was sent before the deadline, or before the process ended.
    Nothing,
}

/// What is observed of an invocation.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) outcome: SentOutcome,
    /// Whether the response waited for unfinished tasks.
    pub(super) deferred: bool,
    /// What it waited for.
    pub(super) pending: Vec<String>,
    /// How the process ended, if it did.
    pub(super) ended: Option<String>,
    pub(super) duration: Duration,
    /// The paths at which the outcome is unknown.
    pub(super) unknown: Vec<String>,
    /// The lines of the log, if they are known.
    pub(super) log: Option<Vec<String>>,
}

/// An immediate outcome of which nothing else is known.
#[cfg(test)]
impl From<SentOutcome> for Seen {
    fn from(outcome: SentOutcome) -> Self {
        Seen {
            outcome,
            deferred: false,
            pending: vec![],
            ended: None,
            duration: Duration::ZERO,
            unknown: vec![],
            log: None,
        }
    }
}

/// Returns the JSON of an error without its trace, which is not compared.
pub(super) fn without_trace(body: &[u8]) -> Value {
    match serde_json::from_slice(body) {
        Ok(Value::Object(mut members)) => {
            members.shift_remove("trace");
            Value::Object(members)
        }
        Ok(other) => other,
        Err(_) => String::from_utf8_lossy(body).into(),
    }
}
