//! Parses calls of the Invoke API.

use super::{
    event::check,
    limits::{DRAINED, EVENT_LIMIT, Limits, PayloadLimit},
    rejection::Rejection,
};
use axum::{
    body::{Body, HttpBody},
    http::{HeaderMap, StatusCode, header},
};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use bytes::{Bytes, BytesMut};
use serde_json::{Map, Value};
use std::{future::poll_fn, pin::pin};
use tokio::time::{Instant, timeout_at};

/// `X-Amz-Invocation-Type`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum InvocationType {
    RequestResponse,
    Event,
    DryRun,
}

/// The parameters of a call that are in its headers.
#[derive(Debug)]
pub(super) struct InvokeHeaders {
    pub(super) invocation_type: InvocationType,
    pub(super) log_tail: bool,
    pub(super) client_context: Option<Value>,
    pub(super) tenant_id: Option<String>,
    pub(super) xray_trace_id: Option<String>,
}

impl InvokeHeaders {
    pub(super) fn parse(headers: &HeaderMap) -> Result<Self, Rejection> {
        let text = |name| {
            headers
                .get(name)
                .map(|value| String::from_utf8_lossy(value.as_bytes()))
        };
        let invocation_type = match text("x-amz-invocation-type").as_deref() {
            None | Some("RequestResponse") => InvocationType::RequestResponse,
            Some("Event") => InvocationType::Event,
            Some("DryRun") => InvocationType::DryRun,
            Some(other) => {
                return Err(Rejection::parameter(format!(
                    "Invocation type `{other}`: expected RequestResponse, Event or DryRun"
                )));
            }
        };
        let log_tail = match text("x-amz-log-type").as_deref() {
            None | Some("None") => false,
            Some("Tail") => true,
            Some(other) => {
                return Err(Rejection::parameter(format!(
                    "Log type `{other}`: expected None or Tail"
                )));
            }
        };
        let client_context = text("x-amz-client-context").filter(|text| !text.is_empty());
        Ok(InvokeHeaders {
            invocation_type,
            log_tail,
            client_context: client_context
                .map(|text| parse_client_context(&text))
                .transpose()?,
            tenant_id: text("x-amz-tenant-id").map(Into::into),
            xray_trace_id: text("x-amzn-trace-id").map(Into::into),
        })
    }
}

/// The length of the longest client context that AWS accepts, in base64.
const CLIENT_CONTEXT: usize = 3583;

fn parse_client_context(text: &str) -> Result<Value, Rejection> {
    if text.len() > CLIENT_CONTEXT {
        let message = format!("Client context must be no longer than {CLIENT_CONTEXT} bytes.");
        return Err(Rejection::content(message));
    }
    let json = BASE64.decode(text).ok();
    json.and_then(|json| serde_json::from_slice::<Map<_, _>>(&json).ok())
        .map(Value::Object)
        .ok_or_else(|| {
            Rejection::content("Client context must be a valid Base64-encoded JSON object.")
        })
}

/// Returns the region that a client signed its request for, from a header such as
/// `AWS4-HMAC-SHA256 Credential=ID/20250101/eu-west-1/lambda/aws4_request, ..`.
pub(super) fn signed_region(headers: &HeaderMap) -> Option<&str> {
    let signature = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (_, scope) = signature.split_once("Credential=")?;
    let scope = scope.split(',').next().unwrap_or(scope);
    let mut parts = scope.rsplit('/');
    let (end, _service, region) = (parts.next()?, parts.next()?, parts.next()?);
    let is_region = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (end == "aws4_request" && !region.is_empty() && region.bytes().all(is_region)).then_some(region)
}

/// Reads the event, which has to be JSON. An empty body is `{}`, as on Lambda. An asynchronous
/// operation has a lower limit.
pub(super) async fn event(
    body: Body,
    limits: &Limits,
    asynchronous: Option<PayloadLimit>,
) -> Result<Bytes, Rejection> {
    let event = self::body(body, limits).await?;
    if let Some(PayloadLimit { bytes, of }) = asynchronous {
        let size = event.len();
        if size > bytes {
            let message =
                format!("{size} byte payload is too large for {of} (limit {bytes} bytes)");
            return Err(payload_too_large(message));
        }
    }
    if event.is_empty() {
        return Ok(Bytes::from_static(b"{}"));
    }
    check(&event).map_err(|error| {
        Rejection::content(format!("Could not parse request body into json: {error}"))
    })?;
    Ok(event)
}

/// Reads a body with any content, up to the size of an event.
pub(super) async fn body(body: Body, limits: &Limits) -> Result<Bytes, Rejection> {
    let mut body = pin!(body);
    let (mut event, mut size) = (BytesMut::new(), 0);
    let until = Instant::now() + limits.body;
    loop {
        let pause = Instant::now() + limits.body_pause;
        let frame = timeout_at(until.min(pause), poll_fn(|cx| body.as_mut().poll_frame(cx))).await;
        let frame = frame.map_err(|_| match pause < until {
            true => Rejection::timeout("next piece of the body", limits.body_pause),
            false => Rejection::timeout("body", limits.body),
        })?;
        let Some(frame) = frame else { break };
        let frame = frame.map_err(|error| {
            Rejection::content(format!("Could not read the request body: {error}"))
        })?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        size += data.len();
        if size <= EVENT_LIMIT {
            event.extend_from_slice(&data);
        } else if size > DRAINED {
            break;
        }
    }
    if size > EVENT_LIMIT {
        return Err(too_large());
    }
    Ok(event.freeze())
}

pub(super) fn too_large() -> Rejection {
    payload_too_large(format!(
        "Request must be smaller than {EVENT_LIMIT} bytes for the InvokeFunction operation"
    ))
}

fn payload_too_large(message: String) -> Rejection {
    let status = StatusCode::PAYLOAD_TOO_LARGE;
    Rejection::new(status, "RequestEntityTooLargeException", message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn the_region_is_that_of_the_signature() {
        let region = |signature: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, HeaderValue::from_static(signature));
            signed_region(&headers).map(String::from)
        };
        for signature in [
            "AWS4-HMAC-SHA256 Credential=AKID/20250101/eu-west-1/lambda/aws4_request, SignedHeaders=host, Signature=0",
            "AWS4-HMAC-SHA256 Credential=a/b/20250101/eu-west-1/lambda/aws4_request",
        ] {
            assert_eq!(region(signature).as_deref(), Some("eu-west-1"));
        }
        for signature in [
            "Bearer eu-west-1/lambda/aws4_request",
            "AWS4-HMAC-SHA256 Credential=AKID/20250101/eu-west-1/lambda/other, Signature=0",
            "AWS4-HMAC-SHA256 Credential=AKID/20250101/:x/lambda/aws4_request",
            "AWS4-HMAC-SHA256 Credential=AKID/20250101//lambda/aws4_request",
            "AWS4-HMAC-SHA256 Credential=aws4_request",
        ] {
            assert_eq!(region(signature), None, "{signature}");
        }
        assert_eq!(signed_region(&HeaderMap::new()), None);
    }
}
