//! The details of one invocation.

use super::{json_of, not_found};
use crate::{
    invocation::ContextMembers,
    local::{
        history::{Body as Kept, Outcome, Record},
        invoke::Server,
        rejection::set,
    },
    log::platform,
};
use axum::{
    body::Body,
    extract::{Path, State},
    http::{Response, StatusCode},
};
use bytes::Bytes;
use serde_json::{Value, json};
use std::sync::Arc;

/// How many bytes of an event or a response the page shows.
const SHOWN: usize = 128 * 1024;

pub(super) async fn opened(state: State<Arc<Server>>, n: Path<String>) -> Response<Body> {
    read(&state, &n, |record| {
        json_of(StatusCode::OK, &details(record))
    })
}

/// Responds with the event, as a file.
pub(super) async fn event(state: State<Arc<Server>>, n: Path<String>) -> Response<Body> {
    read(&state, &n, |record| {
        file(record, "event", record.event.clone())
    })
}

/// Responds with the response or the error of the invocation, as a file.
pub(super) async fn response(state: State<Arc<Server>>, n: Path<String>) -> Response<Body> {
    read(&state, &n, |record| match &record.outcome {
        None => not_found(),
        Some(outcome) => match &outcome.result {
            Ok(body) => file(record, "response", body.kept.clone()),
            Err(failure) => file(record, "error", failure.json.clone().into()),
        },
    })
}

/// Responds with the drawing and the tables of the timeline.
pub(super) async fn timeline(state: State<Arc<Server>>, n: Path<String>) -> Response<Body> {
    let timeline = find(&state, &n, Record::timeline).flatten();
    timeline.map_or_else(not_found, |timeline| {
        let mut response = Response::new(Body::from(timeline.figure_and_tables().into_string()));
        set(
            response.headers_mut(),
            "content-type",
            "text/html; charset=utf-8",
        );
        response
    })
}

/// Reads the invocation that a path names.
pub(super) fn find<T>(server: &Server, n: &str, read: impl FnOnce(&Record) -> T) -> Option<T> {
    server.history.read(n.parse().ok()?, read)
}

fn read(server: &Server, n: &str, read: impl FnOnce(&Record) -> Response<Body>) -> Response<Body> {
    find(server, n, read).unwrap_or_else(not_found)
}

fn details(record: &Record) -> Value {
    let members = record.context.members();
    let outcome = record.outcome.as_ref().map(|outcome| match outcome {
        Outcome {
            result: Ok(body), ..
        } => ("response", shown(body)),
        Outcome {
            result: Err(failure),
            ..
        } => {
            let body = Kept::whole(failure.json.as_bytes());
            ("error", shown(&body))
        }
    });
    let mut details = json!({
        "summary": record.summary(),
        "arn": members.invoked_function_arn,
        "functionVersion": members.function_version,
        "qualifier": qualifier(members),
        "timeout": record.context.limit().map_or(0.0, |limit| limit.as_secs_f64()),
        "memory": members.memory_limit_in_mb,
        "memoryUsed": record.outcome.as_ref().and_then(|outcome| outcome.memory_used),
        "duration": record.outcome.as_ref().map(|outcome| platform::duration(outcome.took)),
        "billedMs": record.outcome.as_ref().map(|outcome| platform::billed_millis(outcome.took)),
        "identity": members.identity,
        "clientContext": members.client_context,
        "tenantId": members.tenant_id,
        "traceId": members.xray_trace_id,
        "event": shown(&Kept::whole(&record.event)),
        "sent": record.sent,
        "log": String::from_utf8_lossy(&record.log()),
    });
    if let (Some((name, outcome)), Some(details)) = (outcome, details.as_object_mut()) {
        details.insert(name.into(), outcome);
    }
    details
}

/// Returns the version or the alias that the function was called with, if any. The name of a program
/// may contain a colon, so the ARN cannot be split at its colons.
fn qualifier(members: &ContextMembers) -> Option<&str> {
    let name = format!(":function:{}", members.function_name);
    let (_, rest) = members.invoked_function_arn.split_once(&name)?;
    rest.strip_prefix(':')
}

/// Returns a text, or the start of a long one, and its size.
fn shown(body: &Kept) -> Value {
    let (start, is_whole) = match body.kept.get(..SHOWN) {
        Some(start) => (start, body.size <= SHOWN),
        None => (&body.kept[..], body.size == body.kept.len()),
    };
    json!({
        "text": String::from_utf8_lossy(start),
        "size": body.size,
        "isWhole": is_whole,
        "isKept": body.size == body.kept.len(),
    })
}

/// Responds with a file that the browser saves and never displays.
fn file(record: &Record, what: &str, content: Bytes) -> Response<Body> {
    let mut response = Response::new(Body::from(content));
    let headers = response.headers_mut();
    set(headers, "content-type", "application/octet-stream");
    let name = format!("attachment; filename=\"{what}-{}.json\"", record.n);
    set(headers, "content-disposition", &name);
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::{
        LocalSettings, configuration::FunctionConfiguration, function_name::FunctionName,
    };

    #[test]
    fn the_qualifier_is_that_of_the_call_whatever_the_name_contains() {
        let configuration = FunctionConfiguration::read(&LocalSettings::default()).unwrap();
        for name in ["orders", "function", "shop:orders", "a:function:a", "a b"] {
            for called_with in [None, Some("live"), Some("7"), Some("$LATEST")] {
                let named = FunctionName::qualified(name, called_with, "us-east-1").unwrap();
                let (_, context) = configuration.context(&named);
                assert_eq!(qualifier(context.members()), called_with, "{name}");
            }
        }
    }
}
