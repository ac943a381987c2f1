//! What is seen of an invocation, on either side.

use super::stream::Streamed;
use bytes::Bytes;
use serde_json::Value;
use std::time::Duration;

/// What an invocation responded with.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Answer {
    Response(Bytes),
    Stream(Streamed),
    /// The JSON of the error, without its trace.
    Error(Value),
    /// Nothing until the deadline, or until the process ended.
    Nothing,
}

/// What is seen of an invocation.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) answer: Answer,
    /// Whether the response waited for what was still running.
    pub(super) deferred: bool,
    /// What that was.
    pub(super) pending: Vec<String>,
    /// How the process ended, if it did.
    pub(super) ended: Option<String>,
    pub(super) duration: Duration,
    /// The paths at which it is not known what the invocation did.
    pub(super) unknown: Vec<String>,
    /// The lines of the log, if they are known.
    pub(super) log: Option<Vec<String>>,
}

/// An outcome at once, of which nothing else is known.
#[cfg(test)]
impl From<Answer> for Seen {
    fn from(answer: Answer) -> Self {
        Seen {
            answer,
            deferred: false,
            pending: vec![],
            ended: None,
            duration: Duration::ZERO,
            unknown: vec![],
            log: None,
        }
    }
}

/// The members of an error's JSON that are compared.
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
