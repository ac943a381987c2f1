//! What the Invoke API answers, as AWS words it.

use axum::{
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header},
};
use bytes::Bytes;
use serde_json::json;
use std::time::Duration;

/// A refusal of the request itself, in AWS's JSON.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    error_type: &'static str,
    message: String,
}

impl Refusal {
    pub(super) fn new(
        status: StatusCode,
        error_type: &'static str,
        message: impl Into<String>,
    ) -> Self {
        Refusal {
            status,
            error_type,
            message: message.into(),
        }
    }

    pub(super) fn content(message: impl Into<String>) -> Self {
        let status = StatusCode::BAD_REQUEST;
        Refusal::new(status, "InvalidRequestContentException", message)
    }

    pub(super) fn parameter(message: impl Into<String>) -> Self {
        let status = StatusCode::BAD_REQUEST;
        Refusal::new(status, "InvalidParameterValueException", message)
    }

    pub(super) fn timeout(what: &str, limit: Duration) -> Self {
        Refusal::new(
            StatusCode::REQUEST_TIMEOUT,
            "RequestTimeoutException",
            format!("The {what} of the request took longer than {limit:?}"),
        )
    }

    pub(super) fn is_too_large(&self) -> bool {
        self.status == StatusCode::PAYLOAD_TOO_LARGE
    }

    fn body(&self) -> String {
        json!({ "Type": "User", "message": self.message }).to_string()
    }

    /// As it is written to a connection on which HTTP has come to its end.
    pub(super) fn to_http(&self, request_id: &str) -> String {
        let body = self.body();
        let (status, error_type, length) = (self.status, self.error_type, body.len());
        format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\n\
             x-amzn-requestid: {request_id}\r\nx-amzn-errortype: {error_type}\r\n\
             content-length: {length}\r\nconnection: close\r\n\r\n{body}"
        )
    }

    /// The response to parameters that do not match AWS's patterns.
    pub(super) fn validation(mistakes: &[String]) -> Self {
        let (count, plural) = (mistakes.len(), if mistakes.len() == 1 { "" } else { "s" });
        let mistakes = mistakes.join("; ");
        Refusal::new(
            StatusCode::BAD_REQUEST,
            "ValidationException",
            format!("{count} validation error{plural} detected: {mistakes}"),
        )
    }

    pub(super) fn no_function(message: impl Into<String>) -> Self {
        Refusal::new(StatusCode::NOT_FOUND, "ResourceNotFoundException", message)
    }

    pub(super) fn respond(self, request_id: &str) -> Response<Body> {
        let mut response = respond(self.status, request_id, self.body());
        let error_type = HeaderValue::from_static(self.error_type);
        response
            .headers_mut()
            .insert(HeaderName::from_static("x-amzn-errortype"), error_type);
        response
    }
}

/// A response with the headers that all of them have.
pub(super) fn respond(
    status: StatusCode,
    request_id: &str,
    body: impl Into<Bytes>,
) -> Response<Body> {
    let body = body.into();
    let mut response = Response::new(Body::from(body.clone()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    if !body.is_empty() {
        let json = HeaderValue::from_static("application/json");
        headers.insert(header::CONTENT_TYPE, json);
    }
    set(headers, "x-amzn-requestid", request_id);
    response
}

/// Sets a header whose value we made, and that so is valid.
pub(super) fn set(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(HeaderName::from_static(name), value);
    }
}
