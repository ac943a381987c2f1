//! The outcomes of the local server's invocations, and the responses of the Invoke API that contain
//! them.

use super::{
    event_stream,
    limits::RESPONSE_LIMIT,
    rejection::{respond, set},
    stream::{LocalStream, complete},
};
use crate::{
    error::{Error, Result},
    invocation::ContextMembers,
    log,
};
use axum::{
    body::Body,
    http::{HeaderMap, Response, StatusCode},
};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use bytes::Bytes;
use regex_lite::Regex;
use std::sync::LazyLock;

pub(super) fn within_limit(body: Bytes) -> Result<Bytes> {
    let size = body.len();
    if size <= RESPONSE_LIMIT {
        return Ok(body);
    }
    Err(Error::ours(
        "Function.ResponseSizeTooLarge",
        format!(
            "Response payload size ({size} bytes) exceeded maximum allowed payload size \
             ({RESPONSE_LIMIT} bytes)."
        ),
    ))
}

/// The outcome of a call.
pub(super) enum LocalOutcome {
    Whole(Result<Bytes>),
    Stream(Box<LocalStream>),
}

impl Default for LocalOutcome {
    fn default() -> Self {
        LocalOutcome::Whole(Ok(Bytes::from_static(b"null")))
    }
}

impl LocalOutcome {
    /// Returns the outcome as a whole, for a call that does not accept a stream.
    pub(super) fn whole(self) -> Result<Bytes> {
        match self {
            LocalOutcome::Whole(outcome) => outcome,
            LocalOutcome::Stream(_) => Err(Error::ours(
                "Runtime.ExitError",
                "the response is a stream, which this call does not accept",
            )),
        }
    }

    /// Returns the response of `Invoke`.
    pub(super) fn respond(
        self,
        members: &ContextMembers,
        tail: Option<&log::Tail>,
    ) -> Response<Body> {
        let outcome = self.whole();
        let failed = outcome.is_err();
        let body = outcome.unwrap_or_else(|error| error.to_json().into());
        let mut response = respond(StatusCode::OK, &members.aws_request_id, body);
        let headers = response.headers_mut();
        set_executed(headers, members);
        if failed {
            set(headers, "x-amz-function-error", "Unhandled");
        }
        if let Some(tail) = tail {
            set(headers, "x-amz-log-result", &BASE64.encode(tail.text()));
        }
        response
    }

    /// Returns the response of `InvokeWithResponseStream`.
    pub(super) fn stream(
        self,
        members: &ContextMembers,
        tail: Option<log::Tail>,
    ) -> Response<Body> {
        let body = match self {
            LocalOutcome::Stream(stream) => stream.into_events(tail),
            LocalOutcome::Whole(outcome) => {
                let chunk = outcome.as_ref().map(event_stream::payload_chunk);
                let end = complete(outcome.as_ref().err(), tail.as_ref());
                Body::from([chunk.unwrap_or_default(), end].concat())
            }
        };
        let mut response = Response::new(body);
        let headers = response.headers_mut();
        set(headers, "content-type", event_stream::CONTENT_TYPE);
        set(headers, "x-amzn-requestid", &members.aws_request_id);
        set_executed(headers, members);
        response
    }
}

/// Sets the headers that both responses have in addition to the request id. On AWS, each response
/// has a trace header. Here, only an invocation whose client sent a valid one has it: other text of
/// a client never becomes a header.
fn set_executed(headers: &mut HeaderMap, members: &ContextMembers) {
    set(headers, "x-amz-executed-version", &members.function_version);
    let trace_id = members.xray_trace_id.as_deref();
    if let Some(trace_id) = trace_id.filter(|id| is_trace_header(id)) {
        set(headers, "x-amzn-trace-id", trace_id);
    }
}

/// The parts of a trace header.
const TRACE: &str = r"(?i)^root=1-[0-9a-f]{8}-[0-9a-f]{24}(;(parent=[0-9a-f]{16}|sampled=[01?]|lineage=[0-9a-f:]{1,64}))*$";

/// The length of the longest trace header that is sent.
const LONGEST_TRACE: usize = 256;

fn is_trace_header(text: &str) -> bool {
    // The pattern is valid, as the test shows.
    static PATTERN: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(TRACE).ok());
    let matches = |pattern: &Regex| pattern.is_match(text);
    text.len() <= LONGEST_TRACE && PATTERN.as_ref().is_some_and(matches)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_valid_trace_header_is_sent_back() {
        const ROOT: &str = "Root=1-6951d70a-3f43124672de60387a603d5d";
        for (rest, valid) in [
            ("", true),
            (";Parent=4891d1a21b62b07d;Sampled=1", true),
            (
                ";Parent=4891d1a21b62b07d;Sampled=0;Lineage=1:ddf3d3e0:0",
                true,
            ),
            (";sampled=?", true),
            (";Sampled=2", false),
            (";Self=x", false),
            (";", false),
            ("\r\nx: y", false),
            ("<b>", false),
            (&";Sampled=1".repeat(30), false),
        ] {
            assert_eq!(is_trace_header(&format!("{ROOT}{rest}")), valid, "{rest}");
        }
        assert!(is_trace_header(&ROOT.to_lowercase()));
        for text in ["", "Root=1-2-3", "x", "Parent=4891d1a21b62b07d"] {
            assert!(!is_trace_header(text), "{text}");
        }
    }
}
