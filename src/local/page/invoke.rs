//! Invocations from the page.

use super::{json_of, not_found, opened};
use crate::{
    completion::callback,
    invocation::{ContextBuilder, Function},
    local::{
        configuration::new_id,
        function_name::FunctionName,
        function_url::own_name,
        invoke::{LocalOutcome, ReplyTo, Server, start},
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

#[derive(Deserialize)]
pub(super) struct InvokeQuery {
    function: String,
    /// In seconds.
    timeout: Option<f64>,
}

/// Invokes a function with the body as its event. The members of the context are in the same
/// headers as for `Invoke`.
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
    let named = match query.function == own {
        // The name of a program may be one that `Invoke` does not accept.
        true => FunctionName::of(&own).placed_in(region),
        false => FunctionName::parse(&query.function, None)?.in_region(region)?,
    };
    let (_, mut context) = server.configuration.context(&named);
    if let Some(seconds) = query.timeout {
        let timeout = (0.0..=LONGEST).contains(&seconds);
        let timeout = timeout.then(|| Duration::try_from_secs_f64(seconds).ok());
        context = context.timeout(timeout.flatten().ok_or_else(|| {
            let message =
                format!("Timeout `{seconds}`: expected seconds from 0, for no limit, to {LONGEST}");
            Rejection::parameter(message)
        })?);
    }
    let InvokeHeaders {
        client_context,
        tenant_id,
        xray_trace_id,
        ..
    } = InvokeHeaders::parse(headers)?;
    let context = context.optional(|members| {
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
    let (callback, _) = callback::<LocalOutcome>();
    let reply_to = ReplyTo {
        callback,
        accepts_streams: false,
    };
    let n = start(
        server,
        function,
        request_id.clone(),
        context,
        event,
        reply_to,
    );
    let started = json!({ "n": n, "requestId": request_id });
    Ok(json_of(StatusCode::ACCEPTED, &started))
}
