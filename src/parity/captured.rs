//! Invocations of the deployed original, as `examples/capture/capture.mjs` writes them.

use super::{
    outcome::{Answer, Seen},
    recording::Told,
};
use crate::invocation::ContextBuilder;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, value::RawValue};
use std::time::Duration;

/// The member that such a line begins with.
const MARK: &[u8] = br#"{"nodebackCapture":"#;

/// What a line says of an invocation, its event aside.
#[derive(Clone, Debug)]
pub(super) struct Captured {
    told: Told,
    answer: Answer,
    /// The paths in the response or the error that were redacted.
    redacted: Vec<String>,
}

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    event: &'a RawValue,
    context: Told,
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
    /// Reads a line, if it is one of an invocation. Returns the event with it.
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
                told: context,
                answer: match outcome {
                    Outcome::Response(body) => Answer::Response(bytes(body)),
                    Outcome::Error(error) => Answer::Error(error),
                    Outcome::Nothing => Answer::Nothing,
                },
                redacted,
            };
            Ok((bytes(event), captured))
        })
    }

    /// What the original was told, and what it did. Whether its response waited is not known.
    pub(super) fn seen(&self, context: ContextBuilder) -> (ContextBuilder, Seen) {
        let unknown = self.redacted.iter().cloned();
        let seen = Seen {
            answer: self.answer.clone(),
            deferred: false,
            pending: vec![],
            ended: None,
            duration: Duration::ZERO,
            unknown: unknown.chain(["deferred".into()]).collect(),
            log: None,
        };
        (self.told.tell(context), seen)
    }
}
