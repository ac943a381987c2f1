//! Posts outcomes to the Runtime API, in the form of Node's runtime.

use super::{
    backoff::Backoff,
    client::{BoxError, Client, full},
    event::{INVOCATION_ID, InvocationIds, PostAddress},
};
use crate::{
    error::{Error, Result},
    guard,
};
use bytes::Bytes;
use http::{
    HeaderMap, Method, Response, StatusCode,
    header::{CONTENT_TYPE, HeaderName, HeaderValue},
};
use http_body_util::BodyExt;
use serde_json::json;
use std::time::Duration;

pub(super) const ERROR_TYPE: HeaderName =
    HeaderName::from_static("lambda-runtime-function-error-type");
const XRAY_CAUSE: HeaderName = HeaderName::from_static("lambda-runtime-function-xray-error-cause");

impl PostAddress {
    /// Posts the outcome. A failure is only logged, since it cannot be reported anywhere else.
    ///
    /// # Errors
    ///
    /// The rejection with which the Runtime API asks the process to exit.
    pub(super) async fn post(&self, client: &Client, outcome: Result<Bytes>) -> Result<()> {
        let InvocationIds {
            request_id,
            invocation_id,
        } = &*self.0;
        let error = outcome.as_ref().err();
        let endpoint = if error.is_none() { "response" } else { "error" };
        let path = ["/invocation/", request_id, "/", endpoint];
        let mut headers = headers(error);
        if let Some(id) = invocation_id {
            headers.push((INVOCATION_ID, id.clone()));
        }
        let body = outcome.unwrap_or_else(|error| error.to_json().into());
        let Err(NotAccepted { why, fatal }) = send(client, &path, headers, body).await else {
            return Ok(());
        };
        tracing::error!("posting the outcome failed: {why}");
        if fatal {
            Err(super::stopped(why))
        } else {
            Ok(())
        }
    }
}

/// Reports why the function cannot start.
pub(super) async fn init_error(client: &Client, error: &Error) {
    post_error(client, "init", error).await;
}

/// Reports why the function cannot continue after a snapshot.
pub(super) async fn restore_error(client: &Client, error: &Error) {
    post_error(client, "restore", error).await;
}

async fn post_error(client: &Client, phase: &str, error: &Error) {
    let path = ["/", phase, "/error"];
    let (headers, body) = (headers(Some(error)), Bytes::from(error.to_json()));
    if let Err(NotAccepted { why, .. }) = send(client, &path, headers, body).await {
        tracing::error!("posting the {phase} error failed: {why}");
    }
}

/// Headers of a request, in a form that is cheaper to build than a map.
type Headers = Vec<(HeaderName, HeaderValue)>;

