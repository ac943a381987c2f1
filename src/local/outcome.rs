//! The outcomes of the local server's invocations, and the responses of the Invoke API that contain
//! them.

use super::{
    event_stream,
    limits::RESPONSE_LIMIT,
    rejection::{respond, set},
    stream::{LocalStream, complete},
    trace_header,
};
use crate::{
    error::{Error, Result},
    invocation::ContextMembers,
    log,
};
use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, Response, StatusCode, header},
};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use bytes::Bytes;

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
        // Axum adds this to an empty response that it sends, but the page also shows one that is not
        // sent.
        let length = headers.entry(header::CONTENT_LENGTH);
        length.or_insert(HeaderValue::from(0));
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

/// Sets the headers that both responses have in addition to the request id.
fn set_executed(headers: &mut HeaderMap, members: &ContextMembers) {
    set(headers, "x-amz-executed-version", &members.function_version);
    trace_header::send_back(headers, members.xray_trace_id.as_deref());
}
