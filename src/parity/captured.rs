//! Invocations of the deployed original, as `examples/capture/capture.mjs` writes them.

use super::{
    outcome::{Seen, SentOutcome},
    recording::OriginalContext,
};
use crate::invocation::ContextBuilder;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, value::RawValue};
use std::time::Duration;

/// The member that such a line begins with.
const MARK: &[u8] = br#"{"nodebackCapture":"#;

/// What a line records of an invocation, apart from the event.
#[derive(Clone, Debug)]
pub(super) struct Captured {
    context: OriginalContext,
    outcome: SentOutcome,
    /// The paths in the response or the error that were redacted.
    redacted: Vec<String>,
}

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    event: &'a RawValue,
    context: OriginalContext,
    #[serde(borrow)]
    outcome: Outcome<'a>,
    #[serde(default)]
    redacted: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Outcome<'a> {
    #[serde(borrow)]
    Response(&'a RawValue),
    Error(Value),
    Nothing,
}

impl Captured {
    /// Parses a line that records an invocation, and returns its event too. Returns `None` for any
    /// other line.
    pub(super) fn parse(line: &Bytes) -> Option<Result<(Bytes, Self), String>> {
        line.starts_with(MARK).then(|| {
            let Line {
                event,
                context,
                outcome,
                redacted,
            } = serde_json::from_slice(line).map_err(|error| {
                format!("{error}: expected a line as examples/capture/capture.mjs writes it")
            })?;
            let bytes = |value: &RawValue| line.slice_ref(value.get().as_bytes());
            let captured = Captured {
                context,
                outcome: match outcome {
                    Outcome::Response(body) => SentOutcome::Response(bytes(body)),
                    Outcome::Error(error) => SentOutcome::Error(error),
                    Outcome::Nothing => SentOutcome::Nothing,
                },
                redacted,
            };
            Ok((bytes(event), captured))
        })
    }

    /// Returns the context and the outcome of the original. Whether its response was deferred is
    /// unknown.
    pub(super) fn seen(&self, context: ContextBuilder) -> (ContextBuilder, Seen) {
        let unknown = self.redacted.iter().cloned();
        let seen = Seen {
            outcome: self.outcome.clone(),
            deferred: false,
            pending: vec![],
            ended: None,
            duration: Duration::ZERO,
            unknown: unknown.chain(["deferred".into()]).collect(),
            log: None,
        };
        (self.context.apply_to(context), seen)
    }
}
