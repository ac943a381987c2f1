//! A function's result as an HTTP response.

#[cfg(feature = "local")]
use crate::stream::{DEFAULT_CONTENT_TYPE, Head};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use serde_json::{Map, Value};

/// The headers of the connection, which the server sets itself.
pub(super) const HOP_BY_HOP: [&str; 9] = [
    "connection",
    "content-length",
    "keep-alive",
    "proxy-authenticate",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Converts a result to a response of payload format 2.0. If the result has no status code, the
/// response is the result itself: a string is sent as the body, and anything else as JSON.
///
/// # Errors
///
/// A message that says what is wrong with the result.
pub(crate) fn of(result: &Bytes) -> Result<Response<Bytes>, String> {
    let parsed = serde_json::from_slice::<Value>(result)
        .map_err(|error| format!("expected JSON: {error}"))?;
    let (status, result) = match parsed {
        Value::Object(mut members) => match members.remove("statusCode") {
            Some(status) => (status, members),
            None => return Ok(json(StatusCode::OK, result.clone())),
        },
        Value::String(text) => return Ok(json(StatusCode::OK, text.into())),
        _ => return Ok(json(StatusCode::OK, result.clone())),
    };
    let (status, body) = (status_of(&status)?, body(&result)?);
    let body = if has_no_content(status) {
        Bytes::new()
    } else {
        body
    };
    let mut response = json(status, body);
    let headers = response.headers_mut();
    set_headers(headers, &result)?;
    append_cookies(headers, &result)?;
    Ok(response)
}

/// Converts the head of a stream to a response, from its metadata, or else from its content type.
///
/// # Errors
///
/// A message that says what is wrong with the metadata.
#[cfg(feature = "local")]
pub(crate) fn of_stream(head: &Head) -> Result<Response<()>, String> {
    let mut response = Response::new(());
    let Some(metadata) = &head.metadata else {
        // The content type was checked when it was set.
        if let Ok(content_type) = HeaderValue::from_str(&head.content_type) {
            response
                .headers_mut()
                .insert(header::CONTENT_TYPE, content_type);
        }
        return Ok(response);
    };
    let metadata: Map<String, Value> = serde_json::from_slice(metadata)
        .map_err(|error| format!("the metadata of a stream: expected an object: {error}"))?;
    if let Some(status) = metadata.get("statusCode") {
        *response.status_mut() = status_of(status)?;
    }
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(DEFAULT_CONTENT_TYPE),
    );
    set_headers(headers, &metadata)?;
    append_cookies(headers, &metadata)?;
    Ok(response)
}

/// Returns AWS's response for a function that failed or timed out, or whose result is not a
/// response.
#[cfg(feature = "local")]
pub(crate) fn bad_gateway() -> Response<Bytes> {
    json(StatusCode::BAD_GATEWAY, "Internal Server Error".into())
}

/// Returns whether a response with this status has neither a body nor a length (RFC 9110, 8.6).
pub(crate) fn has_no_content(status: StatusCode) -> bool {
    matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
}

/// Returns a response with JSON's content type, which AWS assumes unless the function sets another.
fn json(status: StatusCode, body: Bytes) -> Response<Bytes> {
    let is_empty = body.is_empty();
    let mut response = Response::new(body);
    *response.status_mut() = status;
    if !is_empty {
        let json = HeaderValue::from_static("application/json");
        response.headers_mut().insert(header::CONTENT_TYPE, json);
    }
    response
}

/// Parses a status code, which AWS also accepts as a string.
pub(super) fn status_of(status: &Value) -> Result<StatusCode, String> {
    let number = match status {
        Value::String(text) => text.parse().ok(),
        number => number
            .as_u64()
            .and_then(|number| u16::try_from(number).ok()),
    };
    number
        .filter(|number| (200..600).contains(number))
        .and_then(|number| StatusCode::from_u16(number).ok())
        .ok_or_else(|| format!("`statusCode` is {status}: expected 200 to 599"))
}

pub(super) fn body(result: &Map<String, Value>) -> Result<Bytes, String> {
    let encoded = match result.get("isBase64Encoded") {
        None | Some(Value::Null) => false,
        Some(Value::Bool(encoded)) => *encoded,
        Some(other) => return Err(format!("`isBase64Encoded` is {other}: expected a boolean")),
    };
    let text = match result.get("body") {
        None | Some(Value::Null) => return Ok(Bytes::new()),
        Some(Value::String(text)) => text.clone(),
        // A function URL on AWS accepts `{ "statusCode": "302", "body": {} }`, although API
        // Gateway's documentation asks for a string.
        Some(other) => other.to_string(),
    };
    if !encoded {
        return Ok(text.into());
    }
    let body = BASE64.decode(text);
    let body = body.map_err(|error| format!("`body`: expected base64: {error}"))?;
    Ok(body.into())
}

fn set_headers(headers: &mut HeaderMap, result: &Map<String, Value>) -> Result<(), String> {
    let given = match result.get("headers") {
        None | Some(Value::Null) => return Ok(()),
        Some(Value::Object(given)) => given,
        Some(other) => return Err(format!("`headers` is {}: expected an object", kind(other))),
    };
    for (name, value) in given {
        let (parsed, value) = header(name, value)?;
        if !HOP_BY_HOP.contains(&parsed.as_str()) {
            headers.insert(parsed, value);
        }
    }
    Ok(())
}

/// Parses a header of a result.
pub(super) fn header(name: &str, value: &Value) -> Result<(HeaderName, HeaderValue), String> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(_) | Value::Bool(_) => value.to_string(),
        other => {
            let kind = kind(other);
            return Err(format!("the header `{name}` is {kind}: expected a string"));
        }
    };
    let parsed = HeaderName::from_bytes(name.as_bytes())
        .map_err(|error| format!("the header `{name}`: {error}"))?;
    let value = HeaderValue::from_bytes(text.as_bytes())
        .map_err(|error| format!("the header `{name}`: {error}"))?;
    Ok((parsed, value))
}

fn append_cookies(headers: &mut HeaderMap, result: &Map<String, Value>) -> Result<(), String> {
    let cookies = match result.get("cookies") {
        None | Some(Value::Null) => return Ok(()),
        Some(Value::Array(cookies)) => cookies,
        Some(other) => return Err(format!("`cookies` is {}: expected an array", kind(other))),
    };
    for cookie in cookies {
        let text = cookie
            .as_str()
            .ok_or_else(|| format!("a cookie is {}: expected a string", kind(cookie)))?;
        let value = HeaderValue::from_bytes(text.as_bytes())
            .map_err(|error| format!("a cookie: {error}"))?;
        headers.append(header::SET_COOKIE, value);
    }
    Ok(())
}

/// Returns the type of a value, as an error message names it.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