fn headers(error: Option<&Error>) -> Headers {
    let mut headers = vec![(CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    if let Some(error) = error {
        let name = visible(error.error_type());
        for (header, text) in [(ERROR_TYPE, name), (XRAY_CAUSE, xray_cause(error))] {
            let value = HeaderValue::try_from(text).ok();
            headers.extend(value.map(|value| (header, value)));
        }
    }
    headers
}

pub(super) fn insert(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// How long one attempt may take, and all attempts together.
pub(super) const ATTEMPT: Duration = Duration::from_secs(5);
pub(super) const ATTEMPTS: Duration = Duration::from_secs(10);

struct NotAccepted {
    why: String,
    /// Whether the process has to exit.
    fatal: bool,
}

/// Sends a request until it is accepted or finally rejected. A request that may already have been
/// accepted is sent again, too: the API accepts the first one for a request id, and rejects the
/// others.
async fn send(
    client: &Client,
    path: &[&str],
    headers: Headers,
    body: Bytes,
) -> Result<(), NotAccepted> {
    let mut backoff = Backoff::new();
    loop {
        let attempt = attempt(client, path, &headers, body.clone());
        let (status, mut why) = match client.within(ATTEMPT, attempt).await {
            Some(Ok((status, _))) if status.is_success() => return Ok(()),
            Some(Ok((status, body))) => (Some(status), rejection(status, &body)),
            Some(Err(error)) => (None, describe(&*error)),
            None => (None, format!("no reply within {} s", ATTEMPT.as_secs())),
        };
        if status.is_none_or(is_transient) && backoff.pause(ATTEMPTS).await {
            continue;
        }
        let earlier = backoff
            .attempts
            .saturating_sub(u32::from(status.is_none_or(is_transient)));
        if earlier > 0 {
            why.push_str(&format!(
                " (after {earlier} failed attempts, one of which may have been accepted)"
            ));
        }
        let fatal = status == Some(StatusCode::INTERNAL_SERVER_ERROR);
        return Err(NotAccepted { why, fatal });
    }
}

/// Returns whether a rejection is temporary.
pub(super) fn is_transient(status: StatusCode) -> bool {
    // According to AWS's documentation, a runtime should exit after a 500.
    (status.is_server_error() && status != StatusCode::INTERNAL_SERVER_ERROR)
        || status == StatusCode::TOO_MANY_REQUESTS
}

async fn attempt(
    client: &Client,
    path: &[&str],
    headers: &[(HeaderName, HeaderValue)],
    body: Bytes,
) -> Result<(StatusCode, Bytes), BoxError> {
    let mut request = client.request(Method::POST, path, full(body))?;
    request.headers_mut().extend(headers.iter().cloned());
    read_reply(client.call(request).await?).await
}

/// Reads a reply to its end. Otherwise, its connection could not be used for the next request.
pub(super) async fn read_reply<B>(reply: Response<B>) -> Result<(StatusCode, Bytes), BoxError>
where
    B: BodyExt<Data = Bytes, Error: Into<BoxError>>,
{
    let status = reply.status();
    let body = reply.into_body().collect().await.map_err(Into::into)?;
    Ok((status, body.to_bytes()))
}

/// Returns a message about the response with which the Runtime API rejected a request.
pub(super) fn rejection(status: StatusCode, body: &[u8]) -> String {
    let why = match status {
        StatusCode::GONE => " (the invocation timed out, or already has an outcome)",
        StatusCode::PAYLOAD_TOO_LARGE => " (it is larger than Lambda accepts)",
        _ => "",
    };
    let body = String::from_utf8_lossy(body);
    let body = body.trim().chars().take(SHOWN);
    // The page of a proxy has several lines, but the message is one line of the log.
    let body: String = body.map(|c| if c.is_control() { ' ' } else { c }).collect();
    let separator = if body.is_empty() { "" } else { ": " };
    format!("the Runtime API responded with {status}{why}{separator}{body}")
}

/// How much of such a response is logged, in characters.
const SHOWN: usize = 1024;

/// Describes an error with its causes, since hyper's errors say little without them.
pub(super) fn describe(error: &(dyn std::error::Error + 'static)) -> String {
    guard::causes(Some(error)).join(": ")
}

/// The maximum length of the X-Ray header, in bytes. A longer error message is left out of it,
/// since a Runtime API does not accept headers of any size.
const HEADER_LIMIT: usize = 8 * 1024;

/// How much of an error's name goes into a header, in characters.
const NAME_LIMIT: usize = 256;

/// Converts a name to what a header can hold.
pub(super) fn visible(text: &str) -> String {
    let visible = |c: char| {
        if c.is_ascii_graphic() || c == ' ' {
            c
        } else {
            '?'
        }
    };
    text.chars().take(NAME_LIMIT).map(visible).collect()
}

/// Returns the JSON from which X-Ray shows an error.
fn xray_cause(error: &Error) -> String {
    let directory = std::env::current_dir().unwrap_or_default();
    let name: String = error.error_type().chars().take(NAME_LIMIT).collect();
    let stack = error
        .location()
        .map(|at| json!({ "path": at.file(), "line": at.line(), "label": name }));
    let cause = |message: &str| {
        let exception = json!({
            "type": name,
            "message": message,
            "stack": stack.iter().collect::<Vec<_>>(),
        });
        let cause = json!({
            "working_directory": directory.to_string_lossy(),
            "exceptions": [exception],
            "paths": stack.iter().filter_map(|entry| entry.get("path")).collect::<Vec<_>>(),
        });
        escaped(&cause.to_string())
    };
    let whole = cause(error.message());
    if whole.len() <= HEADER_LIMIT {
        whole
    } else {
        cause("(too long for this header)")
    }
}

/// Escapes everything beyond ASCII in JSON, so that a header can hold it.
fn escaped(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for character in json.chars() {
        if character.is_ascii() && character != '\u{7f}' {
            escaped.push(character);
        } else {
            let mut units = [0; 2];
            for unit in character.encode_utf16(&mut units) {
                escaped.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    escaped
}

#[cfg(test)]
#[path = "../tests/error.rs"]
mod fuzz;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn headers_are_valid_for_any_name_and_message() {
        let long = "x".repeat(100_000);
        for name in ["OrderNotFound", "żółć 🚀", "a\r\nb: c", "", long.as_str()] {
            for message in [
                "boom",
                "line one\nline two",
                "żółć 🚀 \u{7}\u{7f}",
                long.as_str(),
            ] {
                let error = Error::new(name.to_owned(), message);
                let headers: HeaderMap = headers(Some(&error)).into_iter().collect();
                let cause = headers.get(XRAY_CAUSE).unwrap();
                assert!(cause.len() < 2 * HEADER_LIMIT);
                let cause: Value = serde_json::from_slice(cause.as_bytes()).unwrap();
                let shown = cause["exceptions"][0]["type"].as_str().unwrap();
                assert!(name.starts_with(shown) && (name.is_empty() || !shown.is_empty()));
                assert!(headers.get(ERROR_TYPE).unwrap().to_str().is_ok());
            }
        }
    }

    #[test]
    fn a_rejection_is_one_line_with_or_without_a_body() {
        for (body, shown) in [
            (&b""[..], ""),
            (b"\r\n", ""),
            (b" no \n", ": no"),
            (b"<html>\r\n\x1b[0mno</html>\n", ": <html>   [0mno</html>"),
            (b"\xff", ": \u{fffd}"),
        ] {
            assert_eq!(
                rejection(StatusCode::BAD_GATEWAY, body),
                format!("the Runtime API responded with 502 Bad Gateway{shown}")
            );
        }
    }

    #[test]
    fn text_beyond_ascii_can_be_parsed_from_its_escapes() {
        let json = json!("żółć 🚀").to_string();
        assert!(escaped(&json).is_ascii());
        assert_eq!(
            serde_json::from_str::<Value>(&escaped(&json)).unwrap(),
            "żółć 🚀"
        );
    }
}
