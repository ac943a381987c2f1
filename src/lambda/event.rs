//! Events as the Runtime API sends them.

use crate::{error::Error, invocation::ContextBuilder};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Response};
use http_body_util::BodyExt;
use serde::de::DeserializeOwned;
use std::{fmt::Display, str::FromStr, sync::Arc, time::Duration};

/// Identifies the invocation, both in the reply with its event and in the request with its outcome.
pub(super) const INVOCATION_ID: HeaderName =
    HeaderName::from_static("lambda-runtime-invocation-id");

const REQUEST_ID: HeaderName = HeaderName::from_static("lambda-runtime-aws-request-id");
const DEADLINE: HeaderName = HeaderName::from_static("lambda-runtime-deadline-ms");
const ARN: HeaderName = HeaderName::from_static("lambda-runtime-invoked-function-arn");
const CLIENT_CONTEXT: HeaderName = HeaderName::from_static("lambda-runtime-client-context");
const IDENTITY: HeaderName = HeaderName::from_static("lambda-runtime-cognito-identity");
const TENANT_ID: HeaderName = HeaderName::from_static("lambda-runtime-aws-tenant-id");
const TRACE_ID: HeaderName = HeaderName::from_static("lambda-runtime-trace-id");

/// Where the outcome of an event is posted.
#[derive(Clone)]
pub(super) struct PostAddress(pub(super) Arc<InvocationIds>);

pub(super) struct InvocationIds {
    pub(super) request_id: String,
    pub(super) invocation_id: Option<HeaderValue>,
}

pub(super) struct PolledEvent {
    pub(super) address: PostAddress,
    pub(super) context: ContextBuilder,
    /// The event's bytes, or the error if they did not arrive.
    pub(super) body: Result<Bytes, Error>,
    /// The headers that were left out of the context, and why.
    pub(super) problems: Vec<String>,
}

/// How long the body of an event may take after its head. The Runtime API is on the same machine.
const BODY_TIME: Duration = Duration::from_secs(10);

impl PolledEvent {
    /// Reads an event to its end.
    ///
    /// # Errors
    ///
    /// The reason why no outcome can be posted: there is no usable request id.
    pub(super) async fn read<B>(
        response: Response<B>,
        context: &ContextBuilder,
    ) -> Result<Self, String>
    where
        B: BodyExt<Data = Bytes, Error: Display> + Unpin,
    {
        let (parts, body) = response.into_parts();
        let mut event = PolledEvent::of_headers(&parts.headers, context.clone())?;
        event.body = read(body).await.map_err(|why| {
            Error::ours(
                "Runtime.EventTruncated",
                format!("the event was truncated: {why}"),
            )
        });
        Ok(event)
    }

    fn of_headers(headers: &HeaderMap, context: ContextBuilder) -> Result<Self, String> {
        let mut problems = Vec::new();
        let request_id = request_id(headers)?;
        let text = |name: &HeaderName| {
            let value = headers.get(name).filter(|value| !value.is_empty())?;
            Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        let arn = text(&ARN).unwrap_or_default();
        let deadline = number(headers, &DEADLINE, &mut problems);
        let context = context
            .aws_request_id(request_id.clone())
            .invoked_function_arn(arn)
            // A missing deadline is unknown rather than expired.
            .deadline_ms(deadline.unwrap_or(0))
            .optional(|members| {
                members.client_context = json(headers, &CLIENT_CONTEXT, &mut problems);
                members.identity = json(headers, &IDENTITY, &mut problems);
                members.tenant_id = text(&TENANT_ID);
                members.xray_trace_id = text(&TRACE_ID);
            });
        Ok(PolledEvent {
            address: PostAddress(Arc::new(InvocationIds {
                request_id,
                invocation_id: headers.get(&INVOCATION_ID).cloned(),
            })),
            context,
            body: Ok(Bytes::new()),
            problems,
        })
    }
}

/// The maximum length of a request id, in bytes. AWS's ids have 36. A path of more than 65,535
/// bytes cannot be requested, so nothing could be posted for an id of that length.
const LONGEST_ID: usize = 1024;

fn request_id(headers: &HeaderMap) -> Result<String, String> {
    let value = headers
        .get(&REQUEST_ID)
        .ok_or_else(|| format!("an event came without `{REQUEST_ID}`"))?;
    if value.len() > LONGEST_ID {
        let length = value.len();
        return Err(format!(
            "`{REQUEST_ID}` has {length} bytes: expected an id of at most {LONGEST_ID}"
        ));
    }
    // The id becomes a segment of a path.
    let fits = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:~".contains(byte);
    match value.to_str() {
        Ok(id) if !id.is_empty() && id.bytes().all(|byte| fits(&byte)) && !id.starts_with('.') => {
            Ok(id.into())
        }
        _ => Err(format!("`{REQUEST_ID}` is {value:?}: expected an id")),
    }
}

fn number(headers: &HeaderMap, name: &HeaderName, problems: &mut Vec<String>) -> Option<u64> {
    let Some(value) = headers.get(name) else {
        problems.push(format!("`{name}` is missing: the deadline is unknown"));
        return None;
    };
    let text = value.to_str().unwrap_or_default();
    let number = u64::from_str(text.trim()).ok();
    if number.is_none() {
        problems.push(format!(
            "`{name}` is {value:?}: expected milliseconds since 1970"
        ));
    }
    number
}

fn json<T: DeserializeOwned>(
    headers: &HeaderMap,
    name: &HeaderName,
    problems: &mut Vec<String>,
) -> Option<T> {
    let value = headers.get(name).filter(|value| !value.is_empty())?;
    match serde_json::from_slice(value.as_bytes()) {
        Ok(value) => Some(value),
        Err(error) => {
            problems.push(format!("`{name}` is left out: expected JSON: {error}"));
            None
        }
    }
}

/// The maximum capacity to reserve for a body whose length is known, in bytes.
const ROOM: u64 = 8 * 1024 * 1024;

async fn read<B>(mut body: B) -> Result<Bytes, String>
where
    B: BodyExt<Data = Bytes, Error: Display> + Unpin,
{
    let room = body.size_hint().lower().min(ROOM);
    let mut event = BytesMut::with_capacity(usize::try_from(room).unwrap_or(0));
    let whole = async {
        while let Some(frame) = body.frame().await {
            if let Ok(data) = frame.map_err(|error| error.to_string())?.into_data() {
                event.extend_from_slice(&data);
            }
        }
        Ok(())
    };
    let read = tokio::time::timeout(BODY_TIME, whole).await;
    let seconds = BODY_TIME.as_secs();
    let why = match read {
        Ok(Ok(())) => return Ok(event.freeze()),
        Ok(Err(error)) => error,
        Err(_) => format!("the rest did not arrive within {seconds} s"),
    };
    Err(format!("{why}, after {} bytes", event.len()))
}

#[cfg(test)]
#[path = "../tests/headers.rs"]
mod fuzz;
