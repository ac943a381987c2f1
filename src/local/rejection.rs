//! The error responses of the Invoke API, in AWS's words.

use crate::text::excerpt;
use axum::{
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header},
};
use bytes::Bytes;
use serde_json::json;
use std::time::Duration;

/// An error of the request itself, in AWS's JSON.
#[derive(Debug)]
pub(super) struct Rejection {
    status: StatusCode,
    error_type: &'static str,
    message: String,
}

impl Rejection {
    pub(super) fn new(
        status: StatusCode,
        error_type: &'static str,
        message: impl Into<String>,
    ) -> Self {
        Rejection {
            status,
            error_type,
            message: message.into(),
        }
    }

    pub(super) fn content(message: impl Into<String>) -> Self {
        let status = StatusCode::BAD_REQUEST;
        Rejection::new(status, "InvalidRequestContentException", message)
    }

    pub(super) fn parameter(message: impl Into<String>) -> Self {
        let status = StatusCode::BAD_REQUEST;
        Rejection::new(status, "InvalidParameterValueException", message)
    }

    pub(super) fn timeout(what: &str, limit: Duration) -> Self {
        Rejection::new(
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

    /// Returns the response as text, for a connection that hyper has stopped serving.
    pub(super) fn to_http(&self, request_id: &str) -> String {
        let body = self.body();
        let (status, error_type, length) = (self.status, self.error_type, body.len());
        format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\n\
             x-amzn-requestid: {request_id}\r\nx-amzn-errortype: {error_type}\r\n\
             content-length: {length}\r\nconnection: close\r\n\r\n{body}"
        )
    }

    /// Returns the response to parameters that do not match AWS's patterns.
    pub(super) fn validation(mistakes: &[String]) -> Self {
        let (count, plural) = (mistakes.len(), if mistakes.len() == 1 { "" } else { "s" });
        let mistakes = mistakes.join("; ");
        Rejection::new(
            StatusCode::BAD_REQUEST,
            "ValidationException",
            format!("{count} validation error{plural} detected: {mistakes}"),
        )
    }

    pub(super) fn no_function(message: impl Into<String>) -> Self {
        Rejection::new(StatusCode::NOT_FOUND, "ResourceNotFoundException", message)
    }

    pub(super) fn respond(self, request_id: &str) -> Response<Body> {
        let mut response = respond(self.status, request_id, self.body());
        let error_type = HeaderValue::from_static(self.error_type);
        response
            .headers_mut()
            .insert(HeaderName::from_static(ERROR_TYPE), error_type);
        response.extensions_mut().insert(Rejected(self.message));
        response
    }
}

const ERROR_TYPE: &str = "x-amzn-errortype";

/// The reason why a request was rejected, as an extension of the response. The response of a
/// handler has no such extension.
#[derive(Clone, Debug)]
pub(super) struct Rejected(pub(super) String);

/// The maximum length of a path or a reason in the log.
const EXCERPT: usize = 256;

/// Logs a request that was rejected, since the handler does not see it. The query is left out
/// because it may contain secrets.
pub(super) fn log<B>(method: &Method, path: &str, response: &Response<B>) {
    let Some(Rejected(why)) = response.extensions().get() else {
        return;
    };
    let status = response.status().as_u16();
    let error_type = response.headers().get(ERROR_TYPE);
    let error_type = error_type.and_then(|name| name.to_str().ok());
    let error_type = error_type.map_or(String::new(), |name| format!(" {name}"));
    let (method, path) = (excerpt(method.as_str(), 32), excerpt(path, EXCERPT));
    let why = excerpt(why, EXCERPT);
    tracing::warn!("rejected with {status}{error_type}: {method} {path}: {why}");
}

/// Returns a response with the headers that all responses have.
pub(super) fn respond(
    status: StatusCode,
    request_id: &str,
    body: impl Into<Bytes>,
) -> Response<Body> {
    let body = body.into();
    let length = body.len();
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    if length > 0 {
        let json = HeaderValue::from_static("application/json");
        headers.insert(header::CONTENT_TYPE, json);
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    set(headers, "x-amzn-requestid", request_id);
    response
}

/// Sets a header. Values of this server are valid; an invalid one would be left out.
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
    fn the_log_line_of_a_rejection_is_short_and_has_no_control_characters() {
        let rejection = || Rejection::parameter(format!("\u{1b}[2J\n{}", "y".repeat(9_999)));
        let line = logged("/a", &rejection().respond("id"));
        assert!(
            line.starts_with(
                " WARN rejected with 400 InvalidParameterValueException: POST /a: \\u{1b}[2J\\nyyy"
            ),
            "{line}"
        );
        let long = format!("/\u{9b}{}", "x".repeat(9_999));
        let line = logged(&long, &rejection().respond("id"));
        assert!(line.contains(": POST /\\u{9b}xxx"), "{line}");
        assert!(line.len() < 700, "{line}");
        assert_eq!(line.matches(char::is_control).count(), 1, "{line}");
        let own = respond(StatusCode::NOT_FOUND, "id", "{}");
        assert_eq!(logged("/a", &own), "");
    }
}
