//! Invocations from the page.

use super::{json_of, not_found, opened};
use crate::{
    invocation::{CognitoIdentity, ContextBuilder, Function},
    local::{
        configuration::new_id,
        function_name::FunctionName,
        function_url::own_name,
        history::Client,
        invoke::{ReplyTo, Server, start},
        invoke_request::{self, InvokeHeaders},
        rejection::Rejection,
    },
};
use axum::{
    body::Body,
    extract::{Path, Query, Request, State, rejection::QueryRejection},
    http::{HeaderMap, Response, StatusCode},
};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::json;
use std::{sync::Arc, time::Duration};

/// The longest timeout, in seconds. A day is enough to debug a handler.
const LONGEST: f64 = 86_400.0;

/// The largest memory size that AWS offers, in MB.
const LARGEST: u64 = 10_240;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct InvokeQuery {
    function: String,
    /// A version or an alias.
    qualifier: Option<String>,
    // The numbers are parsed later, so that the error for an invalid one states what was expected.
    /// In seconds.
    timeout: Option<String>,
    /// In MB.
    memory: Option<String>,
    // On AWS, the identity is that of the caller's credentials, so `Invoke` has no header for it.
    cognito_identity_id: Option<String>,
    cognito_identity_pool_id: Option<String>,
}

impl InvokeQuery {
    fn timeout(&self) -> Result<Option<Duration>, Rejection> {
        let read = |text: &str| {
            let seconds = text.parse::<f64>().ok()?;
            let seconds = Some(seconds).filter(|seconds| (0.0..=LONGEST).contains(seconds))?;
            Duration::try_from_secs_f64(seconds).ok()
        };
        let expected = format!("seconds from 0, for no limit, to {LONGEST}");
        number("Timeout", self.timeout.as_deref(), read, &expected)
    }

    fn memory(&self) -> Result<Option<u64>, Rejection> {
        let read = |text: &str| {
            let megabytes = text.parse().ok();
            megabytes.filter(|megabytes| (1..=LARGEST).contains(megabytes))
        };
        let expected = format!("whole megabytes from 1 to {LARGEST}");
        number("Memory", self.memory.as_deref(), read, &expected)
    }

    fn identity(&self) -> Option<CognitoIdentity> {
        let identity = CognitoIdentity {
            cognito_identity_id: self.cognito_identity_id.clone().unwrap_or_default(),
            cognito_identity_pool_id: self.cognito_identity_pool_id.clone().unwrap_or_default(),
        };
        (identity != CognitoIdentity::default()).then_some(identity)
    }
}

/// Reads a number of the query, if it is there.
fn number<T>(
    name: &str,
    text: Option<&str>,
    read: impl FnOnce(&str) -> Option<T>,
    expected: &str,
) -> Result<Option<T>, Rejection> {
    let Some(text) = text else {
        return Ok(None);
    };
    let number = read(text);
    number
        .map(Some)
        .ok_or_else(|| Rejection::parameter(format!("{name} `{text}`: expected {expected}")))
}

/// Invokes a function with the body as its event. The members of the context that `Invoke` has
/// headers for are in the same headers, and the others are in the query.
pub(super) async fn invoke(
    State(server): State<Arc<Server>>,
    query: Result<Query<InvokeQuery>, QueryRejection>,
    request: Request,
) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let started = async {
        let Query(query) = query.map_err(|error| Rejection::parameter(error.to_string()))?;
        let (function, context) = context(&server, &query, &parts.headers)?;
        let event = invoke_request::event(body, &server.limits, None).await?;
        begin(&server, function, context, event)
    };
    started
        .await
        .unwrap_or_else(|rejection: Rejection| rejection.respond(&new_id()))
}

/// Repeats an invocation with its event and context.
pub(super) async fn repeat(
    State(server): State<Arc<Server>>,
    Path(n): Path<String>,
) -> Response<Body> {
    let found = opened::find(&server, &n, |record| {
        (record.context.clone(), record.event.clone())
    });
    let Some((context, event)) = found else {
        return not_found();
    };
    let started = match server.functions.named(&context.members().function_name) {
        Ok(function) => begin(&server, function.clone(), context, event),
        Err(mistake) => Err(Rejection::no_function(mistake.to_string())),
    };
    started.unwrap_or_else(|rejection| rejection.respond(&new_id()))
}

fn context(
    server: &Server,
    query: &InvokeQuery,
    headers: &HeaderMap,
) -> Result<(Function, ContextBuilder), Rejection> {
    let function = server.functions.named(&query.function);
    let function = function.map_err(|mistake| Rejection::no_function(mistake.to_string()))?;
    let own = own_name();
    let region = server.configuration.region(None);
    let qualifier = query.qualifier.as_deref();
    let named = match query.function == own {
        // The name of a program may be one that `Invoke` does not accept.
        true => FunctionName::qualified(&own, qualifier, region)?,
        false => FunctionName::parse(&query.function, qualifier)?.in_region(region)?,
    };
    let (_, mut context) = server.configuration.context(&named);
    if let Some(timeout) = query.timeout()? {
        context = context.timeout(timeout);
    }
    if let Some(megabytes) = query.memory()? {
        context = context.memory_limit_in_mb(megabytes.to_string());
    }
    let InvokeHeaders {
        client_context,
        tenant_id,
        xray_trace_id,
        ..
    } = InvokeHeaders::parse(headers)?;
    let context = context.optional(|members| {
        members.identity = query.identity();
        members.client_context = client_context;
        members.tenant_id = tenant_id;
        members.xray_trace_id = xray_trace_id;
    });
    Ok((function.clone(), context))
}

/// Starts an invocation, whose outcome the page reads from the history.
fn begin(
    server: &Arc<Server>,
    function: Function,
    context: ContextBuilder,
    event: Bytes,
) -> Result<Response<Body>, Rejection> {
    server.has_room()?;
    let request_id = new_id();
    let context = context.aws_request_id(request_id.clone());
    let entry = start(
        server,
        Client::Page,
        function,
        context,
        event,
        ReplyTo::Page,
    );
    let started = json!({ "n": entry.n, "requestId": request_id });
    Ok(json_of(StatusCode::ACCEPTED, &started))
}
