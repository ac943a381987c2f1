//! What the Invoke API answers, as AWS words it.

use crate::text::excerpt;
use axum::{
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header},
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
            .insert(HeaderName::from_static(ERROR_TYPE), error_type);
        response.extensions_mut().insert(Refused(self.message));
        response
    }
}

const ERROR_TYPE: &str = "x-amzn-errortype";

/// Why a request was refused, with the response to it. A handler's own response has none.
#[derive(Clone, Debug)]
pub(super) struct Refused(pub(super) String);

/// How much of a path, and of a reason, a line of the log has.
const EXCERPT: usize = 256;

/// Leaves a line in the log about a request that was refused, which is the client's mistake and not
/// seen by the handler. Of the query, which may have secrets, it says nothing.
pub(super) fn log<B>(method: &Method, path: &str, response: &Response<B>) {
    let Some(Refused(why)) = response.extensions().get() else {
        return;
    };
    let status = response.status().as_u16();
    let error_type = response.headers().get(ERROR_TYPE);
    let error_type = error_type.and_then(|name| name.to_str().ok());
    let error_type = error_type.map_or(String::new(), |name| format!(" {name}"));
    let (method, path) = (excerpt(method.as_str(), 32), excerpt(path, EXCERPT));
    let why = excerpt(why, EXCERPT);
    tracing::warn!("refused with {status}{error_type}: {method} {path}: {why}");
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        io::{self, Write},
        sync::{Arc, Mutex},
    };

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl Write for Log {
        fn write(&mut self, text: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(text)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(path: &str, response: &Response<Body>) -> String {
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .without_time()
            .with_target(false)
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, || super::log(&Method::POST, path, response));
        let text = log.0.lock().unwrap().clone();
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn a_refusal_leaves_a_line_that_is_short_and_controls_no_terminal() {
        let refusal = || Refusal::parameter(format!("\u{1b}[2J\n{}", "y".repeat(9_999)));
        let line = logged("/a", &refusal().respond("id"));
        assert!(
            line.starts_with(
                " WARN refused with 400 InvalidParameterValueException: POST /a: \\u{1b}[2J\\nyyy"
            ),
            "{line}"
        );
        let long = format!("/\u{9b}{}", "x".repeat(9_999));
        let line = logged(&long, &refusal().respond("id"));
        assert!(line.contains(": POST /\\u{9b}xxx"), "{line}");
        assert!(line.len() < 700, "{line}");
        assert_eq!(line.matches(char::is_control).count(), 1, "{line}");
        let own = respond(StatusCode::NOT_FOUND, "id", "{}");
        assert_eq!(logged("/a", &own), "");
    }
}
