//! Posting an answer to the Runtime API, in the shape that Node's runtime posts it.

use crate::error::Error;
use bytes::Bytes;
use http::{
    HeaderMap, Method, Request, StatusCode,
    header::{CONTENT_TYPE, HeaderName, HeaderValue},
};
use http_body_util::BodyExt;
use lambda_runtime_api_client::{BoxError, PooledClient, body::Body, build_request};
use serde_json::json;

const API: &str = "/2018-06-01/runtime";

/// Which answer the Runtime API is given is told by this one, in both directions.
const INVOCATION_ID: HeaderName = HeaderName::from_static("lambda-runtime-invocation-id");
const ERROR_TYPE: HeaderName = HeaderName::from_static("lambda-runtime-function-error-type");
const XRAY_CAUSE: HeaderName = HeaderName::from_static("lambda-runtime-function-xray-error-cause");

/// Posts the answer of one invocation. What the API says against it is logged: there is nobody
/// else to tell.
pub(super) async fn post(
    client: &PooledClient,
    event: &HeaderMap,
    request_id: &str,
    answer: Result<Bytes, Error>,
) {
    let request = match &answer {
        Ok(_) => request(&format!("{API}/invocation/{request_id}/response"), None),
        Err(error) => request(&format!("{API}/invocation/{request_id}/error"), Some(error)),
    };
    let sent = async {
        let mut request = request?;
        if let Some(id) = event.get(&INVOCATION_ID) {
            request.headers_mut().insert(INVOCATION_ID, id.clone());
        }
        *request.body_mut() = Body::from(answer.unwrap_or_else(|error| error.to_wire().into()));
        send(client, request).await
    };
    if let Err(error) = sent.await {
        tracing::error!("the answer was not taken: {error}");
    }
}

/// Says why the function cannot start.
pub(super) async fn init_error(client: &PooledClient, error: &Error) {
    let sent = async {
        let mut request = request(&format!("{API}/init/error"), Some(error))?;
        *request.body_mut() = Body::from(error.to_wire());
        send(client, request).await
    };
    if let Err(error) = sent.await {
        tracing::error!("the init error was not taken: {error}");
    }
}

fn request(path: &str, error: Option<&Error>) -> Result<Request<Body>, http::Error> {
    let mut request = build_request()
        .method(Method::POST)
        .uri(path)
        .body(Body::empty())?;
    let headers = request.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(error) = error {
        insert(headers, ERROR_TYPE, &visible(error.error_type()));
        insert(headers, XRAY_CAUSE, &xray_cause(error));
    }
    Ok(request)
}

fn insert(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

async fn send(client: &PooledClient, request: Request<Body>) -> Result<(), BoxError> {
    let reply = client.call(request).await?;
    let status = reply.status();
    // Read to its end, or the connection is lost for the next event.
    let body = reply.into_body().collect().await?.to_bytes();
    if status.is_success() {
        return Ok(());
    }
    let why = match status {
        StatusCode::GONE => " (the invocation timed out, or was answered before)",
        StatusCode::PAYLOAD_TOO_LARGE => " (it is larger than Lambda takes)",
        _ => "",
    };
    let body = String::from_utf8_lossy(&body);
    Err(format!("the Runtime API answered {status}{why}: {}", body.trim()).into())
}

/// Beyond this a header is left out: a Runtime API takes no header of any size.
const HEADER_LIMIT: usize = 8 * 1024;

/// As much of an error's name as a header is given, in characters.
const NAME_LIMIT: usize = 256;

/// A name as a header can hold it.
fn visible(text: &str) -> String {
    let visible = |c: char| {
        if c.is_ascii_graphic() || c == ' ' {
            c
        } else {
            '?'
        }
    };
    text.chars().take(NAME_LIMIT).map(visible).collect()
}

/// What X-Ray shows of the failure.
fn xray_cause(error: &Error) -> String {
    let directory = std::env::current_dir().unwrap_or_default();
    let name: String = error.error_type().chars().take(NAME_LIMIT).collect();
    let stack = error
        .place()
        .map(|place| json!({ "path": place.file(), "line": place.line(), "label": name }));
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

/// JSON with everything beyond ASCII escaped, as a header can hold it.
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
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn headers_are_valid_whatever_the_error_is_called() {
        let long = "x".repeat(100_000);
        for name in ["OrderNotFound", "żółć 🚀", "a\r\nb: c", "", long.as_str()] {
            for message in [
                "boom",
                "line one\nline two",
                "żółć 🚀 \u{7}\u{7f}",
                long.as_str(),
            ] {
                let error = Error::new(name.to_owned(), message);
                let request = request("/x", Some(&error)).unwrap();
                let cause = request.headers().get(XRAY_CAUSE).unwrap();
                assert!(cause.len() < 2 * HEADER_LIMIT);
                let cause: Value = serde_json::from_slice(cause.as_bytes()).unwrap();
                let shown = cause["exceptions"][0]["type"].as_str().unwrap();
                assert!(name.starts_with(shown) && (name.is_empty() || !shown.is_empty()));
                assert!(request.headers().get(ERROR_TYPE).unwrap().to_str().is_ok());
            }
        }
    }

    #[test]
    fn text_beyond_ascii_comes_back_from_its_escapes() {
        let json = json!("żółć 🚀").to_string();
        assert!(escaped(&json).is_ascii());
        assert_eq!(
            serde_json::from_str::<Value>(&escaped(&json)).unwrap(),
            "żółć 🚀"
        );
    }
}
